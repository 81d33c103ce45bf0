//! What a value of a member may be, and the condition that it makes.
//!
//! Here and nowhere else, for the parameters of a request and for the expressions of `filter=`
//! alike: a severity that does not exist is a mistake to tell of, never an empty answer.

use audit_layer::record::{Classification, Member, Severity};

use super::TimeRange;
use super::{Comparison, EventPattern, Field, Filter, Test, Text, date};

const LEVELS: &[&str] = &["TRACE", "DEBUG", "INFO", "WARN", "ERROR"];

/// The condition that the member is this. Of a time, a date means the whole of its day.
///
/// # Errors
/// What a value of that member looks like.
pub(crate) fn equals(member: Member, value: &str) -> Result<Filter, String> {
    let text: Text = match member {
        Member::EventType => return Ok(value.parse::<EventPattern>()?.into()),
        Member::Timestamp => {
            let (from, to) = (date::start(value)?, date::end(value)?);
            return Ok(Filter::During(TimeRange { from, to }));
        }
        Member::Severity => value.parse::<Severity>()?.as_str().parse(),
        Member::DataClassification => value.parse::<Classification>()?.as_str().parse(),
        Member::Level => one_of(&value.to_ascii_uppercase(), LEVELS)?.parse(),
        Member::Category => category(value)?.parse(),
        Member::DurationUs => whole(value, "a whole number of microseconds")?.parse(),
        Member::Seq | Member::V => whole(value, "a whole number")?.parse(),
        _ => value.parse(),
    }?;
    Ok(Filter::Is(Field::Member(member), Test::Equals(text)))
}

/// The condition that the member compares so with this.
///
/// # Errors
/// What a value of that member looks like, or that it has no order.
pub(crate) fn compares(
    member: Member,
    comparison: Comparison,
    value: &str,
) -> Result<Filter, String> {
    match member {
        Member::Severity => {
            let wanted: Severity = value.parse()?;
            let those = Severity::ALL.iter().filter(|found| comparison.holds(*found, &wanted));
            Ok(Filter::member_is_any(member, those.map(|severity| severity.as_str())))
        }
        Member::DataClassification => {
            let wanted: Classification = value.parse()?;
            let those =
                Classification::ALL.iter().filter(|found| comparison.holds(*found, &wanted));
            Ok(Filter::member_is_any(member, those.map(|class| class.as_str())))
        }
        Member::Timestamp => Ok(Filter::During(match comparison {
            Comparison::Less => {
                TimeRange { to: date::start(value)?.saturating_sub(1), ..TimeRange::ALL }
            }
            Comparison::AtMost => TimeRange { to: date::end(value)?, ..TimeRange::ALL },
            Comparison::Greater => {
                TimeRange { from: date::end(value)?.saturating_add(1), ..TimeRange::ALL }
            }
            Comparison::AtLeast => TimeRange { from: date::start(value)?, ..TimeRange::ALL },
        })),
        Member::DurationUs | Member::Seq => {
            Ok(Filter::Is(Field::Member(member), Test::Number(comparison, value.parse()?)))
        }
        _ => Err(format!("it has no order, and cannot be compared: {}=value", member.name())),
    }
}

/// The condition that the member begins so.
///
/// # Errors
/// When the values of that member are words, numbers or times of which one asks for the whole.
pub(crate) fn starts_with(member: Member, beginning: &str) -> Result<Filter, String> {
    match member {
        Member::EventType
        | Member::Timestamp
        | Member::Severity
        | Member::DataClassification
        | Member::Level
        | Member::DurationUs
        | Member::Seq
        | Member::V => equals(member, &format!("{beginning}*")),
        _ => {
            let text = if member == Member::Category { category(beginning)? } else { beginning };
            Ok(Filter::Is(Field::Member(member), Test::StartsWith(text.parse()?)))
        }
    }
}

fn category(value: &str) -> Result<&str, String> {
    let is_part = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_';
    if value.bytes().all(is_part) {
        Ok(value)
    } else {
        let reason = "it is the part of an event type before its first dot, in lower case; \
                      wildcards are for event_type";
        Err(reason.to_owned())
    }
}

/// The greatest integer of a record: beyond 2^53 they are strings.
pub(crate) const MAX_WHOLE: u64 = 1 << 53;

/// The number as a record writes it: `+7` and `007` are 7.
fn whole(value: &str, what: &str) -> Result<String, String> {
    match value.parse::<u64>() {
        Ok(number @ ..=MAX_WHOLE) => Ok(number.to_string()),
        Ok(_) => Err(format!("it is {what}, of which none is greater than {MAX_WHOLE}")),
        Err(_) => Err(format!("it is {what}")),
    }
}

/// The word, when it is one of these.
///
/// # Errors
/// Which they are.
pub(crate) fn one_of<'v>(value: &'v str, words: &[&str]) -> Result<&'v str, String> {
    if words.contains(&value) {
        Ok(value)
    } else {
        Err(format!("it is one of {}", words.join(", ")))
    }
}
