//! Why someone is not let in, or a key cannot be made.

use std::path::PathBuf;

use super::KeyId;

/// The credentials are missing, wrong, contradictory or revoked; which of these is told to nobody.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a valid admin key is needed: `Authorization: Bearer KEY` or `X-API-Key: KEY`")]
pub struct WrongKey;

/// No key has that id.
#[derive(Debug, thiserror::Error)]
#[error("there is no key with the id {id}: `audit-server keys list` shows them")]
pub struct KeyUnknown {
    /// What was asked for.
    pub id: KeyId,
}

/// What should name a key does not. It is not repeated: it may be somebody's key with a slip in it.
#[derive(Debug, thiserror::Error)]
#[error(
    "that names no key: an id is the eight characters after ak_, and `audit-server keys list` shows them"
)]
pub struct KeyIdInvalid;

/// A key cannot be called that.
#[derive(Debug, thiserror::Error)]
#[error("the name of a key has 1 to 100 characters and no control characters")]
pub struct KeyNameInvalid;

/// There is no database of keys, or none any more.
#[derive(Debug, thiserror::Error)]
#[error(
    "there are no keys at {}: restore the file, name another with --keys, or make a key with `audit-server keys create`",
    path.display()
)]
pub struct KeyFileMissing {
    /// Where they were looked for.
    pub path: PathBuf,
}

/// The database of keys cannot be opened, read or written.
#[derive(Debug, thiserror::Error)]
#[error("cannot use the keys at {}: {reason}", path.display())]
pub struct KeyFileUnusable {
    /// The file.
    pub path: PathBuf,
    /// What is wrong, and what to do.
    pub reason: &'static str,
    /// What SQLite or the system said.
    pub source: Option<Box<dyn std::error::Error + Send + Sync>>,
}
