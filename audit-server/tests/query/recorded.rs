//! What is read, and which keys are changed, on the command line stands in the trail.

use std::{
    fs::{self, Permissions},
    os::unix::fs::PermissionsExt,
    path::Path,
    process::{Command, Output},
};

use rusqlite::{Connection, OpenFlags};
use serde_json::Value;
use tempfile::TempDir;

use super::support::{Trail, event};

fn trail() -> TempDir {
    let directory = tempfile::tempdir().unwrap();
    let mut trail = Trail::create(&directory.path().join("audit.db"));
    trail.write_all((0..5).map(|at| event("auth.login", at)));
    directory
}

fn run(directory: &Path, args: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_audit-server"));
    command.args(args).current_dir(directory).env_clear().output().unwrap()
}

fn printed(directory: &Path, args: &[&str]) -> String {
    let output = run(directory, args);
    assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// The records of the commands so far, but those about their stream.
fn own(directory: &Path) -> Vec<Value> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY;
    let trail = Connection::open_with_flags(directory.join("audit.db"), flags).unwrap();
    let sql = "SELECT record FROM audit_logs WHERE stream LIKE 'audit-server@%' ORDER BY arrival";
    let mut statement = trail.prepare(sql).unwrap();
    let lines = statement.query_map([], |row| row.get::<_, String>(0)).unwrap();
    lines
        .map(|line| serde_json::from_str::<Value>(&line.unwrap()).unwrap())
        .filter(|record| record["category"] != "system")
        .collect()
}

#[test]
fn each_command_that_reads_is_recorded_with_who_what_and_how_much() {
    let directory = trail();
    let at = directory.path();
    let lines = printed(at, &["query", "--type", "auth.*", "--limit", "3", "--output", "jsonl"]);
    assert_eq!(lines.lines().count(), 3);
    // What it records is not among what it reads, nor is anything of it left for the next.
    assert!(!printed(at, &["query", "--all", "--output", "jsonl"]).contains("\"pending\"}"));
    printed(at, &["export", "category = auth", "--output", "out.ndjson"]);
    printed(at, &["report", "security", "--days", "3"]);
    let records = own(at);
    let user = format!("uid:{}", rustix::process::getuid().as_raw());
    let told: Vec<_> = records
        .iter()
        .map(|record| {
            assert_eq!(record["user_id"], *user);
            assert_eq!(record["data_classification"], "restricted");
            let text = |value: &Value| value.as_str().unwrap().to_owned();
            let rows = record["details"]["rows"].as_u64();
            assert_eq!(record["duration_us"].is_u64(), record["status"] != "pending");
            (
                text(&record["event_type"]),
                text(&record["resource"]),
                text(&record["status"]),
                text(&record["details"]["query"]),
                rows,
            )
        })
        .collect();
    let expected = [
        ("data.access", "audit-server query", "event_type=auth.*", Some(3)),
        ("data.access", "audit-server query", "", None),
        ("data.export", "audit-server export", "filter=category+%3D+auth", Some(5)),
        ("data.access", "audit-server report", "report=security&days=3", None),
    ];
    assert_eq!(told.len(), 2 * expected.len(), "{told:#?}");
    for (both, (kind, resource, query, rows)) in told.chunks(2).zip(expected) {
        for ((event_type, of, status, asked, count), expected) in
            both.iter().zip(["pending", "success"])
        {
            assert_eq!((&**event_type, &**of, &**status), (kind, resource, expected));
            assert!(asked.contains(query), "{asked}");
            assert!(expected != "success" || rows.is_none() || *count == rows, "{both:?}");
        }
    }
}

#[test]
fn a_command_that_fails_is_recorded_as_that() {
    let directory = trail();
    let failed = run(directory.path(), &["query", "--cursor", "AAAA"]);
    assert!(!failed.status.success());
    let statuses: Vec<_> =
        own(directory.path()).iter().map(|record| record["status"].clone()).collect();
    assert_eq!(statuses, ["pending", "failure"]);
}

#[test]
fn a_change_of_a_key_is_recorded_and_its_secret_is_not() {
    let directory = trail();
    let at = directory.path();
    let key = printed(at, &["keys", "create", "--name", "n", "--role", "viewer", "--tenant", "t"]);
    let key = key.trim();
    let id = &key[3..11];
    let new = printed(at, &["keys", "rotate", id]);
    printed(at, &["keys", "revoke", key]);
    printed(at, &["keys", "list"]);
    let records = own(at);
    let of = |name: &str| records.iter().map(|it| it[name].clone()).collect::<Vec<_>>();
    assert_eq!(of("event_type"), ["admin.key_created", "admin.key_created", "admin.key_revoked"]);
    assert_eq!(of("action"), ["create", "rotate", "revoke"]);
    assert_eq!(of("resource")[0], format!("keys/{id}"));
    assert_eq!(records[0]["details"]["of_tenant"], "t");
    assert_eq!(records[1]["details"]["replaces"], *id);
    let all = serde_json::to_string(&records).unwrap();
    assert!(!all.contains(&key[12..]) && !all.contains(new.trim()[12..].trim()));
}

#[test]
fn what_cannot_be_recorded_is_done_and_told_of() {
    let directory = tempfile::tempdir().unwrap();
    let output = run(directory.path(), &["keys", "create", "--name", "n"]);
    assert!(output.status.success());
    let told = String::from_utf8(output.stderr).unwrap();
    assert!(told.contains("this is not recorded: there is no trail at audit.db"), "{told}");
    assert!(!directory.path().join("audit.db").exists(), "the command makes no trail");

    // One that does not want it leaves a copy as it is.
    let directory = trail();
    let path = directory.path().join("audit.db");
    let before = fs::read(&path).unwrap();
    let args = ["query", "--output", "jsonl", "--journal", "off"];
    assert_eq!(printed(directory.path(), &args).lines().count(), 5);
    assert_eq!(fs::read(&path).unwrap(), before);

    // A place where nothing can be written: who is root may write everywhere.
    if !rustix::process::getuid().is_root() {
        fs::set_permissions(directory.path(), Permissions::from_mode(0o500)).unwrap();
        let output = run(directory.path(), &["query", "--output", "jsonl"]);
        fs::set_permissions(directory.path(), Permissions::from_mode(0o700)).unwrap();
        assert!(String::from_utf8(output.stderr).unwrap().contains("this is not recorded"));
    }
    // A journal that cannot be one.
    fs::write(directory.path().join("audit-server-journal"), "a file").unwrap();
    let output = run(directory.path(), &["query", "--output", "jsonl"]);
    let told = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success() && told.contains("this is not recorded"), "{told}");
    assert_eq!(String::from_utf8(output.stdout).unwrap().lines().count(), 5);
}

#[test]
fn a_command_records_beside_a_server_that_runs() {
    let directory = trail();
    // Another process has the journal's first place.
    let mut server = Command::new(env!("CARGO_BIN_EXE_audit-server"))
        .args(["serve", "--listen", "127.0.0.1:0"])
        .current_dir(directory.path())
        .env_clear()
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::null())
        .spawn()
        .unwrap();
    let mut line = String::new();
    let out = server.stdout.take().unwrap();
    std::io::BufRead::read_line(&mut std::io::BufReader::new(out), &mut line).unwrap();
    for _ in 0..2 {
        printed(directory.path(), &["query", "--output", "jsonl"]);
    }
    let records = own(directory.path());
    assert_eq!(records.len(), 4);
    let streams: std::collections::BTreeSet<_> =
        records.iter().map(|record| record["stream"].as_str().unwrap()).collect();
    assert_eq!(streams.len(), 1, "one command after another goes on with a stream");
    server.kill().unwrap();
    server.wait().unwrap();
    let verified = run(directory.path(), &["verify", "audit.db"]);
    assert!(verified.status.success(), "{}", String::from_utf8_lossy(&verified.stdout));
}
