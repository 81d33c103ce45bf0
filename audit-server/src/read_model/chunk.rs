//! What the index knows of one chunk.

use std::cell::Cell;

use rusqlite::params;

use super::{
    bits::{Bits, CHUNK},
    dictionary::{FacetId, NameId},
    number::{Code, Codes},
    part::{self, EntryId},
    plan::Set,
    run::Run,
    schema::RowId,
    sealed::{Source, Stored},
};

/// A chunk of a run, as it is read.
pub(super) struct Chunk<'c> {
    source: Source<'c>,
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
    pub(super) fn read(source: Source<'c>, run: Run, chunk: u64) -> rusqlite::Result<Self> {
        let rest = run.count.saturating_sub(chunk * CHUNK as u64);
        let count = usize::try_from(rest).unwrap_or(CHUNK).min(CHUNK);
        let parts =
            if count < CHUNK { Some(part::count(source.connection, run.number)?) } else { None };
        Ok(Self {
            source,
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
        let mut add = |encoded: &[u8]| found.get_or_insert_with(Bits::empty).add(encoded);
        match &self.parts {
            Some(parts) => {
                let id = EntryId::facet(facet);
                part::each_entry(self.source.connection, self.run.number, *parts, id, add)?;
            }
            None => {
                self.source.facet(facet, self.run, self.chunk)?.bytes().map(&mut add);
            }
        }
        Ok(found)
    }

    /// The positions that have all these facets, of those within when only these matter.
    pub(super) fn facets(
        &self,
        facets: impl Iterator<Item = FacetId>,
        within: Option<&Bits>,
    ) -> rusqlite::Result<Set> {
        let mut found = within.map_or(Set::Full, |these| Set::Bits(these.clone()));
        if self.parts.is_some() {
            for facet in facets {
                let Some(bits) = self.facet(facet)? else { return Ok(Set::Empty) };
                found = found.and(Set::Bits(bits));
            }
            return Ok(found);
        }
        let stored = facets.map(|facet| self.source.facet(facet, self.run, self.chunk));
        let stored: Vec<Stored> = stored.collect::<rusqlite::Result<_>>()?;
        let encoded: Option<Vec<&[u8]>> = stored.iter().map(Stored::bytes).collect();
        // One that is nowhere says it all.
        let Some(mut encoded) = encoded else { return Ok(Set::Empty) };
        // The fewest first: of the others it is only looked which of these have them.
        encoded.sort_unstable_by_key(|bytes| bytes.len());
        for bytes in encoded {
            let these = if let Set::Bits(these) = &found { Some(these) } else { None };
            let bits = decode(bytes, these);
            if bits.is_empty() {
                return Ok(Set::Empty);
            }
            found = Set::Bits(bits);
        }
        Ok(found)
    }

    /// The positions whose records could not be read; none when there are none.
    pub(super) fn damaged(&self) -> rusqlite::Result<Option<Bits>> {
        if self.run.damaged { self.facet(FacetId::DAMAGED) } else { Ok(None) }
    }

    /// The positions that say a word, at least those within: from its bitmap, else from the term index, while that may be
    /// asked. None when it may not.
    pub(super) fn word(
        &self,
        id: Option<FacetId>,
        question: &str,
        within: Option<&Bits>,
    ) -> rusqlite::Result<Option<Bits>> {
        if let (Some(id), None) = (id, &self.parts)
            && let Some(bytes) = self.source.facet(id, self.run, self.chunk)?.bytes()
        {
            return Ok(Some(decode(bytes, within)));
        }
        self.lacks_word.set(true);
        self.term(question)
    }

    /// The positions that have a term, while the term index may be asked; none when it may not.
    pub(super) fn term(&self, question: &str) -> rusqlite::Result<Option<Bits>> {
        if !self.asks_terms {
            return Ok(None);
        }
        if self.parts.is_some() {
            return self.ask(question).map(Some);
        }
        // To ask takes as long as to read a hundred bitmaps.
        let ask = || self.ask(question);
        let known = self.source.term(question, self.run, self.chunk, ask)?;
        Ok(Some(known.bytes().map_or_else(Bits::empty, |bytes| decode(bytes, None))))
    }

    /// Asks the term index.
    fn ask(&self, question: &str) -> rusqlite::Result<Bits> {
        let start = self.chunk * CHUNK as u64;
        let first = RowId::new(self.run.number, start);
        let last = RowId::new(self.run.number, start + CHUNK as u64 - 1);
        // One word at a time: with two the term index reads on beyond the chunk until they meet. It
        // walks to the chunk, through a page of its own at least: from the end that is nearer.
        let is_late = self.run.number > 0 || start * 2 >= self.run.count;
        let mut statement = self.source.connection.prepare_cached(if is_late {
            "SELECT rowid FROM terms WHERE terms MATCH ?1 AND rowid BETWEEN ?2 AND ?3
             ORDER BY rowid DESC"
        } else {
            "SELECT rowid FROM terms WHERE terms MATCH ?1 AND rowid BETWEEN ?2 AND ?3"
        })?;
        let mut rows = statement.query(params![question, first.0, last.0])?;
        let mut bits = Bits::empty();
        while let Some(row) = rows.next()? {
            let position = RowId(row.get(0)?).position().saturating_sub(start);
            bits.set(usize::try_from(position).unwrap_or(usize::MAX));
        }
        Ok(bits)
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
        let bounds = self.source.bounds(name, self.run, self.chunk)?;
        Ok(bounds.is_some_and(|(least, greatest)| {
            !codes.excludes(Code::from_order(least), Code::from_order(greatest))
        }))
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
                part::each_entry(self.source.connection, self.run.number, *parts, id, add)?;
            }
            None => {
                if self.reaches(name, codes)? {
                    self.source.numbers(name, self.run, self.chunk)?.bytes().map(&mut add);
                }
            }
        }
        Ok(found)
    }
}

/// The positions that were encoded, of those within when only these matter.
fn decode(encoded: &[u8], within: Option<&Bits>) -> Bits {
    match within {
        Some(these) => these.among(encoded),
        None => {
            let mut bits = Bits::empty();
            bits.add(encoded);
            bits
        }
    }
}
