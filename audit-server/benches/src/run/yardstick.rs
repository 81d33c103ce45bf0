//! The same questions in SQL, on the same file, by hand.

use std::{
    path::Path,
    sync::mpsc::{RecvTimeoutError, sync_channel},
    thread,
    time::{Duration, Instant},
};

use rusqlite::{Connection, ErrorCode, OpenFlags, types::Value as SqlValue};

use super::{
    Outcome,
    client::LIMIT,
    figures::Figures,
    measure::{Depth, Enough, PAGES},
    questions::{Asked, Question},
    values::Values,
};

/// After how long a query is given up.
pub(crate) const PATIENCE: Duration = Duration::from_secs(10);

/// A reader of the trail.
#[derive(Debug)]
pub(crate) struct Yardstick(Connection);

impl Yardstick {
    pub(crate) fn open(path: &Path) -> Outcome<Self> {
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let db = Connection::open_with_flags(path, flags)?;
        // As much as a reader of the server would be given by a hand that means well.
        db.execute_batch("PRAGMA cache_size = -64000; PRAGMA mmap_size = 1073741824;")?;
        Ok(Self(db))
    }

    /// Asks until it is enough; `None` when a query was given up.
    pub(crate) fn measure(
        &self,
        question: &Question,
        depth: Depth,
        values: &mut Values,
        enough: Enough,
    ) -> Outcome<Option<Figures>> {
        let begun = Instant::now();
        let mut figures = Figures::default();
        while figures.times.len() < enough.answers && begun.elapsed() < enough.time {
            let asked = (question.draw)(values);
            let until = if depth == Depth::Middle { values.middle() } else { i64::MAX };
            let mut place = (until, i64::MAX);
            for _ in 0..if depth == Depth::Deep { PAGES } else { 1 } {
                let page = Instant::now();
                let Some(found) = self.page(&asked, &mut place)? else { return Ok(None) };
                figures.page(page.elapsed(), found, false);
                if found < LIMIT || begun.elapsed() > enough.time {
                    break;
                }
            }
        }
        Ok(Some(figures))
    }

    /// How many records the page behind that place has; `None` when it was given up.
    fn page(&self, asked: &Asked, place: &mut (i64, i64)) -> Outcome<Option<usize>> {
        let conditions = asked.conditions.join(" AND ");
        let sql = format!(
            "SELECT timestamp, arrival, record FROM audit_logs
             WHERE timestamp <= ? AND (timestamp < ? OR arrival < ?) AND {conditions}
             ORDER BY timestamp DESC, arrival DESC LIMIT {LIMIT}"
        );
        let mut query = self.0.prepare_cached(&sql)?;
        let bounds = [place.0, place.0, place.1].map(SqlValue::from);
        let values = bounds.into_iter().chain(asked.values.iter().cloned());
        let counted = self.given_time(|| {
            let mut rows = query.query(rusqlite::params_from_iter(values))?;
            let mut found = 0;
            while let Some(row) = rows.next()? {
                *place = (row.get(0)?, row.get(1)?);
                // The answer of a server has the bytes as well.
                found += usize::from(!row.get_ref(2)?.as_str()?.is_empty());
            }
            Ok(found)
        });
        match counted {
            Err(error) if error.sqlite_error_code() == Some(ErrorCode::OperationInterrupted) => {
                Ok(None)
            }
            counted => Ok(Some(counted?)),
        }
    }

    /// Runs it, and interrupts it when it takes too long.
    fn given_time<T>(&self, run: impl FnOnce() -> rusqlite::Result<T>) -> rusqlite::Result<T> {
        let interrupt = self.0.get_interrupt_handle();
        let (done, waits) = sync_channel::<()>(0);
        thread::scope(|scope| {
            scope.spawn(move || {
                if waits.recv_timeout(PATIENCE) == Err(RecvTimeoutError::Timeout) {
                    interrupt.interrupt();
                }
            });
            let result = run();
            drop(done);
            result
        })
    }
}

#[cfg(test)]
mod tests {
    use query_bench::{
        generator::{Seed, Shape},
        load::load,
    };

    use super::{super::questions::QUESTIONS, *};

    #[test]
    fn each_question_finds_records_in_a_small_trail_but_those_that_are_to_find_few_or_none() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("trail.db");
        load(&path, Seed(1), Shape::of(20_000), |_| {}).unwrap();
        let (values, yardstick) =
            (Values::sample(&path, 1).unwrap(), Yardstick::open(&path).unwrap());
        let enough = Enough { answers: 8, time: PATIENCE };
        let mut empty = Vec::new();
        for question in QUESTIONS {
            let mut values = values.draws(1);
            let found = yardstick.measure(question, Depth::First, &mut values, enough).unwrap();
            if found.unwrap().records == 0 {
                empty.push(question.name);
            }
        }
        assert_eq!(empty, ["user_id, rare", "user_id, absent", "status + event_type, never"]);
    }
}
