//! Verifies a SQLite database: every record, what stands beside it, and the cursors.
//!
//! The database is opened for reading only, its write-ahead log is read as SQLite reads it, and
//! nothing that its schema may contain is trusted to run. Where a database of a stopped writer
//! can't be opened because the directory is read-only, and no log is left beside it, it is read as
//! an immutable file, and checked afterwards to have been one.
//!
//! A page that the database engine finds malformed is a break and not a mere failure to read: the
//! bytes are not those that were written.

use std::{
    ffi::OsString,
    fs,
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

use audit_layer::{APPLICATION_ID, SCHEMA_VERSION, record::Hash};
use rusqlite::{Connection, ErrorCode, OpenFlags, config::DbConfig, limits::Limit};

use super::{
    Cause, MAX_LINE_BYTES, PathKind, PathReport, Place, Receipt, Unreadable,
    finding::{Shown, printable},
    line::{Line, hash_of},
    schema,
    side_tables::{Comparison, FINANCIAL, SECURITY, SideRows, arrival, integer, text},
    trail::Trail,
};

/// The first bytes of every SQLite database.
pub(super) const MAGIC: &[u8; 16] = b"SQLite format 3\0";

/// How many records are read in one transaction: some tens of milliseconds.
const CHUNK: usize = 16_384;

const PATIENCE: Duration = Duration::from_secs(5);

/// The longest row that is read, all columns together.
const MAX_ROW_BYTES: i32 = 4 << 20;

/// Why a walk ended early; what SQLite says has its control characters escaped.
pub(super) enum Halt {
    Unreadable(Unreadable),
    Damaged(String),
}

impl From<Unreadable> for Halt {
    fn from(error: Unreadable) -> Self {
        Self::Unreadable(error)
    }
}

impl From<rusqlite::Error> for Halt {
    fn from(error: rusqlite::Error) -> Self {
        let why = printable(&error.to_string());
        match error.sqlite_error_code() {
            Some(ErrorCode::DatabaseCorrupt | ErrorCode::TooBig) => Self::Damaged(why),
            _ => Self::Unreadable(Unreadable::Database(why)),
        }
    }
}

pub(super) fn verify(path: &Path, receipts: &[Receipt], indexes: bool) -> PathReport {
    let mut trail = Trail::new(path, PathKind::Database, receipts);
    let (mut to_end, mut indexes_checked) = (false, false);
    let mut verify = || -> Result<(), Halt> {
        let database = Database::open(path, &mut trail)?;
        if let Some(schema) = database.check_schema(&mut trail)? {
            database.walk(schema, &mut trail)?;
            to_end = true;
            if indexes {
                database.check_indexes(&mut trail)?;
                indexes_checked = true;
            }
            database.check_stillness()?;
        }
        Ok(())
    };
    match verify() {
        Ok(()) => {}
        Err(Halt::Damaged(why)) => trail.break_of_path(Cause::Damaged(why)),
        Err(Halt::Unreadable(Unreadable::ChangedMeanwhile)) => {
            trail = Trail::new(path, PathKind::Database, receipts);
            trail.could_not_read(Unreadable::ChangedMeanwhile);
            to_end = false;
        }
        Err(Halt::Unreadable(why)) => trail.could_not_read(why),
    }
    let report = trail.finish(to_end);
    PathReport { files: vec![path.to_owned()], indexes: indexes_checked, ..report }
}

/// The hash of each record, looked up by stream and position. `None` where the index leads to no
/// row, or to one of another record: that says nothing of the table.
pub(super) fn hashes_at(
    path: &Path,
    wanted: &[(String, u64)],
) -> Result<Vec<Option<Hash>>, Unreadable> {
    let look_up = || -> Result<_, Halt> {
        let database = Database::open(path, &mut Trail::new(path, PathKind::Database, &[]))?;
        let sql = "SELECT record FROM audit_logs WHERE stream = ?1 AND seq = ?2";
        let mut statement = database.connection.prepare(sql)?;
        let mut hashes = Vec::with_capacity(wanted.len());
        for (stream, seq) in wanted {
            let mut rows = statement.query((stream, i64::try_from(*seq).unwrap_or(i64::MAX)))?;
            let line = rows.next()?.and_then(|row| Line::read(text(row, 0)?).ok());
            let asked_for = line.filter(|line| {
                line.intact && line.members.stream == stream && line.members.seq == *seq
            });
            hashes.push(asked_for.and_then(|line| hash_of(&line.digits)));
        }
        Ok(hashes)
    };
    look_up().map_err(|halt| match halt {
        Halt::Unreadable(error) => error,
        Halt::Damaged(why) => Unreadable::Database(why),
    })
}

struct Database {
    connection: Connection,
    /// Set when the database is read as a file that nobody changes.
    immutable: Option<Stillness>,
}

/// What changes when somebody writes a database whose log is not read.
#[derive(PartialEq, Eq)]
struct Stillness {
    path: PathBuf,
    length: u64,
    modified: SystemTime,
}

impl Stillness {
    /// `None` when there is a log, so that the file alone is not the database.
    fn of(path: &Path) -> Option<Self> {
        if fs::metadata(beside(path, "-wal")).is_ok_and(|log| log.is_file() && log.len() > 0) {
            return None;
        }
        let about = fs::metadata(path).ok()?;
        Some(Self { path: path.to_owned(), length: about.len(), modified: about.modified().ok()? })
    }
}

impl Database {
    fn open(path: &Path, trail: &mut Trail<'_>) -> Result<Self, Halt> {
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let refusal = match irregular_beside(path) {
            // SQLite would wait for a pipe that it takes for a journal.
            Some(why) => {
                trail.could_not_read(why.clone());
                Halt::Unreadable(why)
            }
            None => match connect(path.as_os_str(), flags) {
                Ok(connection) => {
                    let database = Self { connection, immutable: None };
                    database.check_kind()?;
                    return Ok(database);
                }
                Err(error) => match error.sqlite_error_code() {
                    Some(ErrorCode::CannotOpen | ErrorCode::ReadOnly) => error.into(),
                    _ => return Err(error.into()),
                },
            },
        };
        let Some(stillness) = Stillness::of(path) else { return Err(refusal) };
        let connection = connect(&immutable_uri(path), flags | OpenFlags::SQLITE_OPEN_URI)?;
        let database = Self { connection, immutable: Some(stillness) };
        database.check_kind()?;
        Ok(database)
    }

    fn pragma(&self, name: &str) -> rusqlite::Result<i32> {
        self.connection.pragma_query_value(None, name, |row| row.get(0))
    }

    fn check_kind(&self) -> Result<(), Halt> {
        let application_id = self.pragma("application_id")?;
        if application_id != APPLICATION_ID {
            return Err(Unreadable::OtherDatabase(application_id, APPLICATION_ID).into());
        }
        match self.pragma("user_version")? {
            SCHEMA_VERSION => Ok(()),
            version if version > SCHEMA_VERSION => {
                Err(Unreadable::NewerSchema(version, SCHEMA_VERSION).into())
            }
            version => {
                let why = format!("its tables are of version {version}, which never was");
                Err(Unreadable::Database(why).into())
            }
        }
    }

    /// Which version of its tables is to be walked; `None` when they are not ours.
    fn check_schema(&self, trail: &mut Trail<'_>) -> Result<Option<i32>, Halt> {
        let transaction = self.connection.unchecked_transaction()?;
        let readable = schema::check(&self.connection, trail)?;
        let schema = self.pragma("schema_version")?;
        transaction.finish()?;
        Ok(readable.then_some(schema))
    }

    fn check_indexes(&self, trail: &mut Trail<'_>) -> Result<(), Halt> {
        let found: String =
            self.connection.query_row("PRAGMA integrity_check(1)", [], |row| row.get(0))?;
        if found != "ok" {
            trail.break_of_path(Cause::Damaged(printable(&found)));
        }
        Ok(())
    }

    fn walk(&self, schema: i32, trail: &mut Trail<'_>) -> Result<(), Halt> {
        let mut logs = self.connection.prepare(&format!(
            "SELECT arrival, stream, seq, id, timestamp, event_type, record \
             FROM audit_logs NOT INDEXED WHERE arrival >= ?1 ORDER BY arrival LIMIT {CHUNK}"
        ))?;
        let mut security = self.connection.prepare(&format!(
            "SELECT arrival, timestamp, event_type, severity, status, user_id, username, \
                    ip_address, resource \
             FROM {SECURITY} NOT INDEXED WHERE arrival >= ?1 ORDER BY arrival"
        ))?;
        let mut financial = self.connection.prepare(&format!(
            "SELECT arrival, timestamp, event_type, status, user_id, correlation_id, \
                    amount, currency, symbol, side, quantity, price \
             FROM {FINANCIAL} NOT INDEXED WHERE arrival >= ?1 ORDER BY arrival"
        ))?;
        let mut comparison = Comparison::default();
        let mut last = None;
        let mut next = Some(i64::MIN);
        while let Some(from) = next {
            // What one transaction sees of the four tables was written together.
            let transaction = self.connection.unchecked_transaction()?;
            if self.pragma("schema_version")? != schema {
                let why = "its tables were changed while it was read; verify it again".to_owned();
                return Err(Unreadable::Database(why).into());
            }
            let mut rows = logs.query([from])?;
            let mut security = SideRows::new(SECURITY, security.query([from])?)?;
            let mut financial = SideRows::new(FINANCIAL, financial.query([from])?)?;
            let mut count = 0;
            while let Some(row) = rows.next()? {
                let arrival = arrival(row, last, "audit_logs")?;
                security.pass_before(Some(arrival), trail)?;
                financial.pass_before(Some(arrival), trail)?;
                let place = || Place::Row { arrival };
                let stream =
                    || text(row, 1).map(|bytes| String::from_utf8_lossy(bytes).into_owned());
                match text(row, 6) {
                    Some(record) if record.len() > MAX_LINE_BYTES => {
                        trail.break_at(stream().as_deref(), None, Some(place()), Cause::TooLong);
                    }
                    Some(record) => trail.take(record, place, stream, |members| {
                        let (security, financial) =
                            (security.row_of(arrival), financial.row_of(arrival));
                        comparison.difference(members, row, security, financial)
                    }),
                    None => {
                        let cause = Cause::NotARecord("the column record is not text".to_owned());
                        trail.break_at(stream().as_deref(), None, Some(place()), cause);
                    }
                }
                security.pass(arrival)?;
                financial.pass(arrival)?;
                last = Some(arrival);
                count += 1;
            }
            next = last.and_then(|last| last.checked_add(1)).filter(|_| count == CHUNK);
            if next.is_none() {
                security.pass_before(None, trail)?;
                financial.pass_before(None, trail)?;
                self.compare_cursors(trail)?;
            }
            drop((rows, security, financial));
            transaction.finish()?;
        }
        Ok(())
    }

    fn check_stillness(&self) -> Result<(), Halt> {
        match &self.immutable {
            Some(before) if Stillness::of(&before.path).as_ref() != Some(before) => {
                Err(Unreadable::ChangedMeanwhile.into())
            }
            _ => Ok(()),
        }
    }

    fn compare_cursors(&self, trail: &mut Trail<'_>) -> Result<(), Halt> {
        let mut without: Vec<String> =
            trail.chains().iter().map(|chain| chain.name.as_str().to_owned()).collect();
        without.sort_unstable();
        let mut cursors = self
            .connection
            .prepare("SELECT stream, seq, hash FROM audit_cursors ORDER BY stream")?;
        let mut rows = cursors.query([])?;
        while let Some(row) = rows.next()? {
            let stream = text(row, 0).and_then(|bytes| std::str::from_utf8(bytes).ok());
            let stream = stream.unwrap_or_default();
            let seq = integer(row, 1).and_then(|seq| u64::try_from(seq).ok()).unwrap_or(0);
            if let Ok(at) = without.binary_search_by(|name| name.as_str().cmp(stream)) {
                without.remove(at);
            }
            let last = trail.chain(stream).map_or(Default::default(), |chain| chain.last);
            let hash = trail.chain(stream).map(|chain| chain.head().hash.to_string());
            let cause = if seq > last {
                Cause::CursorAhead(seq)
            } else if seq < last {
                Cause::CursorBehind(Some(seq))
            } else if hash.is_some_and(|hash| text(row, 2) != Some(hash.as_bytes())) {
                Cause::CursorHash
            } else {
                continue;
            };
            trail.break_at(Some(stream), (last > 0).then_some(last), None, cause);
        }
        for stream in without {
            trail.break_at(Some(&stream), None, None, Cause::CursorBehind(None));
        }
        Ok(())
    }
}

fn connect(path: &std::ffi::OsStr, flags: OpenFlags) -> rusqlite::Result<Connection> {
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(PATIENCE)?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_TRUSTED_SCHEMA, false)?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true)?;
    connection.set_limit(Limit::SQLITE_LIMIT_LENGTH, MAX_ROW_BYTES)?;
    connection.pragma_update(None, "query_only", true)?;
    connection.pragma_update(None, "cell_size_check", true)?;
    // The file is touched only now.
    connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get::<_, i64>(0))?;
    Ok(connection)
}

fn beside(path: &Path, suffix: &str) -> OsString {
    let mut beside = OsString::from(path);
    beside.push(suffix);
    beside
}

/// What SQLite keeps beside a database, where it is no regular file.
fn irregular_beside(path: &Path) -> Option<Unreadable> {
    ["-journal", "-wal", "-shm"]
        .into_iter()
        .map(|suffix| PathBuf::from(beside(path, suffix)))
        .find(|beside| fs::metadata(beside).is_ok_and(|about| !about.is_file()))
        .map(|beside| Unreadable::Io(format!("{}: not a regular file", Shown(&beside))))
}

/// `file:` with every byte escaped that is not plainly part of a path.
fn immutable_uri(path: &Path) -> OsString {
    let mut uri = String::from("file:");
    for byte in path.as_os_str().as_encoded_bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'/' | b'.' | b'_' | b'-' => {
                uri.push(char::from(*byte));
            }
            _ => uri.push_str(&format!("%{byte:02X}")),
        }
    }
    uri.push_str("?immutable=1");
    uri.into()
}
