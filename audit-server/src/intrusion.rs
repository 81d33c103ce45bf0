//! The record that the trail was tampered with, in the trail itself.
//!
//! Whoever reads the trail, a copy of it or a dashboard is to learn of it, not only who looks at the
//! server's health. A layer is made for it and ended again: it is to be written also by a server that
//! records nothing else, and by `audit-server reindex`.

use std::{
    error::Error,
    path::{Path, PathBuf},
    time::Duration,
};

use audit_layer::{AuditLayer, event_type};
use tracing_subscriber::layer::SubscriberExt;

use crate::read_model::{Alarm, OnAlarm};

/// How long the trail may take to take it.
const PATIENCE: Duration = Duration::from_secs(30);

/// Tells of an alarm in the log, and in the trail.
pub(crate) fn alarm(trail: PathBuf) -> OnAlarm {
    Box::new(move |alarms| {
        for Alarm { stream, finding, .. } in alarms {
            tracing::error!(stream, finding, "the trail contradicts what was seen of it before");
        }
        match record(&trail, alarms) {
            Ok(()) => true,
            Err(error) => {
                tracing::error!(%error, "the alarm cannot be written into the trail yet");
                false
            }
        }
    })
}

/// Writes a `security.intrusion` record for each alarm.
///
/// # Errors
/// When the trail cannot be written: the server may have no right to.
fn record(trail: &Path, alarms: &[Alarm]) -> Result<(), Box<dyn Error>> {
    let (layer, guard) =
        AuditLayer::builder().service("audit-server").without_journal().sqlite(trail).build()?;
    tracing::subscriber::with_default(tracing_subscriber::registry().with(layer), || {
        for Alarm { stream, finding, .. } in alarms {
            tracing::error!(
                target: "audit",
                event_type = event_type::SECURITY_INTRUSION,
                severity = "critical",
                status = "failure",
                action = "trail_check",
                resource = stream.as_str(),
                finding = finding.as_str(),
                "the audit trail contradicts what was seen of it before"
            );
        }
    });
    guard.flush(PATIENCE)?;
    guard.shutdown(PATIENCE)?;
    Ok(())
}
