//! Every member that an event may set, set by a plain `tracing` macro.

use audit_layer::record::{Member, SetBy};
use serde_json::json;
use tests::Recorded;

/// An event that sets every member that an event may set.
fn every_member() {
    let flags = r#"{"SOX":true,"data_subject":"u-1"}"#;
    tracing::info!(
        target: "audit",
        event_type = "auth.login",
        action = "login",
        status = "success",
        severity = "critical",
        user_id = "u-1",
        username = "john.doe",
        ip_address = "192.168.1.1",
        session_id = "s-1",
        request_id = "req-12345",
        correlation_id = "c-1",
        trace_id = "4bf92f3577b34da6a3ce929d0e0e4736",
        span_id = "00f067aa0ba902b7",
        tenant = "acme",
        resource = "account/7",
        duration_us = 1500,
        data_classification = "restricted",
        regulatory_flags = flags,
        details = r#"{"method":"password"}"#,
        attempt = 2,
        "User login successful"
    );
}

#[test]
fn every_member_that_an_event_may_set_is_set_by_a_plain_macro() {
    let record = Recorded::one(every_member);
    for (member, expected) in [
        ("message", json!("User login successful")),
        ("event_type", json!("auth.login")),
        ("action", json!("login")),
        ("status", json!("success")),
        ("severity", json!("critical")),
        ("user_id", json!("u-1")),
        ("username", json!("john.doe")),
        ("ip_address", json!("192.168.1.1")),
        ("session_id", json!("s-1")),
        ("request_id", json!("req-12345")),
        ("correlation_id", json!("c-1")),
        ("trace_id", json!("4bf92f3577b34da6a3ce929d0e0e4736")),
        ("span_id", json!("00f067aa0ba902b7")),
        ("tenant", json!("acme")),
        ("resource", json!("account/7")),
        ("duration_us", json!(1500)),
        ("data_classification", json!("restricted")),
        ("regulatory_flags", json!({"SOX": true, "data_subject": "u-1"})),
        ("details", json!({"method": "password", "attempt": 2})),
    ] {
        assert_eq!(record[member], expected, "{member}");
    }
}

#[test]
fn no_member_that_an_event_may_set_is_missing_above() {
    let record = Recorded::one(every_member);
    for member in Member::ALL {
        if member.set_by() != SetBy::Layer {
            assert!(record.get(member.name()).is_some(), "{} is not shown", member.name());
        }
    }
}

#[test]
fn the_layer_sets_its_own_members_on_every_record() {
    let before = chrono_now();
    let record = Recorded::one(|| tracing::warn!(target: "audit::ledger", "hello"));
    assert_eq!(record["v"], 1);
    assert_eq!(record["level"], "WARN");
    assert_eq!(record["logger"], "audit::ledger");
    assert_eq!(record["event_type"], "audit.event");
    assert_eq!(record["category"], "audit");
    assert_eq!(record["severity"], "warning");
    let source = record["source"].as_str().unwrap();
    assert!(
        source.contains("members.rs:") && source.rsplit(':').next().unwrap().parse::<u32>().is_ok(),
        "{source} is a file and a line"
    );
    let id: uuid::Uuid = record["id"].as_str().unwrap().parse().unwrap();
    assert_eq!(id.get_version_num(), 7);
    let stream = record["stream"].as_str().unwrap();
    assert!(stream.parse::<audit_layer::record::StreamName>().is_ok(), "{stream}");
    assert!(stream.starts_with("tests@"), "{stream}");

    let timestamp = record["timestamp"].as_str().unwrap();
    assert_eq!(timestamp.len(), "2026-11-21T19:31:14.261845Z".len(), "{timestamp}");
    assert!((before.as_str()..=chrono_now().as_str()).contains(&timestamp), "{timestamp}");
}

fn chrono_now() -> String {
    let micros = std::time::UNIX_EPOCH.elapsed().unwrap().as_micros();
    audit_layer::record::format_timestamp(micros.try_into().unwrap())
}

#[test]
fn members_that_nobody_set_are_absent() {
    let record = Recorded::one(|| tracing::info!(target: "audit", "hello"));
    let mut names: Vec<_> = record.as_object().unwrap().keys().map(String::as_str).collect();
    names.sort_unstable();
    assert_eq!(
        names,
        [
            "category",
            "event_type",
            "hash",
            "id",
            "level",
            "logger",
            "message",
            "prev_hash",
            "seq",
            "severity",
            "source",
            "stream",
            "timestamp",
            "v"
        ]
    );
}

#[test]
fn a_member_set_to_nothing_is_absent_but_a_detail_stays() {
    let record = Recorded::one(|| {
        tracing::info!(
            target: "audit",
            user_id = "",
            action = %"",
            status = "",
            event_type = "",
            severity = "",
            data_classification = "",
            regulatory_flags = "",
            note = "",
            nothing = %"",
            "{}", ""
        );
    });
    for member in
        ["user_id", "action", "status", "message", "data_classification", "regulatory_flags"]
    {
        assert!(record.get(member).is_none(), "{member}: {record}");
    }
    assert_eq!(record["event_type"], "audit.event");
    assert_eq!(record["severity"], "info");
    assert_eq!(record["details"], json!({"note": "", "nothing": ""}));
}

#[test]
fn the_severity_follows_the_level_unless_the_event_sets_it() {
    use tests::Trail;
    let recorded = Trail::in_file().with(|b| b.level(tracing::Level::TRACE)).record(|| {
        tracing::trace!(target: "audit", "t");
        tracing::debug!(target: "audit", "d");
        tracing::info!(target: "audit", "i");
        tracing::warn!(target: "audit", "w");
        tracing::error!(target: "audit", "e");
        tracing::trace!(target: "audit", severity = "critical", "c");
    });
    let severities: Vec<_> = recorded
        .events()
        .iter()
        .map(|r| (r["level"].as_str().unwrap(), r["severity"].as_str().unwrap()))
        .collect();
    assert_eq!(
        severities,
        [
            ("TRACE", "debug"),
            ("DEBUG", "debug"),
            ("INFO", "info"),
            ("WARN", "warning"),
            ("ERROR", "error"),
            ("TRACE", "critical"),
        ]
    );
}

#[test]
fn a_status_may_be_any_word() {
    for status in ["success", "failure", "denied", "error", "pending", "half-done"] {
        let record = Recorded::one(|| tracing::info!(target: "audit", status));
        assert_eq!(record["status"], status);
    }
}

#[test]
fn a_value_that_does_not_fit_its_member_is_kept_in_details() {
    let record = Recorded::one(|| {
        tracing::warn!(
            target: "audit",
            event_type = "Not A Type",
            severity = "high",
            data_classification = "top secret",
            duration_us = "soon",
            "hello"
        );
    });
    assert_eq!(record["event_type"], "audit.event");
    assert_eq!(record["category"], "audit");
    assert_eq!(record["severity"], "warning");
    assert!(record.get("data_classification").is_none());
    assert!(record.get("duration_us").is_none());
    assert_eq!(
        record["details"],
        json!({
            "event_type": "Not A Type",
            "severity": "high",
            "data_classification": "top secret",
            "duration_us": "soon",
        })
    );
}

#[test]
fn a_duration_is_whole_microseconds_or_a_detail() {
    let duration = |emit: fn()| {
        let record = Recorded::one(emit);
        (record.get("duration_us").cloned(), record["details"].get("duration_us").cloned())
    };
    let fits = |value: u64| (Some(json!(value)), None);
    assert_eq!(duration(|| tracing::info!(target: "audit", duration_us = 0)), fits(0));
    assert_eq!(duration(|| tracing::info!(target: "audit", duration_us = 7_u128)), fits(7));
    assert_eq!(duration(|| tracing::info!(target: "audit", duration_us = %7)), fits(7));
    assert_eq!(
        duration(|| tracing::info!(target: "audit", duration_us = 1_u64 << 53)),
        fits(1 << 53)
    );
    let detail = |value: serde_json::Value| (None, Some(value));
    assert_eq!(duration(|| tracing::info!(target: "audit", duration_us = -1)), detail(json!(-1)));
    assert_eq!(duration(|| tracing::info!(target: "audit", duration_us = 1.5)), detail(json!(1.5)));
    assert_eq!(
        duration(|| tracing::info!(target: "audit", duration_us = true)),
        detail(json!(true))
    );
    assert_eq!(
        duration(|| tracing::info!(target: "audit", duration_us = u64::MAX)),
        detail(json!("18446744073709551615"))
    );
}

#[test]
fn a_plain_name_of_an_older_system_becomes_its_event_type_and_is_kept() {
    for (plain, standard) in audit_layer::event_type::PLAIN_NAMES {
        // Some of them are the layer's own types, which `only` would leave out.
        let recorded = Recorded::from(|| {
            tracing::info!(target: "audit", event_type = plain, "from an older system");
        });
        let record = recorded.saying("from an older system");
        assert_eq!(record["event_type"], standard.as_str());
        assert_eq!(record["category"], standard.category());
        assert_eq!(record["details"], json!({"event_type": plain}));
    }
}

#[test]
fn any_dotted_lower_case_name_is_an_event_type() {
    let record = Recorded::one(|| {
        tracing::info!(target: "audit", event_type = "billing.invoice_sent.v2");
    });
    assert_eq!(record["event_type"], "billing.invoice_sent.v2");
    assert_eq!(record["category"], "billing");
    assert!(record.get("details").is_none());
}

#[test]
fn regulatory_flags_come_as_json_text_as_fields_or_as_a_valuable_value() {
    #[derive(valuable::Valuable)]
    struct Flags {
        gdpr: bool,
        data_subject: &'static str,
    }
    let flags = |emit: fn()| Recorded::one(emit)["regulatory_flags"].clone();
    assert_eq!(
        flags(|| tracing::info!(target: "audit", regulatory_flags = r#"{"SOX":true,"n":[1]}"#)),
        json!({"SOX": true, "n": [1]})
    );
    assert_eq!(
        flags(|| {
            tracing::info!(
                target: "audit",
                status = "success",
                regulatory_flags.SOX = true,
                regulatory_flags.data_subject = "u1",
                regulatory_flags.retention_days = 30,
            );
        }),
        json!({"SOX": true, "data_subject": "u1", "retention_days": 30})
    );
    assert_eq!(
        flags(|| {
            let flags = Flags { gdpr: true, data_subject: "u1" };
            tracing::info!(target: "audit", regulatory_flags = audit_layer::val(&flags));
        }),
        json!({"gdpr": true, "data_subject": "u1"})
    );
    assert_eq!(
        flags(|| {
            tracing::info!(
                target: "audit",
                regulatory_flags = r#"{"SOX":true}"#,
                regulatory_flags.PCI = true,
            );
        }),
        json!({"SOX": true, "PCI": true}),
        "the forms add up"
    );
}

#[test]
fn regulatory_flags_that_are_no_object_are_kept_in_details() {
    for (emit, kept) in [
        ((|| tracing::info!(target: "audit", regulatory_flags = "SOX")) as fn(), json!("SOX")),
        (|| tracing::info!(target: "audit", regulatory_flags = true), json!(true)),
        (|| tracing::info!(target: "audit", regulatory_flags = "[1]"), json!("[1]")),
    ] {
        let record = Recorded::one(emit);
        assert!(record.get("regulatory_flags").is_none(), "{record}");
        assert_eq!(record["details"], json!({"regulatory_flags": kept}));
    }
}
