//! What can go wrong, and what the operator can do about it.

use std::{fmt, io, path::PathBuf};

use crate::record::InvalidStreamName;

/// An error of the audit layer.
///
/// Its `Debug` is its `Display`, so that `fn main() -> Result<(), Error>` prints what to do.
#[derive(thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A setting cannot be read.
    #[error("{name}: {why}")]
    Invalid {
        /// The environment variable, or the method of the builder.
        name: &'static str,
        /// What is wrong with its value, and what would be right.
        why: String,
    },
    /// The journal directory cannot be made, locked or read.
    #[error("journal directory {path}: {source}; {}", what_helps(source))]
    Journal {
        /// The directory.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The identity of the stream is damaged.
    #[error(
        "{path}: {source}; restore the file from a backup, or move the directory away to open a new stream"
    )]
    Identity {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: InvalidStreamName,
    },
    /// Too many live processes share a journal path.
    #[error(
        "{path}: more than 64 live processes share this journal; give each group of processes a path of its own (AUDIT_JOURNAL)"
    )]
    TooManyWriters {
        /// The journal path that they share.
        path: PathBuf,
    },
    /// A sink cannot be opened.
    #[error("{sink} sink: {why}")]
    Sink {
        /// Which one: `file`, `sqlite`, `redis` or `stdout`.
        sink: &'static str,
        /// What is wrong, with the path or address.
        why: String,
    },
    /// The keyring cannot be used.
    #[cfg(feature = "keyring")]
    #[error(transparent)]
    Keyring(#[from] crate::keyring::KeyringError),
    /// The system gives no random bytes for the identity of a new stream.
    #[error("no random bytes from the system: {0}")]
    Random(String),
    /// A thread could not be started.
    #[error("a thread could not be started: {0}")]
    Thread(io::Error),
    /// The signals that end the process cannot be waited for.
    #[error("signals cannot be waited for: {0}")]
    Signals(io::Error),
    /// Not everything reached the sinks in time. What was accepted stays accepted.
    #[error("not in time: {} did not get everything; look at stats() for their last errors", .missing.join(", "))]
    Timeout {
        /// The sinks that are behind; `pipeline` when the request did not reach them.
        missing: Vec<String>,
    },
    /// Events were dropped since the last commit; what was accepted is durable.
    #[error(
        "{count} events were dropped since the last commit; stats() says why, and the trail will"
    )]
    Dropped {
        /// How many.
        count: u64,
    },
    /// There is no journal to commit to.
    #[error("the layer was built without a journal, so nothing can be committed")]
    NoJournal,
    /// The pipeline is dead, or a sync of the journal failed. It says what to do. Events are taken in
    /// as long as the journal has room, and then handled by the failure policy.
    #[error("{0}")]
    Poisoned(String),
    /// This process is the child of a fork: the layer lives in its parent.
    #[error("this process was forked from the one that records; build a layer of its own in it")]
    Forked,
    /// Audit events do not reach the layer.
    #[error("audit events do not reach the layer: {0}")]
    NotInstalled(NotInstalled),
}

fn what_helps(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge => {
            "make room for it"
        }
        io::ErrorKind::AlreadyExists | io::ErrorKind::NotADirectory => {
            "a file has that name; AUDIT_JOURNAL sets another directory"
        }
        _ => "give the service a directory that it may write; AUDIT_JOURNAL sets another",
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Why audit events do not reach the layer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NotInstalled {
    /// `tracing` was compiled without events of this level.
    #[error(
        "tracing was built with the feature max_level or release_max_level at {0}, which removes them at compile time; some dependency turns it on: see `cargo tree -e features -i tracing`"
    )]
    StaticLevel(tracing::level_filters::LevelFilter),
    /// No subscriber is installed.
    #[error("no subscriber is installed; call .init() on the registry before")]
    NoSubscriber,
    /// The installed subscriber does not contain this layer.
    #[error(
        "the installed subscriber does not contain this layer; add it with .with(layer), and look for another subscriber that was installed first"
    )]
    NotInSubscriber,
    /// A filter over all layers stops events of this level.
    #[error(
        "a global filter lets only {0} and graver through (RUST_LOG?); put the filter on the layer it is meant for: fmt_layer.with_filter(filter)"
    )]
    GlobalLevel(tracing::level_filters::LevelFilter),
    /// The level is let through, but the event is not.
    #[error(
        "a filter over all layers, or another layer's event_enabled, rejects the target `audit`; put filters on the layer they are meant for: fmt_layer.with_filter(filter)"
    )]
    Filtered,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_that_main_returns_says_what_to_do() {
        let error = Error::NotInstalled(NotInstalled::NoSubscriber);
        assert!(format!("{error:?}").contains("call .init()"));
    }
}
