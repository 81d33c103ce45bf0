//! A window, hour by hour.

use audit_layer::record::format_timestamp;

use super::{Hour, MOST_HOURS};
use crate::filter::TimeRange;

/// An hour in microseconds.
const HOUR: i64 = 3_600_000_000;

#[derive(Debug, Default, Clone, Copy)]
pub(super) struct Counts {
    pub(super) records: u64,
    pub(super) failed_logins: u64,
    pub(super) security_events: u64,
}

/// Counts for each hour of a window, also for those that nothing happened in.
#[derive(Debug)]
pub(super) struct Hours {
    /// The first hour, counted from the Unix epoch.
    first: i64,
    counts: Vec<Counts>,
    /// How many hours the window has.
    total: u64,
    /// When the hour of the last fact begins, and where it is in the list.
    current: (i64, usize),
}

impl Hours {
    /// Of a window that has more hours than [`MOST_HOURS`], the last.
    pub(super) fn new(range: TimeRange) -> Self {
        let (first, last) = (range.from.div_euclid(HOUR), range.to.div_euclid(HOUR));
        let total = u64::try_from(i128::from(last) - i128::from(first) + 1).unwrap_or_default();
        let shown = usize::try_from(total).unwrap_or(usize::MAX).min(MOST_HOURS);
        let first = last.saturating_sub(shown as i64 - 1);
        Self {
            first,
            counts: vec![Counts::default(); shown],
            total,
            current: (i64::MIN, usize::MAX),
        }
    }

    /// The hour of that time; none when it is not in the list.
    pub(super) fn at(&mut self, at: i64) -> Option<&mut Counts> {
        // Facts follow each other in time, so most are in the hour of the one before.
        let (begin, _) = self.current;
        if !(0..HOUR).contains(&at.saturating_sub(begin)) {
            let hour = at.div_euclid(HOUR);
            let place = usize::try_from(hour - self.first).unwrap_or(usize::MAX);
            self.current = (hour.saturating_mul(HOUR), place);
        }
        self.counts.get_mut(self.current.1)
    }

    /// The hours, earliest first, and how many more the window had before them.
    pub(super) fn finish(self) -> (Vec<Hour>, u64) {
        let left_out = self.total - self.counts.len() as u64;
        let hours = (self.first..).zip(self.counts).map(|(hour, counts)| Hour {
            hour: format_timestamp(hour.saturating_mul(HOUR)),
            records: counts.records,
            failed_logins: counts.failed_logins,
            security_events: counts.security_events,
        });
        (hours.collect(), left_out)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_has_each_hour_that_it_touches() {
        let of = |from, to| Hours::new(TimeRange { from, to }).finish();
        assert_eq!(of(0, HOUR - 1).0.len(), 1);
        assert_eq!(of(HOUR - 1, HOUR).0.len(), 2);
        assert_eq!(of(-1, 0).0[0].hour, "1969-12-31T23:00:00.000000Z");
        assert_eq!(of(1, 0).0.len(), 1);
        assert_eq!(of(HOUR, -HOUR).0.len(), 0);
        // A year of 366 days from any moment to just before the same one.
        let year = of(1, 366 * 24 * HOUR);
        assert_eq!((year.0.len(), year.1), (MOST_HOURS, 0));
    }

    #[test]
    fn of_too_many_hours_the_last_are_shown_and_the_others_counted() {
        let (hours, left_out) = Hours::new(TimeRange { from: 0, to: 10_000 * HOUR }).finish();
        assert_eq!((hours.len(), left_out), (MOST_HOURS, 10_001 - MOST_HOURS as u64));
        let mut all = Hours::new(TimeRange::ALL);
        assert!(all.at(0).is_none() && all.at(i64::MIN).is_none() && all.at(i64::MAX).is_some());
    }
}
