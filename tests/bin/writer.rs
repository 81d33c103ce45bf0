//! A service that records: `writer DIR SERVICE EVENTS [memory]`, with a journal or in memory. It says
//! `ready` once it records, and ends when its standard input does.

use std::{io::Read, time::Duration};

use audit_layer::AuditLayer;
use tracing_subscriber::prelude::*;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().collect();
    let [_, dir, service, events, memory @ ..] = arguments.as_slice() else {
        return Err("usage: writer DIR SERVICE EVENTS [memory]".into());
    };
    let dir = std::path::Path::new(dir);
    let builder = AuditLayer::builder()
        .service(service.as_str())
        .file(dir.join("audit.log"))
        .sqlite(dir.join("audit.db"))
        .flush_interval(Duration::from_millis(20));
    let builder = if memory.is_empty() { builder } else { builder.without_journal() };
    let (layer, audit) = builder.build()?;
    tracing_subscriber::registry().with(layer).init();
    audit.verify_installed()?;
    for number in 0..events.parse()? {
        let number: u64 = number;
        tracing::info!(target: "audit", event_type = "data.read", number, "read");
    }
    audit.flush(Duration::from_secs(60))?;
    println!("ready {}", audit.stream().map_or_else(String::new, ToString::to_string));
    let _ = std::io::stdin().read_to_end(&mut Vec::new());
    audit.shutdown(Duration::from_secs(60))?;
    Ok(())
}
