//! How quickly a start delivers what a killed process left in its journal.

use std::{
    path::Path,
    time::{Duration, Instant},
};

use crate::{
    in_child,
    report::Outcome,
    subject::{Guard, emit, install, span},
};

const EVENTS: u64 = 500_000;

pub fn measure(arguments: &[&str]) -> Outcome {
    match arguments {
        // Ends as if it had been killed, with most of its events in the journal only.
        ["leave", dir] => {
            let guard = install("audit", Path::new(dir));
            {
                let _span = span().entered();
                (0..EVENTS).for_each(emit);
            }
            std::mem::forget(guard);
            std::process::abort();
        }
        ["deliver", dir] => {
            let file = Path::new(dir).join("audit.log");
            let length = || std::fs::read(&file).map_or(0, |all| bytecount(&all));
            let before = length();
            let started = Instant::now();
            let Guard::Audit(audit) = install("audit", Path::new(dir)) else { panic!("the layer") };
            audit.flush(Duration::from_secs(600)).expect("everything is written");
            let seconds = started.elapsed().as_secs_f64();
            audit.shutdown(Duration::from_secs(60)).expect("an end");
            let delivered = length() - before;
            let mut outcome = Outcome::default();
            outcome.set("delivered", delivered as f64);
            outcome.set("per-second", delivered as f64 / seconds);
            outcome
        }
        other => panic!("no {other:?}"),
    }
}

fn bytecount(bytes: &[u8]) -> usize {
    bytes.iter().filter(|byte| **byte == b'\n').count()
}

pub fn report() {
    println!("Recovery: what a killed process left in its journal, until it is in the file:");
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().to_str().expect("a path");
    let program = std::env::current_exe().expect("the path of this program");
    let left =
        std::process::Command::new(program).args(["measure", "recovery", "leave", path]).output();
    assert!(!left.expect("a child").status.success(), "it was to be killed");
    let found = in_child(&["recovery", "deliver", path]);
    println!("{:9.0} events, {:9.0} a second", found.get("delivered"), found.get("per-second"));
}
