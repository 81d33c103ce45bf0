//! Between the application's threads and the pipeline: the journal, which is the queue.
//!
//! An event enters as a [`frame`]: a flat encoding that needs no allocation to make and no lock to
//! read. The [`queue`] decides what happens at the bounds; behind it is the [`log`], whose files are
//! [`segment`]s, read by a [`reader`], made durable by [`sync`], and taken up again after a crash by
//! [`recovery`]. The [`directory`] holds the identity of the stream and the lock that keeps it to one
//! live process.
//!
//! # The boundary
//! `capture` knows only [`Queue::append`]; `pipeline` knows only [`QueueReader`] and the reader. With
//! `AUDIT_JOURNAL=off` a bounded `crossbeam-channel` stands in the log's place.
//!
//! # Who numbers records
//! The journal: an append gives an event its `seq` under the lock that orders it, so that the number
//! survives with the event. A channel gives no number to what enters it; without a journal `seq`
//! follows the order in which the pipeline takes frames out.
//!
//! # Faults
//!
//! | fault | what holds | shown by |
//! | --- | --- | --- |
//! | SIGKILL at any instant, or at any call of the file system | what was appended is read | `tests/end_to_end/recovery.rs` |
//! | a power cut, whatever the disk kept of what was not synced | what a sync covered is read; what a sink has is taken from there | `power_cut.rs` |
//! | an end without a shutdown: `process::exit`, `abort`, a panic, a signal | what was appended is read | `exits.rs` |
//! | an error of any such call | it is tried again, or counted and told | `recovery.rs` |
//! | a torn end | it is cut and counted | `log::tests` |
//! | damage | it costs the events that it hit, each told in its place | `log::tests`, a property |
//! | a failed sync | the journal is poisoned and says so at every commit; nothing is synced again | `tests/end_to_end/faults.rs` |
//! | a panic of the pipeline or a required sink | it poisons; events are taken in until the journal is full, and the next start delivers them | `faults.rs`, `pipeline::tests` |
//! | a sink that stalls | it alone is behind; callers and commits meet it at the bound | `faults.rs`, `pipeline::tests` |
//! | the bound is reached | appends are refused; the policies decide, and drops are told exactly | `tests/end_to_end/full.rs`, `log::tests`, `commit.rs` |
//! | the disk is full, its own or a sink's | the same, and never a SIGBUS | `full.rs` |
//! | the disk is full at the start | an error names the path; what the journal itself filled is no obstacle | `full.rs` |
//! | the wall clock is set | nothing: numbers come from the journal alone | `clock.rs` |

pub(crate) mod directory;
mod flush;
pub(crate) mod frame;
mod gap;
pub(crate) mod log;
mod queue;
pub(crate) mod reader;
pub(crate) mod recovery;
mod segment;
pub(crate) mod sync;

pub(crate) use flush::{FlushRequest, Unflushed};
pub use gap::DropCause;
pub(crate) use gap::{Gap, Gaps};
pub(crate) use log::Share;
pub(crate) use queue::{Item, Queue, QueueReader, Request, channel, durable, mark_worker};
pub use segment::JournalMode;
