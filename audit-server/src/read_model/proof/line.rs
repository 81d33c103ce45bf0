//! What one line says, before it is put beside others.

use audit_layer::record::{self, Hash, Record, StreamName, VERSION, checked_hash, split_hash};
use serde::Deserialize;

use super::FaultKind;

/// The greatest number that a column can hold.
const MAX_SEQ: u64 = i64::MAX.unsigned_abs();

/// What a line turned out to be.
#[derive(Debug)]
pub(super) enum Checked {
    /// A record with a place in its stream.
    Record {
        stream: Named,
        link: Link,
        /// Whether its bytes lack the hash that they state.
        changed: bool,
    },
    /// Something that has no place in any stream.
    Unplaceable { kind: FaultKind, stream: Option<Named>, seq: Option<u64> },
}

/// Which stream a record belongs to.
#[derive(Debug)]
pub(super) enum Named {
    /// One that has a number.
    Known(usize),
    /// One that had none when the line was read.
    New(Box<str>),
}

/// What ties a record to its neighbours.
#[derive(Debug, Clone, Copy)]
pub(super) struct Link {
    /// From 1 to [`MAX_SEQ`].
    pub(super) seq: u64,
    /// The hash that it states of the record before.
    pub(super) before: Hash,
    /// The hash that it states of itself.
    pub(super) hash: Hash,
}

/// Holds a line against its own hash. `known` gives the number of a stream that has one.
pub(super) fn check(
    record: Option<&Record<'_>>,
    line: &str,
    known: impl FnOnce(&str) -> Option<usize>,
) -> Checked {
    let sound = checked_hash(line.as_bytes());
    // Only what is sound is believed to be of a later version.
    let later = match (record, sound) {
        (None, Some(_)) => later_version(line),
        _ => None,
    };
    let (v, stream, seq, before) = match (record, &later) {
        (Some(record), _) => (record.v, &*record.stream, record.seq, &*record.prev_hash),
        (None, Some((v, link))) => (*v, &*link.stream, link.seq, &*link.prev_hash),
        (None, None) => {
            return Checked::Unplaceable { kind: FaultKind::NotARecord, stream: None, seq: None };
        }
    };
    let stated = sound.or_else(|| split_hash(line.as_bytes()).map(|(_, stated)| stated));
    let changed = sound.is_none();
    let stream = match known(stream) {
        Some(number) => Some(Named::Known(number)),
        // What is no name may be as long as a line.
        None => stream.parse::<StreamName>().ok().map(|name| Named::New(name.as_str().into())),
    };
    let seq = (1..=MAX_SEQ).contains(&seq).then_some(seq);
    let before = before.parse().ok().filter(|_| changed || v >= VERSION);
    match (stream, seq, before, stated) {
        (Some(stream), Some(seq), Some(before), Some(hash)) => {
            Checked::Record { stream, link: Link { seq, before, hash }, changed }
        }
        (stream, seq, _, stated) => {
            let changed = changed && stated.is_some();
            let kind = if changed { FaultKind::Changed } else { FaultKind::NotARecord };
            Checked::Unplaceable { kind, stream, seq }
        }
    }
}

/// Reads what links a record of a later version, which may not have all that a record of this one has.
fn later_version(line: &str) -> Option<(u64, record::Link<'_>)> {
    #[derive(Deserialize)]
    struct Version {
        v: u64,
    }
    let Version { v } = serde_json::from_str(line).ok()?;
    let link = record::Link::parse(line).ok().filter(|_| v > VERSION)?;
    Some((v, link))
}
