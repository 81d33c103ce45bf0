//! What the layer alone may say of a record, no event can say.

use serde_json::json;
use tests::Recorded;

#[test]
fn an_event_cannot_forge_a_member_of_the_layers_own() {
    let record = Recorded::one(|| {
        tracing::info!(
            target: "audit",
            v = 9,
            id = "00000000-0000-7000-8000-000000000000",
            stream = "forged@host~aaaaaa",
            seq = 999,
            timestamp = "1999-01-01T00:00:00.000000Z",
            level = "ERROR",
            logger = "elsewhere",
            category = "financial",
            source = "nowhere.rs:1",
            prev_hash = "ff",
            hash = "ff",
            observed_at = "1999-01-01T00:00:00.000000Z",
            truncated = "no",
            "hello"
        );
    });
    assert_eq!(
        record["details"],
        json!({
            "v": 9,
            "id": "00000000-0000-7000-8000-000000000000",
            "stream": "forged@host~aaaaaa",
            "seq": 999,
            "timestamp": "1999-01-01T00:00:00.000000Z",
            "level": "ERROR",
            "logger": "elsewhere",
            "category": "financial",
            "source": "nowhere.rs:1",
            "prev_hash": "ff",
            "hash": "ff",
            "observed_at": "1999-01-01T00:00:00.000000Z",
            "truncated": "no",
        })
    );
    // `Recorded` checked seq, prev_hash and hash against the chain already.
    assert_eq!(record["v"], 1);
    assert_ne!(record["id"], record["details"]["id"]);
    assert!(record["stream"].as_str().unwrap().starts_with("tests@"));
    assert!(record["timestamp"].as_str().unwrap() > "2020");
    assert_eq!(record["level"], "INFO");
    assert_eq!(record["logger"], "audit");
    assert_eq!(record["category"], "audit");
    assert!(record["source"].as_str().unwrap().contains("own_members.rs"));
    assert!(record.get("observed_at").is_none());
    assert!(record.get("truncated").is_none());
}

#[test]
fn a_details_object_cannot_forge_a_member_either() {
    let record = Recorded::one(|| {
        tracing::info!(
            target: "audit",
            details = r#"{"seq":1,"hash":"ff","user_id":"mallory"}"#,
            user_id = "u-1",
        );
    });
    assert_eq!(record["user_id"], "u-1");
    assert_eq!(record["details"], json!({"seq": 1, "hash": "ff", "user_id": "mallory"}));
}

#[test]
fn an_audit_span_cannot_forge_them_and_a_context_span_does_not_give_them() {
    let recorded = Recorded::from(|| {
        let _context =
            tracing::info_span!("request", user_id = "u-1", seq = 5, event_type = "auth.login")
                .entered();
        let _audit = tracing::info_span!(target: "audit", "work", seq = 7, hash = "ff").entered();
        tracing::info!(target: "audit", "inside");
    });
    let inside = recorded.saying("inside");
    assert_eq!(inside["event_type"], "audit.event");
    assert!(inside.get("details").is_none(), "{inside}");
    assert_eq!(recorded.saying("work")["details"], json!({"seq": 7, "hash": "ff"}));
}

#[test]
fn a_line_feed_or_quote_in_a_value_makes_no_second_record() {
    let text = "x\",\"seq\":7}\n{\"v\":1}\r\n\u{0}\u{1f}\u{2028}";
    let recorded = Recorded::from(|| {
        tracing::info!(target: "audit", user_id = text, note = text, "{text}");
    });
    assert_eq!(recorded.lines.len(), 3, "startup, event, shutdown");
    let record = recorded.only();
    assert_eq!(record["user_id"], text);
    assert_eq!(record["message"], text);
    assert_eq!(record["details"]["note"], text);
}
