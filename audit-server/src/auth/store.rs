//! The server's own small database of keys.
//!
//! The command line and a running server share the file, and SQLite's locks are all that is between
//! them: a key made or revoked counts from the next request on. The file is its owner's alone.

use std::{
    fs::{self, OpenOptions},
    io,
    os::unix::fs::{OpenOptionsExt, PermissionsExt},
    path::{Path, PathBuf},
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use audit_layer::record::format_timestamp;
use rusqlite::{Connection, OpenFlags, OptionalExtension, params};
use subtle::ConstantTimeEq;
use time::OffsetDateTime;

use super::{
    KeyFileMissing, KeyFileUnusable, KeyId, KeyIdInvalid, KeyNameInvalid, KeyUnknown,
    SecretKeyText, WrongKey,
};
use crate::{Error, store::FileIdentity};

/// `PRAGMA application_id` of a database of keys: "AUDK" in ASCII.
const APPLICATION_ID: i64 = 0x4155_444b;
const VERSION: i64 = 1;
const BUSY_TIMEOUT: Duration = Duration::from_secs(2);

const SCHEMA: &str = "
CREATE TABLE keys (
    id      TEXT PRIMARY KEY,
    name    TEXT NOT NULL,
    hash    BLOB NOT NULL CHECK (length(hash) = 32),  -- SHA-256 of the whole key
    created TEXT NOT NULL,
    revoked TEXT
) STRICT;
PRAGMA application_id = 1096107083;
PRAGMA user_version = 1;";

/// What is known of a key.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct KeyInfo {
    /// Its public part.
    pub id: KeyId,
    /// What it was called, so that people know whose it is.
    pub name: String,
    /// When it was made: UTC, RFC 3339.
    pub created: String,
    /// When it was revoked.
    pub revoked: Option<String>,
}

/// The keys, in a file.
#[derive(Debug)]
pub struct KeyStore {
    path: PathBuf,
    open: Mutex<Open>,
}

#[derive(Debug)]
struct Open {
    connection: Connection,
    file: FileIdentity,
}

impl KeyStore {
    /// Opens the keys at that path. Makes the file, readable for its owner only, if there is none.
    ///
    /// # Errors
    /// [`KeyFileUnusable`] when the file cannot be made or read, belongs to something else, or
    /// others may write to it.
    pub fn open(path: impl Into<PathBuf>) -> Result<Self, Error> {
        let path = path.into();
        let made = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path);
        match made {
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => {
                return Err(unusable(
                    &path,
                    "the file cannot be made; does its directory exist?",
                    error,
                ));
            }
        }
        Ok(Self { open: Mutex::new(connect(&path)?), path })
    }

    /// Opens the keys that are at that path.
    ///
    /// # Errors
    /// [`KeyFileMissing`] when there are none, and those of [`KeyStore::open`].
    pub fn open_existing(path: impl Into<PathBuf>) -> Result<Self, Error> {
        let path = path.into();
        match fs::metadata(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                Err(KeyFileMissing { path }.into())
            }
            // An empty file is what `open` leaves between its first two steps.
            Ok(file) if file.len() == 0 => Err(KeyFileMissing { path }.into()),
            _ => Ok(Self { open: Mutex::new(connect(&path)?), path }),
        }
    }

    /// Makes a key. Its text is returned this once and kept nowhere.
    ///
    /// # Errors
    /// [`KeyNameInvalid`], or when the file cannot be written.
    pub fn create(&self, name: &str) -> Result<(KeyInfo, SecretKeyText), Error> {
        if name.is_empty() || name.chars().count() > 100 || name.chars().any(char::is_control) {
            return Err(KeyNameInvalid.into());
        }
        let key = SecretKeyText::generate()
            .map_err(|error| unusable(&self.path, "the system gives no random numbers", error))?;
        let info = KeyInfo { id: key.id(), name: name.to_owned(), created: now(), revoked: None };
        let sql = "INSERT INTO keys (id, name, hash, created) VALUES (?1, ?2, ?3, ?4)";
        let open = self.current()?;
        open.connection
            .execute(sql, params![info.id.as_str(), info.name, key.hash(), info.created])
            .map_err(|error| self.unusable(error))?;
        Ok((info, key))
    }

    /// Every key, oldest first, revoked ones included.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn list(&self) -> Result<Vec<KeyInfo>, Error> {
        let open = self.current()?;
        let list = || {
            let sql = "SELECT id, name, created, revoked FROM keys ORDER BY created, id";
            let mut statement = open.connection.prepare(sql)?;
            let rows = statement.query_map([], |row| {
                let id: String = row.get(0)?;
                Ok((id, row.get(1)?, row.get(2)?, row.get(3)?))
            })?;
            rows.collect::<rusqlite::Result<Vec<(String, String, String, Option<String>)>>>()
        };
        let rows = list().map_err(|error| self.unusable(error))?;
        let keys = rows.into_iter().filter_map(|(id, name, created, revoked)| {
            Some(KeyInfo { id: id.parse().ok()?, name, created, revoked })
        });
        Ok(keys.collect())
    }

    /// Makes a key worthless from now on, which is named by its id or is there whole, and gives its
    /// id. To revoke it again changes nothing.
    ///
    /// # Errors
    /// [`KeyIdInvalid`], [`KeyUnknown`], or when the file cannot be written.
    pub fn revoke(&self, id_or_key: &str) -> Result<KeyId, Error> {
        let whole = || id_or_key.parse().map(|key: SecretKeyText| key.id());
        let id: KeyId = id_or_key.parse().or_else(|()| whole()).map_err(|()| KeyIdInvalid)?;
        let open = self.current()?;
        let sql = "UPDATE keys SET revoked = coalesce(revoked, ?2) WHERE id = ?1";
        let changed = open
            .connection
            .execute(sql, [id.as_str(), &now()])
            .map_err(|error| self.unusable(error))?;
        if changed == 0 {
            return Err(KeyUnknown { id }.into());
        }
        Ok(id)
    }

    /// Whose key this is. Takes as long for an unknown id as for a wrong secret.
    ///
    /// # Errors
    /// [`WrongKey`] when it is unknown, wrong or revoked; when the file cannot be read.
    pub fn check(&self, key: &SecretKeyText) -> Result<KeyId, Error> {
        self.find(&self.current()?.connection, key)
    }

    /// The same, if it can be told at once: none when another look-up is under way, the file was
    /// replaced, or a key is being written.
    pub(crate) fn check_at_once(&self, key: &SecretKeyText) -> Option<Result<KeyId, Error>> {
        let open = self.open.try_lock().ok()?;
        FileIdentity::of(&self.path).ok().filter(|file| *file == open.file)?;
        open.connection.busy_timeout(Duration::ZERO).ok()?;
        let checked = self.find(&open.connection, key);
        open.connection.busy_timeout(BUSY_TIMEOUT).ok()?;
        match checked {
            Err(Error::KeyFileUnusable(_)) => None,
            checked => Some(checked),
        }
    }

    fn find(&self, connection: &Connection, key: &SecretKeyText) -> Result<KeyId, Error> {
        let id = key.id();
        let row = connection
            .prepare_cached("SELECT hash, revoked IS NULL FROM keys WHERE id = ?1")
            .and_then(|mut statement| {
                statement
                    .query_row([id.as_str()], |row| {
                        Ok((row.get::<_, [u8; 32]>(0)?, row.get::<_, bool>(1)?))
                    })
                    .optional()
            })
            .map_err(|error| self.unusable(error))?;
        let (stored, valid) = row.unwrap_or(([0; 32], false));
        let same = bool::from(key.hash().ct_eq(&stored));
        if same && valid { Ok(id) } else { Err(WrongKey.into()) }
    }

    /// The open database, or the one that has taken its place: a file that was deleted must not go
    /// on letting people in.
    fn current(&self) -> Result<MutexGuard<'_, Open>, Error> {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        match FileIdentity::of(&self.path) {
            Ok(file) if file == open.file => {}
            Ok(_) => *open = connect(&self.path)?,
            Err(_) => return Err(KeyFileMissing { path: self.path.clone() }.into()),
        }
        Ok(open)
    }

    fn unusable(&self, error: rusqlite::Error) -> Error {
        unusable(&self.path, "SQLite cannot read or write it", error)
    }
}

fn unusable(
    path: &Path,
    reason: &'static str,
    source: impl std::error::Error + Send + Sync + 'static,
) -> Error {
    KeyFileUnusable { path: path.to_owned(), reason, source: Some(Box::new(source)) }.into()
}

fn connect(path: &Path) -> Result<Open, Error> {
    let refuse = |reason| KeyFileUnusable { path: path.to_owned(), reason, source: None };
    let mode = fs::metadata(path)
        .map_err(|error| unusable(path, "the file cannot be looked at", error))?
        .permissions()
        .mode();
    if mode & 0o077 != 0 {
        return Err(refuse("others may read or write it; `chmod 600` it").into());
    }
    let file = FileIdentity::of(path)
        .map_err(|error| unusable(path, "the file cannot be looked at", error))?;
    let open = || -> rusqlite::Result<(Connection, i64, i64)> {
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let mut connection = Connection::open_with_flags(path, flags)?;
        connection.busy_timeout(BUSY_TIMEOUT)?;
        connection.execute_batch("PRAGMA trusted_schema = OFF; PRAGMA synchronous = FULL;")?;
        let transaction =
            connection.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
        if pragma(&transaction, "schema_version")? == 0 {
            transaction.execute_batch(SCHEMA)?;
        }
        transaction.commit()?;
        let application = pragma(&connection, "application_id")?;
        let version = pragma(&connection, "user_version")?;
        Ok((connection, application, version))
    };
    match open() {
        Ok((connection, APPLICATION_ID, VERSION)) => Ok(Open { connection, file }),
        Ok((_, APPLICATION_ID, _)) => {
            Err(refuse("a later version made it; update audit-server").into())
        }
        Ok(_) => Err(refuse("it is a database of something else").into()),
        Err(error) => Err(unusable(path, "SQLite cannot open it", error)),
    }
}

fn pragma(connection: &Connection, name: &str) -> rusqlite::Result<i64> {
    connection.pragma_query_value(None, name, |row| row.get(0))
}

fn now() -> String {
    let nanos = OffsetDateTime::now_utc().unix_timestamp_nanos();
    format_timestamp(i64::try_from(nanos / 1000).unwrap_or_default())
}
