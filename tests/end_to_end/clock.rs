//! The wall clock is set while a service records, and between two of its starts.

use std::{collections::HashSet, path::Path, process::Command};

use tests::{
    Process, Recorded, preload,
    programs::audit_server,
    trail_files::{database_lines, verify_with_python},
};

const HOUR: i64 = 3600;

/// Runs the probe with a clock that is off by `first`, and from its middle on by `then`; returns its
/// receipts.
fn run(directory: &Path, first: i64, then: i64) -> Vec<String> {
    let offset = directory.join("offset");
    std::fs::write(&offset, first.to_ne_bytes()).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_probe"));
    preload::into(command.arg("clock").arg(directory).arg(then.to_string()));
    let process = Process::run_well(command.env("CLOCK_OFFSET", offset));
    process.stdout.lines().map(str::to_owned).collect()
}

#[test]
fn a_clock_that_is_set_back_or_forward_changes_no_order_and_is_told() {
    let directory = tempfile::tempdir().unwrap();
    // Back while it runs, further back between two starts, and far ahead while it runs.
    let mut receipts = run(directory.path(), 0, -HOUR);
    receipts.extend(run(directory.path(), -24 * HOUR, 24 * HOUR));
    assert_eq!(receipts.len(), 4);

    let log = directory.path().join("audit.log");
    let recorded = Recorded::read(&log);
    assert!(database_lines(directory.path().join("audit.db")) == recorded.lines);
    verify_with_python(std::slice::from_ref(&log)).unwrap();
    let mut verify = audit_server();
    verify.arg("verify").args([log, directory.path().join("audit.db")]);
    for receipt in &receipts {
        verify.args(["--receipt", receipt]);
    }
    let verified = verify.output().unwrap();
    assert_eq!(verified.status.code(), Some(0), "{verified:?}");

    let events = recorded.of_type("data.read");
    let numbers: Vec<_> =
        events.iter().map(|event| event["details"]["number"].as_u64().unwrap()).collect();
    assert_eq!(numbers, [0..200, 0..200, 0..200, 0..200].into_iter().flatten().collect::<Vec<_>>());
    let hour_of = |at: usize| events[at]["timestamp"].as_str().unwrap()[..13].to_owned();
    assert!(hour_of(200) < hour_of(199), "the clock really went back");
    assert!(hour_of(400) < hour_of(399) && hour_of(600) > hour_of(0), "and really forward");
    let ids: HashSet<_> = recorded.records.iter().map(|record| record["id"].to_string()).collect();
    assert_eq!(ids.len(), recorded.records.len(), "an identifier is there twice");

    let steps: Vec<_> = recorded
        .of_type("system.clock_step")
        .iter()
        .map(|step| step["details"]["step_us"].as_f64().unwrap() / 1e6 / HOUR as f64)
        .collect();
    assert_eq!(steps.len(), 2, "{steps:?}");
    assert!((steps[0] + 1.0).abs() < 0.01 && (steps[1] - 48.0).abs() < 0.01, "{steps:?}");
}
