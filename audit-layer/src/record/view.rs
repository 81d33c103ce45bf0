//! Reading a record back: the whole of it, or only what chains it.

use std::borrow::Cow;

use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

/// A record as it stands in a line. Borrows from the line wherever nothing was escaped.
///
/// Reading is lenient about members that a later version may add, and strict about those that
/// every record has.
#[derive(Debug, Clone, Deserialize)]
#[non_exhaustive]
#[allow(missing_docs, reason = "each field is the member of its name, described at `Member`")]
pub struct Record<'a> {
    pub v: u64,
    #[serde(borrow)]
    pub id: Cow<'a, str>,
    #[serde(borrow)]
    pub stream: Cow<'a, str>,
    pub seq: u64,
    #[serde(borrow)]
    pub timestamp: Cow<'a, str>,
    #[serde(borrow)]
    pub level: Cow<'a, str>,
    #[serde(borrow)]
    pub logger: Cow<'a, str>,
    #[serde(borrow)]
    pub category: Cow<'a, str>,
    #[serde(borrow)]
    pub event_type: Cow<'a, str>,
    #[serde(borrow)]
    pub severity: Cow<'a, str>,
    #[serde(borrow)]
    pub prev_hash: Cow<'a, str>,
    #[serde(borrow)]
    pub hash: Cow<'a, str>,
    #[serde(borrow, default, deserialize_with = "borrowed")]
    pub source: Option<Cow<'a, str>>,
    #[serde(borrow, default, deserialize_with = "borrowed")]
    pub message: Option<Cow<'a, str>>,
    #[serde(borrow, default, deserialize_with = "borrowed")]
    pub action: Option<Cow<'a, str>>,
    #[serde(borrow, default, deserialize_with = "borrowed")]
    pub status: Option<Cow<'a, str>>,
    #[serde(borrow, default, deserialize_with = "borrowed")]
    pub user_id: Option<Cow<'a, str>>,
    #[serde(borrow, default, deserialize_with = "borrowed")]
    pub username: Option<Cow<'a, str>>,
    #[serde(borrow, default, deserialize_with = "borrowed")]
    pub ip_address: Option<Cow<'a, str>>,
    #[serde(borrow, default, deserialize_with = "borrowed")]
    pub session_id: Option<Cow<'a, str>>,
    #[serde(borrow, default, deserialize_with = "borrowed")]
    pub request_id: Option<Cow<'a, str>>,
    #[serde(borrow, default, deserialize_with = "borrowed")]
    pub correlation_id: Option<Cow<'a, str>>,
    #[serde(borrow, default, deserialize_with = "borrowed")]
    pub trace_id: Option<Cow<'a, str>>,
    #[serde(borrow, default, deserialize_with = "borrowed")]
    pub span_id: Option<Cow<'a, str>>,
    #[serde(borrow, default, deserialize_with = "borrowed")]
    pub tenant: Option<Cow<'a, str>>,
    #[serde(borrow, default, deserialize_with = "borrowed")]
    pub resource: Option<Cow<'a, str>>,
    #[serde(default)]
    pub duration_us: Option<u64>,
    #[serde(borrow, default, deserialize_with = "borrowed")]
    pub data_classification: Option<Cow<'a, str>>,
    #[serde(borrow, default, deserialize_with = "borrowed")]
    pub observed_at: Option<Cow<'a, str>>,
    /// The JSON object as it stands in the line.
    #[serde(borrow, default)]
    pub regulatory_flags: Option<&'a RawValue>,
    /// The JSON object as it stands in the line.
    #[serde(borrow, default)]
    pub details: Option<&'a RawValue>,
    #[serde(default)]
    pub truncated: Vec<String>,
}

/// A text that borrows where it can. Of a `Cow` within an `Option` serde makes a copy, also where it
/// is told to borrow: seven allocations a record.
fn borrowed<'de: 'a, 'a, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<Cow<'a, str>>, D::Error> {
    #[derive(Deserialize)]
    struct Text<'t>(#[serde(borrow)] Cow<'t, str>);

    Ok(Option::<Text<'a>>::deserialize(deserializer)?.map(|Text(text)| text))
}

impl<'a> Record<'a> {
    /// Reads a line.
    ///
    /// # Errors
    /// When the line is not JSON, or lacks a member that every record has.
    pub fn parse(line: &'a str) -> Result<Self, serde_json::Error> {
        serde_json::from_str(line)
    }
}

/// What ties a record to its neighbours: all that a verifier needs beside the hash.
#[derive(Debug, Clone, Deserialize)]
#[allow(missing_docs, reason = "each field is the member of its name, described at `Member`")]
pub struct Link<'a> {
    #[serde(borrow)]
    pub stream: Cow<'a, str>,
    pub seq: u64,
    #[serde(borrow)]
    pub prev_hash: Cow<'a, str>,
}

impl<'a> Link<'a> {
    /// Reads a line.
    ///
    /// # Errors
    /// When the line is not JSON, or lacks one of the three members.
    pub fn parse(line: &'a str) -> Result<Self, serde_json::Error> {
        serde_json::from_str(line)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_escaped_is_borrowed_from_the_line() {
        let line = r#"{"v":1,"id":"1","stream":"s","seq":1,"timestamp":"t","level":"INFO","logger":"audit","category":"auth","event_type":"auth.login","severity":"info","prev_hash":"0","hash":"0","status":"success","message":"a\nb","user_id":null}"#;
        let record = Record::parse(line).unwrap();
        assert!(matches!(record.id, Cow::Borrowed("1")));
        assert!(matches!(record.status, Some(Cow::Borrowed("success"))));
        assert_eq!(record.message.as_deref(), Some("a\nb"));
        assert_eq!((record.user_id, record.tenant), (None, None));
    }
}
