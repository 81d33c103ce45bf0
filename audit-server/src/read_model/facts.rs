//! Facts of the records in a stretch of time that match a filter: see [`crate::fact`].
//!
//! Of chunks that are full the columns are read that were asked for; of the others the parts. What
//! the index has not reached yet is read from the trail, and so is what bitmaps leave open. Were a
//! column not to be read, the fold would have taken half of its facts already: that is an error, and
//! no reason to begin again by walking.

use std::{collections::HashMap, sync::mpsc, thread};

use audit_layer::record::Record;
use rusqlite::{Connection, OptionalExtension};

use super::{
    bits::{Bits, CHUNK},
    candidates::{Candidate, Candidates},
    chunk::Chunk,
    columns::{self, Column},
    dictionary::FacetId,
    reading::interrupt,
    resolver::Resolver,
    run::{self, Run},
    schema::{self, RowId, chunk_key},
    search::Search,
};
use crate::{
    fact::{Fact, Fold, Legend, Origin, Sheet, Texts, ValueId, ValueKey, ValueKind, WordId},
    filter::{Filter, TimeRange},
    store::tell_of_damage,
};

/// Which facts are asked for.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Wanted<'w> {
    /// Of records of this time.
    pub(crate) range: TimeRange,
    /// That it lets pass.
    pub(crate) filter: &'w Filter,
    /// What of them. Times and kinds there always are; entries and resources need words.
    pub(crate) columns: &'w [Column],
}

/// What a fold was given.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Met {
    /// Facts that it has taken.
    pub(crate) records: u64,
    /// Stored lines of that time that are no records.
    pub(crate) damaged: u64,
}

/// How far the facts of the index were taken by a fold that is to go on where it ended: of each run
/// the position up to which.
///
/// Within a run, records are in the order of time, and later ones are appended. So what was not taken
/// yet of a time that only ever grows at its end lies behind that position.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Taken {
    runs: HashMap<u32, u64>,
}

impl Taken {
    fn of(&self, run: Run) -> u64 {
        self.runs.get(&run.number).copied().unwrap_or_default()
    }
}

/// A fold that counts what another is given.
pub(crate) struct CountingFold<'f> {
    pub(crate) fold: &'f mut dyn Fold,
    pub(crate) met: Met,
}

impl Fold for CountingFold<'_> {
    fn take(&mut self, facts: &crate::fact::Facts<'_>) {
        self.met.records += facts.rows.len() as u64;
        self.fold.take(facts);
    }
}

/// How many chunks are read before they are folded.
const CHUNKS_AHEAD: usize = 2;

/// What of a chunk is given to a fold.
struct ChunkOfFacts {
    sheet: Sheet,
    base: Origin,
    /// The places from the first up to before the second.
    within: (usize, usize),
    /// Which of these; none when all.
    bits: Option<Bits>,
}

impl ChunkOfFacts {
    fn fold(&self, legend: &mut Legend, rows: &mut Vec<Fact>, fold: &mut dyn Fold) {
        let wanted = |place| self.bits.as_ref().is_none_or(|bits| bits.has(place));
        self.sheet.fold(self.within, wanted, (self.base, &[]), legend, rows, fold);
    }
}

/// Which positions of a run are meant.
pub(super) enum Chosen {
    All,
    /// By chunk, as its bitmaps say.
    ByChunk,
    /// These, in order.
    These(Vec<u64>),
}

impl Search<'_> {
    /// Gives the facts that are wanted, and that are not taken yet, to the fold: of the index, and of what it
    /// has not reached.
    pub(super) fn facts(
        &self,
        columns: &[Column],
        taken: &Taken,
        legend: &mut Legend,
        key: ValueKey,
        fold: &mut dyn Fold,
    ) -> rusqlite::Result<Met> {
        let mut fold = CountingFold { fold, met: Met::default() };
        let damaged = self.indexed_facts(columns, &mut taken.clone(), legend, &mut fold)?;
        fold.met.damaged += damaged;
        self.tail_facts(legend, key, &mut fold)?;
        Ok(fold.met)
    }

    /// The same of the index alone, which are taken thereby.
    pub(super) fn take_indexed_facts(
        &self,
        columns: &[Column],
        taken: &mut Taken,
        legend: &mut Legend,
        fold: &mut dyn Fold,
    ) -> rusqlite::Result<Met> {
        let mut fold = CountingFold { fold, met: Met::default() };
        let damaged = self.indexed_facts(columns, taken, legend, &mut fold)?;
        fold.met.damaged += damaged;
        Ok(fold.met)
    }

    /// How many lines there are that are no records. This thread reads sheets, and another one folds them.
    fn indexed_facts(
        &self,
        columns: &[Column],
        taken: &mut Taken,
        legend: &mut Legend,
        fold: &mut CountingFold<'_>,
    ) -> rusqlite::Result<u64> {
        let given = thread::scope(|scope| {
            let (sender, chunks) = mpsc::sync_channel::<ChunkOfFacts>(CHUNKS_AHEAD);
            let (legend, fold) = (&mut *legend, &mut *fold);
            let folder = move || {
                let mut rows = Vec::new();
                chunks.iter().for_each(|chunk| chunk.fold(legend, &mut rows, fold));
            };
            let named = thread::Builder::new().name("report".to_owned());
            let folder = named.spawn_scoped(scope, folder).ok()?;
            let given = self.each_sheet(columns, taken, |chunk| sender.send(chunk).is_ok());
            drop(sender);
            folder.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
            Some(given)
        });
        given.unwrap_or_else(|| {
            // The system gives no thread.
            let mut rows = Vec::new();
            self.each_sheet(columns, taken, |chunk| {
                chunk.fold(legend, &mut rows, fold);
                true
            })
        })
    }

    /// Gives the chunks that have any of the facts, until nobody takes them any more. How many lines of the
    /// time there are that are no records.
    fn each_sheet(
        &self,
        columns: &[Column],
        taken: &mut Taken,
        mut give: impl FnMut(ChunkOfFacts) -> bool,
    ) -> rusqlite::Result<u64> {
        let mut damaged = 0;
        for run in run::all(self.model)? {
            let range = self.scan.range;
            if run.from_time > range.to || run.to_time < range.from {
                continue;
            }
            let (from, to) = run.within(self.model, &self.trail, range)?;
            let from = from.max(taken.of(run));
            if from >= to {
                continue;
            }
            taken.runs.insert(run.number, to);
            let chosen = self.chosen(run, (from, to))?;
            let size = CHUNK as u64;
            let mut start = from / size * size;
            while start < to {
                if self.deadline.passed() {
                    return Err(interrupt());
                }
                let bounds = (from.max(start), to.min(start + size));
                let bits = self.bits(&chosen, run, start, bounds)?;
                damaged += self.damaged(run, start, bounds)?;
                if bits.as_ref().is_none_or(|bits| !bits.is_empty()) {
                    let sheet = read_sheet(self.model, run, start / size, columns)?;
                    let base = Origin::Row(RowId::new(run.number, start).0);
                    let at = |position: u64| (position - start) as usize;
                    let within = (at(bounds.0), at(bounds.1).min(sheet.len()));
                    if !give(ChunkOfFacts { sheet, base, within, bits }) {
                        return Ok(damaged);
                    }
                }
                start += size;
            }
        }
        Ok(damaged)
    }

    /// How many lines between two positions of a chunk are no records, whatever is asked for.
    fn damaged(&self, run: Run, start: u64, (from, to): (u64, u64)) -> rusqlite::Result<u64> {
        let chunk = Chunk::read(self.source(), run, start / CHUNK as u64)?;
        let Some(damaged) = chunk.facet(FacetId::DAMAGED)? else { return Ok(0) };
        let within = (from - start) as usize..(to - start) as usize;
        Ok(damaged.iter().filter(|place| within.contains(place)).count() as u64)
    }

    pub(super) fn chosen(&self, run: Run, positions: (u64, u64)) -> rusqlite::Result<Chosen> {
        if *self.filter == Filter::ANY {
            return Ok(Chosen::All);
        }
        let Some(terms) = self.terms.filter(|terms| !terms.are_dense()) else {
            return Ok(Chosen::ByChunk);
        };
        let decided = terms.is_all_that_is_open(self.plan);
        let mut candidates =
            Candidates::new(self.plan, Some(terms), run, positions, false).without_walking();
        let mut resolver = Resolver::default();
        let mut chosen = Vec::new();
        while let Some(found) = candidates.next(self.source())? {
            if self.deadline.passed() {
                return Err(interrupt());
            }
            let Some(Candidate { position, whole }) = found else { continue };
            if decided && whole || self.matches(run, position, &mut resolver)? {
                chosen.push(position);
            }
        }
        Ok(Chosen::These(chosen))
    }

    /// Which places of the chunk are meant; none when all are.
    pub(super) fn bits(
        &self,
        chosen: &Chosen,
        run: Run,
        start: u64,
        (from, to): (u64, u64),
    ) -> rusqlite::Result<Option<Bits>> {
        match chosen {
            Chosen::All => Ok(None),
            Chosen::These(positions) => {
                let first = positions.partition_point(|position| *position < from);
                let mut bits = Bits::empty();
                for position in positions.iter().skip(first).take_while(|position| **position < to)
                {
                    bits.set((position - start) as usize);
                }
                Ok(Some(bits))
            }
            Chosen::ByChunk => {
                let (open, mut certain) =
                    self.open_in_chunk(run, start / CHUNK as u64, from, to)?;
                let mut resolver = Resolver::default();
                for at in open.iter() {
                    if self.deadline.passed() {
                        return Err(interrupt());
                    }
                    if self.matches(run, start + at as u64, &mut resolver)? {
                        certain.set(at);
                    }
                }
                Ok(Some(certain))
            }
        }
    }

    fn tail_facts(
        &self,
        legend: &mut Legend,
        key: ValueKey,
        fold: &mut CountingFold<'_>,
    ) -> rusqlite::Result<()> {
        let (mut sheet, mut origins) = (Sheet::default(), Vec::new());
        fold.met.damaged += self.each_of_tail(|arrival, timestamp, record| {
            sheet.push(timestamp, Some(record), key);
            origins.push(arrival);
        })?;
        let all = (0, sheet.len());
        let base = (Origin::Arrival(0), &origins[..]);
        sheet.fold(all, |_| true, base, legend, &mut Vec::new(), fold);
        Ok(())
    }

    /// Gives what the index has not reached and matches, in the order of time. How many lines there
    /// are that are no records.
    pub(super) fn each_of_tail(
        &self,
        mut visit: impl FnMut(i64, i64, &Record<'_>),
    ) -> rusqlite::Result<u64> {
        // The plus keeps SQLite from walking the index of times.
        let mut statement = self.trail.prepare(
            "SELECT arrival, timestamp, record FROM audit_logs
             WHERE arrival > ?1 AND +timestamp BETWEEN ?2 AND ?3 ORDER BY +timestamp, arrival",
        )?;
        let TimeRange { from, to } = self.scan.range;
        let mut found = statement.query([self.indexed, from, to])?;
        let mut damaged = 0;
        while let Some(row) = found.next()? {
            if self.deadline.passed() {
                return Err(interrupt());
            }
            let (arrival, timestamp): (i64, i64) = (row.get(0)?, row.get(1)?);
            let line = row.get_ref(2)?.as_str().ok();
            match line.and_then(|line| Record::parse(line).ok()) {
                Some(record) if self.filter.matches(&record) => visit(arrival, timestamp, &record),
                Some(_) => {}
                None => {
                    tell_of_damage(arrival);
                    damaged += 1;
                }
            }
        }
        Ok(damaged)
    }
}

fn read_sheet(
    model: &Connection,
    run: Run,
    chunk: u64,
    wanted: &[Column],
) -> rusqlite::Result<Sheet> {
    let mut sheet = Sheet::default();
    let rest = run.count.saturating_sub(chunk * CHUNK as u64);
    if rest < CHUNK as u64 {
        let mut statement =
            model.prepare_cached("SELECT sheet FROM parts WHERE run = ?1 ORDER BY part")?;
        let mut parts = statement.query([run.number])?;
        while let Some(row) = parts.next()? {
            let part = columns::decode_all(row.get_ref(0)?.as_blob()?);
            sheet.append(&part.ok_or_else(schema::damaged)?);
        }
        return Ok(sheet);
    }
    let mut statement = model.prepare_cached("SELECT data FROM facts WHERE key = ?1")?;
    let is_wanted = |column: &Column| {
        matches!(column, Column::Times | Column::Kinds) || wanted.contains(column)
    };
    for column in Column::ALL.into_iter().filter(is_wanted) {
        let key = chunk_key(column as u32, run.number, chunk);
        let read = statement.query_row([key], |row| {
            Ok(columns::decode(&mut sheet, column, row.get_ref(0)?.as_blob()?))
        });
        read.optional()?.flatten().ok_or_else(schema::damaged)?;
    }
    columns::fill(&mut sheet);
    Ok(sheet)
}

/// Finds the texts behind numbers in the trail.
pub(crate) struct RecordTexts<'t> {
    pub(super) model: Option<&'t Connection>,
    pub(super) trail: &'t Connection,
    pub(super) legend: &'t Legend,
    pub(super) key: ValueKey,
    pub(super) resolver: Resolver,
}

/// What stands for a text whose record cannot be read any more.
const UNREADABLE: &str = "(unreadable)";

impl<'t> RecordTexts<'t> {
    pub(crate) fn new(
        model: Option<&'t Connection>,
        trail: &'t Connection,
        legend: &'t Legend,
        key: ValueKey,
    ) -> Self {
        Self { model, trail, legend, key, resolver: Resolver::default() }
    }

    /// What the record says.
    fn read<T>(
        &mut self,
        origin: Origin,
        read: impl FnOnce(&Record<'_>) -> Option<T>,
    ) -> Option<T> {
        let arrival = match (origin, self.model) {
            (Origin::Arrival(arrival), _) => arrival,
            (Origin::Row(row), Some(model)) => {
                self.resolver.arrival_of(model, RowId(row)).ok()??
            }
            (Origin::Row(_), None) => return None,
        };
        let line = super::reading::line_of(self.trail, arrival).ok()??;
        read(&Record::parse(&line).ok()?)
    }
}

impl Texts for RecordTexts<'_> {
    fn value(&mut self, kind: ValueKind, value: ValueId) -> Box<str> {
        let key = self.key;
        let found = self.legend.values(kind).known(value).and_then(|(hash, origin)| {
            self.read(origin, |record| {
                let text = kind.of(record)?;
                (key.hash(kind.member(), text) == hash).then(|| text.into())
            })
        });
        found.unwrap_or_else(|| UNREADABLE.into())
    }

    fn word(&mut self, word: WordId) -> Box<str> {
        self.legend.word(word).into()
    }

    fn id(&mut self, origin: Origin) -> Box<str> {
        self.read(origin, |record| Some((*record.id).into())).unwrap_or_else(|| UNREADABLE.into())
    }
}
