//! What is wrong with a record, and where in time that belongs.

use poem_openapi::Enum;
use serde::Serialize;

use crate::filter::TimeRange;

/// What is wrong with a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Enum)]
#[oai(rename_all = "snake_case", rename = "ChainFaultKind")]
#[serde(rename_all = "snake_case")]
pub(crate) enum FaultKind {
    /// The line does not have the hash that it states.
    Changed,
    /// The line is no record, or one that cannot be followed: it is not JSON, states no hash, or lacks
    /// a stream, a number or a predecessor that could be one.
    NotARecord,
    /// Its `prev_hash` is not the hash of the record before it: one of the two was replaced.
    Unlinked,
    /// Another record with this number was there before.
    Repeated,
    /// The first record of a stream states a predecessor.
    FalseStart,
}

impl FaultKind {
    const ALL: [(Self, &str); 5] = [
        (Self::Changed, "changed"),
        (Self::NotARecord, "not_a_record"),
        (Self::Unlinked, "unlinked"),
        (Self::Repeated, "repeated"),
        (Self::FalseStart, "false_start"),
    ];

    /// The word for it, in the database and in JSON.
    pub(crate) fn name(self) -> &'static str {
        Self::ALL.iter().find(|(kind, _)| *kind == self).map_or("", |(_, name)| name)
    }

    pub(super) fn named(name: &str) -> Option<Self> {
        Self::ALL.iter().find(|(_, known)| *known == name).map(|(kind, _)| *kind)
    }
}

/// A fault as it is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Found {
    pub(super) kind: FaultKind,
    pub(super) seen: Seen,
    /// None when the line does not say.
    pub(super) stream: Option<Box<str>>,
    pub(super) seq: Option<u64>,
}

/// Where a record was met.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Seen {
    pub(super) arrival: i64,
    /// The time of its row, in microseconds since the Unix epoch.
    pub(super) at: i64,
    /// The time of the record before it, by which a fault belongs to a period as well.
    pub(super) after: Option<i64>,
}

/// What is only counted, with the first and the last time of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Tally {
    pub(super) count: u64,
    pub(super) earliest: i64,
    pub(super) latest: i64,
}

impl Default for Tally {
    fn default() -> Self {
        Self { count: 0, earliest: i64::MAX, latest: i64::MIN }
    }
}

impl Tally {
    /// Counts one more, of that time.
    pub(super) fn add(&mut self, at: i64) {
        self.add_all([Some(at), None]);
    }

    /// Counts one more, which belongs to several times.
    pub(super) fn add_all(&mut self, times: [Option<i64>; 2]) {
        self.count = self.count.saturating_add(1);
        for at in times.into_iter().flatten() {
            self.earliest = self.earliest.min(at);
            self.latest = self.latest.max(at);
        }
    }

    /// Whether one of them is in that time for certain.
    pub(super) fn is_in(&self, range: TimeRange) -> bool {
        self.count > 0 && (range.contains(self.earliest) || range.contains(self.latest))
    }

    /// Whether one of them may be.
    pub(super) fn may_be_in(&self, range: TimeRange) -> bool {
        self.count > 0 && meets(range, self.earliest, self.latest)
    }
}

/// Whether any time between these two, both included, is in the range.
pub(super) fn meets(range: TimeRange, from: i64, to: i64) -> bool {
    let both = range.and(TimeRange { from, to });
    both.from <= both.to
}
