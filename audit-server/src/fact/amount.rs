//! Decimal numbers that are added by the million.

use std::{collections::BTreeMap, fmt};

use bigdecimal::{BigDecimal, num_bigint::BigInt};

use crate::filter::Decimal;

/// A decimal number of at most 38 digits, exact: a number of units of a power of ten.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Amount {
    units: i128,
    /// How many of its digits stand behind the point.
    scale: u8,
}

impl Amount {
    /// The most digits behind the point.
    pub(crate) const MAX_SCALE: u8 = 36;

    /// The number; none when the text is none, or one with more digits.
    pub(crate) fn read(text: &str) -> Option<Self> {
        if !Decimal::is_one(text) {
            return None;
        }
        let (number, exponent) = match text.split_once(['e', 'E']) {
            Some((number, exponent)) => (number, exponent.parse::<i32>().ok()?),
            None => (text, 0),
        };
        let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
        let negative = whole.starts_with('-');
        let digits = whole.bytes().chain(fraction.bytes()).filter(u8::is_ascii_digit);
        let mut units: i128 = 0;
        for digit in digits {
            units = units.checked_mul(10)?.checked_add(i128::from(digit - b'0'))?;
        }
        let mut scale = i32::try_from(fraction.len()).ok()?.checked_sub(exponent)?;
        while scale < 0 {
            units = units.checked_mul(10)?;
            scale += 1;
        }
        let scale = u8::try_from(scale).ok().filter(|scale| *scale <= Self::MAX_SCALE)?;
        Some(Self { units: if negative { -units } else { units }, scale })
    }

    /// A number of units, so many digits behind the point.
    pub(crate) fn new(units: i128, scale: u8) -> Self {
        Self { units, scale }
    }

    pub(crate) fn units(self) -> i128 {
        self.units
    }

    pub(crate) fn scale(self) -> u8 {
        self.scale
    }

    /// The product; none when it has too many digits.
    pub(crate) fn times(self, other: Self) -> Option<Self> {
        let scale =
            self.scale.checked_add(other.scale).filter(|scale| *scale <= Self::MAX_SCALE)?;
        Some(Self { units: self.units.checked_mul(other.units)?, scale })
    }

    /// About the number, for statistics.
    pub(crate) fn to_f64(self) -> f64 {
        self.units as f64 / 10_f64.powi(self.scale.into())
    }

    fn to_big(self) -> BigDecimal {
        BigDecimal::new(BigInt::from(self.units), self.scale.into())
    }
}

impl PartialEq for Amount {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Amount {}

impl PartialOrd for Amount {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Amount {
    /// By value: 1.0 is 1.
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        if self.scale == other.scale {
            return self.units.cmp(&other.units);
        }
        let widened = |amount: &Self, to: u8| {
            let factor = 10_i128.checked_pow(u32::from(to - amount.scale))?;
            amount.units.checked_mul(factor)
        };
        let to = self.scale.max(other.scale);
        match (widened(self, to), widened(other, to)) {
            (Some(a), Some(b)) => a.cmp(&b),
            _ => self.to_big().cmp(&other.to_big()),
        }
    }
}

impl fmt::Display for Amount {
    /// Without exponent, and without zeros at the end of a fraction.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&plain(&self.to_big()))
    }
}

/// A sum of amounts, exact however many there are.
#[derive(Debug, Clone, Default)]
pub(crate) struct Sum {
    /// Units by scale. Amounts of one kind mostly have one.
    by_scale: Vec<(u8, i128)>,
    /// What did not fit.
    rest: BTreeMap<u8, BigInt>,
}

impl Sum {
    pub(crate) fn add(&mut self, amount: Amount) {
        let at = match self.by_scale.iter().position(|(scale, _)| *scale == amount.scale) {
            Some(at) => at,
            None => {
                self.by_scale.push((amount.scale, 0));
                self.by_scale.len() - 1
            }
        };
        if let Some((scale, units)) = self.by_scale.get_mut(at) {
            match units.checked_add(amount.units) {
                Some(sum) => *units = sum,
                None => *self.rest.entry(*scale).or_default() += amount.units,
            }
        }
    }

    fn to_big(&self) -> BigDecimal {
        let of = |scale: u8, units: BigInt| BigDecimal::new(units, scale.into());
        let fitting = self.by_scale.iter().map(|(scale, units)| of(*scale, BigInt::from(*units)));
        fitting.chain(self.rest.iter().map(|(scale, units)| of(*scale, units.clone()))).sum()
    }
}

impl PartialEq for Sum {
    fn eq(&self, other: &Self) -> bool {
        self.to_big() == other.to_big()
    }
}

impl Eq for Sum {}

impl PartialOrd for Sum {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Sum {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.to_big().cmp(&other.to_big())
    }
}

impl fmt::Display for Sum {
    /// Without exponent, and without zeros at the end of a fraction.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&plain(&self.to_big()))
    }
}

fn plain(number: &BigDecimal) -> String {
    let text = number.to_plain_string();
    if text.contains('.') {
        text.trim_end_matches('0').trim_end_matches('.').to_owned()
    } else {
        text
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn amounts_are_the_numbers_that_their_texts_are(
            a in "-?[0-9]{1,9}(\\.[0-9]{1,5})?(e-?[0-5])?", b in "-?[0-9]{1,9}(\\.[0-9]{1,5})?")
        {
            let (x, y) = (Amount::read(&a).unwrap(), Amount::read(&b).unwrap());
            let (p, q): (BigDecimal, BigDecimal) = (a.parse().unwrap(), b.parse().unwrap());
            prop_assert_eq!(x.to_string().parse::<BigDecimal>().unwrap(), p.clone());
            prop_assert_eq!(x.cmp(&y), p.cmp(&q));
            prop_assert_eq!(x.times(y).unwrap().to_string().parse::<BigDecimal>().unwrap(), &p * &q);
            let mut sum = Sum::default();
            [x, y, x].into_iter().for_each(|amount| sum.add(amount));
            prop_assert_eq!(sum.to_string().parse::<BigDecimal>().unwrap(), &p + &q + &p);
        }
    }

    #[test]
    fn a_sum_is_exact_beyond_the_integers_of_the_machine() {
        let most = Amount::read("99999999999999999999999999999999999999").unwrap();
        let mut sum = Sum::default();
        (0..3).for_each(|_| sum.add(most));
        sum.add(Amount::read("0.5").unwrap());
        assert_eq!(sum.to_string(), "299999999999999999999999999999999999997.5");
        assert_eq!(most.times(most), None);
    }

    #[test]
    fn what_is_no_number_or_has_too_many_digits_is_none() {
        let long = "1".repeat(40);
        for text in ["", "x", "1.", "NaN", "1e400", "1e-40", &*long] {
            assert!(Amount::read(text).is_none(), "{text}");
        }
        assert_eq!(Amount::read("-12.50").unwrap().to_string(), "-12.5");
        assert_eq!(Amount::read("1500").unwrap().to_string(), "1500");
    }
}
