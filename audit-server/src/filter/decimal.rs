//! Decimal numbers of bounded length, exact.

use std::{fmt, str::FromStr};

use bigdecimal::BigDecimal;

/// A number in decimal notation, as a JSON number or in a string: `-12`, `0.10`, `1.5e-7`.
///
/// Its text has at most [`Self::MAX_CHARS`] characters and its exponent lies within
/// ±[`Self::MAX_EXPONENT`], so that to compare or to add two costs a bounded time: `1e999999999`
/// is twelve characters and, written out, a gigabyte.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Decimal(BigDecimal);

impl Decimal {
    /// The longest text.
    pub(crate) const MAX_CHARS: usize = 64;

    /// The greatest exponent, which is beyond that of a double.
    pub(crate) const MAX_EXPONENT: u32 = 400;

    /// The number, when the text is one.
    pub(crate) fn read(text: &str) -> Option<Self> {
        if Self::is_one(text) { text.parse().ok().map(Self) } else { None }
    }

    /// Whether the text can be read as one, which costs a fraction of reading it.
    pub(crate) fn is_one(text: &str) -> bool {
        if text.len() > Self::MAX_CHARS || !is_decimal(text) {
            return false;
        }
        text.split_once(['e', 'E']).is_none_or(|(_, exponent)| {
            exponent
                .parse()
                .is_ok_and(|exponent: i32| exponent.unsigned_abs() <= Self::MAX_EXPONENT)
        })
    }
}

impl FromStr for Decimal {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Self::read(text).ok_or_else(|| {
            format!(
                "it is a number such as -12 or 0.10, of at most {} characters and an exponent \
                 within ±{}",
                Self::MAX_CHARS,
                Self::MAX_EXPONENT
            )
        })
    }
}

impl fmt::Display for Decimal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0.to_scientific_notation(), f)
    }
}

impl fmt::Debug for Decimal {
    /// `1.0` and `1` are the same number, and the same question.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0.normalized(), f)
    }
}

/// Whether the text looks like a JSON number, but that zeros may lead and a plus sign may too.
fn is_decimal(text: &str) -> bool {
    let bytes = text.strip_prefix(['-', '+']).unwrap_or(text).as_bytes();
    let digits = |bytes: &[u8]| bytes.iter().take_while(|b| b.is_ascii_digit()).count();
    let whole = digits(bytes);
    let mut rest = &bytes[whole..];
    if whole == 0 {
        return false;
    }
    if let Some(fraction) = rest.strip_prefix(b".") {
        let count = digits(fraction);
        if count == 0 {
            return false;
        }
        rest = &fraction[count..];
    }
    if let [b'e' | b'E', exponent @ ..] = rest {
        let exponent = match exponent {
            [b'-' | b'+', digits @ ..] => digits,
            digits => digits,
        };
        return !exponent.is_empty() && digits(exponent) == exponent.len();
    }
    rest.is_empty()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_compared_exactly_and_by_value() {
        let read = |text| Decimal::read(text).unwrap();
        assert!(read("0.1") < read("0.10000000000000000000000001"));
        assert!(read("9007199254740993") > read("9007199254740992"));
        assert!(read("-2") < read("-1e-3") && read("1e3") == read("1000.00"));
        assert_eq!(format!("{:?}", read("1000.00")), format!("{:?}", read("1e3")));
    }

    #[test]
    fn what_is_no_number_or_costs_too_much_is_none() {
        let long = "1".repeat(65);
        for text in [
            "",
            "-",
            "1.",
            ".5",
            "1e",
            "1e+",
            "NaN",
            "inf",
            "0x10",
            "1 000",
            "1,0",
            "1_0",
            "1e401",
            "1e-401",
            "1e99999999999",
            "١",
            &*long,
        ] {
            assert!(Decimal::read(text).is_none(), "{text}");
        }
        for text in ["0", "-0", "+1", "007", "1e400", "1E-400", "12.50"] {
            assert!(Decimal::read(text).is_some(), "{text}");
        }
    }
}
