//! Why a demonstration cannot go on.

use std::{net::SocketAddr, path::PathBuf};

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
    /// The address to serve on cannot be had.
    #[error("cannot listen on {address}: choose another with --listen")]
    Listen {
        /// The address that was asked for.
        address: SocketAddr,
        /// What the system said.
        source: std::io::Error,
    },
    /// What is there was written by another.
    #[error(
        "{} holds records of the service {service}, among which a demonstration must not write: choose another directory with --dir",
        path.display()
    )]
    Foreign {
        /// The database or log file.
        path: PathBuf,
        /// Whose records they are.
        service: String,
    },
    /// The log file cannot be read.
    #[error("cannot read {}: choose another directory with --dir", path.display())]
    Log {
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
    /// The database cannot be asked whose it is, or how far the history has come.
    #[error("cannot read the trail that is there; try a new directory with --dir")]
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
