//! From the queue to the sinks.
//!
//! One thread reads the journal [`ahead`] and [`render`]s [`lines`], which lack only their hashes. The
//! [`worker`] takes them in order ([`source`], which knows the channel, too), chains them ([`replay`]), and
//! hands batches to the sinks, each of which has a thread of its own ([`delivery`]). What the pipeline has
//! to tell, such as gaps and heartbeats, is an event in the journal first ([`internal`]), so that a replay
//! after a crash makes the same records.
//!
//! The worker polls while there is work and sleeps briefly when there is none. A receiver that
//! parks would make every send of an application's thread a system call.

mod ahead;
mod chain;
mod delivery;
mod internal;
mod lines;
mod render;
mod replay;
mod source;
mod statistics;
mod worker;

pub(crate) use chain::Awaited;
pub(crate) use delivery::Position;
pub(crate) use internal::{panicked, recovered, skipped, stream_opened};
pub use statistics::{JournalStats, SinkStats, Stats};
pub(crate) use worker::{Pipeline, Settings, start};

/// How much nicer a thread of the pipeline is than the process: the scheduler gives it a third of the
/// time that it gives a thread of the application, when there is not enough for both.
#[cfg(target_os = "linux")]
const NICE: i32 = 5;

/// Takes the current thread for one of the pipeline, which lets the application go first: what waits
/// meanwhile is in the journal.
fn begin_thread() {
    crate::journal::mark_worker();
    // On Linux this is the thread's own; elsewhere it would be the whole process's. The first thread's is
    // the process's: the one that began this thread may be of the pipeline, too.
    #[cfg(target_os = "linux")]
    if let Ok(nice) = rustix::process::getpriority_process(Some(rustix::process::getpid())) {
        // Nobody forbids to be nicer, and it does no harm if it did.
        let _ = rustix::process::setpriority_process(None, nice + NICE);
    }
}

#[cfg(test)]
mod tests;
