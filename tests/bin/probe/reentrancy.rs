//! A value whose `Debug` emits audit events, under the global subscriber.

use std::{cell::Cell, fmt, path::Path};

/// Emits an event and enters a span while it is formatted.
struct Talkative;

impl fmt::Debug for Talkative {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let _span = tracing::info_span!("inner span", request_id = "inner").entered();
        tracing::info!(target: "audit", user_id = "inner", list = audit_layer::val(&vec![1]), "inner");
        f.write_str("talkative")
    }
}

pub(crate) fn nested(directory: &Path) {
    let guard = crate::install(crate::builder(directory));
    let _span = tracing::info_span!("outer span", tenant = ?Talkative).entered();
    tracing::info!(target: "audit", user_id = "outer", value = ?Talkative, after = 1, "outer");
    let audit = tracing::info_span!(target: "audit", "work", value = tracing::field::Empty);
    audit.record("value", tracing::field::debug(Talkative));
    drop(audit);
    crate::end(guard);
}

thread_local! {
    static DEEPEST: Cell<u32> = const { Cell::new(0) };
}

/// Emits itself while it is formatted, for ever.
struct Endless(u32);

impl fmt::Debug for Endless {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        DEEPEST.set(DEEPEST.get().max(self.0));
        tracing::info!(target: "audit", value = ?Endless(self.0 + 1), "endless");
        write!(f, "level {}", self.0)
    }
}

pub(crate) fn endless(directory: &Path) {
    let guard = crate::install(crate::builder(directory));
    tracing::info!(target: "audit", value = ?Endless(1), "first");
    // Once more: the first time took nothing away.
    tracing::info!(target: "audit", value = ?Endless(1), "second");
    println!("deepest {}", DEEPEST.get());
    crate::end(guard);
}
