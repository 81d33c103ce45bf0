//! Panics as records.
//!
//! A hook before the one that is there: what panicked is in the journal before the stack is unwound
//! or the process aborts. Rejected: to emit an ordinary `tracing` event from the hook. It would meet
//! other layers and the locks of the spans, and the thread that panics may hold one of them.

use std::{panic::PanicHookInfo, sync::Arc};

use tracing::level_filters::LevelFilter;

use crate::{
    capture::{Core, internal_plan},
    journal::frame::{Frame, HEADER},
    pipeline,
};

/// Records every panic of the process from now on.
pub(crate) fn record(core: &Arc<Core>) {
    // A thread that panics cannot change the hook.
    if core.filter.level == LevelFilter::OFF || std::thread::panicking() {
        return;
    }
    let core = Arc::downgrade(core);
    let before = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        if let Some(core) = core.upgrade() {
            let mut frame = describe(info).bytes().to_vec();
            // Not hashed or sealed: the thread that panics may hold the lock of the keys.
            core.rules.redact_all(&mut frame, HEADER, &internal_plan().roles);
            core.queue.append_panic(internal_plan().callsite(), &frame);
        }
        before(info);
    }));
}

fn describe(info: &PanicHookInfo<'_>) -> Frame {
    let message = info.payload_as_str().unwrap_or("a panic whose payload is no text");
    let location = info.location().map(ToString::to_string);
    pipeline::panicked(message, location.as_deref(), std::thread::current().name())
}
