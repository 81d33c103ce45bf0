//! Places that hold records, and how they are read.
//!
//! A store is read in one order from one position onwards, record by record, against a filter; it
//! knows neither cursors nor HTTP. Reading blocks, so [`Readers`] runs it off the
//! async threads, so many at a time, each with a deadline.
//!
//! # Why records are tested in Rust
//! The trail has indexes for time and event type only; more of them cost the writer six times its
//! speed. So a scan walks one index in order and tests the other members on the borrowed line. One
//! implementation of each filter then serves SQLite and Redis, and a scan that is stopped by its
//! deadline knows the last row it has examined and goes on from there. Rejected: `json_extract` in
//! SQL, which is slower, duplicates every filter, and when interrupted cannot say how far it got.

mod damage;
mod database;
mod error;
mod file_identity;
mod lines;
mod pool;
mod readers;
mod redis;
mod scan;
mod truncation;

use std::cmp::Ordering;

use audit_layer::record::Member;

pub(crate) use damage::tell_of_damage;
pub(crate) use database::{DatabaseStore, Snapshot, Stored, StreamHead};
pub use error::{
    DamagedRecord, DatabaseForeign, DatabaseMissing, DatabaseNewer, DatabaseUnreadable, Overloaded,
    QueryTimeout, RecordNotFound, RedisDisabled, RedisUnavailable,
};
pub(crate) use file_identity::FileIdentity;
pub(crate) use lines::{Lines, Met, Ranges, Stretch, add as widen};
pub(crate) use pool::{Lease, Pool};
pub(crate) use readers::{Deadline, Readers};
pub use redis::{InvalidRedisUrl, RedisUrl};
pub(crate) use redis::{MAX_READING_BYTES, Reading, RedisStore};
pub use truncation::TruncatedBy;
pub(crate) use truncation::Truncation;

use crate::{
    Error,
    filter::{Filter, TimeRange},
};

/// The most bytes of records that one batch carries. A record has at most some 400 KiB, so that
/// a batch is never empty for this reason.
pub(crate) const MAX_BATCH_BYTES: usize = 16 * 1024 * 1024;

/// A place whose records can be read in order.
pub(crate) trait Store: Send + Sync {
    /// Reads the next records that the scan asks for. Blocks.
    ///
    /// # Errors
    /// When the place cannot be read, or the deadline passes before anything was examined.
    fn scan(&self, scan: &Scan<'_>, deadline: Deadline) -> Result<Batch, Error>;
}

/// The order of a scan.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Order {
    /// Newest first.
    Desc,
    /// Oldest first.
    Asc,
    /// As the database received them, which recovered and imported records make differ from time.
    Arrival,
}

/// Which records of the database a scan walks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Table {
    /// All.
    Logs,
    /// Security events: see the migration for what they are.
    Security,
    /// Financial records: see the migration for what they are.
    Financial,
}

impl Table {
    /// What the records of the table have in common.
    pub(crate) fn filter(self) -> Filter {
        match self {
            Self::Logs => Filter::ANY,
            Self::Security => Filter::Any(vec![
                Filter::member_is_any(Member::Category, ["auth", "security", "admin"]),
                Filter::member_is_any(Member::Status, ["denied"]),
            ]),
            Self::Financial => {
                Filter::member_is_any(Member::Category, ["financial", "trade", "risk"])
            }
        }
    }
}

/// A place in the order of a scan. It need not be one where a record still stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Position {
    /// Microseconds since the Unix epoch.
    pub(crate) timestamp: i64,
    /// What tells records of one microsecond apart.
    pub(crate) place: Place,
}

/// What tells records of one microsecond apart.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Place {
    /// A record that was found in Redis alone: older than those of the database.
    Redis {
        /// Its stream.
        stream: Box<str>,
        /// Its sequence number there.
        seq: u64,
    },
    /// A record of the database.
    Database {
        /// Its arrival number.
        arrival: i64,
    },
}

impl PartialOrd for Position {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Position {
    /// Older is less.
    fn cmp(&self, other: &Self) -> Ordering {
        (self.timestamp, &self.place).cmp(&(other.timestamp, &other.place))
    }
}

/// A reading of a store.
pub(crate) struct Scan<'q> {
    /// Which records of the database. Redis holds all alike.
    pub(crate) table: Table,
    /// The order. Redis knows only [`Order::Desc`].
    pub(crate) order: Order,
    /// Only records of this time.
    pub(crate) range: TimeRange,
    /// Only records after this place.
    pub(crate) after: Option<Position>,
    /// The most records to return; at least 1.
    pub(crate) limit: usize,
    /// Only records that it lets pass.
    pub(crate) filter: &'q Filter,
}

/// A record that was found, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Row {
    /// Where in the order it stands.
    pub(crate) position: Position,
    /// The stored line, byte for byte.
    pub(crate) line: Box<str>,
}

/// What a scan found.
#[derive(Debug, Default)]
pub(crate) struct Batch {
    /// The records in the order asked for.
    pub(crate) rows: Vec<Row>,
    /// The last place that was examined, when there may be more behind it. In the order of arrival
    /// there always may be: what arrives later.
    pub(crate) next: Option<Position>,
    /// Why fewer records are here than the limit allows, although more may match.
    pub(crate) truncated: Truncation,
    /// How many stored lines were met that are no records.
    pub(crate) damaged: u64,
}

impl Batch {
    /// Notes a stored line that is no record.
    pub(crate) fn met_damaged(&mut self) {
        self.truncated |= TruncatedBy::DamagedRecord;
        self.damaged += 1;
    }
}
