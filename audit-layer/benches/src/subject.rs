//! What is measured: the layer, and what one would use without it.

use std::{path::Path, time::Duration};

use audit_layer::{AuditGuard, AuditLayer, Durable};
use tracing_appender::non_blocking::{NonBlocking, NonBlockingBuilder, WorkerGuard};
use tracing_subscriber::{Layer, Registry, prelude::*};

/// Every subject, by the name in the tables.
pub const SUBJECTS: [&str; 6] =
    ["nothing", "audit", "audit-memory", "fmt-json", "json-subscriber", "bunyan"];

struct Nothing;

impl<S: tracing::Subscriber> Layer<S> for Nothing {}

/// Ends the recording, so that everything is written.
pub enum Guard {
    Nothing,
    Audit(AuditGuard),
    Appender(WorkerGuard),
}

impl Guard {
    pub fn end(self) {
        match self {
            Self::Nothing => {}
            Self::Audit(audit) => {
                let stats = audit.stats();
                assert!(stats.dropped.is_empty(), "{stats:?}");
                audit.shutdown(Duration::from_secs(600)).expect("everything is written");
            }
            // Writes what is queued.
            Self::Appender(guard) => drop(guard),
        }
    }
}

fn appender(dir: &Path) -> (NonBlocking, WorkerGuard) {
    let file = tracing_appender::rolling::never(dir, "peer.log");
    NonBlockingBuilder::default().lossy(false).finish(file)
}

/// Makes the subject the global subscriber; only its file is written.
pub fn install(name: &str, dir: &Path) -> Guard {
    let registry: Registry = tracing_subscriber::registry();
    match name {
        "nothing" => {
            registry.with(Nothing).init();
            Guard::Nothing
        }
        "audit" | "audit-memory" => {
            let builder = AuditLayer::builder()
                .service("bench")
                .file(dir.join("audit.log"))
                .file_rotation(1 << 40, 1)
                .durable(Durable::none())
                .max_queue_size(128_000)
                .block_timeout(Duration::from_secs(600));
            let builder = if name == "audit" { builder } else { builder.without_journal() };
            let (layer, audit) = builder.build().expect("a layer");
            registry.with(layer).init();
            Guard::Audit(audit)
        }
        "fmt-json" => {
            let (writer, guard) = appender(dir);
            registry.with(tracing_subscriber::fmt::layer().json().with_writer(writer)).init();
            Guard::Appender(guard)
        }
        "json-subscriber" => {
            let (writer, guard) = appender(dir);
            registry.with(json_subscriber::layer().with_writer(writer)).init();
            Guard::Appender(guard)
        }
        "bunyan" => {
            let (writer, guard) = appender(dir);
            registry
                .with(tracing_bunyan_formatter::JsonStorageLayer)
                .with(tracing_bunyan_formatter::BunyanFormattingLayer::new("bench".into(), writer))
                .init();
            Guard::Appender(guard)
        }
        other => panic!("there is no subject {other:?}"),
    }
}

/// One event: ten fields, in one span.
#[inline(never)]
pub fn emit(number: u64) {
    tracing::info!(
        target: "audit",
        event_type = "trade.executed",
        action = "execute",
        status = "success",
        resource = "orders/4711",
        duration_us = 184_u64,
        symbol = "ACME",
        side = "buy",
        quantity = number,
        price = "101.25",
        venue = "XETR",
        "order executed"
    );
}

/// The span that the events are in.
pub fn span() -> tracing::Span {
    tracing::info_span!(
        "request",
        user_id = "u-1042",
        request_id = "req-77",
        ip_address = "192.0.2.7"
    )
}
