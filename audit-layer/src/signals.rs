//! Waiting for the signal by which a process is asked to end.
//!
//! The first one is waited for. The second one ends the process at once, as it would have without
//! us: whoever asks twice does not want to wait, and the journal keeps what the sinks lack.

use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::SeqCst},
    },
};

use signal_hook::{
    consts::{SIGINT, SIGTERM},
    flag::register_conditional_shutdown,
    iterator::Signals,
};

/// Waits for SIGTERM or SIGINT.
pub(crate) fn wait() -> io::Result<()> {
    let asked = Arc::new(AtomicBool::new(false));
    let mut signals = Signals::new([SIGTERM, SIGINT])?;
    for signal in [SIGTERM, SIGINT] {
        register_conditional_shutdown(signal, 128 + signal, Arc::clone(&asked))?;
    }
    let _ = signals.forever().next();
    asked.store(true, SeqCst);
    Ok(())
}
