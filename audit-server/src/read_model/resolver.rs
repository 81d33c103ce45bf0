//! Which records of the trail positions are.

use rusqlite::{Connection, OptionalExtension};

use super::{
    arrivals::Arrivals,
    bits::CHUNK,
    block::{self, Block},
    run::Run,
    schema::RowId,
    sealed::Source,
};

/// Finds them, and remembers the last block, since neighbours are asked
/// for one after the other.
#[derive(Debug, Default)]
pub(super) struct Resolver {
    block: Option<Block>,
}

impl Resolver {
    /// The arrival number of the record at that position of the run.
    pub(super) fn arrival(
        &mut self,
        source: Source<'_>,
        run: Run,
        position: u64,
    ) -> rusqlite::Result<Option<i64>> {
        let row = RowId::new(run.number, position);
        if self.holds(row) {
            return Ok(self.known(row));
        }
        let chunk = position / CHUNK as u64;
        if (chunk + 1) * CHUNK as u64 > run.count {
            return self.arrival_of(source.connection, row);
        }
        // Where a page has a record of each block, looking them up in the database took a tenth of it.
        let blocks = source.blocks(run, chunk)?;
        let place = position % CHUNK as u64;
        self.block = blocks.bytes().and_then(|blocks| block::find(blocks, place)).map(|found| {
            let first = RowId::new(run.number, chunk * CHUNK as u64 + found.first);
            Block { first, count: found.count, arrivals: Arrivals::read(found.arrivals) }
        });
        Ok(self.known(row))
    }

    /// The same of a row whose run is not at hand.
    pub(super) fn arrival_of(
        &mut self,
        connection: &Connection,
        row: RowId,
    ) -> rusqlite::Result<Option<i64>> {
        if !self.holds(row) {
            self.block = connection
                .prepare_cached(
                    "SELECT first, count, arrivals FROM blocks
                     WHERE first <= ?1 ORDER BY first DESC LIMIT 1",
                )?
                .query_row([row.0], Block::read)
                .optional()?;
        }
        Ok(self.known(row))
    }

    fn holds(&self, row: RowId) -> bool {
        self.block.as_ref().is_some_and(|block| block.holds(row))
    }

    fn known(&self, row: RowId) -> Option<i64> {
        let block = self.block.as_ref().filter(|block| block.holds(row))?;
        block.arrivals.at(row.0.abs_diff(block.first.0))
    }
}
