//! A demonstration as a process of its own: this program starts itself again and is the child then.
//! The server is a stand-in that answers nothing, where no test asks it.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::{
    collections::{BTreeMap, BTreeSet},
    io::{BufRead, BufReader, Read},
    path::{Path, PathBuf},
    process::{Child, ChildStdout, Command, Stdio},
    time::{Duration, Instant},
};

use audit_layer::{AuditLayer, record};
use audit_server::demo::{Bound, DemoArgs, Failure, Site, run};
use clap::Parser;
use serde_json::Value;

const CHILD: &str = "AUDIT_DEMO_TEST_CHILD";
/// Somewhere within this everything that should happen has happened.
const PATIENCE: Duration = Duration::from_secs(60);

#[derive(Parser)]
struct Arguments {
    #[command(flatten)]
    demo: DemoArgs,
}

async fn stand_in(_: Site, listener: tokio::net::TcpListener) -> Result<Bound, Failure> {
    let address = listener.local_addr()?;
    Ok(Bound::new(address, "the-admin-key", |shutdown| async move {
        shutdown.await;
        drop(listener);
        Ok(())
    }))
}

/// Not a test of its own: what the child does.
#[test]
fn child() {
    let Ok(arguments) = std::env::var(CHILD) else { return };
    let arguments = Arguments::parse_from(arguments.split('\u{1f}'));
    let runtime = tokio::runtime::Runtime::new().unwrap();
    if let Err(error) = runtime.block_on(run(arguments.demo, stand_in)) {
        eprintln!("{error}");
        std::process::exit(1);
    }
    std::process::exit(0);
}

struct Demo {
    child: Child,
    out: BufReader<ChildStdout>,
}

impl Demo {
    fn start(dir: &Path, more: &[&str], redis_url: Option<&str>) -> Self {
        let dir = dir.to_str().unwrap();
        let arguments = ["demo", "--dir", dir, "--listen", "127.0.0.1:0"];
        let arguments = [&arguments, more].concat().join("\u{1f}");
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args(["--exact", "child", "--nocapture", "--test-threads=1"]);
        command.env(CHILD, arguments).env_remove("REDIS_URL");
        command.envs(redis_url.map(|url| ("REDIS_URL", url)));
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let out = BufReader::new(child.stdout.take().unwrap());
        Self { child, out }
    }

    /// Reads what it says up to a line that begins so.
    fn until(&mut self, beginning: &str) -> String {
        let mut text = String::new();
        loop {
            let before = text.len();
            assert_ne!(self.out.read_line(&mut text).unwrap(), 0, "no {beginning:?} in:\n{text}");
            if text[before..].starts_with(beginning) {
                return text;
            }
        }
    }

    fn signal(&self, signal: &str) {
        let id = self.child.id().to_string();
        assert!(Command::new("kill").args([signal, &id]).status().unwrap().success());
    }

    /// Waits for the end; gives the rest of what it said and how it ended.
    fn end(mut self) -> (String, String, bool) {
        let began = Instant::now();
        let status = loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                break status;
            }
            if began.elapsed() > PATIENCE {
                self.child.kill().unwrap();
                panic!("it does not end");
            }
            std::thread::sleep(Duration::from_millis(10));
        };
        let (mut out, mut err) = (String::new(), String::new());
        self.out.read_to_string(&mut out).unwrap();
        self.child.stderr.take().unwrap().read_to_string(&mut err).unwrap();
        (out, err, status.success())
    }
}

impl Drop for Demo {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The records of the file and its backups, oldest first, checked link by link.
fn trail(dir: &Path) -> Vec<Value> {
    let mut before = record::Hash::ZERO;
    let mut records = Vec::new();
    for name in ["audit.log.3", "audit.log.2", "audit.log.1", "audit.log"] {
        let text = std::fs::read_to_string(dir.join("logs").join(name)).unwrap_or_default();
        for line in text.lines() {
            let link = record::Link::parse(line).unwrap();
            assert_eq!(link.prev_hash, before.to_string(), "{name}");
            before = record::checked_hash(line.as_bytes()).expect("the hash is that of the line");
            records.push(serde_json::from_str(line).unwrap());
        }
    }
    records
}

fn of_type(records: &[Value], event_type: &str) -> usize {
    records.iter().filter(|record| record["event_type"] == event_type).count()
}

fn last_type(records: &[Value]) -> &str {
    records.last().unwrap()["event_type"].as_str().unwrap()
}

#[test]
fn ctrl_c_ends_a_demonstration_and_its_trail_in_good_order() {
    let dir = tempfile::tempdir().unwrap();
    let mut demo = Demo::start(dir.path(), &["--rate", "100"], None);
    let text = demo.until("History is being written");
    assert!(text.contains("/docs") && text.contains("/openapi.json"), "{text}");
    assert!(text.contains("X-API-Key: the-admin-key"), "{text}");
    assert!(text.contains("Redis: not used (REDIS_URL is not set)"), "{text}");
    demo.until("History: ");
    std::thread::sleep(Duration::from_millis(500));
    demo.signal("-INT");
    let (out, err, success) = demo.end();
    assert!(success && out.contains("Everything is written"), "{out}{err}");

    let records = trail(dir.path());
    assert_eq!(last_type(&records), "system.shutdown");
    assert_eq!(of_type(&records, "demo.history_written"), 1);
    let live = records.iter().filter(|record| record.get("observed_at").is_none()).count();
    assert!(live > 10, "{live} live records");
}

#[test]
fn sigterm_in_the_middle_of_the_history_ends_it_and_the_next_start_completes_it() {
    let dir = tempfile::tempdir().unwrap();
    // So much of it that it cannot be done at once.
    let mut demo = Demo::start(dir.path(), &["--days", "366"], None);
    demo.until("History is being written");
    demo.signal("-TERM");
    let (out, err, success) = demo.end();
    assert!(success, "{out}{err}");
    let records = trail(dir.path());
    assert_eq!(last_type(&records), "system.shutdown");
    assert_eq!(of_type(&records, "demo.history_written"), 0);

    let mut demo = Demo::start(dir.path(), &["--seconds", "1"], None);
    demo.until("History is being written");
    let (out, err, success) = demo.end();
    assert!(success && out.contains("History: "), "{out}{err}");
    assert_eq!(of_type(&trail(dir.path()), "demo.history_written"), 1);
}

#[test]
fn a_second_start_goes_on_with_the_trail_and_writes_no_second_history() {
    let dir = tempfile::tempdir().unwrap();
    let arguments = ["--days", "2", "--seconds", "1"];
    let (out, err, success) = Demo::start(dir.path(), &arguments, None).end();
    assert!(success && out.contains("History: "), "{out}{err}");
    let before = trail(dir.path());

    let (out, err, success) = Demo::start(dir.path(), &arguments, None).end();
    assert!(success && out.contains("Going on with the trail"), "{out}{err}");
    let after = trail(dir.path());
    assert!(after.len() > before.len() + 10);
    assert_eq!(after[before.len() - 1], before[before.len() - 1]);
    assert_eq!(after[0]["stream"], after[after.len() - 1]["stream"]);
    assert_eq!(of_type(&after, "demo.history_written"), 1);
    assert_eq!(of_type(&after, "system.startup"), 2);

    let names = |records: &[Value]| -> BTreeSet<String> {
        let names = records.iter().filter_map(|record| record["request_id"].as_str());
        names.map(str::to_owned).collect()
    };
    assert!(names(&before).is_disjoint(&names(&after[before.len()..])));
}

#[test]
fn a_redis_that_does_not_answer_is_said_and_does_not_hold_up_the_start() {
    let dir = tempfile::tempdir().unwrap();
    let deaf = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("redis://:secret@{}", deaf.local_addr().unwrap());
    let demo = Demo::start(dir.path(), &["--days", "1", "--seconds", "1"], Some(&url));
    let (out, err, success) = demo.end();
    assert!(success && out.contains("what REDIS_URL names does not answer"), "{out}{err}");
    assert!(!out.contains("secret") && !err.contains("secret"), "{out}{err}");
}

/// `audit-server demo` with its real server.
fn command(dir: &Path, listen: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_audit-server"));
    command.args(["demo", "--days", "1", "--listen", listen, "--dir"]).arg(dir);
    command.env_remove("REDIS_URL").stdin(Stdio::null()).stdout(Stdio::piped());
    command
}

/// Every file below, by its path, with what is in it.
fn files(dir: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path));
        } else {
            found.insert(path.clone(), std::fs::read(&path).unwrap());
        }
    }
    found
}

#[test]
fn a_second_demonstration_on_the_same_address_fails_and_leaves_the_first_its_key() {
    let dir = tempfile::tempdir().unwrap();
    let mut child = command(dir.path(), "127.0.0.1:0").spawn().unwrap();
    let out = BufReader::new(child.stdout.take().unwrap());
    let mut first = Demo { child, out };
    let text = first.until("History: ");
    let after = |beginning: &str| {
        let line = text.lines().find_map(|line| line.strip_prefix(beginning)).unwrap();
        line.split_whitespace().next().unwrap().to_owned()
    };
    let (records, key) = (after("Records"), after("Admin key"));
    let address = records.split('/').nth(2).unwrap();
    let names = || files(dir.path()).into_keys().collect::<Vec<_>>();
    let before = names();

    let second = command(dir.path(), address).stderr(Stdio::piped()).output().unwrap();
    let err = String::from_utf8(second.stderr).unwrap();
    assert!(!second.status.success() && err.contains(address), "{err}");
    assert_eq!(names(), before);
    let elsewhere = dir.path().join("elsewhere");
    assert!(!command(&elsewhere, address).stderr(Stdio::null()).output().unwrap().status.success());
    assert!(!elsewhere.exists());

    let answer = ureq::get(&records).header("X-API-Key", &key).call().map(|answer| answer.status());
    assert_eq!(answer.unwrap(), 200);
    first.signal("-INT");
    first.child.wait().unwrap();
    let streams: BTreeSet<String> =
        trail(dir.path()).iter().map(|record| record["stream"].to_string()).collect();
    assert_eq!(streams.len(), 1, "{streams:?}");
}

#[test]
fn a_directory_with_the_trail_of_another_service_is_refused_and_left_as_it_is() {
    for kind in ["database", "log file"] {
        let dir = tempfile::tempdir().unwrap();
        let journal = tempfile::tempdir().unwrap();
        let builder = AuditLayer::builder().service("payments").journal(journal.path());
        let builder = match kind {
            "database" => builder.sqlite(dir.path().join("audit.db")),
            _ => builder.file(dir.path().join("logs").join("audit.log")),
        };
        let (_layer, guard) = builder.build::<tracing_subscriber::Registry>().unwrap();
        guard.shutdown(PATIENCE).unwrap();
        let before = files(dir.path());
        assert!(!before.is_empty());

        let demo = Demo::start(dir.path(), &["--days", "1", "--seconds", "1"], None);
        let (out, err, success) = demo.end();
        assert!(
            !success && err.contains("payments") && err.contains("--dir"),
            "{kind}: {out}{err}"
        );
        // Whoever reads a database writes into the index of its log.
        let but_the_index = |mut files: BTreeMap<PathBuf, Vec<u8>>| {
            files.entry(dir.path().join("audit.db-shm")).and_modify(Vec::clear);
            files
        };
        let after = but_the_index(files(dir.path()));
        assert!(after == but_the_index(before), "{kind}: something was written");
    }
}

/// A `redis-server` of the test's own.
struct Redis {
    process: Child,
    url: String,
    _directory: tempfile::TempDir,
}

impl Redis {
    fn start() -> Self {
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let directory = tempfile::tempdir().unwrap();
        let process = Command::new("redis-server")
            .args(["--port", &port.to_string(), "--bind", "127.0.0.1", "--save", ""])
            .current_dir(directory.path())
            .stdout(Stdio::null())
            .spawn()
            .expect("this test needs redis-server: install the package redis-server (or redis)");
        let redis =
            Self { process, url: format!("redis://127.0.0.1:{port}"), _directory: directory };
        let until = Instant::now() + PATIENCE;
        while redis::Client::open(&*redis.url).unwrap().get_connection().is_err() {
            assert!(Instant::now() < until, "redis-server does not come up");
            std::thread::sleep(Duration::from_millis(20));
        }
        redis
    }

    fn ask<T: redis::FromRedisValue>(&self, db: u8, command: &[&str]) -> T {
        let client = redis::Client::open(format!("{}/{db}", self.url)).unwrap();
        let mut connection = client.get_connection().unwrap();
        redis::cmd(command[0]).arg(&command[1..]).query(&mut connection).unwrap()
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

#[test]
fn a_redis_with_records_of_another_service_is_not_used() {
    let redis = Redis::start();
    let cursor = "audit:cursor:payments@web-1~k3x9q2";
    redis.ask::<()>(1, &["SET", cursor, "1:0"]);
    let dir = tempfile::tempdir().unwrap();
    let arguments = ["--days", "1", "--seconds", "1"];
    let (out, err, success) = Demo::start(dir.path(), &arguments, Some(&redis.url)).end();
    assert!(success, "{out}{err}");
    assert!(out.contains("Redis: not used: it holds records of another service"), "{out}{err}");
    assert_eq!(redis.ask::<Vec<String>>(1, &["KEYS", "*"]), [cursor]);

    // Another database of it is free, and the demonstration's own cursors are no obstacle.
    let url = format!("{}/2", redis.url);
    for _ in 0..2 {
        let (out, err, success) = Demo::start(dir.path(), &arguments, Some(&url)).end();
        assert!(success && out.contains("Redis: used"), "{out}{err}");
    }
    let lists = redis.ask::<Vec<String>>(2, &["KEYS", "audit:logs:*"]);
    assert!(lists.contains(&"audit:logs:trade".to_owned()), "{lists:?}");
    assert_eq!(redis.ask::<Vec<String>>(1, &["KEYS", "*"]), [cursor]);
}
