//! Writing the model.
//!
//! Of consecutive arrivals, what the [`Indexer`] says is written in one transaction. When there is
//! much to do, as when the model is made anew, that is shared by two threads: one reads and prepares, the
//! other writes. They take about the same time. A transaction then takes in several batches,
//! for what a chunk has of a facet, or the term index of a word, is nowhere near the next: each
//! transaction writes as many pages as it touches, however many rows it has for each.

use std::{iter, panic, path::Path, sync::mpsc, thread};

use audit_layer::keyring::KeyId;
use rusqlite::{Connection, TransactionBehavior};

pub(super) use super::indexer::Arrived;
use super::{
    blind,
    heads::{self, Alarm},
    indexer::Indexer,
    rows::{Prepared, Rows},
    schema::{self, State},
};
use crate::store::StreamHead;

/// The most batches of a transaction.
const MAX_BATCHES: usize = 8;

/// Batches that are prepared and wait to be written.
const WAITING: usize = 1;

/// How much nicer the thread that prepares is than the process, so that together the two leave the
/// application its share.
#[cfg(target_os = "linux")]
const NICE: i32 = 5;

/// Why records could not be taken in, in words.
type Failure = Box<dyn std::error::Error + Send + Sync>;

/// The one who writes the model.
#[derive(Debug)]
pub(super) struct Writer {
    connection: Connection,
    /// Where the model stands on disk.
    state: State,
    indexer: Indexer,
    /// What was prepared for the next transaction.
    ahead: Option<Prepared>,
}

impl Writer {
    /// Opens the model, and makes it when there is none or one of another version.
    pub(super) fn open(path: &Path) -> rusqlite::Result<Self> {
        let connection = schema::open_to_write(path, fresh_key())?;
        Self::load(connection)
    }

    /// The same, from now on with sealed values that this keyring opens, or without. One that lacks those of before, or has
    /// them by another keyring, is made anew.
    pub(super) fn with_sealed(mut self, keyring: Option<&str>) -> rusqlite::Result<Self> {
        let wanted = keyring.map(|keyring| self.state.hash_key.of_line(keyring));
        match keyring {
            _ if self.state.blind == wanted => Ok(self),
            Some(keyring) => {
                schema::clear(&mut self.connection, fresh_key(), keyring)?;
                Self::load(self.connection)
            }
            None => {
                schema::end_blind(&self.connection)?;
                Self::load(self.connection)
            }
        }
    }

    /// Whether something was prepared that is not written yet.
    pub(super) fn is_ahead(&self) -> bool {
        self.ahead.is_some()
    }

    /// Forgets the sealed values of these keys; whether nothing of them is left on disk.
    pub(super) fn forget(&mut self, keys: &[KeyId]) -> rusqlite::Result<bool> {
        blind::forget(&mut self.connection, keys)
    }

    fn load(connection: Connection) -> rusqlite::Result<Self> {
        let state = schema::state(&connection)?.ok_or(rusqlite::Error::QueryReturnedNoRows)?;
        let indexer = Indexer::load(&connection, state)?;
        Ok(Self { connection, state, indexer, ahead: None })
    }

    /// Where the model stands.
    pub(super) fn state(&self) -> State {
        self.state
    }

    /// Where it will stand when what was read of the trail is written.
    pub(super) fn state_ahead(&self) -> State {
        self.indexer.state()
    }

    /// Whether someone has asked for a new beginning, or there are as many runs as there may be: a new
    /// beginning takes in more with each transaction, which makes fewer.
    pub(super) fn is_to_rebuild(&self) -> rusqlite::Result<bool> {
        let asked = schema::state(&self.connection)?.is_none_or(|state| state.rebuild);
        Ok(asked || self.indexer.is_full())
    }

    /// The heads of the streams as they were remembered.
    pub(super) fn heads(&self) -> rusqlite::Result<Vec<StreamHead>> {
        heads::load(&self.connection)
    }

    /// Remembers the heads, and what was wrong with those before.
    pub(super) fn save_heads(
        &mut self,
        heads: &[StreamHead],
        alarms: &[Alarm],
    ) -> rusqlite::Result<()> {
        heads::save(&mut self.connection, heads, alarms)
    }

    /// The alarms that are kept, the latest first.
    pub(super) fn alarms(&self) -> rusqlite::Result<Vec<Alarm>> {
        heads::alarms(&self.connection)
    }

    /// The alarms that have not been told yet.
    pub(super) fn untold(&self) -> rusqlite::Result<Vec<Alarm>> {
        heads::untold(&self.connection)
    }

    /// Notes that all alarms have been told.
    pub(super) fn told(&self) -> rusqlite::Result<()> {
        heads::told(&self.connection)
    }

    /// Forgets everything but the heads and the alarms.
    pub(super) fn clear(mut self) -> rusqlite::Result<Self> {
        let keyring = "SELECT blind FROM state";
        let keyring: String = self.connection.query_row(keyring, [], |row| row.get(0))?;
        schema::clear(&mut self.connection, fresh_key(), &keyring)?;
        Self::load(self.connection)
    }

    /// Takes in records that follow those before in the order of arrival. When there may be `more`
    /// behind a place, also what `read` gives from there on, up to a bound, in the same transaction;
    /// what it gives at last is kept for the next.
    ///
    /// # Errors
    /// When SQLite fails: the model on disk stands as it did. When `read` fails: it has what was read
    /// before. In either case this one must be opened anew.
    pub(super) fn take_in_with(
        &mut self,
        batch: Vec<Arrived>,
        more: impl Fn(State) -> bool + Sync,
        read: impl Fn(State) -> Result<Vec<Arrived>, Failure> + Sync,
    ) -> Result<(), Failure> {
        let prepared = self.ahead.take().or_else(|| self.indexer.prepare(batch));
        let Some(first) = prepared else { return Ok(()) };
        let (state, indexer) = (self.state, &mut self.indexer);
        let transaction =
            self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let write = move |prepared: &mut dyn Iterator<Item = Prepared>| {
            let mut rows = Rows::default();
            for Prepared { terms, rows: later } in prepared {
                terms.write(&transaction)?;
                rows.append(later);
            }
            rows.write(&transaction)?;
            transaction.commit()?;
            Ok::<_, rusqlite::Error>(rows.state.unwrap_or(state))
        };
        let goes_on = |indexer: &Indexer| !indexer.is_full() && more(indexer.state());
        if !goes_on(indexer) {
            self.state = write(&mut iter::once(first))?;
            return Ok(());
        }
        let next = |indexer: &mut Indexer| {
            if !goes_on(indexer) {
                return Ok(None);
            }
            read(indexer.state()).map(|batch| indexer.prepare(batch))
        };
        let (written, ahead) = thread::scope(|scope| {
            let (ready, waiting) = mpsc::sync_channel(WAITING);
            let preparing = move || {
                be_nice();
                for _ in 1..MAX_BATCHES {
                    let Some(prepared) = next(&mut *indexer)? else { return Ok(None) };
                    // Whoever does not take it has failed, and says why.
                    if ready.send(prepared).is_err() {
                        return Ok(None);
                    }
                }
                // So that the next is there while this transaction ends.
                drop(ready);
                next(indexer)
            };
            let name = "audit-read-ahead".to_owned();
            let preparing = thread::Builder::new().name(name).spawn_scoped(scope, preparing)?;
            let written = write(&mut iter::once(first).chain(waiting));
            let ahead = preparing.join().unwrap_or_else(|panic| panic::resume_unwind(panic));
            Ok::<_, Failure>((written, ahead))
        })?;
        self.state = written?;
        self.ahead = ahead?;
        Ok(())
    }

    /// Takes in records that follow those before in the order of arrival.
    #[cfg(test)]
    pub(super) fn take_in(&mut self, batch: Vec<Arrived>) -> Result<(), Failure> {
        self.take_in_with(batch, |_| false, |_| Ok(Vec::new()))
    }
}

/// Lets the application go before this thread.
fn be_nice() {
    // On Linux this is the thread's own; elsewhere it would be the whole process's.
    #[cfg(target_os = "linux")]
    if let Ok(nice) = rustix::process::getpriority_process(None) {
        // Nobody forbids to be nicer, and it does no harm if it did.
        let _ = rustix::process::setpriority_process(None, nice + NICE);
    }
}

fn fresh_key() -> [u8; 16] {
    let mut key = [0; 16];
    // Without randomness from the system tokens can be guessed, and nothing else is lost.
    if getrandom::fill(&mut key).is_err() {
        tracing::warn!("the system gives no randomness for the read model");
    }
    key
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::{fs, ops::Range, path::PathBuf};

    use tempfile::TempDir;

    use super::*;

    const BATCH: i64 = 3_000;

    /// Twice as many batches as a transaction has, more than one chunk, and a part of a batch.
    const ALL: i64 = BATCH * 2 * MAX_BATCHES as i64 + 700;

    fn arrived(arrivals: Range<i64>) -> Vec<Arrived> {
        let one = |arrival: i64| {
            let late = if arrival % 700 == 0 { 5_000_000 } else { arrival % 3 };
            let line = serde_json::json!({
                "v": 1, "id": format!("i{arrival}"), "stream": "desk@host~k3x9q2", "seq": arrival,
                "timestamp": "t", "level": "INFO", "logger": "audit", "category": "trade",
                "event_type": format!("trade.x{}", arrival % 4), "severity": "info",
                "prev_hash": "0".repeat(64),
                "message": format!("order {arrival} of desk"), "user_id": format!("u{}", arrival % 999),
                "details": {"price": arrival % 50, "symbol": format!("S{}", arrival % 300)},
            });
            let mut line = line.to_string();
            line.truncate(line.len() - 1);
            line.push_str(&format!(",\"hash\":\"{}\"}}", "0".repeat(64)));
            if arrival % 5_000 == 0 {
                line = "no record".to_owned();
            }
            let blind = Vec::new();
            Arrived { arrival, timestamp: arrival * 1_000 - late, line: line.into(), blind }
        };
        arrivals.map(one).collect()
    }

    /// What follows in the trail.
    fn after(state: State) -> Vec<Arrived> {
        let from = state.arrival + 1;
        arrived(from..(from + BATCH).min(ALL + 1))
    }

    fn more(state: State) -> bool {
        state.arrival < ALL
    }

    fn model(directory: &TempDir) -> PathBuf {
        directory.path().join("model.db")
    }

    fn opened() -> (TempDir, Writer) {
        let directory = tempfile::tempdir().unwrap();
        let writer = Writer::open(&model(&directory)).unwrap();
        (directory, writer)
    }

    /// All that a model says, in rows.
    fn rows(model: &Path) -> Vec<String> {
        let connection = Connection::open(model).unwrap();
        let sql = "CREATE VIRTUAL TABLE temp.terms_of USING fts5vocab (main, terms, instance)";
        connection.execute_batch(sql).unwrap();
        let named = "FROM facets AS f LEFT JOIN facets AS n ON n.id = f.name";
        let chunk = "key & ((1 << 40) - 1)";
        [
            "SELECT arrival, line, damaged FROM state",
            "SELECT first, run, count, batch, from_time, to_time, hex(arrivals) FROM blocks",
            &format!("SELECT n.text, f.text {named}"),
            &format!(
                "SELECT n.text, f.text, {chunk}, hex(data) {named} JOIN bits ON f.id = key >> 40"
            ),
            &format!(
                "SELECT f.text, {chunk}, least, greatest, hex(data)
                 {named} JOIN numbers ON f.id = key >> 40"
            ),
            "SELECT key, hex(data) FROM facts",
            "SELECT run, part, hex(sheet) FROM parts",
            "SELECT key, hex(data) FROM entries",
            "SELECT word FROM words",
            "SELECT * FROM proof",
            "SELECT * FROM proof_streams",
            "SELECT stream, first, last, hex(before), hex(hash), latest FROM proof_pieces",
            "SELECT * FROM proof_faults",
            "SELECT term, doc FROM terms_of",
        ]
        .into_iter()
        .flat_map(|sql| {
            let mut statement = connection.prepare(sql).unwrap();
            let columns = statement.column_count();
            let row = |row: &rusqlite::Row<'_>| {
                let values = (0..columns).map(|at| format!("{:?}", row.get_ref(at).unwrap()));
                Ok(format!("{sql}: {}", values.collect::<Vec<_>>().join(" ")))
            };
            let mut rows: Vec<String> =
                statement.query_map([], row).unwrap().map(Result::unwrap).collect();
            rows.sort_unstable();
            rows
        })
        .collect()
    }

    #[test]
    fn what_two_threads_make_is_what_one_makes() {
        let (one, writer) = opened();
        let other = tempfile::tempdir().unwrap();
        drop(writer);
        // Of one key, so that both hash alike.
        fs::copy(model(&one), model(&other)).unwrap();
        let mut writer = Writer::open(&model(&one)).unwrap();
        while more(writer.state()) {
            writer.take_in(after(writer.state())).unwrap();
        }
        drop(writer);
        let mut writer = Writer::open(&model(&other)).unwrap();
        let mut transactions = 0;
        while more(writer.state()) {
            let behind = after(writer.state_ahead());
            let before = writer.state().arrival;
            writer.take_in_with(behind, more, |state| Ok(after(state))).unwrap();
            transactions += 1;
            let taken = writer.state().arrival - before;
            assert!(taken == BATCH * MAX_BATCHES as i64 || !more(writer.state()));
            assert_eq!(writer.state_ahead().arrival, ALL.min(writer.state().arrival + BATCH));
        }
        drop(writer);
        assert_eq!(transactions, 3);
        let (one, other) = (rows(&model(&one)), rows(&model(&other)));
        let tables = one.iter().filter_map(|row| row.split(':').next());
        let tables: std::collections::BTreeSet<_> = tables.collect();
        assert_eq!(tables.len(), 14, "{tables:?}");
        for (one, other) in one.iter().zip(&other) {
            assert_eq!(one, other);
        }
        assert_eq!(one.len(), other.len());
    }

    #[test]
    fn what_was_read_before_reading_failed_is_taken_in() {
        let (directory, mut writer) = opened();
        let read = |state: State| match state.arrival {
            0..6_000 => Ok(after(state)),
            _ => Err("the trail cannot be read".into()),
        };
        let first = after(writer.state());
        let error = writer.take_in_with(first, more, read).unwrap_err();
        assert_eq!(error.to_string(), "the trail cannot be read");
        drop(writer);
        let writer = Writer::open(&model(&directory)).unwrap();
        assert_eq!(writer.state().arrival, 2 * BATCH);
    }

    #[test]
    fn of_a_transaction_that_fails_nothing_is_taken_in() {
        let (directory, mut writer) = opened();
        writer.take_in(arrived(1..101)).unwrap();
        let before = rows(&model(&directory));
        // What the second batch would make is there, and is none of its rows.
        let sql = "INSERT INTO words (word) VALUES ('unheard')";
        writer.connection.execute_batch(sql).unwrap();
        let read = |state: State| {
            let mut batch = after(state);
            batch.iter_mut().for_each(|one| one.line = one.line.replace("desk", "unheard").into());
            Ok(batch)
        };
        let first = after(writer.state());
        assert!(writer.take_in_with(first, more, read).is_err());
        assert_eq!(writer.state().arrival, 100);
        writer.connection.execute_batch("DELETE FROM words WHERE word = 'unheard'").unwrap();
        drop(writer);
        assert_eq!(rows(&model(&directory)), before);
    }
}
