//! Times as people and programs write them.

use time::{
    Date, OffsetDateTime, Time,
    format_description::{BorrowedFormatItem, well_known::Rfc3339},
    macros::{datetime, format_description},
};

const DAY: &[BorrowedFormatItem<'_>] = format_description!("[year]-[month]-[day]");
const REASON: &str = "it is a date such as 2026-11-21, or RFC 3339 such as 2026-11-21T19:31:14Z, of the years 0 to 9999 in UTC";

/// The first microsecond that is meant: a date means its beginning in UTC.
pub(crate) fn start(text: &str) -> Result<i64, String> {
    match day(text) {
        Some(date) => Ok(micros(date.with_time(Time::MIDNIGHT).assume_utc())),
        None => instant(text),
    }
}

/// The last microsecond that is meant: a date means the whole of its day in UTC.
pub(crate) fn end(text: &str) -> Result<i64, String> {
    match day(text) {
        Some(date) => Ok(micros(date.with_time(Time::MAX).assume_utc())),
        None => instant(text),
    }
}

fn day(text: &str) -> Option<Date> {
    Date::parse(text, DAY).ok().filter(|date| (0..=9999).contains(&date.year()))
}

fn micros(at: OffsetDateTime) -> i64 {
    // Years 0 to 9999 fit with room to spare.
    i64::try_from(at.unix_timestamp_nanos().div_euclid(1000)).unwrap_or(i64::MAX)
}

/// No offset is applied to the date itself, which at either end of time would leave it.
fn instant(text: &str) -> Result<i64, String> {
    let years = datetime!(0000-01-01 00:00 UTC)..=datetime!(9999-12-31 23:59:59.999_999_999 UTC);
    // A `+` that was not escaped in a query string arrives as a blank.
    OffsetDateTime::parse(&text.replace(' ', "+"), &Rfc3339)
        .ok()
        .filter(|at| years.contains(at))
        .map(micros)
        .ok_or_else(|| REASON.to_owned())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use audit_layer::record::parse_timestamp;

    use super::*;

    #[test]
    fn an_end_date_takes_in_its_whole_day() {
        assert_eq!(start("2026-11-21").unwrap(), parse_timestamp("2026-11-21T00:00:00Z").unwrap());
        assert_eq!(
            end("2026-11-21").unwrap(),
            parse_timestamp("2026-11-21T23:59:59.999999Z").unwrap()
        );
        let exact = "2026-11-21T10:00:00+02:00";
        assert_eq!(end(exact).unwrap(), parse_timestamp(exact).unwrap());
        assert_eq!(start("2026-11-21T10:00:00 02:00").unwrap(), parse_timestamp(exact).unwrap());
    }

    #[test]
    fn what_is_no_date_is_refused() {
        for bad in ["", "yesterday", "2026-13-01", "2026-02-30", "21.11.2026", "2026-11-21T10:00"] {
            assert!(start(bad).is_err() && end(bad).is_err(), "{bad}");
        }
    }
}
