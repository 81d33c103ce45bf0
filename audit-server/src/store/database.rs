//! The trail in SQLite, read and never written.
//!
//! Three things hold it to that: the connection is opened read-only, `query_only` is set, and no
//! statement here changes anything. A reader pins the write-ahead log for as long as its
//! transaction lasts, so each [`Snapshot`] lives for one query and ends at its deadline: rows are
//! stepped under a progress handler, which also stops work inside SQLite that yields no row.
//!
//! Connections are pooled without a bound of their own, since [`super::Readers`] bounds those who
//! take one. Before use each is held against the file that the path names now: a trail that was
//! moved away or restored is read from its new file, never from a deleted one.

use std::{
    ops::Deref,
    path::PathBuf,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use audit_layer::{APPLICATION_ID, SCHEMA_VERSION};
use rusqlite::{Connection, ErrorCode, OpenFlags, OptionalExtension};

use super::{
    Batch, DamagedRecord, DatabaseForeign, DatabaseMissing, DatabaseNewer, DatabaseUnreadable,
    Deadline, FileIdentity, QueryTimeout, RecordNotFound, Scan, Store, scan,
};
use crate::Error;

/// How long a read waits for a writer that recovers the write-ahead log.
const BUSY_TIMEOUT: Duration = Duration::from_millis(250);

/// Virtual machine steps between two looks at the clock: some tens of microseconds.
const STEPS_PER_LOOK: i32 = 4_000;

/// The database, whether it exists yet or not.
#[derive(Debug)]
pub(crate) struct DatabaseStore {
    path: PathBuf,
    idle: Mutex<Vec<Pooled>>,
}

#[derive(Debug)]
struct Pooled {
    connection: Connection,
    file: FileIdentity,
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

impl DatabaseStore {
    /// Reads the trail at that path from now on. Opens nothing yet.
    #[must_use]
    pub(crate) fn new(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into(), idle: Mutex::default() }
    }

    /// The trail as it stands at this moment, until the snapshot is dropped.
    ///
    /// # Errors
    /// When the file is missing, of another kind, of a later format, or cannot be read.
    pub(crate) fn snapshot(&self, deadline: Deadline) -> Result<Snapshot<'_>, Error> {
        let file = match FileIdentity::of(&self.path) {
            Ok(file) => file,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                return Err(DatabaseMissing { path: self.path.clone() }.into());
            }
            Err(error) => {
                let source = rusqlite::Error::ToSqlConversionFailure(Box::new(error));
                return Err(self.unreadable(source));
            }
        };
        let mut pooled = match self.take_idle(file) {
            Some(pooled) => pooled,
            None => Pooled { connection: self.open()?, file },
        };
        pooled
            .connection
            .progress_handler(STEPS_PER_LOOK, Some(move || deadline.passed()))
            .and_then(|()| pooled.connection.execute_batch("BEGIN"))
            .map_err(|source| self.unreadable(source))?;
        let snapshot = Snapshot { database: self, pooled: Some(pooled) };
        self.check(&snapshot)?;
        Ok(snapshot)
    }

    fn take_idle(&self, file: FileIdentity) -> Option<Pooled> {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        idle.retain(|pooled| pooled.file == file);
        idle.pop()
    }

    fn open(&self) -> Result<Connection, Error> {
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let open = || -> rusqlite::Result<Connection> {
            let connection = Connection::open_with_flags(&self.path, flags)?;
            connection.busy_timeout(BUSY_TIMEOUT)?;
            connection.execute_batch("PRAGMA query_only = ON; PRAGMA trusted_schema = OFF;")?;
            Ok(connection)
        };
        open().map_err(|source| self.unreadable(source))
    }

    /// Whether this is a trail, and one that we can read. Asked of each snapshot: a writer may
    /// migrate the file while we run.
    fn check(&self, snapshot: &Snapshot<'_>) -> Result<(), Error> {
        let pragma = |name: &str| {
            snapshot
                .pragma_query_value(None, name, |row| row.get::<_, i32>(0))
                .map_err(|source| self.unreadable(source))
        };
        let (application, version) = (pragma("application_id")?, pragma("user_version")?);
        match (application, version) {
            // A file that the writer has made and not yet filled.
            (0, 0) if pragma("schema_version")? == 0 => {
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
    /// `None` only while it is dropped.
    pooled: Option<Pooled>,
}

impl Deref for Snapshot<'_> {
    type Target = Connection;

    #[allow(clippy::expect_used, reason = "taken by `drop` alone, after which nothing can look")]
    fn deref(&self) -> &Connection {
        &self.pooled.as_ref().expect("a snapshot has its connection until it is dropped").connection
    }
}

impl Drop for Snapshot<'_> {
    fn drop(&mut self) {
        if let Some(mut pooled) = self.pooled.take() {
            let no_handler = None::<fn() -> bool>;
            let usable = pooled.connection.progress_handler(0, no_handler).is_ok()
                && pooled.connection.execute_batch("ROLLBACK").is_ok();
            if usable {
                let idle = &self.database.idle;
                idle.lock().unwrap_or_else(PoisonError::into_inner).push(pooled);
            }
        }
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

    /// Whether the trail has a record of that stream and number.
    ///
    /// # Errors
    /// When SQLite fails.
    pub(crate) fn contains(&self, stream: &str, seq: u64) -> Result<bool, Error> {
        let Ok(seq) = i64::try_from(seq) else { return Ok(false) };
        self.prepare_cached("SELECT 1 FROM audit_logs WHERE stream = ?1 AND seq = ?2")
            .and_then(|mut statement| statement.exists((stream, seq)))
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
