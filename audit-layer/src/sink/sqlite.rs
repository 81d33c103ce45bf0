//! The trail of record: a SQLite database.
//!
//! Each batch is one IMMEDIATE transaction with the stream's cursor in it, in WAL mode with
//! `synchronous=FULL`: what is committed survives a power cut. The canonical line is stored whole;
//! `migrations/0001_trail.sql` says what stands beside it. Records of security and money also get
//! a row of typed columns, for those who query by hand.
//!
//! The WAL and its index stay when the last writer closes (`SQLITE_FCNTL_PERSIST_WAL`), because a
//! reader of another user may not be able to make them, and could then not read at all.
//!
//! Before each batch the paths are compared with the open files, as the file sink does: SQLite would
//! go on writing to a database that was removed or replaced, where nobody ever looks. It is opened
//! anew, and the trail tells what is gone.
//!
//! The file is long because it holds the tables, what keeps them, and the tests of both.
//!
//! Rejected: `synchronous=NORMAL` (loses commits at a power cut), WITHOUT ROWID (a record is longer
//! than a page's share), columns for every member (a second copy to keep true).

use std::{
    io,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    time::Duration,
};

use rusqlite::{Connection, OptionalExtension, Transaction, TransactionBehavior, params};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::{Batch, Delivery, Sealed, Sink, SinkError, Trimmed, Written};
use crate::{
    Error,
    config::{DbIndexes, SqliteConfig},
    diagnostics,
    durable_names::{make_directory, parent_of, sync_name},
    record::{Head, Record, StreamName, event_type},
};

/// `PRAGMA application_id`: "AUDT".
pub const APPLICATION_ID: i32 = 0x4155_4454;

/// `PRAGMA user_version`: how many of the migrations a database has.
pub const SCHEMA_VERSION: i32 = MIGRATIONS.len() as i32;

/// The SQL of each migration. A database that has all of them has these tables, indexes and
/// triggers, byte for byte as they stand here.
pub const MIGRATIONS: &[&str] = &[include_str!("migrations/0001_trail.sql")];

/// The SQL of the indexes that `AUDIT_DB_INDEXES=full` adds. Databases keep its bytes.
pub const FULL_INDEXES: &str = "CREATE INDEX IF NOT EXISTS audit_logs_user_id_timestamp
                 ON audit_logs (record ->> '$.user_id', timestamp);
             CREATE INDEX IF NOT EXISTS audit_logs_correlation_id
                 ON audit_logs (record ->> '$.correlation_id');";

/// How long a lock of another process is waited for before the batch is tried again.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

const INSERT: &str = "INSERT INTO audit_logs (stream, seq, id, timestamp, event_type, record)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6) ON CONFLICT (stream, seq) DO NOTHING";
const INSERT_SECURITY: &str = "INSERT INTO security_events
    (arrival, timestamp, event_type, severity, status, user_id, username, ip_address, resource)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)";
const INSERT_FINANCIAL: &str = "INSERT INTO financial_audit_logs
    (arrival, timestamp, event_type, status, user_id, correlation_id,
     amount, currency, symbol, side, quantity, price)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)";
const SET_CURSOR: &str = "INSERT INTO audit_cursors (stream, seq, hash) VALUES (?1, ?2, ?3)
    ON CONFLICT (stream) DO UPDATE SET seq = excluded.seq, hash = excluded.hash
    WHERE excluded.seq > seq";

/// Whether a record also stands in `security_events`.
#[must_use]
pub fn is_security_event(category: &str, status: Option<&str>) -> bool {
    matches!(category, "auth" | "security" | "admin") || status == Some("denied")
}

/// Whether a record also stands in `financial_audit_logs`.
#[must_use]
pub fn is_financial(category: &str) -> bool {
    matches!(category, "financial" | "trade" | "risk")
}

#[derive(Debug)]
pub(crate) struct SqliteSink {
    config: SqliteConfig,
    /// `None` after an attempt to open it anew that failed.
    open: Option<Open>,
    trimmed: Vec<Trimmed>,
}

/// An open database and the files that it consists of.
#[derive(Debug)]
struct Open {
    db: Connection,
    file: FileId,
    /// Known once something was written.
    log: Option<FileId>,
    /// The last record that was written, for the trail to tell when the file is gone.
    last: Option<(Box<str>, u64)>,
}

/// Device and inode.
type FileId = (u64, u64);

impl From<rusqlite::Error> for SinkError {
    fn from(error: rusqlite::Error) -> Self {
        match error.sqlite_error_code() {
            Some(rusqlite::ErrorCode::DiskFull) => Self(format!("{error}; make room for it")),
            _ => Self(error.to_string()),
        }
    }
}

impl SqliteSink {
    pub(crate) fn open(config: &SqliteConfig) -> Result<Self, Error> {
        let open = Open::new(config).map_err(|error| Error::Sink {
            sink: "sqlite",
            why: format!("{}: {error}", config.path.display()),
        })?;
        Ok(Self { config: config.clone(), open: Some(open), trimmed: Vec::new() })
    }

    fn db(&mut self) -> Result<&mut Connection, SinkError> {
        Ok(&mut self.opened()?.db)
    }

    fn opened(&mut self) -> Result<&mut Open, SinkError> {
        if self.open.is_none() {
            self.open = Some(Open::new(&self.config)?);
        }
        self.open.as_mut().ok_or_else(|| SinkError("is not open".to_owned()))
    }

    /// Makes sure that what is open is what is at the paths.
    fn notice_changes(&mut self) -> Result<(), SinkError> {
        let Some(open) = &mut self.open else { return Ok(()) };
        let same_file = file_id(&self.config.path)? == Some(open.file);
        if same_file && (open.log.is_none() || file_id(&log_path(&self.config.path))? == open.log) {
            return Ok(());
        }
        if same_file {
            diagnostics::warn(&format!(
                "the log {} was removed or replaced while it was in use; the database is opened anew",
                log_path(&self.config.path).display()
            ));
        } else {
            self.trimmed.push(Trimmed {
                sink: "sqlite",
                what: self.config.path.file_name().unwrap_or_default().to_string_lossy().into(),
                reason: "removed",
                first: None,
                last: open.last.take(),
            });
        }
        // Closed first, which also brings what the log holds into the file it belongs to.
        self.open = None;
        self.opened().map(drop)
    }
}

impl Open {
    fn new(config: &SqliteConfig) -> Result<Self, SinkError> {
        make_directory(parent_of(&config.path), 0o750)?;
        create_private(&config.path)?;
        sync_name(&config.path)?;
        let mut db = Connection::open(&config.path)?;
        prepare(&mut db, config.indexes)?;
        let file = file_id(&config.path)?
            .ok_or_else(|| SinkError("was removed while it was opened".to_owned()))?;
        Ok(Self { db, file, log: None, last: None })
    }
}

/// `None` when nothing is there.
fn file_id(path: &Path) -> io::Result<Option<FileId>> {
    match std::fs::metadata(path) {
        Ok(about) => Ok(Some((about.dev(), about.ino()))),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

fn log_path(path: &Path) -> PathBuf {
    let mut log = path.as_os_str().to_owned();
    log.push("-wal");
    log.into()
}

/// Makes the file readable for owner and group before SQLite does so for everyone.
fn create_private(path: &Path) -> io::Result<()> {
    use std::os::unix::fs::OpenOptionsExt;
    match std::fs::OpenOptions::new().write(true).create_new(true).mode(0o640).open(path) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(error),
        _ => Ok(()),
    }
}

fn prepare(db: &mut Connection, indexes: DbIndexes) -> Result<(), SinkError> {
    db.busy_timeout(BUSY_TIMEOUT)?;
    persist_wal(db);
    let mode = to_wal(db)?;
    if mode != "wal" {
        return Err(SinkError(format!(
            "the file system does not support WAL (journal mode {mode}); put the database on a local disk"
        )));
    }
    db.execute_batch(
        "PRAGMA synchronous = FULL; PRAGMA foreign_keys = OFF; PRAGMA recursive_triggers = ON;",
    )?;
    db.set_prepared_statement_cache_capacity(64);
    migrate(db)?;
    if indexes == DbIndexes::Full {
        db.execute_batch(FULL_INDEXES)?;
    }
    Ok(())
}

/// Two processes that make the same database at once can meet here, where SQLite does not wait.
fn to_wal(db: &Connection) -> Result<String, SinkError> {
    let mut tries = 0;
    loop {
        match db.query_row("PRAGMA journal_mode = WAL", [], |row| row.get(0)) {
            Err(error)
                if error.sqlite_error_code() == Some(rusqlite::ErrorCode::DatabaseBusy)
                    && tries < 100 =>
            {
                tries += 1;
                std::thread::sleep(Duration::from_millis(20));
            }
            result => return Ok(result?),
        }
    }
}

#[allow(unsafe_code, reason = "rusqlite has no safe call for this file control")]
fn persist_wal(db: &Connection) {
    let mut on: std::ffi::c_int = 1;
    // SAFETY: the handle is of an open connection that this call borrows; the name is a C string
    // that ends in a zero; SQLITE_FCNTL_PERSIST_WAL reads and writes one int at the pointer.
    let _ = unsafe {
        rusqlite::ffi::sqlite3_file_control(
            db.handle(),
            c"main".as_ptr(),
            rusqlite::ffi::SQLITE_FCNTL_PERSIST_WAL,
            (&raw mut on).cast(),
        )
    };
}

fn migrate(db: &mut Connection) -> Result<(), SinkError> {
    let transaction = db.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let application: i32 = transaction.query_row("PRAGMA application_id", [], |row| row.get(0))?;
    let version: i32 = transaction.query_row("PRAGMA user_version", [], |row| row.get(0))?;
    let tables: i64 =
        transaction.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
    if application != APPLICATION_ID && tables > 0 {
        return Err(SinkError("is the database of another program".to_owned()));
    }
    if version > SCHEMA_VERSION {
        return Err(SinkError(format!(
            "has schema version {version}, and this program knows {SCHEMA_VERSION}; update it"
        )));
    }
    for migration in MIGRATIONS.iter().skip(usize::try_from(version).unwrap_or_default()) {
        transaction.execute_batch(migration)?;
    }
    if version < SCHEMA_VERSION {
        transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
        transaction.pragma_update(None, "user_version", SCHEMA_VERSION)?;
    }
    Ok(transaction.commit()?)
}

impl Sink for SqliteSink {
    fn name(&self) -> &'static str {
        "sqlite"
    }

    fn delivery(&self) -> Delivery {
        Delivery::Required
    }

    fn head(&mut self, stream: &StreamName) -> Result<Option<Head>, SinkError> {
        let found: Option<(i64, String)> = self
            .db()?
            .prepare_cached("SELECT seq, hash FROM audit_cursors WHERE stream = ?1")?
            .query_row([stream.as_str()], |row| Ok((row.get(0)?, row.get(1)?)))
            .optional()?;
        let Some((seq, hash)) = found else { return Ok(None) };
        match (u64::try_from(seq), hash.parse()) {
            (Ok(seq), Ok(hash)) => {
                self.opened()?.last = Some((stream.as_str().into(), seq));
                Ok(Some(Head { seq, hash }))
            }
            _ => Err(SinkError(format!(
                "the cursor of {stream} is damaged; run audit-server verify"
            ))),
        }
    }

    fn last_stream(
        &mut self,
        wanted: &dyn Fn(&str) -> bool,
    ) -> Result<Option<Box<str>>, SinkError> {
        let mut query = self.db()?.prepare_cached(
            "SELECT stream, (SELECT arrival FROM audit_logs
                             WHERE stream = audit_cursors.stream AND seq = audit_cursors.seq)
             FROM audit_cursors ORDER BY 2 DESC",
        )?;
        let mut rows = query.query([])?;
        while let Some(row) = rows.next()? {
            let stream: String = row.get(0)?;
            if wanted(&stream) {
                return Ok(Some(stream.into()));
            }
        }
        Ok(None)
    }

    fn lines_after(
        &mut self,
        stream: &StreamName,
        after: u64,
        limit: usize,
    ) -> Result<Vec<String>, SinkError> {
        let mut query = self.db()?.prepare_cached(
            "SELECT record FROM audit_logs WHERE stream = ?1 AND seq > ?2 ORDER BY seq LIMIT ?3",
        )?;
        let rows = query.query_map(
            params![stream.as_str(), signed(after), i64::try_from(limit).unwrap_or(i64::MAX)],
            |row| row.get(0),
        )?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    fn write(&mut self, batch: &Batch) -> Result<Written, SinkError> {
        self.notice_changes()?;
        let log = log_path(&self.config.path);
        let open = self.opened()?;
        let mut written = Written::default();
        let transaction = open.db.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let stream = batch.stream.as_str();
        for record in batch.records() {
            insert(&transaction, stream, &record, &mut written)?;
        }
        if let Some(last) = batch.last() {
            transaction.prepare_cached(SET_CURSOR)?.execute(params![
                stream,
                signed(last.seq),
                last.hash.to_string()
            ])?;
        }
        transaction.commit()?;
        if open.log.is_none() {
            open.log = file_id(&log)?;
        }
        if let Some(last) = batch.last() {
            open.last = Some((stream.into(), last.seq));
        }
        Ok(written)
    }

    fn take_trimmed(&mut self) -> Vec<Trimmed> {
        std::mem::take(&mut self.trimmed)
    }
}

fn insert(
    transaction: &Transaction<'_>,
    stream: &str,
    record: &Sealed<'_>,
    written: &mut Written,
) -> Result<(), SinkError> {
    let text = record.text();
    let added = transaction.prepare_cached(INSERT)?.execute(params![
        stream,
        signed(record.seq()),
        record.id(),
        record.timestamp,
        record.event_type(),
        text,
    ])?;
    if added == 0 {
        let there: String = transaction
            .prepare_cached("SELECT record FROM audit_logs WHERE stream = ?1 AND seq = ?2")?
            .query_row(params![stream, signed(record.seq())], |row| row.get(0))?;
        written.conflicts += u64::from(there != text);
        return Ok(());
    }
    written.new += 1;
    let arrival = transaction.last_insert_rowid();
    let category = event_type::category(record.event_type());
    let financial = is_financial(category);
    // Only a record that may have a typed row is read again.
    if financial || is_security_event(category, None) || text.contains("\"status\":\"denied\"") {
        let read = Record::parse(text)
            .map_err(|error| SinkError(format!("record {}: {error}", record.seq())))?;
        if is_security_event(category, read.status.as_deref()) {
            insert_security(transaction, arrival, record.timestamp, &read)?;
        }
        if financial {
            insert_financial(transaction, arrival, record.timestamp, &read)?;
        }
    }
    Ok(())
}

fn insert_security(
    transaction: &Transaction<'_>,
    arrival: i64,
    timestamp: i64,
    record: &Record<'_>,
) -> Result<(), SinkError> {
    transaction.prepare_cached(INSERT_SECURITY)?.execute(params![
        arrival,
        timestamp,
        record.event_type,
        record.severity,
        record.status,
        record.user_id,
        record.username,
        record.ip_address,
        record.resource,
    ])?;
    Ok(())
}

/// What of `details` has a column of its own.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Money<'a> {
    #[serde(borrow)]
    amount: Option<&'a RawValue>,
    #[serde(borrow)]
    currency: Option<&'a RawValue>,
    #[serde(borrow)]
    symbol: Option<&'a RawValue>,
    #[serde(borrow)]
    side: Option<&'a RawValue>,
    #[serde(borrow)]
    quantity: Option<&'a RawValue>,
    #[serde(borrow)]
    price: Option<&'a RawValue>,
}

fn insert_financial(
    transaction: &Transaction<'_>,
    arrival: i64,
    timestamp: i64,
    record: &Record<'_>,
) -> Result<(), SinkError> {
    let money: Money<'_> = record
        .details
        .and_then(|details| serde_json::from_str(details.get()).ok())
        .unwrap_or_default();
    transaction.prepare_cached(INSERT_FINANCIAL)?.execute(params![
        arrival,
        timestamp,
        record.event_type,
        record.status,
        record.user_id,
        record.correlation_id,
        scalar(money.amount),
        scalar(money.currency),
        scalar(money.symbol),
        scalar(money.side),
        scalar(money.quantity),
        scalar(money.price),
    ])?;
    Ok(())
}

/// The content of a string, the digits of a number as they stand; nothing else has a column.
fn scalar(value: Option<&RawValue>) -> Option<String> {
    let text = value?.get();
    match text.as_bytes().first()? {
        b'"' => serde_json::from_str(text).ok(),
        b'-' | b'0'..=b'9' => Some(text.to_owned()),
        _ => None,
    }
}

/// SQLite has signed integers; a stream does not reach 2^63 records.
fn signed(seq: u64) -> i64 {
    i64::try_from(seq).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::record::{Draft, Hash, Member, Value};

    fn open(dir: &Path) -> SqliteSink {
        SqliteSink::open(&SqliteConfig::at(dir.join("audit.db"))).unwrap()
    }

    fn chain(count: u64) -> Batch {
        let stream = Arc::new("payments@web-1~k3x9q2".parse::<StreamName>().unwrap());
        let mut batch = Batch::new(Arc::clone(&stream));
        let mut prev = Hash::ZERO;
        for seq in 1..=count {
            let mut draft = Draft::new(stream.as_str(), seq, prev, "financial.transfer", "INFO");
            draft.set_text(Member::Status, "denied");
            draft.details = vec![
                ("amount".into(), Value::Str("10.50")),
                ("quantity".into(), Value::U64(3)),
                ("price".into(), Value::Null),
            ];
            prev = batch.push_line(&draft.seal().text).unwrap().hash;
        }
        batch
    }

    #[test]
    fn a_batch_that_comes_twice_is_there_once_and_the_cursor_says_how_far() {
        let dir = tempfile::tempdir().unwrap();
        let batch = chain(5);
        let mut sink = open(dir.path());
        assert_eq!(sink.write(&batch).unwrap(), Written { new: 5, ..Written::default() });
        assert_eq!(sink.write(&batch).unwrap(), Written::default());
        drop(sink);
        let mut sink = open(dir.path());
        assert_eq!(sink.head(&batch.stream).unwrap(), batch.last());
        let lines = sink.lines_after(&batch.stream, 3, 10).unwrap();
        assert_eq!(
            lines,
            batch.records().skip(3).map(|record| record.text().to_owned()).collect::<Vec<_>>()
        );
    }

    #[test]
    fn another_record_of_the_same_number_is_a_conflict() {
        let dir = tempfile::tempdir().unwrap();
        let mut batch = chain(2);
        let mut sink = open(dir.path());
        sink.write(&batch).unwrap();
        let other = batch.records().next_back().unwrap().text().replace("10.50", "99.50");
        batch.pop();
        batch.push_line(&other).unwrap();
        assert_eq!(sink.write(&batch).unwrap(), Written { conflicts: 1, ..Written::default() });
    }

    #[test]
    fn typed_rows_hold_text_and_the_digits_of_numbers() {
        let dir = tempfile::tempdir().unwrap();
        let mut sink = open(dir.path());
        sink.write(&chain(1)).unwrap();
        let row: (String, String, Option<String>) = sink
            .db()
            .unwrap()
            .query_row("SELECT amount, quantity, price FROM financial_audit_logs", [], |row| {
                Ok((row.get(0)?, row.get(1)?, row.get(2)?))
            })
            .unwrap();
        assert_eq!(row, ("10.50".into(), "3".into(), None));
        let denied: i64 = sink
            .db()
            .unwrap()
            .query_row("SELECT count(*) FROM security_events WHERE status = 'denied'", [], |row| {
                row.get(0)
            })
            .unwrap();
        assert_eq!(denied, 1);
    }

    #[test]
    fn records_are_neither_changed_nor_deleted() {
        let dir = tempfile::tempdir().unwrap();
        let mut sink = open(dir.path());
        sink.write(&chain(1)).unwrap();
        for statement in [
            "UPDATE audit_logs SET record = ''",
            "DELETE FROM audit_logs",
            "DELETE FROM security_events",
            "UPDATE financial_audit_logs SET amount = '0'",
            "REPLACE INTO audit_logs SELECT * FROM audit_logs",
        ] {
            let error = sink.db().unwrap().execute(statement, []).unwrap_err().to_string();
            assert!(error.contains("never"), "{statement}: {error}");
        }
    }

    #[test]
    fn the_database_of_another_program_is_refused_by_name() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("audit.db");
        Connection::open(&path).unwrap().execute_batch("CREATE TABLE t (x)").unwrap();
        let error = SqliteSink::open(&SqliteConfig::at(&path)).unwrap_err().to_string();
        assert!(error.contains("audit.db") && error.contains("another program"), "{error}");
    }

    #[test]
    fn the_extra_indexes_are_made_on_request() {
        let dir = tempfile::tempdir().unwrap();
        let config = SqliteConfig { path: dir.path().join("audit.db"), indexes: DbIndexes::Full };
        let mut sink = SqliteSink::open(&config).unwrap();
        sink.write(&chain(1)).unwrap();
        let plan: String = sink
            .db()
            .unwrap()
            .query_row(
                "EXPLAIN QUERY PLAN SELECT record FROM audit_logs WHERE record ->> '$.user_id' = 'u' ORDER BY timestamp",
                [],
                |row| row.get(3),
            )
            .unwrap();
        assert!(plan.contains("audit_logs_user_id_timestamp"), "{plan}");
    }
}
