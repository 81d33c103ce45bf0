//! Lengths of buckets.

use crate::filter::TimeRange;

/// How long a bucket is. Days begin at midnight UTC, weeks on Monday.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Interval {
    Minute,
    Hour,
    Day,
    Week,
}

const SECOND: i64 = 1_000_000;

/// The epoch was a Thursday.
const MONDAY: i64 = -3 * 86_400 * SECOND;

/// How many buckets a histogram has at most when nobody says how long they are.
const FITTING: i64 = 400;

impl Interval {
    pub(crate) const WORDS: &[&str] = &["minute", "hour", "day", "week"];

    const ALL: [Self; 4] = [Self::Minute, Self::Hour, Self::Day, Self::Week];

    pub(crate) fn of_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|interval| interval.as_str() == word)
    }

    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Minute => "minute",
            Self::Hour => "hour",
            Self::Day => "day",
            Self::Week => "week",
        }
    }

    /// The shortest with which a time has not too many buckets.
    pub(super) fn fitting(range: TimeRange) -> Self {
        let fits = |interval: &Self| interval.count(range) <= FITTING;
        Self::ALL.into_iter().find(fits).unwrap_or(Self::Week)
    }

    fn length(self) -> i64 {
        SECOND
            * match self {
                Self::Minute => 60,
                Self::Hour => 3_600,
                Self::Day => 86_400,
                Self::Week => 604_800,
            }
    }

    /// When the bucket of that moment begins.
    pub(super) fn start(self, at: i64) -> i64 {
        let origin = if self == Self::Week { MONDAY } else { 0 };
        at.saturating_sub(at.saturating_sub(origin).rem_euclid(self.length()))
    }

    /// When the bucket that begins then ends, which is when the next begins.
    pub(super) fn next(self, start: i64) -> i64 {
        start.saturating_add(self.length())
    }

    /// How many buckets a time touches.
    pub(super) fn count(self, range: TimeRange) -> i64 {
        let last = i128::from(self.start(range.to));
        let between = (last - i128::from(self.start(range.from))) / i128::from(self.length());
        i64::try_from(between + 1).unwrap_or(i64::MAX)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use audit_layer::record::{format_timestamp, parse_timestamp};

    use super::*;

    #[test]
    fn buckets_begin_on_the_minute_hour_day_and_monday() {
        // A Saturday.
        let at = parse_timestamp("2026-11-21T19:31:14.261845Z").unwrap();
        let starts = Interval::ALL.map(|interval| format_timestamp(interval.start(at)));
        let expected = ["21T19:31:00", "21T19:00:00", "21T00:00:00", "16T00:00:00"];
        assert_eq!(starts, expected.map(|start| format!("2026-11-{start}.000000Z")));
        for interval in Interval::ALL {
            let start = interval.start(at);
            assert_eq!(interval.start(start), start);
            assert_eq!(interval.start(interval.next(start) - 1), start);
            assert_eq!(interval.start(start - 1), interval.start(start) - interval.length());
            assert_eq!(interval.count(TimeRange { from: start, to: interval.next(start) }), 2);
        }
    }
}
