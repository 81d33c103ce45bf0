//! The model as those who ask see it.

use std::path::PathBuf;

use rusqlite::{Connection, ErrorCode, OptionalExtension};

use super::{
    count::{Count, Counted, Counting},
    facts::{Met, Taken, Wanted},
    heads::{self, Alarm},
    plan::Plan,
    proof::{self, Verdict},
    schema::{self, State},
    sealed::{Identity, Sealed},
    search::{MAX_TAIL, MAX_TAIL_BYTES, Search, Trail},
    tail::Tail,
    top::ValueCounts,
};
use crate::{
    Error,
    fact::{Fold, Legend, ValueKey},
    filter::{Field, Filter, TimeRange},
    store::{Batch, Deadline, Lease, Order, Pool, QueryTimeout, Scan, Snapshot, Table},
};

/// Virtual machine steps between two looks at the clock.
const STEPS_PER_LOOK: i32 = 4_000;

/// The model at a path, whether it exists yet or not.
#[derive(Debug)]
pub(crate) struct ReadModel {
    path: PathBuf,
    pool: Pool,
    sealed: Sealed,
    tail: Tail,
}

/// One consistent view of the model.
///
/// To be taken before the snapshot of the trail that it is used with: then the trail has everything
/// that the model knows of.
#[derive(Debug)]
pub(crate) struct Reading<'m> {
    lease: Lease<'m>,
    state: State,
    sealed: &'m Sealed,
    tail: &'m Tail,
}

/// What is known of the chains of a trail.
#[derive(Debug)]
pub(crate) struct Followed {
    /// Of the records that were taken in.
    pub(crate) verdict: Verdict,
    /// What was there once and is not any more, the latest first.
    pub(crate) alarms: Vec<Alarm>,
}

impl ReadModel {
    /// Reads the model at that path from now on. Opens nothing yet.
    #[must_use]
    pub(crate) fn new(path: impl Into<PathBuf>) -> Self {
        Self {
            path: path.into(),
            pool: Pool::default(),
            sealed: Sealed::default(),
            tail: Tail::default(),
        }
    }

    /// The model as it stands at this moment; none when it cannot be read, for whatever reason:
    /// without it the trail is walked.
    pub(crate) fn reading(&self, deadline: Deadline) -> Option<Reading<'_>> {
        match self.begin(deadline) {
            Ok(reading) => reading,
            Err(error) => {
                tracing::debug!(%error, "the read model cannot be read");
                None
            }
        }
    }

    fn begin(&self, deadline: Deadline) -> Result<Option<Reading<'_>>, Box<dyn std::error::Error>> {
        let Some(mut lease) = self.pool.lease(&self.path, deadline)? else { return Ok(None) };
        let (mut connection, new) = match lease.connection.take() {
            Some(connection) => (connection, false),
            None => (schema::open_to_read(&self.path)?, true),
        };
        connection.progress_handler(STEPS_PER_LOOK, Some(move || deadline.passed()))?;
        let state = connection
            .prepare_cached("BEGIN")
            .and_then(|mut begin| begin.execute([]))
            .and_then(|_| schema::state(&connection));
        if !matches!(state, Ok(Some(_))) {
            // Nothing of it may go on: it would pin what it reads.
            release(&mut connection)?;
        }
        lease.connection = Some(connection);
        if new {
            lease.opened(&self.path);
        }
        Ok(state?.map(|state| Reading { lease, state, sealed: &self.sealed, tail: &self.tail }))
    }
}

#[cfg(test)]
impl ReadModel {
    /// Of how many chunks a term is kept.
    pub(super) fn kept_terms(&self) -> usize {
        self.sealed.terms()
    }
}

/// Ends what was begun.
fn release(connection: &mut Connection) -> rusqlite::Result<()> {
    connection.progress_handler(0, None::<fn() -> bool>)?;
    if !connection.is_autocommit() {
        connection.prepare_cached("ROLLBACK")?.execute([])?;
    }
    Ok(())
}

impl Drop for Reading<'_> {
    fn drop(&mut self) {
        self.lease.connection.take_if(|connection| release(connection).is_err());
    }
}

impl Reading<'_> {
    /// Reads the next records that the scan asks for; none when the model cannot lead to them, and
    /// the trail is to be walked.
    ///
    /// # Errors
    /// When the deadline passes before anything is known.
    pub(crate) fn scan(
        &self,
        snapshot: &Snapshot<'_>,
        scan: &Scan<'_>,
        deadline: Deadline,
    ) -> Result<Option<Batch>, Error> {
        let Some(model) = &self.lease.connection else { return Ok(None) };
        match self.try_scan(model, snapshot, scan, deadline) {
            Ok(led) => Ok(led),
            Err(error) if is_interrupt(&error) => Err(QueryTimeout.into()),
            Err(error) => {
                tracing::warn!(%error, "the read model cannot be used: the trail is walked");
                Ok(None)
            }
        }
    }

    /// Counts the records that the scan asks for, wherever it goes on; none when the model cannot
    /// tell.
    pub(crate) fn count(
        &self,
        snapshot: &Snapshot<'_>,
        scan: &Scan<'_>,
        counting: Counting,
        deadline: Deadline,
    ) -> Result<Option<Count>, Error> {
        let Some(model) = &self.lease.connection else { return Ok(None) };
        let counted =
            self.search(model, snapshot, scan, deadline, |search| search.count(counting).map(Some));
        match counted {
            Ok(counted) => Ok(counted),
            Err(error) if is_interrupt(&error) => {
                Ok(Some(Count { value: 0, is: Counted::AtLeast }))
            }
            Err(error) => {
                tracing::warn!(%error, "the read model cannot be used: the trail is walked");
                Ok(None)
            }
        }
    }

    /// Gives the facts that are wanted to the fold, but those that were taken; none when the model
    /// cannot, and nothing was given.
    ///
    /// # Errors
    /// When the deadline passes, or the model is damaged.
    pub(crate) fn facts(
        &self,
        snapshot: &Snapshot<'_>,
        wanted: &Wanted<'_>,
        taken: &Taken,
        legend: &mut Legend,
        fold: &mut dyn Fold,
        deadline: Deadline,
    ) -> Result<Option<Met>, Error> {
        self.of_facts(snapshot, wanted, deadline, |search| {
            search.facts(wanted.columns, taken, legend, self.value_key(), fold)
        })
    }

    /// The same of what the index has reached alone, all of which is taken afterwards.
    ///
    /// # Errors
    /// When the deadline passes, or the model is damaged. Some were taken then, and nobody knows which.
    pub(crate) fn take_indexed_facts(
        &self,
        snapshot: &Snapshot<'_>,
        wanted: &Wanted<'_>,
        taken: &mut Taken,
        legend: &mut Legend,
        fold: &mut dyn Fold,
        deadline: Deadline,
    ) -> Result<Option<Met>, Error> {
        self.of_facts(snapshot, wanted, deadline, |search| {
            search.take_indexed_facts(wanted.columns, taken, legend, fold)
        })
    }

    fn of_facts(
        &self,
        snapshot: &Snapshot<'_>,
        wanted: &Wanted<'_>,
        deadline: Deadline,
        give: impl FnOnce(&Search<'_>) -> rusqlite::Result<Met>,
    ) -> Result<Option<Met>, Error> {
        let Some(model) = &self.lease.connection else { return Ok(None) };
        let Wanted { range, filter, .. } = *wanted;
        let range = range.and(filter.time());
        let (table, order) = (Table::Logs, Order::Asc);
        let scan = Scan { table, order, range, after: None, limit: 1, filter };
        let given = self.search(model, snapshot, &scan, deadline, |search| give(search).map(Some));
        given.map_err(|error| {
            if is_interrupt(&error) { QueryTimeout.into() } else { Error::internal(error) }
        })
    }

    /// How many of the records of that time which match have each value of the name; none when the
    /// model cannot tell.
    ///
    /// # Errors
    /// When the deadline passes, or the model is damaged.
    pub(crate) fn value_counts(
        &self,
        snapshot: &Snapshot<'_>,
        field: &Field,
        (range, filter): (TimeRange, &Filter),
        deadline: Deadline,
    ) -> Result<Option<ValueCounts>, Error> {
        let Some(model) = &self.lease.connection else { return Ok(None) };
        let range = range.and(filter.time());
        let (table, order) = (Table::Logs, Order::Asc);
        let scan = Scan { table, order, range, after: None, limit: 1, filter };
        let count = |search: &Search<'_>| search.value_counts(field);
        self.search(model, snapshot, &scan, deadline, count).map_err(|error| {
            if is_interrupt(&error) { QueryTimeout.into() } else { Error::internal(error) }
        })
    }

    /// What is known of the chain in that time; none when the model is not of this trail, or far
    /// behind it.
    ///
    /// # Errors
    /// When the model cannot be read.
    pub(crate) fn verdict(
        &self,
        snapshot: &Snapshot<'_>,
        range: TimeRange,
    ) -> Result<Option<Followed>, Error> {
        let read = || match &self.lease.connection {
            Some(model) if self.is_of(snapshot, newest(snapshot)?)? => {
                let (verdict, alarms) = (proof::verdict(model, range)?, heads::alarms(model)?);
                Ok(Some(Followed { verdict, alarms }))
            }
            _ => Ok(None),
        };
        read().map_err(|error| {
            if is_interrupt(&error) { QueryTimeout.into() } else { Error::internal(error) }
        })
    }

    /// Which model it is.
    pub(crate) fn identity(&self) -> Identity {
        Identity { key: self.state.hash_key, replaced: self.lease.replaced }
    }

    /// The key under which the model hashes values.
    pub(crate) fn value_key(&self) -> ValueKey {
        ValueKey(self.state.hash_key.0)
    }

    /// The model itself, to find records by the rows of facts.
    pub(crate) fn connection(&self) -> Option<&Connection> {
        self.lease.connection.as_ref()
    }

    fn try_scan(
        &self,
        model: &Connection,
        snapshot: &Snapshot<'_>,
        scan: &Scan<'_>,
        deadline: Deadline,
    ) -> rusqlite::Result<Option<Batch>> {
        self.search(model, snapshot, scan, deadline, |search| {
            let informed = search.terms.is_some() || search.plan.has_bounds_by_chunk();
            if *scan.filter == Filter::ANY || !informed {
                return Ok(None);
            }
            search.run()?.ok_or_else(interrupt).map(Some)
        })
    }

    fn search<T>(
        &self,
        model: &Connection,
        snapshot: &Snapshot<'_>,
        scan: &Scan<'_>,
        deadline: Deadline,
        find: impl FnOnce(&Search<'_>) -> rusqlite::Result<Option<T>>,
    ) -> rusqlite::Result<Option<T>> {
        let newest = newest(snapshot)?;
        if !self.is_of(snapshot, newest)? {
            return Ok(None);
        }
        let kept = self.tail.after(snapshot, self.identity(), self.state.arrival, newest)?;
        if kept.is_none() && self.is_far_behind(snapshot)? {
            return Ok(None);
        }
        let filter = scan.table.filter().and(scan.filter.clone());
        let plan = Plan::of(&filter, model, self.state)?;
        let terms = plan.terms(self.state.damaged);
        find(&Search {
            model,
            sealed: self.sealed,
            identity: self.identity(),
            trail: Trail::new(snapshot)?,
            plan: &plan,
            terms: terms.as_ref(),
            filter: &filter,
            scan,
            deadline,
            indexed: self.state.arrival,
            kept,
        })
    }

    /// Whether the model was made from this trail, and is not too far behind it.
    fn is_of(&self, snapshot: &Snapshot<'_>, newest: i64) -> rusqlite::Result<bool> {
        if self.state.arrival == 0 || self.state.rebuild {
            return Ok(false);
        }
        let same = snapshot
            .prepare_cached(LINE_SQL)?
            .query_row([self.state.arrival], |row| {
                // A text that is none is a line that is no record, and is here all the same.
                let line = row.get_ref(0)?.as_str().unwrap_or_default();
                Ok(self.state.hash_key.of_line(line) == self.state.line)
            })
            .optional()?
            .unwrap_or(false);
        Ok(same && newest - self.state.arrival <= MAX_TAIL)
    }

    /// Whether there are more bytes than each page should read.
    fn is_far_behind(&self, snapshot: &Snapshot<'_>) -> rusqlite::Result<bool> {
        let bytes: i64 = snapshot
            .prepare_cached(
                "SELECT coalesce(sum(octet_length(record)), 0) FROM audit_logs WHERE arrival > ?1",
            )?
            .query_row([self.state.arrival], |row| row.get(0))?;
        Ok(bytes > MAX_TAIL_BYTES)
    }
}

/// The last arrival of the trail.
fn newest(snapshot: &Snapshot<'_>) -> rusqlite::Result<i64> {
    snapshot
        .prepare_cached("SELECT coalesce(max(arrival), 0) FROM audit_logs")?
        .query_row([], |row| row.get(0))
}

const LINE_SQL: &str = "SELECT record FROM audit_logs WHERE arrival = ?1";

/// The line of the record with that arrival number.
pub(super) fn line_of(trail: &Connection, arrival: i64) -> rusqlite::Result<Option<Box<str>>> {
    let mut statement = trail.prepare_cached(LINE_SQL)?;
    let mut rows = statement.query([arrival])?;
    Ok(match rows.next()? {
        // A text that is none is a line that is no record, and is here all the same.
        Some(row) => Some(row.get_ref(0)?.as_str().unwrap_or_default().into()),
        None => None,
    })
}

fn is_interrupt(error: &rusqlite::Error) -> bool {
    error.sqlite_error_code() == Some(ErrorCode::OperationInterrupted)
}

pub(super) fn interrupt() -> rusqlite::Error {
    rusqlite::Error::SqliteFailure(rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_INTERRUPT), None)
}
