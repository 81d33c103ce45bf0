//! An event costs its thread no allocation, once the thread has recorded one.

#![allow(clippy::unwrap_used, unsafe_code, reason = "a test, with an allocator that counts")]

use std::{
    alloc::{GlobalAlloc, Layout, System},
    cell::Cell,
    time::Duration,
};

use audit_layer::{AuditLayer, Durable};
use tracing_subscriber::prelude::*;

struct Counting;

thread_local! {
    static COUNT: Cell<u64> = const { Cell::new(0) };
}

fn count() {
    let _ = COUNT.try_with(|count| count.set(count.get() + 1));
}

// SAFETY: every call is handed on to the system's allocator as it came.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count();
        // SAFETY: the caller keeps to the contract of this very method.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: as above.
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count();
        // SAFETY: as above.
        unsafe { System.realloc(pointer, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn emit(number: u64) {
    tracing::info!(
        target: "audit",
        event_type = "trade.executed",
        action = "execute",
        status = "success",
        resource = "orders/4711",
        duration_us = 184_u64,
        symbol = "ACME",
        side = %"buy",
        quantity = number,
        price = ?"101.25",
        final_fill = true,
        "order {number} executed"
    );
}

#[test]
fn an_event_in_a_span_allocates_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let (layer, audit) = AuditLayer::builder()
        .service("allocations")
        .file(dir.path().join("audit.log"))
        .durable(Durable::none())
        .build()
        .unwrap();
    tracing::subscriber::with_default(tracing_subscriber::registry().with(layer), || {
        let outer = tracing::info_span!("request", user_id = "u-1042", request_id = "req-77");
        let inner = tracing::info_span!(parent: &outer, "step", session_id = "s-1");
        let round = || {
            let _outer = outer.enter();
            emit(1);
            let _inner = inner.enter();
            emit(2);
        };
        (0..100).for_each(|_| round());
        let before = COUNT.get();
        (0..1000).for_each(|_| round());
        assert_eq!(COUNT.get() - before, 0);
        // And the counter counts.
        drop(vec![0_u8; 10]);
        assert_eq!(COUNT.get() - before, 1);
    });
    assert_eq!(audit.stats().accepted, 2200);
    audit.shutdown(Duration::from_secs(60)).unwrap();
}
