//! From a filter back to an expression.

use audit_layer::record::format_timestamp;

use crate::filter::{Comparison, Field, Filter, Test, TimeRange, Wanted, Words};

/// What is written for a text that is asked for, of a field or anywhere.
pub(crate) type OfText<'t> = &'t dyn Fn(Option<&Field>, &str) -> String;

/// The filter as an expression that means it, as far as one can: it does not say what may be opened.
pub(crate) fn printed(filter: &Filter, text: OfText<'_>) -> String {
    let joined = |filters: &[Filter], by: &str| {
        filters.iter().map(|one| printed(one, text)).collect::<Vec<_>>().join(by)
    };
    match filter {
        Filter::All(all) => joined(all, " AND "),
        // An OR that holds an AND, and a NOT, need parentheses; an AND that holds an OR does not.
        Filter::Any(any) => any
            .iter()
            .map(|one| match one {
                Filter::All(_) => format!("({})", printed(one, text)),
                _ => printed(one, text),
            })
            .collect::<Vec<_>>()
            .join(" OR "),
        Filter::Not(inner) => format!("-({})", printed(inner, text)),
        Filter::Is(field, test) => condition(field, test, text),
        Filter::Seals(sealed) => condition(&sealed.field, &Test::Equals(sealed.text.clone()), text),
        Filter::Says(said) => words(said, &|one| text(None, one)),
        Filter::During(TimeRange { from, to: i64::MAX }) => {
            format!("timestamp >= {}", format_timestamp(*from))
        }
        Filter::During(TimeRange { from: i64::MIN, to }) => {
            format!("timestamp <= {}", format_timestamp(*to))
        }
        Filter::During(TimeRange { from, to }) => {
            let (from, to) = (format_timestamp(*from), format_timestamp(*to));
            format!("(timestamp >= {from} AND timestamp <= {to})")
        }
        Filter::Raises(flag) => format!("regulatory_flags.{}:*", quoted(flag.as_str())),
    }
}

fn condition(field: &Field, test: &Test, text: OfText<'_>) -> String {
    let of_field = |one: &str| text(Some(field), one);
    match test {
        Test::Equals(text) => format!("{} = {}", name(field), quoted(&of_field(text.as_str()))),
        Test::StartsWith(text) => {
            let text = quoted(&of_field(text.as_str()));
            format!("{} = {}*\"", name(field), &text[..text.len() - 1])
        }
        Test::Present => format!("{}:*", name(field)),
        Test::Number(comparison, number) => {
            let operator = match comparison {
                Comparison::Less => "<",
                Comparison::AtMost => "<=",
                Comparison::Greater => ">",
                Comparison::AtLeast => ">=",
            };
            format!("{} {operator} {}", name(field), of_field(&number.to_string()))
        }
        Test::Says(said) => format!("{}:{}", name(field), words(said, &of_field)),
    }
}

fn quoted(text: &str) -> String {
    let mut out = String::from("\"");
    for c in text.chars() {
        if matches!(c, '"' | '\\' | '*') {
            out.push('\\');
        }
        out.push(c);
    }
    out + "\""
}

fn name(field: &Field) -> String {
    match field {
        Field::Member(member) => member.name().to_owned(),
        Field::Detail(path) => format!("details.{}", quoted(path.as_str())),
        Field::Flag(path) => format!("regulatory_flags.{}", quoted(path.as_str())),
    }
}

fn words(words: &Words, text: &dyn Fn(&str) -> String) -> String {
    let wanted = words.wanted().iter().map(|wanted| match wanted {
        Wanted::Phrase(words) => quoted(&text(&words.join(" "))),
        Wanted::Prefix(word) => {
            let word = quoted(&text(word));
            format!("{}*\"", &word[..word.len() - 1])
        }
    });
    wanted.collect::<Vec<_>>().join(" ")
}
