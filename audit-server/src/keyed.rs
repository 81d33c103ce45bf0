//! Maps whose keys come from the trail, looked into several times for each record.
//!
//! What the standard library hashes with takes four times as long for words of ten bytes, and was a
//! tenth of taking a record in. Who writes the trail must not be able to choose keys that share one
//! place of a map: so both the beginning and the factor of the hash are secrets of the process. All
//! maps that are made of this are bounded, and their hashes are told to nobody.

use std::{
    collections::{HashMap, HashSet},
    hash::{BuildHasher, Hasher, RandomState},
    sync::LazyLock,
};

pub(crate) type KeyedMap<K, V> = HashMap<K, V, Keyed>;
pub(crate) type KeyedSet<K> = HashSet<K, Keyed>;

/// Hashes by multiplying into 128 bits and folding these.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Keyed {
    start: u64,
    factor: u64,
}

impl Default for Keyed {
    fn default() -> Self {
        static OF_PROCESS: LazyLock<Keyed> = LazyLock::new(|| {
            let secret = RandomState::new();
            Keyed { start: secret.hash_one(0), factor: secret.hash_one(1) | 1 }
        });
        *OF_PROCESS
    }
}

impl BuildHasher for Keyed {
    type Hasher = Folding;

    fn build_hasher(&self) -> Folding {
        Folding { state: self.start, factor: self.factor }
    }
}

#[derive(Debug)]
pub(crate) struct Folding {
    state: u64,
    factor: u64,
}

fn fold(a: u64, b: u64) -> u64 {
    let product = u128::from(a) * u128::from(b);
    product as u64 ^ (product >> 64) as u64
}

impl Hasher for Folding {
    fn write(&mut self, bytes: &[u8]) {
        let (words, rest) = bytes.as_chunks();
        for word in words {
            self.write_u64(u64::from_le_bytes(*word));
        }
        // Seven bytes at most, and how many: else a zero more would be no difference.
        let last = rest.iter().rev().fold(rest.len() as u64, |last, b| last << 8 | u64::from(*b));
        self.write_u64(last);
    }

    fn write_u8(&mut self, number: u8) {
        self.write_u64(number.into());
    }

    fn write_u32(&mut self, number: u32) {
        self.write_u64(number.into());
    }

    fn write_u64(&mut self, number: u64) {
        self.state = fold(self.state ^ number, self.factor);
    }

    fn finish(&self) -> u64 {
        // The last factor alone would leave the low bits to the low bits of the last number.
        fold(self.state, self.factor.rotate_left(32) | 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_that_differ_in_little_differ_in_their_hashes() {
        let keyed = Keyed::default();
        let texts = (0..20_usize).flat_map(|length| {
            let zeros = "\0".repeat(length);
            [zeros.clone(), format!("{zeros}a"), format!("a{zeros}"), format!("{zeros}a{zeros}")]
        });
        let texts: std::collections::BTreeSet<String> = texts.collect();
        let hashes: std::collections::BTreeSet<u64> =
            texts.iter().map(|text| keyed.hash_one(text)).collect();
        assert_eq!(hashes.len(), texts.len());
        // Each half of the places that a map has is taken by about half of them.
        let numbers = (0..4_096_u32).map(|number| keyed.hash_one(number));
        for bit in 0..64 {
            let set = numbers.clone().filter(|hash| hash >> bit & 1 == 1).count();
            assert!((1_500..2_600).contains(&set), "bit {bit}: {set}");
        }
    }
}
