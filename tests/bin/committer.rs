//! A service that tells its client what is durable, as soon as it is: `committer DIR RUN HOW`.
//!
//! On standard output it says `receipt RUN NUMBER STREAM:SEQ:HASH` when its event NUMBER and all before
//! it were committed, and `returned RUN NUMBER` when the macro of its transfer NUMBER has returned. A
//! third thread records events of which nothing is promised. `HOW` is which of them get to the disk
//! first: `sinks-ahead` or `journal-ahead`; or `file-only`, without a database; or `flood`, so many
//! events in so large a journal that the file is never synced. With `RUN` 0 it only starts, delivers
//! what is left, and ends.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on says so by a panic")]

use std::{path::Path, thread::sleep, time::Duration};

use audit_layer::{AuditGuard, AuditLayer, Builder};
use tracing_subscriber::prelude::*;

const LONG: Duration = Duration::from_secs(30);

fn builder(dir: &Path, how: &str) -> Builder {
    let builder = AuditLayer::builder()
        .service("committer")
        .journal(dir.join("var/journal"))
        .journal_max_mb(2)
        .file(dir.join("log/audit.log"))
        .file_rotation(256 << 10, 1000);
    match how {
        "flood" => builder.journal_max_mb(1024).file_rotation(1 << 40, 1),
        "sinks-ahead" => builder.flush_interval(Duration::from_millis(1)),
        "journal-ahead" => builder.flush_interval(LONG).batch_size(100_000),
        "file-only" => return builder.flush_interval(Duration::from_millis(5)),
        other => panic!("no order {other:?}"),
    }
    .sqlite(dir.join("db/audit.db"))
}

/// The time between two promises.
fn pause(how: &str) -> Duration {
    Duration::from_millis(match how {
        "flood" => 300,
        "sinks-ahead" => 15,
        _ => 1,
    })
}

fn commit(audit: &AuditGuard, run: u64, how: &str) {
    for number in 1_u64.. {
        tracing::info!(target: "audit", event_type = "data.read", kind = "committed", run, number);
        if number % 10 == 0 {
            sleep(pause(how));
            let receipt = audit.commit(LONG).unwrap();
            println!("receipt {run} {number} {}", receipt.line().unwrap());
        }
    }
}

fn transfer(run: u64, how: &str) {
    for number in 1_u64.. {
        sleep(pause(how));
        tracing::info!(target: "audit", event_type = "financial.transfer", kind = "returned", run, number);
        println!("returned {run} {number}");
    }
}

fn flood(run: u64, how: &str) {
    for number in 1_u64.. {
        tracing::info!(target: "audit", event_type = "data.read", kind = "unpromised", run, number);
        if how == "flood" && number == 40_000 {
            return;
        }
        if how != "flood" && number % 20 == 0 {
            sleep(Duration::from_millis(1));
        }
    }
}

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let [_, dir, run, how] = arguments.as_slice() else { panic!("committer DIR RUN HOW") };
    let run: u64 = run.parse().unwrap();
    let (layer, audit) = builder(Path::new(dir), how).build().unwrap();
    tracing_subscriber::registry().with(layer).init();
    if run > 0 {
        println!("ready");
        std::thread::scope(|scope| {
            scope.spawn(|| commit(&audit, run, how));
            scope.spawn(|| transfer(run, how));
            scope.spawn(|| flood(run, how));
        });
    }
    audit.shutdown(LONG).unwrap();
}
