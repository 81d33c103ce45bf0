//! `audit-server demo`, as someone who tries it meets it.

use std::{process::Command, time::Duration};

use tests::{demo::Demo, programs::audit_server, trail_files::eventually};

/// Runs one of the curl lines that it printed.
fn try_line(demo: &Demo, number: usize) -> serde_json::Value {
    let said = demo.said();
    let line = said.lines().filter(|line| line.trim().starts_with("curl ")).nth(number);
    let line = format!("{} -s", line.expect("three curl lines").trim());
    let output = Command::new("sh").args(["-c", &line]).output().unwrap();
    serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{line}: {output:?}"))
}

#[test]
fn it_serves_a_month_of_history_and_live_events_and_ends_in_good_order() {
    let demo = Demo::start(&[], None);
    assert!(demo.said().contains("Redis: not used"), "{}", demo.said());
    for number in 0..3 {
        let page = try_line(&demo, number);
        assert!(!page["records"].as_array().unwrap().is_empty(), "curl line {number}: {page}");
    }
    let newest = |demo: &Demo| try_line(demo, 0)["records"][0]["seq"].as_u64();
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
    let demo = Demo::start(&["--seconds", "2", "--days", "2"], Some(redis.url()));
    assert!(!demo.said().contains("not used"), "{}", demo.said());
    assert!(demo.wait().success());
    for category in ["auth", "trade", "financial", "api", "data", "system"] {
        assert!(!redis.list(category).is_empty(), "{category}");
    }
}
