//! Why a store gives no answer.

use std::path::PathBuf;

/// There is no database yet: the writer makes it.
#[derive(Debug, thiserror::Error)]
#[error(
    "there is no audit trail at {} yet: start the application that writes it, or name it with --db or AUDIT_DB",
    path.display()
)]
pub struct DatabaseMissing {
    /// Where it was looked for.
    pub path: PathBuf,
}

/// The file is a database of something else, or none.
#[derive(Debug, thiserror::Error)]
#[error("{} is not an audit trail: name the right file with --db or AUDIT_DB", path.display())]
pub struct DatabaseForeign {
    /// The file.
    pub path: PathBuf,
}

/// The trail was written by a later version of `audit-layer`.
#[derive(Debug, thiserror::Error)]
#[error("{} has format {found}, this server reads up to {known}: update audit-server", path.display())]
pub struct DatabaseNewer {
    /// The file.
    pub path: PathBuf,
    /// Its format.
    pub found: i32,
    /// The latest format that this server reads.
    pub known: i32,
}

/// SQLite could not read the trail.
#[derive(Debug, thiserror::Error)]
#[error(
    "cannot read {}: the server needs read access to the file and, for the index of its write-ahead log, write access to the directory",
    path.display()
)]
pub struct DatabaseUnreadable {
    /// The file.
    pub path: PathBuf,
    /// What SQLite said.
    pub source: rusqlite::Error,
}

/// A stored line is no record, or that of another id.
#[derive(Debug, thiserror::Error)]
#[error(
    "the line stored under that id is not its record: run `audit-server verify` on the database"
)]
pub struct DamagedRecord;

/// The deadline passed before a single row was examined, so that there is nothing to go on from.
#[derive(Debug, thiserror::Error)]
#[error("the query timed out before it got anywhere: narrow its time range")]
pub struct QueryTimeout;

/// Every reader was busy, or the answers on their way left no room, for as long as a query may take.
#[derive(Debug, thiserror::Error)]
#[error(
    "all readers were busy, or too many answers unread, for too long: try again, or start the server with more readers"
)]
pub struct Overloaded;

/// No record has the id that was asked for.
#[derive(Debug, thiserror::Error)]
#[error("no record has this id")]
pub struct RecordNotFound;

/// The server was started without Redis.
#[derive(Debug, thiserror::Error)]
#[error("this server has no Redis: start it with REDIS_URL")]
pub struct RedisDisabled;

/// Redis does not answer, or not in time.
#[derive(Debug, thiserror::Error)]
#[error("Redis does not answer: is it running, and is REDIS_URL right?")]
pub struct RedisUnavailable {
    /// What the client said.
    pub source: redis::RedisError,
}
