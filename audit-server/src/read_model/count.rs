//! How many records match.
//!
//! From bitmaps, where they decide it: a count over ten million records is some hundred population
//! counts. What they leave open is read, unless an estimate is enough. What the term index finds
//! needs no reading where nothing but terms and facets was asked for.

use super::{
    bits::{Bits, CHUNK},
    candidates::{Candidate, Candidates},
    chunk::Chunk,
    plan::{Plan, Set, Terms},
    resolver::Resolver,
    run::{self, Run},
    search::{Examined, Search},
};

/// How to count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Counting {
    /// Records that the index cannot decide are read, as far as the time allows.
    Exact,
    /// None is read: those count in full.
    Estimate,
}

impl Counting {
    /// The word for it, as in a request of the HTTP API.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Exact => "exact",
            Self::Estimate => "estimate",
        }
    }
}

/// How many records match a question.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct Count {
    /// So many.
    pub value: u64,
    /// What the value is.
    pub is: Counted,
}

/// What a count is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Counted {
    /// Exactly so many.
    Exact,
    /// About so many.
    Estimate,
    /// So many at least: time ran out.
    AtLeast,
}

impl Counted {
    /// The word for it, as in an answer of the HTTP API.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Exact => "exact",
            Self::Estimate => "estimate",
            Self::AtLeast => "at_least",
        }
    }
}

/// What was counted so far.
#[derive(Debug, Default)]
struct Tally {
    certain: u64,
    /// Positions that only the record itself decides, and of how many it did.
    open: u64,
    matched: u64,
}

impl Search<'_> {
    /// Counts what matches in the time of the scan.
    pub(super) fn count(&self, counting: Counting) -> rusqlite::Result<Count> {
        let mut tally = Tally::default();
        let mut complete = true;
        for run in run::all(self.model)? {
            let positions = run.within(self.model, &self.trail, self.scan.range)?;
            complete &= self.count_run(run, positions, counting, &mut tally)?;
        }
        let mut tail = crate::store::Batch::default();
        match self.tail(&mut tail, |_| true) {
            Ok((rows, _)) => tally.certain += rows.len() as u64,
            Err(_) => complete = false,
        }
        Ok(match counting {
            _ if !complete => Count { value: tally.certain + tally.matched, is: Counted::AtLeast },
            Counting::Exact => Count { value: tally.certain + tally.matched, is: Counted::Exact },
            Counting::Estimate if tally.open == 0 => {
                Count { value: tally.certain, is: Counted::Exact }
            }
            Counting::Estimate => {
                Count { value: tally.certain + tally.open, is: Counted::Estimate }
            }
        })
    }

    /// Counts in a run; whether time sufficed.
    fn count_run(
        &self,
        run: Run,
        positions: (u64, u64),
        counting: Counting,
        tally: &mut Tally,
    ) -> rusqlite::Result<bool> {
        let mut resolver = Resolver::default();
        match self.terms.filter(|terms| !terms.are_dense()) {
            Some(terms) => self.count_terms(run, positions, terms, counting, &mut resolver, tally),
            None => self.count_bits(run, positions, counting, &mut resolver, tally),
        }
    }

    fn count_terms(
        &self,
        run: Run,
        positions: (u64, u64),
        terms: &Terms,
        counting: Counting,
        resolver: &mut Resolver,
        tally: &mut Tally,
    ) -> rusqlite::Result<bool> {
        let decided = terms.is_all_that_is_open(self.plan);
        let mut candidates =
            Candidates::new(self.plan, Some(terms), run, positions, false).without_walking();
        while let Some(found) = candidates.next(self.source())? {
            if self.deadline.passed() {
                return Ok(false);
            }
            let Some(Candidate { position, whole }) = found else { continue };
            if decided && whole {
                tally.certain += 1;
            } else {
                self.decide(run, position, counting, resolver, tally)?;
            }
        }
        Ok(true)
    }

    fn count_bits(
        &self,
        run: Run,
        (from, to): (u64, u64),
        counting: Counting,
        resolver: &mut Resolver,
        tally: &mut Tally,
    ) -> rusqlite::Result<bool> {
        let size = CHUNK as u64;
        let mut start = from / size * size;
        while start < to {
            if self.deadline.passed() {
                return Ok(false);
            }
            let (open, certain) = self.open_in_chunk(run, start / size, from, to)?;
            tally.certain += certain.len();
            for at in open.iter() {
                if self.deadline.passed() {
                    return Ok(false);
                }
                self.decide(run, start + at as u64, counting, resolver, tally)?;
            }
            start += size;
        }
        Ok(true)
    }

    /// What the bitmaps of a chunk leave open, and what certainly matches.
    pub(super) fn open_in_chunk(
        &self,
        run: Run,
        chunk: u64,
        from: u64,
        to: u64,
    ) -> rusqlite::Result<(Bits, Bits)> {
        let start = chunk * CHUNK as u64;
        let within = |position: u64| {
            usize::try_from(position.saturating_sub(start)).unwrap_or(CHUNK).min(CHUNK)
        };
        let (from, to) = (within(from), within(to));
        let read = Chunk::read(self.source(), run, chunk)?.asking_terms();
        let (certain, possible) = self.plan.bounds(&read, None)?.both();
        let mut range = Bits::first(to);
        range.and_not(&Bits::first(from));
        let bits = |set: Set| match set {
            Set::Empty => Bits::empty(),
            Set::Full => Bits::first(read.count()),
            Set::Bits(bits) => bits,
        };
        let (mut certain, mut open) = (bits(certain), bits(possible));
        open.and_not(&certain);
        certain.and(&range);
        open.and(&range);
        Ok((open, certain))
    }

    /// Counts a position that is open: as it is, or by reading its record.
    fn decide(
        &self,
        run: Run,
        position: u64,
        counting: Counting,
        resolver: &mut Resolver,
        tally: &mut Tally,
    ) -> rusqlite::Result<()> {
        tally.open += 1;
        if counting == Counting::Estimate {
            return Ok(());
        }
        tally.matched += u64::from(self.matches(run, position, resolver)?);
        Ok(())
    }

    /// Whether the record at that position matches, which is read.
    pub(super) fn matches(
        &self,
        run: Run,
        position: u64,
        resolver: &mut Resolver,
    ) -> rusqlite::Result<bool> {
        let found = resolver.arrival(self.source(), run, position)?;
        let Some(arrival) = found else { return Ok(false) };
        let (_, examined) = self.trail.examine(arrival, self.scan.range, self.filter, None)?;
        Ok(matches!(examined, Examined::Found(_)))
    }
}

impl Terms {
    /// Whether a record matches the plan when it has these terms and the bitmaps say that it may.
    pub(super) fn is_all_that_is_open(&self, plan: &Plan) -> bool {
        match plan {
            Plan::Key(_) | Plan::Word(..) | Plan::Prefix(_) => self.has_all(plan),
            Plan::All(all) => all.iter().all(|plan| self.is_all_that_is_open(plan)),
            // Bitmaps decide these, and nothing else is in them.
            Plan::Facet(_) | Plan::Nothing => true,
            // Words are so joined that begin as asked for, in the question as well.
            Plan::Any(any) => any.iter().all(is_facets) || any.iter().all(is_word),
            Plan::Not(inner) => is_facets(inner),
            Plan::Some(..) | Plan::Numbers(..) | Plan::Reaches(..) | Plan::Unknown => false,
        }
    }
}

fn is_word(plan: &Plan) -> bool {
    matches!(plan, Plan::Word(..))
}

fn is_facets(plan: &Plan) -> bool {
    match plan {
        Plan::Facet(_) | Plan::Nothing => true,
        Plan::All(inner) | Plan::Any(inner) => inner.iter().all(is_facets),
        Plan::Not(inner) => is_facets(inner),
        _ => false,
    }
}
