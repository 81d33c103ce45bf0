//! Events a second until they are written to a file, two threads, nothing lost.

use std::time::Instant;

use crate::{
    in_child,
    report::Outcome,
    subject::{SUBJECTS, emit, install, span},
};

const THREADS: u64 = 2;
const EVENTS: u64 = 300_000;

pub fn measure(arguments: &[&str]) -> Outcome {
    let [subject] = arguments else { panic!("a subject") };
    let dir = tempfile::tempdir().expect("a directory");
    let guard = install(subject, dir.path());
    let started = Instant::now();
    let emitters: Vec<_> = (0..THREADS)
        .map(|_| {
            std::thread::spawn(|| {
                let _span = span().entered();
                (0..EVENTS).for_each(emit);
            })
        })
        .collect();
    emitters.into_iter().for_each(|emitter| emitter.join().expect("an end"));
    // Written, not merely handed over.
    guard.end();
    let seconds = started.elapsed().as_secs_f64();
    let lines: usize = std::fs::read_dir(dir.path())
        .expect("the directory")
        .filter_map(|entry| std::fs::read(entry.ok()?.path()).ok())
        .map(|bytes| bytes.windows(14).filter(|part| part == b"order executed").count())
        .sum();
    let mut outcome = Outcome::default();
    outcome.set("per-second", (THREADS * EVENTS) as f64 / seconds);
    outcome.set("written", lines as f64);
    outcome
}

pub fn report() {
    println!("Events a second until written to a file, {THREADS} threads, lossless:");
    let subjects = SUBJECTS.iter().filter(|subject| **subject != "nothing");
    let found: Vec<_> = subjects.map(|subject| (subject, in_child(&["file", subject]))).collect();
    let best = found
        .iter()
        .filter(|(subject, _)| !subject.starts_with("audit"))
        .map(|(_, figures)| figures.get("per-second"))
        .fold(0.0, f64::max);
    for (subject, figures) in &found {
        let rate = figures.get("per-second");
        let lost = (THREADS * EVENTS) as f64 - figures.get("written");
        println!("{subject:16}{rate:9.0}   {:.2} of the best peer   {lost} lost", rate / best);
    }
}
