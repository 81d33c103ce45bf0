//! The server's own small database of keys.
//!
//! The command line and a running server share the file, and SQLite's locks are all that is between
//! them: a key made or revoked counts from the next request on. The file is its owner's alone.

use std::{
    collections::BTreeMap,
    fs::{self, OpenOptions},
    io,
    net::IpAddr,
    os::unix::fs::{OpenOptionsExt, PermissionsExt},
    path::{Path, PathBuf},
    str::FromStr,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use audit_layer::record::format_timestamp;
use rusqlite::{Connection, OpenFlags, OptionalExtension, Row, TransactionBehavior, params};
use subtle::ConstantTimeEq;
use time::OffsetDateTime;

use super::{
    KeyFileMissing, KeyFileUnusable, KeyId, KeyLifetimeInvalid, KeyNameInvalid, KeyUnknown,
    Networks, Role, Scope, SecretKeyText, Tenant, TenantAdmin, TooManyKeys, WrongKey,
};
use crate::{Error, store::FileIdentity};

/// `PRAGMA application_id` of a database of keys: "AUDK" in ASCII.
const APPLICATION_ID: i64 = 0x4155_444b;
const VERSION: i64 = 4;
/// The longest that a key may be made for: ten years.
const MAX_LIFETIME: Duration = Duration::from_secs(10 * 366 * 86_400);
/// The most keys, those included that are worth nothing any more.
const MAX_KEYS: i64 = 10_000;
const FIND: &str = "SELECT id, name, role, created, expires, networks, revoked, tenant, hash
                    FROM keys WHERE id = ?1";
const LIST: &str = "SELECT id, name, role, created, expires, networks, revoked, tenant
                    FROM keys ORDER BY created, id";
const BUSY_TIMEOUT: Duration = Duration::from_secs(2);

/// One step a version, from the one before it. Keys of version 1 might do everything.
const MIGRATIONS: [&str; VERSION as usize] = [
    "CREATE TABLE keys (
        id      TEXT PRIMARY KEY,
        name    TEXT NOT NULL,
        hash    BLOB NOT NULL CHECK (length(hash) = 32),  -- SHA-256 of the whole key
        created TEXT NOT NULL,
        revoked TEXT
    ) STRICT;
    PRAGMA application_id = 1096107083;
    PRAGMA user_version = 1;",
    "ALTER TABLE keys ADD COLUMN role TEXT NOT NULL DEFAULT 'admin';
    ALTER TABLE keys ADD COLUMN expires TEXT;
    ALTER TABLE keys ADD COLUMN networks TEXT NOT NULL DEFAULT '';  -- separated by commas; empty: any
    PRAGMA user_version = 2;",
    "ALTER TABLE keys ADD COLUMN tenant TEXT;  -- whose records it sees; NULL: all
    CREATE TABLE secrets (
        name  TEXT PRIMARY KEY,
        value BLOB NOT NULL CHECK (length(value) = 32)
    ) STRICT;
    PRAGMA user_version = 3;",
    "CREATE TABLE settings (  -- of the server, when it was started last
        name  TEXT PRIMARY KEY,
        value TEXT NOT NULL
    ) STRICT;
    PRAGMA user_version = 4;",
];

/// What is known of a key.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct KeyInfo {
    /// Its public part.
    pub id: KeyId,
    /// What it was called, so that people know whose it is.
    pub name: String,
    /// What it may do.
    pub role: Role,
    /// Whose records it sees; all when there is none.
    pub tenant: Option<Tenant>,
    /// When it was made: UTC, RFC 3339.
    pub created: String,
    /// From when on it is worth nothing.
    pub expires: Option<String>,
    /// From where it may be used; from anywhere when there is none.
    pub networks: Networks,
    /// When it was revoked.
    pub revoked: Option<String>,
}

impl KeyInfo {
    fn read(row: &Row<'_>) -> rusqlite::Result<Self> {
        fn read<T: FromStr>(row: &Row<'_>, at: usize) -> rusqlite::Result<T> {
            let text = row.get_ref(at)?.as_str()?;
            text.parse().map_err(|_| rusqlite::Error::InvalidQuery)
        }
        let tenant = row.get_ref(7)?.as_str_or_null()?.map(str::parse);
        Ok(Self {
            id: read(row, 0)?,
            name: row.get(1)?,
            role: read(row, 2)?,
            created: row.get(3)?,
            expires: row.get(4)?,
            networks: read(row, 5)?,
            revoked: row.get(6)?,
            tenant: tenant.transpose().map_err(|_| rusqlite::Error::InvalidQuery)?,
        })
    }

    /// Whether it opens anything at that time. Times of one form are in the order of their texts.
    #[must_use]
    pub fn is_valid_at(&self, now: &str) -> bool {
        self.revoked.is_none() && self.expires.as_deref().is_none_or(|expires| now < expires)
    }
}

/// A key that is to be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewKey {
    /// Whose key it is, or what for: 1 to 100 characters, none of them a control character.
    pub name: String,
    /// What it may do.
    pub role: Role,
    /// Whose records it sees; all when there is none.
    pub tenant: Option<Tenant>,
    /// How long it is worth something; for ever when there is none.
    pub lifetime: Option<Duration>,
    /// From where it may be used; from anywhere when there is none.
    pub networks: Networks,
}

impl NewKey {
    /// A key of that name and role, for ever and from anywhere.
    #[must_use]
    pub fn new(name: &str, role: Role) -> Self {
        let networks = Networks::default();
        Self { name: name.to_owned(), role, tenant: None, lifetime: None, networks }
    }
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

    /// Makes a key of the role `admin`, for ever and from anywhere. Its text is returned this once and
    /// kept nowhere.
    ///
    /// # Errors
    /// [`KeyNameInvalid`], or when the file cannot be written.
    pub fn create(&self, name: &str) -> Result<(KeyInfo, SecretKeyText), Error> {
        self.make(&NewKey::new(name, Role::Admin))
    }

    /// Makes a key. Its text is returned this once and kept nowhere.
    ///
    /// # Errors
    /// [`KeyNameInvalid`], [`KeyLifetimeInvalid`], [`TenantAdmin`], or when the file cannot be written.
    pub fn make(&self, new: &NewKey) -> Result<(KeyInfo, SecretKeyText), Error> {
        let NewKey { name, role, tenant, lifetime, networks } = new;
        if name.is_empty() || name.chars().count() > 100 || name.chars().any(char::is_control) {
            return Err(KeyNameInvalid.into());
        }
        if tenant.is_some() && role.may(Scope::Admin) {
            return Err(TenantAdmin.into());
        }
        let key = SecretKeyText::generate()
            .map_err(|error| unusable(&self.path, "the system gives no random numbers", error))?;
        let now = micros();
        let info = KeyInfo {
            id: key.id(),
            name: name.clone(),
            role: *role,
            tenant: tenant.clone(),
            created: format_timestamp(now),
            expires: lifetime.map(|lifetime| expiry(now, lifetime)).transpose()?,
            networks: networks.clone(),
            revoked: None,
        };
        self.insert(&self.current()?.connection, &info, &key)?;
        Ok((info, key))
    }

    /// Makes a key in place of another, with all that this one has but its lifetime, and gives the old
    /// one so long until it expires: whoever uses it changes over in the meantime.
    ///
    /// # Errors
    /// [`KeyUnknown`] when there is none of that id that is worth anything, [`KeyLifetimeInvalid`], or
    /// when the file cannot be written.
    pub fn rotate(
        &self,
        id: &KeyId,
        lifetime: Option<Duration>,
        grace: Duration,
    ) -> Result<(KeyInfo, SecretKeyText), Error> {
        let key = SecretKeyText::generate()
            .map_err(|error| unusable(&self.path, "the system gives no random numbers", error))?;
        let now = micros();
        let created = format_timestamp(now);
        let ends = expiry(now, grace)?;
        let mut open = self.current()?;
        let transaction = open
            .connection
            .transaction_with_behavior(TransactionBehavior::Immediate)
            .map_err(|error| self.unusable(error))?;
        let old = self.info(&transaction, id)?.filter(|old| old.is_valid_at(&created));
        let old = old.ok_or_else(|| KeyUnknown { id: id.clone() })?;
        let expires = lifetime.map(|lifetime| expiry(now, lifetime)).transpose()?;
        let info = KeyInfo { id: key.id(), created, expires, revoked: None, ..old };
        self.insert(&transaction, &info, &key)?;
        let sql = "UPDATE keys SET expires = min(coalesce(expires, ?2), ?2) WHERE id = ?1";
        transaction
            .execute(sql, [id.as_str(), &ends])
            .and_then(|_| transaction.commit())
            .map_err(|error| self.unusable(error))?;
        Ok((info, key))
    }

    fn insert(
        &self,
        connection: &Connection,
        info: &KeyInfo,
        key: &SecretKeyText,
    ) -> Result<(), Error> {
        let KeyInfo { id, name, role, tenant, created, expires, networks, revoked: _ } = info;
        let sql = "INSERT INTO keys (id, name, hash, role, created, expires, networks, tenant)
                   SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8 WHERE (SELECT count(*) FROM keys) < ?9";
        let networks = networks.to_string();
        let values = params![
            id.as_str(),
            name,
            key.hash(),
            role.name(),
            created,
            expires,
            networks,
            tenant.as_ref().map(Tenant::as_str),
            MAX_KEYS
        ];
        let made = connection.execute(sql, values).map_err(|error| self.unusable(error))?;
        if made == 0 { Err(TooManyKeys.into()) } else { Ok(()) }
    }

    fn info(&self, connection: &Connection, id: &KeyId) -> Result<Option<KeyInfo>, Error> {
        let found = connection.query_row(FIND, [id.as_str()], KeyInfo::read).optional();
        found.map_err(|error| self.unusable(error))
    }

    /// Every key, oldest first, revoked ones included.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn list(&self) -> Result<Vec<KeyInfo>, Error> {
        let open = self.current()?;
        let list = || {
            let mut statement = open.connection.prepare(LIST)?;
            let rows = statement.query_map([], KeyInfo::read)?;
            rows.collect::<rusqlite::Result<Vec<KeyInfo>>>()
        };
        list().map_err(|error| self.unusable(error))
    }

    /// The secret of that name, which is made when it is asked for the first time.
    ///
    /// # Errors
    /// When the file cannot be read or written.
    pub(crate) fn secret(&self, name: &str) -> Result<[u8; 32], Error> {
        let mut random = [0; 32];
        getrandom::fill(&mut random)
            .map_err(|error| unusable(&self.path, "the system gives no random numbers", error))?;
        let open = self.current()?;
        let connection = &open.connection;
        let (make, find) = (
            "INSERT INTO secrets (name, value) VALUES (?1, ?2) ON CONFLICT DO NOTHING",
            "SELECT value FROM secrets WHERE name = ?1",
        );
        let made = connection.execute(make, params![name, random]);
        made.and_then(|_| connection.query_row(find, [name], |row| row.get(0)))
            .map_err(|error| self.unusable(error))
    }

    /// The settings that were kept.
    pub(crate) fn settings(&self) -> Result<BTreeMap<String, String>, Error> {
        let open = self.current()?;
        let read = || -> rusqlite::Result<BTreeMap<String, String>> {
            let mut statement = open.connection.prepare("SELECT name, value FROM settings")?;
            statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?.collect()
        };
        read().map_err(|error| self.unusable(error))
    }

    /// Keeps settings, in the place of what they were.
    pub(crate) fn keep_settings(&self, settings: &[(&str, String)]) -> Result<(), Error> {
        let mut open = self.current()?;
        let write = |connection: &mut Connection| -> rusqlite::Result<()> {
            let behavior = TransactionBehavior::Immediate;
            let transaction = connection.transaction_with_behavior(behavior)?;
            for (name, value) in settings {
                let keep = "INSERT INTO settings (name, value) VALUES (?1, ?2)
                     ON CONFLICT (name) DO UPDATE SET value = excluded.value";
                transaction.execute(keep, [name, value.as_str()])?;
            }
            transaction.commit()
        };
        let kept = if settings.is_empty() { Ok(()) } else { write(&mut open.connection) };
        kept.map_err(|error| self.unusable(error))
    }

    /// What the key of that id is, if there is one, be it worth anything or not.
    pub(crate) fn known(&self, id: &KeyId) -> Result<Option<KeyInfo>, Error> {
        self.info(&self.current()?.connection, id)
    }

    /// Whether any key opens anything now.
    pub(crate) fn has_valid(&self) -> Result<bool, Error> {
        let now = format_timestamp(micros());
        Ok(self.list()?.iter().any(|key| key.is_valid_at(&now)))
    }

    /// Makes a key worthless from now on, which is named by its id or is there whole. To revoke it again
    /// changes nothing.
    ///
    /// # Errors
    /// [`KeyIdInvalid`](super::KeyIdInvalid), [`KeyUnknown`], or when the file cannot be written.
    pub fn revoke(&self, id_or_key: &str) -> Result<KeyInfo, Error> {
        let id = KeyId::named(id_or_key)?;
        let open = self.current()?;
        let sql = "UPDATE keys SET revoked = coalesce(revoked, ?2) WHERE id = ?1";
        open.connection
            .execute(sql, [id.as_str(), &format_timestamp(micros())])
            .map_err(|error| self.unusable(error))?;
        let revoked = self.info(&open.connection, &id)?;
        revoked.ok_or_else(|| KeyUnknown { id }.into())
    }

    /// What the key is that is used from that address. Takes as long for an unknown id as for a wrong
    /// secret.
    ///
    /// # Errors
    /// [`WrongKey`] when it is unknown, wrong, revoked or expired, or may not be used from there; when
    /// the file cannot be read.
    pub fn check(&self, key: &SecretKeyText, from: IpAddr) -> Result<KeyInfo, Error> {
        self.find(&self.current()?.connection, key, from)
    }

    /// The same, if it can be told at once: none when another look-up is under way, the file was
    /// replaced, or a key is being written.
    pub(crate) fn check_at_once(
        &self,
        key: &SecretKeyText,
        from: IpAddr,
    ) -> Option<Result<KeyInfo, Error>> {
        let open = self.open.try_lock().ok()?;
        FileIdentity::of(&self.path).ok().filter(|file| *file == open.file)?;
        open.connection.busy_timeout(Duration::ZERO).ok()?;
        let checked = self.find(&open.connection, key, from);
        open.connection.busy_timeout(BUSY_TIMEOUT).ok()?;
        match checked {
            Err(Error::KeyFileUnusable(_)) => None,
            checked => Some(checked),
        }
    }

    fn find(
        &self,
        connection: &Connection,
        key: &SecretKeyText,
        from: IpAddr,
    ) -> Result<KeyInfo, Error> {
        let row = connection
            .prepare_cached(FIND)
            .and_then(|mut statement| {
                let read = |row: &Row<'_>| Ok((row.get::<_, [u8; 32]>(8)?, KeyInfo::read(row)?));
                statement.query_row([key.id().as_str()], read).optional()
            })
            .map_err(|error| self.unusable(error))?;
        let stored = row.as_ref().map_or([0; 32], |(stored, _)| *stored);
        let same = bool::from(key.hash().ct_eq(&stored));
        let info = row.map(|(_, info)| info).filter(|info| {
            same && info.is_valid_at(&format_timestamp(micros())) && info.networks.contain(from)
        });
        info.ok_or_else(|| WrongKey.into())
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
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let is_new = pragma(&transaction, "schema_version")? == 0;
        let application = pragma(&transaction, "application_id")?;
        let mut version = pragma(&transaction, "user_version")?;
        if is_new || application == APPLICATION_ID {
            for step in MIGRATIONS.iter().skip(usize::try_from(version).unwrap_or(usize::MAX)) {
                transaction.execute_batch(step)?;
            }
            version = pragma(&transaction, "user_version")?;
        }
        let application = pragma(&transaction, "application_id")?;
        transaction.commit()?;
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

fn micros() -> i64 {
    let nanos = OffsetDateTime::now_utc().unix_timestamp_nanos();
    i64::try_from(nanos / 1000).unwrap_or_default()
}

/// When something ends that lasts so long.
fn expiry(now: i64, lifetime: Duration) -> Result<String, Error> {
    if lifetime > MAX_LIFETIME {
        return Err(KeyLifetimeInvalid.into());
    }
    let lifetime = i64::try_from(lifetime.as_micros()).unwrap_or(i64::MAX);
    Ok(format_timestamp(now.saturating_add(lifetime)))
}
