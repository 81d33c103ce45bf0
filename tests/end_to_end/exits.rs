//! What is in the trail of a process, in whatever way it ended.

use std::{
    io::{BufRead, BufReader, Read},
    os::unix::process::ExitStatusExt,
    path::Path,
    process::{Child, Command, ExitStatus, Stdio},
};

use serde_json::Value;
use tempfile::TempDir;
use tests::{
    Process, Recorded,
    trail_files::{database_lines, eventually, lines},
};

const SIGINT: i32 = 2;
const SIGABRT: i32 = 6;
const SIGTERM: i32 = 15;

fn probe(mode: &str, directory: &Path, how: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_probe"));
    command.arg(mode).arg(directory).arg(how);
    command
}

/// Runs a process to its end.
fn end(how: &str) -> (TempDir, Process) {
    let directory = tempfile::tempdir().unwrap();
    let process = Process::run(&mut probe("exit", directory.path(), how));
    (directory, process)
}

/// A process that waits for a signal.
struct Waiting {
    child: Child,
    stdout: BufReader<std::process::ChildStdout>,
}

impl Waiting {
    fn start(directory: &Path, how: &str) -> Self {
        let mut child = probe("exit", directory, how).stdout(Stdio::piped()).spawn().unwrap();
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        let mut said = String::new();
        stdout.read_line(&mut said).unwrap();
        assert_eq!(said, "ready\n");
        Self { child, stdout }
    }

    /// Waits until the process has a handler for SIGTERM and SIGINT.
    fn listens(self) -> Self {
        let listening = 1 << (SIGTERM - 1) | 1 << (SIGINT - 1);
        eventually("the process waits for signals", || {
            let status =
                std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
            let caught = status.lines().find_map(|line| line.strip_prefix("SigCgt:")).unwrap();
            u64::from_str_radix(caught.trim(), 16).unwrap() & listening == listening
        });
        self
    }

    fn signal(&self, signal: i32) {
        let id = self.child.id().to_string();
        let sent = Command::new("kill").args([&format!("-{signal}"), &id]).status().unwrap();
        assert!(sent.success());
    }

    fn end(mut self) -> (ExitStatus, String) {
        let mut said = String::new();
        self.stdout.read_to_string(&mut said).unwrap();
        (self.child.wait().unwrap(), said)
    }
}

/// The trail as the process left it, which has all that it accepted, in both sinks.
fn complete(directory: &TempDir) -> Recorded {
    let log = directory.path().join("audit.log");
    let recorded = Recorded::read(&log);
    assert!(database_lines(directory.path().join("audit.db")) == recorded.lines);
    let accepted: Vec<_> = recorded
        .records
        .iter()
        .filter(|record| record["message"] == "accepted")
        .map(|record| record["details"]["number"].as_u64().unwrap())
        .collect();
    assert_eq!(accepted, (0..500).collect::<Vec<_>>());
    recorded
}

fn ends_in_good_order(recorded: &Recorded) -> bool {
    recorded.records.last().unwrap()["event_type"] == "system.shutdown"
}

/// The trail after the next start, of a process that could give its sinks nothing at its end.
fn recovered(directory: &TempDir) -> Recorded {
    let left = lines(directory.path().join("audit.log"));
    assert!(left.len() < 10, "nothing but the start was written: {}", left.len());
    Process::run_well(&mut probe("exit", directory.path(), "return"));
    let log = directory.path().join("audit.log");
    let all = Recorded::read(&log);
    assert!(database_lines(directory.path().join("audit.db")) == all.lines);
    let accepted = all.records.iter().filter(|record| record["message"] == "accepted");
    assert_eq!(accepted.count(), 1000, "500 of each");
    assert_eq!(all.of_type("system.audit_recovered").len(), 1);
    all
}

fn panics(recorded: &Recorded) -> Vec<&Value> {
    recorded.of_type("error.exception")
}

#[test]
fn dropping_the_guard_writes_everything() {
    let (directory, process) = end("return");
    assert!(process.status.success(), "{process:?}");
    assert!(ends_in_good_order(&complete(&directory)));
}

#[test]
fn a_process_that_waits_for_its_signal_writes_everything_at_sigterm_and_sigint() {
    for signal in [SIGTERM, SIGINT] {
        let directory = tempfile::tempdir().unwrap();
        let waiting = Waiting::start(directory.path(), "signal").listens();
        waiting.signal(signal);
        let (status, said) = waiting.end();
        assert_eq!((status.code(), said.as_str()), (Some(0), "shut down\n"));
        assert!(ends_in_good_order(&complete(&directory)));
    }
}

#[test]
fn a_second_signal_ends_a_process_whose_shutdown_takes_long() {
    let directory = tempfile::tempdir().unwrap();
    let mut waiting = Waiting::start(directory.path(), "signal").listens();
    let database = directory.path().join("audit.db");
    let lock = rusqlite::Connection::open(&database).unwrap();
    lock.execute_batch("BEGIN EXCLUSIVE").unwrap();
    eventually("the process ends", || {
        waiting.signal(SIGTERM);
        waiting.child.try_wait().unwrap().is_some()
    });
    let (status, said) = waiting.end();
    assert_eq!((status.code(), said.as_str()), (Some(128 + SIGTERM), ""));
    drop(lock);
    Process::run_well(&mut probe("exit", directory.path(), "return"));
    let all = Recorded::read(&directory.path().join("audit.log"));
    assert!(database_lines(&database) == all.lines);
    assert_eq!(all.records.iter().filter(|record| record["message"] == "accepted").count(), 1000);
}

#[test]
fn what_a_process_accepted_before_an_unheeded_sigterm_is_recovered() {
    let directory = tempfile::tempdir().unwrap();
    let waiting = Waiting::start(directory.path(), "unheeded-signal");
    waiting.signal(SIGTERM);
    assert_eq!(waiting.end().0.signal(), Some(SIGTERM));
    recovered(&directory);
}

#[test]
fn what_a_process_accepted_before_process_exit_is_recovered() {
    let (directory, process) = end("process-exit");
    assert_eq!(process.status.code(), Some(3), "{process:?}");
    recovered(&directory);
}

#[test]
fn what_a_process_accepted_before_an_abort_is_recovered() {
    let (directory, process) = end("abort");
    assert_eq!(process.status.signal(), Some(SIGABRT), "{process:?}");
    recovered(&directory);
}

#[test]
fn a_panic_of_main_is_recorded_and_the_guard_writes_everything() {
    let (directory, process) = end("panic");
    assert_eq!(process.status.code(), Some(101));
    assert!(process.stderr.contains("out of main"), "the hook before is called: {process:?}");
    let recorded = complete(&directory);
    assert!(ends_in_good_order(&recorded));
    let [panic] = panics(&recorded)[..] else { panic!("{:?}", panics(&recorded)) };
    assert_eq!((&panic["message"], &panic["status"]), (&"out of main".into(), &"error".into()));
    assert_eq!(
        (&panic["severity"], &panic["details"]["thread"]),
        (&"error".into(), &"main".into())
    );
    let location = panic["details"]["location"].as_str().unwrap();
    assert!(location.contains("exits.rs:"), "{location}");
}

#[test]
fn a_panic_that_aborts_the_process_is_recovered_with_what_it_accepted() {
    let (directory, process) = end("aborting-panic");
    assert_eq!(process.status.signal(), Some(SIGABRT), "{process:?}");
    let recorded = recovered(&directory);
    let [panic] = panics(&recorded)[..] else { panic!("{:?}", panics(&recorded)) };
    assert_eq!(panic["message"], "out of main");
}

#[test]
fn panics_of_threads_and_of_values_that_are_recorded_are_in_the_trail_each_once() {
    let (directory, process) = end("panics-elsewhere");
    assert!(process.status.success(), "{process:?}");
    assert_eq!(process.stdout, "", "nothing was dropped");
    let recorded = complete(&directory);
    let told: Vec<_> = panics(&recorded)
        .iter()
        .map(|panic| (panic["message"].as_str().unwrap(), panic["details"]["thread"].as_str()))
        .collect();
    let of_value = ("while a value is formatted", Some("main"));
    let of_thread = ("a panic whose payload is no text", Some("worker-7"));
    assert_eq!(told, [of_thread, of_value, of_value]);
    for message in ["with a value that panics", "in a span of such a value"] {
        assert_eq!(recorded.saying(message)["event_type"], "audit.event");
    }
}
