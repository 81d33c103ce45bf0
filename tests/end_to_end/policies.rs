//! What happens at the bounds, and what the trail says of it.

use std::{
    path::Path,
    time::{Duration, Instant},
};

use audit_layer::{AuditLayer, Builder, DropCause, OnFailure, Overflow};
use tests::trail_files::{eventually, lines, lines_with_backups, of_type, parse};
use tracing_subscriber::prelude::*;

const LONG: Duration = Duration::from_secs(60);

fn builder(dir: &Path) -> Builder {
    AuditLayer::builder()
        .service("payments")
        .sqlite(dir.join("audit.db"))
        .file(dir.join("audit.log"))
        .flush_interval(Duration::from_millis(20))
        .without_journal()
        .max_queue_size(50)
        .batch_size(10)
}

/// Keeps the database from being written to until it is dropped.
fn lock_database(dir: &Path) -> rusqlite::Connection {
    let db = rusqlite::Connection::open(dir.join("audit.db")).unwrap();
    db.execute_batch("BEGIN IMMEDIATE").unwrap();
    db
}

fn emit(count: u64) {
    for number in 0..count {
        tracing::info!(target: "audit", event_type = "data.read", number, "read");
    }
}

#[test]
fn what_overflow_drops_adds_up_to_the_gaps_that_the_trail_tells() {
    let dir = tempfile::tempdir().unwrap();
    let (layer, audit) = builder(dir.path()).overflow(Overflow::Drop).build().unwrap();
    tracing::subscriber::with_default(tracing_subscriber::registry().with(layer), || {
        let lock = lock_database(dir.path());
        emit(20_000);
        let dropped = audit.stats().dropped[&DropCause::Overflow];
        assert!(dropped > 0, "the queue of 50 held 20,000 events");
        drop(lock);
        emit(1);
        eventually("the gap is told", || {
            audit.flush(LONG).unwrap();
            let records = parse(&lines(dir.path().join("audit.log")));
            let told: u64 = of_type(&records, "system.audit_gap")
                .iter()
                .map(|gap| gap["details"]["count"].as_u64().unwrap())
                .sum();
            told == audit.stats().dropped[&DropCause::Overflow]
        });
    });
    let stats = audit.stats();
    audit.shutdown(LONG).unwrap();
    let records = parse(&lines(dir.path().join("audit.log")));
    let read = of_type(&records, "data.read").len() as u64;
    assert_eq!(read, stats.accepted, "every accepted event is there");
    assert_eq!(read + stats.dropped[&DropCause::Overflow], 20_001);
    for gap in of_type(&records, "system.audit_gap") {
        assert_eq!(gap["details"]["cause"], "overflow");
        let after = gap["details"]["after_seq"].as_u64().unwrap();
        assert!(after < gap["seq"].as_u64().unwrap());
        assert!(gap["details"]["first_at"].as_str() <= gap["details"]["last_at"].as_str());
    }
}

#[test]
fn a_full_queue_blocks_the_caller_and_loses_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let (layer, audit) = builder(dir.path()).block_timeout(LONG).build().unwrap();
    let db = dir.path().to_path_buf();
    let lock = lock_database(&db);
    let unlock = std::thread::spawn(move || {
        std::thread::sleep(Duration::from_millis(700));
        drop(lock);
    });
    let started = Instant::now();
    tracing::subscriber::with_default(tracing_subscriber::registry().with(layer), || {
        emit(20_000);
    });
    assert!(started.elapsed() >= Duration::from_millis(600), "nobody was held up");
    unlock.join().unwrap();
    let stats = audit.stats();
    assert!(stats.dropped.is_empty(), "{stats:?}");
    audit.shutdown(LONG).unwrap();
    let records = parse(&lines(dir.path().join("audit.log")));
    assert_eq!(of_type(&records, "data.read").len(), 20_000);
}

#[test]
fn after_the_block_timeout_the_failure_policy_drops_and_counts() {
    let dir = tempfile::tempdir().unwrap();
    let (layer, audit) =
        builder(dir.path()).block_timeout(Duration::from_millis(100)).build().unwrap();
    tracing::subscriber::with_default(tracing_subscriber::registry().with(layer), || {
        let lock = lock_database(dir.path());
        emit(15_000);
        let stats = audit.stats();
        assert!(stats.dropped[&DropCause::Failure] > 0);
        assert!(!stats.is_healthy());
        let error = audit.flush(Duration::from_millis(50)).unwrap_err().to_string();
        assert!(error.contains("not in time"), "{error}");
        drop(lock);
        audit.flush(LONG).unwrap();
    });
    let dropped = audit.stats().dropped[&DropCause::Failure];
    audit.shutdown(LONG).unwrap();
    let records = parse(&lines(dir.path().join("audit.log")));
    let read = of_type(&records, "data.read").len() as u64;
    assert_eq!(read + dropped, 15_000);
    let told: u64 = of_type(&records, "system.audit_gap")
        .iter()
        .map(|gap| gap["details"]["count"].as_u64().unwrap())
        .sum();
    assert_eq!(told, dropped);
}

#[test]
fn the_failure_policy_block_goes_on_waiting() {
    let dir = tempfile::tempdir().unwrap();
    let (layer, audit) = builder(dir.path())
        .block_timeout(Duration::from_millis(50))
        .on_failure(OnFailure::Block)
        .build()
        .unwrap();
    let lock = lock_database(dir.path());
    let unlock = std::thread::spawn(move || {
        std::thread::sleep(Duration::from_millis(700));
        drop(lock);
    });
    tracing::subscriber::with_default(tracing_subscriber::registry().with(layer), || {
        emit(15_000);
    });
    unlock.join().unwrap();
    assert!(audit.stats().dropped.is_empty());
    audit.shutdown(LONG).unwrap();
    assert_eq!(of_type(&parse(&lines(dir.path().join("audit.log"))), "data.read").len(), 15_000);
}

#[test]
fn heartbeats_say_what_was_recorded_so_far() {
    let dir = tempfile::tempdir().unwrap();
    let (layer, audit) = builder(dir.path()).heartbeat(Duration::from_millis(100)).build().unwrap();
    tracing::subscriber::with_default(tracing_subscriber::registry().with(layer), || emit(7));
    let path = dir.path().join("audit.log");
    eventually("two heartbeats", || of_type(&parse(&lines(&path)), "system.heartbeat").len() >= 2);
    let records = parse(&lines(&path));
    let last = of_type(&records, "system.heartbeat").pop().unwrap().clone();
    assert_eq!(last["details"]["accepted"], 7);
    assert_eq!(last["details"]["dropped"], serde_json::json!({}));
    audit.shutdown(LONG).unwrap();
    let records = parse(&lines(&path));
    assert_eq!(records[0]["event_type"], "system.startup");
    assert_eq!(records[0]["details"]["sinks"], serde_json::json!(["file", "sqlite"]));
    assert_eq!(records.last().unwrap()["event_type"], "system.shutdown");
    assert_eq!(records.last().unwrap()["details"]["accepted"], 7);
}

#[test]
fn events_after_the_shutdown_are_counted_as_dropped() {
    let dir = tempfile::tempdir().unwrap();
    let (layer, audit) = builder(dir.path()).build().unwrap();
    tracing::subscriber::with_default(tracing_subscriber::registry().with(layer), || {
        emit(3);
        audit.shutdown(LONG).unwrap();
        emit(2);
    });
    let records = parse(&lines(dir.path().join("audit.log")));
    assert_eq!(of_type(&records, "data.read").len(), 3);
}

#[test]
fn a_batch_size_beyond_the_largest_batch_does_not_slow_the_pipeline() {
    let dir = tempfile::tempdir().unwrap();
    let (layer, audit) = AuditLayer::builder()
        .service("payments")
        .file(dir.path().join("audit.log"))
        .batch_size(1_000_000)
        .flush_interval(Duration::from_secs(3600))
        .max_queue_size(10_000)
        .block_timeout(LONG)
        .build()
        .unwrap();
    tracing::subscriber::with_default(tracing_subscriber::registry().with(layer), || emit(50_000));
    assert!(audit.stats().dropped.is_empty());
    audit.shutdown(LONG).unwrap();
    let records = parse(&lines_with_backups(dir.path().join("audit.log")));
    assert_eq!(of_type(&records, "data.read").len(), 50_000);
}

#[test]
fn events_that_race_the_shutdown_are_recorded_or_counted() {
    for round in 0..20 {
        let dir = tempfile::tempdir().unwrap();
        let (layer, audit) = builder(dir.path()).block_timeout(LONG).build().unwrap();
        let dispatch = tracing::Dispatch::new(tracing_subscriber::registry().with(layer));
        let emitters: Vec<_> = (0..2)
            .map(|_| {
                let dispatch = dispatch.clone();
                std::thread::spawn(move || {
                    tracing::dispatcher::with_default(&dispatch, || emit(2000));
                })
            })
            .collect();
        std::thread::sleep(Duration::from_millis(round));
        audit.shutdown(LONG).unwrap();
        for emitter in emitters {
            emitter.join().unwrap();
        }
        // The shutdown record says how many were accepted: each of them is there, and it is last.
        let records = parse(&lines(dir.path().join("audit.log")));
        let last = records.last().unwrap();
        assert_eq!(last["event_type"], "system.shutdown");
        let read = of_type(&records, "data.read").len();
        assert_eq!(last["details"]["accepted"], read, "round {round}");
    }
}
