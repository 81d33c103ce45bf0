//! The positions of a run that may match, in order.

use std::collections::VecDeque;

use rusqlite::{Connection, params};

use super::{
    bits::CHUNK,
    chunk::Chunk,
    plan::{Plan, Set, Terms},
    run::Run,
    schema::RowId,
};

/// How many rows the term index is asked for at first. It is asked for more each time: most
/// questions end with a page, and for each that does not a cursor is opened anew, which takes as long
/// as two hundred rows.
const FIRST_ROWS: usize = 128;

/// How many times as many rows it is asked for next.
const MORE_ROWS: usize = 4;

/// How many positions are walked before the term index is asked for a prefix. What one record in 120
/// says has filled a page by then; of what fewer say, the term index puts 80,000 together at most,
/// in ten million, which takes as long.
const WALKED_FIRST: u64 = 12_000;

/// In how many chunks words without a bitmap are looked up, before the term index is asked for all of
/// them together. Where a word is missing everywhere it is rare, and that costs little.
const LOOKED_UP_FIRST: u32 = 8;

/// How many rows the term index is asked for at most.
const MOST_ROWS: usize = 32_768;

/// A position that may match.
#[derive(Debug, Clone, Copy)]
pub(super) struct Candidate {
    pub(super) position: u64,
    /// Whether every record of its chunk can be read, so that it may be passed over for what its line
    /// lacks.
    pub(super) whole: bool,
}

/// What may match in a run, newest or oldest first.
pub(super) struct Candidates<'p> {
    plan: &'p Plan,
    terms: Option<&'p Terms>,
    run: Run,
    newest_first: bool,
    /// The positions that are not looked at yet.
    from: u64,
    to: u64,
    rows: usize,
    /// How many positions were walked before the term index was asked.
    walked: u64,
    /// Each with whether every record of its chunk can be read.
    found: VecDeque<(u64, bool)>,
    /// What may match in the chunk that was looked at last, and whether all of it can be read.
    possible: Option<(u64, Set, bool)>,
    /// In how many chunks that are full words were looked up that have no bitmap there.
    looked_up: u32,
    /// Whether the term index is asked for all that is left.
    asks: bool,
}

impl<'p> Candidates<'p> {
    /// Those between two positions, the second not included.
    pub(super) fn new(
        plan: &'p Plan,
        terms: Option<&'p Terms>,
        run: Run,
        (from, to): (u64, u64),
        newest_first: bool,
    ) -> Self {
        Self {
            plan,
            terms,
            run,
            newest_first,
            from,
            to,
            rows: FIRST_ROWS,
            walked: 0,
            found: VecDeque::new(),
            possible: None,
            looked_up: 0,
            asks: false,
        }
    }

    /// The same, with the term index asked at once for what many records may say.
    pub(super) fn without_walking(self) -> Self {
        Self { walked: WALKED_FIRST, ..self }
    }

    /// The next position; none when there are no more. It may look at one chunk, or ask the term
    /// index once, and find nothing: then `Some(None)`, so that its caller can look at the clock.
    pub(super) fn next(
        &mut self,
        connection: &Connection,
    ) -> rusqlite::Result<Option<Option<Candidate>>> {
        if self.found.is_empty() && self.from < self.to {
            match self.terms {
                Some(terms) if terms.are_dense() && !self.asks => {
                    self.read_chunk(connection, Some(terms))?;
                }
                Some(terms) if terms.has_prefix && self.walked < WALKED_FIRST => {
                    self.walk(connection)?;
                }
                Some(terms) => self.ask(connection, terms, (self.from, self.to))?,
                None => self.read_chunk(connection, None)?,
            }
        }
        match self.found.pop_front() {
            Some((position, whole)) => Ok(Some(Some(Candidate { position, whole }))),
            None if self.from < self.to => Ok(Some(None)),
            None => Ok(None),
        }
    }

    /// Whether there are no more.
    pub(super) fn is_done(&self) -> bool {
        self.found.is_empty() && self.from >= self.to
    }

    /// All that is left. For questions that need the whole set.
    pub(super) fn rest(&mut self, connection: &Connection) -> rusqlite::Result<Vec<u64>> {
        let mut all = Vec::new();
        while let Some(found) = self.next(connection)? {
            all.extend(found.map(|found| found.position));
        }
        Ok(all)
    }

    /// Asks the term index for positions in here.
    fn ask(
        &mut self,
        connection: &Connection,
        terms: &Terms,
        (from, to): (u64, u64),
    ) -> rusqlite::Result<()> {
        let sql = if self.newest_first {
            "SELECT rowid FROM terms WHERE terms MATCH ?1 AND rowid BETWEEN ?2 AND ?3
             ORDER BY rowid DESC LIMIT ?4"
        } else {
            "SELECT rowid FROM terms WHERE terms MATCH ?1 AND rowid BETWEEN ?2 AND ?3
             ORDER BY rowid LIMIT ?4"
        };
        let (first, last) =
            (RowId::new(self.run.number, from), RowId::new(self.run.number, to - 1));
        let mut statement = connection.prepare_cached(sql)?;
        let parameters = params![terms.question, first.0, last.0, self.rows];
        let rows = statement.query_map(parameters, |row| row.get(0).map(RowId))?;
        let rows = rows.collect::<rusqlite::Result<Vec<_>>>()?;
        match rows.last().filter(|_| rows.len() == self.rows).map(|last| last.position()) {
            Some(last) if self.newest_first => self.to = last,
            Some(last) => self.from = last + 1,
            None if self.newest_first => self.to = from,
            None => self.from = to,
        }
        self.rows = (self.rows * MORE_ROWS).min(MOST_ROWS);
        for row in rows {
            if self.may_match(connection, row.position())? {
                self.found.push_back((row.position(), self.is_whole()));
            }
        }
        Ok(())
    }

    /// Gives out positions without asking the term index: what many records say is found among a
    /// few, and what few say costs little to look up.
    fn walk(&mut self, connection: &Connection) -> rusqlite::Result<()> {
        let position = if self.newest_first { self.to - 1 } else { self.from };
        if self.newest_first {
            self.to = position;
        } else {
            self.from = position + 1;
        }
        self.walked += 1;
        if self.may_match(connection, position)? {
            self.found.push_back((position, self.is_whole()));
        }
        Ok(())
    }

    fn may_match(&mut self, connection: &Connection, position: u64) -> rusqlite::Result<bool> {
        if !self.run.damaged && self.plan.is_left_to_terms() {
            return Ok(true);
        }
        let (chunk, at) = (position / CHUNK as u64, (position % CHUNK as u64) as usize);
        if self.possible.as_ref().is_none_or(|(known, ..)| *known != chunk) {
            let read = Chunk::read(connection, self.run, chunk)?;
            self.keep(chunk, &read)?;
        }
        Ok(self.possible.as_ref().is_some_and(|(_, set, _)| match set {
            Set::Empty => false,
            Set::Full => true,
            Set::Bits(bits) => bits.has(at),
        }))
    }

    fn keep(&mut self, chunk: u64, read: &Chunk<'_>) -> rusqlite::Result<()> {
        let possible = self.plan.bounds(read)?.possible();
        let whole = read.damaged()?.is_none();
        self.possible = Some((chunk, possible, whole));
        Ok(())
    }

    fn is_whole(&self) -> bool {
        !self.run.damaged || self.possible.as_ref().is_some_and(|(.., whole)| *whole)
    }

    /// Takes what may match of the next chunk from its bitmaps.
    fn read_chunk(
        &mut self,
        connection: &Connection,
        terms: Option<&Terms>,
    ) -> rusqlite::Result<()> {
        let last = if self.newest_first { self.to - 1 } else { self.from };
        let chunk = last / CHUNK as u64;
        let start = chunk * CHUNK as u64;
        let (from, to) = (self.from.max(start), self.to.min(start + CHUNK as u64));
        let mut read = Chunk::read(connection, self.run, chunk)?;
        if terms.is_none() && !self.plan.has_bounds() {
            // One part of it has bitmaps, and the other is in the term index.
            read = read.asking_terms();
        }
        if terms.is_some() && (!read.is_full() || self.looked_up < LOOKED_UP_FIRST) {
            read = read.asking_terms();
        }
        self.keep(chunk, &read)?;
        if terms.is_some() && read.is_full() && read.lacks_word() {
            self.looked_up += 1;
            if self.looked_up > LOOKED_UP_FIRST {
                self.asks = true;
                return Ok(());
            }
        }
        let Some((_, possible, whole)) = &self.possible else { return Ok(()) };
        let found = |position| (position, *whole);
        if self.newest_first {
            self.to = from;
        } else {
            self.from = to;
        }
        let inside = |position: &u64| (from..to).contains(position);
        match possible {
            Set::Empty => {}
            Set::Full if self.newest_first => self.found.extend((from..to).rev().map(found)),
            Set::Full => self.found.extend((from..to).map(found)),
            Set::Bits(bits) => {
                let positions = bits.iter().map(|at| start + at as u64).filter(inside);
                if self.newest_first {
                    self.found.extend(positions.rev().map(found));
                } else {
                    self.found.extend(positions.map(found));
                }
            }
        }
        Ok(())
    }
}
