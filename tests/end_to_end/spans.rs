//! A span whose own target is `audit` becomes a record when it closes.

use std::{panic::AssertUnwindSafe, time::Duration};

use serde_json::json;
use tests::{Recorded, Trail};
use tracing::{Instrument, field::Empty};

/// The status of the span `work` around `inside`.
fn status(inside: impl FnOnce()) -> String {
    let recorded = Recorded::from(|| {
        let _span = tracing::info_span!(target: "audit", "work").entered();
        inside();
    });
    recorded.saying("work")["status"].as_str().unwrap().to_owned()
}

#[test]
fn an_audit_span_is_one_record_that_says_how_long_it_took() {
    let record = Recorded::one(|| {
        let span = tracing::info_span!(
            target: "audit",
            "settle",
            event_type = "financial.transfer",
            action = "settle",
            user_id = "u-1",
            resource = "account/7",
            regulatory_flags.SOX = true,
            amount = "12.50",
        );
        let _entered = span.enter();
        std::thread::sleep(Duration::from_millis(20));
    });
    assert_eq!(record["message"], "settle");
    assert_eq!(record["event_type"], "financial.transfer");
    assert_eq!(record["category"], "financial");
    assert_eq!(record["action"], "settle");
    assert_eq!(record["user_id"], "u-1");
    assert_eq!(record["resource"], "account/7");
    assert_eq!(record["status"], "success");
    assert_eq!(record["logger"], "audit");
    assert_eq!(record["regulatory_flags"], json!({"SOX": true}));
    assert_eq!(record["details"], json!({"amount": "12.50"}));
    assert!(record["source"].as_str().unwrap().contains("spans.rs:"));
    let duration = record["duration_us"].as_u64().unwrap();
    assert!((20_000..30_000_000).contains(&duration), "{duration}");
}

#[test]
fn a_span_is_recorded_when_it_closes_not_when_it_is_left() {
    let recorded = Recorded::from(|| {
        let span = tracing::info_span!(target: "audit", "work");
        for _ in 0..3 {
            span.in_scope(|| tracing::info!(target: "audit", "inside"));
        }
        tracing::info!(target: "audit", "before the end");
        drop(span);
        tracing::info!(target: "audit", "after the end");
    });
    let order: Vec<_> =
        recorded.events().iter().map(|r| r["message"].as_str().unwrap().to_owned()).collect();
    assert_eq!(order, ["inside", "inside", "inside", "before the end", "work", "after the end"]);
}

#[test]
fn what_is_recorded_late_is_in_the_record_of_the_span() {
    let record = Recorded::one(|| {
        let span = tracing::info_span!(
            target: "audit::jobs",
            "work",
            user_id = Empty,
            rows = 1,
            details.note = Empty,
            regulatory_flags.SOX = Empty,
        );
        span.record("user_id", "u-1");
        span.record("rows", 2);
        span.record("details.note", "late");
        span.record("regulatory_flags.SOX", true);
        span.record("undeclared", "ignored by tracing");
    });
    assert_eq!(record["user_id"], "u-1");
    assert_eq!(record["logger"], "audit::jobs");
    assert_eq!(record["regulatory_flags"], json!({"SOX": true}));
    assert_eq!(record["details"], json!({"rows": 2, "note": "late"}), "the later value, once");
}

#[test]
fn a_span_takes_context_from_its_parents_and_gives_its_own() {
    let recorded = Recorded::from(|| {
        let outer = tracing::info_span!("request", user_id = "u-1", request_id = Empty);
        let _outer = outer.enter();
        {
            let _work =
                tracing::info_span!(target: "audit", "work", tenant = "acme", user_id = "u-2")
                    .entered();
            tracing::info!(target: "audit", "inside");
        }
        outer.record("request_id", "req-1");
        drop(tracing::info_span!(target: "audit", "later"));
    });
    let work = recorded.saying("work");
    assert_eq!(work["user_id"], "u-2");
    assert_eq!(work["tenant"], "acme");
    let inside = recorded.saying("inside");
    assert_eq!((&inside["user_id"], &inside["tenant"]), (&json!("u-2"), &json!("acme")));
    let later = recorded.saying("later");
    assert_eq!((&later["user_id"], &later["request_id"]), (&json!("u-1"), &json!("req-1")));
    assert!(later.get("tenant").is_none());
}

#[test]
fn the_status_is_the_gravest_of_what_happened_inside() {
    assert_eq!(status(|| {}), "success");
    assert_eq!(status(|| tracing::info!(target: "audit", status = "success")), "success");
    assert_eq!(status(|| tracing::info!(target: "audit", status = "pending")), "success");
    assert_eq!(status(|| tracing::info!(target: "audit", status = "denied")), "denied");
    assert_eq!(status(|| tracing::info!(target: "audit", status = %"failure")), "failure");
    assert_eq!(status(|| tracing::info!(target: "audit", status = "error")), "error");
    assert_eq!(status(|| tracing::error!(target: "audit", "it broke")), "error");
    assert_eq!(status(|| tracing::warn!(target: "audit", "it creaked")), "success");
    assert_eq!(
        status(|| {
            tracing::info!(target: "audit", status = "failure");
            tracing::info!(target: "audit", status = "denied");
            tracing::info!(target: "audit", status = "success");
        }),
        "failure"
    );
}

#[test]
fn the_status_comes_through_the_spans_between() {
    assert_eq!(
        status(|| {
            let _context = tracing::info_span!("context", user_id = "u-1").entered();
            let _plain = tracing::info_span!("plain").entered();
            tracing::info!(target: "audit", status = "denied");
        }),
        "denied"
    );
    let recorded = Recorded::from(|| {
        let _outer = tracing::info_span!(target: "audit", "outer").entered();
        {
            let _inner =
                tracing::info_span!(target: "audit", "inner", status = "failure").entered();
        }
        drop(tracing::info_span!(target: "audit", "sibling"));
    });
    assert_eq!(recorded.saying("inner")["status"], "failure");
    assert_eq!(recorded.saying("sibling")["status"], "success");
    assert_eq!(recorded.saying("outer")["status"], "failure", "a span inside is something inside");
}

#[test]
fn a_status_that_the_span_sets_itself_wins() {
    let recorded = Recorded::from(|| {
        {
            let _span =
                tracing::info_span!(target: "audit", "at once", status = "handled").entered();
            tracing::error!(target: "audit", "it broke");
        }
        let span = tracing::info_span!(target: "audit", "late", status = Empty);
        span.in_scope(|| tracing::error!(target: "audit", "it broke again"));
        span.record("status", "handled");
    });
    assert_eq!(recorded.saying("at once")["status"], "handled");
    assert_eq!(recorded.saying("late")["status"], "handled");
}

#[test]
fn a_span_may_set_its_own_message_and_duration() {
    let record = Recorded::one(|| {
        drop(tracing::info_span!(target: "audit", "work", message = "said", duration_us = 5));
    });
    assert_eq!(record["message"], "said");
    assert_eq!(record["duration_us"], 5);
}

#[test]
fn what_does_not_fit_is_kept_and_the_span_still_has_duration_and_status() {
    let record = Recorded::one(|| {
        let list = vec![1];
        let span = tracing::info_span!(
            target: "audit",
            "work",
            duration_us = 1.5,
            status = audit_layer::val(&list),
            message = audit_layer::val(&list),
            rows = Empty,
        );
        span.record("rows", 1);
    });
    assert!(record["duration_us"].is_u64(), "{record}");
    assert_eq!(record["status"], "success");
    assert_eq!(record["message"], "work");
    assert_eq!(
        record["details"],
        json!({"duration_us": 1.5, "status": [1], "message": [1], "rows": 1})
    );
}

#[test]
fn a_panic_inside_is_an_error() {
    let recorded = Recorded::from(|| {
        let panicked = std::panic::catch_unwind(|| {
            let _span = tracing::info_span!(target: "audit", "work").entered();
            panic!("on purpose");
        });
        assert!(panicked.is_err());
    });
    assert_eq!(recorded.saying("work")["status"], "error");
}

#[test]
fn a_panic_that_left_the_span_is_an_error_even_if_the_span_closes_after_it_was_caught() {
    let recorded = Recorded::from(|| {
        let span = tracing::info_span!(target: "audit", "sync");
        let panicked = std::panic::catch_unwind(AssertUnwindSafe(|| {
            span.in_scope(|| panic!("on purpose"));
        }));
        assert!(panicked.is_err());
        drop(span);

        let span = tracing::info_span!(target: "audit", "async");
        let mut future = Box::pin(async { panic!("on purpose") }.instrument(span));
        let panicked = std::panic::catch_unwind(AssertUnwindSafe(|| {
            let waker = std::task::Waker::noop();
            let _ = future.as_mut().poll(&mut std::task::Context::from_waker(waker));
        }));
        assert!(panicked.is_err());
        drop(future);
    });
    assert_eq!(recorded.saying("sync")["status"], "error");
    assert_eq!(recorded.saying("async")["status"], "error");
}

#[test]
fn work_that_goes_well_while_a_panic_unwinds_is_a_success() {
    struct Cleanup;
    impl Drop for Cleanup {
        fn drop(&mut self) {
            let _span = tracing::info_span!(target: "audit", "cleanup").entered();
        }
    }
    let recorded = Recorded::from(|| {
        let _ = std::panic::catch_unwind(|| {
            let _cleanup = Cleanup;
            panic!("on purpose");
        });
    });
    assert_eq!(recorded.saying("cleanup")["status"], "success");
}

#[test]
fn an_instrumented_audit_function_is_a_record() {
    #[tracing::instrument(
        target = "audit",
        name = "transfer",
        skip(amount),
        fields(event_type = "financial.transfer"),
        err
    )]
    fn transfer(user_id: &str, amount: u32) -> Result<u32, String> {
        if amount > 100 {
            tracing::warn!(target: "audit", status = "denied", "over the limit");
            return Err("over the limit".to_owned());
        }
        Ok(amount)
    }
    let recorded = Recorded::from(|| {
        transfer("u-1", 5).unwrap();
        transfer("u-2", 500).unwrap_err();
    });
    let transfers = recorded.of_type("financial.transfer");
    assert_eq!(transfers.len(), 2);
    assert_eq!(
        (&transfers[0]["status"], &transfers[0]["user_id"]),
        (&json!("success"), &json!("u-1"))
    );
    // `err` emits an event of level ERROR with the span's target.
    assert_eq!(
        (&transfers[1]["status"], &transfers[1]["user_id"]),
        (&json!("error"), &json!("u-2"))
    );
}

#[test]
fn a_span_below_the_level_is_no_record_but_gives_context() {
    let recorded = Trail::in_file().record(|| {
        let _span = tracing::debug_span!(target: "audit", "work", user_id = "u-1").entered();
        tracing::info!(target: "audit", "inside");
    });
    assert_eq!(recorded.only()["user_id"], "u-1");
}

#[test]
fn clones_of_a_span_are_one_record() {
    let record = Recorded::one(|| {
        let span = tracing::info_span!(target: "audit", "work");
        let clone = span.clone();
        let thread = std::thread::spawn(move || clone.in_scope(|| {}));
        thread.join().unwrap();
        drop(span);
    });
    assert_eq!(record["message"], "work");
}
