//! Money, in whole cents.

use std::fmt;

/// An amount or a price in cents. It prints as a decimal string with two digits, which is how it
/// stands in a record: a float could not hold it exactly.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Cents(pub(crate) i64);

impl Cents {
    /// Whole units of the currency.
    pub(crate) const fn units(units: i64) -> Self {
        Self(units * 100)
    }

    /// The price of `quantity` pieces.
    pub(crate) fn times(self, quantity: u32) -> Self {
        Self(self.0.saturating_mul(i64::from(quantity)))
    }

    /// The sum of both.
    pub(crate) fn plus(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }
}

impl fmt::Display for Cents {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.0 < 0 { "-" } else { "" };
        let cents = self.0.unsigned_abs();
        write!(f, "{sign}{}.{:02}", cents / 100, cents % 100)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cents_print_with_two_digits_and_a_sign_before_them() {
        let texts = [0, 5, 100, 123_456, -5, -12_345].map(|cents| Cents(cents).to_string());
        assert_eq!(texts, ["0.00", "0.05", "1.00", "1234.56", "-0.05", "-123.45"]);
        assert_eq!(Cents(i64::MIN).to_string(), "-92233720368547758.08");
    }

    #[test]
    fn a_price_times_a_quantity_is_exact() {
        assert_eq!(Cents(1_010).times(3).plus(Cents(7)).to_string(), "30.37");
    }
}
