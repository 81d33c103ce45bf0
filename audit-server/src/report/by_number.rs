//! Maps by numbers that nobody outside chooses, and a bound on how many they hold.
//!
//! A [`crate::fact::Legend`] gives numbers out in turn, and the hashes in facts are keyed. Nobody can
//! make many of them fall together, so they need no hash that withstands that: it would take longer
//! than all else that is done with a fact.
//!
//! What is met first must not decide what is kept, since facts come in no order between calls. So a
//! [`Bounded`] that would hold too much holds nothing, and tells so: whether it does depends on how
//! many keys there are, and on nothing else.

use std::{
    collections::HashMap,
    hash::{BuildHasherDefault, Hash, Hasher},
};

/// A map by numbers.
pub(crate) type ByNumber<K, V> = HashMap<K, V, BuildHasherDefault<Spread>>;

/// Spreads numbers over all bits.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct Spread(u64);

impl Hasher for Spread {
    fn write(&mut self, bytes: &[u8]) {
        bytes.iter().for_each(|byte| self.write_u64((*byte).into()));
    }

    fn write_u32(&mut self, number: u32) {
        self.write_u64(number.into());
    }

    fn write_u64(&mut self, number: u64) {
        // The golden ratio in 64 bits: what differs in few bits below differs in many above.
        let wide = u128::from(self.0 ^ number) * 0x9e37_79b9_7f4a_7c15;
        self.0 = (wide as u64) ^ ((wide >> 64) as u64);
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

/// A map with at most so many keys; of more it has none.
#[derive(Debug)]
pub(crate) struct Bounded<K, V> {
    map: Option<ByNumber<K, V>>,
    most: usize,
}

impl<K: Hash + Eq, V: Default> Bounded<K, V> {
    pub(crate) fn new(most: usize) -> Self {
        Self { map: Some(ByNumber::default()), most }
    }

    /// What stands under the key, a new one when nothing does; none when there are too many keys.
    pub(crate) fn entry(&mut self, key: K) -> Option<&mut V> {
        let full = self.map.as_ref()?.len() >= self.most;
        if full && !self.map.as_ref()?.contains_key(&key) {
            self.map = None;
        }
        Some(self.map.as_mut()?.entry(key).or_default())
    }

    /// What stands under the key.
    pub(crate) fn get_mut(&mut self, key: &K) -> Option<&mut V> {
        self.map.as_mut()?.get_mut(key)
    }

    /// All that there are; nothing when there were too many keys.
    pub(crate) fn iter_mut(&mut self) -> impl Iterator<Item = (&K, &mut V)> {
        self.map.iter_mut().flatten()
    }

    /// All; none when there were too many keys.
    pub(crate) fn into_map(self) -> Option<ByNumber<K, V>> {
        self.map
    }

    /// Whether there were too many keys.
    pub(crate) fn exceeded(&self) -> bool {
        self.map.is_none()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_map_of_too_many_keys_holds_none_in_whatever_order_they_come() {
        for keys in [[1_u32, 2, 1, 3, 1], [3, 1, 1, 1, 2]] {
            let mut enough = Bounded::<u32, u32>::new(3);
            let mut few = Bounded::<u32, u32>::new(2);
            for key in keys {
                *enough.entry(key).unwrap() += 1;
                few.entry(key).into_iter().for_each(|count| *count += 1);
            }
            assert_eq!(enough.into_map().unwrap()[&1], 3);
            assert!(few.exceeded() && few.get_mut(&1).is_none() && few.into_map().is_none());
        }
    }

    #[test]
    fn numbers_that_follow_each_other_do_not_fall_together() {
        let hash = |pair: (u32, u32)| {
            let mut hasher = Spread::default();
            pair.hash(&mut hasher);
            hasher.finish()
        };
        let hashes = (0..300).flat_map(|a| (0..300).map(move |b| hash((a, b))));
        let mut low: Vec<u64> = hashes.map(|hash| hash & 0xffff_ffff).collect();
        low.sort_unstable();
        low.dedup();
        assert!(low.len() > 89_900, "{}", low.len());
    }
}
