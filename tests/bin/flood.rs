//! A service that records a flood and says what it took: `flood DIR EVENTS [REDIS]`.
//!
//! It prints how much anonymous memory it had before the flood and at most during it, in KiB, and how
//! many nanoseconds half of the calls took at most.

use std::{
    path::Path,
    sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
    time::{Duration, Instant},
};

use audit_layer::AuditLayer;
use tracing_subscriber::prelude::*;

/// The anonymous memory of this process, in KiB.
fn anonymous() -> Result<u64, Box<dyn std::error::Error>> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:")).ok_or("no RssAnon")?;
    Ok(line.trim().trim_end_matches(" kB").parse()?)
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().collect();
    let [_, dir, events, redis @ ..] = arguments.as_slice() else {
        return Err("usage: flood DIR EVENTS [REDIS]".into());
    };
    let (dir, events): (&Path, u64) = (dir.as_ref(), events.parse()?);
    let mut builder = AuditLayer::builder().service("flood").file(dir.join("audit.log"));
    if let Some(url) = redis.first() {
        builder = builder.redis(url.as_str());
    }
    let (layer, audit) = builder.build()?;
    tracing_subscriber::registry().with(layer).init();
    tracing::info!(target: "audit", event_type = "data.read", "the first");
    audit.flush(Duration::from_secs(60))?;
    // Written to now, so that the list of times is not what is measured.
    let mut times = vec![u32::MAX; usize::try_from(events)?];
    let before = anonymous()?;
    let most = AtomicU64::new(before);
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| -> Result<(), Box<dyn std::error::Error>> {
        scope.spawn(|| {
            while !done.load(Relaxed) {
                most.fetch_max(anonymous().unwrap_or(u64::MAX), Relaxed);
                std::thread::sleep(Duration::from_millis(5));
            }
        });
        for (number, time) in times.iter_mut().enumerate() {
            let started = Instant::now();
            tracing::info!(target: "audit", event_type = "data.read", number, "one of a flood");
            *time = u32::try_from(started.elapsed().as_nanos()).unwrap_or(u32::MAX);
        }
        let flushed = audit.flush(Duration::from_secs(300));
        done.store(true, Relaxed);
        Ok(flushed?)
    })?;
    times.sort_unstable();
    println!("{before} {} {}", most.into_inner(), times.get(times.len() / 2).unwrap_or(&0));
    assert!(audit.stats().dropped.is_empty(), "{:?}", audit.stats());
    audit.shutdown(Duration::from_secs(60))?;
    Ok(())
}
