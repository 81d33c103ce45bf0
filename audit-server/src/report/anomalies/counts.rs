//! Counters: by hour, by day, by both and a number.

use super::table::{Table, of_pair, pair};

/// How often each of many things was met in each of some periods (days or hours): a row of bytes a
/// period.
///
/// Facts come in the order of time, so all counting for a while goes to one row, and that is in the
/// processor's cache. Few things are met more than 254 times in a day; what is beyond stands elsewhere.
#[derive(Debug, Clone)]
pub(super) struct Periods {
    rows: Vec<Vec<u8>>,
    beyond: Table<u32>,
}

impl Periods {
    pub(super) fn new(periods: usize) -> Self {
        Self { rows: vec![Vec::new(); periods], beyond: Table::new(1 << 20) }
    }

    /// Makes room for that many periods.
    pub(super) fn extend(&mut self, periods: usize) {
        self.rows.resize(periods.max(self.rows.len()), Vec::new());
    }

    /// Counts the thing with that number. That of 0 is one that is not there, and is not told.
    #[inline(always)]
    pub(super) fn add(&mut self, period: usize, number: u32) {
        let row = self.rows.get_mut(period).map_or(&mut [][..], |row| row);
        match row.get_mut(number as usize) {
            Some(count) if *count < u8::MAX => *count += 1,
            _ if number > 0 => self.add_more(period, number),
            _ => {}
        }
    }

    #[cold]
    fn add_more(&mut self, period: usize, number: u32) {
        let Some(row) = self.rows.get_mut(period) else { return };
        if (number as usize) < row.len() {
            if let Some(more) = self.beyond.entry(pair(number, period as u32)) {
                *more = more.saturating_add(1);
            }
            return;
        }
        Self::add_first(row, number);
    }

    #[cold]
    fn add_first(row: &mut Vec<u8>, number: u32) {
        let at = number as usize;
        // In steps, for others follow.
        row.resize((at + 1).next_multiple_of(256), 0);
        if let Some(count) = row.get_mut(at) {
            *count = 1;
        }
    }

    pub(super) fn get(&self, period: usize, number: u32) -> u32 {
        let count = self.rows.get(period).and_then(|row| row.get(number as usize)).copied();
        match count {
            Some(u8::MAX) => {
                let beyond = self.beyond.get(pair(number, period as u32));
                u32::from(u8::MAX).saturating_add(beyond.unwrap_or(0))
            }
            count => count.unwrap_or(0).into(),
        }
    }

    /// What was met in the period, with how often, in the order of numbers.
    pub(super) fn row(&self, period: usize) -> impl Iterator<Item = (u32, u32)> {
        let row = self.rows.get(period).and_then(|row| row.get(1..)).unwrap_or_default();
        (1_u32..).zip(row).filter(|(_, count)| **count > 0).map(move |(number, count)| {
            let count = if *count == u8::MAX { self.get(period, number) } else { (*count).into() };
            (number, count)
        })
    }

    /// What was met at least so often in the period, as [`Periods::row`] has it.
    pub(super) fn row_from(&self, period: usize, least: u8) -> impl Iterator<Item = (u32, u32)> {
        /// Looked at together: most groups have none.
        const GROUP: usize = 64;
        let least = least.max(1);
        let groups = self.cells(period).chunks(GROUP).zip((0_u32..).step_by(GROUP));
        groups
            .filter(move |(cells, _)| {
                cells.iter().fold(false, |any, count| any | (*count >= least))
            })
            .flat_map(move |(cells, first)| {
                (first..).zip(cells).filter(move |(number, count)| *number > 0 && **count >= least)
            })
            .map(move |(number, count)| match *count {
                u8::MAX => (number, self.get(period, number)),
                count => (number, count.into()),
            })
    }

    /// The counts of the period by number, as far as they are in a byte: for who looks at all of them.
    /// What is beyond is in [`Periods::beyond`].
    pub(super) fn cells(&self, period: usize) -> &[u8] {
        self.rows.get(period).map_or(&[], |row| row)
    }

    /// Numbers and periods with what they have beyond a byte.
    pub(super) fn beyond(&self) -> impl Iterator<Item = ((u32, usize), u32)> {
        self.beyond.iter().map(|(key, more)| {
            let (number, period) = of_pair(key);
            ((number, period as usize), more)
        })
    }

    /// The highest number that may have been met, and one more.
    pub(super) fn numbers(&self) -> usize {
        self.rows.iter().map(Vec::len).max().unwrap_or(0)
    }

    /// Whether something was met so often that it was not counted any more.
    pub(super) fn full(&self) -> bool {
        self.beyond.full
    }
}

/// Which of many things were met in each hour: a bit each.
#[derive(Debug, Clone)]
pub(super) struct Active {
    rows: Vec<Vec<u64>>,
}

impl Active {
    pub(super) fn new(hours: usize) -> Self {
        Self { rows: vec![Vec::new(); hours] }
    }

    /// Makes room for that many hours.
    pub(super) fn extend(&mut self, hours: usize) {
        self.rows.resize(hours.max(self.rows.len()), Vec::new());
    }

    #[inline]
    pub(super) fn add(&mut self, hour: usize, number: u32) {
        let Some(row) = self.rows.get_mut(hour) else { return };
        let (at, bit) = (number as usize / 64, 1 << (number % 64));
        match row.get_mut(at) {
            Some(word) => *word |= bit,
            None => {
                row.resize((at + 1).next_multiple_of(8), 0);
                if let Some(word) = row.get_mut(at) {
                    *word = bit;
                }
            }
        }
    }

    /// The bits of 64 numbers that follow each other, and how many such groups there are.
    pub(super) fn word(&self, hour: usize, group: usize) -> u64 {
        self.rows.get(hour).and_then(|row| row.get(group)).copied().unwrap_or(0)
    }

    pub(super) fn groups(&self) -> usize {
        self.rows.iter().map(Vec::len).max().unwrap_or(0)
    }
}

/// How many records of each kind there are in each hour.
#[derive(Debug, Clone)]
pub(super) struct Hourly {
    rows: Vec<Vec<u32>>,
}

impl Hourly {
    pub(super) fn new(hours: usize) -> Self {
        Self { rows: vec![Vec::new(); hours] }
    }

    /// Makes room for that many hours.
    pub(super) fn extend(&mut self, hours: usize) {
        self.rows.resize(hours.max(self.rows.len()), Vec::new());
    }

    #[inline]
    pub(super) fn add(&mut self, hour: usize, kind: usize) {
        let Some(row) = self.rows.get_mut(hour) else { return };
        match row.get_mut(kind) {
            Some(count) => *count = count.saturating_add(1),
            None => {
                row.resize(kind + 1, 0);
                if let Some(count) = row.get_mut(kind) {
                    *count = 1;
                }
            }
        }
    }

    /// The counts of an hour, by kind.
    pub(super) fn row(&self, hour: usize) -> &[u32] {
        self.rows.get(hour).map_or(&[], |row| row)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_met_often_is_counted_beyond_a_byte() {
        let mut counts = Periods::new(3);
        (0..1000).for_each(|_| counts.add(1, 7));
        (0..255).for_each(|_| counts.add(1, 300));
        counts.add(2, 7);
        counts.add(3, 7);
        assert_eq!(counts.row(1).collect::<Vec<_>>(), [(7, 1000), (300, 255)]);
        assert_eq!(counts.row_from(1, 255).collect::<Vec<_>>(), counts.row(1).collect::<Vec<_>>());
        assert_eq!(counts.row_from(2, 0).collect::<Vec<_>>(), [(7, 1)]);
        assert_eq!(counts.row_from(2, 2).count(), 0);
        assert_eq!((counts.cells(1)[7], counts.cells(3).len()), (255, 0));
        assert_eq!(counts.beyond().collect::<Vec<_>>(), [((7, 1), 745)]);
        assert_eq!((counts.get(0, 7), counts.get(2, 7), counts.get(3, 7)), (0, 1, 0));
    }

    #[test]
    fn each_number_has_a_bit_in_each_hour() {
        let mut active = Active::new(2);
        [1, 64, 700].into_iter().for_each(|number| active.add(1, number));
        assert_eq!((active.word(1, 0), active.word(1, 1), active.word(0, 0)), (2, 1, 0));
        assert_eq!(active.word(1, 10), 1 << 60);
        assert!(active.groups() > 10);
    }
}
