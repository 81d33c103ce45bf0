//! Why a demonstration cannot go on.

use std::path::PathBuf;

/// What the server fails with, for this module to pass on.
pub type Failure = Box<dyn std::error::Error + Send + Sync>;

/// Why a demonstration cannot go on.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DemoError {
    /// The directory cannot be made.
    #[error("cannot make the directory {}: choose another with --dir", path.display())]
    Directory {
        /// Which one.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The audit layer cannot be opened, or did not write everything in time.
    #[error(transparent)]
    Layer(#[from] audit_layer::Error),
    /// Someone was there before.
    #[error("the process has a tracing subscriber already; the demonstration installs its own")]
    Subscriber,
    /// The database cannot be asked how far the history has come.
    #[error("cannot read how far the trail has come; try a new directory with --dir")]
    History(#[source] rusqlite::Error),
    /// The signals that end it cannot be waited for.
    #[error("cannot wait for signals")]
    Signal(#[source] std::io::Error),
    /// The desk has no thread to live in.
    #[error("cannot start a thread")]
    Thread(#[source] std::io::Error),
    /// The desk waits for a disk that stands still.
    #[error("the disk does not take records; what was not written is lost, the trail is intact")]
    DeskStuck,
    /// The server cannot be started, or failed.
    #[error("the server cannot be started, or failed")]
    Server(#[source] Failure),
}
