//! Events a second into SQLite, beside the same inserts written by hand.

use std::{
    path::Path,
    time::{Duration, Instant},
};

use audit_layer::{AuditLayer, Durable};
use rusqlite::{Connection, params};
use tracing_subscriber::prelude::*;

use crate::{
    in_child,
    report::Outcome,
    subject::{emit, span},
};

const EVENTS: u64 = 200_000;
/// What the layer makes of a busy stream.
const BATCH: usize = 1024;

pub fn measure(arguments: &[&str]) -> Outcome {
    let dir = tempfile::tempdir().expect("a directory");
    let mut outcome = Outcome::default();
    let started = Instant::now();
    let seconds = match arguments {
        ["audit"] => {
            record(&dir.path().join("audit.db"));
            started.elapsed()
        }
        ["by-hand"] => {
            // The rows come from the layer itself; what they cost is not measured.
            let source = dir.path().join("source.db");
            record(&source);
            by_hand(&source, &dir.path().join("hand.db"))
        }
        other => panic!("no {other:?}"),
    };
    outcome.set("per-second", EVENTS as f64 / seconds.as_secs_f64());
    outcome
}

fn record(path: &Path) {
    let (layer, audit) = AuditLayer::builder()
        .service("bench")
        .sqlite(path)
        .durable(Durable::none())
        .block_timeout(Duration::from_secs(600))
        .build()
        .expect("a layer");
    tracing_subscriber::registry().with(layer).init();
    let _span = span().entered();
    (0..EVENTS).for_each(emit);
    audit.shutdown(Duration::from_secs(600)).expect("everything is written");
}

/// The same rows, indexes and batches; returns how long the inserts took.
fn by_hand(source: &Path, target: &Path) -> Duration {
    type Row = (String, i64, String, i64, String, String);
    let from = Connection::open(source).expect("the source");
    let mut query = from
        .prepare(
            "SELECT stream, seq, id, timestamp, event_type, record FROM audit_logs ORDER BY seq",
        )
        .expect("SQL");
    let rows: Vec<Row> = query
        .query_map([], |row| {
            Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?, row.get(4)?, row.get(5)?))
        })
        .expect("rows")
        .collect::<Result<_, _>>()
        .expect("rows");
    let mut schema = from
        .prepare("SELECT sql FROM sqlite_schema WHERE sql IS NOT NULL AND name NOT LIKE 'sqlite_%'")
        .expect("SQL");
    let schema: Vec<String> = schema
        .query_map([], |row| row.get(0))
        .expect("rows")
        .map(|sql| sql.expect("SQL"))
        .collect();
    let mut to = Connection::open(target).expect("the target");
    let _: String = to.query_row("PRAGMA journal_mode = WAL", [], |row| row.get(0)).expect("WAL");
    to.execute_batch("PRAGMA synchronous = FULL").expect("SQL");
    schema.iter().for_each(|sql| to.execute_batch(sql).expect("SQL"));
    let started = Instant::now();
    for batch in rows.chunks(BATCH) {
        let transaction = to
            .transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)
            .expect("a transaction");
        for (stream, seq, id, timestamp, event_type, record) in batch {
            transaction
                .prepare_cached(
                    "INSERT INTO audit_logs (stream, seq, id, timestamp, event_type, record)
                     VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
                )
                .expect("SQL")
                .execute(params![stream, seq, id, timestamp, event_type, record])
                .expect("a row");
            if event_type.starts_with("trade.") {
                insert_trade(&transaction, *timestamp, event_type, record);
            }
        }
        transaction.commit().expect("a commit");
    }
    started.elapsed()
}

fn insert_trade(to: &Connection, timestamp: i64, event_type: &str, record: &str) {
    let read: serde_json::Value = serde_json::from_str(record).expect("JSON");
    let text = |value: &serde_json::Value| value.as_str().map(str::to_owned);
    let details = &read["details"];
    to.prepare_cached(
        "INSERT INTO financial_audit_logs (arrival, timestamp, event_type, status, user_id,
             correlation_id, amount, currency, symbol, side, quantity, price)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)",
    )
    .expect("SQL")
    .execute(params![
        to.last_insert_rowid(),
        timestamp,
        event_type,
        text(&read["status"]),
        text(&read["user_id"]),
        text(&read["correlation_id"]),
        text(&details["amount"]),
        text(&details["currency"]),
        text(&details["symbol"]),
        text(&details["side"]),
        details["quantity"].to_string(),
        text(&details["price"]),
    ])
    .expect("a row");
}

pub fn report() {
    println!("Events a second into SQLite, the same rows, indexes and batches of {BATCH}:");
    let [audit, hand] =
        ["audit", "by-hand"].map(|who| in_child(&["sqlite", who]).get("per-second"));
    println!("audit, from the macro on  {audit:9.0}   {:.2} of by hand", audit / hand);
    println!("by hand, inserts only     {hand:9.0}");
}
