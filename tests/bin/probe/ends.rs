//! Events from the end of a thread, and from after the end of the recording.

use std::{cell::RefCell, path::Path};

struct Farewell(&'static str);

impl Drop for Farewell {
    fn drop(&mut self) {
        // No span: the registry itself cannot make one once its own thread-locals are gone.
        tracing::info!(target: "audit", note = ?self.0, "{}", self.0);
    }
}

thread_local! {
    static FIRST: RefCell<Option<Farewell>> = const { RefCell::new(None) };
    static LAST: RefCell<Option<Farewell>> = const { RefCell::new(None) };
}

/// Destructors of thread-locals run in an order that nobody promises: here one is registered
/// before the thread's first event and one after it.
pub(crate) fn thread_end(directory: &Path) {
    let guard = crate::install(crate::builder(directory));
    std::thread::spawn(|| {
        FIRST.set(Some(Farewell("registered before")));
        tracing::info!(target: "audit", "of the thread");
        LAST.set(Some(Farewell("registered after")));
    })
    .join()
    .unwrap();
    // And in a thread whose only event comes from a destructor.
    std::thread::spawn(|| FIRST.set(Some(Farewell("the only one")))).join().unwrap();
    crate::end(guard);
}

pub(crate) fn after_shutdown(directory: &Path) {
    let guard = crate::install(crate::builder(directory));
    tracing::info!(target: "audit", "before");
    let span = tracing::info_span!(target: "audit", "open at the end", user_id = "u-1");
    crate::end(guard);
    for _ in 0..5 {
        tracing::info!(target: "audit", "after");
    }
    drop(span);
    println!("went on");
}
