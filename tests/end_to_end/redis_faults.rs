//! What each fault of Redis does to a service with a journal: nobody waits, nothing is lost, and the
//! lists are right when the fault is over.

use std::{
    process::Command,
    time::{Duration, Instant},
};

use audit_layer::{AuditGuard, SinkStats};
use tests::{
    Process,
    redis_server::{RedisServer, free_port},
    trail_files::{database_lines, eventually, lines, of_type, parse},
};
use tracing_subscriber::prelude::*;

use crate::redis::{builder, expected, lag};

const LONG: Duration = Duration::from_secs(60);
const BEFORE: u64 = 300;
/// More than are kept in memory for a sink that is away, and than a list holds.
const DURING: u64 = 12_000;

/// Something that can happen to a Redis.
struct Fault {
    name: &'static str,
    begin: fn(&mut RedisServer),
    end: fn(&mut RedisServer),
    /// What the sink's error says meanwhile.
    error: &'static str,
}

const FAULTS: [Fault; 4] = [
    Fault {
        name: "it has no memory left",
        begin: |redis| tell(redis, &["CONFIG", "SET", "maxmemory", "1"]),
        end: |redis| tell(redis, &["CONFIG", "SET", "maxmemory", "0"]),
        error: "OOM",
    },
    Fault {
        name: "it became the replica of a server that is gone",
        begin: |redis| tell(redis, &["REPLICAOF", "127.0.0.1", &free_port().to_string()]),
        end: |redis| tell(redis, &["REPLICAOF", "NO", "ONE"]),
        error: "read only",
    },
    Fault {
        name: "a key is of the wrong type",
        // The list comes back under its name with the records that it had.
        begin: |redis| {
            tell(redis, &["RENAME", "audit:logs:data", "elsewhere"]);
            tell(redis, &["SET", "audit:logs:data", "a string"]);
        },
        end: |redis| tell(redis, &["RENAME", "elsewhere", "audit:logs:data"]),
        error: "WRONGTYPE",
    },
    Fault {
        name: "it is killed, and an empty one takes its place",
        begin: RedisServer::kill,
        end: RedisServer::resume_after_kill,
        error: "refused",
    },
];

fn tell(redis: &mut RedisServer, command: &[&str]) {
    let mut call = ::redis::cmd(command[0]);
    let _: ::redis::Value =
        call.arg(&command[1..]).query(&mut redis.connection()).expect("redis-server does it");
}

fn sink(audit: &AuditGuard) -> SinkStats {
    audit.stats().sinks.into_iter().find(|sink| sink.name == "redis").unwrap()
}

fn emit(numbers: std::ops::Range<u64>) -> Duration {
    let mut slowest = Duration::ZERO;
    for number in numbers {
        let before = Instant::now();
        tracing::info!(target: "audit", event_type = "data.read", number, "read");
        slowest = slowest.max(before.elapsed());
    }
    slowest
}

fn goes_on_and_is_caught_up(fault: &Fault) {
    let name = fault.name;
    let mut redis = RedisServer::start();
    let dir = tempfile::tempdir().unwrap();
    let (layer, audit) = builder(dir.path(), redis.url()).build().unwrap();
    tracing::subscriber::with_default(tracing_subscriber::registry().with(layer), || {
        emit(0..BEFORE);
        audit.flush(LONG).unwrap();
        eventually("Redis has the first ones", || lag(&audit) == 0);

        (fault.begin)(&mut redis);
        let slowest = emit(BEFORE..BEFORE + DURING);
        assert!(slowest < Duration::from_secs(2), "{name}: a call took {slowest:?}");
        audit.flush(LONG).unwrap();
        let there = of_type(&parse(&lines(dir.path().join("audit.log"))), "data.read").len() as u64;
        assert_eq!(there, BEFORE + DURING, "{name}: the file goes on");
        assert_eq!(
            database_lines(dir.path().join("audit.db")),
            lines(dir.path().join("audit.log")),
            "{name}"
        );
        eventually("the error is shown", || {
            let sink = sink(&audit);
            !sink.healthy && sink.last_error.is_some_and(|error| error.contains(fault.error))
        });

        (fault.end)(&mut redis);
        eventually("Redis has caught up", || lag(&audit) == 0);
    });
    let stats = audit.stats();
    assert!(stats.dropped.is_empty() && stats.worker_alive, "{name}: {stats:?}");
    let sink = sink(&audit);
    assert_eq!((sink.skipped, sink.conflicts, sink.healthy), (0, 0, true), "{name}: {sink:?}");
    audit.shutdown(LONG).unwrap();
    for category in ["data", "system"] {
        let expected = expected(dir.path(), category, 10_000);
        assert!(redis.list(category) == expected, "{name}: {category}");
    }
}

#[test]
fn a_redis_without_memory_blocks_nobody_and_is_caught_up() {
    goes_on_and_is_caught_up(&FAULTS[0]);
}

#[test]
fn a_redis_that_is_read_only_blocks_nobody_and_is_caught_up() {
    goes_on_and_is_caught_up(&FAULTS[1]);
}

#[test]
fn a_redis_with_a_key_of_the_wrong_type_blocks_nobody_and_is_caught_up() {
    goes_on_and_is_caught_up(&FAULTS[2]);
}

#[test]
fn a_redis_that_is_replaced_by_an_empty_one_blocks_nobody_and_is_filled() {
    goes_on_and_is_caught_up(&FAULTS[3]);
}

#[test]
fn a_flood_under_a_redis_that_is_down_or_answers_errors_takes_no_memory() {
    for fault in [&FAULTS[0], &FAULTS[3]] {
        let mut redis = RedisServer::start();
        (fault.begin)(&mut redis);
        let dir = tempfile::tempdir().unwrap();
        let mut flood = Command::new(env!("CARGO_BIN_EXE_flood"));
        let flood = Process::run_well(flood.arg(dir.path()).arg("500000").arg(redis.url()));
        let said: Vec<u64> =
            flood.stdout.split_whitespace().map(|number| number.parse().unwrap()).collect();
        let grown = said[1] - said[0];
        println!("{}: {grown} KiB more", fault.name);
        assert!(grown < 64 * 1024, "{}: {grown} KiB", fault.name);
    }
}

#[test]
fn scripts_that_redis_forgot_are_sent_again() {
    let mut redis = RedisServer::start();
    let dir = tempfile::tempdir().unwrap();
    let (layer, audit) = builder(dir.path(), redis.url()).build().unwrap();
    tracing::subscriber::with_default(tracing_subscriber::registry().with(layer), || {
        for round in 0..3 {
            emit(round * 1000..(round + 1) * 1000);
            eventually("Redis has them", || lag(&audit) == 0);
            tell(&mut redis, &["SCRIPT", "FLUSH"]);
        }
    });
    audit.shutdown(LONG).unwrap();
    assert_eq!(redis.list("data"), expected(dir.path(), "data", 10_000));
    assert_eq!(redis.list("data").len(), 3000);
}
