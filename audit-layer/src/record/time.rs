//! Timestamps: UTC with microseconds, always 27 characters, so that text order is time order.

use time::{OffsetDateTime, UtcOffset, format_description::well_known::Rfc3339};

/// Appends microseconds since the Unix epoch as `2026-11-21T19:31:14.261845Z`.
///
/// Times outside the years 0 to 9999 are written as the nearest that can be.
pub fn push_timestamp(out: &mut Vec<u8>, micros: i64) {
    const FIRST: i64 = -62_167_219_200_000_000;
    const LAST: i64 = 253_402_300_799_999_999;
    let at =
        OffsetDateTime::from_unix_timestamp_nanos(i128::from(micros.clamp(FIRST, LAST)) * 1000)
            .unwrap_or(OffsetDateTime::UNIX_EPOCH);
    let (year, month, day) = at.to_calendar_date();
    push_digits::<4>(out, year.unsigned_abs());
    out.push(b'-');
    push_digits::<2>(out, u32::from(u8::from(month)));
    out.push(b'-');
    push_digits::<2>(out, u32::from(day));
    out.push(b'T');
    push_digits::<2>(out, u32::from(at.hour()));
    out.push(b':');
    push_digits::<2>(out, u32::from(at.minute()));
    out.push(b':');
    push_digits::<2>(out, u32::from(at.second()));
    out.push(b'.');
    push_digits::<6>(out, at.microsecond());
    out.push(b'Z');
}

fn push_digits<const WIDTH: usize>(out: &mut Vec<u8>, mut value: u32) {
    let mut digits = [b'0'; WIDTH];
    for digit in digits.iter_mut().rev() {
        // A remainder of ten always fits.
        *digit += (value % 10) as u8;
        value /= 10;
    }
    out.extend_from_slice(&digits);
}

/// Microseconds since the Unix epoch as the text that a record carries.
#[must_use]
pub fn format_timestamp(micros: i64) -> String {
    let mut out = Vec::with_capacity(27);
    push_timestamp(&mut out, micros);
    String::from_utf8_lossy(&out).into_owned()
}

/// Reads any RFC 3339 timestamp, whatever its offset, as microseconds since the Unix epoch.
///
/// Fractions finer than a microsecond are cut. `None` when the text is not RFC 3339, or in UTC is
/// beyond the year 9999.
#[must_use]
pub fn parse_timestamp(text: &str) -> Option<i64> {
    let at = OffsetDateTime::parse(text, &Rfc3339).ok()?.checked_to_offset(UtcOffset::UTC)?;
    i64::try_from(at.unix_timestamp_nanos().div_euclid(1000)).ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn timestamps_are_utc_with_six_digits() {
        assert_eq!(format_timestamp(0), "1970-01-01T00:00:00.000000Z");
        assert_eq!(format_timestamp(1_795_289_474_261_845), "2026-11-21T19:31:14.261845Z");
        assert_eq!(format_timestamp(-1), "1969-12-31T23:59:59.999999Z");
        assert_eq!(format_timestamp(i64::MAX), "9999-12-31T23:59:59.999999Z");
        assert_eq!(format_timestamp(i64::MIN), "0000-01-01T00:00:00.000000Z");
    }

    #[test]
    fn any_offset_is_read() {
        assert_eq!(
            parse_timestamp("2026-11-21T21:31:14.261845+02:00"),
            Some(1_795_289_474_261_845)
        );
        assert_eq!(parse_timestamp("1969-12-31T23:59:59.999999Z"), Some(-1));
        assert_eq!(parse_timestamp("2026-11-21"), None);
    }

    #[test]
    fn a_time_that_an_offset_moves_beyond_the_year_9999_is_none() {
        assert_eq!(parse_timestamp("9999-12-31T23:59:59.999999-01:00"), None);
        assert_eq!(
            parse_timestamp("9999-12-31T23:59:59.999999+01:00"),
            Some(253_402_297_199_999_999)
        );
        // Before the year 0 there is still room.
        assert!(parse_timestamp("0000-01-01T00:00:00+01:00").is_some());
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back(micros in -62_167_219_200_000_000_i64..=253_402_300_799_999_999) {
            prop_assert_eq!(parse_timestamp(&format_timestamp(micros)), Some(micros));
        }
    }
}
