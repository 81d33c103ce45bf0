//! A set of the positions of one chunk.
//!
//! In memory a bitmap of fixed size, so that and, or and not are a few hundred instructions. On disk
//! the gaps between the members as LEB128, or the bitmap itself where that is shorter: one byte a
//! member for whatever one record in 128 has. Rejected: the `roaring` crate, whose containers are
//! of 65,536 positions and take two bytes a member up to one in sixteen, which is where most of
//! what is indexed here lies.

use std::borrow::Cow;

use super::varint;

/// Positions of a chunk.
pub(super) const CHUNK: usize = 32_768;

const WORDS: usize = CHUNK / 64;

/// A set of positions within a chunk.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Bits(Box<[u64; WORDS]>);

impl Bits {
    pub(super) fn empty() -> Self {
        Self(Box::new([0; WORDS]))
    }

    /// The first `count` positions.
    pub(super) fn first(count: usize) -> Self {
        let mut bits = Self::empty();
        for (at, word) in bits.0.iter_mut().enumerate() {
            *word = match count.saturating_sub(at * 64) {
                0 => 0,
                rest @ 1..64 => (1 << rest) - 1,
                _ => u64::MAX,
            };
        }
        bits
    }

    pub(super) fn set(&mut self, position: usize) {
        if let Some(word) = self.0.get_mut(position / 64) {
            *word |= 1 << (position % 64);
        }
    }

    pub(super) fn has(&self, position: usize) -> bool {
        self.0.get(position / 64).is_some_and(|word| word >> (position % 64) & 1 == 1)
    }

    pub(super) fn and(&mut self, other: &Self) {
        self.0.iter_mut().zip(&*other.0).for_each(|(a, b)| *a &= b);
    }

    pub(super) fn or(&mut self, other: &Self) {
        self.0.iter_mut().zip(&*other.0).for_each(|(a, b)| *a |= b);
    }

    pub(super) fn and_not(&mut self, other: &Self) {
        self.0.iter_mut().zip(&*other.0).for_each(|(a, b)| *a &= !b);
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.iter().all(|word| *word == 0)
    }

    pub(super) fn len(&self) -> u64 {
        self.0.iter().map(|word| u64::from(word.count_ones())).sum()
    }

    /// Whether there are fewer than that. To count all would take as long as to read them.
    fn are_fewer_than(&self, count: usize) -> bool {
        count.checked_sub(1).is_some_and(|most| self.iter().nth(most).is_none())
    }

    /// The positions, least first.
    pub(super) fn iter(&self) -> impl DoubleEndedIterator<Item = usize> + '_ {
        let words = self.0.iter().enumerate().filter(|(_, word)| **word != 0);
        words.flat_map(|(at, word)| Ones(*word).map(move |bit| at * 64 + bit))
    }

    /// Adds what was encoded. What is no encoding adds what can be read of it; whoever asks reads
    /// the records themselves afterwards.
    pub(super) fn add(&mut self, encoded: &[u8]) {
        match encoded.split_first() {
            Some((&GAPS, gaps)) => each_of(gaps, |position| self.set(position)),
            Some((&BITMAP, words)) => {
                for (word, bytes) in self.0.iter_mut().zip(words.as_chunks().0) {
                    *word |= u64::from_le_bytes(*bytes);
                }
            }
            _ => {}
        }
    }

    fn to_bitmap(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(1 + CHUNK / 8);
        out.push(BITMAP);
        self.0.iter().for_each(|word| out.extend_from_slice(&word.to_le_bytes()));
        out
    }

    /// Gives those of these that are behind the gaps, in order.
    fn meet(&self, mut gaps: &[u8], mut visit: impl FnMut(usize)) {
        let mut these = self.iter();
        let Some(mut wanted) = these.next() else { return };
        let mut next = 0_usize;
        while !gaps.is_empty() {
            if let Some((eight, rest)) = gaps.split_first_chunk::<8>() {
                let word = u64::from_le_bytes(*eight);
                // In pairs, and these added up in the highest of four.
                let pairs = (word & 0x00ff_00ff_00ff_00ff) + (word >> 8 & 0x00ff_00ff_00ff_00ff);
                let sum = (pairs.wrapping_mul(0x0001_0001_0001_0001) >> 48) as usize;
                if word & 0x8080_8080_8080_8080 == 0 {
                    gaps = rest;
                    if next + sum + 8 <= wanted {
                        next += sum + 8;
                        continue;
                    }
                    for gap in eight {
                        next += usize::from(*gap);
                        if self.has(next) {
                            visit(next);
                        }
                        next += 1;
                    }
                    while wanted < next {
                        let Some(behind) = these.next() else { return };
                        wanted = behind;
                    }
                    continue;
                }
            }
            let Some(gap) = varint::read(&mut gaps) else { return };
            let position = next.saturating_add(usize::try_from(gap).unwrap_or(usize::MAX));
            while wanted < position {
                let Some(behind) = these.next() else { return };
                wanted = behind;
            }
            if wanted == position {
                visit(position);
            }
            next = position.saturating_add(1);
        }
    }

    /// What of these was encoded, without making a set of all that was.
    pub(super) fn among(&self, encoded: &[u8]) -> Self {
        let mut found = Self::empty();
        match encoded.split_first() {
            // What few are asked for is mostly passed over, eight gaps at a time.
            Some((&GAPS, gaps)) if self.are_fewer_than(gaps.len() / 32) => {
                self.meet(gaps, |position| found.set(position));
            }
            Some((&GAPS, gaps)) => each_of(gaps, |position| {
                if self.has(position) {
                    found.set(position);
                }
            }),
            Some((&BITMAP, words)) => {
                let here = found.0.iter_mut().zip(&*self.0);
                for ((found, word), bytes) in here.zip(words.as_chunks().0) {
                    *found = word & u64::from_le_bytes(*bytes);
                }
            }
            _ => {}
        }
        found
    }
}

/// The bits of a word that are set.
struct Ones(u64);

impl Iterator for Ones {
    type Item = usize;

    fn next(&mut self) -> Option<usize> {
        let bit = self.0.trailing_zeros();
        // The word without its lowest bit; none when it has none.
        self.0 &= self.0.checked_sub(1)?;
        Some(bit as usize)
    }
}

impl DoubleEndedIterator for Ones {
    fn next_back(&mut self) -> Option<usize> {
        let bit = 63_u32.checked_sub(self.0.leading_zeros())?;
        self.0 ^= 1 << bit;
        Some(bit as usize)
    }
}

/// Gives the positions behind gaps; some of them may lie behind the chunk when it is no encoding.
fn each_of(mut gaps: &[u8], mut visit: impl FnMut(usize)) {
    let mut next = 0_usize;
    while next < CHUNK {
        // Most gaps are of one byte.
        if let Some((eight, rest)) = gaps.split_first_chunk::<8>()
            && u64::from_le_bytes(*eight) & 0x8080_8080_8080_8080 == 0
        {
            for gap in eight {
                next += usize::from(*gap);
                visit(next);
                next += 1;
            }
            gaps = rest;
        } else {
            let Some(gap) = varint::read(&mut gaps) else { break };
            next = next.saturating_add(usize::try_from(gap).unwrap_or(usize::MAX));
            visit(next);
            next = next.saturating_add(1);
        }
    }
}

const GAPS: u8 = 0;
const BITMAP: u8 = 1;

/// How many bytes an encoding has whose positions are read faster from a bitmap.
const LONG: usize = 512;

/// What was encoded, in the form that is read fastest.
pub(super) fn for_reading(encoded: &[u8]) -> Cow<'_, [u8]> {
    if encoded.len() < LONG || encoded.first() == Some(&BITMAP) {
        return Cow::Borrowed(encoded);
    }
    let mut bits = Bits::empty();
    bits.add(encoded);
    Cow::Owned(bits.to_bitmap())
}

/// Encodes positions that are in order.
pub(super) fn encode(positions: &[u16]) -> Vec<u8> {
    let mut out = vec![GAPS];
    let mut next = 0;
    for position in positions {
        varint::push(&mut out, u64::from(position - next));
        next = position + 1;
    }
    if out.len() <= CHUNK / 8 {
        return out;
    }
    let mut bits = Bits::empty();
    positions.iter().for_each(|position| bits.set(usize::from(*position)));
    bits.to_bitmap()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn set(positions: &[u16]) -> Bits {
        let mut bits = Bits::empty();
        bits.add(&encode(positions));
        bits
    }

    #[test]
    fn the_densest_sets_are_stored_as_bitmaps_and_read_back() {
        let all: Vec<u16> = (0..32_768).map(|p| p as u16).collect();
        let every_third: Vec<u16> = all.iter().copied().step_by(3).collect();
        for positions in [&all, &every_third] {
            assert_eq!(encode(positions).len(), CHUNK / 8 + 1);
            assert!(set(positions).iter().eq(positions.iter().map(|p| usize::from(*p))));
            assert!(set(positions).among(&encode(positions)) == set(positions));
        }
        assert!(set(&all) == Bits::first(CHUNK));
    }

    proptest! {
        #[test]
        fn sets_are_what_their_members_say(
            a in proptest::collection::btree_set(0..32_768_u16, 0..200),
            b in proptest::collection::btree_set(0..32_768_u16, 0..200),
            stride in 2..60_u16,
        ) {
            let list = |set: &std::collections::BTreeSet<u16>| set.iter().copied().collect::<Vec<_>>();
            let (x, y) = (set(&list(&a)), set(&list(&b)));
            let read = |bits: &Bits| bits.iter().map(|p| p as u16).collect::<Vec<_>>();
            let (mut and, mut or, mut not) = (x.clone(), x.clone(), x.clone());
            and.and(&y);
            or.or(&y);
            not.and_not(&y);
            prop_assert_eq!(read(&and), list(&(&a & &b)));
            prop_assert_eq!(read(&or), list(&(&a | &b)));
            prop_assert_eq!(read(&not), list(&(&a - &b)));
            prop_assert!(x.among(&encode(&list(&b))) == and);
            // Of few among many, which takes another way.
            let dense: Vec<u16> = (0..32_768).filter(|p| p % stride != 0 || b.contains(p)).collect();
            let few = set(&list(&a).into_iter().take(20).collect::<Vec<_>>());
            let mut both = few.clone();
            both.and(&set(&dense));
            prop_assert!(few.among(&encode(&dense)) == both);
            let thin: Vec<u16> = (0..32_768).filter(|p| p % (stride * 8) == 0 || b.contains(p)).collect();
            let mut both = few.clone();
            both.and(&set(&thin));
            prop_assert!(few.among(&encode(&thin)) == both);
            prop_assert!(few.among(&for_reading(&encode(&thin))) == both);
            let mut backwards = read(&x);
            backwards.reverse();
            prop_assert!(x.iter().rev().eq(backwards.iter().map(|p| usize::from(*p))));
            prop_assert_eq!(x.len(), a.len() as u64);
            prop_assert!(a.iter().all(|p| x.has(usize::from(*p))));
        }

        #[test]
        fn bytes_that_are_no_set_are_no_panic(bytes: Vec<u8>) {
            Bits::empty().add(&bytes);
            Bits::first(CHUNK).among(&bytes);
            set(&[3, 20_000]).among(&bytes);
        }
    }
}
