//! Which events become records.

use tests::{Recorded, Trail};
use tracing::Level;

fn messages(recorded: &Recorded) -> Vec<&str> {
    recorded.events().iter().map(|record| record["message"].as_str().unwrap()).collect()
}

#[test]
fn the_target_is_audit_or_a_part_of_it() {
    let recorded = Recorded::from(|| {
        tracing::info!(target: "audit", "audit");
        tracing::info!(target: "audit::payments", "part");
        tracing::info!(target: "audit::a::b", "part of a part");
        tracing::info!(target: "auditor", "auditor");
        tracing::info!(target: "audit_layer", "audit_layer");
        tracing::info!(target: "audit:x", "one colon");
        tracing::info!(target: "AUDIT", "capitals");
        tracing::info!(target: "my::audit", "last part");
        tracing::info!("no target");
        drop(tracing::info_span!(target: "auditor", "span of auditor", user_id = "u-1"));
    });
    assert_eq!(messages(&recorded), ["audit", "part", "part of a part"]);
}

#[test]
fn the_level_decides_what_is_recorded() {
    let at = |level: Option<Level>| {
        let trail = match level {
            Some(level) => Trail::in_file().with(|b| b.level(level)),
            None => Trail::in_file(),
        };
        let recorded = trail.record(|| {
            tracing::trace!(target: "audit", "trace");
            tracing::debug!(target: "audit", "debug");
            tracing::info!(target: "audit", "info");
            tracing::warn!(target: "audit", "warn");
            tracing::error!(target: "audit", "error");
            drop(tracing::debug_span!(target: "audit", "debug span"));
            drop(tracing::warn_span!(target: "audit", "warn span"));
        });
        messages(&recorded).join(" ")
    };
    assert_eq!(at(None), "info warn error warn span");
    assert_eq!(at(Some(Level::TRACE)), "trace debug info warn error debug span warn span");
    assert_eq!(at(Some(Level::ERROR)), "error");
}

#[test]
fn the_level_is_told_by_the_trail_and_counts_for_every_sink() {
    let trail = Trail::in_file_and_sqlite().with(|b| b.level(Level::WARN));
    let database = trail.database();
    let (layer, guard) = trail.open();
    use tracing_subscriber::prelude::*;
    tracing::subscriber::with_default(tracing_subscriber::registry().with(layer), || {
        tracing::info!(target: "audit", "info");
        tracing::warn!(target: "audit", "warn");
    });
    assert!(database.exists());
    let recorded = trail.end(guard);
    assert_eq!(messages(&recorded), ["warn"]);
    let level = recorded.of_type("system.startup")[0]["details"]["level"].as_str().unwrap();
    assert_eq!(level.to_lowercase(), "warn");
}

#[test]
fn an_event_of_the_applications_that_looks_like_a_canary_is_recorded() {
    // verify_installed() sends an event that is not recorded; nobody else can.
    let recorded = Recorded::from(|| {
        tracing::info!(target: "audit", { audit_layer.canary = 1_u64 }, "hidden?");
        tracing::info!(target: "audit", { audit_layer.canary = 1_u64 }, "looking for the audit layer");
    });
    assert_eq!(messages(&recorded), ["hidden?", "looking for the audit layer"]);
}
