//! A million events, each once in each sink; and every kind of tampering found.

use std::{
    fs::{self, File},
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    process::Output,
    time::Duration,
};

use audit_layer::AuditLayer;
use serde::Deserialize;
use tests::{
    programs::audit_server,
    redis_server::RedisServer,
    trail_files::{eventually, files_with_backups, verify_with_python},
};
use tracing_subscriber::prelude::*;

const THREADS: u64 = 4;
const EVENTS: u64 = 250_000;
const LONG: Duration = Duration::from_secs(600);

#[derive(Deserialize)]
struct Line {
    seq: u64,
    category: String,
    #[serde(default)]
    details: Details,
}

#[derive(Deserialize, Default)]
struct Details {
    thread: Option<u64>,
    number: Option<u64>,
}

#[test]
fn a_million_events_are_once_in_each_sink_and_any_tampering_is_found() {
    let redis = RedisServer::start();
    let dir = tempfile::tempdir().unwrap();
    record_a_million(dir.path(), &redis);
    let log = dir.path().join("audit.log");
    let db = dir.path().join("audit.db");

    let by_category = each_event_is_once_in_the_file(&log);
    the_database_holds_the_same_lines(&log, &db);
    redis_holds_the_same_lines(&log, &redis, &by_category);

    verify_with_python(&files_with_backups(&log)).unwrap();
    let receipt = receipt(&log);
    assert_verifies(&[&log, &db], Some(&receipt));
    tampering_with_the_file_is_found(&log, &receipt);
    tampering_with_the_database_is_found(&db);
}

fn record_a_million(dir: &Path, redis: &RedisServer) {
    let (layer, audit) = AuditLayer::builder()
        .service("payments")
        .file(dir.join("audit.log"))
        .file_rotation(64 * 1024 * 1024, 100)
        .sqlite(dir.join("audit.db"))
        .redis(redis.url())
        .redis_limits(1, 2_000_000, 3600)
        .max_queue_size(1_000_000)
        .flush_interval(Duration::from_millis(50))
        .block_timeout(LONG)
        .build()
        .unwrap();
    let dispatch = tracing::Dispatch::new(tracing_subscriber::registry().with(layer));
    std::thread::scope(|scope| {
        for thread in 0..THREADS {
            let dispatch = dispatch.clone();
            scope.spawn(move || {
                tracing::dispatcher::with_default(&dispatch, || {
                    let _span = tracing::info_span!("request", user_id = thread).entered();
                    for number in 0..EVENTS {
                        tracing::info!(target: "audit", event_type = "data.read", thread, number);
                    }
                });
            });
        }
    });
    audit.flush(LONG).unwrap();
    eventually("Redis has everything", || audit.stats().sinks.iter().all(|sink| sink.lag == 0));
    let stats = audit.stats();
    assert_eq!(stats.accepted, THREADS * EVENTS);
    assert!(stats.is_healthy(), "{stats:?}");
    audit.shutdown(LONG).unwrap();
}

fn lines(log: &Path) -> impl Iterator<Item = String> {
    files_with_backups(log)
        .into_iter()
        .flat_map(|file| BufReader::new(File::open(file).unwrap()).lines())
        .map(Result::unwrap)
}

/// Returns the categories in the order of the lines.
fn each_event_is_once_in_the_file(log: &Path) -> Vec<String> {
    let mut seen = vec![false; usize::try_from(THREADS * EVENTS).unwrap()];
    let mut last_of_thread = [None; 4];
    let mut categories = Vec::new();
    for (at, line) in lines(log).enumerate() {
        let line: Line = serde_json::from_str(&line).unwrap();
        assert_eq!(line.seq, at as u64 + 1, "seq has no gap");
        if let (Some(thread), Some(number)) = (line.details.thread, line.details.number) {
            let slot = &mut seen[usize::try_from(thread * EVENTS + number).unwrap()];
            assert!(!std::mem::replace(slot, true), "{thread} {number} is there twice");
            let last = &mut last_of_thread[usize::try_from(thread).unwrap()];
            assert!(last.is_none_or(|last| last < number), "a thread's events keep their order");
            *last = Some(number);
        }
        categories.push(line.category);
    }
    assert!(seen.iter().all(|seen| *seen), "an event is missing");
    categories
}

fn the_database_holds_the_same_lines(log: &Path, db: &Path) {
    let db = rusqlite::Connection::open(db).unwrap();
    let mut query = db.prepare("SELECT record FROM audit_logs ORDER BY arrival").unwrap();
    let mut rows = query.query([]).unwrap();
    for line in lines(log) {
        let row = rows.next().unwrap().expect("the database lacks a line");
        assert_eq!(row.get_ref(0).unwrap().as_str().unwrap(), line);
    }
    assert!(rows.next().unwrap().is_none(), "the database has a line more");
}

fn redis_holds_the_same_lines(log: &Path, redis: &RedisServer, categories: &[String]) {
    let mut connection = redis.connection();
    for category in ["data", "system"] {
        let count = categories.iter().filter(|c| *c == category).count();
        let mut newest_first = Vec::with_capacity(count);
        while newest_first.len() <= count {
            let part: Vec<String> = redis::cmd("LRANGE")
                .arg(format!("audit:logs:{category}"))
                .arg(newest_first.len())
                .arg(newest_first.len() + 9_999)
                .query(&mut connection)
                .unwrap();
            if part.is_empty() {
                break;
            }
            newest_first.extend(part);
        }
        assert_eq!(newest_first.len(), count, "{category}");
        let of_category = lines(log).zip(categories).filter(|(_, c)| *c == category);
        for ((line, _), there) in of_category.zip(newest_first.iter().rev()) {
            assert_eq!(line, *there);
        }
    }
}

/// `stream:seq:hash` of the last record.
fn receipt(log: &Path) -> String {
    let last = lines(log).last().unwrap();
    let last: serde_json::Value = serde_json::from_str(&last).unwrap();
    format!(
        "{}:{}:{}",
        last["stream"].as_str().unwrap(),
        last["seq"],
        last["hash"].as_str().unwrap()
    )
}

fn verify(paths: &[&Path], receipt: Option<&str>) -> Output {
    let mut command = audit_server();
    command.arg("verify").args(paths);
    if let Some(receipt) = receipt {
        command.args(["--receipt", receipt]);
    }
    command.output().unwrap()
}

fn assert_verifies(paths: &[&Path], receipt: Option<&str>) {
    let output = verify(paths, receipt);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
}

fn assert_broken(what: &str, paths: &[&Path], receipt: Option<&str>) {
    let output = verify(paths, receipt);
    assert_eq!(output.status.code(), Some(1), "{what}: {output:?}");
}

fn tampering_with_the_file_is_found(log: &Path, receipt: &str) {
    // One of the backups in the middle, and the live file for its tail.
    let files = files_with_backups(log);
    let middle = &files[files.len() / 2];
    let whole = fs::read_to_string(middle).unwrap();
    let lines: Vec<&str> = whole.lines().collect();
    let at = lines.len() / 2;
    let joined = |lines: &[&str]| lines.iter().map(|line| format!("{line}\n")).collect::<String>();

    let changed = lines[at].replacen("data.read", "data.reed", 1);
    let mut one_changed = lines.clone();
    one_changed[at] = &changed;
    let mut one_removed = lines.clone();
    one_removed.remove(at);
    let mut two_swapped = lines.clone();
    two_swapped.swap(at, at + 1);
    let mut one_inserted = lines.clone();
    one_inserted.insert(at, lines[at - 1]);
    for (what, tampered) in [
        ("one byte changed", one_changed),
        ("one line removed", one_removed),
        ("two lines swapped", two_swapped),
        ("one line inserted", one_inserted),
    ] {
        fs::write(middle, joined(&tampered)).unwrap();
        assert_broken(what, &[log], None);
    }
    fs::write(middle, &whole).unwrap();
    drop(lines);

    let live = fs::read_to_string(log).unwrap();
    let mut tail: Vec<&str> = live.lines().collect();
    tail.truncate(tail.len() - 3);
    fs::write(log, joined(&tail)).unwrap();
    assert_verifies(&[log], None);
    assert_broken("the tail cut off", &[log], Some(receipt));
    fs::write(log, live).unwrap();
    assert_verifies(&[log], Some(receipt));
}

fn tampering_with_the_database_is_found(db: &Path) {
    let connection = rusqlite::Connection::open(db).unwrap();
    connection
        .execute_batch(
            "DROP TRIGGER audit_logs_keep_update; DROP TRIGGER audit_logs_keep_delete;
             CREATE TEMP TABLE kept AS SELECT * FROM audit_logs WHERE seq IN (500000, 500001);",
        )
        .unwrap();
    let restore = "INSERT OR REPLACE INTO audit_logs SELECT * FROM kept;";
    for (what, tamper) in [
        (
            "one byte changed",
            "UPDATE audit_logs SET record = replace(record, 'data.read', 'data.reed') WHERE seq = 500000;",
        ),
        ("one row removed", "DELETE FROM audit_logs WHERE seq = 500000;"),
        (
            "two rows swapped",
            "UPDATE audit_logs SET record = (SELECT record FROM kept WHERE kept.seq = 1000001 - audit_logs.seq)
             WHERE seq IN (500000, 500001);",
        ),
        ("a column changed", "UPDATE audit_logs SET event_type = 'data.delete' WHERE seq = 500000;"),
        ("the tail cut off", "CREATE TEMP TABLE tail AS SELECT * FROM audit_logs WHERE seq > 1000000;
          DELETE FROM audit_logs WHERE seq > 1000000;"),
    ] {
        connection.execute_batch(tamper).unwrap();
        assert_broken(what, &[db], None);
        connection.execute_batch(restore).unwrap();
    }
    connection.execute_batch("INSERT INTO audit_logs SELECT * FROM tail;").unwrap();
    assert_verifies(&[db], None);
}

#[test]
fn the_file_sink_alone_keeps_up_without_a_database() {
    let dir = tempfile::tempdir().unwrap();
    let log: PathBuf = dir.path().join("audit.log");
    let (layer, audit) = AuditLayer::builder()
        .service("payments")
        .file(&log)
        .build::<tracing_subscriber::Registry>()
        .unwrap();
    tracing::subscriber::with_default(tracing_subscriber::registry().with(layer), || {
        for number in 0..10_000 {
            tracing::info!(target: "audit", event_type = "data.read", number);
        }
    });
    audit.shutdown(LONG).unwrap();
    assert_eq!(lines(&log).count(), 10_002);
}
