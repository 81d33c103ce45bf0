//! Where fields go that are no member of their own.

use serde_json::json;
use tests::Recorded;

fn details(emit: impl FnOnce()) -> serde_json::Value {
    Recorded::one(emit)["details"].clone()
}

#[test]
fn an_unknown_field_lands_in_details_under_its_own_name() {
    assert_eq!(
        details(|| {
            tracing::info!(target: "audit", method = "password", "http status" = 200, r#type = "x");
        }),
        json!({"method": "password", "http status": 200, "type": "x"})
    );
}

#[test]
fn a_dotted_name_stays_flat_but_loses_a_details_prefix() {
    assert_eq!(
        details(|| {
            tracing::info!(
                target: "audit",
                first = 0,
                http.method = "GET",
                details.path = "/x",
                details.http.status = 200,
                details.user_id = "inner",
                detailsx = 1,
            );
        }),
        json!({
            "first": 0,
            "http.method": "GET",
            "path": "/x",
            "http.status": 200,
            "user_id": "inner",
            "detailsx": 1,
        })
    );
}

#[test]
fn a_details_object_is_merged_from_text_and_from_a_valuable_value() {
    #[derive(valuable::Valuable)]
    struct Order {
        symbol: &'static str,
        quantity: u32,
    }
    let merged = json!({"symbol": "ACME", "quantity": 3, "side": "buy"});
    assert_eq!(
        details(|| {
            tracing::info!(
                target: "audit",
                details = r#"{"symbol":"ACME","quantity":3}"#,
                side = "buy"
            );
        }),
        merged
    );
    assert_eq!(
        details(|| {
            let order = Order { symbol: "ACME", quantity: 3 };
            tracing::info!(target: "audit", details = audit_layer::val(&order), side = "buy");
        }),
        merged
    );
    assert_eq!(
        details(|| {
            let text = String::from(" {\"symbol\": \"ACME\", \"quantity\": 3e0} ");
            tracing::info!(target: "audit", details = %text, side = "buy");
        }),
        merged,
        "spaces and %"
    );
}

#[test]
fn a_details_field_that_is_no_object_is_a_detail_of_that_name() {
    for (emit, kept) in [
        ((|| tracing::info!(target: "audit", details = "free text")) as fn(), json!("free text")),
        (|| tracing::info!(target: "audit", details = "[1,2]"), json!("[1,2]")),
        (|| tracing::info!(target: "audit", details = "{\"a\":"), json!("{\"a\":")),
        (|| tracing::info!(target: "audit", details = 5), json!(5)),
    ] {
        assert_eq!(details(emit), json!({"details": kept}));
    }
}

#[test]
fn of_two_equal_names_the_last_wins_and_the_name_is_listed() {
    assert_eq!(
        details(|| tracing::info!(target: "audit", n = 1, n = "two", n = 3)),
        json!({"n": 3, "duplicates": ["n"]})
    );
    assert_eq!(
        details(|| tracing::info!(target: "audit", { details.n = 1, n = 2 }, "hello")),
        json!({"n": 2, "duplicates": ["n"]}),
        "a prefix that is dropped"
    );
    assert_eq!(
        details(|| tracing::info!(target: "audit", n = 1, details = r#"{"n":2,"m":1,"m":2}"#)),
        json!({"n": 2, "m": 2, "duplicates": ["m", "n"]}),
        "a merged object"
    );
}

#[test]
fn of_two_equal_members_the_last_wins_and_the_name_is_listed() {
    let record = Recorded::one(|| {
        tracing::info!(target: "audit", user_id = "first", user_id = "last", status = "a", status = "b");
    });
    assert_eq!(record["user_id"], "last");
    assert_eq!(record["status"], "b");
    assert_eq!(record["details"], json!({"duplicates": ["status", "user_id"]}));

    let record = Recorded::one(|| {
        tracing::info!(
            target: "audit",
            status = "success",
            regulatory_flags.SOX = true,
            regulatory_flags.SOX = false,
            regulatory_flags = r#"{"PCI":1}"#,
            regulatory_flags.PCI = 2,
        );
    });
    assert_eq!(record["regulatory_flags"], json!({"SOX": false, "PCI": 2}));
    assert_eq!(
        record["details"],
        json!({"duplicates": ["regulatory_flags.PCI", "regulatory_flags.SOX"]})
    );
}

#[test]
fn a_detail_called_duplicates_is_not_lost_in_silence() {
    assert_eq!(
        details(|| tracing::info!(target: "audit", duplicates = 2)),
        json!({"duplicates": 2})
    );
    assert_eq!(
        details(|| tracing::info!(target: "audit", duplicates = 2, n = 1, n = 2)),
        json!({"n": 2, "duplicates": ["duplicates", "n"]})
    );
}

#[test]
fn null_stays_in_details() {
    assert_eq!(
        details(|| tracing::info!(target: "audit", details = r#"{"a":null,"b":""}"#)),
        json!({"a": null, "b": ""})
    );
    assert_eq!(
        details(|| {
            let nothing: Option<u32> = None;
            tracing::info!(target: "audit", a = audit_layer::val(&nothing));
        }),
        json!({"a": null})
    );
}
