//! The greatest of many, kept while they come.

use std::cmp::Reverse;

use crate::fact::Origin;

/// One of them.
#[derive(Debug, Clone, Copy)]
pub(super) struct Kept<K, V> {
    pub(super) key: K,
    pub(super) origin: Origin,
    pub(super) value: V,
}

impl<K: Ord + Copy, V> Kept<K, V> {
    /// Greatest first; of equals the one that the trail has first. No two are equal, so which are kept
    /// does not depend on the order in which they come.
    fn order(&self) -> (Reverse<K>, Origin) {
        (Reverse(self.key), self.origin)
    }
}

/// The `MOST` with the greatest keys.
#[derive(Debug)]
pub(super) struct Greatest<K, V, const MOST: usize> {
    kept: Vec<Kept<K, V>>,
    /// What comes after this is not among them.
    last: Option<(Reverse<K>, Origin)>,
    total: u64,
}

impl<K, V, const MOST: usize> Default for Greatest<K, V, MOST> {
    fn default() -> Self {
        Self { kept: Vec::new(), last: None, total: 0 }
    }
}

impl<K: Ord + Copy, V, const MOST: usize> Greatest<K, V, MOST> {
    pub(super) fn push(&mut self, key: K, origin: Origin, value: V) {
        self.total += 1;
        let one = Kept { key, origin, value };
        if self.last.is_some_and(|last| one.order() > last) {
            return;
        }
        self.kept.push(one);
        if self.kept.len() >= 2 * MOST {
            self.cut();
        }
    }

    fn cut(&mut self) {
        if self.kept.len() > MOST && MOST > 0 {
            let (_, last, _) = self.kept.select_nth_unstable_by_key(MOST - 1, Kept::order);
            self.last = Some(last.order());
            self.kept.truncate(MOST);
        }
    }

    /// Those that were kept, in no order, and how many there were in all.
    pub(super) fn finish(mut self) -> (Vec<Kept<K, V>>, u64) {
        self.cut();
        (self.kept, self.total)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn the_greatest_are_kept_in_whatever_order_they_come(
            keys in prop::collection::vec(0_u8..6, 0..40), turn in 0_usize..40)
        {
            let mut all: Vec<(u8, i64)> = keys.into_iter().zip(0..).collect();
            let total = all.len() as u64;
            let mut greatest = Greatest::<u8, (), 4>::default();
            let turn = turn % all.len().max(1);
            for (key, origin) in all.iter().cycle().skip(turn).take(all.len()) {
                greatest.push(*key, Origin::Row(*origin), ());
            }
            all.sort_by_key(|(key, origin)| (Reverse(*key), *origin));
            all.truncate(4);
            let (mut kept, count) = greatest.finish();
            kept.sort_by_key(Kept::order);
            let kept: Vec<_> = kept.iter().map(|one| (one.key, one.origin)).collect();
            let expected: Vec<_> =
                all.into_iter().map(|(key, origin)| (key, Origin::Row(origin))).collect();
            prop_assert_eq!((kept, count), (expected, total));
        }
    }
}
