//! The parameters of a query, as the document tells of them: what a value may be, as far as JSON
//! Schema can say it, and one that is accepted.
//!
//! The examples stand in the schemas. poem-openapi has no other place for them, and to put them into
//! its document afterwards would sort the members of the whole document. Swagger UI fills examples
//! in; what the page does about it is told in [`super::docs`].
//!
//! What JSON Schema cannot say, and the server asks for all the same: that a text is at most so many
//! bytes, of which a character has up to four; that `start_date` is not after `end_date`; that a
//! cursor belongs to its question; what names of `details` may be, and the languages of `q` and
//! `filter`.

use audit_layer::record::event_type::MAX_EVENT_TYPE_BYTES;
use poem_openapi::{
    ParameterStyle,
    registry::{MetaOperationParam, MetaParamIn, MetaSchema, MetaSchemaRef},
};
use serde_json::{Value, json};

use super::keys;

use crate::{
    export,
    filter::{MAX_WHOLE, Text},
    query::{
        DEFAULT_LIMIT, Kind, MAX_EVENT_TYPES, MAX_LIMIT, PARAMETERS, Parameter, View,
        example_cursor,
    },
    report::{self, Which},
    stats,
};

/// Anything without control characters.
const TEXT: &str = r"^[^\u0000-\u001F\u007F-\u009F]+$";

/// A dotted lower-case name, or the beginning of one.
const EVENT_TYPE: &str = r"^[a-z][a-z0-9_]*(\.[a-z0-9][a-z0-9_]*)*\.([a-z0-9][a-z0-9_]*|\*)$";

/// What is before the first dot.
const CATEGORY: &str = "^[a-z0-9_]+$";

/// Members that have texts, and leaves of two others.
const NAME: &str = r"(action|category|correlation_id|data_classification|duration_us|event_type|id|ip_address|level|logger|message|observed_at|prev_hash|request_id|resource|seq|session_id|severity|source|span_id|status|stream|tenant|timestamp|trace_id|truncated|user_id|username|v|(details|regulatory_flags)\.[A-Za-z0-9_-]{1,40}(\.[A-Za-z0-9_-]{1,40})?)";

const REGULATION: &str = "(SOX|GDPR|PCI-DSS|HIPAA|SOC2|ISO27001|MIFID2)";

/// The longest list of names.
const MAX_NAMES_BYTES: usize = 4_096;

/// base64url without padding.
const CURSOR: &str = "^[A-Za-z0-9_-]+$";

/// What a question to that view takes.
pub(super) fn of(view: View) -> impl Iterator<Item = MetaOperationParam> {
    let counts = matches!(view, View::Database(_));
    PARAMETERS
        .iter()
        .filter(move |parameter| counts || parameter.name != "count")
        .map(move |parameter| document(view, parameter))
}

/// What an export takes: the filters, and parameters of its own.
pub(super) fn of_export() -> impl Iterator<Item = MetaOperationParam> {
    let of_pages = ["order", "limit", "cursor", "count"];
    PARAMETERS
        .iter()
        .filter(move |parameter| !of_pages.contains(&parameter.name))
        .chain(export::PARAMETERS)
        .map(|parameter| document(View::Export, parameter))
}

/// What figures take: the filters, and parameters of their own.
pub(super) fn of_stats() -> impl Iterator<Item = MetaOperationParam> {
    let of_pages = ["order", "limit", "cursor", "count"];
    PARAMETERS
        .iter()
        .filter(move |parameter| !of_pages.contains(&parameter.name))
        .chain(stats::PARAMETERS)
        .map(|parameter| document(View::Figures, parameter))
}

/// What a report takes.
pub(super) fn of_report(which: Which) -> impl Iterator<Item = MetaOperationParam> {
    which.parameters().iter().map(|parameter| document(View::Figures, parameter))
}

/// What is asked for of a key that is to be made, or to be made anew.
pub(super) fn of_keys(
    parameters: &'static [Parameter],
) -> impl Iterator<Item = MetaOperationParam> {
    parameters.iter().map(|parameter| MetaOperationParam {
        required: parameter.name == keys::REQUIRED,
        ..document(View::Figures, parameter)
    })
}

fn document(view: View, parameter: &Parameter) -> MetaOperationParam {
    let example = match parameter.kind {
        Kind::Cursor => example_cursor(view).into(),
        Kind::EventTypes => json!([parameter.example]),
        Kind::Whole
        | Kind::Leaves
        | Kind::Limit
        | Kind::Count
        | Kind::Values
        | Kind::Days { .. }
        | Kind::Within { .. }
        | Kind::Threshold => serde_json::from_str(parameter.example).unwrap_or_default(),
        _ => parameter.example.into(),
    };
    let mut description = parameter.description.to_owned();
    if !parameter.example.is_empty() {
        description.push_str(&format!(" For example `{}`.", parameter.example));
    }
    MetaOperationParam {
        name: parameter.name.to_owned(),
        schema: inline(MetaSchema { example: Some(example), ..schema(view, parameter) }),
        in_type: MetaParamIn::Query,
        description: Some(description),
        required: false,
        deprecated: false,
        explode: true,
        style: matches!(parameter.kind, Kind::Leaves).then_some(ParameterStyle::DeepObject),
    }
}

fn schema(view: View, parameter: &Parameter) -> MetaSchema {
    match parameter.kind {
        Kind::Text => pattern(TEXT, Text::MAX_BYTES),
        Kind::Category => pattern(CATEGORY, Text::MAX_BYTES),
        Kind::Language { max_bytes } => text(max_bytes),
        Kind::Cursor => pattern(CURSOR, crate::query::MAX_CURSOR_CHARS),
        Kind::EventTypes => MetaSchema {
            items: Some(Box::new(inline(pattern(EVENT_TYPE, MAX_EVENT_TYPE_BYTES)))),
            max_items: Some(MAX_EVENT_TYPES),
            ..MetaSchema::new("array")
        },
        Kind::Word(words) => MetaSchema {
            enum_items: words
                .iter()
                .filter(|word| parameter.name != "order" || order_is_known(view, word))
                .map(|word| Value::from(*word))
                .collect(),
            ..MetaSchema::new("string")
        },
        Kind::Leaves => MetaSchema {
            additional_properties: Some(Box::new(inline(pattern(TEXT, Text::MAX_BYTES)))),
            ..MetaSchema::new("object")
        },
        Kind::Time => MetaSchema {
            any_of: ["date", "date-time"]
                .map(|format| inline(MetaSchema::new_with_format("string", format)))
                .into(),
            ..MetaSchema::ANY
        },
        Kind::Whole => MetaSchema {
            minimum: Some(0.0),
            maximum: Some(MAX_WHOLE as f64),
            ..MetaSchema::new("integer")
        },
        Kind::Count => MetaSchema { minimum: Some(1.0), ..MetaSchema::new("integer") },
        Kind::Days { default, most } => MetaSchema {
            default: Some(json!(default)),
            minimum: Some(1.0),
            maximum: Some(f64::from(most)),
            ..MetaSchema::new("integer")
        },
        Kind::Within { most } => MetaSchema {
            minimum: Some(1.0),
            maximum: Some(f64::from(most)),
            ..MetaSchema::new("integer")
        },
        Kind::Name { max_chars } => pattern(TEXT, max_chars),
        Kind::Threshold => MetaSchema {
            default: Some(json!(report::DEFAULT_THRESHOLD)),
            minimum: Some(1.0),
            maximum: Some(100.0),
            ..MetaSchema::new("number")
        },
        Kind::Regulations => pattern(&list(REGULATION, 7), MAX_NAMES_BYTES),
        Kind::Names => pattern(&list(NAME, stats::MAX_TOP), MAX_NAMES_BYTES),
        Kind::Values => MetaSchema {
            default: Some(json!(stats::DEFAULT_VALUES)),
            minimum: Some(1.0),
            maximum: Some(stats::MAX_VALUES as f64),
            ..MetaSchema::new("integer")
        },
        Kind::Id => MetaSchema::new_with_format("string", "uuid"),
        Kind::Limit => MetaSchema {
            default: Some(json!(DEFAULT_LIMIT)),
            minimum: Some(1.0),
            maximum: Some(MAX_LIMIT as f64),
            ..MetaSchema::new("integer")
        },
    }
}

/// A list of so many at most, separated by commas.
fn list(of: &str, most: usize) -> String {
    format!("^{of}(,{of}){{0,{}}}$", most.saturating_sub(1))
}

fn text(max_length: usize) -> MetaSchema {
    MetaSchema { min_length: Some(1), max_length: Some(max_length), ..MetaSchema::new("string") }
}

fn pattern(pattern: &str, max_length: usize) -> MetaSchema {
    MetaSchema { pattern: Some(pattern.to_owned()), ..text(max_length) }
}

/// Redis keeps its lists newest first.
fn order_is_known(view: View, order: &str) -> bool {
    order == "desc" || matches!(view, View::Database(_))
}

fn inline(schema: MetaSchema) -> MetaSchemaRef {
    MetaSchemaRef::Inline(Box::new(schema))
}
