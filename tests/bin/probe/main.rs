//! A process in which one thing happens, told by its arguments: `probe MODE DIRECTORY [HOW]`.
//!
//! What only a whole process can show is tried here: the global subscriber, `tracing`'s own caches
//! with a single subscriber, forks, the end of a thread. The tests start it and judge what it
//! printed and recorded.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test that cannot go on says so by a panic"
)]

mod beside_fmt;
mod clock;
mod ends;
mod exits;
mod fork;
mod installed;
mod reentrancy;

use std::{path::PathBuf, time::Duration};

use audit_layer::{AuditGuard, AuditLayer, Builder};
use tracing_subscriber::prelude::*;

/// How long anything may take.
const PATIENCE: Duration = Duration::from_secs(30);

fn main() {
    let mut arguments = std::env::args().skip(1);
    let mode = arguments.next().expect("a mode");
    let directory = PathBuf::from(arguments.next().expect("a directory"));
    let how = arguments.next().unwrap_or_default();
    match mode.as_str() {
        "beside-fmt" => beside_fmt::run(&directory, &how),
        "installed" => installed::run(&directory, &how),
        "nested-events" => reentrancy::nested(&directory),
        "endless-nesting" => reentrancy::endless(&directory),
        "clock" => clock::run(&directory, &how),
        "exit" => exits::run(&directory, &how),
        "fork" => fork::run(&directory, &how),
        "thread-end" => ends::thread_end(&directory),
        "after-shutdown" => ends::after_shutdown(&directory),
        "write" => write(&directory),
        other => panic!("no mode {other:?}"),
    }
}

/// A layer like those of `tests::Trail`, in a directory that outlives the process.
fn builder(directory: &std::path::Path) -> Builder {
    AuditLayer::builder()
        .service("tests")
        .journal(directory.join("journal"))
        .file(directory.join("audit.log"))
        .flush_interval(Duration::from_millis(5))
        .heartbeat(Duration::from_secs(3600))
}

/// Makes the layer the only part of the global subscriber.
fn install(builder: Builder) -> AuditGuard {
    let (layer, guard) = builder.build().unwrap();
    tracing_subscriber::registry().with(layer).init();
    // Every thread of the layer runs now, and does whatever it does to the process.
    guard.flush(PATIENCE).unwrap();
    guard
}

/// Writes everything and tells what was dropped.
fn end(guard: AuditGuard) {
    guard.flush(PATIENCE).unwrap();
    for (cause, count) in guard.stats().dropped {
        println!("dropped {cause} {count}");
    }
    guard.shutdown(PATIENCE).unwrap();
}

/// One event, and the stream that it went to.
fn write(directory: &std::path::Path) {
    let guard = install(builder(directory));
    println!("{}", guard.stream().unwrap());
    tracing::info!(target: "audit", "of another process");
    end(guard);
}
