//! Why a keyring cannot be used, and what helps.

use std::{fmt, io, path::PathBuf};

/// A keyring that cannot be made, opened, read or written.
#[derive(thiserror::Error)]
#[error("keyring {}: {problem}", .path.display())]
pub struct KeyringError {
    /// The file.
    pub path: PathBuf,
    /// What is wrong with it.
    #[source]
    pub problem: KeyringProblem,
}

impl fmt::Debug for KeyringError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// What can be wrong with a keyring.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum KeyringProblem {
    /// Nothing has that name.
    #[error(
        "there is none; make one with `audit-server keyring init` or Keyring::init, or restore it: another one opens nothing that was sealed before"
    )]
    Missing,
    /// A keyring or another file has that name.
    #[error("something is there already, and is not written over")]
    Exists,
    /// The file was made, and nothing written to it.
    #[error("it is empty; remove it and make it anew")]
    Empty,
    /// It is a directory, a device or the like.
    #[error("it is no regular file")]
    NoFile,
    /// Others than its owner may read or write it.
    #[error("others than its owner may read or write it (mode {mode:04o}); `chmod 600` it")]
    Exposed {
        /// Its permissions.
        mode: u32,
    },
    /// It is a database, and not of keys.
    #[error("it is a database of something else")]
    Foreign,
    /// A later version of this library made it.
    #[error("a later version of audit-layer made it; update this program")]
    Newer,
    /// The file was removed or replaced after it had been opened.
    #[error("the file was removed or replaced while it was in use; put it back, or restart")]
    Replaced,
    /// It has no key for some purpose.
    #[error("it has no key in use for {0}; rotate it")]
    NoKey(&'static str),
    /// The file system refuses.
    #[error("{0}")]
    Io(#[from] io::Error),
    /// SQLite cannot read or write it.
    #[error("SQLite cannot read or write it: {0}")]
    Database(#[from] rusqlite::Error),
    /// The system gives no random bytes.
    #[error("no random bytes from the system: {0}")]
    Random(String),
}
