//! What looking for secrets costs the thread that emits an event in which there are none.
//!
//! The same events with all rules, with those for names, and with none, in turns in one process; of each the
//! best round, since whatever else runs on the machine only adds. Where its buffers happen to lie makes a layer faster or
//! slower by more than what is measured here, so that it is the best of several processes.

use std::{
    hint::black_box,
    path::Path,
    time::{Duration, Instant},
};

use audit_layer::{AuditGuard, AuditLayer, Durable, val};
use tracing::Dispatch;
use tracing_subscriber::prelude::*;
use valuable::Valuable;

use crate::{in_child, report::Outcome, subject::span};

const PROCESSES: usize = 8;
/// Rounds of a process.
const ROUNDS: usize = 100;
/// Events of a round.
const EVENTS: usize = 500;

const RULES: [&str; 3] = ["off", "names", "all"];
const KINDS: [&str; 4] = ["six-texts", "val", "debug", "4-KiB"];
const LONG: usize = 4096;

#[derive(Debug, Valuable)]
struct Order {
    symbol: &'static str,
    quantity: u32,
    venue: String,
}

fn layer(rules: &str, dir: &Path) -> (Dispatch, AuditGuard) {
    let dir = dir.join(rules);
    let builder = AuditLayer::builder()
        .service("bench")
        .file(dir.join("audit.log"))
        .file_rotation(1 << 40, 1)
        .durable(Durable::none())
        .block_timeout(Duration::from_secs(600));
    let builder = match rules {
        "off" => builder.without_redaction(),
        "names" => builder.redact_values(false),
        _ => builder,
    };
    let (layer, audit) = builder.build().expect("a layer");
    (Dispatch::new(tracing_subscriber::registry().with(layer)), audit)
}

/// Emits events of one kind; how long each took on average, in nanoseconds.
fn round(kind: &str, order: &Order, long: &str) -> f64 {
    let started = Instant::now();
    match kind {
        "six-texts" => {
            for _ in 0..EVENTS {
                tracing::info!(
                    target: "audit",
                    event_type = "trade.executed",
                    action = "execute",
                    status = "success",
                    resource = black_box("orders/4711"),
                    order = black_box("0193a5a0-7c1e-7bb3-a4b5-1f6a2c9d8e70"),
                    note = black_box("filled at the opening auction"),
                    "order executed"
                );
            }
        }
        "val" => {
            for _ in 0..EVENTS {
                tracing::info!(target: "audit", event_type = "trade.executed", order = val(black_box(order)));
            }
        }
        "debug" => {
            for _ in 0..EVENTS {
                tracing::info!(target: "audit", event_type = "trade.executed", order = ?black_box(order));
            }
        }
        _ => {
            for _ in 0..EVENTS {
                tracing::info!(target: "audit", event_type = "data.read", text = black_box(long));
            }
        }
    }
    started.elapsed().as_nanos() as f64 / EVENTS as f64
}

pub fn measure(arguments: &[&str]) -> Outcome {
    let [kind] = arguments else { panic!("a kind of event") };
    let dir = tempfile::tempdir().expect("a directory");
    let layers = RULES.map(|rules| layer(rules, dir.path()));
    let order = Order { symbol: "ACME", quantity: 300, venue: "XETR".to_owned() };
    let long: String = "The order was executed, after all. ".chars().cycle().take(LONG).collect();
    let mut best = [f64::INFINITY; 3];
    for _ in 0..ROUNDS {
        for ((dispatch, audit), best) in layers.iter().zip(&mut best) {
            let time = tracing::dispatcher::with_default(dispatch, || {
                let _span = span().entered();
                round(kind, &order, &long)
            });
            *best = best.min(time);
            audit.flush(Duration::from_secs(60)).expect("everything is written");
        }
    }
    let mut outcome = Outcome::default();
    RULES.iter().zip(best).for_each(|(rules, time)| outcome.set(rules, time));
    outcome
}

pub fn report() {
    println!(
        "Looking for secrets where there are none: nanoseconds an event, best of {PROCESSES} x {ROUNDS} rounds."
    );
    println!("\n                   off    names            all");
    for kind in KINDS {
        let found: Vec<_> = (0..PROCESSES).map(|_| in_child(&["redaction", kind])).collect();
        let best = |rules| found.iter().map(|it| it.get(rules)).fold(f64::INFINITY, f64::min);
        let [off, names, all] = RULES.map(best);
        let share = |time: f64, of: f64| (time / of - 1.0) * 100.0;
        print!(
            "{kind:14}{off:8.1} {names:8.1} {:+5.1} % {all:8.1} {:+5.1} %",
            share(names, off),
            share(all, off)
        );
        if kind == "4-KiB" {
            print!("   values: {:.3} ns a byte", (all - names) / LONG as f64);
        }
        println!();
    }
}
