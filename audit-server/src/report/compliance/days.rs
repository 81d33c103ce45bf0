//! The days that are judged.
//!
//! Days are those of the calendar in UTC, which people look for and can ask for as a date. A window
//! begins and ends within a day; the first is taken whole, and the last is not judged, because a day
//! that is not over says nothing by what it lacks. So a window of ninety days has ninety.

use audit_layer::record::format_timestamp;

use crate::filter::TimeRange;

/// A day in microseconds.
pub(super) const DAY: i64 = 86_400_000_000;

/// The days of the window that are over, whole, oldest first.
pub(super) fn of(window: TimeRange) -> impl Iterator<Item = TimeRange> {
    let first = window.from.div_euclid(DAY);
    // The window's last microsecond may be the last of its day.
    let end = window.to.saturating_add(1).div_euclid(DAY);
    (first..end).map(|day| {
        let from = day.saturating_mul(DAY);
        TimeRange { from, to: from.saturating_add(DAY - 1) }
    })
}

/// The date of the day, as in `2026-11-21`.
pub(super) fn date(day: TimeRange) -> String {
    let mut date = format_timestamp(day.from);
    if let Some(at) = date.find('T') {
        date.truncate(at);
    }
    date
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dates(from: i64, to: i64) -> Vec<String> {
        of(TimeRange { from, to }).map(date).collect()
    }

    #[test]
    fn the_first_day_is_taken_whole_and_one_that_is_not_over_is_not_judged() {
        let noon = DAY / 2;
        assert_eq!(dates(noon + 1, 2 * DAY + noon), ["1970-01-01", "1970-01-02"]);
        assert_eq!(dates(0, 2 * DAY - 1), ["1970-01-01", "1970-01-02"]);
        assert_eq!(dates(0, 2 * DAY - 2), ["1970-01-01"]);
        assert!(dates(noon, noon + 1).is_empty());
        let first: Vec<_> = of(TimeRange { from: noon, to: DAY }).collect();
        assert_eq!(first, [TimeRange { from: 0, to: DAY - 1 }]);
    }
}
