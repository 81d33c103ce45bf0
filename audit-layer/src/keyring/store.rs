//! The file.
//!
//! House rules of a database that others share hold here too: IMMEDIATE transactions, a time-out for the locks of others,
//! and before each use a look whether the path still names the file that is open.

use std::{
    fs::{self, OpenOptions},
    io,
    os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt},
    path::{Path, PathBuf},
    sync::{Mutex, MutexGuard},
    time::Duration,
};

use rusqlite::{
    Connection, OpenFlags, OptionalExtension, Row, Transaction, TransactionBehavior, params,
};
use zeroize::Zeroizing;

use super::{
    Key, KeyId, KeyInfo, KeyringError, KeyringProblem, Purpose,
    key::{self, Secret},
};
use crate::{clock, durable_names::sync_name, locked, record::format_timestamp};

/// `PRAGMA application_id`: "AUDS" in ASCII.
const APPLICATION_ID: i64 = 0x4155_4453;
/// One step a version, from the one before it.
const MIGRATIONS: [&str; 2] =
    [include_str!("migrations/0001_keys.sql"), include_str!("migrations/0002_erased.sql")];
const VERSION: i64 = MIGRATIONS.len() as i64;
/// How long the locks of other processes are waited for.
const BUSY_TIMEOUT: Duration = Duration::from_secs(2);
/// The purpose of the key under which the names of subjects are hashed. It is never retired: they could not be found
/// any more.
const NAMES: &str = "names";

const IN_USE: &str = "SELECT id, key FROM keys JOIN secrets USING (number)
    WHERE purpose = ?1 AND coalesce(subject, x'') = ?2 AND retired IS NULL";
const FIND: &str = "SELECT id, key, erased FROM keys JOIN secrets USING (number) WHERE id = ?1";
const LIST: &str = "SELECT id, purpose, created, retired FROM keys
    WHERE subject IS NULL AND purpose <> 'names' ORDER BY number";

/// What there is of a key.
#[derive(Debug)]
pub enum Lookup {
    /// It is there.
    Found(Key),
    /// It was a subject's, and was erased.
    Erased {
        /// When: UTC, RFC 3339.
        at: String,
    },
    /// There is no such key: it is another host's, or its keyring was lost.
    Unknown,
}

/// What [`Keyring::erase_subject`] did.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Erasure {
    /// The keys that it destroyed; none when the subject had none.
    pub keys: Vec<KeyId>,
    /// When: UTC, RFC 3339.
    pub at: String,
}

/// How many subjects have keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Subjects {
    /// Those with a key that opens what it sealed.
    pub known: i64,
    /// Those with a key that was erased; who was recorded again since is one of both.
    pub erased: i64,
}

/// The keys of a host, in a file.
#[derive(Debug)]
pub struct Keyring {
    path: PathBuf,
    file: FileId,
    connection: Mutex<Connection>,
}

/// Device and inode.
type FileId = (u64, u64);

impl Keyring {
    /// Makes a keyring, readable for its owner only, with a first key for each purpose.
    ///
    /// # Errors
    /// [`KeyringProblem::Exists`] when something is there already; else what prevents it.
    pub fn init(path: impl Into<PathBuf>) -> Result<Self, KeyringError> {
        let path = path.into();
        let failed = failure(&path);
        match OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path) {
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                return Err(failed(KeyringProblem::Exists));
            }
            Err(error) => return Err(failed(error.into())),
        }
        let made = Self::make(&path).map_err(failure(&path));
        if made.is_err() {
            // Nothing was sealed with what it may hold.
            let _ = fs::remove_file(&path);
        }
        made
    }

    fn make(path: &Path) -> Result<Self, KeyringProblem> {
        sync_name(path)?;
        let (connection, file) = connect(path, |transaction| {
            for purpose in Purpose::ALL.map(Purpose::as_str).into_iter().chain([NAMES]) {
                insert(transaction, purpose, None)?;
            }
            Ok(())
        })?;
        Ok(Self { path: path.to_owned(), file, connection: Mutex::new(connection) })
    }

    /// Opens the keyring at that path.
    ///
    /// # Errors
    /// When there is none, or it is not its owner's alone, or cannot be read.
    pub fn open(path: impl Into<PathBuf>) -> Result<Self, KeyringError> {
        let path = path.into();
        let opened = match fs::metadata(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Err(KeyringProblem::Missing),
            Ok(file) if file.is_file() && file.len() == 0 => Err(KeyringProblem::Empty),
            _ => connect(&path, |_| Ok(())),
        };
        let (connection, file) = opened.map_err(failure(&path))?;
        Ok(Self { path, file, connection: Mutex::new(connection) })
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The keys of the host, oldest first, without what they are made of. Those of subjects are not among them.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn list(&self) -> Result<Vec<KeyInfo>, KeyringError> {
        self.with(|connection| {
            let mut statement = connection.prepare_cached(LIST)?;
            let rows = statement.query_map([], |row| {
                Ok(KeyInfo {
                    id: parsed(row, 0)?,
                    purpose: parsed(row, 1)?,
                    created: format_timestamp(row.get(2)?),
                    retired: row.get::<_, Option<i64>>(3)?.map(format_timestamp),
                })
            })?;
            Ok(rows.collect::<rusqlite::Result<_>>()?)
        })
    }

    /// How many subjects have keys.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn subjects(&self) -> Result<Subjects, KeyringError> {
        let count = "SELECT count(DISTINCT subject) FILTER (WHERE erased IS NULL),
                count(DISTINCT subject) FILTER (WHERE erased IS NOT NULL)
            FROM keys WHERE subject IS NOT NULL";
        self.with(|connection| {
            Ok(connection.query_row(count, [], |row| {
                Ok(Subjects { known: row.get(0)?, erased: row.get(1)? })
            })?)
        })
    }

    /// Makes a new key for that purpose, which is used from now on; running applications take it within a second. The
    /// one before it goes on opening what it sealed.
    ///
    /// - After that of [`Purpose::Hash`] equal values have other marks than before.
    /// - With that of [`Purpose::Seal`] those of all subjects are renewed.
    /// - After that of [`Purpose::Index`] values are found by tokens of both keys; an index may as well be made anew, as that of
    ///   `audit-server` is.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn rotate(&self, purpose: Purpose) -> Result<KeyInfo, KeyringError> {
        self.write(|transaction, now| {
            transaction.execute(
                "UPDATE keys SET retired = ?2 WHERE purpose = ?1 AND retired IS NULL",
                params![purpose.as_str(), now],
            )?;
            let key = insert(transaction, purpose.as_str(), None)?;
            Ok(KeyInfo { id: key.id, purpose, created: format_timestamp(now), retired: None })
        })
    }

    /// The key of that name, or what became of it.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn key(&self, id: &KeyId) -> Result<Lookup, KeyringError> {
        self.with(|connection| {
            let mut statement = connection.prepare_cached(FIND)?;
            let found = statement.query_row([id.as_str()], |row| {
                Ok(match row.get::<_, Option<i64>>(2)? {
                    Some(at) => Lookup::Erased { at: format_timestamp(at) },
                    None => Lookup::Found(read_key(row)?),
                })
            });
            Ok(found.optional()?.unwrap_or(Lookup::Unknown))
        })
    }

    /// The key that is in use for a purpose.
    ///
    /// # Errors
    /// When the file cannot be read, or has none.
    pub fn in_use(&self, purpose: Purpose) -> Result<Key, KeyringError> {
        self.host_key(purpose.as_str())
    }

    fn host_key(&self, purpose: &'static str) -> Result<Key, KeyringError> {
        self.with(|connection| {
            in_use(connection, purpose, &[])?.ok_or(KeyringProblem::NoKey(purpose))
        })
    }

    /// All keys that were ever in use for a purpose of the host, the newest first.
    pub(super) fn all(&self, purpose: Purpose) -> Result<Vec<Key>, KeyringError> {
        self.with(|connection| {
            let all = "SELECT id, key FROM keys JOIN secrets USING (number)
                WHERE purpose = ?1 AND subject IS NULL ORDER BY number DESC";
            let mut statement = connection.prepare_cached(all)?;
            let rows = statement.query_map([purpose.as_str()], read_key)?;
            Ok(rows.collect::<rusqlite::Result<_>>()?)
        })
    }

    /// The key under which the names of subjects are hashed.
    pub(super) fn names_key(&self) -> Result<Key, KeyringError> {
        self.host_key(NAMES)
    }

    /// The key of a subject, who is named by the HMAC. It is made, and on the disk, when there is none.
    pub(super) fn subject_key(&self, subject: &[u8; 32]) -> Result<Key, KeyringError> {
        let purpose = Purpose::Seal.as_str();
        let known = self.with(|connection| in_use(connection, purpose, subject))?;
        match known {
            Some(key) => Ok(key),
            None => self.write(|transaction, _| {
                // Another process may have been faster.
                match in_use(transaction, purpose, subject)? {
                    Some(key) => Ok(key),
                    None => insert(transaction, purpose, Some(subject)),
                }
            }),
        }
    }

    /// Destroys the keys of a subject, and with them all that they sealed. What is recorded of the subject from
    /// now on is sealed with a new one. It is on the disk when this returns.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn erase_subject(&self, subject: &str) -> Result<Erasure, KeyringError> {
        let subject = self.names_key()?.hmac(subject.as_bytes());
        self.write(|transaction, now| {
            let mut statement = transaction.prepare(
                "SELECT id FROM keys WHERE subject = ?1 AND erased IS NULL ORDER BY number",
            )?;
            let keys = statement
                .query_map([subject], |row| parsed(row, 0))?
                .collect::<rusqlite::Result<Vec<KeyId>>>()?;
            transaction.execute(
                "UPDATE secrets SET key = zeroblob(32)
                 WHERE number IN (SELECT number FROM keys WHERE subject = ?1 AND erased IS NULL)",
                [subject],
            )?;
            transaction.execute(
                "UPDATE keys SET erased = ?2, retired = coalesce(retired, ?2)
                 WHERE subject = ?1 AND erased IS NULL",
                params![subject, now],
            )?;
            Ok(Erasure { keys, at: format_timestamp(now) })
        })
    }

    /// The keys that were erased, of all subjects: what was derived from what they sealed is to go too.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn erased_keys(&self) -> Result<Vec<KeyId>, KeyringError> {
        self.with(|connection| {
            let erased = "SELECT id FROM keys WHERE erased IS NOT NULL ORDER BY id";
            let mut statement = connection.prepare_cached(erased)?;
            let rows = statement.query_map([], |row| parsed(row, 0))?;
            Ok(rows.collect::<rusqlite::Result<_>>()?)
        })
    }

    /// A number that is another one when another connection, of any process, has written to the file.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn data_version(&self) -> Result<i64, KeyringError> {
        self.with(|connection| {
            let mut statement = connection.prepare_cached("PRAGMA data_version")?;
            Ok(statement.query_row([], |row| row.get(0))?)
        })
    }

    fn with<R>(
        &self,
        read: impl FnOnce(&Connection) -> Result<R, KeyringProblem>,
    ) -> Result<R, KeyringError> {
        read(&*self.current()?).map_err(failure(&self.path))
    }

    fn write<R>(
        &self,
        write: impl FnOnce(&Transaction<'_>, i64) -> Result<R, KeyringProblem>,
    ) -> Result<R, KeyringError> {
        let mut connection = self.current()?;
        let write = || -> Result<R, KeyringProblem> {
            let transaction =
                connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
            let written = write(&transaction, clock::now_micros())?;
            transaction.commit()?;
            Ok(written)
        };
        write().map_err(failure(&self.path))
    }

    /// The connection, if the path still names what it is to: keys that were made in a file that was removed would be lost,
    /// and an erasure there would erase nothing.
    fn current(&self) -> Result<MutexGuard<'_, Connection>, KeyringError> {
        match file_id(&self.path) {
            Ok(file) if file == self.file => Ok(locked(&self.connection)),
            _ => Err(failure(&self.path)(KeyringProblem::Replaced)),
        }
    }
}

fn failure(path: &Path) -> impl Fn(KeyringProblem) -> KeyringError {
    move |problem| KeyringError { path: path.to_owned(), problem }
}

fn file_id(path: &Path) -> io::Result<FileId> {
    fs::metadata(path).map(|file| (file.dev(), file.ino()))
}

/// Opens the file, brings it to the newest version, and does what is to be done with a new one.
fn connect(
    path: &Path,
    first: impl FnOnce(&Transaction<'_>) -> Result<(), KeyringProblem>,
) -> Result<(Connection, FileId), KeyringProblem> {
    let metadata = fs::metadata(path)?;
    if !metadata.is_file() {
        return Err(KeyringProblem::NoFile);
    }
    let mode = metadata.permissions().mode() & 0o7777;
    if mode & 0o077 != 0 {
        return Err(KeyringProblem::Exposed { mode });
    }
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let mut connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(BUSY_TIMEOUT)?;
    // Before anything is changed in what may be another's.
    let is_foreign = |connection: &Connection| -> rusqlite::Result<bool> {
        Ok(pragma(connection, "schema_version")? != 0
            && pragma(connection, "application_id")? != APPLICATION_ID)
    };
    if is_foreign(&connection)? {
        return Err(KeyringProblem::Foreign);
    }
    connection.execute_batch(
        "PRAGMA trusted_schema = OFF; PRAGMA secure_delete = ON; PRAGMA temp_store = MEMORY;
         PRAGMA journal_mode = DELETE; PRAGMA synchronous = EXTRA; PRAGMA foreign_keys = ON;",
    )?;
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let is_new = pragma(&transaction, "schema_version")? == 0;
    if is_foreign(&transaction)? {
        return Err(KeyringProblem::Foreign);
    }
    let version = pragma(&transaction, "user_version")?;
    if version > VERSION {
        return Err(KeyringProblem::Newer);
    }
    for step in MIGRATIONS.iter().skip(usize::try_from(version).unwrap_or(usize::MAX)) {
        transaction.execute_batch(step)?;
    }
    if is_new {
        first(&transaction)?;
    }
    transaction.commit()?;
    Ok((connection, (metadata.dev(), metadata.ino())))
}

fn pragma(connection: &Connection, name: &str) -> rusqlite::Result<i64> {
    connection.pragma_query_value(None, name, |row| row.get(0))
}

fn parsed<T: std::str::FromStr>(row: &Row<'_>, at: usize) -> rusqlite::Result<T> {
    row.get_ref(at)?.as_str()?.parse().map_err(|_| rusqlite::Error::InvalidQuery)
}

fn read_key(row: &Row<'_>) -> rusqlite::Result<Key> {
    let mut secret: Secret = Zeroizing::new([0; 32]);
    let stored = row.get_ref(1)?.as_blob()?;
    if stored.len() != secret.len() {
        return Err(rusqlite::Error::InvalidQuery);
    }
    secret.copy_from_slice(stored);
    Ok(Key { id: parsed(row, 0)?, secret })
}

fn in_use(
    connection: &Connection,
    purpose: &str,
    subject: &[u8],
) -> Result<Option<Key>, KeyringProblem> {
    let mut statement = connection.prepare_cached(IN_USE)?;
    Ok(statement.query_row(params![purpose, subject], read_key).optional()?)
}

fn insert(
    transaction: &Transaction<'_>,
    purpose: &str,
    subject: Option<&[u8; 32]>,
) -> Result<Key, KeyringProblem> {
    let random = |error: getrandom::Error| KeyringProblem::Random(error.to_string());
    let mut secret: key::Secret = Zeroizing::new([0; 32]);
    getrandom::fill(&mut *secret).map_err(random)?;
    let mut statement = transaction.prepare_cached(
        "INSERT INTO keys (id, purpose, subject, created) VALUES (?1, ?2, ?3, ?4)
         ON CONFLICT (id) DO NOTHING",
    )?;
    let id = loop {
        let id = KeyId::random().map_err(random)?;
        let values = params![id.as_str(), purpose, subject, clock::now_micros()];
        if statement.execute(values)? > 0 {
            break id;
        }
    };
    transaction
        .prepare_cached("INSERT INTO secrets (number, key) VALUES (last_insert_rowid(), ?1)")?
        .execute([secret.as_slice()])?;
    Ok(Key { id, secret })
}

#[cfg(test)]
mod tests;
