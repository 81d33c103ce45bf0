//! What the layer says of itself, on standard error.
//!
//! It does not log through `tracing`: the application may be blocked in its logger while it waits
//! for the very thread that would warn. A line is one `write(2)` without a lock.

use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

static DEBUG: AtomicBool = AtomicBool::new(false);

/// Turns the layer's own diagnostics on (`AUDIT_DEBUG`). It holds for the process.
pub(crate) fn enable_debug() {
    DEBUG.store(true, Relaxed);
}

/// Something an operator should act upon. Callers say it once a time that it happens.
pub(crate) fn warn(message: &str) {
    print("warning", message);
}

/// Something that helps to find out why.
pub(crate) fn debug(message: impl FnOnce() -> String) {
    if DEBUG.load(Relaxed) {
        print("debug", &message());
    }
}

fn print(kind: &str, message: &str) {
    let line = format!("audit-layer: {kind}: {message}\n");
    let mut bytes = line.as_bytes();
    while !bytes.is_empty() {
        match rustix::io::write(rustix::stdio::stderr(), bytes) {
            Ok(written) if written > 0 => bytes = bytes.get(written..).unwrap_or_default(),
            Err(rustix::io::Errno::INTR) => {}
            _ => return,
        }
    }
}
