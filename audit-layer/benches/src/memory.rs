//! What a flood takes of memory while a sink is stalled.

use std::{
    path::Path,
    sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
    time::{Duration, Instant},
};

use audit_layer::{AuditLayer, Durable};
use tracing_subscriber::prelude::*;

use crate::{
    in_child,
    redis::Server,
    report::Outcome,
    subject::{Guard, emit, install, span},
};

const EVENTS: usize = 2_000_000;

pub fn measure(arguments: &[&str]) -> Outcome {
    let dir = tempfile::tempdir().expect("a directory");
    let server;
    let guard = match arguments {
        ["stalled"] => {
            server = Server::start();
            server.stall();
            with_redis(dir.path(), &server.url)
        }
        [subject] => install(subject, dir.path()),
        other => panic!("no {other:?}"),
    };
    let _span = span().entered();
    (0..1000).for_each(emit);
    // Written to now, so that the list of times is not what is measured.
    let mut times = vec![u32::MAX; EVENTS];
    let before = anonymous();
    let most = AtomicU64::new(before);
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !done.load(Relaxed) {
                most.fetch_max(anonymous(), Relaxed);
                std::thread::sleep(Duration::from_millis(2));
            }
        });
        for (number, time) in times.iter_mut().enumerate() {
            let started = Instant::now();
            emit(number as u64);
            *time = u32::try_from(started.elapsed().as_nanos()).unwrap_or(u32::MAX);
        }
        if let Guard::Audit(audit) = &guard {
            audit.flush(Duration::from_secs(600)).expect("the file has everything");
        }
        done.store(true, Relaxed);
    });
    guard.end();
    let mut outcome = Outcome::of_times(times);
    outcome.set("kib", (most.into_inner() - before) as f64);
    outcome
}

fn with_redis(dir: &Path, url: &str) -> Guard {
    let (layer, audit) = AuditLayer::builder()
        .service("bench")
        .file(dir.join("audit.log"))
        .file_rotation(1 << 40, 1)
        .redis(url)
        .durable(Durable::none())
        .block_timeout(Duration::from_secs(600))
        .build()
        .expect("a layer");
    tracing_subscriber::registry().with(layer).init();
    Guard::Audit(audit)
}

/// The anonymous memory of this process, in KiB.
fn anonymous() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("/proc");
    let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:")).expect("RssAnon");
    line.trim().trim_end_matches(" kB").parse().expect("a number")
}

pub fn report() {
    println!(
        "A flood of {EVENTS} events: anonymous memory above the idle process, and the median call:"
    );
    let subjects = [
        ("audit, file, Redis stalled", "stalled"),
        ("audit, file", "audit"),
        ("fmt().json(), lossless", "fmt-json"),
    ];
    for (name, subject) in subjects {
        let found = in_child(&["memory", subject]);
        println!("{name:28}{:7.1} MiB {:7.0} ns", found.get("kib") / 1024.0, found.get("p50"));
    }
}
