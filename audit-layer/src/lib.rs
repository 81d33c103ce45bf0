#![doc = include_str!("../README.md")]

mod assembly;
mod builder;
mod capture;
mod clock;
pub mod config;
mod diagnostics;
mod durable_names;
mod error;
mod fork;
mod guard;
mod journal;
#[cfg(feature = "keyring")]
pub mod keyring;
#[cfg(not(feature = "keyring"))]
#[path = "no_keyring.rs"]
mod keyring;
mod panics;
mod pipeline;
mod receipt;
pub mod record;
mod signals;
mod sink;
mod wipe;

pub use builder::Builder;
pub use capture::{AuditLayer, Hashed, Sealed, Val, hashed, sealed, val};
pub use clock::imported_from;
pub use config::{DbIndexes, Durable, OnFailure, Overflow, SealClassified};
pub use error::{Error, NotInstalled};
pub use guard::{AuditGuard, DROP_TIMEOUT};
pub use journal::{DropCause, JournalMode};
pub use pipeline::{JournalStats, SinkStats, Stats};
pub use receipt::{Commit, HASH_TIMEOUT, Receipt};
pub use record::event_type::{self, EventType};
#[cfg(feature = "sqlite")]
pub use sink::sqlite::{
    APPLICATION_ID, FULL_INDEXES, MIGRATIONS, SCHEMA_VERSION, is_financial, is_security_event,
};

/// Locks, whatever a thread that panicked with the lock held has left: everything that is behind a
/// lock here is whole between two statements.
fn locked<T: ?Sized>(mutex: &std::sync::Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}
