//! What was dropped, until the trail has been told.

use std::{
    collections::BTreeMap,
    fmt,
    sync::{
        Mutex,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
};

use crate::{diagnostics, locked};

/// Why an event was not recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum DropCause {
    /// The queue was full and the overflow policy is `drop`, or the event came from one of the
    /// layer's own threads.
    Overflow,
    /// The queue stayed full for longer than the block time-out, or the pipeline is dead.
    Failure,
    /// The event came after the guard was shut down.
    Shutdown,
    /// The event was emitted while a value was being formatted for an event that was itself
    /// emitted so, and so on, too many levels deep.
    Reentrancy,
    /// The process is the child of a fork, which has no pipeline.
    Forked,
    /// The event could not be encoded or decoded.
    Unencodable,
}

impl DropCause {
    /// Every cause.
    pub const ALL: &[Self] = &[
        Self::Overflow,
        Self::Failure,
        Self::Shutdown,
        Self::Reentrancy,
        Self::Forked,
        Self::Unencodable,
    ];

    /// The word that a `system.audit_gap` record carries.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Overflow => "overflow",
            Self::Failure => "failure",
            Self::Shutdown => "shutdown",
            Self::Reentrancy => "reentrancy",
            Self::Forked => "forked",
            Self::Unencodable => "unencodable",
        }
    }
}

impl fmt::Display for DropCause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Events of one cause that were dropped and that the trail does not tell of yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Gap {
    pub(crate) count: u64,
    /// When the first was dropped, in microseconds since the Unix epoch.
    pub(crate) first_at: i64,
    pub(crate) last_at: i64,
    /// How many events the queue had accepted by then.
    pub(crate) first_after: u64,
    pub(crate) last_after: u64,
}

/// Counts drops: for ever, for `stats()`, and since the trail was last told.
#[derive(Debug, Default)]
pub(crate) struct Gaps {
    counts: Mutex<Counts>,
    /// What the child of a fork dropped, which may not lock.
    forked: AtomicU64,
}

#[derive(Debug, Default)]
struct Counts {
    total: BTreeMap<DropCause, u64>,
    untold: BTreeMap<DropCause, Gap>,
}

impl Gaps {
    /// Counts one drop at `now`, after the queue had accepted `accepted` events. Returns whether
    /// it is the first of its cause.
    pub(crate) fn count(&self, cause: DropCause, now: i64, accepted: u64) -> bool {
        let mut counts = locked(&self.counts);
        counts
            .untold
            .entry(cause)
            .and_modify(|gap| {
                gap.count += 1;
                gap.last_at = now;
                gap.last_after = gap.last_after.max(accepted);
            })
            .or_insert(Gap {
                count: 1,
                first_at: now,
                last_at: now,
                first_after: accepted,
                last_after: accepted,
            });
        let total = counts.total.entry(cause).or_default();
        *total += 1;
        *total == 1
    }

    /// Counts one drop in the child of a fork, without a lock. The trail is not told: it is the
    /// parent's.
    pub(crate) fn count_forked(&self) {
        if self.forked.fetch_add(1, Relaxed) == 0 {
            diagnostics::warn(&format!("an event was dropped: {}", DropCause::Forked));
        }
    }

    /// How many were dropped in this child of a fork.
    pub(crate) fn forked(&self) -> u64 {
        self.forked.load(Relaxed)
    }

    /// Takes what the trail has not been told.
    pub(crate) fn take(&self) -> BTreeMap<DropCause, Gap> {
        std::mem::take(&mut locked(&self.counts).untold)
    }

    /// How many were dropped since the start, by cause.
    pub(crate) fn totals(&self) -> BTreeMap<DropCause, u64> {
        locked(&self.counts).total.clone()
    }
}
