//! Hours and days, counted so that the window is whole.

use crate::filter::TimeRange;

pub(super) const SECOND: i64 = 1_000_000;
pub(super) const HOUR: i64 = 3_600 * SECOND;
pub(super) const DAY: i64 = 24 * HOUR;

/// The hours of a week.
pub(super) const WEEK: usize = 168;

/// The most days of a window; of a longer one the last.
pub(super) const MAX_WINDOW_DAYS: i64 = 366;

/// The most days before the window that are looked at: twelve weeks.
pub(crate) const MAX_BASELINE_DAYS: i64 = 84;

/// Time in hours and days.
///
/// A day here is one of 24 hours that begin when the window does, at whatever time of day that is. So no
/// day of a window that is some days long is cut at either end, and each has what the days before it
/// have: two nights and a noon, or two noons and a night. Days of the calendar would make two stumps of
/// a window's first and last, in which everything looks like silence.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Grid {
    /// The beginning of hour 0.
    from: i64,
    /// The last moment of the window.
    to: i64,
    /// How many days lie before the window.
    pub(super) base_days: usize,
    /// How many days there are, with those of the window.
    pub(super) days: usize,
    /// How many hours there are; the last may be cut.
    pub(super) hours: usize,
    /// How many hours are whole.
    pub(super) whole_hours: usize,
}

impl Grid {
    pub(super) fn new(window: TimeRange, baseline_from: i64) -> Self {
        let length = window.to.saturating_sub(window.from).saturating_add(1);
        let length = length.clamp(1, MAX_WINDOW_DAYS * DAY);
        let window_from = window.to.saturating_sub(length - 1);
        let before = window_from.saturating_sub(baseline_from) / DAY;
        let base_days = before.clamp(0, MAX_BASELINE_DAYS);
        let count = |micros: i64| usize::try_from(micros).unwrap_or(0);
        let base = count(base_days);
        Self {
            from: window_from.saturating_sub(base_days * DAY),
            to: window.to,
            base_days: base,
            days: base + count((length + DAY - 1) / DAY),
            hours: base * 24 + count((length + HOUR - 1) / HOUR),
            whole_hours: base * 24 + count(length / HOUR),
        }
    }

    /// Whether the other is the same with an end that is not earlier.
    pub(super) fn is_extended_by(&self, other: &Self) -> bool {
        (self.from, self.base_days) == (other.from, other.base_days) && self.to <= other.to
    }

    /// How many hours lie before the window.
    pub(super) fn base_hours(&self) -> usize {
        self.base_days * 24
    }

    /// The hour, unless the time is outside.
    pub(super) fn hour(&self, at: i64) -> Option<usize> {
        if at < self.from || at > self.to {
            return None;
        }
        usize::try_from(at.saturating_sub(self.from) / HOUR).ok().filter(|hour| *hour < self.hours)
    }

    /// The seconds since hour 0 began.
    pub(super) fn second(&self, at: i64) -> u32 {
        u32::try_from(at.saturating_sub(self.from) / SECOND).unwrap_or(0)
    }

    /// The first moment of a second and the last of another, within the window's end.
    pub(super) fn span_of_seconds(&self, first: u32, last: u32) -> TimeRange {
        let at = |second: u32| self.from.saturating_add(i64::from(second) * SECOND);
        TimeRange { from: at(first), to: at(last).saturating_add(SECOND - 1).min(self.to) }
    }

    /// The time from an hour up to another, that not included.
    pub(super) fn span_of_hours(&self, from: usize, to: usize) -> TimeRange {
        let at = |hour: usize| {
            let hours = i64::try_from(hour).unwrap_or(i64::MAX);
            self.from.saturating_add(hours.saturating_mul(HOUR))
        };
        TimeRange { from: at(from), to: (at(to) - 1).min(self.to) }
    }

    /// The time from a day up to another, that not included.
    pub(super) fn span_of_days(&self, from: usize, to: usize) -> TimeRange {
        self.span_of_hours(from * 24, to * 24)
    }

    /// Which hour of the week it is, counted from the window's first: the same for all hours that lie a
    /// number of weeks apart.
    pub(super) fn hour_of_week(&self, hour: usize) -> usize {
        // The window's first hour is hour 0 of a week.
        (hour + WEEK * self.base_days - self.base_hours()) % WEEK
    }

    /// Which day of the week it is, counted from the window's first.
    pub(super) fn day_of_week(&self, day: usize) -> usize {
        (day + 6 * self.base_days) % 7
    }
}
