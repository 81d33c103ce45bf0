//! `valuable` values become nested JSON, on stable Rust and under `--cfg tracing_unstable`.
//!
//! The same claims twice: through [`audit_layer::val`], which works everywhere, and through
//! `tracing`'s own `valuable` fields, which exist only under the flag. It needs no sink but the
//! file, so that the second build is small:
//!
//! ```text
//! cargo test -p audit-layer --no-default-features --test valuable
//! RUSTFLAGS="--cfg tracing_unstable" cargo test -p audit-layer --no-default-features --test valuable --target-dir target/unstable
//! ```
#![allow(clippy::unwrap_used, reason = "a test that cannot go on says so by a panic")]

use std::{collections::BTreeMap, time::Duration};

use audit_layer::AuditLayer;
use serde_json::{Value, json};
use tracing_subscriber::prelude::*;
use valuable::Valuable;

#[derive(Valuable)]
struct Order {
    symbol: &'static str,
    legs: Vec<Leg>,
    limits: BTreeMap<&'static str, u64>,
    note: Option<&'static str>,
}

#[derive(Valuable)]
struct Leg {
    side: Side,
    quantity: u32,
}

#[derive(Valuable)]
enum Side {
    Buy,
    Limit { price: &'static str },
}

#[derive(Valuable)]
struct Flags {
    gdpr: bool,
    data_subject: &'static str,
}

fn order() -> Order {
    Order {
        symbol: "ACME",
        legs: vec![
            Leg { side: Side::Buy, quantity: 3 },
            Leg { side: Side::Limit { price: "1.10" }, quantity: 4 },
        ],
        limits: BTreeMap::from([("daily", u64::MAX)]),
        note: None,
    }
}

/// What the record of the one event that `emit` emits says of each member.
fn record(emit: impl FnOnce()) -> Value {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("audit.log");
    let (layer, guard) = AuditLayer::builder().file(&file).build().unwrap();
    tracing::subscriber::with_default(tracing_subscriber::registry().with(layer), emit);
    guard.shutdown(Duration::from_secs(60)).unwrap();
    let text = std::fs::read_to_string(&file).unwrap();
    let mut events: Vec<Value> = text
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .filter(|record: &Value| record["category"] != "system")
        .collect();
    assert_eq!(events.len(), 1, "{text}");
    events.remove(0)
}

macro_rules! both_ways {
    ($($(#[$meta:meta])* $module:ident: $wrap:path;)+) => {
        $($(#[$meta])* mod $module {
            use super::*;
            use $wrap as wrap;

            #[test]
            fn a_valuable_detail_is_nested_json() {
                let order = order();
                let record = record(|| {
                    tracing::info!(target: "audit", order = wrap(&order), after = 1, "hello");
                });
                assert_eq!(
                    record["details"],
                    json!({
                        "order": {
                            "symbol": "ACME",
                            "legs": [
                                {"side": "Buy", "quantity": 3},
                                {"side": {"Limit": {"price": "1.10"}}, "quantity": 4},
                            ],
                            "limits": {"daily": "18446744073709551615"},
                            "note": null,
                        },
                        "after": 1,
                    })
                );
            }

            #[test]
            fn a_valuable_object_is_merged_into_details_and_flags() {
                let (leg, flags) = (
                    Leg { side: Side::Buy, quantity: 3 },
                    Flags { gdpr: true, data_subject: "u1" },
                );
                let record = record(|| {
                    tracing::info!(
                        target: "audit",
                        details = wrap(&leg),
                        regulatory_flags = wrap(&flags),
                        "hello"
                    );
                });
                assert_eq!(record["details"], json!({"side": "Buy", "quantity": 3}));
                assert_eq!(record["regulatory_flags"], json!({"gdpr": true, "data_subject": "u1"}));
            }

            #[test]
            fn a_valuable_text_or_number_sets_a_member_and_a_list_does_not() {
                let (user, session, list) = ("u-1", 7_u64, vec![1, 2]);
                let record = record(|| {
                    tracing::info!(
                        target: "audit",
                        user_id = wrap(&user),
                        session_id = wrap(&session),
                        tenant = wrap(&list),
                        duration_us = wrap(&session),
                        "hello"
                    );
                });
                assert_eq!(record["user_id"], "u-1");
                assert_eq!(record["session_id"], "7");
                assert_eq!(record["duration_us"], 7);
                assert!(record.get("tenant").is_none());
                assert_eq!(record["details"], json!({"tenant": [1, 2]}));
            }

            #[test]
            fn a_valuable_value_in_a_span_is_context_or_a_detail_of_the_spans_record() {
                let (user, list) = ("u-1", vec![1, 2]);
                let record = record(|| {
                    let _context = tracing::info_span!("request", user_id = wrap(&user)).entered();
                    let span = tracing::info_span!(
                        target: "audit",
                        "work",
                        list = wrap(&list),
                        late = tracing::field::Empty
                    );
                    span.record("late", wrap(&list));
                });
                assert_eq!(record["user_id"], "u-1");
                assert_eq!(record["details"], json!({"list": [1, 2], "late": [1, 2]}));
            }

            #[test]
            fn a_valuable_value_that_is_too_long_is_text_and_listed() {
                let list = vec!["w".repeat(100); 1000];
                let record = record(|| {
                    tracing::info!(target: "audit", list = wrap(&list), after = 1, "hello");
                });
                assert!(record["details"]["list"].is_string());
                assert_eq!(record["details"]["after"], 1);
                assert_eq!(record["truncated"], json!(["details.list"]));
            }
        })+
    };
}

both_ways! {
    through_val: audit_layer::val;
    #[cfg(tracing_unstable)]
    through_tracing: tracing::field::valuable;
}
