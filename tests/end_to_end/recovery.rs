//! What was accepted is kept, whenever the process is killed.

use std::{
    collections::HashMap,
    io::{BufRead, BufReader},
    path::Path,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use serde_json::Value;
use tests::{
    programs::audit_server,
    trail_files::{database_lines, lines, of_type, parse, verify_with_python},
};

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
fn recorded(records: &[Value]) -> HashMap<(u64, u64), Vec<u64>> {
    let mut recorded: HashMap<_, Vec<_>> = HashMap::new();
    for record in of_type(records, "data.read") {
        let number = |name: &str| record["details"][name].as_u64().unwrap();
        recorded.entry((number("run"), number("thread"))).or_default().push(number("number"));
    }
    recorded
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

        let log = dir.path().join("audit.log");
        let file = lines(&log);
        assert!(database_lines(dir.path().join("audit.db")) == file, "the sinks differ");
        verify_with_python(std::slice::from_ref(&log)).unwrap();
        let verified = audit_server().arg("verify").arg(&log).output().unwrap();
        assert_eq!(verified.status.code(), Some(0), "{verified:?}");
        let records = parse(&file);
        let mut recorded = recorded(&records);
        for ((run, thread), last) in accepted(dir.path()) {
            let numbers = recorded.remove(&(run, thread)).unwrap_or_default();
            // One more may have been accepted than the thread could still say.
            assert!(numbers.len() as u64 - last <= 1, "run {run}: {} of {last}", numbers.len());
            assert!(numbers.iter().copied().eq(1..=numbers.len() as u64), "run {run}");
            kept += last;
        }
        assert!(recorded.is_empty(), "{:?}", recorded.keys());
        recoveries += of_type(&records, "system.audit_recovered").len();
        assert!(of_type(&records, "system.audit_gap").is_empty());
    }
    println!(
        "{kept} events were accepted before {KILLS} kills, {recoveries} starts recovered some"
    );
    assert!(kept > 10_000 && recoveries as u64 > KILLS / 10, "{kept} {recoveries}");
}
