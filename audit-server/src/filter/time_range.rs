//! A stretch of time.

/// Inclusive bounds of `timestamp` in microseconds since the Unix epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct TimeRange {
    /// The earliest.
    pub(crate) from: i64,
    /// The latest.
    pub(crate) to: i64,
}

impl TimeRange {
    /// All of time.
    pub(crate) const ALL: Self = Self { from: i64::MIN, to: i64::MAX };

    /// Whether the time is inside.
    #[must_use]
    pub(crate) fn contains(self, timestamp: i64) -> bool {
        (self.from..=self.to).contains(&timestamp)
    }

    /// What is in both.
    #[must_use]
    pub(crate) fn and(self, other: Self) -> Self {
        Self { from: self.from.max(other.from), to: self.to.min(other.to) }
    }
}
