//! Which records of the trail the positions of a block are.
//!
//! Records mostly come in the order of time, so a block is a few stretches of consecutive arrival
//! numbers: for each, how far its first lies from the end of the one before, and its length.

use super::varint;

/// Encodes arrival numbers.
pub(super) fn encode(arrivals: &[i64]) -> Vec<u8> {
    let mut out = Vec::new();
    let mut expected = 0_i64;
    let mut rest = arrivals;
    while let [first, ..] = rest {
        let length =
            rest.windows(2).take_while(|pair| pair[1] == pair[0].wrapping_add(1)).count() + 1;
        varint::push_signed(&mut out, first.wrapping_sub(expected));
        varint::push(&mut out, length as u64);
        expected = first.wrapping_add(length as i64);
        rest = &rest[length..];
    }
    out
}

/// Stretches: the first arrival, and how many follow each other.
fn stretches(mut encoded: &[u8]) -> impl Iterator<Item = (i64, u64)> {
    let mut expected = 0_i64;
    std::iter::from_fn(move || {
        let first = expected.wrapping_add(varint::read_signed(&mut encoded)?);
        let length = varint::read(&mut encoded)?;
        expected = first.wrapping_add_unsigned(length);
        Some((first, length))
    })
}

/// The arrival number at that place of the block.
pub(super) fn at(encoded: &[u8], mut place: u64) -> Option<i64> {
    for (first, length) in stretches(encoded) {
        if place < length {
            return Some(first.wrapping_add_unsigned(place));
        }
        place -= length;
    }
    None
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn each_place_has_its_arrival(arrivals in proptest::collection::vec(
            prop_oneof![0..20_i64, any::<i64>()], 0..50))
        {
            let encoded = encode(&arrivals);
            for (place, arrival) in arrivals.iter().enumerate() {
                prop_assert_eq!(at(&encoded, place as u64), Some(*arrival));
            }
            prop_assert_eq!(at(&encoded, arrivals.len() as u64), None);
        }
    }
}
