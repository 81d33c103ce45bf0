//! A service that does what its standard input says, line by line, and answers each line with one of
//! JSON. The environment configures its layer. It ends in good order with its standard input.
//!
//! ```text
//! emit COUNT BYTES   records events, numbered on, each with a value of so many bytes
//! pay                records one whose macro returns when it is durable
//! commit MS          flush MS          shutdown MS
//! stats
//! ```

use std::{
    io::{BufRead, Write},
    time::{Duration, Instant},
};

use audit_layer::{AuditGuard, AuditLayer, Error};
use serde_json::{Value, json};
use tracing_subscriber::prelude::*;

type Outcome<T> = Result<T, Box<dyn std::error::Error>>;

fn main() -> Outcome<()> {
    let (layer, audit) = AuditLayer::from_env()?;
    tracing_subscriber::registry().with(layer).init();
    answer(&json!({ "stream": audit.stream().map(ToString::to_string) }))?;
    let mut audit = Some(audit);
    let mut last = 0;
    for line in std::io::stdin().lock().lines() {
        let line = line?;
        let (command, arguments) = line.split_once(' ').unwrap_or((&line, ""));
        let time = || arguments.parse().map(Duration::from_millis);
        let guard = audit.as_ref().ok_or("it is shut down")?;
        match command {
            "emit" => {
                let (count, bytes) = arguments.split_once(' ').ok_or("emit COUNT BYTES")?;
                answer(&emit(&mut last, count.parse()?, bytes.parse()?))?;
            }
            "pay" => {
                tracing::info!(target: "audit", event_type = "financial.transfer", "paid");
                answer(&Value::Null)?;
            }
            "commit" => answer(&told(guard.commit(time()?).map(|receipt| receipt.seq)))?,
            "flush" => answer(&told(guard.flush(time()?)))?,
            "stats" => answer(&stats(guard)?)?,
            "shutdown" => {
                let guard = audit.take().ok_or("it is shut down")?;
                answer(&told(guard.shutdown(time()?)))?;
            }
            other => return Err(format!("no command {other:?}").into()),
        }
    }
    Ok(())
}

fn answer(value: &Value) -> std::io::Result<()> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{value}")?;
    out.flush()
}

/// Records, and says which number came last and how long the longest call took.
fn emit(last: &mut u64, count: u64, bytes: usize) -> Value {
    let document = "x".repeat(bytes);
    let mut longest = Duration::ZERO;
    for _ in 0..count {
        *last += 1;
        let started = Instant::now();
        tracing::info!(target: "audit", event_type = "data.read", number = *last, document, "read");
        longest = longest.max(started.elapsed());
    }
    json!({ "last": last, "longest_ms": u64::try_from(longest.as_millis()).unwrap_or(u64::MAX) })
}

fn told<T: Into<Value>>(result: Result<T, Error>) -> Value {
    match result {
        Ok(value) => json!({ "ok": value.into() }),
        Err(error) => json!({ "error": error.to_string() }),
    }
}

fn stats(audit: &AuditGuard) -> Outcome<Value> {
    let stats = audit.stats();
    let dropped: serde_json::Map<String, Value> =
        stats.dropped.iter().map(|(cause, count)| (cause.to_string(), json!(count))).collect();
    let sinks: serde_json::Map<String, Value> = stats
        .sinks
        .iter()
        .map(|sink| {
            let about = json!({
                "healthy": sink.healthy, "last_error": sink.last_error, "last_seq": sink.last_seq,
            });
            (sink.name.to_owned(), about)
        })
        .collect();
    let journal = stats.journal.as_ref();
    Ok(json!({
        "healthy": stats.is_healthy(),
        "accepted": stats.accepted,
        "dropped": dropped,
        "late_commits": stats.late_commits,
        "worker_alive": stats.worker_alive,
        "poisoned": stats.poisoned,
        "mode": journal.map(|journal| format!("{:?}", journal.mode)),
        "durable_seq": journal.map(|journal| journal.durable_seq),
        "trouble": journal.and_then(|journal| journal.trouble.as_deref()),
        "sinks": sinks,
        "anonymous_kib": anonymous()?,
    }))
}

/// The anonymous memory of this process, in KiB.
fn anonymous() -> Outcome<u64> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:")).ok_or("no RssAnon")?;
    Ok(line.trim().trim_end_matches(" kB").parse()?)
}
