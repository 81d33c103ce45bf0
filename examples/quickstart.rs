//! Ten lines from nothing to a tamper-evident trail: `cargo run --example quickstart`.
use audit_layer::AuditLayer;
use tracing_subscriber::prelude::*;

fn main() -> Result<(), audit_layer::Error> {
    let (layer, audit) = AuditLayer::from_env()?;
    tracing_subscriber::registry().with(layer).init();
    audit.verify_installed()?;
    tracing::info!(target: "audit", event_type = "auth.login", status = "success", user_id = "u-1", "User login successful");
    Ok(()) // dropping `audit` writes what is left and closes the trail
}
