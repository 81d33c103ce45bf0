//! The Redis sink against a real server that is stopped, stalled and killed.

use std::{
    path::Path,
    time::{Duration, Instant},
};

use audit_layer::{AuditGuard, AuditLayer, Builder};
use tests::{
    redis_server::{RedisServer, free_port},
    trail_files::{database_lines, eventually, lines, of_type, parse},
};
use tracing_subscriber::prelude::*;

const LONG: Duration = Duration::from_secs(60);

pub(crate) fn builder(dir: &Path, url: String) -> Builder {
    AuditLayer::builder()
        .service("payments")
        .file(dir.join("audit.log"))
        .sqlite(dir.join("audit.db"))
        .redis(url)
        .flush_interval(Duration::from_millis(20))
}

pub(crate) fn lag(audit: &AuditGuard) -> u64 {
    audit.stats().sinks.iter().find(|sink| sink.name == "redis").unwrap().lag
}

/// What the lists should hold: the newest lines of a category, newest first.
pub(crate) fn expected(dir: &Path, category: &str, most: usize) -> Vec<String> {
    let mut all: Vec<String> = lines(dir.join("audit.log"))
        .into_iter()
        .filter(|line| parse(std::slice::from_ref(line))[0]["category"] == category)
        .collect();
    all.reverse();
    all.truncate(most);
    all
}

#[test]
fn lists_hold_the_newest_of_a_category_and_expire() {
    let redis = RedisServer::start();
    let dir = tempfile::tempdir().unwrap();
    let (layer, audit) = builder(dir.path(), redis.url()).redis_limits(1, 50, 300).build().unwrap();
    tracing::subscriber::with_default(tracing_subscriber::registry().with(layer), || {
        for number in 0..200 {
            tracing::info!(target: "audit", event_type = "data.read", number, "read");
            tracing::info!(target: "audit", event_type = "auth.login", number, "login");
        }
    });
    audit.shutdown(LONG).unwrap();
    for category in ["data", "auth", "system"] {
        assert_eq!(redis.list(category), expected(dir.path(), category, 50), "{category}");
    }
    let ttl: i64 =
        ::redis::cmd("TTL").arg("audit:logs:data").query(&mut redis.connection()).unwrap();
    assert!((1..=300).contains(&ttl), "{ttl}");
}

#[test]
fn a_redis_killed_for_ten_seconds_blocks_nobody_and_is_caught_up() {
    let mut redis = RedisServer::start_durable();
    let dir = tempfile::tempdir().unwrap();
    let (layer, audit) = builder(dir.path(), redis.url()).max_queue_size(40_000).build().unwrap();
    let mut slowest = Duration::ZERO;
    tracing::subscriber::with_default(tracing_subscriber::registry().with(layer), || {
        let started = Instant::now();
        let mut killed = false;
        for number in 0..14_000_u32 {
            let due = started + Duration::from_millis(u64::from(number));
            std::thread::sleep(due.saturating_duration_since(Instant::now()));
            if number == 2000 {
                redis.kill();
                killed = true;
            }
            if number == 12_000 && killed {
                redis.resume_after_kill();
            }
            let before = Instant::now();
            tracing::info!(target: "audit", event_type = "data.read", number, "read");
            slowest = slowest.max(before.elapsed());
        }
        eventually("Redis has caught up", || lag(&audit) == 0);
    });
    assert!(slowest < Duration::from_secs(2), "a call took {slowest:?}");
    let stats = audit.stats();
    assert!(stats.dropped.is_empty(), "{stats:?}");
    audit.shutdown(LONG).unwrap();

    let file = lines(dir.path().join("audit.log"));
    assert_eq!(of_type(&parse(&file), "data.read").len(), 14_000);
    assert_eq!(file, database_lines(dir.path().join("audit.db")));
    for category in ["data", "system"] {
        assert_eq!(redis.list(category), expected(dir.path(), category, 10_000), "{category}");
    }
}

#[test]
fn a_redis_that_is_down_at_start_is_filled_when_it_comes() {
    let mut redis = RedisServer::start();
    redis.kill();
    let dir = tempfile::tempdir().unwrap();
    let (layer, audit) = builder(dir.path(), redis.url()).build().unwrap();
    tracing::subscriber::with_default(tracing_subscriber::registry().with(layer), || {
        for number in 0..300 {
            tracing::info!(target: "audit", event_type = "data.read", number, "read");
        }
        audit.flush(LONG).expect("a dead Redis holds up no flush");
        redis.resume_after_kill();
        eventually("Redis has caught up", || lag(&audit) == 0);
    });
    audit.shutdown(LONG).unwrap();
    assert_eq!(redis.list("data"), expected(dir.path(), "data", 10_000));
}

#[test]
fn a_shutdown_does_not_wait_for_a_dead_or_stalled_redis() {
    let dead = format!("redis://127.0.0.1:{}", free_port());
    let stalled = RedisServer::start();
    for (name, url, stall) in [("dead", dead, false), ("stalled", stalled.url(), true)] {
        let dir = tempfile::tempdir().unwrap();
        let (layer, audit) = builder(dir.path(), url).build().unwrap();
        if stall {
            stalled.stall();
        }
        tracing::subscriber::with_default(tracing_subscriber::registry().with(layer), || {
            for number in 0..500 {
                tracing::info!(target: "audit", event_type = "data.read", number, "read");
            }
        });
        let started = Instant::now();
        audit.shutdown(LONG).unwrap();
        assert!(started.elapsed() < Duration::from_secs(20), "{name}: {:?}", started.elapsed());
        assert_eq!(of_type(&parse(&lines(dir.path().join("audit.log"))), "data.read").len(), 500);
    }
    stalled.go_on();
}

#[test]
fn a_stalled_redis_gets_everything_once_when_it_goes_on() {
    let redis = RedisServer::start();
    let dir = tempfile::tempdir().unwrap();
    let (layer, audit) = builder(dir.path(), redis.url()).build().unwrap();
    tracing::subscriber::with_default(tracing_subscriber::registry().with(layer), || {
        for round in 0..2 {
            for number in 0..1000 {
                tracing::info!(target: "audit", event_type = "data.read", round, number, "read");
            }
            if round == 0 {
                // Longer than the sink waits for an answer: the batch in flight is sent again, and
                // the server still gets the first one when it goes on.
                redis.stall();
                std::thread::sleep(Duration::from_secs(5));
                redis.go_on();
            }
        }
        eventually("Redis has caught up", || lag(&audit) == 0);
    });
    audit.shutdown(LONG).unwrap();
    assert_eq!(redis.list("data"), expected(dir.path(), "data", 10_000));
}

#[test]
fn a_delayed_duplicate_of_a_batch_changes_nothing() {
    let redis = RedisServer::start();
    let dir = tempfile::tempdir().unwrap();
    // Everything that the sink sends is recorded by the server itself.
    let (recorded, stop) = monitor(&redis);
    let (layer, audit) = builder(dir.path(), redis.url()).build().unwrap();
    tracing::subscriber::with_default(tracing_subscriber::registry().with(layer), || {
        for number in 0..50 {
            tracing::info!(target: "audit", event_type = "data.read", number, "read");
        }
    });
    audit.shutdown(LONG).unwrap();
    stop.store(true, std::sync::atomic::Ordering::SeqCst);
    let before = (redis.list("data"), redis.list("system"));
    let calls: Vec<Vec<String>> = recorded.join().unwrap();
    assert!(!calls.is_empty());
    let mut connection = redis.connection();
    for call in calls {
        let mut command = ::redis::cmd(&call[0]);
        for argument in &call[1..] {
            command.arg(argument);
        }
        let _: ::redis::Value = command.query(&mut connection).unwrap();
    }
    assert_eq!((redis.list("data"), redis.list("system")), before);
}

type Recorded = std::thread::JoinHandle<Vec<Vec<String>>>;

/// Collects every EVALSHA and EVAL that reaches the server, as `MONITOR` shows them.
fn monitor(redis: &RedisServer) -> (Recorded, std::sync::Arc<std::sync::atomic::AtomicBool>) {
    use std::io::{BufRead, BufReader, Write};
    let mut socket = std::net::TcpStream::connect(("127.0.0.1", redis.port())).unwrap();
    socket.set_read_timeout(Some(Duration::from_millis(300))).unwrap();
    socket.write_all(b"MONITOR\r\n").unwrap();
    let mut reader = BufReader::new(socket);
    let mut line = String::new();
    reader.read_line(&mut line).unwrap();
    assert_eq!(line.trim(), "+OK");
    let stop = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(false));
    let stopping = stop.clone();
    let thread = std::thread::spawn(move || {
        let mut calls = Vec::new();
        let mut line = String::new();
        loop {
            match reader.read_line(&mut line) {
                Ok(_) => {
                    // +time [db address] "EVALSHA" "…" …, each argument a quoted string with escapes;
                    // commands that the script itself runs say `lua` for an address.
                    let arguments = line.split_once("] ").map_or("", |(_, rest)| rest.trim());
                    if arguments.starts_with("\"EVAL") && !line.contains(" lua] ") {
                        let list = format!("[{}]", arguments.replace("\" \"", "\",\""));
                        calls.push(serde_json::from_str(&list).expect("quoted arguments"));
                    }
                    line.clear();
                }
                Err(_) if stopping.load(std::sync::atomic::Ordering::SeqCst) => return calls,
                Err(_) => {}
            }
        }
    });
    (thread, stop)
}

#[test]
fn without_a_journal_a_redis_that_stays_away_is_skipped_within_the_bound_and_the_trail_says_so() {
    let mut redis = RedisServer::start();
    let dir = tempfile::tempdir().unwrap();
    let builder = builder(dir.path(), redis.url()).without_journal().max_queue_size(500);
    let (layer, audit) = builder.build().unwrap();
    tracing::subscriber::with_default(tracing_subscriber::registry().with(layer), || {
        audit.flush(LONG).unwrap();
        redis.kill();
        for number in 0..5000 {
            tracing::info!(target: "audit", event_type = "data.read", number, "read");
        }
        audit.flush(LONG).unwrap();
        redis.resume_after_kill();
        eventually("Redis has caught up", || lag(&audit) == 0);
    });
    let skipped = audit.stats().sinks.iter().find(|sink| sink.name == "redis").unwrap().skipped;
    assert!(skipped > 0);
    audit.shutdown(LONG).unwrap();
    let records = parse(&lines(dir.path().join("audit.log")));
    assert_eq!(of_type(&records, "data.read").len(), 5000, "the file has everything");
    let told: u64 = of_type(&records, "system.audit_gap")
        .iter()
        .map(|gap| gap["details"]["count"].as_u64().unwrap())
        .sum();
    assert_eq!(told, skipped);
    // The newest are there, without a hole.
    let list = redis.list("data");
    assert!(list.len() >= 300, "{}", list.len());
    assert!(list[..300] == expected(dir.path(), "data", 300));
    // However often it skipped, the trail says so once.
    assert_eq!(of_type(&records, "system.audit_gap").len(), 1);
}

#[test]
fn errors_of_the_server_are_shown_and_tried_again() {
    let redis = RedisServer::start();
    let dir = tempfile::tempdir().unwrap();
    let mut connection = redis.connection();
    let _: () =
        ::redis::cmd("SET").arg("audit:logs:data").arg("a string").query(&mut connection).unwrap();
    let (layer, audit) = builder(dir.path(), redis.url()).build().unwrap();
    tracing::subscriber::with_default(tracing_subscriber::registry().with(layer), || {
        // One batch for two lists: neither may be pushed to while the other refuses.
        tracing::info!(target: "audit", event_type = "auth.login", "login");
        tracing::info!(target: "audit", event_type = "data.read", "read");
        eventually("the error is shown", || {
            let stats = audit.stats();
            let sink = stats.sinks.iter().find(|sink| sink.name == "redis").unwrap();
            !sink.healthy && sink.last_error.as_ref().is_some_and(|e| e.contains("WRONGTYPE"))
        });
        let _: () = ::redis::cmd("DEL").arg("audit:logs:data").query(&mut connection).unwrap();
        eventually("Redis has caught up", || lag(&audit) == 0);
    });
    audit.shutdown(LONG).unwrap();
    for category in ["data", "auth", "system"] {
        assert_eq!(redis.list(category), expected(dir.path(), category, 10_000), "{category}");
    }
}

#[test]
fn a_flood_under_a_stalled_redis_takes_no_memory() {
    const EVENTS: &str = "2000000";
    let flood = |redis: Option<String>| {
        let dir = tempfile::tempdir().unwrap();
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_flood"));
        command.arg(dir.path()).arg(EVENTS).args(redis);
        let output = command.output().unwrap();
        assert!(output.status.success(), "{output:?}");
        let said = String::from_utf8(output.stdout).unwrap();
        let [before, most, median]: [u64; 3] = said
            .split_whitespace()
            .map(|n| n.parse().unwrap())
            .collect::<Vec<_>>()
            .try_into()
            .unwrap();
        (most - before, median)
    };
    let redis = RedisServer::start();
    redis.stall();
    let (with, with_median) = flood(Some(redis.url()));
    redis.go_on();
    let (without, median) = flood(None);
    println!("KiB more: {with} with a stalled Redis, {without} without one");
    println!("median of a call: {with_median} ns with a stalled Redis, {median} ns without one");
    assert!(with < 64 * 1024, "{with} KiB");
}
