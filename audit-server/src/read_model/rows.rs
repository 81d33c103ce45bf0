//! What is written of records that were taken in.

use std::collections::BTreeMap;

use rusqlite::{Connection, params};

use super::{
    arrivals, blind, dictionary,
    part::Numbers,
    proof,
    schema::{RowId, State, entry_key},
    vocabulary,
};

/// What is to be written of consecutive arrivals.
#[derive(Debug)]
pub(super) struct Prepared {
    pub(super) terms: Terms,
    pub(super) rows: Rows,
}

/// The terms of records.
#[derive(Debug, Default)]
pub(super) struct Terms {
    /// Those of all records, one after the other.
    pub(super) text: String,
    /// Each row, and where its terms end.
    pub(super) ends: Vec<(RowId, usize)>,
}

/// All but the terms, which are written as they come: the rows of several batches go together.
#[derive(Debug, Default)]
pub(super) struct Rows {
    /// Where the model stands with these.
    pub(super) state: Option<State>,
    pub(super) facets: Vec<dictionary::Fresh>,
    pub(super) words: Vec<Box<str>>,
    pub(super) blocks: Vec<Block>,
    pub(super) bits: Vec<(i64, Vec<u8>)>,
    pub(super) numbers: Vec<(i64, Numbers)>,
    pub(super) facts: Vec<(i64, Vec<u8>)>,
    /// By run.
    open: BTreeMap<u32, Open>,
    pub(super) proof: proof::Changes,
    /// Tokens of sealed values, and the keys that sealed them.
    pub(super) blind: Vec<(String, String)>,
}

/// Consecutive positions of a run.
#[derive(Debug)]
pub(super) struct Block {
    pub(super) first: RowId,
    pub(super) run: u32,
    pub(super) batch: i64,
    pub(super) from_time: i64,
    pub(super) to_time: i64,
    pub(super) arrivals: Vec<i64>,
}

/// What became of the chunk of a run that is not full.
#[derive(Debug, Default)]
pub(super) struct Open {
    /// Whether the parts that it had are gone.
    pub(super) dropped: bool,
    /// Those that it got since.
    pub(super) parts: Vec<WrittenPart>,
}

/// A part of a chunk, encoded.
#[derive(Debug)]
pub(super) struct WrittenPart {
    pub(super) number: u32,
    pub(super) sheet: Vec<u8>,
    pub(super) entries: Vec<(i64, Vec<u8>)>,
}

impl Terms {
    pub(super) fn write(&self, connection: &Connection) -> rusqlite::Result<()> {
        let mut add =
            connection.prepare_cached("INSERT INTO terms (rowid, text) VALUES (?1, ?2)")?;
        let mut start = 0;
        for (row, end) in &self.ends {
            add.execute(params![row.0, self.text.get(start..*end)])?;
            start = *end;
        }
        Ok(())
    }
}

impl Rows {
    /// Notes what became of the chunk of a run that is not full.
    pub(super) fn add_open(&mut self, run: u32, later: Open) {
        let open = self.open.entry(run).or_default();
        if later.dropped {
            open.dropped = true;
            open.parts.clear();
        }
        open.parts.extend(later.parts);
    }

    /// Adds what is to be written after these.
    pub(super) fn append(&mut self, mut later: Self) {
        self.state = later.state.or(self.state);
        self.facets.append(&mut later.facets);
        self.words.append(&mut later.words);
        self.blocks.append(&mut later.blocks);
        self.bits.append(&mut later.bits);
        self.numbers.append(&mut later.numbers);
        self.facts.append(&mut later.facts);
        later.open.into_iter().for_each(|(run, open)| self.add_open(run, open));
        self.proof.append(later.proof);
        self.blind.append(&mut later.blind);
    }

    /// Writes them, each table in the order of its keys: neighbours share a page.
    pub(super) fn write(&mut self, connection: &Connection) -> rusqlite::Result<()> {
        dictionary::write(connection, &self.facets)?;
        vocabulary::write(connection, &self.words)?;
        blind::write(connection, &mut self.blind)?;
        let mut insert = connection.prepare_cached(
            "INSERT INTO blocks (first, run, count, batch, from_time, to_time, arrivals)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
        )?;
        for Block { first, run, batch, from_time, to_time, arrivals } in &self.blocks {
            let encoded = arrivals::encode(arrivals);
            let count = arrivals.len();
            insert.execute(params![first.0, run, count, batch, from_time, to_time, encoded])?;
        }
        self.bits.sort_unstable_by_key(|(key, _)| *key);
        let mut insert =
            connection.prepare_cached("INSERT INTO bits (key, data) VALUES (?1, ?2)")?;
        for (key, data) in &self.bits {
            insert.execute(params![key, data])?;
        }
        self.numbers.sort_unstable_by_key(|(key, _)| *key);
        let mut insert = connection.prepare_cached(
            "INSERT INTO numbers (key, least, greatest, data) VALUES (?1, ?2, ?3, ?4)",
        )?;
        for (key, Numbers { least, greatest, data }) in &self.numbers {
            insert.execute(params![key, least.order(), greatest.order(), data])?;
        }
        self.facts.sort_unstable_by_key(|(key, _)| *key);
        let mut insert =
            connection.prepare_cached("INSERT INTO facts (key, data) VALUES (?1, ?2)")?;
        for (key, data) in &self.facts {
            insert.execute(params![key, data])?;
        }
        for (run, open) in &self.open {
            open.write(connection, *run)?;
        }
        self.proof.write(connection)?;
        if let Some(State { arrival, line, damaged, .. }) = self.state {
            connection
                .prepare_cached("UPDATE state SET arrival = ?1, line = ?2, damaged = ?3")?
                .execute(params![arrival, line, damaged])?;
        }
        Ok(())
    }
}

impl Open {
    fn write(&self, connection: &Connection, run: u32) -> rusqlite::Result<()> {
        if self.dropped {
            connection.prepare_cached("DELETE FROM parts WHERE run = ?1")?.execute([run])?;
            let (first, behind) = (entry_key(run, 0, 0), entry_key(run + 1, 0, 0));
            connection
                .prepare_cached("DELETE FROM entries WHERE key >= ?1 AND key < ?2")?
                .execute([first, behind])?;
        }
        let mut insert = connection
            .prepare_cached("INSERT INTO parts (run, part, sheet) VALUES (?1, ?2, ?3)")?;
        let mut insert_entry =
            connection.prepare_cached("INSERT INTO entries (key, data) VALUES (?1, ?2)")?;
        for WrittenPart { number, sheet, entries } in &self.parts {
            insert.execute(params![run, number, sheet])?;
            for (key, data) in entries {
                insert_entry.execute(params![key, data])?;
            }
        }
        Ok(())
    }
}
