//! Events a second into Redis, beside the same commands in pipelines written by hand.

use std::{
    net::TcpListener,
    path::Path,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use audit_layer::{AuditLayer, Durable};
use tracing_subscriber::prelude::*;

use crate::{
    in_child,
    report::Outcome,
    subject::{emit, span},
};

const EVENTS: u64 = 200_000;
/// What the layer keeps of a category, and how many records it pushes at once.
const KEPT: usize = 10_000;
const PUSH: usize = 500;
const TTL: u64 = 86_400;

/// A redis-server that keeps nothing on the disk; killed when dropped.
pub struct Server {
    child: Child,
    dir: tempfile::TempDir,
    pub url: String,
}

impl Server {
    pub fn start() -> Self {
        let free = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let port = free.local_addr().expect("an address").port();
        drop(free);
        let dir = tempfile::tempdir().expect("a directory");
        let child = Command::new("redis-server")
            .args(["--bind", "127.0.0.1", "--port", &port.to_string(), "--save", ""])
            .arg("--dir")
            .arg(dir.path())
            .stdout(Stdio::null())
            .spawn()
            .expect("redis-server cannot be started; install it: apt-get install redis-server");
        let server = Self { child, dir, url: format!("redis://127.0.0.1:{port}") };
        let until = Instant::now() + Duration::from_secs(30);
        while server.client().get_connection().is_err() {
            assert!(Instant::now() < until, "redis-server does not answer");
            std::thread::sleep(Duration::from_millis(10));
        }
        server
    }

    fn client(&self) -> redis::Client {
        redis::Client::open(self.url.as_str()).expect("an address")
    }

    pub fn stall(&self) {
        let stopped = Command::new("kill").args(["-STOP", &self.child.id().to_string()]).status();
        assert!(stopped.is_ok_and(|status| status.success()), "the server goes on");
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = &self.dir;
    }
}

pub fn measure(arguments: &[&str]) -> Outcome {
    let server = Server::start();
    let dir = tempfile::tempdir().expect("a directory");
    let seconds = match arguments {
        ["audit"] => record(&server.url, dir.path()),
        ["by-hand", how] => {
            // The lines come from the layer itself; what they cost is not measured.
            let file = dir.path().join("audit.log");
            record_lines(&file);
            let text = std::fs::read_to_string(file).expect("the file");
            let lines: Vec<_> = text.lines().collect();
            match *how {
                "script" => in_scripts(&server, &lines),
                _ => in_pushes(&server, &lines, how.parse().expect("records for an LPUSH")),
            }
        }
        other => panic!("no {other:?}"),
    };
    let mut outcome = Outcome::default();
    outcome.set("per-second", EVENTS as f64 / seconds.as_secs_f64());
    outcome
}

/// From the first macro until Redis has everything.
fn record(url: &str, dir: &Path) -> Duration {
    let (layer, audit) = AuditLayer::builder()
        .service("bench")
        .redis(url)
        .journal(dir)
        .flush_interval(Duration::from_millis(20))
        .durable(Durable::none())
        .block_timeout(Duration::from_secs(600))
        .build()
        .expect("a layer");
    tracing_subscriber::registry().with(layer).init();
    let started = Instant::now();
    {
        let _span = span().entered();
        (0..EVENTS).for_each(emit);
    }
    loop {
        let stats = audit.stats();
        if stats.sinks.iter().all(|sink| sink.last_seq > EVENTS) {
            break;
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    let seconds = started.elapsed();
    audit.shutdown(Duration::from_secs(60)).expect("an end");
    seconds
}

fn record_lines(path: &Path) {
    let (layer, audit) = AuditLayer::builder()
        .service("bench")
        .file(path)
        .file_rotation(1 << 40, 1)
        .durable(Durable::none())
        .block_timeout(Duration::from_secs(600))
        .build()
        .expect("a layer");
    let dispatch = tracing::Dispatch::new(tracing_subscriber::registry().with(layer));
    tracing::dispatcher::with_default(&dispatch, || {
        let _span = span().entered();
        (0..EVENTS).for_each(emit);
    });
    audit.shutdown(Duration::from_secs(600)).expect("everything is written");
}

/// The commands that the layer sends.
fn in_scripts(server: &Server, lines: &[&str]) -> Duration {
    let script = redis::Script::new(include_str!("../../src/sink/push.lua"));
    let mut connection = server.client().get_connection().expect("a connection");
    let started = Instant::now();
    for (at, part) in lines.chunks(PUSH).enumerate() {
        let expected = if at == 0 { String::new() } else { at.to_string() };
        let mut call = script.prepare_invoke();
        call.key("audit:cursor:bench").key("audit:logs:trade");
        call.arg(expected).arg(at + 1).arg(KEPT).arg(TTL).arg(part.len()).arg(part);
        let moved: Option<String> = call.invoke(&mut connection).expect("an answer");
        assert_eq!(moved, None);
    }
    started.elapsed()
}

/// What the script does, without its cursor and so not safe against a repetition. An LPUSH takes
/// `each` records.
fn in_pushes(server: &Server, lines: &[&str], each: usize) -> Duration {
    let mut connection = server.client().get_connection().expect("a connection");
    let started = Instant::now();
    for part in lines.chunks(PUSH) {
        let mut pipe = redis::pipe();
        for lines in part.chunks(each) {
            pipe.cmd("LPUSH").arg("audit:logs:trade").arg(lines).ignore();
        }
        pipe.cmd("LTRIM").arg("audit:logs:trade").arg(0).arg(KEPT - 1).ignore();
        pipe.cmd("EXPIRE").arg("audit:logs:trade").arg(TTL).ignore();
        pipe.query::<()>(&mut connection).expect("an answer");
    }
    started.elapsed()
}

pub fn report() {
    println!("Events a second into Redis, {PUSH} records a round trip; by hand, lines only:");
    let rate = |arguments: &[&str]| in_child(arguments).get("per-second");
    let audit = rate(&["redis", "audit"]);
    println!("audit, from the macro on           {audit:9.0}");
    for (what, how) in [
        ("the same commands", "script"),
        ("LPUSH each, may repeat", "1"),
        ("one LPUSH, may repeat", "500"),
    ] {
        let hand = rate(&["redis", "by-hand", how]);
        println!("by hand: {what:26}{hand:9.0}   audit does {:.2} of it", audit / hand);
    }
}
