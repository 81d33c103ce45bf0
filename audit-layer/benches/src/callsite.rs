//! What one event costs the thread that emits it.

use std::time::Instant;

use crate::{
    in_child,
    report::Outcome,
    subject::{SUBJECTS, emit, install, span},
};

/// Events of all threads together: as many files of a journal for one thread as for eight. And how many
/// come before them in each thread, unmeasured.
const EVENTS: u64 = 400_000;
const WARM_UP: u64 = 10_000;

pub fn measure(arguments: &[&str]) -> Outcome {
    let [subject, threads] = arguments else { panic!("a subject and a number of threads") };
    let threads: u64 = threads.parse().expect("a number of threads");
    let dir = tempfile::tempdir().expect("a directory");
    let guard = install(subject, dir.path());
    let each = EVENTS / threads;
    let started = Instant::now();
    let emitters: Vec<_> = (0..threads)
        .map(|_| {
            std::thread::spawn(move || {
                let _span = span().entered();
                (0..WARM_UP).for_each(emit);
                let mut times = Vec::with_capacity(each as usize);
                let mut before = Instant::now();
                for number in 0..each {
                    emit(number);
                    let now = Instant::now();
                    times.push(u32::try_from((now - before).as_nanos()).unwrap_or(u32::MAX));
                    before = now;
                }
                times
            })
        })
        .collect();
    let times = emitters.into_iter().flat_map(|emitter| emitter.join().expect("times")).collect();
    let seconds = started.elapsed().as_secs_f64();
    guard.end();
    let mut outcome = Outcome::of_times(times);
    outcome.set("per-second", (EVENTS + threads * WARM_UP) as f64 / seconds);
    outcome
}

pub fn report() {
    println!("Call site: ten fields, one span; nanoseconds, one reading of the clock included.");
    for threads in ["1", "2", "4", "8"] {
        let found = SUBJECTS.map(|subject| (subject, in_child(&["callsite", subject, threads])));
        let peer = found.iter().find(|(subject, _)| *subject == "fmt-json").expect("the peer");
        println!(
            "\n{threads} thread(s)       p50      p99    p99.9     mean  events/s   p50, p99 of fmt-json"
        );
        for (subject, figures) in &found {
            let [p50, p99, p999, mean] =
                ["p50", "p99", "p99.9", "mean"].map(|name| figures.get(name));
            println!(
                "{subject:16}{p50:8.0} {p99:8.0} {p999:8.0} {mean:8.0} {:9.0}   1/{:.1}  1/{:.1}",
                figures.get("per-second"),
                peer.1.get("p50") / p50,
                peer.1.get("p99") / p99,
            );
        }
    }
}
