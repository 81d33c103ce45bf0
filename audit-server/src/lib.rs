//! Answers questions about an audit trail that `audit-layer` wrote.
//!
//! A library with a thin binary. [`Server`] serves the HTTP API over a trail in SQLite, into which it
//! records no more than what it was asked, and over the recent records in Redis; [`KeyStore`] keeps the keys that every
//! endpoint but `/health` asks for. [`AuditQuery`] asks a trail from Rust, without a server.
//!
//! ```no_run
//! # async fn example() -> Result<(), audit_server::Error> {
//! let mut config = audit_server::Config::default();
//! config.db = "var/audit/audit.db".into();
//! let server = audit_server::Server::bind(config).await?;
//! println!("http://{}/docs", server.local_addr());
//! server.run(async { tokio::signal::ctrl_c().await.unwrap_or_default() }).await
//! # }
//! ```
//!
//! It is not a log collector: it neither receives records nor changes any.

mod api;
mod auth;
pub mod cli;
mod config;
pub mod demo;
mod demo_server;
mod error;
mod export;
mod fact;
mod filter;
mod intrusion;
mod keyed;
mod query;
mod rate;
mod read_model;
mod report;
mod self_audit;
mod server;
mod settings;
mod stats;
mod store;
pub mod verify;
mod visible;

pub use api::openapi_document;
pub use auth::{
    Forbidden, KeyFileMissing, KeyFileUnusable, KeyId, KeyIdInvalid, KeyInfo, KeyLifetimeInvalid,
    KeyNameInvalid, KeyStore, KeyUnknown, NetworkInvalid, Networks, NewKey, Role, RoleUnknown,
    Scope, SecretKeyText, Tenant, TenantAdmin, TenantBound, TenantInvalid, TokensUnusable,
    TooManyKeys, WrongKey,
};
pub use config::{Config, DEFAULT_LISTEN, InvalidConfig};
pub use error::Error;
pub use export::{ExportNotFound, ExportsBusy, TrailReplaced};
pub use query::{
    AuditQuery, AuditStore, DEFAULT_DEADLINE, ForbiddenValue, InvalidValue, OrderByTime, Records,
    RepeatedParameter, StoredLine, UnknownParameter,
};
pub use rate::{DEFAULT_RATE_LIMIT, RateLimit, RateLimitInvalid};
pub use read_model::{Count, Counted, Counting};
pub use server::{Server, TlsFileUnusable, run};
pub use store::{
    DamagedRecord, DatabaseForeign, DatabaseMissing, DatabaseNewer, DatabaseUnreadable,
    InvalidRedisUrl, Overloaded, QueryTimeout, RecordNotFound, RedisDisabled, RedisUnavailable,
    RedisUrl, TruncatedBy,
};
