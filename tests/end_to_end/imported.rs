//! Records that are taken in from an older system.

use std::time::{Duration, UNIX_EPOCH};

use tests::Recorded;

#[test]
fn an_imported_record_has_the_originals_time_and_says_when_it_was_taken_in() {
    let original = UNIX_EPOCH + Duration::from_micros(1_700_000_000_123_456);
    let recorded = Recorded::from(|| {
        tracing::info!(target: "audit", "before");
        audit_layer::imported_from(original, || {
            tracing::info!(target: "audit", event_type = "auth.login", "imported");
            audit_layer::imported_from(UNIX_EPOCH, || tracing::info!(target: "audit", "nested"));
            drop(tracing::info_span!(target: "audit", "a span"));
        });
        tracing::info!(target: "audit", "after");
    });
    for message in ["imported", "a span"] {
        assert_eq!(recorded.saying(message)["timestamp"], "2023-11-14T22:13:20.123456Z");
    }
    assert_eq!(recorded.saying("nested")["timestamp"], "1970-01-01T00:00:00.000000Z");

    let (before, after) =
        (&recorded.saying("before")["timestamp"], &recorded.saying("after")["timestamp"]);
    for message in ["imported", "nested", "a span"] {
        let observed = recorded.saying(message)["observed_at"].as_str().unwrap();
        assert!(
            before.as_str().unwrap() <= observed && observed <= after.as_str().unwrap(),
            "{observed} is the time of the call"
        );
    }
    for record in recorded.records {
        let message = record["message"].as_str().unwrap();
        if !["imported", "nested", "a span"].contains(&message) {
            assert!(record.get("observed_at").is_none(), "{message}");
        }
    }
}
