//! The positions of a run that may match, in order.

use std::collections::{BTreeMap, VecDeque};

use rusqlite::params;

use super::{
    bits::{Bits, CHUNK},
    chunk::Chunk,
    plan::{Plan, Set, Terms},
    run::Run,
    schema::RowId,
    sealed::Source,
};

/// How many rows the term index is asked for at first. It is asked for more each time: most
/// questions end with a page, and for each that does not a cursor is opened anew, which takes as long
/// as two hundred rows.
const FIRST_ROWS: usize = 128;

/// The same where bitmaps are to decide as well.
const FIRST_ROWS_TO_TEST: usize = 512;

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

/// How many rows a chunk must have on average for what the term index said of it to be kept. What has
/// fewer is asked for as fast as it is looked up.
const KEPT_FROM: u64 = 8;

/// A position that may match.
#[derive(Debug, Clone, Copy)]
pub(super) struct Candidate {
    pub(super) position: u64,
    /// Whether every record of its chunk can be read, so that it may be passed over for what its line
    /// lacks.
    pub(super) whole: bool,
}

fn chunk_of(position: u64) -> u64 {
    position / CHUNK as u64
}

fn place_of(position: u64) -> usize {
    (position % CHUNK as u64) as usize
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
    /// How many positions are wanted, of those that are not given out yet.
    wanted: usize,
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
            rows: if plan.is_left_to_terms() { FIRST_ROWS } else { FIRST_ROWS_TO_TEST },
            wanted: usize::MAX,
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

    /// The same, for who wants so many at most.
    pub(super) fn filling(self, wanted: usize) -> Self {
        Self { wanted, ..self }
    }

    /// The next position; none when there are no more. It may look at one chunk, or ask the term
    /// index once, and find nothing: then `Some(None)`, so that its caller can look at the clock.
    pub(super) fn next(
        &mut self,
        source: Source<'_>,
    ) -> rusqlite::Result<Option<Option<Candidate>>> {
        if self.found.is_empty() && self.from < self.to {
            match self.terms {
                Some(terms) if terms.are_dense() && !self.asks => {
                    self.read_or_ask(source, terms)?;
                }
                Some(terms) if terms.has_prefix && self.walked < WALKED_FIRST => {
                    self.walk(source)?;
                }
                Some(terms) => self.ask(source, terms, (self.from, self.to))?,
                None => self.read_chunk(source, None)?,
            }
        }
        match self.found.pop_front() {
            Some((position, whole)) => {
                self.wanted = self.wanted.saturating_sub(1);
                Ok(Some(Some(Candidate { position, whole })))
            }
            None if self.from < self.to => Ok(Some(None)),
            None => Ok(None),
        }
    }

    /// Whether there are no more.
    pub(super) fn is_done(&self) -> bool {
        self.found.is_empty() && self.from >= self.to
    }

    /// All that is left. For questions that need the whole set.
    pub(super) fn rest(&mut self, source: Source<'_>) -> rusqlite::Result<Vec<u64>> {
        let mut all = Vec::new();
        while let Some(found) = self.next(source)? {
            all.extend(found.map(|found| found.position));
        }
        Ok(all)
    }

    /// Reads the next chunk, or asks the term index for some of its positions, where that is to be
    /// asked anyhow: the bitmap of a word is put together from all that the chunk has.
    fn read_or_ask(&mut self, source: Source<'_>, terms: &Terms) -> rusqlite::Result<()> {
        let full = self.run.count / CHUNK as u64 * CHUNK as u64;
        let is_open = if self.newest_first { self.to > full } else { self.from >= full };
        if terms.are_several || !is_open {
            return self.read_chunk(source, Some(terms));
        }
        self.ask(source, terms, (self.from.max(full), self.to))
    }

    /// Asks the term index for positions in here, if what it says of them is not known.
    fn ask(
        &mut self,
        source: Source<'_>,
        terms: &Terms,
        (from, to): (u64, u64),
    ) -> rusqlite::Result<()> {
        let are_tested = self.run.damaged || !self.plan.is_left_to_terms();
        if are_tested && self.take_kept(source, terms, (from, to))? {
            return Ok(());
        }
        let sql = if self.newest_first {
            "SELECT rowid FROM terms WHERE terms MATCH ?1 AND rowid BETWEEN ?2 AND ?3
             ORDER BY rowid DESC LIMIT ?4"
        } else {
            "SELECT rowid FROM terms WHERE terms MATCH ?1 AND rowid BETWEEN ?2 AND ?3
             ORDER BY rowid LIMIT ?4"
        };
        let (first, last) =
            (RowId::new(self.run.number, from), RowId::new(self.run.number, to - 1));
        let mut statement = source.connection.prepare_cached(sql)?;
        let parameters = params![terms.question, first.0, last.0, self.rows];
        let rows = statement.query_map(parameters, |row| row.get(0).map(RowId))?;
        let rows = rows.collect::<rusqlite::Result<Vec<_>>>()?;
        match rows.last().filter(|_| rows.len() == self.rows).map(|last| last.position()) {
            Some(last) if self.newest_first => self.to = last,
            Some(last) => self.from = last + 1,
            None if self.newest_first => self.to = from,
            None => self.from = to,
        }
        let asked = self.rows;
        let positions: Vec<u64> = rows.into_iter().map(RowId::position).collect();
        if !are_tested {
            self.found.extend(positions.into_iter().map(|position| (position, true)));
            self.rows = (asked * MORE_ROWS).min(MOST_ROWS);
            return Ok(());
        }
        if asked > FIRST_ROWS_TO_TEST {
            // A page needs many of them, and the next page may need the same.
            let told = if self.newest_first { (self.to, to) } else { (from, self.from) };
            self.keep_told(source, terms, &positions, told);
        }
        for here in positions.chunk_by(|a, b| chunk_of(*a) == chunk_of(*b)) {
            let mut these = Bits::empty();
            here.iter().for_each(|position| these.set(place_of(*position)));
            let number = here.first().map_or(0, |first| chunk_of(*first));
            self.test(source, number, &these, here.iter().copied())?;
        }
        // As many as there would have to be for all that are wanted, and some more.
        let left = self.wanted.saturating_sub(self.found.len());
        let enough = left.saturating_mul(asked) / self.found.len().max(1);
        let most = (asked * MORE_ROWS * MORE_ROWS).min(MOST_ROWS);
        self.rows = enough.saturating_add(enough / 4).clamp(FIRST_ROWS, most);
        Ok(())
    }

    /// Takes those of the next chunk, in here, of which the term index was asked before; false when it
    /// was not.
    fn take_kept(
        &mut self,
        source: Source<'_>,
        terms: &Terms,
        (from, to): (u64, u64),
    ) -> rusqlite::Result<bool> {
        let chunk = chunk_of(if self.newest_first { to - 1 } else { from });
        let (start, end) = (chunk * CHUNK as u64, (chunk + 1) * CHUNK as u64);
        if end > self.run.count {
            return Ok(false);
        }
        let Some(kept) = source.known_term(&terms.question, self.run, chunk) else {
            return Ok(false);
        };
        let mut these = Bits::empty();
        kept.bytes().into_iter().for_each(|bytes| these.add(bytes));
        if self.newest_first {
            self.to = start.max(from);
        } else {
            self.from = end.min(to);
        }
        if !these.is_empty() {
            let positions = these.iter().map(|at| start + at as u64);
            let positions = positions.filter(|position| (from..to).contains(position));
            if self.newest_first {
                self.test(source, chunk, &these, positions.rev())?;
            } else {
                self.test(source, chunk, &these, positions)?;
            }
        }
        Ok(true)
    }

    /// Keeps what the term index told of the full chunks that lie wholly between two positions.
    fn keep_told(
        &self,
        source: Source<'_>,
        terms: &Terms,
        positions: &[u64],
        (from, to): (u64, u64),
    ) {
        let chunks = from.div_ceil(CHUNK as u64)..to / CHUNK as u64;
        if (positions.len() as u64) < KEPT_FROM * to.saturating_sub(from).div_ceil(CHUNK as u64) {
            return;
        }
        let mut of_chunks: BTreeMap<u64, Vec<u16>> =
            chunks.map(|chunk| (chunk, Vec::new())).collect();
        for position in positions {
            if let Some(here) = of_chunks.get_mut(&chunk_of(*position)) {
                here.push(place_of(*position) as u16);
            }
        }
        for (chunk, mut here) in of_chunks {
            here.sort_unstable();
            source.keep_term(&terms.question, self.run, chunk, &here);
        }
    }

    /// Finds those of a chunk that may match, in the order in which they are given.
    fn test(
        &mut self,
        source: Source<'_>,
        chunk: u64,
        these: &Bits,
        positions: impl Iterator<Item = u64>,
    ) -> rusqlite::Result<()> {
        let read = Chunk::read(source, self.run, chunk)?;
        let possible = self.plan.bounds(&read, Some(these))?.possible();
        let whole = read.damaged()?.is_none();
        let matching = positions.filter(|position| possible.has(place_of(*position)));
        self.found.extend(matching.map(|position| (position, whole)));
        Ok(())
    }

    /// Gives out positions without asking the term index: what many records say is found among a
    /// few, and what few say costs little to look up.
    fn walk(&mut self, source: Source<'_>) -> rusqlite::Result<()> {
        let position = if self.newest_first { self.to - 1 } else { self.from };
        if self.newest_first {
            self.to = position;
        } else {
            self.from = position + 1;
        }
        self.walked += 1;
        if self.may_match(source, position)? {
            self.found.push_back((position, self.is_whole()));
        }
        Ok(())
    }

    fn may_match(&mut self, source: Source<'_>, position: u64) -> rusqlite::Result<bool> {
        if !self.run.damaged && self.plan.is_left_to_terms() {
            return Ok(true);
        }
        let (chunk, at) = (position / CHUNK as u64, (position % CHUNK as u64) as usize);
        if self.possible.as_ref().is_none_or(|(known, ..)| *known != chunk) {
            let read = Chunk::read(source, self.run, chunk)?;
            self.keep(chunk, &read)?;
        }
        Ok(self.possible.as_ref().is_some_and(|(_, set, _)| set.has(at)))
    }

    fn keep(&mut self, chunk: u64, read: &Chunk<'_>) -> rusqlite::Result<()> {
        let possible = self.plan.bounds(read, None)?.possible();
        let whole = read.damaged()?.is_none();
        self.possible = Some((chunk, possible, whole));
        Ok(())
    }

    fn is_whole(&self) -> bool {
        !self.run.damaged || self.possible.as_ref().is_some_and(|(.., whole)| *whole)
    }

    /// Takes what may match of the next chunk from its bitmaps.
    fn read_chunk(&mut self, source: Source<'_>, terms: Option<&Terms>) -> rusqlite::Result<()> {
        let last = if self.newest_first { self.to - 1 } else { self.from };
        let chunk = last / CHUNK as u64;
        let start = chunk * CHUNK as u64;
        let (from, to) = (self.from.max(start), self.to.min(start + CHUNK as u64));
        let mut read = Chunk::read(source, self.run, chunk)?;
        if terms.is_none() && !self.plan.has_bounds() {
            // One part of it has bitmaps, and the other is in the term index.
            read = read.asking_terms();
        }
        let is_asked_at_once =
            terms.is_some_and(|terms| !terms.are_several) && self.plan.is_left_to_terms();
        let most = if is_asked_at_once { 0 } else { LOOKED_UP_FIRST };
        if terms.is_some() && (!read.is_full() || self.looked_up < most) {
            read = read.asking_terms();
        }
        self.keep(chunk, &read)?;
        if terms.is_some() && read.is_full() && read.lacks_word() {
            self.looked_up += 1;
            if self.looked_up > most {
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
