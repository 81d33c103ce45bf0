//! Nothing is cut in silence.

use audit_layer::record::{MAX_RECORD_BYTES, MAX_VALUE_BYTES};
use serde_json::json;
use tests::Recorded;

/// The text that a record gives a value which is `text`.
fn kept(text: &str) -> &str {
    &text[..MAX_VALUE_BYTES]
}

#[test]
fn a_value_of_16_kib_is_whole_and_one_byte_more_is_cut_and_listed() {
    let whole = "x".repeat(16 * 1024);
    let record =
        Recorded::one(|| tracing::info!(target: "audit", user_id = %whole, note = &*whole));
    assert_eq!(record["user_id"], *whole);
    assert_eq!(record["details"]["note"], *whole);
    assert!(record.get("truncated").is_none(), "{}", record["truncated"]);

    let over = format!("{whole}y");
    let record = Recorded::one(|| {
        tracing::info!(target: "audit", user_id = %over, note = &*over, regulatory_flags.why = &*over);
    });
    assert_eq!(record["user_id"], whole);
    assert_eq!(record["details"]["note"], whole);
    assert_eq!(record["regulatory_flags"]["why"], whole);
    assert_eq!(record["truncated"], json!(["user_id", "details.note", "regulatory_flags.why"]));
}

#[test]
fn a_value_is_cut_between_characters() {
    let text = format!("x{}", "é".repeat(MAX_VALUE_BYTES));
    let record = Recorded::one(|| tracing::info!(target: "audit", note = &*text));
    let note = record["details"]["note"].as_str().unwrap();
    assert_eq!(note, &text[..MAX_VALUE_BYTES - 1]);
    assert_eq!(record["truncated"], json!(["details.note"]));
}

#[test]
fn bytes_and_debug_values_are_cut_too() {
    let bytes = vec![7_u8; MAX_VALUE_BYTES + 1];
    let text = "y".repeat(MAX_VALUE_BYTES);
    let record = Recorded::one(|| {
        tracing::info!(target: "audit", bytes = &*bytes, debug = ?text);
    });
    assert_eq!(record["truncated"], json!(["details.bytes", "details.debug"]));
    assert_eq!(record["details"]["debug"], format!("\"{}", &text[1..]));
}

#[test]
fn a_cut_path_names_the_place_where_the_cut_value_stands() {
    let long = "z".repeat(MAX_VALUE_BYTES + 1);
    let record = Recorded::one(|| {
        tracing::info!(target: "audit", severity = %long, event_type = %long);
    });
    assert_eq!(record["details"]["severity"], kept(&long));
    assert_eq!(record["details"]["event_type"], kept(&long));
    assert_eq!(record["truncated"], json!(["details.severity", "details.event_type"]));

    let object = format!("{{\"a\":\"{long}\"}}");
    let record = Recorded::one(|| {
        tracing::info!(target: "audit", details = %object, regulatory_flags = %object);
    });
    assert_eq!(record["details"]["details"], kept(&object), "an object that was cut is text");
    assert_eq!(record["details"]["regulatory_flags"], kept(&object));
    assert_eq!(record["truncated"], json!(["details.details", "details.regulatory_flags"]));
}

#[test]
fn a_valuable_value_that_was_cut_is_text_and_listed() {
    let list = vec!["w".repeat(100); 1000];
    let record = Recorded::one(|| {
        tracing::info!(target: "audit", list = audit_layer::val(&list), after = 1);
    });
    let text = record["details"]["list"].as_str().unwrap();
    assert_eq!(text.len(), MAX_VALUE_BYTES);
    assert!(text.starts_with("[\"ww"), "{text:.20}");
    assert_eq!(record["truncated"], json!(["details.list"]));
    assert_eq!(record["details"]["after"], 1);
}

/// The bytes of all values that a record took from an event.
fn size(record: &serde_json::Value) -> usize {
    match record {
        serde_json::Value::String(text) => text.len(),
        serde_json::Value::Object(members) => members.values().map(size).sum(),
        serde_json::Value::Array(items) => items.iter().map(size).sum(),
        _ => 8,
    }
}

#[test]
fn a_record_takes_64_kib_and_lists_what_did_not_fit() {
    let text = "x".repeat(16_000);
    let record = Recorded::one(|| {
        tracing::info!(
            target: "audit",
            a = &*text, b = &*text, c = &*text, d = &*text, e = &*text, f = &*text,
            "hello"
        );
    });
    let details = &record["details"];
    for whole in ["a", "b", "c", "d"] {
        assert_eq!(details[whole], *text, "{whole}");
    }
    let partly = details["e"].as_str().unwrap();
    assert!(!partly.is_empty() && partly.len() < text.len());
    assert_eq!(details["f"], "");
    assert_eq!(record["truncated"], json!(["details.e", "details.f"]));
    assert_eq!(record["message"], "hello");
    assert!(size(details) <= MAX_RECORD_BYTES);
}

#[test]
fn large_details_do_not_push_out_who_acted() {
    // Otherwise whoever controls four large values acts without a name.
    let text = "x".repeat(MAX_VALUE_BYTES);
    let record = Recorded::one(|| {
        let _span =
            tracing::info_span!("request", user_id = "u-1", ip_address = "10.0.0.1").entered();
        tracing::info!(
            target: "audit",
            a = &*text, b = &*text, c = &*text, d = &*text, e = &*text,
            status = "denied",
        );
    });
    assert_eq!(record["user_id"], "u-1");
    assert_eq!(record["ip_address"], "10.0.0.1");
    assert_eq!(record["status"], "denied");
    assert!(size(&record["details"]) <= MAX_RECORD_BYTES);
}

#[test]
fn a_cut_value_from_a_span_is_listed_in_the_events_record() {
    let long = "u".repeat(MAX_VALUE_BYTES + 1);
    let record = Recorded::one(|| {
        let _span = tracing::info_span!("request", user_id = &*long).entered();
        tracing::info!(target: "audit", "hello");
    });
    assert_eq!(record["user_id"], kept(&long));
    assert_eq!(record["truncated"], json!(["user_id"]));
}

#[test]
fn an_audit_span_keeps_the_bound_whatever_is_recorded_later() {
    use tracing::field::Empty;
    let text = "x".repeat(16_000);
    let record = Recorded::one(|| {
        let span = tracing::info_span!(
            target: "audit", "work",
            a = &*text, b = &*text, c = &*text, d = &*text,
            e = Empty, f = Empty, g = Empty, h = Empty, bytes = Empty,
        );
        for name in ["e", "f", "g", "h"] {
            span.record(name, &*text);
        }
        span.record("bytes", text.as_bytes());
    });
    let total = size(&record["details"]);
    assert!(total <= MAX_RECORD_BYTES, "{total}");
    for cut in ["details.e", "details.f", "details.g", "details.h", "details.bytes"] {
        let listed = record["truncated"].as_array().unwrap();
        assert!(listed.contains(&json!(cut)), "{cut}: {listed:?}");
    }
    assert_eq!(record["message"], "work");
    assert_eq!(record["status"], "success");
    assert!(record["duration_us"].is_u64());
}
