//! Several processes, restarts and crashes.

use std::{
    io::{BufRead, BufReader},
    path::Path,
    process::{Child, ChildStdin, Command, Stdio},
};

use tests::trail_files::{database_lines, lines, of_type, parse, verify_with_python};

struct Writer {
    child: Child,
    stdin: Option<ChildStdin>,
    stream: String,
}

impl Writer {
    fn start(dir: &Path, service: &str, events: u64) -> Self {
        Self::start_with(dir, service, events, &[])
    }

    fn start_with(dir: &Path, service: &str, events: u64, more: &[&str]) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_writer"))
            .args([dir.to_str().unwrap(), service, &events.to_string()])
            .args(more)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut said = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut said).unwrap();
        let stream = said.trim().strip_prefix("ready ").expect("the writer is ready").to_owned();
        let stdin = child.stdin.take();
        Self { child, stdin, stream }
    }

    fn end(mut self) {
        drop(self.stdin.take());
        assert!(self.child.wait().unwrap().success());
    }

    fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

#[test]
fn two_live_processes_of_one_service_write_two_streams_and_damage_no_line() {
    let dir = tempfile::tempdir().unwrap();
    let first = Writer::start(dir.path(), "payments", 3000);
    let second = Writer::start(dir.path(), "payments", 3000);
    assert_ne!(first.stream, second.stream);
    let streams = [first.stream.clone(), second.stream.clone()];
    first.end();
    second.end();

    let files = ["audit.log", "audit#2.log"].map(|name| dir.path().join(name));
    for (file, stream) in files.iter().zip(&streams) {
        let records = parse(&lines(file));
        assert!(records.iter().all(|record| record["stream"] == stream.as_str()));
        assert_eq!(of_type(&records, "data.read").len(), 3000);
        verify_with_python(std::slice::from_ref(file)).unwrap();
    }
    let all = parse(&database_lines(dir.path().join("audit.db")));
    for stream in &streams {
        let count = all.iter().filter(|r| r["stream"] == stream.as_str()).count();
        assert_eq!(count, 3002, "with startup and shutdown");
    }
}

#[test]
fn a_restarted_service_goes_on_with_its_stream() {
    let dir = tempfile::tempdir().unwrap();
    let first = Writer::start(dir.path(), "payments", 10);
    let stream = first.stream.clone();
    first.end();
    let second = Writer::start(dir.path(), "payments", 10);
    assert_eq!(second.stream, stream);
    second.end();
    let records = parse(&lines(dir.path().join("audit.log")));
    let numbers: Vec<_> = records.iter().map(|record| record["seq"].as_u64().unwrap()).collect();
    assert_eq!(numbers, (1..=24).collect::<Vec<_>>());
    verify_with_python(&[dir.path().join("audit.log")]).unwrap();
}

#[test]
fn a_killed_process_frees_its_stream_and_the_chain_goes_on() {
    let dir = tempfile::tempdir().unwrap();
    let first = Writer::start(dir.path(), "payments", 500);
    let stream = first.stream.clone();
    first.kill();
    let second = Writer::start(dir.path(), "payments", 10);
    assert_eq!(second.stream, stream);
    second.end();
    let records = parse(&lines(dir.path().join("audit.log")));
    assert_eq!(of_type(&records, "system.startup").len(), 2);
    assert_eq!(of_type(&records, "data.read").len(), 510);
    verify_with_python(&[dir.path().join("audit.log")]).unwrap();
    let database = database_lines(dir.path().join("audit.db"));
    assert_eq!(database, lines(dir.path().join("audit.log")));
}

#[test]
fn a_sink_that_a_crash_left_behind_is_caught_up_from_the_other() {
    let dir = tempfile::tempdir().unwrap();
    Writer::start(dir.path(), "payments", 2500).end();
    let log = dir.path().join("audit.log");
    let whole = lines(&log);
    // The file loses its tail, torn inside a line, as a power cut may leave it.
    let kept: String = whole[..700].iter().map(|line| format!("{line}\n")).collect();
    std::fs::write(&log, format!("{kept}{}", &whole[700][..50])).unwrap();

    Writer::start(dir.path(), "payments", 1).end();
    let now = lines(&log);
    assert_eq!(now[..whole.len()], whole);
    assert_eq!(now, database_lines(dir.path().join("audit.db")));
    verify_with_python(&[log]).unwrap();
}

#[test]
fn another_service_in_the_same_directory_has_a_stream_of_its_own() {
    let dir = tempfile::tempdir().unwrap();
    Writer::start(dir.path(), "payments", 5).end();
    let other = Writer::start(dir.path(), "ledger", 5);
    assert!(other.stream.starts_with("ledger@"));
    other.end();
    assert_eq!(lines(dir.path().join("audit.log")).len(), 7);
    assert_eq!(lines(dir.path().join("audit#2.log")).len(), 7);
}

#[test]
fn a_database_that_a_crash_left_empty_is_given_what_the_file_holds() {
    let dir = tempfile::tempdir().unwrap();
    Writer::start(dir.path(), "payments", 800).end();
    for name in ["audit.db", "audit.db-wal", "audit.db-shm"] {
        let _ = std::fs::remove_file(dir.path().join(name));
    }
    Writer::start(dir.path(), "payments", 1).end();
    assert_eq!(database_lines(dir.path().join("audit.db")), lines(dir.path().join("audit.log")));
}

#[test]
fn a_foreign_line_at_the_end_of_the_file_does_not_restart_the_numbers() {
    let dir = tempfile::tempdir().unwrap();
    Writer::start(dir.path(), "payments", 20).end();
    let log = dir.path().join("audit.log");
    let mut text = std::fs::read_to_string(&log).unwrap();
    text.push_str("# somebody's note\n");
    std::fs::write(&log, text).unwrap();
    Writer::start(dir.path(), "payments", 20).end();
    let now = lines(&log);
    let ours: Vec<String> = now.iter().filter(|line| line.starts_with('{')).cloned().collect();
    assert_eq!(ours.len(), now.len() - 1);
    assert_eq!(ours, database_lines(dir.path().join("audit.db")));
}

#[test]
fn without_a_journal_when_every_record_is_gone_a_new_stream_names_the_old_one() {
    let dir = tempfile::tempdir().unwrap();
    let first = Writer::start_with(dir.path(), "payments", 5, &["memory"]);
    let old = first.stream.clone();
    first.end();
    for name in ["audit.db", "audit.db-wal", "audit.db-shm", "audit.log"] {
        std::fs::remove_file(dir.path().join(name)).unwrap();
    }
    let second = Writer::start_with(dir.path(), "payments", 5, &["memory"]);
    assert_ne!(second.stream, old, "its numbers would stand for other records");
    second.end();
    let records = parse(&lines(dir.path().join("audit.log")));
    assert_eq!(records[1]["event_type"], "system.stream_opened");
    assert_eq!(records[1]["details"]["predecessor"], old.as_str());
}

#[test]
fn without_a_journal_what_no_sink_holds_any_more_is_told_in_the_trail() {
    let dir = tempfile::tempdir().unwrap();
    Writer::start_with(dir.path(), "payments", 100, &["memory"]).end();
    let log = dir.path().join("audit.log");
    // The file lost its tail, and the database is gone: nobody has the records in between.
    let db = rusqlite::Connection::open(dir.path().join("audit.db")).unwrap();
    db.execute_batch(
        "DROP TRIGGER audit_logs_keep_delete; DELETE FROM audit_logs WHERE seq BETWEEN 40 AND 60;",
    )
    .unwrap();
    drop(db);
    let kept: String = lines(&log)[..30].iter().map(|line| format!("{line}\n")).collect();
    std::fs::write(&log, kept).unwrap();
    Writer::start_with(dir.path(), "payments", 1, &["memory"]).end();
    let records = parse(&database_lines(dir.path().join("audit.db")));
    let gap = of_type(&records, "system.audit_gap").pop().unwrap().clone();
    assert_eq!(gap["details"]["sink"], "file");
    assert_eq!(gap["details"]["first_seq"], 40);
    assert_eq!(gap["details"]["last_seq"], 102);
}

#[test]
fn what_the_sinks_lost_comes_back_from_the_journal() {
    let dir = tempfile::tempdir().unwrap();
    let first = Writer::start(dir.path(), "payments", 100);
    let stream = first.stream.clone();
    first.end();
    let log = dir.path().join("audit.log");
    let before = lines(&log);
    for name in ["audit.db", "audit.db-wal", "audit.db-shm", "audit.log"] {
        std::fs::remove_file(dir.path().join(name)).unwrap();
    }
    let second = Writer::start(dir.path(), "payments", 5);
    assert_eq!(second.stream, stream);
    second.end();
    let now = lines(&log);
    assert!(now[..before.len()] == before[..], "byte for byte the records that they were");
    assert_eq!(of_type(&parse(&now), "data.read").len(), 105);
    assert!(database_lines(dir.path().join("audit.db")) == now);
    verify_with_python(std::slice::from_ref(&log)).unwrap();
}

#[test]
fn a_writer_without_a_journal_delivers_what_one_with_a_journal_left() {
    let dir = tempfile::tempdir().unwrap();
    Writer::start(dir.path(), "payments", 50).end();
    std::fs::remove_file(dir.path().join("audit.log")).unwrap();
    for name in ["audit.db", "audit.db-wal", "audit.db-shm"] {
        std::fs::remove_file(dir.path().join(name)).unwrap();
    }
    Writer::start_with(dir.path(), "payments", 5, &["memory"]).end();
    let all = lines(dir.path().join("audit.log"));
    assert_eq!(of_type(&parse(&all), "data.read").len(), 55);
    assert!(database_lines(dir.path().join("audit.db")) == all);
}

#[test]
fn a_file_without_its_beginning_is_told_of_once() {
    let dir = tempfile::tempdir().unwrap();
    Writer::start(dir.path(), "payments", 30).end();
    let log = dir.path().join("audit.log");
    let kept: String = lines(&log)[10..].iter().map(|line| format!("{line}\n")).collect();
    std::fs::write(&log, kept).unwrap();
    for _ in 0..2 {
        Writer::start(dir.path(), "payments", 1).end();
        let records = parse(&lines(&log));
        let told = of_type(&records, "system.audit_trimmed");
        assert_eq!(told.len(), 1, "{told:#?}");
        assert_eq!(told[0]["details"]["reason"], "missing");
        assert_eq!(told[0]["details"]["last_seq"], 10);
        assert_eq!(told[0]["status"], "failure");
    }
}

#[test]
fn a_stream_whose_journal_was_lost_has_a_successor_that_names_it() {
    let dir = tempfile::tempdir().unwrap();
    let first = Writer::start(dir.path(), "payments", 5);
    let old = first.stream.clone();
    // A second writer at the same time is no successor.
    let beside = Writer::start(dir.path(), "payments", 5);
    beside.end();
    first.end();
    for file in ["audit.log", "audit#2.log"] {
        assert!(of_type(&parse(&lines(dir.path().join(file))), "system.stream_opened").is_empty());
    }
    std::fs::remove_dir_all(dir.path().join("journal")).unwrap();
    let second = Writer::start(dir.path(), "payments", 5);
    assert_ne!(second.stream, old);
    let new = second.stream.clone();
    second.end();
    let all = parse(&lines(dir.path().join("audit.log")));
    let told = of_type(&all, "system.stream_opened");
    assert_eq!(told.len(), 1, "{told:#?}");
    assert_eq!(told[0]["details"]["predecessor"], old.as_str());
    assert_eq!((told[0]["stream"].as_str(), told[0]["seq"].as_u64()), (Some(&*new), Some(2)));
}

/// Runs a service that writes to standard output too; returns the numbers of the records there.
fn numbers_on_stdout(dir: &Path) -> Vec<u64> {
    use std::io::Write;
    let mut child = Command::new(env!("CARGO_BIN_EXE_service"))
        .env("AUDIT_STDOUT", "true")
        .env("AUDIT_SERVICE", "payments")
        .env("LOGGING_FILE", dir.join("audit.log"))
        .env("AUDIT_DB", dir.join("audit.db"))
        .env("AUDIT_JOURNAL", dir.join("journal"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(b"emit 5 10\nshutdown 60000\n").unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{output:?}");
    let text = String::from_utf8(output.stdout).unwrap();
    let lines: Vec<String> = text.lines().map(str::to_owned).collect();
    parse(&lines).iter().filter_map(|record| record["seq"].as_u64()).collect()
}

#[test]
fn standard_output_gets_each_record_once_over_several_starts() {
    let dir = tempfile::tempdir().unwrap();
    let mut all = Vec::new();
    for _ in 0..3 {
        all.append(&mut numbers_on_stdout(dir.path()));
    }
    let records = parse(&lines(dir.path().join("audit.log")));
    assert_eq!(all, (1..=records.len() as u64).collect::<Vec<_>>());
    assert!(of_type(&records, "system.audit_trimmed").is_empty());
}
