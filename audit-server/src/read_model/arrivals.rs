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

/// The stretches of a block.
///
/// A page asks for a hundred places of one block: to walk its stretches for each, of which there may
/// be thousands, took a sixth of the page's time.
#[derive(Debug)]
pub(super) struct Arrivals(Vec<Stretch>);

#[derive(Debug, Clone, Copy)]
struct Stretch {
    /// The place in the block behind its last.
    end: u64,
    /// The arrival number that place would have.
    arrival: i64,
}

impl Arrivals {
    /// Reads what was encoded, as far as it is an encoding.
    pub(super) fn read(mut encoded: &[u8]) -> Self {
        // Two bytes for a stretch, mostly.
        let mut stretches = Vec::with_capacity(encoded.len() / 2);
        let (mut arrival, mut end) = (0_i64, 0_u64);
        while let Some(gap) = varint::read_signed(&mut encoded)
            && let Some(length) = varint::read(&mut encoded)
        {
            arrival = arrival.wrapping_add(gap).wrapping_add_unsigned(length);
            end = end.saturating_add(length);
            stretches.push(Stretch { end, arrival });
        }
        Self(stretches)
    }

    /// The arrival number at that place of the block.
    pub(super) fn at(&self, place: u64) -> Option<i64> {
        let behind = self.0.partition_point(|stretch| stretch.end <= place);
        let Stretch { end, arrival } = self.0.get(behind)?;
        Some(arrival.wrapping_sub_unsigned(end - place))
    }
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
            let read = Arrivals::read(&encode(&arrivals));
            for (place, arrival) in arrivals.iter().enumerate() {
                prop_assert_eq!(read.at(place as u64), Some(*arrival));
            }
            prop_assert_eq!(read.at(arrivals.len() as u64), None);
        }

        #[test]
        fn bytes_that_are_no_encoding_are_no_panic(bytes: Vec<u8>, place: u64) {
            Arrivals::read(&bytes).at(place);
        }
    }
}
