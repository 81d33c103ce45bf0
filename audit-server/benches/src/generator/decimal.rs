//! Money and quantities, exact.

use std::fmt;

/// `units` of a ten-to-the-`places`th.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Decimal {
    units: i128,
    places: u32,
}

/// How many decimal places a sum in [`super::Expected`] has: those of the finest product.
pub const SUM_PLACES: u32 = 8;

impl Decimal {
    /// A number of at most four places, so that no product has more than [`SUM_PLACES`].
    pub(crate) const fn new(units: i128, places: u32) -> Self {
        assert!(places <= SUM_PLACES / 2);
        Self { units, places }
    }

    pub(crate) const fn times(self, other: Self) -> Self {
        Self { units: self.units * other.units, places: self.places + other.places }
    }

    /// The number in units of [`SUM_PLACES`] decimal places.
    #[must_use]
    pub const fn scaled(self) -> i128 {
        self.units * 10_i128.pow(SUM_PLACES - self.places)
    }
}

/// At least two decimal places where there is any, and no zeros behind those.
impl fmt::Display for Decimal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (mut units, mut places) = (self.units, self.places);
        while places > 2 && units % 10 == 0 {
            (units, places) = (units / 10, places - 1);
        }
        let one = 10_i128.pow(places);
        let (whole, rest) = (units / one, (units % one).unsigned_abs());
        if units < 0 && whole == 0 {
            f.write_str("-")?;
        }
        match places {
            0 => write!(f, "{whole}"),
            _ => write!(f, "{whole}.{rest:0width$}", width = places as usize),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_product_is_exact_and_keeps_two_places() {
        let product = Decimal::new(125_000, 4).times(Decimal::new(1_020, 2));
        assert_eq!(product.to_string(), "127.50");
        assert_eq!(product.scaled(), 12_750_000_000);
        assert_eq!(Decimal::new(-5, 2).to_string(), "-0.05");
        assert_eq!(Decimal::new(40, 0).to_string(), "40");
    }
}
