//! What it takes to have an event on the disk.

use std::{
    fs::File,
    io::Write,
    time::{Duration, Instant},
};

use crate::{
    in_child,
    report::Outcome,
    subject::{Guard, emit, install, span},
};

const LONG: Duration = Duration::from_secs(600);
const COMMITS: usize = 2000;

pub fn measure(arguments: &[&str]) -> Outcome {
    let dir = tempfile::tempdir().expect("a directory");
    match arguments {
        // A file that grows, as a program would append to it.
        ["bare"] => {
            let mut file = File::create(dir.path().join("bare.log")).expect("a file");
            let line = [b'x'; 400];
            let times = (0..COMMITS).map(|_| {
                let started = Instant::now();
                file.write_all(&line).expect("a line");
                file.sync_data().expect("a sync");
                started.elapsed().as_nanos() as u32
            });
            Outcome::of_times(times.collect())
        }
        ["audit", callers] => {
            let callers: usize = callers.parse().expect("a number of callers");
            let Guard::Audit(audit) = install("audit", dir.path()) else { panic!("not the layer") };
            let started = Instant::now();
            let each = COMMITS / callers.min(8);
            let times: Vec<u32> = std::thread::scope(|scope| {
                let callers: Vec<_> = (0..callers)
                    .map(|_| {
                        scope.spawn(|| {
                            let _span = span().entered();
                            (0..each)
                                .map(|number| {
                                    let started = Instant::now();
                                    emit(number as u64);
                                    audit.commit(LONG).expect("a commit");
                                    started.elapsed().as_nanos() as u32
                                })
                                .collect::<Vec<_>>()
                        })
                    })
                    .collect();
                callers.into_iter().flat_map(|caller| caller.join().expect("times")).collect()
            });
            let seconds = started.elapsed().as_secs_f64();
            let commits = times.len() as f64;
            let mut outcome = Outcome::of_times(times);
            outcome.set("per-second", commits / seconds);
            audit.shutdown(LONG).expect("an end");
            outcome
        }
        other => panic!("no {other:?}"),
    }
}

pub fn report() {
    println!("An event on the disk; microseconds:");
    let bare = in_child(&["commit", "bare"]);
    let one = in_child(&["commit", "audit", "1"]);
    let many = in_child(&["commit", "audit", "64"]);
    let micros = |outcome: &Outcome, name| outcome.get(name) / 1000.0;
    println!(
        "bare append + fdatasync   p50 {:7.0}  p99 {:7.0}",
        micros(&bare, "p50"),
        micros(&bare, "p99")
    );
    println!(
        "commit, one caller        p50 {:7.0}  p99 {:7.0}   {:.2} of bare",
        micros(&one, "p50"),
        micros(&one, "p99"),
        one.get("p50") / bare.get("p50")
    );
    println!(
        "commit, 64 callers        p50 {:7.0}  p99 {:7.0}   {:.1} times the commits of one",
        micros(&many, "p50"),
        micros(&many, "p99"),
        many.get("per-second") / one.get("per-second")
    );
}
