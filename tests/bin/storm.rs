//! Two threads that record as fast as they can until they are killed: `storm DIR RUN [EVENTS]`, or
//! until each has recorded that many.
//!
//! Each writes the number of its last event that was accepted to a file of its own, `RUN-THREAD`,
//! after the macro has returned. With `RUN` 0 it only starts, delivers what is left, and ends.

use std::{fs::File, os::unix::fs::FileExt, path::Path, time::Duration};

use audit_layer::AuditLayer;
use tracing_subscriber::prelude::*;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().collect();
    let [_, dir, run, most @ ..] = arguments.as_slice() else {
        return Err("usage: storm DIR RUN [EVENTS]".into());
    };
    let (dir, run): (&Path, u64) = (dir.as_ref(), run.parse()?);
    let most: u64 = most.first().map_or(Ok(u64::MAX), |most| most.parse())?;
    let (layer, audit) = AuditLayer::builder()
        .service("storm")
        .file(dir.join("audit.log"))
        .file_rotation(1 << 40, 1)
        .sqlite(dir.join("audit.db"))
        .flush_interval(Duration::from_millis(1))
        .block_timeout(Duration::from_secs(2))
        .build()?;
    tracing_subscriber::registry().with(layer).init();
    if run > 0 {
        println!("ready");
        let threads: Vec<_> = (0..2)
            .map(|thread| {
                let accepted = File::create(dir.join(format!("{run}-{thread}")))?;
                Ok(std::thread::spawn(move || -> std::io::Result<()> {
                    for number in 1..=most {
                        tracing::info!(target: "audit", event_type = "data.read", run, thread, number, "read");
                        accepted.write_all_at(&number.to_le_bytes(), 0)?;
                    }
                    Ok(())
                }))
            })
            .collect::<std::io::Result<_>>()?;
        // All of them, whatever became of one: what another records after the shutdown, which the end
        // of `main` is too, is told on standard error, and no trail can know of it.
        let ended: Vec<_> = threads.into_iter().map(std::thread::JoinHandle::join).collect();
        for thread in ended {
            thread.map_err(|_| "a thread panicked")??;
        }
    }
    audit.shutdown(Duration::from_secs(30))?;
    Ok(())
}
