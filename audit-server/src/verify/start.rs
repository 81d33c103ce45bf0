//! Why a stream starts late here: what the trail itself tells of the records before.
//!
//! Rotation removes the oldest records of a file, and a sink may be new or have fallen behind. The
//! layer then makes a record that says so. Without one, a late start is a break: records that
//! nobody said goodbye to were deleted.
//!
//! The record that explains mostly stands after the start, in the stream itself, where nobody can
//! insert it later without breaking the chain of a stream that goes on. When the stream has ended,
//! the one that writes the path now tells of it; that is believed only as long as the stream really
//! has ended, for the same reason.

use std::borrow::Cow;

use audit_layer::{EventType, record::VERSION};
use serde::Deserialize;

use super::{PathKind, Start, line::Members};

/// What both event types begin with: cheaper to ask of each record.
const PREFIX: &str = "system.audit_";

/// Records that are said not to be here.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Told<'a> {
    /// Of which stream; `None` for the stream that tells it.
    pub(super) stream: Option<Cow<'a, str>>,
    first: u64,
    last: u64,
    start: Start,
}

/// How far the start of a stream is explained.
#[derive(Debug, Clone, Copy)]
pub(super) struct Explained {
    to: u64,
    start: Start,
}

impl Explained {
    pub(super) const NOTHING: Self = Self { to: 0, start: Start::Unexplained };

    /// A range counts when it goes on where what was told before ends.
    pub(super) fn extend(&mut self, told: &Told<'_>) {
        if told.first <= self.to.saturating_add(1) && told.last > self.to {
            *self = Self { to: told.last, start: told.start };
        }
    }

    /// How a stream starts whose first record here is `first`.
    pub(super) fn start_at(self, first: u64) -> Start {
        match first {
            0 | 1 => Start::Whole,
            _ if self.to >= first - 1 => self.start,
            _ => Start::Unexplained,
        }
    }
}

#[derive(Deserialize)]
struct Details<'a> {
    #[serde(borrow)]
    sink: Cow<'a, str>,
    #[serde(borrow, default)]
    cause: Cow<'a, str>,
    #[serde(borrow, default)]
    reason: Cow<'a, str>,
    #[serde(borrow, default)]
    last_stream: Option<Cow<'a, str>>,
    #[serde(default)]
    first_seq: Option<u64>,
    last_seq: u64,
}

/// What a record says of records that a path of this kind doesn't hold.
#[inline]
pub(super) fn told<'a>(members: &Members<'a>, kind: PathKind) -> Option<Told<'a>> {
    members.event_type.raw.starts_with(PREFIX).then(|| read(members, kind))?
}

#[cold]
fn read<'a>(members: &Members<'a>, kind: PathKind) -> Option<Told<'a>> {
    let trimmed = members.event_type.raw == EventType::SystemAuditTrimmed.as_str();
    let gap = members.event_type.raw == EventType::SystemAuditGap.as_str();
    if members.v != VERSION || !(trimmed || gap) {
        return None;
    }
    let sink = match kind {
        PathKind::Database => "sqlite",
        _ => "file",
    };
    let Details { sink: of, cause, reason, last_stream, first_seq, last_seq: last } =
        serde_json::from_str(members.details?).ok()?;
    if of != sink {
        return None;
    }
    if trimmed {
        let start = if reason == "rotation" { Start::RotatedAway } else { Start::Removed };
        // Whatever was before what was removed is not here either: a sink goes from old to new.
        return Some(Told { stream: Some(last_stream?), first: 1, last, start });
    }
    let first = match &*cause {
        "sink_new" => 1,
        "sink_behind" => first_seq?,
        _ => return None,
    };
    Some(Told { stream: None, first, last, start: Start::BeganLater })
}
