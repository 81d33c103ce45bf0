//! What the OpenAPI document says of the bodies. These types document and are never filled in:
//! records are answered as stored, never serialised again.
#![allow(dead_code, reason = "read by the derive alone")]

use std::collections::HashMap;

use poem_openapi::{Enum, Object, types::Any};

type AnyMembers = HashMap<String, Any<serde_json::Value>>;

/// A record of the trail: one line of canonical JSON (RFC 8785) with its hash appended. `hash` is
/// the SHA-256 of the line without its `,"hash":"…"` member. A member that does not apply is
/// absent.
#[derive(Object)]
pub(super) struct Record {
    /// The version of the format: 1.
    v: u64,
    /// UUIDv7, taken at the call.
    id: String,
    /// The writer's gapless sequence: `service@host~identity`.
    stream: String,
    /// The position in the stream, from 1, gapless.
    seq: u64,
    /// UTC with microseconds, taken at the call: `2026-11-21T19:31:14.261845Z`.
    timestamp: String,
    /// The level of the event: `TRACE`, `DEBUG`, `INFO`, `WARN` or `ERROR`.
    level: String,
    /// The target of the event.
    logger: String,
    /// The part of `event_type` before the first dot.
    category: String,
    /// What happened: a dotted lower-case name, such as `auth.login`.
    event_type: String,
    /// How grave it is: `debug`, `info`, `warning`, `error` or `critical`.
    severity: String,
    /// The hash of the record before it in the stream; 64 zeros for the first.
    prev_hash: String,
    /// The SHA-256 of this record, 64 hex digits.
    hash: String,
    /// Where in the program it was recorded: `file:line`.
    source: Option<String>,
    /// What happened, for people.
    message: Option<String>,
    /// What was done, in a word or two.
    action: Option<String>,
    /// `success`, `failure`, `denied`, `error`, `pending` or another word.
    status: Option<String>,
    /// Who acted.
    user_id: Option<String>,
    /// Who acted, by name.
    username: Option<String>,
    /// The address that the request came from.
    ip_address: Option<String>,
    /// The user's session.
    session_id: Option<String>,
    /// The request that caused the event.
    request_id: Option<String>,
    /// Ties together the records of one business transaction.
    correlation_id: Option<String>,
    /// The distributed trace.
    trace_id: Option<String>,
    /// The span of the distributed trace.
    span_id: Option<String>,
    /// The customer of a service that has several.
    tenant: Option<String>,
    /// What was acted upon.
    resource: Option<String>,
    /// How long it took, in microseconds.
    duration_us: Option<u64>,
    /// How widely the data concerned may be known: `public`, `internal`, `confidential` or
    /// `restricted`.
    data_classification: Option<String>,
    /// Which rules the event concerns, and what they want known: `{"SOX":true}`.
    regulatory_flags: Option<AnyMembers>,
    /// When an imported record was taken in; its `timestamp` is the original's.
    observed_at: Option<String>,
    /// Everything that is not a member of its own.
    details: Option<AnyMembers>,
    /// The paths of values that were cut.
    truncated: Option<Vec<String>>,
}

/// Records, and how to get the next ones.
#[derive(Object)]
pub(super) struct Page {
    /// The stored records, byte for byte.
    records: Vec<Record>,
    /// Hand it back as `cursor` for the next page; `null` when nothing is left. With `order=arrival`
    /// it is never `null`: behind the last record it leads to those that arrive later.
    next_cursor: Option<String>,
    /// Whether fewer records are here than `limit` although more may match: the query's time or a
    /// page's bytes ran out, or a stored line is no record. The next page goes on from there.
    truncated: bool,
    /// Why, when it is `truncated`.
    truncated_by: Option<Vec<TruncatedBy>>,
    /// How many records match in all, when `count` asks for it.
    count: Option<Count>,
}

/// Why records that belong to an answer are missing from it.
#[derive(Enum)]
#[oai(rename_all = "snake_case")]
pub(super) enum TruncatedBy {
    /// The query's time ran out.
    Deadline,
    /// The records would have been too large, or too many to be looked at.
    Size,
    /// A stored line is no record: `audit-server verify` tells more.
    DamagedRecord,
}

/// How many records match a question.
#[derive(Object)]
pub(super) struct Count {
    value: u64,
    /// What the value is.
    is: Counted,
}

/// What a count is.
#[derive(Enum)]
#[oai(rename_all = "snake_case")]
pub(super) enum Counted {
    /// Exactly so many.
    Exact,
    /// About so many.
    Estimate,
    /// So many at least: time ran out.
    AtLeast,
}

/// Records of the database and Redis, each once.
#[derive(Object)]
pub(super) struct CombinedPage {
    /// The stored records, byte for byte.
    records: Vec<Record>,
    /// Where each record was found, in the order of `records`.
    found_in: Vec<Vec<Place>>,
    /// Hand it back as `cursor` for the next page; `null` when nothing is left.
    next_cursor: Option<String>,
    /// Whether records that belong here are missing: see the other pages.
    truncated: bool,
    /// Why, when it is `truncated`.
    truncated_by: Option<Vec<TruncatedBy>>,
    /// Which of the two could be read.
    sources: Sources,
}

/// A place where a record was found.
#[derive(Enum)]
#[oai(rename_all = "snake_case")]
pub(super) enum Place {
    /// The database.
    Database,
    /// Redis, byte for byte the same.
    Redis,
    /// Redis, under the same stream and number, and not the same: one of them was changed. The
    /// record is the database's, and is here also when the filter passes that of Redis alone.
    RedisDiffers,
}

/// Which of the two could be read.
#[derive(Object)]
pub(super) struct Sources {
    /// Always `ok`: without the database there is no answer.
    database: SourceState,
    /// Without Redis the page comes from the database alone.
    redis: SourceState,
}

/// Whether a source could be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[oai(rename_all = "snake_case")]
pub(super) enum SourceState {
    /// It was read.
    Ok,
    /// It does not answer, or not in time.
    Unavailable,
    /// The server was started without it.
    Disabled,
}

/// Problem details (RFC 9457).
#[derive(Object)]
pub(super) struct Problem {
    /// Which kind of problem: `/problems/<name>`.
    #[oai(rename = "type")]
    kind: String,
    /// The kind in words.
    title: String,
    /// The status of the response.
    status: u16,
    /// What is wrong here, and what can be done.
    detail: String,
    /// The parameter that is wrong.
    parameter: Option<String>,
}
