//! Why someone is not let in, or a key cannot be made.

use std::path::PathBuf;

use super::{KeyId, Role, Scope};

/// The credentials are missing, wrong, contradictory, revoked or expired, or may not be used from where they
/// were; which of these is told to nobody.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a valid key is needed: `Authorization: Bearer KEY` or `X-API-Key: KEY`")]
pub struct WrongKey;

/// The credentials are valid, and may not do that.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("this needs {needed}, which the role {role} does not have")]
pub struct Forbidden {
    /// What was needed.
    pub needed: Scope,
    /// What there was.
    pub role: Role,
}

/// The credentials are those of one tenant, and this is about all of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("this is about the whole trail, and the credential sees the records of one tenant")]
pub struct TenantBound;

/// An admin is not bound to a tenant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "a key of one tenant is not an admin's: who makes keys could make one that sees everything"
)]
pub struct TenantAdmin;

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

/// A key cannot be made for so long.
#[derive(Debug, thiserror::Error)]
#[error("a key is made for ten years at most")]
pub struct KeyLifetimeInvalid;

/// There are as many keys as there may be.
#[derive(Debug, thiserror::Error)]
#[error("there are 10000 keys: that is all that there may be, revoked and expired ones included")]
pub struct TooManyKeys;

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
