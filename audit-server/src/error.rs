//! Everything that can go wrong, one named type a cause.
//!
//! The causes know no HTTP: `api::Problem` maps them to a status in one place. What the message of
//! a cause says goes to the operator's log; what a client is told is decided there as well, so
//! that no path and no SQL leaves the host.

use std::{net::SocketAddr, sync::Arc};

use audit_layer::keyring::KeyringError;

use crate::{
    auth::{
        Forbidden, KeyFileMissing, KeyFileUnusable, KeyIdInvalid, KeyLifetimeInvalid,
        KeyNameInvalid, KeyUnknown, TenantAdmin, TenantBound, TokensUnusable, TooManyKeys,
        WrongKey,
    },
    config::InvalidConfig,
    export::{ExportNotFound, ExportsBusy, TrailReplaced},
    query::{ForbiddenValue, InvalidValue, RepeatedParameter, UnknownParameter},
    server::TlsFileUnusable,
    store::{
        DamagedRecord, DatabaseForeign, DatabaseMissing, DatabaseNewer, DatabaseUnreadable,
        Overloaded, QueryTimeout, RecordNotFound, RedisDisabled, RedisUnavailable,
    },
};

/// Anything that this crate can fail with.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A setting is unknown or cannot be read.
    #[error(transparent)]
    Config(#[from] InvalidConfig),
    /// The address to listen on cannot be had.
    #[error("cannot listen on {address}: choose another with --listen or AUDIT_SERVER_LISTEN")]
    Listen {
        /// The address that was asked for.
        address: SocketAddr,
        /// What the system said.
        source: std::io::Error,
    },
    /// Others reach the address to listen on, and nothing is encrypted.
    #[error(
        "not listening on {address}, which others reach, without TLS: keys and records could be read on the way; \
         set --tls-cert and --tls-key, or --plain-http where a proxy in front encrypts"
    )]
    PlainHttp {
        /// The address that was asked for.
        address: SocketAddr,
    },
    /// A certificate, its key, or the authority of clients cannot be used.
    #[error(transparent)]
    TlsFileUnusable(#[from] TlsFileUnusable),
    /// A thread of the server ended unexpectedly.
    #[error("an internal task failed; this is a bug, please report it with the log")]
    Internal(#[source] Box<dyn std::error::Error + Send + Sync>),

    /// The read model cannot be made.
    #[error("the read model cannot be made")]
    ReadModel(#[source] Box<dyn std::error::Error + Send + Sync>),

    /// A query parameter that does not exist.
    #[error(transparent)]
    UnknownParameter(#[from] UnknownParameter),
    /// A query parameter given twice.
    #[error(transparent)]
    RepeatedParameter(#[from] RepeatedParameter),
    /// A query parameter whose value cannot be read.
    #[error(transparent)]
    InvalidValue(#[from] InvalidValue),
    /// A query parameter whose value is not possible here.
    #[error(transparent)]
    ForbiddenValue(#[from] ForbiddenValue),

    /// There is no database yet.
    #[error(transparent)]
    DatabaseMissing(#[from] DatabaseMissing),
    /// The file is no audit trail.
    #[error(transparent)]
    DatabaseForeign(#[from] DatabaseForeign),
    /// The trail is of a later version.
    #[error(transparent)]
    DatabaseNewer(#[from] DatabaseNewer),
    /// The database cannot be read.
    #[error(transparent)]
    DatabaseUnreadable(#[from] DatabaseUnreadable),
    /// A stored line is no record.
    #[error(transparent)]
    DamagedRecord(#[from] DamagedRecord),
    /// Time ran out before a single row was examined.
    #[error(transparent)]
    QueryTimeout(#[from] QueryTimeout),
    /// Every reader was busy for too long.
    #[error(transparent)]
    Overloaded(#[from] Overloaded),
    /// No record has that id.
    #[error(transparent)]
    RecordNotFound(#[from] RecordNotFound),
    /// As many exports run as may.
    #[error(transparent)]
    ExportsBusy(#[from] ExportsBusy),
    /// No export has that id.
    #[error(transparent)]
    ExportNotFound(#[from] ExportNotFound),
    /// The trail became another one during an export.
    #[error(transparent)]
    TrailReplaced(#[from] TrailReplaced),
    /// The server was started without Redis.
    #[error(transparent)]
    RedisDisabled(#[from] RedisDisabled),
    /// Redis does not answer.
    #[error(transparent)]
    RedisUnavailable(#[from] RedisUnavailable),

    /// The credentials are missing, wrong or revoked.
    #[error(transparent)]
    WrongKey(#[from] WrongKey),
    /// The credentials may not do that.
    #[error(transparent)]
    Forbidden(#[from] Forbidden),
    /// The credentials see the records of one tenant, and this is about all.
    #[error(transparent)]
    TenantBound(#[from] TenantBound),
    /// A key of one tenant cannot be an admin's.
    #[error(transparent)]
    TenantAdmin(#[from] TenantAdmin),
    /// No key has that id.
    #[error(transparent)]
    KeyUnknown(#[from] KeyUnknown),
    /// What should name a key does not.
    #[error(transparent)]
    KeyIdInvalid(#[from] KeyIdInvalid),
    /// A key cannot be called that.
    #[error(transparent)]
    KeyNameInvalid(#[from] KeyNameInvalid),
    /// A key cannot be made for so long.
    #[error(transparent)]
    KeyLifetimeInvalid(#[from] KeyLifetimeInvalid),
    /// There are as many keys as there may be.
    #[error(transparent)]
    TooManyKeys(#[from] TooManyKeys),
    /// What is sealed cannot be opened at the moment.
    #[error("{0}")]
    Keyring(#[source] Arc<KeyringError>),
    /// Tokens cannot be checked as it was set.
    #[error(transparent)]
    TokensUnusable(#[from] TokensUnusable),
    /// The database of keys is gone.
    #[error(transparent)]
    KeyFileMissing(#[from] KeyFileMissing),
    /// The database of keys cannot be used.
    #[error(transparent)]
    KeyFileUnusable(#[from] KeyFileUnusable),
}

impl From<KeyringError> for Error {
    fn from(error: KeyringError) -> Self {
        Self::Keyring(Arc::new(error))
    }
}

impl Error {
    pub(crate) fn internal(cause: impl std::error::Error + Send + Sync + 'static) -> Self {
        Self::Internal(Box::new(cause))
    }
}
