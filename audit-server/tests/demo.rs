//! A demonstration as a process of its own: this program starts itself again and is the child then.
//! The server is a stand-in that listens and answers nothing.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::{
    io::{BufRead, BufReader, Read},
    path::Path,
    process::{Child, ChildStdout, Command, Stdio},
    time::{Duration, Instant},
};

use audit_layer::record;
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

async fn stand_in(site: Site) -> Result<Bound, Failure> {
    let listener = tokio::net::TcpListener::bind(site.listen).await?;
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

    let names = |records: &[Value]| -> std::collections::BTreeSet<String> {
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

#[test]
fn an_address_that_is_taken_is_an_error_and_the_trail_is_closed_all_the_same() {
    let dir = tempfile::tempdir().unwrap();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    // A flag that is given twice is refused, so this one starts the child by hand.
    let mut command = Command::new(std::env::current_exe().unwrap());
    let arguments = ["demo", "--dir", dir.path().to_str().unwrap(), "--listen", &address];
    command.args(["--exact", "child", "--nocapture"]).env(CHILD, arguments.join("\u{1f}"));
    let output = command.env_remove("REDIS_URL").output().unwrap();
    assert!(!output.status.success());
    let err = String::from_utf8(output.stderr).unwrap();
    assert!(err.contains("the server cannot be started"), "{err}");
    assert_eq!(last_type(&trail(dir.path())), "system.shutdown");
}
