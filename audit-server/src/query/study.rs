//! The trail as facts: what reports and charts are computed from.

use rusqlite::params;

use super::{Sight, trail::View};
use crate::{
    Error,
    fact::{Fact, Fold, Legend, Origin, Sheet, Texts, ValueKey},
    filter::{Field, Filter, TimeRange},
    read_model::{
        Column, CountingFold, Followed, Identity, Met, Reading, RecordTexts, Taken, ValueCounts,
        Wanted,
    },
    store::{Deadline, QueryTimeout},
};

/// Facts that are given to a fold together when the trail is walked.
const TOGETHER: usize = 16_384;

/// Facts of the trail at one moment, from the read model where there is one, else from the lines.
pub(crate) struct Study<'t> {
    view: View<'t>,
    legend: Legend,
    key: ValueKey,
    deadline: Deadline,
}

impl<'t> Study<'t> {
    pub(super) fn new(view: View<'t>, deadline: Deadline) -> Self {
        let key = view.reading.as_ref().map_or_else(random_key, |reading| reading.value_key());
        Self { view, legend: Legend::default(), key, deadline }
    }

    /// The trail itself, at the same moment.
    pub(crate) fn view(&self) -> &View<'t> {
        &self.view
    }

    /// The earliest and the latest time of the records that are seen.
    ///
    /// # Errors
    /// Those of [`View::extent`].
    pub(crate) fn extent(&self, sight: &Sight) -> Result<Option<(i64, i64)>, Error> {
        self.view.extent(sight, self.deadline)
    }

    /// When the study must have ended.
    pub(crate) fn deadline(&self) -> Deadline {
        self.deadline
    }

    /// Gives the facts of records in that time which match to the fold. Its numbers are those of
    /// [`Study::legend`], over all calls.
    ///
    /// # Errors
    /// When the trail cannot be read, or the deadline passes. The fold may have taken some facts.
    pub(crate) fn fold(
        &mut self,
        range: TimeRange,
        filter: &Filter,
        columns: &[Column],
        fold: &mut dyn Fold,
    ) -> Result<Met, Error> {
        self.fold_rest(&Wanted { range, filter, columns }, &Taken::default(), fold)
    }

    /// The same for a fold that has taken some: gives it the others.
    ///
    /// # Errors
    /// Those of [`Study::fold`].
    pub(crate) fn fold_rest(
        &mut self,
        wanted: &Wanted<'_>,
        taken: &Taken,
        fold: &mut dyn Fold,
    ) -> Result<Met, Error> {
        if let Some(reading) = &self.view.reading {
            let (snapshot, legend) = (&self.view.snapshot, &mut self.legend);
            let given =
                reading.facts(snapshot, wanted, taken, legend, &mut *fold, self.deadline)?;
            if let Some(met) = given {
                return Ok(met);
            }
        }
        if *taken != Taken::default() {
            let reason = "the read model cannot go on from what was taken from it";
            return Err(Error::Internal(reason.into()));
        }
        self.walk(wanted, fold).map_err(|source| self.view.snapshot.unreadable(source))
    }

    /// Gives what the read model has reached of what is wanted to a fold that is kept, and asked for
    /// more later on, but what it was given before; none without a read model, and nothing was given.
    ///
    /// What is left for [`Study::fold_rest`] is of this moment alone.
    ///
    /// # Errors
    /// Those of [`Study::fold`]. What the fold was given is not known then.
    pub(crate) fn take_indexed(
        &mut self,
        wanted: &Wanted<'_>,
        taken: &mut Taken,
        fold: &mut dyn Fold,
    ) -> Result<Option<Met>, Error> {
        let Some(reading) = &self.view.reading else { return Ok(None) };
        let (snapshot, legend) = (&self.view.snapshot, &mut self.legend);
        reading.take_indexed_facts(snapshot, wanted, taken, legend, fold, self.deadline)
    }

    /// Which model the numbers and rows of the legend are of; none without one.
    pub(crate) fn model(&self) -> Option<Identity> {
        self.view.reading.as_ref().map(Reading::identity)
    }

    /// Goes on with the numbers of another study of the same model, and gives its own.
    pub(crate) fn go_on_with(&mut self, legend: Legend) -> Legend {
        std::mem::replace(&mut self.legend, legend)
    }

    /// What is known of the chain in that time; none when no read model has followed it.
    ///
    /// # Errors
    /// When the read model cannot be read.
    pub(crate) fn verdict(&self, range: TimeRange) -> Result<Option<Followed>, Error> {
        match &self.view.reading {
            Some(reading) => reading.verdict(&self.view.snapshot, range),
            None => Ok(None),
        }
    }

    /// How many of the records of that time which match have each value of the name; none when each
    /// would have to be read.
    ///
    /// # Errors
    /// When the deadline passes.
    pub(crate) fn value_counts(
        &self,
        field: &Field,
        range: TimeRange,
        filter: &Filter,
    ) -> Result<Option<ValueCounts>, Error> {
        match &self.view.reading {
            Some(reading) => {
                let snapshot = &self.view.snapshot;
                reading.value_counts(snapshot, field, (range, filter), self.deadline)
            }
            None => Ok(None),
        }
    }

    fn walk(&mut self, wanted: &Wanted<'_>, fold: &mut dyn Fold) -> rusqlite::Result<Met> {
        let mut fold = CountingFold { fold, met: Met::default() };
        let mut statement = self.view.snapshot.prepare_cached(
            "SELECT arrival, timestamp, record FROM audit_logs
             WHERE timestamp BETWEEN ?1 AND ?2 ORDER BY timestamp, arrival",
        )?;
        let range = wanted.range.and(wanted.filter.time());
        let mut found = statement.query(params![range.from, range.to])?;
        let (mut sheet, mut origins) = (Sheet::default(), Vec::new());
        let mut rows: Vec<Fact> = Vec::new();
        loop {
            let row = found.next()?;
            if row.is_none() || sheet.len() >= TOGETHER {
                let all = (0, sheet.len());
                let base = (Origin::Arrival(0), &origins[..]);
                sheet.fold(all, |_| true, base, &mut self.legend, &mut rows, &mut fold);
                (sheet, origins) = (Sheet::default(), Vec::new());
            }
            let Some(row) = row else { return Ok(fold.met) };
            let (arrival, timestamp): (i64, i64) = (row.get(0)?, row.get(1)?);
            let line = row.get_ref(2)?.as_str().ok();
            match line.and_then(|line| audit_layer::record::Record::parse(line).ok()) {
                Some(record) if wanted.filter.matches(&record) => {
                    sheet.push(timestamp, Some(&record), self.key);
                    origins.push(arrival);
                }
                Some(_) => {}
                None => fold.met.damaged += 1,
            }
        }
    }

    /// What the numbers of all facts so far stand for.
    pub(crate) fn legend(&self) -> &Legend {
        &self.legend
    }

    /// What was made of it, if there was time for that: of a text that was looked up too late nothing is
    /// known, and it would say that its record cannot be read.
    ///
    /// # Errors
    /// When the deadline has passed.
    pub(crate) fn in_time<R>(&self, made: R) -> Result<R, Error> {
        if self.deadline.passed() { Err(QueryTimeout.into()) } else { Ok(made) }
    }

    /// Finds the texts behind the numbers. What is made of them is to be given to [`Study::in_time`].
    pub(crate) fn texts(&self) -> impl Texts + '_ {
        let model = self.view.reading.as_ref().and_then(|reading| reading.connection());
        RecordTexts::new(model, &self.view.snapshot, &self.legend, self.key)
    }
}

/// A key of its own for each study: nobody is to make up users whose hashes are the same.
fn random_key() -> ValueKey {
    let mut key = [0; 16];
    if getrandom::fill(&mut key).is_err() {
        tracing::warn!("the system gives no randomness for the hashes of a report");
    }
    ValueKey(key)
}
