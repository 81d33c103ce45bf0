//! From a `tracing` event to a frame, on the caller's thread.
//!
//! What an event's fields mean is decided once for each callsite ([`plan`]), so that recording one
//! is a walk over field indexes. Values are written straight into a buffer of the thread
//! ([`encoder`]); context is copied from the spans around it ([`span`], and [`entered`] for those the
//! thread is in); what is secret in it is taken out, hashed or sealed ([`redaction`], [`protection`]); the frame is copied into the journal. Nothing is formatted while a lock is held, and
//! once a thread has recorded an event the next ones allocate nothing.
//!
//! # What can go wrong in the application's own code
//! - *A `Debug` that panics.* The panic is caught, the value becomes a mark that says so, and the
//!   rest of the record is kept.
//! - *A `Debug` that logs.* The inner event is recorded with a buffer of its own, before the outer
//!   one. Too many levels are counted as dropped. Under a scoped default subscriber
//!   (`with_default`) `tracing` itself discards such events.
//! - *A fork.* The child has no pipeline; what it emits is counted as dropped there, before
//!   anything that a thread of the parent may have locked.

pub(crate) mod canary;
mod encoder;
mod entered;
mod filter;
mod layer;
mod plan;
mod protection;
mod redaction;
mod role;
mod span;
mod value;

pub use layer::AuditLayer;
pub(crate) use layer::Core;
pub(crate) use plan::{Plan, internal_plan, plan_by_number};
pub(crate) use protection::Protection;
pub(crate) use redaction::{Names, Rules};
pub(crate) use role::Role;
pub use value::{Hashed, Sealed, Val, hashed, sealed, val};
