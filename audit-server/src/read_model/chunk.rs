//! What the index knows of one chunk.

use std::cell::Cell;

use rusqlite::{Connection, OptionalExtension, params};

use super::{
    bits::{Bits, CHUNK},
    dictionary::{FacetId, NameId},
    number::{Code, Codes},
    part::{self, EntryId},
    plan::Set,
    run::Run,
    schema::{RowId, chunk_key},
};

/// A chunk of a run, as it is read.
pub(super) struct Chunk<'c> {
    connection: &'c Connection,
    run: Run,
    chunk: u64,
    /// How many positions it has.
    count: usize,
    /// Of how many parts it is put together when it is not full.
    parts: Option<u32>,
    /// Whether keys, and words that have no bitmap here, are looked up in the term index.
    asks_terms: bool,
    /// Whether a word was asked for that has no bitmap here.
    lacks_word: Cell<bool>,
}

impl<'c> Chunk<'c> {
    /// That chunk of the run.
    pub(super) fn read(connection: &'c Connection, run: Run, chunk: u64) -> rusqlite::Result<Self> {
        let rest = run.count.saturating_sub(chunk * CHUNK as u64);
        let count = usize::try_from(rest).unwrap_or(CHUNK).min(CHUNK);
        let parts = if count < CHUNK { Some(part::count(connection, run.number)?) } else { None };
        Ok(Self {
            connection,
            run,
            chunk,
            count,
            parts,
            asks_terms: false,
            lacks_word: Cell::new(false),
        })
    }

    /// The same, with keys, and words that have no bitmap here, looked up in the term index.
    pub(super) fn asking_terms(self) -> Self {
        Self { asks_terms: true, ..self }
    }

    /// How many positions it has.
    pub(super) fn count(&self) -> usize {
        self.count
    }

    /// The positions of a facet; none when there are none.
    pub(super) fn facet(&self, facet: FacetId) -> rusqlite::Result<Option<Bits>> {
        let mut found: Option<Bits> = None;
        let add = |encoded: &[u8]| found.get_or_insert_with(Bits::empty).add(encoded);
        match &self.parts {
            Some(parts) => {
                let id = EntryId::facet(facet);
                part::each_entry(self.connection, self.run.number, *parts, id, add)?;
            }
            None => {
                self.encoded(facet, add)?;
            }
        }
        Ok(found)
    }

    /// Which of these positions have a facet.
    pub(super) fn facet_among(&self, facet: FacetId, these: &Bits) -> rusqlite::Result<Set> {
        if self.parts.is_some() {
            let Some(mut found) = self.facet(facet)? else { return Ok(Set::Empty) };
            found.and(these);
            return Ok(Set::Bits(found));
        }
        let found = self.encoded(facet, |encoded| these.among(encoded))?;
        Ok(found.map_or(Set::Empty, Set::Bits))
    }

    /// What is stored of a facet in a chunk that is full.
    fn encoded<T>(
        &self,
        facet: FacetId,
        read: impl FnOnce(&[u8]) -> T,
    ) -> rusqlite::Result<Option<T>> {
        self.connection
            .prepare_cached("SELECT data FROM bits WHERE key = ?1")?
            .query_row([chunk_key(facet.0, self.run.number, self.chunk)], |row| {
                Ok(read(row.get_ref(0)?.as_blob()?))
            })
            .optional()
    }

    /// The positions whose records could not be read; none when there are none.
    pub(super) fn damaged(&self) -> rusqlite::Result<Option<Bits>> {
        if self.run.damaged { self.facet(FacetId::DAMAGED) } else { Ok(None) }
    }

    /// The positions that say a word: from its bitmap, else from the term index, while that may be
    /// asked. None when it may not.
    pub(super) fn word(
        &self,
        id: Option<FacetId>,
        question: &str,
    ) -> rusqlite::Result<Option<Bits>> {
        let known = match (id, &self.parts) {
            (Some(id), None) => self.facet(id)?,
            _ => None,
        };
        if known.is_some() {
            return Ok(known);
        }
        self.lacks_word.set(true);
        self.term(question)
    }

    /// The positions that have a term, while the term index may be asked; none when it may not.
    pub(super) fn term(&self, question: &str) -> rusqlite::Result<Option<Bits>> {
        if !self.asks_terms {
            return Ok(None);
        }
        let start = self.chunk * CHUNK as u64;
        let first = RowId::new(self.run.number, start);
        let last = RowId::new(self.run.number, start + CHUNK as u64 - 1);
        // One word at a time: with two the term index reads on beyond the chunk until they meet.
        let mut statement = self.connection.prepare_cached(
            "SELECT rowid FROM terms WHERE terms MATCH ?1 AND rowid BETWEEN ?2 AND ?3",
        )?;
        let mut rows = statement.query(params![question, first.0, last.0])?;
        let mut bits = Bits::empty();
        while let Some(row) = rows.next()? {
            let position = RowId(row.get(0)?).position().saturating_sub(start);
            bits.set(usize::try_from(position).unwrap_or(usize::MAX));
        }
        Ok(Some(bits))
    }

    /// Whether it will get no more positions.
    pub(super) fn is_full(&self) -> bool {
        self.parts.is_none()
    }

    /// Whether a word was asked for that has no bitmap here.
    pub(super) fn lacks_word(&self) -> bool {
        self.lacks_word.get()
    }

    /// Whether any number under the name may hold, as far as the least and the greatest tell.
    pub(super) fn reaches(&self, name: NameId, codes: Codes) -> rusqlite::Result<bool> {
        if self.parts.is_some() {
            return Ok(true);
        }
        let mut statement =
            self.connection.prepare_cached("SELECT least, greatest FROM numbers WHERE key = ?1")?;
        let bounds = statement.query_row([chunk_key(name.0, self.run.number, self.chunk)], |row| {
            Ok((Code::from_order(row.get(0)?), Code::from_order(row.get(1)?)))
        });
        Ok(bounds.optional()?.is_some_and(|(least, greatest)| !codes.excludes(least, greatest)))
    }

    /// The positions whose number under the name holds, and those where it may hold.
    pub(super) fn numbers(
        &self,
        name: NameId,
        codes: Codes,
    ) -> rusqlite::Result<Option<(Bits, Bits)>> {
        let mut found: Option<(Bits, Bits)> = None;
        let mut add = |data: &[u8]| {
            let (holds, may) = found.get_or_insert_with(|| (Bits::empty(), Bits::empty()));
            part::add_numbers(data, codes, holds, may);
        };
        match &self.parts {
            Some(parts) => {
                let id = EntryId::numbers(name);
                part::each_entry(self.connection, self.run.number, *parts, id, add)?;
            }
            None => {
                let key = chunk_key(name.0, self.run.number, self.chunk);
                self.connection
                    .prepare_cached("SELECT least, greatest, data FROM numbers WHERE key = ?1")?
                    .query_row(params![key], |row| {
                        let (least, greatest) = (row.get(0)?, row.get(1)?);
                        let excluded =
                            codes.excludes(Code::from_order(least), Code::from_order(greatest));
                        if !excluded {
                            add(row.get_ref(2)?.as_blob()?);
                        }
                        Ok(())
                    })
                    .optional()?;
            }
        }
        Ok(found)
    }
}
