//! The spans that this thread is in, and the context that each gives, worked out once.
//!
//! To ask the registry costs an event more than to encode it: a look-up of the current span, one of
//! the span itself, and a lock for each span around. The context of a span changes only when a value
//! is recorded into it or a span around it, and that is counted: what was worked out under another
//! count is worked out again. Entries are kept as the registry keeps its own: a span that is entered
//! again while it is entered does not become the current one again.
//!
//! Rejected: to work out the context when a span is entered (most spans see no audit event).

use std::cell::RefCell;

use tracing_core::span;

use super::encoder::Members;
use crate::{journal::frame::Entries, wipe::wipe};

/// More spans entered at once on one thread are left to the registry: somebody leaks them.
const MAX_ENTERED: usize = 256;

struct Entered {
    /// Which layer of the process it belongs to.
    layer: usize,
    id: span::Id,
    /// It is further down, too.
    is_again: bool,
    /// The count under which the context was worked out.
    known_at: Option<u64>,
    /// What an event takes from this span and those around it, when it sets none of it itself.
    context: Vec<u8>,
    set: Members,
}

/// How many buffers are kept for the spans to come.
const MAX_SPARE: usize = 16;

struct Stack {
    entered: Vec<Entered>,
    spare: Vec<Vec<u8>>,
}

thread_local! {
    static ENTERED: RefCell<Stack> =
        const { RefCell::new(Stack { entered: Vec::new(), spare: Vec::new() }) };
}

/// The thread enters a span.
pub(super) fn enter(layer: usize, id: &span::Id) {
    let _ = ENTERED.try_with(|stack| {
        let Ok(mut stack) = stack.try_borrow_mut() else { return };
        let Stack { entered, spare } = &mut *stack;
        if entered.len() < MAX_ENTERED {
            let is_again = entered.iter().any(|other| other.layer == layer && other.id == *id);
            entered.push(Entered {
                layer,
                id: id.clone(),
                is_again,
                known_at: None,
                context: spare.pop().unwrap_or_default(),
                set: Members::default(),
            });
        }
    });
}

/// The thread leaves a span.
pub(super) fn exit(layer: usize, id: &span::Id) {
    let _ = ENTERED.try_with(|stack| {
        let Ok(mut stack) = stack.try_borrow_mut() else { return };
        let Stack { entered, spare } = &mut *stack;
        let is_it = |other: &Entered| other.layer == layer && other.id == *id;
        if let Some(at) = entered.iter().rposition(is_it) {
            let mut left = entered.remove(at);
            if left.set.marked {
                wipe(&mut left.context);
            }
            if spare.len() < MAX_SPARE {
                spare.push(left.context);
            }
        }
    });
}

/// Gives the event the context of the span that it is in, if the event sets none of it itself and the
/// context is known. `count` tells how often something was recorded; `work_out` is asked for the
/// context when it is not known, and returns what it found.
pub(super) fn give(
    layer: usize,
    count: u64,
    to: &mut Entries<'_>,
    set: &mut Members,
    work_out: impl FnOnce(&mut Vec<u8>) -> Members,
) -> bool {
    let given = ENTERED.try_with(|stack| {
        let mut stack = stack.try_borrow_mut().ok()?;
        let entered = &mut stack.entered;
        if entered.len() >= MAX_ENTERED {
            return None;
        }
        let is_current = |other: &&mut Entered| other.layer == layer && !other.is_again;
        let current = entered.iter_mut().rev().find(is_current)?;
        if current.known_at != Some(count) {
            if current.set.marked {
                wipe(&mut current.context);
            }
            current.context.clear();
            current.set = work_out(&mut current.context);
            current.known_at = Some(count);
        }
        let fits = !set.has_any(current.set) && to.copy_all(&current.context);
        fits.then(|| set.insert_all(current.set))
    });
    matches!(given, Ok(Some(())))
}
