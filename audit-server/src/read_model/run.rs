//! One run, as it is read: its extent in positions and in time.

use rusqlite::{Connection, OptionalExtension, params};

use super::{block::Block, schema::RowId};
use crate::filter::TimeRange;

/// Reads the trail by arrival number, for as long as a snapshot of it lasts.
pub(super) trait Records {
    /// The time of a record; none when the trail does not have it any more.
    fn timestamp(&self, arrival: i64) -> rusqlite::Result<Option<i64>>;
}

/// A run of records in the order of time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Run {
    pub(super) number: u32,
    /// How many records it has.
    pub(super) count: u64,
    pub(super) from_time: i64,
    pub(super) to_time: i64,
    /// Whether any of its records may be one that could not be read.
    pub(super) damaged: bool,
}

/// Every run.
pub(super) fn all(connection: &Connection) -> rusqlite::Result<Vec<Run>> {
    let mut runs = Vec::new();
    let mut first = connection.prepare_cached(
        "SELECT run, from_time FROM blocks WHERE first >= ?1 ORDER BY first LIMIT 1",
    )?;
    let mut last = connection.prepare_cached(
        "SELECT first, count, to_time FROM blocks WHERE first < ?1 ORDER BY first DESC LIMIT 1",
    )?;
    let mut from = RowId::new(0, 0);
    let damaged = connection
        .prepare_cached("SELECT damaged FROM state")?
        .query_row([], |row| row.get(0))
        .optional()?
        .unwrap_or(true);
    loop {
        let found = first.query_row([from.0], |row| Ok((row.get(0)?, row.get(1)?))).optional()?;
        let Some((number, from_time)) = found else { return Ok(runs) };
        from = RowId::new(number + 1, 0);
        let (last, count, to_time) = last.query_row([from.0], |row| {
            Ok((RowId(row.get(0)?), row.get::<_, u64>(1)?, row.get(2)?))
        })?;
        runs.push(Run { number, count: last.position() + count, from_time, to_time, damaged });
    }
}

impl Run {
    /// The positions whose records lie in that time: from the first up to before the second.
    pub(super) fn within(
        &self,
        connection: &Connection,
        records: &dyn Records,
        range: TimeRange,
    ) -> rusqlite::Result<(u64, u64)> {
        let start = if range.from <= self.from_time {
            0
        } else {
            self.first_from(connection, records, range.from)?
        };
        let end = match range.to.checked_add(1) {
            Some(after) if range.to < self.to_time => {
                self.first_from(connection, records, after)?
            }
            _ => self.count,
        };
        Ok((start, end.max(start)))
    }

    /// The first position whose record is of that time or later.
    fn first_from(
        &self,
        connection: &Connection,
        records: &dyn Records,
        time: i64,
    ) -> rusqlite::Result<u64> {
        let block = connection
            .prepare_cached(
                "SELECT first, count, arrivals, from_time FROM blocks
                 WHERE run = ?1 AND to_time >= ?2 ORDER BY to_time, first LIMIT 1",
            )?
            .query_row(params![self.number, time], |row| {
                Ok((Block::read(row)?, row.get::<_, i64>(3)?))
            })
            .optional()?;
        let Some((block, from_time)) = block else { return Ok(self.count) };
        let first = block.first.position();
        if from_time >= time {
            return Ok(first);
        }
        let (mut low, mut high) = (0, block.count);
        while low < high {
            let middle = (low + high) / 2;
            // Records that are gone say nothing: the next that is there decides.
            let mut at = middle;
            let mut found = None;
            while at < high && found.is_none() {
                let arrival = block.arrivals.at(at);
                found = arrival.map(|arrival| records.timestamp(arrival)).transpose()?.flatten();
                at += 1;
            }
            match found {
                Some(found) if found < time => low = at,
                _ => high = middle,
            }
        }
        Ok(first + low)
    }

    /// The positions that were taken in with what came after that arrival, up to those that were
    /// taken in with `last`. Those at either end may have come before the one and after the other.
    pub(super) fn arrived(
        &self,
        connection: &Connection,
        after: i64,
        last: i64,
    ) -> rusqlite::Result<(u64, u64)> {
        let mut statement = connection.prepare_cached(
            "SELECT first FROM blocks WHERE run = ?1 AND batch > ?2 ORDER BY batch, first LIMIT 1",
        )?;
        let mut first_after = |batch: i64| -> rusqlite::Result<u64> {
            let first = statement.query_row(params![self.number, batch], |row| row.get(0));
            Ok(first.optional()?.map_or(self.count, |first| RowId(first).position()))
        };
        let together: Option<i64> = connection
            .prepare_cached("SELECT min(batch) FROM blocks WHERE run = ?1 AND batch >= ?2")?
            .query_row(params![self.number, last], |row| row.get(0))?;
        let end = together.map_or(Ok(self.count), &mut first_after)?;
        Ok((first_after(after)?, end))
    }
}
