//! What was accepted is kept, whenever the process is killed.

use std::{
    collections::HashMap,
    io::{BufRead, BufReader},
    path::Path,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use serde_json::Value;
use tests::trail_files::Trail;

/// How often a process is killed. At the start of a process it is as likely as later.
const KILLS: u64 = 300;
/// After how many kills the trail is looked at and a new one begun.
const ROUND: u64 = 50;

fn storm(dir: &Path, run: u64) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_storm"));
    command.arg(dir).arg(run.to_string());
    command
}

/// The last event of each thread of each run whose macro had returned.
fn accepted(dir: &Path) -> HashMap<(u64, u64), u64> {
    let mut accepted = HashMap::new();
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        let Some((run, thread)) = name.split_once('-') else { continue };
        let (Ok(run), Ok(thread)) = (run.parse(), thread.parse()) else { continue };
        let bytes = std::fs::read(&path).unwrap();
        let number = bytes.first_chunk().map_or(0, |bytes| u64::from_le_bytes(*bytes));
        accepted.insert((run, thread), number);
    }
    accepted
}

/// How often each event is there, by run and thread: the numbers in the order of the trail.
fn recorded(trail: &Trail) -> HashMap<(u64, u64), Vec<u64>> {
    let mut recorded: HashMap<_, Vec<_>> = HashMap::new();
    for record in trail.of_type("data.read") {
        let number = |name: &str| record["details"][name].as_u64().unwrap();
        recorded.entry((number("run"), number("thread"))).or_default().push(number("number"));
    }
    recorded
}

/// What a trail holds of what was accepted.
struct Judged {
    accepted: u64,
    recoveries: usize,
    /// What the trail itself says was dropped.
    dropped: u64,
}

/// Checks the trail of a directory: the chain, that both sinks hold the same, and that every event
/// whose macro had returned is there once, or is among those of which the trail says that they were
/// dropped.
fn judge(dir: &Path) -> Judged {
    let trail = Trail::verified(dir);
    let count = |gap: &Value| gap["details"]["count"].as_u64().unwrap();
    let dropped: u64 = trail.of_type("system.audit_gap").into_iter().map(count).sum();
    let mut recorded = recorded(&trail);
    let (mut all, mut missing) = (0, 0);
    for ((run, thread), last) in accepted(dir) {
        let numbers = recorded.remove(&(run, thread)).unwrap_or_default();
        assert!(numbers.is_sorted_by(|a, b| a < b), "run {run}: in order, each once");
        // One more may have been accepted than the thread could still say.
        assert!(numbers.last().is_none_or(|number| *number <= last + 1), "run {run}");
        let there = numbers.iter().filter(|number| **number <= last).count() as u64;
        missing += last - there;
        all += last;
    }
    assert!(recorded.is_empty(), "{:?}", recorded.keys());
    assert!(missing <= dropped, "{missing} are missing and {dropped} were said to be dropped");
    let recoveries = trail.of_type("system.audit_recovered").len();
    Judged { accepted: all, recoveries, dropped }
}

#[test]
fn whenever_the_process_is_killed_every_accepted_event_is_recorded_once() {
    let mut kept = 0;
    let mut recoveries = 0;
    for round in 0..KILLS / ROUND {
        let dir = tempfile::tempdir().unwrap();
        for run in 1..=ROUND {
            let mut child = storm(dir.path(), run).stdout(Stdio::piped()).spawn().unwrap();
            let chance = run * 7919 + round * 104_729;
            // Every other time in the storm, else from before the first line of `main` on, which
            // is while it delivers what the one before it left.
            let instant = if run % 2 == 0 {
                let stdout = child.stdout.as_mut().unwrap();
                BufReader::new(stdout).read_line(&mut String::new()).unwrap();
                Duration::from_micros(chance % 8_000)
            } else {
                Duration::from_micros(chance % 30_000)
            };
            let until = Instant::now() + instant;
            while Instant::now() < until {
                std::hint::spin_loop();
            }
            child.kill().unwrap();
            child.wait().unwrap();
        }
        assert!(storm(dir.path(), 0).status().unwrap().success());

        let judged = judge(dir.path());
        kept += judged.accepted;
        recoveries += judged.recoveries;
        assert_eq!(judged.dropped, 0);
    }
    println!(
        "{kept} events were accepted before {KILLS} kills, {recoveries} starts recovered some"
    );
    assert!(kept > 10_000 && recoveries as u64 > KILLS / 10, "{kept} {recoveries}");
}

/// What the writer asks of the file system, and at which calls of a kind it is hit.
const CALLS: [(&str, &[u64]); 10] = [
    ("openat", &[6, 8, 10, 12, 14, 16, 18, 20, 22, 24]),
    ("pwrite64", &[1, 2, 3, 4, 5, 6, 8, 10, 13, 17, 22, 29, 38, 50, 65, 85, 110]),
    ("write", &[1, 2, 3]),
    ("pread64", &[1, 3, 5, 8, 12, 18, 26]),
    ("fsync", &[1, 2, 3, 4, 5, 6, 8, 10, 12]),
    ("fdatasync", &[1, 2, 3]),
    ("rename", &[1, 2]),
    ("ftruncate", &[1, 2]),
    ("fallocate", &[1, 2]),
    ("unlink", &[1, 2]),
];

/// Runs the writer with a fault at one call of each of its threads; returns whether it came so far
/// as to record.
fn with_fault(dir: &Path, call: &str, fault: &str, at: u64) -> bool {
    let storm = env!("CARGO_BIN_EXE_storm");
    // A writer that does not end is killed, and what it says then is looked at.
    let mut command = Command::new("timeout");
    command
        .args([
            "--signal=KILL",
            "60",
            "strace",
            "-f",
            "-qq",
            "-o",
            "/dev/null",
            "-e",
            &format!("trace={call}"),
        ])
        .args(["-e", &format!("inject={call}:{fault}:when={at}")])
        .args([storm, dir.to_str().unwrap(), "1", "60"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let output = command.output().expect("strace cannot be started: apt-get install strace");
    assert_ne!(
        output.status.code(),
        Some(137),
        "it hangs after {fault} at {call} {at}: {output:?}"
    );
    String::from_utf8_lossy(&output.stdout).contains("ready")
}

#[test]
fn killed_at_any_call_of_the_file_system_the_writer_loses_nothing() {
    let mut recording = 0;
    for (call, times) in CALLS {
        for at in times {
            let dir = tempfile::tempdir().unwrap();
            recording += u64::from(with_fault(dir.path(), call, "signal=KILL", *at));
            let next = storm(dir.path(), 0).output().unwrap();
            assert!(next.status.success(), "killed at {call} {at}: {next:?}");
            assert_eq!(judge(dir.path()).dropped, 0, "killed at {call} {at}");
        }
    }
    assert!(recording > 10, "{recording}");
}

#[test]
fn an_error_at_any_call_of_the_file_system_costs_no_event_in_silence() {
    let mut recording = 0;
    for (call, times) in CALLS {
        for (at, error) in times.iter().zip(["EIO", "ENOSPC", "EINTR"].into_iter().cycle()) {
            let dir = tempfile::tempdir().unwrap();
            recording += u64::from(with_fault(dir.path(), call, &format!("error={error}"), *at));
            let next = storm(dir.path(), 0).output().unwrap();
            assert!(next.status.success(), "{error} at {call} {at}: {next:?}");
            judge(dir.path());
        }
    }
    assert!(recording > 10, "{recording}");
}
