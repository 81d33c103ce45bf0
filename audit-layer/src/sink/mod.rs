//! Where records go.
//!
//! A sink writes batches of finished lines, each in its own thread, so that none waits for another.
//! What all of them keep to:
//!
//! - *Idempotent.* A batch may come again after an error; what is there already is not written
//!   twice. A record that is there with another hash is a conflict, counted and shown.
//! - *In order.* The records of a batch follow each other in `seq`, and so do batches.
//! - *Positioned.* A sink says where it has got in a stream, so that a writer which starts goes on
//!   behind everything that exists, and a sink that a crash left behind is caught up from another.
//!
//! An error means "try again": the thread waits longer each time and sends the same batch. What
//! trying cannot mend is not an error but a conflict.

use crate::record::{Head, StreamName};

mod batch;
pub(crate) mod file;
#[cfg(feature = "redis")]
pub(crate) mod redis;
#[cfg(feature = "sqlite")]
pub(crate) mod sqlite;
pub(crate) mod stdout;

#[cfg(any(feature = "sqlite", feature = "redis", test))]
pub(crate) use batch::Sealed;
pub(crate) use batch::{Batch, MAX_BATCH_BYTES};

/// What a sink is to the pipeline.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Delivery {
    /// The pipeline waits for it: nothing is ever skipped.
    Required,
    /// It may fall behind: what it missed it gets from the journal, and what that does not have any
    /// more is skipped, and the trail says so.
    BestEffort,
}

/// What became of a batch.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Written {
    /// Records that were not there before.
    pub(crate) new: u64,
    /// Records that were there with another hash.
    pub(crate) conflicts: u64,
    /// Not all was written: the sink has less than it had, and is to be asked how far it has got.
    pub(crate) behind: bool,
}

/// Why a batch did not get through; worth trying again. The text holds no secret.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct SinkError(pub(crate) String);

impl From<std::io::Error> for SinkError {
    fn from(error: std::io::Error) -> Self {
        match error.kind() {
            std::io::ErrorKind::StorageFull => Self(format!("{error}; make room for it")),
            _ => Self(error.to_string()),
        }
    }
}

/// Something that a sink did to records it held, for the trail to tell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Trimmed {
    pub(crate) sink: &'static str,
    /// What was removed, such as the name of the file.
    pub(crate) what: String,
    /// Why: `rotation`, `removed` or `truncated`.
    pub(crate) reason: &'static str,
    /// The first and last record of each stream in it, as far as they could be read.
    pub(crate) first: Option<(Box<str>, u64)>,
    pub(crate) last: Option<(Box<str>, u64)>,
}

/// A destination of records.
pub(crate) trait Sink: Send {
    fn name(&self) -> &'static str;

    fn delivery(&self) -> Delivery;

    /// Whether it cannot tell what it had: it goes on where the pipeline does.
    fn forgets(&self) -> bool {
        false
    }

    /// The last record of `stream` that this sink durably has.
    fn head(&mut self, stream: &StreamName) -> Result<Option<Head>, SinkError>;

    /// The stream, of those that `wanted` picks, whose record came last; for a sink that can tell.
    fn last_stream(
        &mut self,
        wanted: &dyn Fn(&str) -> bool,
    ) -> Result<Option<Box<str>>, SinkError> {
        let _ = wanted;
        Ok(None)
    }

    /// The lines of `stream` behind `after`, at most `limit`, in order; for a sink that can tell.
    fn lines_after(
        &mut self,
        stream: &StreamName,
        after: u64,
        limit: usize,
    ) -> Result<Vec<String>, SinkError> {
        let _ = (stream, after, limit);
        Ok(Vec::new())
    }

    /// Writes what is not there yet.
    fn write(&mut self, batch: &Batch) -> Result<Written, SinkError>;

    /// Whether what is written is as durable as this sink can make it.
    fn is_durable_once_written(&self) -> bool {
        true
    }

    /// Makes everything written so far as durable as this sink can.
    fn sync(&mut self) -> Result<(), SinkError> {
        Ok(())
    }

    /// What was removed since the last call.
    fn take_trimmed(&mut self) -> Vec<Trimmed> {
        Vec::new()
    }
}
