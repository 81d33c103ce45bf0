//! `audit-server demo`, as someone who tries it meets it.

use std::{
    io::{BufRead, BufReader},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use tests::{programs::audit_server, trail_files::eventually};

struct Demo {
    child: Child,
    said: Vec<String>,
    dir: tempfile::TempDir,
}

impl Demo {
    fn start(arguments: &[&str], redis: Option<String>) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let mut command = audit_server();
        command.args(["demo", "--listen", "127.0.0.1:0"]).args(arguments);
        command.current_dir(dir.path()).env_remove("REDIS_URL").stdout(Stdio::piped());
        if let Some(url) = redis {
            command.env("REDIS_URL", url);
        }
        let mut child = command.spawn().unwrap();
        let mut said = Vec::new();
        for line in BufReader::new(child.stdout.take().unwrap()).lines() {
            said.push(line.unwrap());
            if said.last().unwrap().starts_with("History: ") {
                break;
            }
        }
        Self { child, said, dir }
    }

    fn said(&self) -> String {
        self.said.join("\n")
    }

    /// Runs one of the curl lines that it printed.
    fn try_line(&self, number: usize) -> serde_json::Value {
        let line = self.said.iter().filter(|line| line.trim().starts_with("curl ")).nth(number);
        let line = format!("{} -s", line.expect("three curl lines").trim());
        let output = Command::new("sh").args(["-c", &line]).output().unwrap();
        serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{line}: {output:?}"))
    }

    fn interrupt(mut self) -> (Duration, tempfile::TempDir) {
        let started = Instant::now();
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").args(["-INT", &pid]).status().unwrap().success());
        assert!(self.child.wait().unwrap().success());
        (started.elapsed(), self.dir)
    }
}

#[test]
fn it_serves_a_month_of_history_and_live_events_and_ends_in_good_order() {
    let demo = Demo::start(&[], None);
    assert!(demo.said().contains("Redis: not used"), "{}", demo.said());
    for number in 0..3 {
        let page = demo.try_line(number);
        assert!(!page["records"].as_array().unwrap().is_empty(), "curl line {number}: {page}");
    }
    let newest = |demo: &Demo| demo.try_line(0)["records"][0]["seq"].as_u64();
    let before = newest(&demo);
    eventually("a live trade is seen", || newest(&demo) > before);

    let (took, dir) = demo.interrupt();
    assert!(took < Duration::from_secs(20), "it took {took:?} to end");
    let log = dir.path().join("audit-demo/logs/audit.log");
    let last = tests::trail_files::parse(&tests::trail_files::lines(&log)).pop().unwrap();
    assert_eq!(last["event_type"], "system.shutdown");
    let verified = audit_server()
        .arg("verify")
        .args([log, dir.path().join("audit-demo/audit.db")])
        .output()
        .unwrap();
    assert_eq!(verified.status.code(), Some(0), "{verified:?}");
}

#[test]
fn it_uses_redis_when_there_is_one_and_ends_by_itself() {
    let redis = tests::redis_server::RedisServer::start();
    let mut demo = Demo::start(&["--seconds", "2", "--days", "2"], Some(redis.url()));
    assert!(!demo.said().contains("not used"), "{}", demo.said());
    assert!(demo.child.wait().unwrap().success());
    for category in ["auth", "trade", "financial", "api", "data", "system"] {
        assert!(!redis.list(category).is_empty(), "{category}");
    }
}
