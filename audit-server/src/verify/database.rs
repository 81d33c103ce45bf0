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

use audit_layer::{
    APPLICATION_ID, SCHEMA_VERSION,
    record::{Hash, split_hash},
};
use rusqlite::{Connection, ErrorCode, OpenFlags, config::DbConfig, limits::Limit};

use super::{
    Cause, MAX_LINE_BYTES, PathKind, PathReport, Place, Receipt, Unreadable,
    side_tables::{Comparison, FINANCIAL, SECURITY, SideRows, integer, text},
    trail::Trail,
};

/// The first bytes of every SQLite database.
pub(super) const MAGIC: &[u8; 16] = b"SQLite format 3\0";

/// How many records are read in one transaction: some tens of milliseconds.
const CHUNK: usize = 16_384;

const PATIENCE: Duration = Duration::from_secs(5);

const TRIGGERS: [&str; 6] = [
    "audit_logs_keep_update",
    "audit_logs_keep_delete",
    "security_events_keep_update",
    "security_events_keep_delete",
    "financial_audit_logs_keep_update",
    "financial_audit_logs_keep_delete",
];

/// The longest row that is read, all columns together.
const MAX_ROW_BYTES: i32 = 4 << 20;

/// Why a walk ended early.
enum Halt {
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
        match error.sqlite_error_code() {
            Some(ErrorCode::DatabaseCorrupt | ErrorCode::TooBig) => {
                Self::Damaged(error.to_string())
            }
            _ => Self::Unreadable(Unreadable::Database(error.to_string())),
        }
    }
}

pub(super) fn verify(path: &Path, receipts: &[Receipt]) -> PathReport {
    let mut trail = Trail::new(path, receipts);
    let mut unreadable = None;
    match Database::open(path).and_then(|database| database.walk(&mut trail)) {
        Ok(()) => {}
        Err(Halt::Damaged(why)) => trail.break_at(None, None, None, Cause::Damaged(why)),
        Err(Halt::Unreadable(Unreadable::ChangedMeanwhile)) => {
            trail = Trail::new(path, receipts);
            unreadable = Some(Unreadable::ChangedMeanwhile);
        }
        Err(Halt::Unreadable(error)) => unreadable = Some(error),
    }
    let report = trail.finish(PathKind::Database, true, unreadable);
    PathReport { files: vec![path.to_owned()], ..report }
}

/// The hash that each record states, looked up by stream and position.
pub(super) fn hashes_at(
    path: &Path,
    wanted: &[(String, u64)],
) -> Result<Vec<Option<Hash>>, Unreadable> {
    let look_up = || -> Result<_, Halt> {
        let database = Database::open(path)?;
        let sql = "SELECT record FROM audit_logs WHERE stream = ?1 AND seq = ?2";
        let mut statement = database.connection.prepare(sql)?;
        let mut hashes = Vec::with_capacity(wanted.len());
        for (stream, seq) in wanted {
            let mut rows = statement.query((stream, i64::try_from(*seq).unwrap_or(i64::MAX)))?;
            let row = rows.next()?;
            hashes.push(row.and_then(|row| Some(split_hash(text(row, 0)?)?.1)));
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
        let mut log = OsString::from(path);
        log.push("-wal");
        if fs::metadata(log).is_ok_and(|log| log.len() > 0) {
            return None;
        }
        let about = fs::metadata(path).ok()?;
        Some(Self { path: path.to_owned(), length: about.len(), modified: about.modified().ok()? })
    }
}

impl Database {
    fn open(path: &Path) -> Result<Self, Halt> {
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let database = match connect(path.as_os_str(), flags) {
            Ok(connection) => Self { connection, immutable: None },
            Err(error) => {
                let refused = matches!(
                    error.sqlite_error_code(),
                    Some(ErrorCode::CannotOpen | ErrorCode::ReadOnly)
                );
                let Some(stillness) = Stillness::of(path).filter(|_| refused) else {
                    return Err(error.into());
                };
                let connection = connect(&immutable_uri(path), flags | OpenFlags::SQLITE_OPEN_URI)?;
                Self { connection, immutable: Some(stillness) }
            }
        };
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

    fn walk(&self, trail: &mut Trail<'_>) -> Result<(), Halt> {
        self.notice_missing_triggers(trail)?;
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
        let mut next = Some(i64::MIN);
        while let Some(from) = next {
            // What one transaction sees of the four tables was written together.
            let transaction = self.connection.unchecked_transaction()?;
            let mut rows = logs.query([from])?;
            let mut security = SideRows::new(SECURITY, security.query([from])?)?;
            let mut financial = SideRows::new(FINANCIAL, financial.query([from])?)?;
            let mut count = 0;
            while let Some(row) = rows.next()? {
                let arrival = integer(row, 0).unwrap_or(from);
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
                    })?,
                    None => {
                        let cause = Cause::NotARecord("the column record is not text".to_owned());
                        trail.break_at(stream().as_deref(), None, Some(place()), cause);
                    }
                }
                security.pass(arrival)?;
                financial.pass(arrival)?;
                next = arrival.checked_add(1);
                count += 1;
            }
            if count < CHUNK {
                security.pass_before(None, trail)?;
                financial.pass_before(None, trail)?;
                self.compare_cursors(trail)?;
                next = None;
            }
            drop((rows, security, financial));
            transaction.finish()?;
        }
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

    fn notice_missing_triggers(&self, trail: &mut Trail<'_>) -> Result<(), Halt> {
        let sql = "SELECT count(*) FROM sqlite_schema WHERE type = 'trigger' AND name = ?1";
        let mut statement = self.connection.prepare(sql)?;
        for name in TRIGGERS {
            if statement.query_row([name], |row| row.get::<_, i64>(0))? == 0 {
                trail.notice(format!(
                    "the trigger {name}, which guards the records against mistakes, was dropped"
                ));
            }
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
