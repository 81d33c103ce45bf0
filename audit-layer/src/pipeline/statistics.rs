//! What `stats()` tells.

use std::collections::BTreeMap;

use crate::journal::DropCause;

/// How the layer is doing, at one moment. Counters begin at 0 with the process.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stats {
    /// The name of the stream.
    pub stream: String,
    /// Events in the queue.
    pub queued: usize,
    /// How many events the queue holds at most.
    pub queue_bound: usize,
    /// Events that the queue took in.
    pub accepted: u64,
    /// Events that were not recorded, by cause; causes without any are left out.
    pub dropped: BTreeMap<DropCause, u64>,
    /// The number of the last record that was made, this process's or an earlier one's.
    pub last_seq: u64,
    /// Whether every thread of the pipeline lives.
    pub worker_alive: bool,
    /// Why the pipeline is dead, if it is.
    pub poisoned: Option<String>,
    /// The sinks, in the order file, sqlite, redis, stdout.
    pub sinks: Vec<SinkStats>,
}

impl Stats {
    /// Whether nothing is wrong: no event dropped, no conflict, no sink failing, all threads alive.
    #[must_use]
    pub fn is_healthy(&self) -> bool {
        self.worker_alive
            && self.dropped.is_empty()
            && self.sinks.iter().all(|sink| sink.healthy && sink.conflicts == 0)
    }
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
