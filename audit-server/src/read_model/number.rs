//! Numbers as the index keeps them: rounded to three bytes, in the same order.

use std::ops::Range;

use crate::filter::{Comparison, Decimal};

/// A number rounded to sixteen bits of its mantissa: [`Code`]s compare as the numbers do, but that
/// numbers which differ by less than one in 65,536 may share one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Code(u32);

impl Code {
    pub(super) const BYTES: usize = 3;

    /// The code of a text that a [`Decimal`] can be read from; none of any other.
    pub(super) fn of(text: &str) -> Option<Self> {
        // To read the decimal exactly would cost five times as much, and is done when asked.
        if Decimal::is_one(text) { text.parse().ok().map(Self::of_double) } else { None }
    }

    fn of_double(number: f64) -> Self {
        // Both conversions round monotonically; zero has one sign.
        let bits = (number as f32 + 0.0).to_bits();
        let ordered = if bits >> 31 == 1 { !bits } else { bits | 1 << 31 };
        Self(ordered >> 8)
    }

    /// A number in the order of the codes.
    pub(super) fn order(self) -> u32 {
        self.0
    }

    pub(super) fn from_order(order: u32) -> Self {
        Self(order)
    }

    pub(super) fn to_bytes(self) -> [u8; Self::BYTES] {
        let [_, a, b, c] = self.0.to_be_bytes();
        [a, b, c]
    }

    pub(super) fn from_bytes([a, b, c]: [u8; Self::BYTES]) -> Self {
        Self(u32::from_be_bytes([0, a, b, c]))
    }
}

/// Which codes a comparison asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Codes {
    comparison: Option<Comparison>,
    code: Code,
}

impl Codes {
    pub(super) fn equal(code: Code) -> Self {
        Self { comparison: None, code }
    }

    pub(super) fn compared(comparison: Comparison, code: Code) -> Self {
        Self { comparison: Some(comparison), code }
    }

    /// Which of these codes, as bytes and sorted, are asked for: those whose numbers hold, and those of
    /// which only the number itself can tell, since they share the code of the one asked for.
    pub(super) fn among(self, sorted: &[[u8; Code::BYTES]]) -> (Range<usize>, Range<usize>) {
        let code = self.code.to_bytes();
        let first = sorted.partition_point(|found| *found < code);
        let behind = sorted.partition_point(|found| *found <= code);
        let holds = match self.comparison {
            None => 0..0,
            Some(Comparison::Less | Comparison::AtMost) => 0..first,
            Some(Comparison::Greater | Comparison::AtLeast) => behind..sorted.len(),
        };
        (holds, first..behind)
    }

    /// Whether nothing between these two can hold.
    pub(super) fn excludes(self, least: Code, greatest: Code) -> bool {
        match self.comparison {
            None => self.code < least || self.code > greatest,
            Some(Comparison::Less | Comparison::AtMost) => least > self.code,
            Some(Comparison::Greater | Comparison::AtLeast) => greatest < self.code,
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    enum Verdict {
        Holds,
        MayHold,
        Fails,
    }

    fn verdict(codes: Codes, code: Code) -> Verdict {
        match codes.among(&[code.to_bytes()]) {
            (holds, may_hold) if holds.is_empty() && may_hold.is_empty() => Verdict::Fails,
            (holds, _) if holds.is_empty() => Verdict::MayHold,
            _ => Verdict::Holds,
        }
    }

    proptest! {
        #[test]
        fn codes_never_contradict_the_numbers(a in "-?[0-9]{1,20}(\\.[0-9]{1,20})?(e-?[0-9]{1,3})?",
            b in "-?[0-9]{1,3}(\\.[0-9]{1,3})?")
        {
            for (a, b) in [(&a, &b), (&b, &a), (&a, &a)] {
                let (Some(x), Some(y)) = (Decimal::read(a), Decimal::read(b)) else {
                    prop_assert!(Code::of(a).is_none() || Code::of(b).is_none());
                    continue;
                };
                let (code, asked) = (Code::of(a).unwrap(), Code::of(b).unwrap());
                prop_assert_eq!(Code::from_bytes(code.to_bytes()), code);
                for comparison in
                    [Comparison::Less, Comparison::AtMost, Comparison::Greater, Comparison::AtLeast]
                {
                    let codes = Codes::compared(comparison, asked);
                    match verdict(codes, code) {
                        Verdict::Holds => prop_assert!(comparison.holds(&x, &y)),
                        Verdict::Fails => prop_assert!(!comparison.holds(&x, &y)),
                        Verdict::MayHold => {}
                    }
                    prop_assert!(!codes.excludes(code, code) || !comparison.holds(&x, &y));
                }
                prop_assert!(x != y || matches!(verdict(Codes::equal(asked), code), Verdict::MayHold));
            }
        }
    }

    proptest! {
        #[test]
        fn among_many_codes_each_is_found_as_it_is_alone(
            numbers in proptest::collection::vec(-9..9_i8, 0..20), asked in -9..9_i8)
        {
            let code = |number: i8| Code::of(&number.to_string()).unwrap();
            let mut sorted: Vec<_> = numbers.iter().map(|n| code(*n).to_bytes()).collect();
            sorted.sort_unstable();
            for comparison in [None, Some(Comparison::Less), Some(Comparison::AtLeast)] {
                let codes = Codes { comparison, code: code(asked) };
                let (holds, may_hold) = codes.among(&sorted);
                for (at, bytes) in sorted.iter().enumerate() {
                    let (alone, may_alone) = codes.among(&[*bytes]);
                    prop_assert_eq!(holds.contains(&at), !alone.is_empty());
                    prop_assert_eq!(may_hold.contains(&at), !may_alone.is_empty());
                }
            }
        }
    }

    #[test]
    fn zero_has_one_code_and_what_is_no_number_has_none() {
        assert_eq!(Code::of("-0"), Code::of("0.000"));
        assert!(Code::of("-1") < Code::of("0") && Code::of("0") < Code::of("1e-30"));
        assert!(Code::of("1e400") > Code::of("1e39") || Code::of("1e400") == Code::of("1e39"));
        for text in ["", "abc", "NaN", "inf", "1e999", "1."] {
            assert_eq!(Code::of(text), None, "{text}");
        }
    }
}
