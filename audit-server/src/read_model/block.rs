//! Blocks: consecutive positions of a run, and which records of the trail they are.
//!
//! Those of a chunk are kept in memory in one piece, one after the other, in the order of their positions.
//! Of each there is the place of its first record in the chunk, how many records it has, how many bytes
//! follow, and these, as [`super::arrivals`] has them. A chunk has 32 blocks or some hundreds, and to walk
//! them takes less than to look one up in the database.

use rusqlite::Row;

use super::{arrivals::Arrivals, schema::RowId, varint};

/// Consecutive positions of a run, and which records of the trail they are.
#[derive(Debug)]
pub(super) struct Block {
    pub(super) first: RowId,
    pub(super) count: u64,
    pub(super) arrivals: Arrivals,
}

impl Block {
    /// Reads `first`, `count` and `arrivals`.
    pub(super) fn read(row: &Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self {
            first: RowId(row.get(0)?),
            count: row.get(1)?,
            arrivals: Arrivals::read(row.get_ref(2)?.as_blob()?),
        })
    }

    /// Whether this is the block of that row.
    pub(super) fn holds(&self, row: RowId) -> bool {
        (self.first.0..self.first.0.saturating_add_unsigned(self.count)).contains(&row.0)
    }
}

/// A block among those of its chunk.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Found<'b> {
    /// The place of its first record in the chunk.
    pub(super) first: u64,
    pub(super) count: u64,
    /// Which records of the trail they are, encoded.
    pub(super) arrivals: &'b [u8],
}

/// Adds the next block.
pub(super) fn push(out: &mut Vec<u8>, first: u64, count: u64, arrivals: &[u8]) {
    varint::push(out, first);
    varint::push(out, count);
    varint::push(out, arrivals.len() as u64);
    out.extend_from_slice(arrivals);
}

/// The block that has this place of the chunk.
pub(super) fn find(mut blocks: &[u8], place: u64) -> Option<Found<'_>> {
    loop {
        let first = varint::read(&mut blocks)?;
        let count = varint::read(&mut blocks)?;
        let length = usize::try_from(varint::read(&mut blocks)?).ok()?;
        let arrivals = blocks.split_off(..length)?;
        if place < first {
            return None;
        }
        if place - first < count {
            return Some(Found { first, count, arrivals });
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn each_place_is_in_its_block_and_others_are_in_none(
            blocks in proptest::collection::vec((0..3_u64, 1..200_u64, any::<Vec<u8>>()), 0..40))
        {
            let (mut out, mut expected, mut next) = (Vec::new(), Vec::new(), 0);
            for (gap, count, arrivals) in &blocks {
                let first = next + gap;
                push(&mut out, first, *count, arrivals);
                expected.extend((0..*gap).map(|_| None));
                let here = || Some(Found { first, count: *count, arrivals });
                expected.extend((0..*count).map(|_| here()));
                next = first + count;
            }
            expected.push(None);
            for (place, expected) in (0..).zip(expected) {
                prop_assert_eq!(find(&out, place), expected);
            }
        }

        #[test]
        fn bytes_that_are_no_blocks_are_no_panic(bytes: Vec<u8>, place: u64) {
            find(&bytes, place);
        }
    }
}
