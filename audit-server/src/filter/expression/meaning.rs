//! What a condition asks for.

use std::borrow::Cow;

use audit_layer::record::Member;

use super::{
    Fault, Read,
    token::{Operator, Subject, Value, Wanted},
};
use crate::filter::{Field, Filter, Test, Words, member};

/// The field that a condition names.
pub(super) fn field(subject: &Subject) -> Read<Field> {
    let fault = |reason: String| Fault::cut(subject.value.at, reason);
    let Some(name) = &subject.name else {
        let reason = "the name of a member is expected here, without quotation marks and *";
        return Err(fault(reason.to_owned()));
    };
    if !subject.path && name.contains('.') && name.split('.').any(str::is_empty) {
        return Err(fault("a part of this name is empty".to_owned()));
    }
    name.parse().map_err(fault)
}

/// The condition that a field stands so to a value.
pub(super) fn condition(field: Field, operator: Operator, value: &Value) -> Read<Filter> {
    let name = field.to_string();
    let fault = |reason: String| Fault::cut(value.at, format!("{name}: {reason}"));
    let wanted = value.wanted()?;
    if wanted == Wanted::Whole("") {
        return Err(fault(format!("an empty text matches nothing; {name}:* asks for any")));
    }
    match (operator, wanted) {
        (Operator::Is | Operator::Has, Wanted::Beginning("")) => {
            Ok(Filter::Is(field, Test::Present))
        }
        (Operator::Is, wanted) => equality(field, wanted).map_err(fault),
        (Operator::IsNot, Wanted::Beginning("")) => Ok(Filter::Is(field, Test::Present).negated()),
        (Operator::IsNot, wanted) => equality(field, wanted).map(Filter::negated).map_err(fault),
        (Operator::Has, _) => Ok(Filter::Is(field, Test::Says(words(value)?))),
        (Operator::Compares(_), Wanted::Beginning(_)) => {
            Err(fault("nothing compares with a beginning; leave the * out".to_owned()))
        }
        (Operator::Compares(comparison), Wanted::Whole(text)) => match field {
            Field::Member(member) => member::compares(member, comparison, text).map_err(fault),
            field => {
                let number = text.parse().map_err(fault)?;
                Ok(Filter::Is(field, Test::Number(comparison, number)))
            }
        },
    }
}

fn equality(field: Field, wanted: Wanted<'_>) -> Result<Filter, String> {
    match (field, wanted) {
        (Field::Member(member), Wanted::Whole(text)) => {
            member::equals(member, &plain(member, text))
        }
        (Field::Member(member), Wanted::Beginning(text)) => {
            member::starts_with(member, &plain(member, text))
        }
        (field, Wanted::Whole(text)) => Ok(Filter::Is(field, Test::Equals(text.parse()?))),
        (field, Wanted::Beginning(text)) => Ok(Filter::Is(field, Test::StartsWith(text.parse()?))),
    }
}

/// A star that was meant as a character must not be read as that of a pattern; no event type has
/// one, nor a backslash.
fn plain(member: Member, text: &str) -> Cow<'_, str> {
    if member == Member::EventType { text.replace('*', "\\*").into() } else { text.into() }
}

/// A text alone: full text.
pub(super) fn text(subject: &Subject) -> Read<Filter> {
    let Value { at, text, quoted, .. } = &subject.value;
    if subject.path {
        return Err(Fault::cut(*at, "an operator is expected after this name"));
    }
    if !quoted && ["AND", "OR", "NOT"].contains(&text.to_ascii_uppercase().as_str()) {
        let reason = format!(
            "a condition is expected here; AND, OR and NOT stand between and before conditions, \
             in capitals, and \"{text}\" in quotation marks is the word"
        );
        return Err(Fault::cut(*at, reason));
    }
    Ok(Filter::Says(words(&subject.value)?))
}

/// A word, several as a phrase, or with `*` the beginning of a word.
fn words(value: &Value) -> Read<Words> {
    let question = match value.wanted()? {
        Wanted::Whole(text) => format!("\"{}\"", text.replace('"', " ")),
        Wanted::Beginning(text) if text.contains(|c: char| c == '"' || c.is_whitespace()) => {
            let reason = "a * is possible after a single word only";
            return Err(Fault::cut(value.at, reason));
        }
        Wanted::Beginning(text) => format!("{text}*"),
    };
    question.parse().map_err(|reason: String| Fault::cut(value.at, reason))
}
