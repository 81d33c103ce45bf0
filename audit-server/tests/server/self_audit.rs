//! What is asked of the server stands in the trail.

use std::{
    path::Path,
    process::Command,
    thread,
    time::{Duration, Instant},
};

use audit_server::{Config, NewKey, Role};
use rusqlite::{Connection, OpenFlags};
use serde_json::{Value, json};

use super::support::{Answer, Fixture, Running, config_in, event};

/// The records of the server's own stream so far, but those about the stream itself.
pub(crate) fn own(trail: &Path) -> Vec<Value> {
    let trail = Connection::open_with_flags(trail, OpenFlags::SQLITE_OPEN_READ_ONLY).unwrap();
    let mut statement = trail
        .prepare(
            "SELECT record FROM audit_logs WHERE stream LIKE 'audit-server@%' ORDER BY arrival",
        )
        .unwrap();
    let lines = statement.query_map([], |row| row.get::<_, String>(0)).unwrap();
    lines
        .map(|line| serde_json::from_str::<Value>(&line.unwrap()).unwrap())
        .filter(|record| record["category"] != "system")
        .collect()
}

/// The records, once there are so many.
pub(crate) fn eventually(trail: &Path, count: usize) -> Vec<Value> {
    let begun = Instant::now();
    loop {
        let records = own(trail);
        if records.len() >= count {
            return records;
        }
        assert!(begun.elapsed() < Duration::from_secs(60), "{records:#?}");
        thread::sleep(Duration::from_millis(50));
    }
}

fn recording() -> Fixture {
    Fixture::start(|config| config.journal = Some(config.db.with_file_name("journal")))
}

fn send(fixture: &Fixture, method: &str, path: &str, key: &str) -> Answer {
    fixture.server.send(method, path, &[("x-api-key", key), ("content-length", "0")])
}

#[test]
fn who_read_what_and_how_much_is_recorded() {
    let fixture = recording();
    let mut trail = fixture.create_trail();
    let lines = trail.write_all((0..3).map(|at| event("auth.login", at)));
    let id: Value = serde_json::from_str(&lines[0]).unwrap();
    let id = id["id"].as_str().unwrap();
    let path = fixture.directory.path().join("audit.db");
    // The first request may come before the server has seen that there is a trail.
    fixture.get("/audit/logs?event_type=auth.*&limit=2").ok();
    fixture.get(&format!("/audit/logs/{id}")).ok();
    fixture.get("/audit/stats").ok();
    fixture.get("/audit/reports/security?days=1").ok();
    fixture.get("/audit/logs?nonsense=1").problem(400);
    fixture.get("/health/detail").json();
    fixture.server.send("GET", "/health", &[]).ok();
    let export = send(&fixture, "POST", "/audit/export?q=login", &fixture.key);
    assert_eq!((export.status, export.body.lines().count()), (200, 0));
    let made = send(&fixture, "POST", "/audit/keys?name=grafana&role=viewer", &fixture.key).ok();
    let new = made["about"]["id"].as_str().unwrap();
    let rotated = send(&fixture, "POST", &format!("/audit/keys/{new}/rotate"), &fixture.key).ok();
    let next = rotated["about"]["id"].as_str().unwrap();
    send(&fixture, "DELETE", &format!("/audit/keys/{next}"), &fixture.key).ok();
    fixture.get("/audit/keys").ok();

    let records = eventually(&path, 11);
    let told: Vec<_> = records
        .iter()
        .map(|it| {
            let details = &it["details"];
            (
                it["event_type"].as_str().unwrap(),
                it["resource"].as_str().unwrap().replace(new, "NEW").replace(next, "NEXT"),
                it["status"].as_str().unwrap(),
                details["rows"].as_u64(),
                details["query"].as_str().unwrap_or_default(),
            )
        })
        .collect();
    let line = format!("/audit/logs/{id}");
    let of = |kind, path: &str, status, rows, query| (kind, path.to_owned(), status, rows, query);
    let expected = [
        of("data.access", "/audit/logs", "success", Some(2), "event_type=auth.*&limit=2"),
        of("data.access", &line, "success", Some(1), ""),
        of("data.access", "/audit/stats", "success", None, ""),
        of("data.access", "/audit/reports/security", "success", None, "days=1"),
        of("data.access", "/audit/logs", "failure", None, "nonsense=1"),
        of("data.export", "/audit/export", "pending", None, "q=login"),
        of("data.export", "/audit/export", "success", Some(0), "q=login"),
        of("admin.key_created", "keys/NEW", "success", None, ""),
        of("admin.key_created", "keys/NEXT", "success", None, ""),
        of("admin.key_revoked", "keys/NEXT", "success", None, ""),
        of("data.access", "/audit/keys", "success", None, ""),
    ];
    assert_eq!(told, expected);
    let admin = fixture.keys.list().unwrap().remove(0);
    for record in &records {
        assert_eq!(record["user_id"], admin.id.as_str(), "{record}");
        assert_eq!(record["username"], "tests", "{record}");
        assert_eq!(record["ip_address"], "127.0.0.1", "{record}");
        let text = record.to_string();
        assert!(!text.contains(&fixture.key[12..]), "{record}");
        assert!(!text.contains(&made["key"].as_str().unwrap()[12..]), "{record}");
    }
    assert_eq!(records[8]["details"]["replaces"], new);
    assert_eq!(records[7]["details"]["role"], "viewer");
    assert_eq!(records[5]["details"]["export"], records[6]["details"]["export"]);
    assert_eq!(fixture.get("/health/detail").json()["recording"], "ok");
    // None of this was done by a read of its own.
    thread::sleep(Duration::from_millis(1500));
    assert_eq!(own(&path).len(), expected.len());
}

#[test]
fn a_read_of_reads_is_one_more_and_no_loop() {
    let fixture = recording();
    drop(fixture.create_trail());
    let path = fixture.directory.path().join("audit.db");
    for round in 1..=3_usize {
        fixture.get("/audit/logs?event_type=data.access").ok();
        let records = eventually(&path, round);
        assert_eq!(records.len(), round, "{records:#?}");
    }
    // The chain of the server's stream is whole, for who holds the files alone.
    let Fixture { directory, server, .. } = fixture;
    drop(server);
    let verify = Command::new(env!("CARGO_BIN_EXE_audit-server"))
        .args(["verify", "audit.db"])
        .current_dir(directory.path())
        .env_clear()
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&verify.stdout).into_owned();
    assert!(verify.status.success(), "{said} {}", String::from_utf8_lossy(&verify.stderr));
    assert!(said.contains("audit-server@"), "{said}");
}

#[test]
fn the_server_makes_no_trail_and_records_what_was_before_once_there_is_one() {
    let fixture = recording();
    let path = fixture.directory.path().join("audit.db");
    fixture.get("/audit/logs?limit=7").problem(503);
    thread::sleep(Duration::from_millis(1500));
    assert!(!path.exists(), "the trail is the application's to make");
    assert_eq!(fixture.get("/health/detail").json()["recording"], "waiting");
    drop(fixture.create_trail());
    let mut records = eventually(&path, 1);
    assert_eq!(records[0]["status"], "error", "{records:#?}");
    let details = &mut records[0]["details"];
    // The record is of when there was a trail.
    let asked = details.as_object_mut().unwrap().remove("asked_at").unwrap();
    assert_eq!(details["query"], "limit=7");
    assert!(asked.as_str().unwrap() < records[0]["timestamp"].as_str().unwrap());
}

#[test]
fn what_was_asked_is_written_when_the_server_ends() {
    let fixture = recording();
    drop(fixture.create_trail());
    let path = fixture.directory.path().join("audit.db");
    fixture.get("/audit/financial").ok();
    for _ in 0..25 {
        fixture.server.send("GET", "/audit/logs", &[("x-api-key", "ak_nobody")]).problem(401);
    }
    let (_, viewer) = fixture.keys.make(&NewKey::new("v", Role::Viewer)).unwrap();
    send(&fixture, "GET", "/audit/anomalies", viewer.expose()).problem(403);
    let Fixture { directory, server, .. } = fixture;
    drop(server);
    let records = own(&path);
    let of = |kind: &str| -> Vec<&Value> {
        records.iter().filter(|record| record["event_type"] == kind).collect()
    };
    assert_eq!(of("data.access").len(), 1);
    let refused = of("auth.failed");
    // Ten by themselves, and the others in one.
    assert_eq!(refused.len(), 11, "{records:#?}");
    assert!(refused[..10].iter().all(|record| record["details"]["count"] == Value::Null));
    assert_eq!(refused[10]["details"]["count"], 15);
    assert!(refused.iter().all(|record| record["ip_address"] == "127.0.0.1"));
    let denied = of("auth.permission_denied");
    assert_eq!(denied.len(), 1);
    assert_eq!((&denied[0]["status"], &denied[0]["username"]), (&json!("denied"), &json!("v")));
    assert!(!records.iter().any(|record| record.to_string().contains("ak_nobody")));
    drop(directory);
}

#[test]
fn no_record_of_a_read_tells_a_secret_or_what_a_viewer_must_not_see() {
    let fixture = recording();
    let mut trail = fixture.create_trail();
    trail.write(event("auth.login", 0));
    let path = fixture.directory.path().join("audit.db");
    // A key by mistake where its id belongs, and in a query.
    let key = &fixture.key;
    send(&fixture, "DELETE", &format!("/audit/keys/{key}"), key).problem(400);
    send(&fixture, "POST", &format!("/audit/keys/{key}/rotate"), key).problem(400);
    fixture.get(&format!("/audit/logs/{key}")).problem(400);
    fixture.get(&format!("/audit/logs?q={key}")).ok();
    fixture.get(&format!("/audit/logs?{key}=1")).problem(400);
    fixture.get("/audit/logs?details[account]=DE02%209999").ok();
    let records = eventually(&path, 6);
    let text = Value::from(records.clone()).to_string();
    assert!(!text.contains(&key[12..40]), "{text}");
    let kinds: Vec<_> = records.iter().map(|it| it["event_type"].as_str().unwrap()).collect();
    assert_eq!(kinds[..3], ["admin.action", "admin.action", "data.access"]);
    assert!(text.contains("9999"), "an auditor sees what was asked");
    let (_, viewer) = fixture.keys.make(&NewKey::new("v", Role::Viewer)).unwrap();
    let seen = send(&fixture, "GET", "/audit/logs?event_type=data.*", viewer.expose());
    assert_eq!(seen.ok()["records"].as_array().unwrap().len(), 4);
    assert!(!seen.body.contains("9999") && !seen.body.contains("rows"), "{}", seen.body);
}

#[test]
fn a_setting_that_was_changed_is_told_at_the_next_start() {
    let mut fixture = recording();
    fixture.create_trail();
    let trail = fixture.directory.path().join("audit.db");
    let mut start = |change: &dyn Fn(&mut Config)| {
        fixture.server.begin_stop();
        fixture.server.wait();
        let mut config = config_in(fixture.directory.path());
        config.journal = Some(config.db.with_file_name("journal"));
        change(&mut config);
        fixture.server = Running::start(config);
    };
    let changed = |config: &mut Config| {
        config.readers = 3;
        config.redis_url = Some("redis://user:hunter2@127.0.0.1:1/0".parse().unwrap());
    };
    start(&|_| {});
    start(&changed);
    start(&changed);
    // Nobody records what is changed now, but that nobody did is told later.
    start(&|config| {
        config.readers = 5;
        config.journal = None;
    });
    start(&|config| config.readers = 5);
    let records = eventually(&trail, 5);
    assert!(!format!("{records:?}").contains("hunter2"), "{records:#?}");
    let told: Vec<_> = records
        .iter()
        .map(|it| {
            assert_eq!(it["event_type"], "admin.config_changed");
            assert!(it["user_id"].as_str().unwrap().starts_with("uid:"), "{it}");
            let name = it["resource"].as_str().unwrap().strip_prefix("settings/").unwrap();
            let values = ["before", "now"].map(|name| it["details"][name].as_str().unwrap());
            (name, values[0] == "none", values[1] == "none")
        })
        .collect();
    let expected = [
        ("redis_url", true, false),
        ("readers", false, false),
        ("journal", true, false),
        ("redis_url", false, true),
        ("readers", false, false),
    ];
    assert_eq!(told, expected, "{records:#?}");
}
