//! The trail with what is known of it: the database, and the read model if there is one.

use std::sync::Arc;

use super::{MAX_LIMIT, Sight, Study};
use crate::{
    Error,
    filter::TimeRange,
    read_model::{Count, Counted, Counting, ReadModel, Reading},
    store::{Batch, DatabaseStore, Deadline, Order, Scan, Snapshot, Store, Table},
};

/// Where questions of the database are answered.
#[derive(Debug)]
pub(crate) struct Trail {
    database: Arc<DatabaseStore>,
    model: Option<ReadModel>,
}

/// The trail at one moment.
#[derive(Debug)]
pub(crate) struct View<'t> {
    // In this order they were taken.
    pub(super) reading: Option<Reading<'t>>,
    pub(crate) snapshot: Snapshot<'t>,
}

impl Trail {
    /// Answers from the database, led by the model where it can.
    pub(crate) fn new(database: Arc<DatabaseStore>, model: Option<ReadModel>) -> Self {
        Self { database, model }
    }

    /// The same, led by this model.
    pub(crate) fn led_by(self, model: ReadModel) -> Self {
        Self { model: Some(model), ..self }
    }

    /// The database alone.
    pub(crate) fn database(&self) -> &DatabaseStore {
        &self.database
    }

    /// The trail as it stands at this moment.
    ///
    /// # Errors
    /// Those of [`DatabaseStore::snapshot`].
    pub(crate) fn view(&self, deadline: Deadline) -> Result<View<'_>, Error> {
        let reading = self.model.as_ref().and_then(|model| model.reading(deadline));
        Ok(View { reading, snapshot: self.database.snapshot(deadline)? })
    }

    /// The facts of the trail as it stands at this moment.
    ///
    /// # Errors
    /// Those of [`DatabaseStore::snapshot`].
    pub(crate) fn study(&self, deadline: Deadline) -> Result<Study<'_>, Error> {
        Ok(Study::new(self.view(deadline)?, deadline))
    }
}

impl View<'_> {
    /// Reads the next records that the scan asks for.
    ///
    /// # Errors
    /// When SQLite fails, or the deadline passes before anything was examined.
    pub(crate) fn scan(&self, scan: &Scan<'_>, deadline: Deadline) -> Result<Batch, Error> {
        let led = match &self.reading {
            Some(reading) => reading.scan(&self.snapshot, scan, deadline)?,
            None => None,
        };
        led.map_or_else(|| self.snapshot.scan(scan, deadline), Ok)
    }
}

impl View<'_> {
    /// The earliest and the latest time of the records that are seen; none when there are none.
    ///
    /// # Errors
    /// When SQLite fails, or the deadline passes before that is known.
    pub(crate) fn extent(
        &self,
        sight: &Sight,
        deadline: Deadline,
    ) -> Result<Option<(i64, i64)>, Error> {
        if !sight.is_of_tenant() {
            return self.snapshot.extent();
        }
        let filter = &sight.all();
        let (table, range, limit) = (Table::Logs, TimeRange::ALL, 1);
        let end = |order| {
            let mut after = None;
            loop {
                let scan = Scan { table, range, filter, order, limit, after };
                let Batch { rows, next, .. } = self.scan(&scan, deadline)?;
                match (rows.first(), next) {
                    (Some(row), _) => return Ok(Some(row.position.timestamp)),
                    (None, None) => return Ok::<_, Error>(None),
                    (None, next) => after = next,
                }
            }
        };
        Ok(end(Order::Asc)?.zip(end(Order::Desc)?))
    }

    /// Counts the records that the scan asks for, wherever it goes on.
    ///
    /// # Errors
    /// When SQLite fails.
    pub(crate) fn count(
        &self,
        scan: &Scan<'_>,
        counting: Counting,
        deadline: Deadline,
    ) -> Result<Count, Error> {
        let led = match &self.reading {
            Some(reading) => reading.count(&self.snapshot, scan, counting, deadline)?,
            None => None,
        };
        led.map_or_else(|| self.count_by_walking(scan, deadline), Ok)
    }

    fn count_by_walking(&self, scan: &Scan<'_>, deadline: Deadline) -> Result<Count, Error> {
        let Scan { table, range, filter, .. } = *scan;
        let (mut value, mut after) = (0, None);
        loop {
            let page = Scan { table, range, filter, order: Order::Desc, limit: MAX_LIMIT, after };
            let batch = match self.snapshot.scan(&page, deadline) {
                Ok(batch) => batch,
                Err(Error::QueryTimeout(_)) => return Ok(Count { value, is: Counted::AtLeast }),
                Err(error) => return Err(error),
            };
            value += batch.rows.len() as u64;
            after = batch.next;
            if after.is_none() {
                return Ok(Count { value, is: Counted::Exact });
            }
        }
    }
}

impl Store for Trail {
    fn scan(&self, scan: &Scan<'_>, deadline: Deadline) -> Result<Batch, Error> {
        self.view(deadline)?.scan(scan, deadline)
    }
}
