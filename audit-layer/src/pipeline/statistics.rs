//! What `stats()` tells.

use std::collections::BTreeMap;

use crate::journal::{DropCause, JournalMode};

/// How the layer is doing, at one moment. Counters begin at 0 with the process.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stats {
    /// The name of the stream.
    pub stream: String,
    /// Events that are accepted and not yet records.
    pub queued: usize,
    /// How many events the queue holds at most, when there is no journal.
    pub queue_bound: usize,
    /// Events that the queue took in.
    pub accepted: u64,
    /// Events that were not recorded, by cause; causes without any are left out.
    pub dropped: BTreeMap<DropCause, u64>,
    /// The number of the last record that was made, this process's or an earlier one's.
    pub last_seq: u64,
    /// The journal; `None` without one.
    pub journal: Option<JournalStats>,
    /// Events that were to be durable before their macro returned, and were not in time.
    pub late_commits: u64,
    /// Values that were to be hashed or sealed and are recorded as `[redacted]`, for there was no key.
    pub withheld: u64,
    /// Whether every thread of the pipeline lives.
    pub worker_alive: bool,
    /// Why the pipeline is dead, if it is.
    pub poisoned: Option<String>,
    /// The sinks, in the order file, sqlite, redis, stdout.
    pub sinks: Vec<SinkStats>,
}

impl Stats {
    /// Whether nothing is wrong: no event dropped, no value withheld, no conflict, no sink failing, the journal
    /// writable, all threads alive.
    #[must_use]
    pub fn is_healthy(&self) -> bool {
        self.worker_alive
            && self.poisoned.is_none()
            && self.late_commits == 0
            && self.withheld == 0
            && self.journal.as_ref().is_none_or(|journal| journal.trouble.is_none())
            && self.dropped.is_empty()
            && self.sinks.iter().all(|sink| sink.healthy && sink.conflicts == 0)
    }
}

/// How the journal is doing.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct JournalStats {
    /// How it is written, as its file system allows.
    pub mode: JournalMode,
    /// Bytes that its files take on the disk.
    pub bytes: u64,
    /// Bytes that they may take.
    pub max_bytes: u64,
    /// Every record up to this number survives a power cut, as far as a commit has made sure.
    pub durable_seq: u64,
    /// Why no segment could be made or written to the last time, until it could.
    pub trouble: Option<String>,
}

/// How one sink is doing.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct SinkStats {
    /// `file`, `sqlite`, `redis` or `stdout`.
    pub name: &'static str,
    /// Whether the pipeline waits for it.
    pub required: bool,
    /// Records that it wrote.
    pub written: u64,
    /// The number of the last record that it has.
    pub last_seq: u64,
    /// Records that were made and that it does not have yet.
    pub lag: u64,
    /// Records that it had to skip because it fell too far behind.
    pub skipped: u64,
    /// Records that were there already with another hash.
    pub conflicts: u64,
    /// Whether the last try succeeded.
    pub healthy: bool,
    /// The last error, kept after it is over.
    pub last_error: Option<String>,
}
