//! The golden vectors of record version 1: they never change. A change of the format is a version
//! of its own, with vectors of its own.
//!
//! The file was not printed by the code under test: each line was worked out by another
//! implementation, with nothing but the format's description.

use std::{path::PathBuf, process::Command};

use audit_layer::record::{
    Draft, Hash, Line, Member, Severity, Value, canonicalise, parse_timestamp,
};
use serde_json::json;
use tests::{Process, Recorded};

const STREAM: &str = "payments@web-1~k3x9q2";

fn fixture(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("fixtures").join(name)
}

/// The records that come one after another in the fixture.
#[derive(Default)]
struct Chain(Vec<Line>);

impl Chain {
    fn push<'a>(&mut self, event_type: &'a str, level: &'a str, fill: impl FnOnce(&mut Draft<'a>)) {
        let seq = self.0.len() as u64 + 1;
        let previous = self.0.last().map_or(Hash::ZERO, |line| line.hash);
        let mut draft = Draft::new(STREAM, seq, previous, event_type, level);
        draft.id = format!("01932f5e-7a1b-7000-8000-{seq:012}").parse().unwrap();
        draft.timestamp =
            parse_timestamp("2026-11-21T19:31:14.261844Z").unwrap() + i64::try_from(seq).unwrap();
        fill(&mut draft);
        self.0.push(draft.seal());
    }
}

fn json_value(value: &serde_json::Value) -> Value<'static> {
    let mut canonical = Vec::new();
    canonicalise(&value.to_string(), &mut canonical).unwrap();
    Value::Json(canonical.into())
}

fn drafts() -> Vec<Line> {
    let mut chain = Chain::default();
    chain.push("system.startup", "INFO", |d| {
        d.set_text(Member::Status, "success");
        d.set_text(Member::Message, "recording begins");
        d.set_text(Member::DataClassification, "internal");
        d.details = vec![
            ("version".into(), Value::Str("0.1.0")),
            ("sinks".into(), json_value(&json!(["file", "sqlite"]))),
            ("pid".into(), Value::U64(4242)),
        ];
    });
    chain.push("auth.login", "INFO", |d| {
        for (member, text) in [
            (Member::Action, "login"),
            (Member::Status, "success"),
            (Member::UserId, "123e4567-e89b-12d3-a456-426614174000"),
            (Member::Username, "john.doe"),
            (Member::IpAddress, "192.168.1.1"),
            (Member::SessionId, "s-9"),
            (Member::RequestId, "req-12345"),
            (Member::CorrelationId, "c-1"),
            (Member::TraceId, "4bf92f3577b34da6a3ce929d0e0e4736"),
            (Member::SpanId, "00f067aa0ba902b7"),
            (Member::Tenant, "acme"),
            (Member::Message, "User login successful"),
        ] {
            d.set_text(member, text);
        }
        d.source = Some("src/login.rs:42");
        d.details = vec![("method".into(), Value::Str("password"))];
    });
    chain.push("financial.transfer", "INFO", |d| {
        d.severity = Severity::Critical;
        d.set_text(Member::Resource, "account/7");
        d.set_text(Member::DataClassification, "restricted");
        d.duration_us = Some(1500);
        d.regulatory_flags = vec![
            ("data_subject".into(), Value::Str("u1")),
            ("SOX".into(), Value::Bool(true)),
            ("retention_days".into(), Value::I64(2555)),
            ("PCI".into(), Value::Bool(false)),
        ];
        d.details =
            vec![("currency".into(), Value::Str("EUR")), ("amount".into(), Value::Str("12.50"))];
    });
    chain.push("data.read", "DEBUG", |d| {
        d.set_text(
            Member::Message,
            "quote \" backslash \\ slash / tab \t feed \n return \r back \u{8} form \u{c}",
        );
        d.details = vec![
            ("separators".into(), Value::Str("\u{2028}\u{2029}")),
            ("controls".into(), Value::Str("\0\u{1}\u{1f}\u{7f}")),
        ];
    });
    chain.push("data.update", "INFO", |d| {
        d.set_text(Member::Message, "é ß 漢字 😀");
        d.details = [("\u{fb33}", 1), ("\u{1f600}", 2), ("é", 3), ("Z", 4), ("a", 5), ("", 6)]
            .map(|(name, n)| (name.into(), Value::I64(n)))
            .to_vec();
    });
    chain.push("api.response", "INFO", |d| {
        d.details = vec![
            ("max".into(), Value::U64(1 << 53)),
            ("over".into(), Value::U64((1 << 53) + 1)),
            ("min".into(), Value::I64(-(1 << 53))),
            ("under".into(), Value::I64(-(1 << 53) - 1)),
            ("u64".into(), Value::U64(u64::MAX)),
            ("i64".into(), Value::I64(i64::MIN)),
            ("u128".into(), Value::U128(u128::MAX)),
            ("i128".into(), Value::I128(i128::MIN)),
            ("zero".into(), Value::U128(0)),
        ];
    });
    chain.push("api.request", "INFO", |d| {
        d.details = [
            ("half", 0.5),
            ("whole", 2.0),
            ("negative_zero", -0.0),
            ("large", 1e300),
            ("small", f64::from_bits(1)),
            ("micro", 1e-6),
            ("nano", 1e-9),
            ("e21", 1e21),
            ("e20", 1e20),
            ("nan", f64::NAN),
            ("inf", f64::INFINITY),
            ("neg", f64::NEG_INFINITY),
        ]
        .map(|(name, n)| (name.into(), Value::F64(n)))
        .to_vec();
    });
    chain.push("agent.decision", "INFO", |d| {
        d.details = vec![
            ("null".into(), Value::Null),
            ("yes".into(), Value::Bool(true)),
            ("no".into(), Value::Bool(false)),
            ("empty".into(), Value::Str("")),
            ("bytes".into(), Value::Bytes(&[0, 1, 254, 255])),
            ("nested".into(), json_value(&json!({"z": {}, "a": [1, {"b": null}]}))),
            ("list".into(), json_value(&json!([]))),
        ];
    });
    chain.push("audit.event", "WARN", |d| {
        d.set_text(Member::UserId, "first");
        d.set_text(Member::UserId, "last");
        d.duplicates.push("user_id".into());
        d.details = vec![
            ("n".into(), Value::I64(1)),
            ("http.method".into(), Value::Str("GET")),
            ("n".into(), Value::I64(2)),
            ("seq".into(), Value::I64(999)),
        ];
    });
    let (message, stack) = ("x".repeat(40), "y".repeat(40));
    chain.push("error.exception", "ERROR", |d| {
        d.truncated = vec!["message".into(), "details.stack".into()];
        d.set_text(Member::Message, &message);
        d.details = vec![("stack".into(), Value::Str(&stack))];
    });
    chain.push("data.access", "INFO", |d| {
        d.timestamp = parse_timestamp("1999-12-31T23:59:59.999999Z").unwrap();
        d.observed_at = parse_timestamp("2026-11-21T19:31:15Z");
    });
    chain.push("billing.invoice_sent.v2", "TRACE", |d| {
        d.logger = "audit::billing";
        d.set_text(Member::Status, "pending");
        d.set_text(Member::Username, "");
    });
    chain.0
}

#[test]
fn the_golden_vectors_of_version_1_come_out_byte_for_byte() {
    let golden = std::fs::read_to_string(fixture("record-v1.jsonl")).unwrap();
    let lines = drafts();
    assert_eq!(lines.len(), golden.lines().count());
    for (line, golden) in lines.iter().zip(golden.lines()) {
        assert_eq!(*line.text, *golden);
    }
    for member in Member::ALL {
        assert!(
            golden.contains(&format!("\"{}\":", member.name())),
            "{} is missing",
            member.name()
        );
    }
}

#[test]
fn the_golden_vectors_are_read_back_with_every_member() {
    let golden = std::fs::read_to_string(fixture("record-v1.jsonl")).unwrap();
    for line in golden.lines() {
        let record = audit_layer::record::Record::parse(line).unwrap();
        let value: serde_json::Value = serde_json::from_str(line).unwrap();
        assert_eq!(record.seq, value["seq"]);
        assert_eq!(record.user_id.as_deref(), value["user_id"].as_str());
        assert_eq!(record.observed_at.as_deref(), value["observed_at"].as_str());
        assert_eq!(record.duration_us, value["duration_us"].as_u64());
        assert_eq!(
            record.details.map(|raw| raw.get().is_empty()),
            value.get("details").map(|_| false)
        );
    }
}

/// Checks files with Python's standard library; the number of records.
fn check_with_python(files: &[PathBuf]) -> Result<u64, String> {
    let python = Command::new("python3").arg("--version").output();
    assert!(python.is_ok(), "this test needs python3 (apt-get install python3)");
    let process = Process::run(Command::new("python3").arg(fixture("check_record.py")).args(files));
    if process.status.success() {
        Ok(process.stdout.trim().parse().unwrap())
    } else {
        Err(process.stderr)
    }
}

#[test]
fn another_language_confirms_the_hashes_and_links() {
    assert_eq!(check_with_python(&[fixture("record-v1.jsonl")]), Ok(12));

    let directory = tempfile::tempdir().unwrap();
    let written = directory.path().join("written.jsonl");
    let recorded = Recorded::from(|| {
        for n in 0..50 {
            tracing::info!(target: "audit", n, user_id = "é\n\"", float = 0.1, "hello 😀");
        }
    });
    std::fs::write(&written, recorded.lines.join("\n") + "\n").unwrap();
    assert_eq!(check_with_python(&[written]), Ok(52), "with startup and shutdown");
}

#[test]
fn another_language_finds_a_changed_a_missing_and_a_moved_record() {
    let golden = std::fs::read_to_string(fixture("record-v1.jsonl")).unwrap();
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("damaged.jsonl");
    let check = |text: String| {
        std::fs::write(&file, text).unwrap();
        check_with_python(std::slice::from_ref(&file)).unwrap_err()
    };
    assert!(check(golden.replacen("john.doe", "jane.doe", 1)).contains("line 2: the hash"));
    let mut lines: Vec<_> = golden.lines().collect();
    lines.swap(3, 4);
    assert!(check(lines.join("\n") + "\n").contains("line 4"));
    lines.swap(3, 4);
    lines.remove(5);
    assert!(check(lines.join("\n") + "\n").contains("line 6: the link"));
}
