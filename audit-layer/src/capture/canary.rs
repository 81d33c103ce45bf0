//! The event by which `verify_installed` looks for the layer.
//!
//! The layer knows it by this module's path, not by a field's name: an application's event is
//! recorded whatever its fields are called.

use tracing::level_filters::LevelFilter;

/// Where canaries are sent from, and nothing else is.
pub(super) const MODULE: &str = module_path!();

/// Sends the event by which the layer is looked for, at the least grave level that is recorded.
pub(crate) fn send(level: LevelFilter, nonce: u64) {
    macro_rules! send {
        ($level:ident) => {
            tracing::event!(
                target: "audit",
                tracing::Level::$level,
                audit_layer.canary = nonce,
                "looking for the audit layer"
            )
        };
    }
    if level == LevelFilter::TRACE {
        send!(TRACE);
    } else if level == LevelFilter::DEBUG {
        send!(DEBUG);
    } else if level == LevelFilter::INFO {
        send!(INFO);
    } else if level == LevelFilter::WARN {
        send!(WARN);
    } else if level == LevelFilter::ERROR {
        send!(ERROR);
    }
}
