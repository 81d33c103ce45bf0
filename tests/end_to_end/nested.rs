//! `valuable` values become nested JSON on stable Rust, through `audit_layer::val`. The same under
//! `--cfg tracing_unstable` is held by the tests of the crate itself.

use std::collections::HashMap;

use audit_layer::val;
use serde_json::json;
use tests::Recorded;
use valuable::Valuable;

#[derive(Valuable, Debug)]
struct Order {
    symbol: &'static str,
    legs: Vec<Leg>,
    limits: HashMap<&'static str, u64>,
    note: Option<&'static str>,
}

#[derive(Valuable, Debug)]
struct Leg {
    side: Side,
    quantity: u32,
}

#[derive(Valuable, Debug)]
enum Side {
    Buy,
    Limit { price: &'static str },
}

fn order() -> Order {
    Order {
        symbol: "ACME",
        legs: vec![
            Leg { side: Side::Buy, quantity: 3 },
            Leg { side: Side::Limit { price: "1.10" }, quantity: 4 },
        ],
        limits: HashMap::from([("daily", u64::MAX)]),
        note: None,
    }
}

#[test]
fn a_valuable_value_is_nested_json() {
    let record = Recorded::one(|| {
        let order = order();
        tracing::info!(target: "audit", order = val(&order), some = Some(val(&order.symbol)), "hello");
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
            "some": "ACME",
        })
    );
}

#[test]
fn a_valuable_value_late_in_an_audit_span_is_nested_json_too() {
    let record = Recorded::one(|| {
        let span = tracing::info_span!(target: "audit", "work", leg = tracing::field::Empty);
        span.record("leg", val(&Leg { side: Side::Buy, quantity: 3 }));
    });
    assert_eq!(record["details"], json!({"leg": {"side": "Buy", "quantity": 3}}));
}

#[test]
fn a_valuable_value_in_a_member_that_is_text_is_kept_in_details() {
    let record = Recorded::one(|| {
        tracing::info!(target: "audit", user_id = val(&vec![1, 2]), "hello");
    });
    assert!(record.get("user_id").is_none());
    assert_eq!(record["details"], json!({"user_id": [1, 2]}));
}

#[test]
fn a_valuable_text_in_a_member_that_is_text_is_that_text() {
    let record = Recorded::one(|| {
        tracing::info!(target: "audit", user_id = val(&"u-1"), status = val(&"denied"), "hello");
    });
    assert_eq!(record["user_id"], "u-1", "{record}");
    assert_eq!(record["status"], "denied");
    assert!(record.get("details").is_none());
}

#[test]
fn a_valuable_value_inside_another_debug_is_text() {
    let record = Recorded::one(|| {
        let leg = Leg { side: Side::Buy, quantity: 3 };
        let value = val(&leg);
        tracing::info!(target: "audit", twice = ?[&value, &value], "hello");
    });
    assert!(record["details"]["twice"].is_string(), "{record}");
}

#[test]
fn a_value_deeper_than_the_bound_is_cut_there_and_still_json() {
    struct Deep(usize);
    impl Valuable for Deep {
        fn as_value(&self) -> valuable::Value<'_> {
            valuable::Value::Listable(self)
        }
        fn visit(&self, visit: &mut dyn valuable::Visit) {
            if self.0 > 0 {
                visit.visit_value(Deep(self.0 - 1).as_value());
            }
        }
    }
    impl valuable::Listable for Deep {
        fn size_hint(&self) -> (usize, Option<usize>) {
            (1, Some(1))
        }
    }
    let record =
        Recorded::one(|| tracing::info!(target: "audit", deep = val(&Deep(500)), after = 1));
    assert!(record["details"]["deep"].is_array(), "{record}");
    assert!(record["details"].to_string().contains("nested too deep"), "{record}");
    assert_eq!(record["details"]["after"], 1);
}
