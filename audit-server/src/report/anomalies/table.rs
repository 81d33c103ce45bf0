//! A table of values under numbers, for some ten million look-ups in a blink.

/// Values under keys that are not 0, in one array: open addressing, with a multiplicative hash.
///
/// The keys are pairs of numbers that were given in the order of appearance, so nobody can choose ones
/// that collide, and the hash of the standard library, which is there for those who can, would take
/// more time than all the rest of the counting.
#[derive(Debug, Clone)]
pub(super) struct Table<V> {
    slots: Vec<(u64, V)>,
    shift: u32,
    len: usize,
    most: usize,
    /// Whether there was no room for a key.
    pub(super) full: bool,
}

impl<V: Copy + Default> Table<V> {
    /// An empty table that takes at most so many keys.
    pub(super) fn new(most: usize) -> Self {
        Self { slots: vec![(0, V::default()); 1024], shift: 64 - 10, len: 0, most, full: false }
    }

    /// The value under a key, the default at first; none when there is no room for another key.
    #[inline]
    pub(super) fn entry(&mut self, key: u64) -> Option<&mut V> {
        if self.len * 3 > self.slots.len() * 2 {
            self.grow();
        }
        let mask = self.slots.len() - 1;
        let mut place = self.place(key);
        loop {
            let known = self.slots.get(place)?.0;
            if known == key {
                break;
            }
            if known == 0 {
                if self.len >= self.most {
                    self.full = true;
                    return None;
                }
                self.len += 1;
                break;
            }
            place = (place + 1) & mask;
        }
        let (known, value) = self.slots.get_mut(place)?;
        *known = key;
        Some(value)
    }

    /// The value under a key, when there is one.
    pub(super) fn get(&self, key: u64) -> Option<V> {
        let mask = self.slots.len() - 1;
        let mut place = self.place(key);
        loop {
            let (known, value) = *self.slots.get(place)?;
            match known {
                0 => return None,
                known if known == key => return Some(value),
                _ => place = (place + 1) & mask,
            }
        }
    }

    /// All of them, in no order.
    pub(super) fn iter(&self) -> impl Iterator<Item = (u64, V)> {
        self.slots.iter().copied().filter(|(key, _)| *key != 0)
    }

    #[inline]
    fn place(&self, key: u64) -> usize {
        // Of pairs of small numbers one product is a lattice: whole rows of pairs would share a place.
        let mixed = (key ^ (key >> 29)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        ((mixed ^ (mixed >> 32)).wrapping_mul(0xf39c_c060_5ced_c835) >> self.shift) as usize
    }

    #[cold]
    fn grow(&mut self) {
        let larger = vec![(0, V::default()); self.slots.len() * 2];
        let old = std::mem::replace(&mut self.slots, larger);
        self.shift -= 1;
        let mask = self.slots.len() - 1;
        for (key, value) in old.into_iter().filter(|(key, _)| *key != 0) {
            let mut place = self.place(key);
            while self.slots.get(place).is_some_and(|(known, _)| *known != 0) {
                place = (place + 1) & mask;
            }
            if let Some(slot) = self.slots.get_mut(place) {
                *slot = (key, value);
            }
        }
    }
}

/// Values under pairs of a number and a small number. What belongs to one number lies together, and in
/// no more of the processor's cache than it must.
///
/// Small numbers are given in the order of appearance, so those that are not small are rare; they stand in a
/// [`Table`].
#[derive(Debug, Clone)]
pub(super) struct Rows<V> {
    /// How many small numbers there is room for, from 0.
    width: usize,
    cells: Vec<V>,
    rest: Table<V>,
}

/// From which number on one is not small.
const MAX_WIDTH: usize = 64;

impl<V: Copy + Default + PartialEq> Rows<V> {
    /// An empty one that takes at most so many pairs with numbers that are not small.
    pub(super) fn new(most: usize) -> Self {
        Self { width: 16, cells: Vec::new(), rest: Table::new(most) }
    }

    /// The value of a pair, the default at first; none when there is no room for another.
    #[inline]
    pub(super) fn entry(&mut self, row: u32, column: u32) -> Option<&mut V> {
        let at = column as usize;
        if at >= self.width {
            if at >= MAX_WIDTH {
                return self.rest.entry(pair(row, column));
            }
            self.widen(at);
        }
        let place = row as usize * self.width + at;
        if place >= self.cells.len() {
            self.lengthen(place);
        }
        self.cells.get_mut(place)
    }

    /// Whether there was no room for a pair.
    pub(super) fn full(&self) -> bool {
        self.rest.full
    }

    /// All pairs of numbers that are not 0 and a value that is not the default, in no order.
    pub(super) fn iter(&self) -> impl Iterator<Item = ((u32, u32), V)> {
        let width = self.width;
        let cells = self.cells.iter().enumerate().filter(|(_, value)| **value != V::default());
        cells
            .map(move |(at, value)| (((at / width) as u32, (at % width) as u32), *value))
            .chain(self.rest.iter().map(|(key, value)| (of_pair(key), value)))
            .filter(|((row, column), _)| *row != 0 && *column != 0)
    }

    #[cold]
    fn widen(&mut self, at: usize) {
        let width = (at + 1).next_power_of_two();
        let mut cells = Vec::with_capacity(self.cells.len() / self.width * width);
        for row in self.cells.chunks(self.width) {
            let end = (cells.len() / width + 1) * width;
            cells.extend_from_slice(row);
            cells.resize(end, V::default());
        }
        (self.width, self.cells) = (width, cells);
    }

    #[cold]
    fn lengthen(&mut self, place: usize) {
        // In steps, for others follow; and whole rows.
        let rows = (place / self.width + 1).next_multiple_of(256);
        self.cells.resize(rows * self.width, V::default());
    }
}

/// A key of two numbers, the first not 0.
#[inline]
pub(super) fn pair(first: u32, second: u32) -> u64 {
    (u64::from(first) << 32) | u64::from(second)
}

/// The numbers of a [`pair`].
pub(super) fn of_pair(key: u64) -> (u32, u32) {
    ((key >> 32) as u32, key as u32)
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_table_is_a_map(keys in prop::collection::vec((1_u32..60, 0_u32..60), 0..3000)) {
            let (mut table, mut map) = (Table::<u32>::new(10_000), HashMap::<u64, u32>::new());
            for (first, second) in keys {
                let key = pair(first, second);
                *table.entry(key).unwrap() += 1;
                *map.entry(key).or_default() += 1;
            }
            prop_assert_eq!(table.iter().collect::<HashMap<_, _>>(), map.clone());
            prop_assert_eq!(table.get(pair(1, 1)), map.get(&pair(1, 1)).copied());
            prop_assert_eq!(table.get(pair(61, 1)), None);
        }
    }

    proptest! {
        #[test]
        fn rows_are_a_map(keys in prop::collection::vec((0_u32..600, 0_u32..90), 0..2000)) {
            let (mut rows, mut map) = (Rows::<u32>::new(10_000), HashMap::new());
            for (row, column) in keys {
                *rows.entry(row, column).unwrap() += 1;
                if row != 0 && column != 0 {
                    *map.entry((row, column)).or_default() += 1;
                }
            }
            prop_assert_eq!(rows.iter().collect::<HashMap<_, u32>>(), map);
        }
    }

    #[test]
    fn a_table_that_is_full_says_so_and_keeps_what_it_has() {
        let mut table = Table::<u32>::new(2000);
        for key in 1..=2000 {
            *table.entry(key).unwrap() = 1;
        }
        assert!(!table.full);
        assert_eq!(table.entry(2001), None);
        *table.entry(7).unwrap() += 1;
        assert!(table.full);
        assert_eq!((table.get(7), table.iter().count()), (Some(2), 2000));
    }
}
