//! Between the application's threads and the pipeline: the queue, and the directory that makes a
//! writer who it is.
//!
//! An event enters as a [`frame`]: a flat encoding that needs no allocation to make and no lock to
//! read. The [`queue`] holds frames until the pipeline takes them, in order. The [`directory`]
//! holds the identity of the stream and the lock that keeps it to one live process.
//!
//! # The boundary
//! `capture` knows only [`Queue::append`]; `pipeline` knows only [`QueueReader`]. What stands
//! between them may change without either: today a bounded `crossbeam-channel`, which is what
//! `AUDIT_JOURNAL=off` keeps when a durable journal takes its place.
//!
//! # Why the pipeline numbers records, not the caller
//! A channel gives no number to what enters it, and a counter beside it would not agree with its
//! order. So `seq` follows the order in which the pipeline takes frames out, which is the order in
//! which they entered.

pub(crate) mod directory;
pub(crate) mod frame;
mod gap;
pub(crate) mod log;
mod queue;
pub(crate) mod reader;
pub(crate) mod recovery;
mod segment;
pub(crate) mod sync;

pub use gap::DropCause;
pub(crate) use gap::{Gap, Gaps};
pub(crate) use queue::{
    FlushRequest, Item, Queue, QueueReader, Request, Unflushed, channel, durable, mark_worker,
};
pub use segment::JournalMode;
