//! Turns any JSON text into its canonical form.
//!
//! `serde_json` does the parsing: each level is read as names and raw text, so that a number is
//! seen as it was written and an integer that no double can hold is kept, as a string, where a
//! parsed value would have lost digits. Of two equal names in one object the last wins.
//!
//! Rejected: `serde_json::Value` (reads 12345678901234567890123 as a float) and its
//! `arbitrary_precision` feature (it changes the type for every crate of the application).

use std::{borrow::Cow, fmt};

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::canonical::{push_f64, push_str};

/// How many arrays and objects may stand inside each other. Each level is scanned once by every
/// level around it, so this also bounds the time.
pub const MAX_JSON_DEPTH: usize = 64;

/// Text that has no canonical form.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum JsonError {
    /// The text is not JSON.
    #[error("not JSON: {0}")]
    Syntax(#[from] serde_json::Error),
    /// The text nests deeper than [`MAX_JSON_DEPTH`].
    #[error("nested deeper than {MAX_JSON_DEPTH} levels")]
    TooDeep,
    /// The text is JSON, but not an object where one is needed.
    #[error("not a JSON object")]
    NotAnObject,
}

/// Appends the canonical form of the JSON `text`. On an error nothing is appended.
///
/// # Errors
/// [`JsonError`] when `text` is not JSON or nests too deep.
pub fn canonicalise(text: &str, out: &mut Vec<u8>) -> Result<(), JsonError> {
    let start = out.len();
    let result = serde_json::from_str::<&RawValue>(text)
        .map_err(JsonError::from)
        .and_then(|raw| push(raw.get(), out, 0));
    if result.is_err() {
        out.truncate(start);
    }
    result
}

/// Reads a JSON object into its names and the canonical form of each value, in the order in which
/// they stand and with equal names kept.
///
/// # Errors
/// [`JsonError`] when `text` is not a JSON object or nests too deep.
pub fn canonicalise_object(text: &str) -> Result<Vec<(String, Vec<u8>)>, JsonError> {
    if !text.trim_start().starts_with('{') {
        return Err(JsonError::NotAnObject);
    }
    let Members(members) = serde_json::from_str(text)?;
    members
        .into_iter()
        .map(|(name, raw)| {
            let mut value = Vec::new();
            push(raw.get(), &mut value, 1)?;
            Ok((name.into_owned(), value))
        })
        .collect()
}

/// The members of a JSON object, in the order in which they stand, with equal names kept.
pub(crate) fn members(object: &str) -> Result<Vec<(Cow<'_, str>, &RawValue)>, serde_json::Error> {
    serde_json::from_str(object).map(|Members(members)| members)
}

/// What a JSON value says: a string without quotes and escapes, anything else as it stands.
pub(crate) fn text_of_json(json: &str) -> Cow<'_, str> {
    match serde_json::from_str(json) {
        Ok(BorrowedStr(text)) => text,
        Err(_) => Cow::Borrowed(json),
    }
}

/// One name more in a JSON pointer (RFC 6901).
pub(crate) fn push_name(pointer: &mut String, name: &str) {
    pointer.push('/');
    for character in name.chars() {
        match character {
            '~' => pointer.push_str("~0"),
            '/' => pointer.push_str("~1"),
            other => pointer.push(other),
        }
    }
}

fn push(raw: &str, out: &mut Vec<u8>, depth: usize) -> Result<(), JsonError> {
    if depth >= MAX_JSON_DEPTH {
        return Err(JsonError::TooDeep);
    }
    match raw.as_bytes().first() {
        Some(b'{') => {
            let Members(mut members) = serde_json::from_str(raw)?;
            sort_members(&mut members, |(name, _)| name);
            out.push(b'{');
            let mut first = true;
            for (at, (name, value)) in members.iter().enumerate() {
                if members.get(at + 1).is_some_and(|(next, _)| next == name) {
                    continue;
                }
                if !std::mem::take(&mut first) {
                    out.push(b',');
                }
                push_str(out, name);
                out.push(b':');
                push(value.get(), out, depth + 1)?;
            }
            out.push(b'}');
        }
        Some(b'[') => {
            let items: Vec<&RawValue> = serde_json::from_str(raw)?;
            out.push(b'[');
            for (at, item) in items.iter().enumerate() {
                if at > 0 {
                    out.push(b',');
                }
                push(item.get(), out, depth + 1)?;
            }
            out.push(b']');
        }
        Some(b'"') => {
            let text: Cow<'_, str> = serde_json::from_str::<BorrowedStr<'_>>(raw)?.0;
            push_str(out, &text);
        }
        Some(b'-' | b'0'..=b'9') => push_number(raw, out)?,
        // `true`, `false` and `null` are their own canonical form.
        _ => out.extend_from_slice(raw.as_bytes()),
    }
    Ok(())
}

fn push_number(raw: &str, out: &mut Vec<u8>) -> Result<(), JsonError> {
    if raw.bytes().all(|b| b.is_ascii_digit() || b == b'-') {
        match raw.parse::<i64>() {
            Ok(value) => super::canonical::push_i64(out, value),
            Err(_) => push_str(out, raw),
        }
        return Ok(());
    }
    match raw.parse::<f64>() {
        Ok(value) if value.is_finite() => push_f64(out, value),
        // More than a double holds, such as 1e999: the text is kept.
        _ => push_str(out, raw),
    }
    Ok(())
}

/// Sorts as RFC 8785 demands: by UTF-16 code units, equal names kept in their order.
pub(super) fn sort_members<T>(members: &mut [T], name: impl Fn(&T) -> &str) {
    members.sort_by(|a, b| compare_names(name(a), name(b)));
}

/// Compares by UTF-16 code units, without making any. The order of bytes is the same, but that a
/// character beyond U+FFFF (first byte 0xf0 and up) is a surrogate there, which comes before U+E000
/// to U+FFFF (first byte 0xee or 0xef).
pub(super) fn compare_names(a: &str, b: &str) -> std::cmp::Ordering {
    let rank = |byte: u8| if matches!(byte, 0xee | 0xef) { byte + 0x10 } else { byte };
    let differ = a.bytes().zip(b.bytes()).find(|(a, b)| a != b);
    differ.map_or(a.len().cmp(&b.len()), |(a, b)| rank(a).cmp(&rank(b)))
}

struct Members<'a>(Vec<(Cow<'a, str>, &'a RawValue)>);

impl<'de> Deserialize<'de> for Members<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Collect;
        impl<'de> Visitor<'de> for Collect {
            type Value = Members<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Members<'de>, A::Error> {
                let mut members = Vec::new();
                while let Some((BorrowedStr(name), value)) = map.next_entry()? {
                    members.push((name, value));
                }
                Ok(Members(members))
            }
        }
        deserializer.deserialize_map(Collect)
    }
}

#[derive(serde::Deserialize)]
struct BorrowedStr<'a>(#[serde(borrow)] Cow<'a, str>);

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn canonical(text: &str) -> String {
        let mut out = Vec::new();
        canonicalise(text, &mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn the_example_of_the_rfc_comes_out_as_printed_there() {
        // RFC 8785, section 3.2.2 to 3.2.4.
        let text = r#"{
            "numbers": [333333333.33333329, 1E30, 4.50, 2e-3, 0.000000000000000000000000001],
            "string": "\u20ac$\u000F\u000aA'\u0042\u0022\u005c\\\"\/",
            "literals": [null, true, false]
        }"#;
        assert_eq!(
            canonical(text),
            "{\"literals\":[null,true,false],\"numbers\":[333333333.3333333,1e+30,4.5,0.002,1e-27],\
             \"string\":\"€$\\u000f\\nA'B\\\"\\\\\\\\\\\"/\"}"
        );
    }

    #[test]
    fn names_are_sorted_by_utf_16_code_units() {
        // U+1F600 is D83D DE00 in UTF-16 and so stands before U+FB33, though its bytes are greater.
        assert_eq!(
            canonical("{\"\u{fb33}\":1,\"\u{1f600}\":2}"),
            "{\"\u{1f600}\":2,\"\u{fb33}\":1}"
        );
    }

    #[test]
    fn no_digit_of_an_integer_is_lost() {
        assert_eq!(canonical("12345678901234567890123"), "\"12345678901234567890123\"");
        assert_eq!(canonical("[9007199254740993]"), "[\"9007199254740993\"]");
        assert_eq!(canonical("-0"), "0");
        assert_eq!(canonical("1e999"), "\"1e999\"");
    }

    #[test]
    fn the_last_of_two_equal_names_wins() {
        assert_eq!(canonical(r#"{"a":1,"b":2,"a":3}"#), r#"{"a":3,"b":2}"#);
    }

    #[test]
    fn deep_nesting_is_refused_and_leaves_nothing_behind() {
        let mut out = b"before".to_vec();
        let deep = "[".repeat(100_000) + &"]".repeat(100_000);
        assert!(matches!(canonicalise(&deep, &mut out), Err(JsonError::TooDeep)));
        assert!(matches!(canonicalise("{\"a\":", &mut out), Err(JsonError::Syntax(_))));
        assert_eq!(out, b"before");
    }

    fn any_json() -> impl Strategy<Value = serde_json::Value> {
        let leaf = prop_oneof![
            Just(serde_json::Value::Null),
            any::<bool>().prop_map(Into::into),
            (-(1_i64 << 53)..=(1_i64 << 53)).prop_map(Into::into),
            // A whole float from 2^53 to 10^21 prints as an integer that is a string when read again.
            any::<f64>()
                .prop_filter("finite", |v| v.is_finite() && (v.abs() < 9e15 || v.abs() >= 1e21))
                .prop_map(Into::into),
            any::<String>().prop_map(Into::into),
        ];
        leaf.prop_recursive(5, 60, 8, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..8).prop_map(Into::into),
                prop::collection::hash_map(any::<String>(), inner, 0..8)
                    .prop_map(|map| serde_json::Value::Object(map.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn names_compare_as_their_utf_16_code_units(
            a in "[a-b\u{e000}-\u{ffff}\u{10000}-\u{10ffff}]{0,3}",
            b in "[a-b\u{e000}-\u{ffff}\u{10000}-\u{10ffff}]{0,3}",
        ) {
            prop_assert_eq!(compare_names(&a, &b), a.encode_utf16().cmp(b.encode_utf16()));
        }

        #[test]
        fn any_json_agrees_with_a_jcs_library(value in any_json()) {
            let library = serde_json_canonicalizer::to_string(&value).unwrap();
            prop_assert_eq!(canonical(&value.to_string()), library.clone());
            prop_assert_eq!(canonical(&library), library, "canonical text is its own canonical form");
        }
    }
}
