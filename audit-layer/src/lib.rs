//! An audit trail for Rust services.
pub mod record;
pub use record::event_type::{self, EventType};
