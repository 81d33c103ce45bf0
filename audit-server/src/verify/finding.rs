//! What a verification finds, and where.

use std::{
    fmt,
    path::{Path, PathBuf},
    sync::Arc,
};

use audit_layer::record::StreamName;

use super::Receipt;

/// Where a record stands.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Place {
    /// A line of a file.
    Line {
        /// The file, which may be a rotated backup of the path that was given.
        file: Arc<Path>,
        /// Counted from 1 in that file.
        line: u64,
    },
    /// A row of a database.
    Row {
        /// The `arrival` of the row, in whichever table it is.
        arrival: i64,
    },
}

/// The first thing that is wrong with a stream, or with what belongs to no stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Break {
    /// The path that was given.
    pub path: PathBuf,
    /// The stream; `None` when it can't be told.
    pub stream: Option<StreamName>,
    /// The position that the record states; `None` when there is no record.
    pub seq: Option<u64>,
    /// Where it was noticed; `None` when something is absent as a whole.
    pub place: Option<Place>,
    /// What is wrong.
    pub cause: Cause,
}

/// What is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Cause {
    /// The bytes don't have the hash that they state.
    Changed,
    /// `prev_hash` is not the hash of the record before it.
    Unlinked,
    /// The first record of a stream states a predecessor.
    FalseStart,
    /// A later record states none.
    NoPredecessor,
    /// The stream begins here, and no record says what became of those before.
    LateStart(u64),
    /// Records between the one before and this one are gone: from, to.
    Missing(u64, u64),
    /// The record before has this position already.
    Repeated,
    /// The record before has this higher position.
    Backwards(u64),
    /// The bytes are no record; a sentence says why.
    NotARecord(String),
    /// A line is empty.
    EmptyLine,
    /// A line or row is longer than [`super::MAX_LINE_BYTES`].
    TooLong,
    /// A column differs from the record: table, column.
    Column(&'static str, &'static str),
    /// The record has no row in this table, where it belongs.
    RowMissing(&'static str),
    /// A row of this table belongs to no record that should be there.
    RowUnexpected(&'static str),
    /// The database had received a record that it doesn't hold: the position of its cursor.
    CursorAhead(u64),
    /// The database's cursor is not at the last record: its position, if there is a cursor.
    CursorBehind(Option<u64>),
    /// The cursor is at the last record and states another hash.
    CursorHash,
    /// A table, index, trigger or view is not as the layer makes it; a sentence names it.
    Schema(String),
    /// The database engine finds the file damaged; its own words.
    Damaged(String),
    /// The stream ends at this position, before the receipt.
    CutOff(Box<Receipt>, u64),
    /// The record at the receipt's position has another hash.
    ReceiptDiffers(Box<Receipt>),
    /// No path holds the receipt's stream.
    StreamAbsent(Box<Receipt>),
    /// Another path holds another record at this position.
    Disagrees(PathBuf),
}

/// Why a path, or a part of it, could not be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Unreadable {
    /// The operating system refused.
    #[error("{0}; check that the path is right and that you may read it")]
    Io(String),
    /// The path is a directory, a pipe or a device.
    #[error("not a regular file; name the live file of a trail, or its database")]
    NotAFile,
    /// The live file is missing while backups of it exist.
    #[error("the live file is missing; only its backups could be verified")]
    LiveFileMissing,
    /// Nothing in the file looks like a record.
    #[error("not an audit trail: it holds no record at all")]
    NotATrail,
    /// A database of something else.
    #[error("a SQLite database, but not an audit trail (its application_id is {0}, not {1})")]
    OtherDatabase(i32, i32),
    /// A database whose tables are of a later version.
    #[error(
        "its tables are of version {0}; this program knows version {1}: use a later audit-server"
    )]
    NewerSchema(i32, i32),
    /// Records of a later version.
    #[error("a record of version {0}; this program knows version 1: use a later audit-server")]
    NewerRecord(u64),
    /// The database can't be queried.
    #[error("the database can't be read: {0}")]
    Database(String),
    /// A database without log was changed while it was read.
    #[error("the database was changed while it was read; verify it again")]
    ChangedMeanwhile,
    /// There are more streams than [`super::MAX_STREAMS`].
    #[error("more than {max} streams in one path", max = super::MAX_STREAMS)]
    TooManyStreams,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Place::Line { file, line } => write!(f, "{} line {line}", Shown(file)),
            Place::Row { arrival } => write!(f, "row {arrival} (arrival)"),
        }
    }
}

impl fmt::Display for Break {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", Shown(&self.path))?;
        if let Some(stream) = &self.stream {
            write!(f, "{stream} ")?;
        }
        if let Some(seq) = self.seq {
            write!(f, "seq {seq} ")?;
        }
        if let Some(place) = &self.place {
            write!(f, "at {place} ")?;
        }
        if self.stream.is_none() && self.seq.is_none() && self.place.is_none() {
            return self.cause.fmt(f);
        }
        write!(f, "– {}", self.cause)
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Cause::Changed => {
                f.write_str("the record was changed: its bytes don't have the hash that it states")
            }
            Cause::Unlinked => f.write_str(
                "prev_hash is not the hash of the record before it: one of the two was replaced",
            ),
            Cause::FalseStart => f.write_str("the first record of a stream states a predecessor"),
            Cause::NoPredecessor => {
                f.write_str("the record states no predecessor, though it is not the first")
            }
            Cause::LateStart(2) => {
                f.write_str("seq 1 is not here, and nothing in the trail says why")
            }
            Cause::LateStart(first) => write!(
                f,
                "seq 1 to {} are not here, and nothing in the trail says why",
                first.saturating_sub(1)
            ),
            Cause::Missing(from, to) if from == to => {
                write!(f, "the record before it, seq {from}, is missing")
            }
            Cause::Missing(from, to) => {
                write!(f, "the records before it, seq {from} to {to}, are missing")
            }
            Cause::Repeated => f.write_str("this position is there twice"),
            Cause::Backwards(last) => {
                write!(f, "the record stands after seq {last}: records were moved or inserted")
            }
            Cause::NotARecord(why) => write!(f, "not a record: {why}"),
            Cause::EmptyLine => f.write_str("an empty line, where only records may be"),
            Cause::TooLong => {
                write!(f, "longer than {} bytes, which no record is", super::MAX_LINE_BYTES)
            }
            Cause::Column(table, column) => {
                write!(f, "column {column} of {table} differs from the record")
            }
            Cause::RowMissing(table) => write!(f, "its row in {table} is missing"),
            Cause::RowUnexpected(table) => {
                write!(f, "a row in {table} that belongs to no such record")
            }
            Cause::CursorAhead(seq) => write!(
                f,
                "audit_cursors says that records up to seq {seq} were here: the tail was cut off"
            ),
            Cause::CursorBehind(Some(seq)) => {
                write!(f, "audit_cursors says that the last record is seq {seq}")
            }
            Cause::CursorBehind(None) => f.write_str("audit_cursors has no row for the stream"),
            Cause::CursorHash => {
                f.write_str("audit_cursors states another hash for the last record")
            }
            Cause::Schema(what) => f.write_str(what),
            Cause::Damaged(why) => write!(f, "the database was damaged: {why}"),
            Cause::CutOff(receipt, last) => write!(
                f,
                "the stream ends at seq {last}, before the receipt for seq {}: the tail was cut off, or a live writer has not delivered it here yet",
                receipt.seq
            ),
            Cause::ReceiptDiffers(receipt) => {
                write!(
                    f,
                    "the receipt states another hash, {}: the stream was written anew",
                    receipt.hash
                )
            }
            Cause::StreamAbsent(receipt) => {
                write!(f, "no path holds the stream of the receipt for seq {}", receipt.seq)
            }
            Cause::Disagrees(other) => {
                write!(f, "{} holds another record at this position", Shown(other))
            }
        }
    }
}

/// A path for a terminal: control characters escaped.
pub(super) struct Shown<'p>(pub(super) &'p Path);

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&printable(&self.0.to_string_lossy()))
    }
}

/// Text from a file, a name or the database engine for a terminal: control characters escaped.
pub(super) fn printable(text: &str) -> String {
    text.chars().fold(String::with_capacity(text.len()), |mut out, c| {
        if c.is_control() {
            out.extend(c.escape_default());
        } else {
            out.push(c);
        }
        out
    })
}
