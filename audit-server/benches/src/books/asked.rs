//! The time of the books, and paths that ask about it.

use audit_layer::record::format_timestamp;

use crate::generator::Expected;

pub(super) const HOUR: i64 = 3_600_000_000;
pub(super) const DAY: i64 = 24 * HOUR;

/// The most days that a report may be about.
const MOST_DAYS: i64 = 366;

/// Whole hours that have all records of the books, in microseconds since the Unix epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    /// The first moment.
    pub from: i64,
    /// The last moment.
    pub to: i64,
}

impl Span {
    /// That of the books.
    ///
    /// # Errors
    /// When they are empty, or of more days than a report.
    pub fn of(expected: &Expected) -> Result<Self, &'static str> {
        let (first, last) = expected
            .by_hour
            .keys()
            .next()
            .zip(expected.by_hour.keys().next_back())
            .ok_or("there is nothing in the books")?;
        let span = Self { from: first * HOUR, to: (last + 1) * HOUR - 1 };
        if span.days() > MOST_DAYS {
            return Err("the books are of more days than a report may be");
        }
        Ok(span)
    }

    /// How many days a report must be about to have all of it.
    #[must_use]
    pub fn days(self) -> i64 {
        (self.to + 1 - self.from + DAY - 1) / DAY
    }

    /// Asks a report about all of it.
    pub(super) fn report(self, path: &str, more: &[(&str, &str)]) -> String {
        report(path, self.days(), self.to, more)
    }

    /// Asks for figures about all of it.
    pub(super) fn stats(self, more: &[(&str, &str)]) -> String {
        let mut query = form_urlencoded::Serializer::new(String::from("/audit/stats?"));
        query.append_pair("start_date", &format_timestamp(self.from));
        query.append_pair("end_date", &format_timestamp(self.to));
        query.extend_pairs(more).finish()
    }
}

/// Asks a report about so many days up to that moment, in microseconds since the Unix epoch.
pub(super) fn report(path: &str, days: i64, to: i64, more: &[(&str, &str)]) -> String {
    let mut query = form_urlencoded::Serializer::new(format!("{path}?"));
    let name = if path.ends_with("anomalies") { "lookback_days" } else { "days" };
    query.append_pair(name, &days.to_string());
    query.append_pair("end_date", &format_timestamp(to));
    query.extend_pairs(more).finish()
}
