//! A scan of the trail that the index leads.
//!
//! By time, the runs are merged, each opened only when the walk comes to its time; by arrival, the
//! candidates of all that was taken in together are put in order, for stretches that double.
//! Whatever is found is read from the trail and held against the filter. What the index has not
//! reached yet is read whole.

use std::{cell::RefCell, cmp::Ordering, sync::Arc};

use audit_layer::record::Record;
use memchr::memchr2_iter;
use rusqlite::{CachedStatement, Connection, ErrorCode, OptionalExtension};

use super::{
    candidates::{Candidate, Candidates},
    plan::{Plan, Terms},
    resolver::Resolver,
    run::{self, Records, Run},
    sealed::{self, Identity, Sealed},
    tail::Unindexed,
};
use crate::{
    filter::{Filter, TimeRange},
    store::{
        Batch, Deadline, MAX_BATCH_BYTES, Order, Place, Position, Row, Scan, TruncatedBy,
        tell_of_damage,
    },
};

/// The most records that the index may be behind for a scan to be led by it.
pub(super) const MAX_TAIL: i64 = 20_000;

/// The most bytes of such records: each page reads them all.
pub(super) const MAX_TAIL_BYTES: i64 = 32 * 1024 * 1024;

/// Records of the first stretch of a scan in the order of arrival.
const FIRST_STRETCH: i64 = 65_536;

/// A snapshot of the trail, with what each record is read by.
pub(super) struct Trail<'t> {
    connection: &'t Connection,
    time: RefCell<CachedStatement<'t>>,
    record: RefCell<CachedStatement<'t>>,
}

impl Records for Trail<'_> {
    fn timestamp(&self, arrival: i64) -> rusqlite::Result<Option<i64>> {
        self.time.borrow_mut().query_row([arrival], |row| row.get(0)).optional()
    }
}

/// What reading a record gave.
pub(super) enum Examined {
    /// The trail does not have it, or not in this time, or it does not match.
    Passed,
    Damaged,
    Found(Box<str>),
}

impl<'t> Trail<'t> {
    pub(super) fn new(connection: &'t Connection) -> rusqlite::Result<Self> {
        let prepare = |sql| connection.prepare_cached(sql).map(RefCell::new);
        Ok(Self {
            connection,
            time: prepare("SELECT timestamp FROM audit_logs WHERE arrival = ?1")?,
            record: prepare("SELECT timestamp, record FROM audit_logs WHERE arrival = ?1")?,
        })
    }

    /// Another statement, kept ready for the next.
    pub(super) fn prepare(&self, sql: &str) -> rusqlite::Result<CachedStatement<'t>> {
        self.connection.prepare_cached(sql)
    }

    /// Reads the record and holds it against the filter.
    pub(super) fn examine(
        &self,
        arrival: i64,
        range: TimeRange,
        filter: &Filter,
        needle: Option<&str>,
    ) -> rusqlite::Result<(Option<i64>, Examined)> {
        let mut statement = self.record.borrow_mut();
        let mut rows = statement.query([arrival])?;
        let Some(row) = rows.next()? else { return Ok((None, Examined::Passed)) };
        let timestamp: i64 = row.get(0)?;
        if !range.contains(timestamp) {
            return Ok((Some(timestamp), Examined::Passed));
        }
        let line = row.get_ref(1)?.as_str().ok();
        if let (Some(needle), Some(line)) = (needle, line)
            && !has(line, needle)
        {
            return Ok((Some(timestamp), Examined::Passed));
        }
        Ok((Some(timestamp), judge(arrival, line, filter)))
    }
}

/// Whether the line has the text in it, which is in lower case and ASCII, in either case.
fn has(line: &str, text: &str) -> bool {
    let [first, ..] = text.as_bytes() else { return true };
    memchr2_iter(*first, first.to_ascii_uppercase(), line.as_bytes()).any(|at| {
        line.as_bytes()
            .get(at..at + text.len())
            .is_some_and(|found| found.eq_ignore_ascii_case(text.as_bytes()))
    })
}

fn judge(arrival: i64, line: Option<&str>, filter: &Filter) -> Examined {
    let record = line.and_then(|line| Some((line, Record::parse(line).ok()?)));
    judge_read(arrival, record.as_ref().map(|(line, record)| (*line, record)), filter)
}

fn judge_read(arrival: i64, read: Option<(&str, &Record<'_>)>, filter: &Filter) -> Examined {
    match read {
        Some((line, record)) if filter.matches(record) => Examined::Found(line.into()),
        Some(_) => Examined::Passed,
        None => {
            tell_of_damage(arrival);
            Examined::Damaged
        }
    }
}

/// A scan, its plan, and the two snapshots that it reads.
pub(super) struct Search<'s> {
    pub(super) model: &'s Connection,
    pub(super) sealed: &'s Sealed,
    pub(super) identity: Identity,
    pub(super) trail: Trail<'s>,
    pub(super) plan: &'s Plan,
    pub(super) terms: Option<&'s Terms>,
    /// With the conditions of the table that is scanned.
    pub(super) filter: &'s Filter,
    pub(super) scan: &'s Scan<'s>,
    pub(super) deadline: Deadline,
    /// The last arrival that the index has.
    pub(super) indexed: i64,
    /// The records behind it, when they are kept.
    pub(super) kept: Option<Vec<Arc<Unindexed>>>,
}

/// Why a walk ends early.
pub(super) enum Stop {
    Time,
    Failed(rusqlite::Error),
}

impl From<rusqlite::Error> for Stop {
    fn from(error: rusqlite::Error) -> Self {
        match error.sqlite_error_code() {
            Some(ErrorCode::OperationInterrupted) => Self::Time,
            _ => Self::Failed(error),
        }
    }
}

impl<'s> Search<'s> {
    /// The records; none when the deadline passed before anything was known for certain.
    pub(super) fn run(&self) -> rusqlite::Result<Option<Batch>> {
        let mut batch = Batch::default();
        let ended = match self.scan.order {
            Order::Arrival => self.by_arrival(&mut batch),
            Order::Desc | Order::Asc => self.by_time(&mut batch),
        };
        match ended {
            Ok(()) => Ok(Some(batch)),
            Err(Stop::Time) => {
                batch.truncated |= TruncatedBy::Deadline;
                if batch.next.is_none() {
                    batch.next = batch.rows.last().map(|row| row.position.clone());
                }
                Ok(batch.next.is_some().then_some(batch))
            }
            Err(Stop::Failed(error)) => Err(error),
        }
    }

    /// The model, with what is kept of it.
    pub(super) fn source(&self) -> sealed::Source<'s> {
        let Self { model: connection, sealed, identity, .. } = *self;
        sealed::Source { connection, sealed, identity }
    }

    fn look_at_the_clock(&self) -> Result<(), Stop> {
        if self.deadline.passed() { Err(Stop::Time) } else { Ok(()) }
    }

    /// Records that the index has not reached yet and that match, in the order of arrival, and the last
    /// that was looked at.
    pub(super) fn tail(
        &self,
        batch: &mut Batch,
        is_asked_for: impl Fn(&Position) -> bool,
    ) -> Result<(Vec<Row>, Option<i64>), Stop> {
        let (mut found, mut last) = (Vec::new(), None);
        let mut meet = |arrival, timestamp, examine: &dyn Fn() -> Examined| {
            last = Some(arrival);
            let position = Position { timestamp, place: Place::Database { arrival } };
            if self.scan.range.contains(timestamp) && is_asked_for(&position) {
                match examine() {
                    Examined::Found(line) => found.push(Row { position, line }),
                    Examined::Damaged => batch.met_damaged(),
                    Examined::Passed => {}
                }
            }
        };
        match &self.kept {
            Some(records) => {
                for record in records {
                    let examine = || judge_read(record.arrival, record.record(), self.filter);
                    meet(record.arrival, record.timestamp, &examine);
                    self.look_at_the_clock()?;
                }
            }
            None => {
                let mut statement = self.trail.prepare(
                    "SELECT arrival, timestamp, record FROM audit_logs WHERE arrival > ?1 ORDER BY arrival",
                )?;
                let mut rows = statement.query([self.indexed])?;
                while let Some(row) = rows.next()? {
                    let (arrival, line) = (row.get(0)?, row.get_ref(2)?.as_str().ok());
                    meet(arrival, row.get(1)?, &|| judge(arrival, line, self.filter));
                }
            }
        }
        Ok((found, last))
    }

    /// Adds a record; whether there is room for more.
    fn add(&self, batch: &mut Batch, row: Row, bytes: &mut usize) -> bool {
        *bytes += row.line.len();
        if *bytes > MAX_BATCH_BYTES && !batch.rows.is_empty() {
            batch.truncated |= TruncatedBy::Size;
            return false;
        }
        batch.rows.push(row);
        batch.rows.len() < self.scan.limit
    }

    /// Merges the runs. Always the one that may have the next record is looked at, one candidate
    /// after the other, so that none is read further than a page needs.
    fn by_time(&self, batch: &mut Batch) -> Result<(), Stop> {
        let newest_first = self.scan.order == Order::Desc;
        let order = Ordered { newest_first, after: self.scan.after.as_ref() };
        let range = self.scan.range.and(order.range());
        let (tail, _) = self.tail(batch, |position| order.goes_on(position))?;
        let mut streams = vec![Stream::of_tail(tail, order)];
        for run in run::all(self.model)? {
            if run.from_time <= range.to && run.to_time >= range.from {
                streams.push(Stream::closed(run, range, newest_first));
            }
        }
        let mut bytes = 0;
        loop {
            streams.retain(|stream| !stream.is_done());
            let next = streams.iter_mut().min_by(|a, b| order.compare(a.bound(), b.bound()));
            let Some(stream) = next else {
                batch.next = None;
                return Ok(());
            };
            let Some(row) = stream.head.take() else {
                if self.deadline.passed() {
                    let examined = stream.examined.take().filter(|examined| {
                        let next = batch.next.as_ref();
                        next.is_none_or(|next| order.compare(next, examined).is_lt())
                    });
                    batch.next = examined.or(batch.next.take());
                    return Err(Stop::Time);
                }
                self.advance(stream, range, order, batch)?;
                continue;
            };
            let position = row.position.clone();
            let count = batch.rows.len();
            let room = self.add(batch, row, &mut bytes);
            let added = batch.rows.len() > count;
            if added {
                batch.next = Some(position);
            }
            if !room {
                if added && streams.iter().all(Stream::is_done) {
                    batch.next = None;
                }
                return Ok(());
            }
        }
    }

    /// Looks at the next candidate of the stream.
    fn advance(
        &self,
        stream: &mut Stream<'s>,
        range: TimeRange,
        order: Ordered<'_>,
        batch: &mut Batch,
    ) -> Result<(), Stop> {
        let (candidates, resolver, run) = match &mut stream.source {
            Source::Done => return Ok(()),
            Source::Rows(rows) => {
                stream.head = rows.next();
                if stream.head.is_none() {
                    stream.source = Source::Done;
                }
                return Ok(());
            }
            Source::Closed(run) => {
                let positions = run.within(self.model, &self.trail, range)?;
                let (run, newest_first) = (*run, order.newest_first);
                let candidates =
                    Candidates::new(self.plan, self.terms, run, positions, newest_first)
                        .filling(self.scan.limit);
                let candidates = Box::new(candidates);
                stream.source = Source::Run { candidates, resolver: Resolver::default(), run };
                return Ok(());
            }
            Source::Run { candidates, resolver, run } => (candidates, resolver, run),
        };
        let Candidate { position, whole } = match candidates.next(self.source())? {
            None => {
                stream.source = Source::Done;
                return Ok(());
            }
            Some(None) => return Ok(()),
            Some(Some(candidate)) => candidate,
        };
        let found = resolver.arrival(self.source(), *run, position)?;
        let Some(arrival) = found else { return Ok(()) };
        let needle = self.filter.needle().filter(|_| whole);
        let (timestamp, examined) = self.trail.examine(arrival, range, self.filter, needle)?;
        let Some(timestamp) = timestamp else { return Ok(()) };
        let position = Position { timestamp, place: Place::Database { arrival } };
        if !order.goes_on(&position) {
            return Ok(());
        }
        match examined {
            Examined::Found(line) => {
                stream.head = Some(Row { position: position.clone(), line });
            }
            Examined::Damaged => batch.met_damaged(),
            Examined::Passed => {}
        }
        stream.examined = Some(position.clone());
        stream.bound = position;
        Ok(())
    }

    fn by_arrival(&self, batch: &mut Batch) -> Result<(), Stop> {
        let after = match &self.scan.after {
            Some(Position { place: Place::Database { arrival }, .. }) => *arrival,
            Some(Position { place: Place::Redis { .. }, .. }) | None => 0,
        };
        let runs = run::all(self.model)?;
        let mut resolver = Resolver::default();
        let mut bytes = 0;
        let mut examined = after;
        let mut stretch = FIRST_STRETCH;
        // The end of the order of arrival is where the next record will be.
        let at = |arrival| {
            let timestamp = 0;
            Some(Position { timestamp, place: Place::Database { arrival } })
        };
        while examined < self.indexed {
            let until = examined.saturating_add(stretch).min(self.indexed);
            stretch = stretch.saturating_mul(2);
            let mut arrivals = Vec::new();
            for run in &runs {
                let positions = run.arrived(self.model, examined, until)?;
                let mut candidates = Candidates::new(self.plan, self.terms, *run, positions, false);
                for position in candidates.rest(self.source())? {
                    arrivals.extend(resolver.arrival(self.source(), *run, position)?);
                }
                self.look_at_the_clock()?;
            }
            arrivals.sort_unstable();
            // What was taken in together with `until` may have come after it.
            let known = arrivals.iter().filter(|arrival| (examined + 1..=until).contains(*arrival));
            for &arrival in known {
                let (timestamp, found) =
                    self.trail.examine(arrival, self.scan.range, self.filter, None)?;
                if let (Examined::Found(line), Some(timestamp)) = (&found, timestamp) {
                    let position = Position { timestamp, place: Place::Database { arrival } };
                    let row = Row { position: position.clone(), line: line.clone() };
                    let count = batch.rows.len();
                    let room = self.add(batch, row, &mut bytes);
                    if batch.rows.len() > count {
                        batch.next = Some(position);
                    }
                    if !room {
                        return Ok(());
                    }
                } else {
                    if matches!(found, Examined::Damaged) {
                        batch.met_damaged();
                    }
                    batch.next = at(arrival);
                }
                self.look_at_the_clock()?;
            }
            examined = until;
            batch.next = at(examined);
        }
        let seen = Place::Database { arrival: examined };
        let (tail, last) = self.tail(batch, |position| position.place > seen)?;
        for row in tail {
            let position = row.position.clone();
            let count = batch.rows.len();
            let room = self.add(batch, row, &mut bytes);
            if batch.rows.len() > count {
                batch.next = Some(position);
            }
            if !room {
                return Ok(());
            }
        }
        let seen = last.map(|last| last.max(after));
        batch.next = seen.and_then(at).or(batch.next.take()).or_else(|| at(after));
        Ok(())
    }
}

/// An order of time, and the place after which it goes on.
#[derive(Clone, Copy)]
struct Ordered<'a> {
    newest_first: bool,
    after: Option<&'a Position>,
}

impl Ordered<'_> {
    /// What comes first is less.
    fn compare(self, a: &Position, b: &Position) -> Ordering {
        if self.newest_first { b.cmp(a) } else { a.cmp(b) }
    }

    fn goes_on(self, position: &Position) -> bool {
        self.after.is_none_or(|after| self.compare(after, position).is_lt())
    }

    /// The time in which it goes on.
    fn range(self) -> TimeRange {
        match self.after {
            Some(after) if self.newest_first => TimeRange { from: i64::MIN, to: after.timestamp },
            Some(after) => TimeRange { from: after.timestamp, to: i64::MAX },
            None => TimeRange::ALL,
        }
    }
}

/// One of the sequences that are merged.
struct Stream<'p> {
    source: Source<'p>,
    head: Option<Row>,
    /// What has been looked at ends here: the next can be no earlier in the order.
    bound: Position,
    /// The record that was looked at last.
    examined: Option<Position>,
}

enum Source<'p> {
    /// A run that was not needed yet.
    Closed(Run),
    Run {
        candidates: Box<Candidates<'p>>,
        resolver: Resolver,
        run: Run,
    },
    Rows(std::vec::IntoIter<Row>),
    Done,
}

impl Stream<'_> {
    fn closed(run: Run, range: TimeRange, newest_first: bool) -> Self {
        let (timestamp, arrival) = if newest_first {
            (run.to_time.min(range.to), i64::MAX)
        } else {
            (run.from_time.max(range.from), i64::MIN)
        };
        let bound = Position { timestamp, place: Place::Database { arrival } };
        Self { source: Source::Closed(run), head: None, bound, examined: None }
    }

    fn of_tail(mut rows: Vec<Row>, order: Ordered<'_>) -> Self {
        rows.sort_unstable_by(|a, b| order.compare(&a.position, &b.position));
        let mut rows = rows.into_iter();
        let head = rows.next();
        let nowhere = Position { timestamp: 0, place: Place::Database { arrival: 0 } };
        let bound = head.as_ref().map_or(nowhere, |row| row.position.clone());
        Self { source: Source::Rows(rows), head, bound, examined: None }
    }

    fn bound(&self) -> &Position {
        match (&self.head, &self.source) {
            (Some(row), _) => &row.position,
            (None, Source::Rows(rows)) => {
                rows.as_slice().first().map_or(&self.bound, |row| &row.position)
            }
            (None, _) => &self.bound,
        }
    }

    fn is_done(&self) -> bool {
        let ended = match &self.source {
            Source::Done => true,
            Source::Rows(rows) => rows.as_slice().is_empty(),
            Source::Run { candidates, .. } => candidates.is_done(),
            Source::Closed(_) => false,
        };
        ended && self.head.is_none()
    }
}
