//! The verdict as it is told.

use poem_openapi::{Enum, Object};
use serde::Serialize;

use super::FaultKind;

/// Whether the chain of every stream is whole in a period, as far as records were checked when they
/// arrived. A record that was changed after it had arrived is not found by this, but by
/// `audit-server verify`, and by the server's alarm when it was the last of its stream.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Object)]
#[oai(rename = "ChainVerdict")]
pub(crate) struct Verdict {
    /// Whether it is whole.
    pub(crate) chain: ChainState,
    /// The arrival number up to which every record was checked; what arrived later is not part of
    /// this. 0 when none was.
    pub(crate) checked_to: i64,
    /// How many records were checked, of all times.
    pub(crate) checked: u64,
    /// The streams that reach into the period, 100 at most; those with something wrong are the first.
    pub(crate) streams: Vec<CheckedStream>,
    /// How many streams reach into it.
    pub(crate) stream_count: u64,
    /// Records that are missing between others, 100 at most, in the order of streams and numbers.
    pub(crate) gaps: Vec<Gap>,
    /// How many gaps there are.
    pub(crate) gap_count: u64,
    /// Streams that begin above number 1, where the period reaches back before their first record, 100
    /// at most. Records that were archived or removed explain that, so that it does not make the chain
    /// `broken`.
    pub(crate) late_starts: Vec<LateStart>,
    /// How many such streams there are.
    pub(crate) late_start_count: u64,
    /// What is wrong with records of the period, 100 at most, in the order of arrival. A fault belongs
    /// to it by the time of the record, or by `after`.
    pub(crate) faults: Vec<Fault>,
    /// How many faults there are, as far as faults are kept.
    pub(crate) fault_count: u64,
    /// How many faults are kept that do not belong to the period.
    pub(crate) faults_elsewhere: u64,
    /// Faults of all times that came when 10000 were kept already: these are counted and no more.
    pub(crate) faults_beyond: u64,
    /// Records of all times that could not be put beside others, since the chains were in 10000 pieces
    /// already. Some of what is a gap here may be among them.
    pub(crate) unfollowed: u64,
}

/// Whether the chain is whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Enum)]
#[oai(rename_all = "snake_case", rename = "ChainState")]
#[serde(rename_all = "snake_case")]
pub(crate) enum ChainState {
    /// Every record that was checked had the hash that it states, and none is missing between others.
    Intact,
    /// There is a fault or a gap.
    Broken,
    /// Too much was wrong for all of it to be kept: nothing is known to be wrong in this period, and
    /// something may be.
    Unknown,
}

/// What is known of a stream.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Object)]
#[oai(rename = "CheckedStream")]
pub(crate) struct CheckedStream {
    /// Its name.
    pub(crate) stream: String,
    /// The least sequence number that was checked, whenever that was.
    pub(crate) first_seq: u64,
    /// The greatest.
    pub(crate) last_seq: u64,
    /// How many of its numbers were checked.
    pub(crate) records: u64,
    /// How many gaps it has in the period.
    pub(crate) gaps: u64,
    /// How many faults of the period name it.
    pub(crate) faults: u64,
}

/// Records that are missing between two others.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Object)]
#[oai(rename = "ChainGap")]
pub(crate) struct Gap {
    /// Their stream.
    pub(crate) stream: String,
    /// The first number that is missing.
    pub(crate) first_seq: u64,
    /// The last.
    pub(crate) last_seq: u64,
    /// The time of the record before them, UTC.
    pub(crate) from: String,
    /// The time of the record after them, UTC.
    pub(crate) to: String,
    /// The arrival number of the record after them.
    pub(crate) arrival: i64,
}

/// A stream that begins above number 1.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Object)]
#[oai(rename = "LateStart")]
pub(crate) struct LateStart {
    /// Its name.
    pub(crate) stream: String,
    /// The least sequence number that was checked.
    pub(crate) starts_at: u64,
    /// The time of that record, UTC.
    pub(crate) at: String,
}

/// Something that is wrong with a record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Object)]
#[oai(rename = "ChainFault")]
pub(crate) struct Fault {
    /// What is wrong.
    pub(crate) kind: FaultKind,
    /// The stream that the record states, when it states one.
    pub(crate) stream: Option<String>,
    /// The sequence number that it states, when it states one.
    pub(crate) seq: Option<u64>,
    /// The arrival number of its row in the trail.
    pub(crate) arrival: i64,
    /// The time of its row, UTC. A record that was changed may have any.
    pub(crate) timestamp: String,
    /// The time of a record before it, UTC: of the one in its stream when the two do not fit, else of the
    /// last sound one that had arrived.
    pub(crate) after: Option<String>,
}
