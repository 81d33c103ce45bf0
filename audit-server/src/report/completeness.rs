//! Whether a document has all that the JSON of its report has.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeSet;

use poem_openapi::{registry::Registry, types::Type};
use serde_json::Value;

use super::{
    Block, Document, Header, Retention, Window, security::SecurityReport, trading::TradingReport,
};

/// A header that says nothing.
pub(crate) fn header() -> Header {
    Header {
        report: String::new(),
        generated_at: String::new(),
        window: Window { from: String::new(), to: String::new(), days: 0 },
        records: 0,
        damaged: 0,
        retention: Retention::default(),
    }
}

/// The texts and numbers in it but those of the header, and how many a list has in all: that is said
/// when it is cut.
fn leaves(json: &Value) -> Vec<String> {
    match json {
        Value::Object(members) => {
            let is_left_out =
                |name: &str| name == "header" || name == "total" && members.contains_key("items");
            let members = members.iter().filter(|(name, _)| !is_left_out(name));
            members.flat_map(|(_, value)| leaves(value)).collect()
        }
        Value::Array(items) => items.iter().flat_map(leaves).collect(),
        Value::Number(number) => vec![number.to_string()],
        Value::String(text) => vec![text.clone()],
        Value::Bool(_) | Value::Null => Vec::new(),
    }
}

/// All words and numbers of a document.
fn words(document: &Document) -> BTreeSet<String> {
    let mut texts = Vec::new();
    for block in document.sections.iter().flat_map(|section| &section.blocks) {
        match block {
            Block::Text(text) => texts.push(text.clone()),
            Block::Pairs(pairs) => texts.extend(pairs.iter().map(|pair| pair.1.text.clone())),
            Block::Table(table) => {
                texts.extend(table.rows.iter().flatten().map(|cell| cell.text.clone()));
            }
            Block::Series { points, .. } => {
                let both = |(name, count): &(String, u64)| [name.clone(), count.to_string()];
                texts.extend(points.iter().flat_map(both));
            }
        }
    }
    let separates = |c: char| c.is_whitespace() || c == ',' || c == ';';
    texts.iter().flat_map(|text| text.split(separates)).map(str::to_owned).collect()
}

/// Fails when the document lacks a text or a number that the report has.
pub(crate) fn assert_complete(report: &impl serde::Serialize, document: &Document) {
    let words = words(document);
    let missing = leaves(&serde_json::to_value(report).unwrap());
    let missing: Vec<String> = missing.into_iter().filter(|text| !words.contains(text)).collect();
    assert!(missing.is_empty(), "{missing:?}");
}

#[test]
fn no_two_objects_of_the_reports_have_the_same_name() {
    // Registering a name for two types panics.
    let mut registry = Registry::new();
    SecurityReport::register(&mut registry);
    TradingReport::register(&mut registry);
    assert!(registry.schemas.contains_key("Top_CountedSubject"), "{:?}", registry.schemas.keys());
}
