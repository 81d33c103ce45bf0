//! Reading a record back: the whole of it, or only what chains it.

use std::borrow::Cow;

use serde::Deserialize;
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
    #[serde(borrow, default)]
    pub source: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    pub message: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    pub action: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    pub status: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    pub user_id: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    pub username: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    pub ip_address: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    pub session_id: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    pub request_id: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    pub correlation_id: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    pub trace_id: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    pub span_id: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    pub tenant: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    pub resource: Option<Cow<'a, str>>,
    #[serde(default)]
    pub duration_us: Option<u64>,
    #[serde(borrow, default)]
    pub data_classification: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
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
