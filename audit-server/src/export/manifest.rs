//! What is told of an export.

use audit_layer::record::Hash;
use poem_openapi::{Enum, Object};
use serde::Serialize;

/// The most streams that a manifest names.
pub(crate) const MAX_STREAMS: usize = 10_000;

/// What an export is, and has handed over.
#[derive(Debug, Clone, Serialize, Object)]
#[oai(rename = "Export")]
pub(crate) struct Manifest {
    /// UUIDv7, taken when the export began.
    pub(crate) id: String,
    /// How the export is doing.
    pub(crate) status: Status,
    /// Whether it ended well and has every record that was asked for: `false` also when `limit`
    /// ended it.
    pub(crate) complete: bool,
    /// The parameters as a query string, in the order of their names.
    pub(crate) query: String,
    /// The form of the file: `ndjson`, `json` or `csv`.
    pub(crate) format: String,
    /// How the body was compressed: `none`, `gzip` or `zstd`.
    pub(crate) compression: String,
    /// When it began, in UTC.
    pub(crate) started: String,
    /// When it ended, in UTC; `null` while it runs.
    pub(crate) ended: Option<String>,
    /// The records that were handed over to the connection; whether they arrived, the client knows.
    pub(crate) records: u64,
    /// Stored lines that were left out, since they are no records. With filters that an index
    /// answers, only those that were met by reading the trail.
    pub(crate) damaged: u64,
    /// The bytes of the file that were handed over, before compression.
    pub(crate) bytes: u64,
    /// The SHA-256 of these, 64 hex digits.
    pub(crate) sha256: String,
    /// The bytes of the body that were handed over.
    pub(crate) sent_bytes: u64,
    /// The SHA-256 of these, 64 hex digits.
    pub(crate) sent_sha256: String,
    /// Goes on after the last record that was handed over: hand it back as `cursor`.
    pub(crate) cursor: String,
    /// The streams of the records. Credentials of one tenant are told of none.
    pub(crate) streams: Vec<StreamRange>,
    /// Whether there are more streams than are named here, which are 10000 at most.
    pub(crate) streams_cut: bool,
}

/// What an export has of a stream.
#[derive(Debug, Clone, Serialize, Object)]
#[oai(rename = "ExportedStream")]
pub(crate) struct StreamRange {
    /// The stream.
    pub(crate) stream: String,
    /// The least sequence number.
    pub(crate) first_seq: u64,
    /// The greatest sequence number.
    pub(crate) last_seq: u64,
}

/// How an export is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Enum)]
#[oai(rename_all = "snake_case", rename = "ExportStatus")]
#[serde(rename_all = "snake_case")]
pub(crate) enum Status {
    /// It is on its way.
    Running,
    /// It ended well.
    Complete,
    /// The server could not go on, and cut the connection.
    Failed,
    /// The client went away, or did not read for too long.
    Cancelled,
}

pub(super) fn hex(hash: [u8; 32]) -> String {
    Hash::from_bytes(hash).to_string()
}
