//! Shows that nothing in a trail was changed: `audit-server verify PATH…`.
//!
//! Every record is hashed again, and every link to its predecessor followed, in a JSON file with
//! its rotated backups and in a SQLite database. Each path is verified on its own; where two hold
//! the same stream they must also agree.
//!
//! # What is found, and what is not
//! A record that was changed, removed, inserted or moved breaks the chain of its stream there, and
//! the first break of each stream is reported. A tail that was cut off leaves an intact chain: a
//! receipt (`--receipt STREAM:SEQ:HASH`) that was kept elsewhere finds it, and in a database
//! `audit_cursors` does as well. Whoever may write the files may also chain a whole new trail, so
//! only a receipt kept out of reach proves anything against them; a verification prints one a
//! stream. A stream that begins later than 1 is a break unless a chained record says what became of
//! the records before, as the layer does when rotation removes them. While a writer runs, that
//! record may come a moment after the removal: verify again.
//!
//! # Exit codes
//! 0 intact, 1 broken, 2 something could not be read, or no path covers a receipt. When both hold, 1
//! wins: a proven break stays a fact whatever else could not be read, and nobody shall talk an alarm
//! down to "could not read" by laying an unreadable file beside the evidence. So whatever can be
//! read is read, and what stands in a part that can't be read counts as not being there.
//!
//! # Order in a database
//! Rows are walked by `arrival`, the primary key, and followed stream by stream, as the lines of a
//! file are. The sink writes each stream in order, so that within a stream `arrival` grows with
//! `seq`; a row that was moved is found by that. Rejected: a walk by the unique index
//! `(stream, seq)`. It would not see two rows that changed places, it reads each page once a
//! stream where streams are interleaved, it needs a lookup in both side tables for each record where
//! this walk merges three tables in key order, and it would believe an index, which is derived.
//! Rows are read in chunks, each in a short transaction of its own, so that a long verification
//! doesn't pin the write-ahead log of a live writer. That is sound because the trail only grows.
//!
//! Whether the indexes, which queries rest on, agree with the tables is asked of SQLite's
//! `integrity_check` on request only (`--indexes`): it takes about as long as the walk, in one
//! transaction. The report says when it was not asked.
//!
//! # Two paths, one stream
//! Of each path only the heads of its streams are kept. Two chains that agree on one hash agree on
//! everything before it, so the head of the shorter is looked up in the longer: by the index in a
//! database, by reading once more in a file.
//!
//! # Bounds
//! One line or row at a time in memory, [`MAX_LINE_BYTES`] long at most, and the state of
//! [`MAX_STREAMS`] streams.

mod agreement;
mod args;
mod chain;
mod database;
mod file;
mod finding;
mod line;
mod outcome;
mod print;
mod receipt;
mod scan;
mod schema;
mod side_tables;
mod start;
mod trail;
mod verifier;

pub use args::{VerifyArgs, run};
pub use finding::{Break, Cause, Place, Unreadable};
pub use outcome::{
    Outcome, PathKind, PathReport, ReceiptReport, ReceiptResult, Start, StreamReport,
};
pub use receipt::{InvalidReceipt, Receipt};
pub use verifier::Verifier;

/// The longest line or row that is taken for a record, in bytes. The layer writes at most 64 KiB of
/// values a record, which escaping can make six times as long.
pub const MAX_LINE_BYTES: usize = 1 << 20;

/// How many streams one path may hold.
pub const MAX_STREAMS: usize = 1 << 16;
