//! The fast recent view: the lists that the layer keeps in Redis.
//!
//! A list a category, `audit:logs:<category>`, newest first by the order in which records were
//! pushed. Several writers, and a writer that catches up, make that differ from the order of time,
//! and a list grows at its head while a client pages through it. So a scan reads the lists whole,
//! keeps what matches, and orders it by time, stream and number: pages then neither repeat nor
//! miss a record. Lists are short (`REDIS_MAX_LOGS`), and what is read is bounded as well, in items
//! and in bytes; a scan that meets a bound says so. How large an item is shows only when it is
//! there, so a list is read in chunks that begin small and follow the largest item met. Rejected: positions in the lists as cursor, which shift, and
//! stopping at the first old record, which a writer that catches up puts before new ones.
//!
//! The client is the blocking one, since reads run off the async threads anyway. A connection that
//! failed is dropped, and the next read makes another: so Redis may restart at any time.

use std::{
    cmp::Reverse,
    collections::{BTreeSet, HashSet},
    fmt,
    str::FromStr,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use audit_layer::record::{Record, StreamName, parse_timestamp};
use redis::{Client, Connection, ConnectionInfo, IntoConnectionInfo};

use super::{
    Batch, Deadline, MAX_BATCH_BYTES, Order, Place, Position, QueryTimeout, RedisUnavailable, Row,
    Scan, Store, TruncatedBy, Truncation,
};
use crate::Error;

/// What the names of the lists begin with; the category follows.
const LIST_PREFIX: &str = "audit:logs:";

/// The longest wait for a connection, and for one answer.
const IO_TIMEOUT: Duration = Duration::from_secs(1);

/// The most items asked for at once.
const MAX_CHUNK: usize = 500;

/// The items of a list asked for first, before anything is known of their size.
const FIRST_CHUNK: usize = 4;

/// How many times as many items a chunk may have as the one before: items may grow on the way.
const CHUNK_GROWTH: usize = 4;

/// The bytes that a chunk should have.
const CHUNK_BYTES: usize = 4 * 1024 * 1024;

/// The most items that one scan reads, over all lists.
const MAX_READ: usize = 100_000;

/// The most bytes of items that one scan reads, over all lists: 1.3 KB for each of so many.
const MAX_READ_BYTES: usize = 128 * 1024 * 1024;

/// The most bytes of records that one scan keeps.
pub(crate) const MAX_READING_BYTES: usize = 4 * MAX_BATCH_BYTES;

/// The most lists that one scan reads.
const MAX_LISTS: usize = 64;

/// Where Redis is, and in it the number of the database. Never printed: it may hold a password.
#[derive(Clone)]
pub struct RedisUrl {
    info: ConnectionInfo,
    db: Option<u16>,
}

impl RedisUrl {
    /// The number of the database, when the URL names one.
    #[must_use]
    pub(crate) fn db(&self) -> Option<u16> {
        self.db
    }

    /// A client of that server, for that database of it.
    ///
    /// # Errors
    /// When the client refuses the address.
    pub(crate) fn client(self, db: i64) -> redis::RedisResult<Client> {
        let settings = self.info.redis_settings().clone().set_db(db);
        Client::open(self.info.set_redis_settings(settings))
    }
}

/// A text that is not the URL of a Redis server. The text itself may hold a password and is left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a Redis URL looks like redis://127.0.0.1:6379 or unix:///run/redis.sock")]
pub struct InvalidRedisUrl;

impl FromStr for RedisUrl {
    type Err = InvalidRedisUrl;

    fn from_str(text: &str) -> Result<Self, InvalidRedisUrl> {
        let info = text.into_connection_info().map_err(|_| InvalidRedisUrl)?;
        if !info.addr().is_supported() {
            return Err(InvalidRedisUrl);
        }
        let db = u16::try_from(info.redis_settings().db()).map_err(|_| InvalidRedisUrl)?;
        Ok(Self { info, db: names_db(text).then_some(db) })
    }
}

/// Whether the URL names a database: one that is not named is read as 0.
fn names_db(url: &str) -> bool {
    let url = url.split('#').next().unwrap_or_default();
    let (place, query) = url.split_once('?').unwrap_or((url, ""));
    let (scheme, place) = place.split_once("://").unwrap_or_default();
    if scheme.contains("unix") {
        return form_urlencoded::parse(query.as_bytes()).any(|(name, _)| name == "db");
    }
    place.split_once('/').is_some_and(|(_, path)| !path.trim_matches('/').is_empty())
}

impl fmt::Debug for RedisUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RedisUrl({})", self.info.addr())
    }
}

/// The lists in Redis.
pub(crate) struct RedisStore {
    client: Client,
    idle: Mutex<Vec<Connection>>,
}

impl fmt::Debug for RedisStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisStore").finish_non_exhaustive()
    }
}

impl RedisStore {
    /// Reads the lists in that database of the server from now on. Connects when first asked.
    ///
    /// # Errors
    /// When the client refuses the address.
    pub(crate) fn new(url: RedisUrl, db: u16) -> Result<Self, Error> {
        let client = url.client(db.into()).map_err(|source| RedisUnavailable { source })?;
        Ok(Self { client, idle: Mutex::default() })
    }

    /// Whether Redis answers.
    ///
    /// # Errors
    /// [`RedisUnavailable`].
    pub(crate) fn ping(&self) -> Result<(), Error> {
        self.with_connection(Deadline::after(IO_TIMEOUT), |connection| {
            redis::cmd("PING").query::<()>(connection)
        })
    }

    fn with_connection<T>(
        &self,
        deadline: Deadline,
        mut ask: impl FnMut(&mut Connection) -> redis::RedisResult<T>,
    ) -> Result<T, Error> {
        // A connection that lay idle may have been closed by a restart: that one is asked again on
        // a fresh connection. What is asked only reads, so asking twice changes nothing.
        while let Some(mut connection) = self.take_idle() {
            match ask(&mut connection) {
                Ok(answer) => {
                    self.put_idle(connection);
                    return Ok(answer);
                }
                Err(error) if error.is_timeout() => {
                    return Err(RedisUnavailable { source: error }.into());
                }
                Err(_) => {}
            }
        }
        let timeout = deadline.remaining().clamp(Duration::from_millis(1), IO_TIMEOUT);
        let mut connect = || {
            let mut connection = self.client.get_connection_with_timeout(timeout)?;
            connection.set_read_timeout(Some(IO_TIMEOUT))?;
            connection.set_write_timeout(Some(IO_TIMEOUT))?;
            let answer = ask(&mut connection)?;
            Ok((connection, answer))
        };
        let (connection, answer) = connect().map_err(|source| RedisUnavailable { source })?;
        self.put_idle(connection);
        Ok(answer)
    }

    fn take_idle(&self) -> Option<Connection> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop()
    }

    fn put_idle(&self, connection: Connection) {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).push(connection);
    }

    /// Everything that matches and stands after the scan's position, newest first, each once.
    ///
    /// # Errors
    /// [`RedisUnavailable`].
    pub(crate) fn read_all(&self, scan: &Scan<'_>, deadline: Deadline) -> Result<Reading, Error> {
        self.with_connection(deadline, |connection| {
            let mut reading = Reading::default();
            let lists = lists(connection, scan, &mut reading, deadline)?;
            read_lists(connection, lists, scan, &mut reading, deadline)?;
            reading.rows.sort_unstable_by(|a, b| {
                (Reverse(&a.position), &a.line).cmp(&(Reverse(&b.position), &b.line))
            });
            Ok(reading)
        })
    }
}

/// What the lists hold of a scan.
#[derive(Debug, Default)]
pub(crate) struct Reading {
    /// The records, newest first.
    pub(crate) rows: Vec<Row>,
    /// Whether a bound, the deadline or a damaged record left some out.
    pub(crate) truncated: Truncation,
}

impl Store for RedisStore {
    fn scan(&self, scan: &Scan<'_>, deadline: Deadline) -> Result<Batch, Error> {
        let Reading { mut rows, mut truncated } = self.read_all(scan, deadline)?;
        if rows.is_empty() && truncated.any() && deadline.passed() {
            return Err(QueryTimeout.into());
        }
        let mut bytes = 0;
        let fitting = rows
            .iter()
            .take(scan.limit)
            .take_while(|row| {
                bytes += row.line.len();
                bytes <= MAX_BATCH_BYTES
            })
            .count()
            .max(1);
        let more = rows.len() > fitting;
        let cut = more && fitting < scan.limit;
        rows.truncate(fitting);
        let next = rows.last().filter(|_| more).map(|row| row.position.clone());
        if cut {
            truncated |= TruncatedBy::Size;
        }
        Ok(Batch { rows, next, truncated, damaged: 0 })
    }
}

/// The names of the lists that can hold a match.
fn lists(
    connection: &mut Connection,
    scan: &Scan<'_>,
    reading: &mut Reading,
    deadline: Deadline,
) -> redis::RedisResult<Vec<String>> {
    if let Some(categories) = scan.filter.categories() {
        return Ok(categories.iter().map(|name| format!("{LIST_PREFIX}{name}")).collect());
    }
    let mut lists = BTreeSet::new();
    let mut cursor = 0_u64;
    loop {
        let (next, names): (u64, Vec<Vec<u8>>) = redis::cmd("SCAN")
            .arg(cursor)
            .arg("MATCH")
            .arg(format!("{LIST_PREFIX}*"))
            .arg("COUNT")
            .arg(1_000)
            .arg("TYPE")
            .arg("list")
            .query(connection)?;
        lists.extend(names.into_iter().filter_map(|name| String::from_utf8(name).ok()));
        cursor = next;
        if cursor == 0 {
            break;
        }
        if deadline.passed() {
            reading.truncated |= TruncatedBy::Deadline;
            break;
        }
        if lists.len() > MAX_LISTS {
            break;
        }
    }
    if lists.len() > MAX_LISTS {
        reading.truncated |= TruncatedBy::Size;
    }
    Ok(lists.into_iter().take(MAX_LISTS).collect())
}

/// A list that was not read to its end.
struct OpenList {
    name: String,
    /// The first item that was not asked for.
    from: usize,
    /// How many to ask for next.
    chunk: usize,
    /// The bytes of the largest item so far.
    largest: usize,
}

impl OpenList {
    fn new(name: String) -> Self {
        Self { name, from: 0, chunk: FIRST_CHUNK, largest: 0 }
    }

    /// The next items; `true` when there may be more behind them.
    fn read(&mut self, connection: &mut Connection) -> redis::RedisResult<(Vec<Vec<u8>>, bool)> {
        let items: Vec<Vec<u8>> = redis::cmd("LRANGE")
            .arg(&self.name)
            .arg(self.from)
            .arg(self.from + self.chunk - 1)
            .query(connection)?;
        let more = items.len() == self.chunk;
        self.from += self.chunk;
        self.largest = items.iter().map(Vec::len).max().unwrap_or_default().max(self.largest);
        let fitting = CHUNK_BYTES / self.largest.max(1);
        self.chunk = fitting.min(self.chunk * CHUNK_GROWTH).clamp(1, MAX_CHUNK);
        Ok((items, more))
    }
}

/// Reads the lists in turns, so that a bound leaves each its newest records.
fn read_lists(
    connection: &mut Connection,
    lists: Vec<String>,
    scan: &Scan<'_>,
    reading: &mut Reading,
    deadline: Deadline,
) -> redis::RedisResult<()> {
    debug_assert!(scan.order == Order::Desc, "Redis is read newest first");
    let mut open: Vec<OpenList> = lists.into_iter().map(OpenList::new).collect();
    let mut seen = HashSet::new();
    let (mut read, mut read_bytes, mut kept_bytes) = (0, 0, 0);
    while !open.is_empty() {
        let mut still_open = Vec::new();
        for mut list in open {
            let full =
                read >= MAX_READ || read_bytes >= MAX_READ_BYTES || kept_bytes >= MAX_READING_BYTES;
            if full || deadline.passed() {
                reading.truncated |= if full { TruncatedBy::Size } else { TruncatedBy::Deadline };
                return Ok(());
            }
            let (items, more) = list.read(connection)?;
            if more {
                still_open.push(list);
            }
            read += items.len();
            for line in items {
                read_bytes += line.len();
                match examine(line, scan) {
                    Examined::Passed => {}
                    Examined::Damaged => reading.truncated |= TruncatedBy::DamagedRecord,
                    // Pushes between two chunks shift records into the second chunk again.
                    Examined::Found(row) => {
                        if seen.insert(row.position.place.clone()) {
                            kept_bytes += row.line.len();
                            reading.rows.push(row);
                        }
                    }
                }
            }
        }
        open = still_open;
    }
    Ok(())
}

enum Examined {
    Passed,
    Damaged,
    Found(Row),
}

fn examine(line: Vec<u8>, scan: &Scan<'_>) -> Examined {
    let Ok(line) = String::from_utf8(line) else { return Examined::Damaged };
    let position = {
        let Ok(record) = Record::parse(&line) else {
            tracing::error!("an item of an audit list in Redis is no record");
            return Examined::Damaged;
        };
        let Some(timestamp) = parse_timestamp(&record.timestamp) else { return Examined::Damaged };
        let Ok(stream) = record.stream.parse::<StreamName>() else { return Examined::Damaged };
        let place = Place::Redis { stream: stream.as_str().into(), seq: record.seq };
        let position = Position { timestamp, place };
        let wanted = scan.range.contains(timestamp)
            && scan.after.as_ref().is_none_or(|after| position < *after)
            && scan.filter.admits(&record.event_type)
            && scan.filter.matches(&record);
        if !wanted {
            return Examined::Passed;
        }
        position
    };
    Examined::Found(Row { position, line: line.into_boxed_str() })
}
