//! Trails built with the record module alone, without the layer and without the sinks.

#![allow(
    dead_code,
    reason = "shared by the tests and a benchmark, neither of which uses all of it"
)]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "for tests")]

use std::{fs, path::Path};

use audit_layer::record::{Draft, Hash, Line, Member, Value, parse_timestamp};
use rusqlite::{Connection, params};
use serde_json::Value as Json;
use uuid::Uuid;

pub(crate) const STREAM: &str = "payments@web-1~k3x9q2";
pub(crate) const OTHER: &str = "orders@web-2~a1b2c3";

/// The records `first..first + count` of a stream, of all the kinds that a database keeps apart.
pub(crate) fn chain_from(stream: &str, first: u64, mut prev: Hash, count: u64) -> Vec<Line> {
    (first..first + count)
        .map(|seq| {
            let line = record(stream, seq, prev, "");
            prev = line.hash;
            line
        })
        .collect()
}

pub(crate) fn chain(stream: &str, count: u64) -> Vec<Line> {
    chain_from(stream, 1, Hash::ZERO, count)
}

/// One record, some 600 bytes long. `mark` tells a forged one from the original.
pub(crate) fn record(stream: &str, seq: u64, prev: Hash, mark: &str) -> Line {
    let message = format!("Something worth a record happened in the payment service {mark}");
    let user = format!("123e4567-e89b-12d3-a456-{seq:012}");
    let kind =
        ["auth.login", "financial.transaction", "data.access", "api.request"][seq as usize % 4];
    let mut draft = Draft::new(stream, seq, prev, kind, "INFO");
    draft.id = Uuid::from_u128((0x0193_0000_0000_7000_8000 << 48) + u128::from(seq));
    draft.timestamp = 1_795_289_474_261_845 + seq as i64 * 1_000;
    draft.set_text(Member::Message, &message);
    draft.set_text(Member::UserId, &user);
    draft.set_text(Member::RequestId, "req-12345");
    draft.set_text(Member::IpAddress, "192.168.1.1");
    draft.set_text(Member::Status, if seq % 8 == 2 { "denied" } else { "success" });
    match kind {
        "auth.login" => {
            draft.set_text(
                Member::Username,
                if seq % 16 == 4 { "john \"the\" doe" } else { "john.doe" },
            );
            draft.details.push(("method".into(), Value::Str("password")));
        }
        "financial.transaction" => {
            draft.set_text(Member::CorrelationId, "order-77");
            draft.details.push(("amount".into(), Value::Str("1500.00")));
            draft.details.push(("currency".into(), Value::Str("EUR")));
            draft.details.push(("quantity".into(), Value::U64(7)));
            draft.details.push(("side".into(), Value::Bool(true)));
        }
        _ => draft
            .set_text(Member::Resource, if seq % 16 == 10 { "/a\u{1}\t" } else { "/accounts/77" }),
    }
    draft.seal()
}

/// A record of the layer's own that tells something of a sink.
pub(crate) fn told(
    stream: &str,
    seq: u64,
    prev: Hash,
    kind: &str,
    details: &[(&str, Value<'_>)],
) -> Line {
    let mut draft = Draft::new(stream, seq, prev, kind, "INFO");
    draft.id = Uuid::from_u128((0x0193_0000_0000_7000_8000 << 48) + u128::from(seq));
    draft.timestamp = 1_795_289_474_261_845 + seq as i64 * 1_000;
    draft.details = details.iter().map(|(name, value)| ((*name).into(), value.clone())).collect();
    draft.seal()
}

/// The lines from `seq` on as rotation of the path's sink leaves them, and the record of it last.
pub(crate) fn rotated(lines: &[Line], seq: usize, sink: &str) -> Vec<Line> {
    let mut left = lines[seq - 1..].to_vec();
    let last = lines.last().unwrap();
    let details = [
        ("last_seq", Value::U64(seq as u64 - 1)),
        ("last_stream", Value::Str(STREAM)),
        ("reason", Value::Str("rotation")),
        ("sink", Value::Str(sink)),
    ];
    let after = lines.len() as u64 + 1;
    left.push(told(STREAM, after, last.hash, "system.audit_trimmed", &details));
    left
}

/// The lines as a file holds them.
pub(crate) fn text(lines: &[Line]) -> Vec<u8> {
    lines.iter().flat_map(|line| [line.text.as_bytes(), b"\n"].concat()).collect()
}

pub(crate) fn write(path: &Path, lines: &[Line]) {
    fs::write(path, text(lines)).unwrap();
}

/// Takes turns between two streams.
pub(crate) fn interleave(one: &[Line], other: &[Line]) -> Vec<Line> {
    one.iter().zip(other).flat_map(|(a, b)| [a.clone(), b.clone()]).collect()
}

/// A database that holds the lines as the sink would have written them.
pub(crate) fn database(path: &Path, lines: &[Line]) -> Connection {
    let db = Connection::open(path).unwrap();
    db.pragma_update(None, "journal_mode", "WAL").unwrap();
    db.execute_batch(include_str!("../../../audit-layer/src/sink/migrations/0001_trail.sql"))
        .unwrap();
    db.pragma_update(None, "application_id", 1_096_107_092).unwrap();
    db.pragma_update(None, "user_version", 1).unwrap();
    insert(&db, lines);
    db
}

pub(crate) fn insert(db: &Connection, lines: &[Line]) {
    let transaction = db.unchecked_transaction().unwrap();
    for line in lines {
        insert_one(db, line);
    }
    transaction.commit().unwrap();
}

fn insert_one(db: &Connection, line: &Line) {
    let record: Json = serde_json::from_str(&line.text).unwrap();
    let text = |name: &str| record[name].as_str();
    let micros = parse_timestamp(text("timestamp").unwrap()).unwrap();
    db.prepare_cached(
        "INSERT INTO audit_logs (stream, seq, id, timestamp, event_type, record) VALUES (?,?,?,?,?,?)",
    )
    .unwrap()
    .execute(params![
        text("stream"),
        record["seq"].as_i64(),
        text("id"),
        micros,
        text("event_type"),
        &*line.text
    ])
    .unwrap();
    let arrival = db.last_insert_rowid();
    let category = text("category").unwrap();
    if ["auth", "security", "admin"].contains(&category) || text("status") == Some("denied") {
        db.prepare_cached("INSERT INTO security_events VALUES (?,?,?,?,?,?,?,?,?)")
            .unwrap()
            .execute(params![
                arrival,
                micros,
                text("event_type"),
                text("severity"),
                text("status"),
                text("user_id"),
                text("username"),
                text("ip_address"),
                text("resource")
            ])
            .unwrap();
    }
    if ["financial", "trade", "risk"].contains(&category) {
        let detail = |name: &str| match &record["details"][name] {
            Json::String(text) => Some(text.clone()),
            Json::Number(number) => Some(number.to_string()),
            _ => None,
        };
        db.prepare_cached("INSERT INTO financial_audit_logs VALUES (?,?,?,?,?,?,?,?,?,?,?,?)")
            .unwrap()
            .execute(params![
                arrival,
                micros,
                text("event_type"),
                text("status"),
                text("user_id"),
                text("correlation_id"),
                detail("amount"),
                detail("currency"),
                detail("symbol"),
                detail("side"),
                detail("quantity"),
                detail("price")
            ])
            .unwrap();
    }
    db.prepare_cached(
        "INSERT INTO audit_cursors VALUES (?1, ?2, ?3) \
         ON CONFLICT (stream) DO UPDATE SET seq = ?2, hash = ?3",
    )
    .unwrap()
    .execute(params![text("stream"), record["seq"].as_i64(), line.hash.to_string()])
    .unwrap();
}

/// What an attacker does first: takes the triggers and the foreign keys away.
pub(crate) fn disarm(db: &Connection) {
    db.pragma_update(None, "foreign_keys", false).unwrap();
    for table in ["audit_logs", "security_events", "financial_audit_logs"] {
        for verb in ["update", "delete"] {
            db.execute_batch(&format!("DROP TRIGGER {table}_keep_{verb}")).unwrap();
        }
    }
}
