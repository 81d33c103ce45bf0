//! The trail in SQLite, read and never written.
//!
//! Three things hold it to that: the connection is opened read-only, `query_only` is set, and no
//! statement here changes anything. A reader pins the write-ahead log for as long as its
//! transaction lasts, so each [`Snapshot`] lives for one query and ends at its deadline: rows are
//! stepped under a progress handler, which also stops work inside SQLite that yields no row.
//!
//! Connections are pooled by [`super::pool`]: a trail that was moved away or restored is read from
//! its new files, never from deleted ones.

use std::{io, ops::Deref, path::PathBuf, time::Duration};

use audit_layer::{APPLICATION_ID, SCHEMA_VERSION};
use rusqlite::{Connection, ErrorCode, OpenFlags, OptionalExtension, config::DbConfig};

use super::{
    Batch, DamagedRecord, DatabaseForeign, DatabaseMissing, DatabaseNewer, DatabaseUnreadable,
    Deadline, Lines, Met, QueryTimeout, RecordNotFound, Scan, Store, Stretch, lines,
    pool::{Lease, Pool},
    scan,
};
use crate::Error;

/// How long a read waits for a writer that recovers the write-ahead log.
const BUSY_TIMEOUT: Duration = Duration::from_millis(250);

/// Virtual machine steps between two looks at the clock: some tens of microseconds.
const STEPS_PER_LOOK: i32 = 4_000;

/// Begins to read at once, so that the log is open from here on: `BEGIN` alone touches no file.
const BEGIN: [&str; 2] = ["BEGIN", "SELECT 1 FROM sqlite_schema LIMIT 1"];

/// Statements that are kept ready, so that each page finds its own.
const STATEMENTS: usize = 64;

/// The database, whether it exists yet or not.
#[derive(Debug)]
pub(crate) struct DatabaseStore {
    path: PathBuf,
    pool: Pool,
}

/// The head of a stream as the trail states it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct StreamHead {
    /// The stream.
    pub(crate) stream: String,
    /// Its last sequence number.
    pub(crate) seq: i64,
    /// The hash of that record.
    pub(crate) hash: String,
}

/// A row of the trail.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Stored {
    /// Its arrival number.
    pub(crate) arrival: i64,
    /// Microseconds since the Unix epoch.
    pub(crate) timestamp: i64,
    /// The line, which may be no record.
    pub(crate) line: Box<str>,
}

impl DatabaseStore {
    /// Reads the trail at that path from now on. Opens nothing yet.
    #[must_use]
    pub(crate) fn new(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into(), pool: Pool::default() }
    }

    /// The trail as it stands at this moment, until the snapshot is dropped.
    ///
    /// # Errors
    /// When the file is missing, of another kind, of a later format, or cannot be read.
    pub(crate) fn snapshot(&self, deadline: Deadline) -> Result<Snapshot<'_>, Error> {
        let lease = self.pool.lease(&self.path, deadline).map_err(|error| self.refused(error))?;
        let mut lease = lease.ok_or(QueryTimeout)?;
        let (mut connection, new) = match lease.connection.take() {
            Some(connection) => (connection, false),
            None => (self.open().map_err(|source| self.unreadable(source))?, true),
        };
        connection
            .progress_handler(STEPS_PER_LOOK, Some(move || deadline.passed()))
            .and_then(|()| {
                BEGIN.iter().try_for_each(|sql| {
                    connection.prepare_cached(sql)?.query([])?.next().map(|_| ())
                })
            })
            .map_err(|source| self.unreadable(source))?;
        lease.connection = Some(connection);
        if new {
            lease.opened(&self.path);
        }
        let snapshot = Snapshot { database: self, lease };
        self.check(&snapshot)?;
        Ok(snapshot)
    }

    fn open(&self) -> rusqlite::Result<Connection> {
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(&self.path, flags)?;
        connection.busy_timeout(BUSY_TIMEOUT)?;
        connection.execute_batch("PRAGMA query_only = ON; PRAGMA trusted_schema = OFF;")?;
        connection.set_prepared_statement_cache_capacity(STATEMENTS);
        // Else a statement that looks in a range is prepared anew for each.
        connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
        Ok(connection)
    }

    /// Why there is nothing to open.
    fn refused(&self, error: io::Error) -> Error {
        let path = self.path.clone();
        match error.kind() {
            io::ErrorKind::NotFound => DatabaseMissing { path }.into(),
            io::ErrorKind::InvalidInput => DatabaseForeign { path }.into(),
            _ => self.unreadable(rusqlite::Error::ToSqlConversionFailure(Box::new(error))),
        }
    }

    /// Whether this is a trail, and one that we can read. Asked of each snapshot: a writer may
    /// migrate the file while we run.
    fn check(&self, snapshot: &Snapshot<'_>) -> Result<(), Error> {
        let pragma = |sql: &str| {
            snapshot
                .prepare_cached(sql)
                .and_then(|mut pragma| pragma.query_row([], |row| row.get::<_, i32>(0)))
                .map_err(|source| self.unreadable(source))
        };
        let application = pragma("PRAGMA application_id")?;
        let version = pragma("PRAGMA user_version")?;
        match (application, version) {
            // A file that the writer has made and not yet filled.
            (0, 0) if pragma("PRAGMA schema_version")? == 0 => {
                Err(DatabaseMissing { path: self.path.clone() }.into())
            }
            (APPLICATION_ID, 1..=SCHEMA_VERSION) => Ok(()),
            (APPLICATION_ID, found) if found > SCHEMA_VERSION => {
                Err(DatabaseNewer { path: self.path.clone(), found, known: SCHEMA_VERSION }.into())
            }
            _ => Err(DatabaseForeign { path: self.path.clone() }.into()),
        }
    }

    pub(super) fn unreadable(&self, source: rusqlite::Error) -> Error {
        match source.sqlite_error_code() {
            Some(ErrorCode::OperationInterrupted) => QueryTimeout.into(),
            Some(ErrorCode::NotADatabase) => DatabaseForeign { path: self.path.clone() }.into(),
            _ => DatabaseUnreadable { path: self.path.clone(), source }.into(),
        }
    }
}

impl Store for DatabaseStore {
    fn scan(&self, scan: &Scan<'_>, deadline: Deadline) -> Result<Batch, Error> {
        self.snapshot(deadline)?.scan(scan, deadline)
    }
}

/// One consistent view of the trail.
#[derive(Debug)]
pub(crate) struct Snapshot<'d> {
    database: &'d DatabaseStore,
    /// It has its connection until the snapshot is dropped.
    lease: Lease<'d>,
}

impl Deref for Snapshot<'_> {
    type Target = Connection;

    #[allow(clippy::expect_used, reason = "taken by `drop` alone, after which nothing can look")]
    fn deref(&self) -> &Connection {
        self.lease.connection.as_ref().expect("a snapshot has its connection until it is dropped")
    }
}

impl Drop for Snapshot<'_> {
    fn drop(&mut self) {
        let no_handler = None::<fn() -> bool>;
        self.lease.connection.take_if(|connection| {
            connection.progress_handler(0, no_handler).is_err()
                || connection
                    .prepare_cached("ROLLBACK")
                    .and_then(|mut rollback| rollback.execute([]))
                    .is_err()
        });
    }
}

impl Snapshot<'_> {
    /// Reads the next records that the scan asks for.
    ///
    /// # Errors
    /// When SQLite fails, or the deadline passes before anything was examined.
    pub(crate) fn scan(&self, scan: &Scan<'_>, deadline: Deadline) -> Result<Batch, Error> {
        match scan::run(self, scan, deadline) {
            Ok(Some(batch)) => Ok(batch),
            Ok(None) => Err(QueryTimeout.into()),
            Err(source) => Err(self.database.unreadable(source)),
        }
    }

    /// Reads lines in bulk.
    ///
    /// # Errors
    /// When SQLite fails.
    pub(crate) fn lines(&self, stretch: &Stretch, deadline: Deadline) -> Result<Lines, Error> {
        lines::read(self, stretch, deadline).map_err(|source| self.database.unreadable(source))
    }

    /// What an error of SQLite means for whoever asked.
    pub(crate) fn unreadable(&self, source: rusqlite::Error) -> Error {
        self.database.unreadable(source)
    }

    /// Whether a record that was met before still stands where it stood, or may have been removed.
    ///
    /// # Errors
    /// When SQLite fails.
    pub(crate) fn still_has(&self, met: &Met) -> Result<bool, Error> {
        let found = self
            .prepare_cached("SELECT stream, seq FROM audit_logs WHERE arrival = ?1")
            .and_then(|mut statement| {
                let row = statement.query_row([met.arrival], |row| {
                    Ok((row.get::<_, Box<str>>(0)?, row.get::<_, u64>(1)?))
                });
                row.optional()
            })
            .map_err(|source| self.database.unreadable(source))?;
        match found {
            Some((stream, seq)) => Ok((stream, seq) == (met.stream.clone(), met.seq)),
            None => Ok(self.last_arrival()? >= met.arrival),
        }
    }

    /// Where the records with that id arrived, two of them at most.
    ///
    /// # Errors
    /// When SQLite fails.
    pub(crate) fn arrivals_of(&self, id: &str) -> Result<Vec<i64>, Error> {
        let arrivals = || {
            let sql = "SELECT arrival FROM audit_logs WHERE id = ?1 ORDER BY arrival LIMIT 2";
            let mut statement = self.prepare_cached(sql)?;
            statement.query_map([id], |row| row.get(0))?.collect::<rusqlite::Result<Vec<_>>>()
        };
        arrivals().map_err(|source| self.database.unreadable(source))
    }

    /// The line of the record with that id.
    ///
    /// # Errors
    /// [`RecordNotFound`], [`DamagedRecord`], or when SQLite fails.
    pub(crate) fn line_of(&self, id: &str) -> Result<Box<str>, Error> {
        let line = self
            .prepare_cached("SELECT record FROM audit_logs WHERE id = ?1 ORDER BY arrival LIMIT 1")
            .and_then(|mut statement| {
                statement.query_row([id], |row| row.get::<_, Box<str>>(0)).optional()
            })
            .map_err(|source| self.database.unreadable(source))?
            .ok_or(RecordNotFound)?;
        match audit_layer::record::Record::parse(&line) {
            // The index that led here is derived, and the line is the truth.
            Ok(record) if record.id == id => Ok(line),
            _ => Err(DamagedRecord.into()),
        }
    }

    /// What the trail has under that stream and number.
    ///
    /// # Errors
    /// When SQLite fails.
    pub(crate) fn find(&self, stream: &str, seq: u64) -> Result<Option<Stored>, Error> {
        let Ok(seq) = i64::try_from(seq) else { return Ok(None) };
        let sql =
            "SELECT arrival, timestamp, record FROM audit_logs WHERE stream = ?1 AND seq = ?2";
        self.prepare_cached(sql)
            .and_then(|mut statement| {
                let stored = statement.query_row((stream, seq), |row| {
                    // A text that is none is a line that is no record.
                    let line = row.get_ref(2)?.as_str().unwrap_or_default().into();
                    Ok(Stored { arrival: row.get(0)?, timestamp: row.get(1)?, line })
                });
                stored.optional()
            })
            .map_err(|source| self.database.unreadable(source))
    }

    /// The highest arrival number in the trail; 0 when it is empty.
    ///
    /// # Errors
    /// When SQLite fails.
    pub(crate) fn last_arrival(&self) -> Result<i64, Error> {
        self.query_row("SELECT coalesce(max(arrival), 0) FROM audit_logs", [], |row| row.get(0))
            .map_err(|source| self.database.unreadable(source))
    }

    /// The latest timestamp in the trail, in microseconds since the Unix epoch.
    ///
    /// # Errors
    /// When SQLite fails.
    pub(crate) fn newest(&self) -> Result<Option<i64>, Error> {
        self.query_row("SELECT max(timestamp) FROM audit_logs", [], |row| row.get(0))
            .map_err(|source| self.database.unreadable(source))
    }

    /// The earliest and the latest timestamp in the trail; none when it is empty.
    ///
    /// # Errors
    /// When SQLite fails.
    pub(crate) fn extent(&self) -> Result<Option<(i64, i64)>, Error> {
        // Two look-ups in the index: with both in one SELECT SQLite would read all of it.
        let sql = "SELECT (SELECT min(timestamp) FROM audit_logs), (SELECT max(timestamp) FROM audit_logs)";
        let found: (Option<i64>, Option<i64>) = self
            .query_row(sql, [], |row| Ok((row.get(0)?, row.get(1)?)))
            .map_err(|source| self.database.unreadable(source))?;
        Ok(found.0.zip(found.1))
    }

    /// The first record of each stream that is still there, by name, `limit` at most, and how many
    /// streams there are.
    ///
    /// # Errors
    /// When SQLite fails.
    pub(crate) fn first_records(&self, limit: u32) -> Result<(Vec<(String, u64)>, u64), Error> {
        let read = || {
            let sql = "SELECT stream, (SELECT min(seq) FROM audit_logs AS logs WHERE logs.stream = heads.stream)
                       FROM audit_cursors AS heads ORDER BY stream LIMIT ?1";
            let mut statement = self.prepare_cached(sql)?;
            let rows = statement.query_map([limit], |row| {
                Ok((row.get(0)?, row.get::<_, Option<u64>>(1)?.unwrap_or_default()))
            })?;
            let first = rows.collect::<rusqlite::Result<Vec<_>>>()?;
            let count =
                self.query_row("SELECT count(*) FROM audit_cursors", [], |row| row.get(0))?;
            Ok((first, count))
        };
        read().map_err(|source| self.database.unreadable(source))
    }

    /// The heads of the streams, by name, `limit` at most.
    ///
    /// # Errors
    /// When SQLite fails.
    pub(crate) fn heads(&self, limit: u32) -> Result<Vec<StreamHead>, Error> {
        let heads = || {
            let sql = "SELECT stream, seq, hash FROM audit_cursors ORDER BY stream LIMIT ?1";
            let mut statement = self.prepare_cached(sql)?;
            let rows = statement.query_map([limit], |row| {
                Ok(StreamHead { stream: row.get(0)?, seq: row.get(1)?, hash: row.get(2)? })
            })?;
            rows.collect::<rusqlite::Result<Vec<_>>>()
        };
        heads().map_err(|source| self.database.unreadable(source))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::{path::Path, thread};

    use super::*;

    const TRAIL: &str = include_str!("../../../audit-layer/src/sink/migrations/0001_trail.sql");

    fn writer(path: &Path) -> Connection {
        let writer = Connection::open(path).unwrap();
        writer.execute_batch("PRAGMA journal_mode = WAL").unwrap();
        writer
    }

    fn write(writer: &Connection, seq: i64) {
        let sql = "INSERT INTO audit_logs (stream, seq, id, timestamp, event_type, record)
                   VALUES ('s', ?1, ?1, ?1, 'e', '')";
        writer.execute(sql, [seq]).unwrap();
    }

    #[test]
    fn a_restore_beneath_a_running_read_is_seen_by_the_next() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("audit.db");
        let database = DatabaseStore::new(&path);
        let newest = || {
            let snapshot = database.snapshot(Deadline::after(Duration::from_secs(60)));
            snapshot.unwrap().newest().unwrap()
        };
        let trail = writer(&path);
        trail.execute_batch(TRAIL).unwrap();
        trail.pragma_update(None, "application_id", APPLICATION_ID).unwrap();
        trail.pragma_update(None, "user_version", SCHEMA_VERSION).unwrap();
        write(&trail, 1);
        drop(trail);
        let backup = std::fs::read(&path).unwrap();
        let trail = writer(&path);
        write(&trail, 2);
        drop(trail);

        let running = database.snapshot(Deadline::after(Duration::from_secs(60))).unwrap();
        assert_eq!(running.newest().unwrap(), Some(2));
        std::fs::write(&path, backup).unwrap();
        for suffix in ["-wal", "-shm"] {
            std::fs::remove_file(format!("{}{suffix}", path.display())).unwrap();
        }
        let hurried = database.snapshot(Deadline::after(Duration::from_millis(10)));
        assert!(matches!(hurried, Err(Error::QueryTimeout(_))), "beside one of the old files");
        thread::scope(|scope| {
            let next = scope.spawn(newest);
            drop(running);
            assert_eq!(next.join().unwrap(), Some(1));
        });
        write(&writer(&path), 3);
        assert_eq!(newest(), Some(3));
    }
}
