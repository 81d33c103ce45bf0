//! A real trail in a directory of its own, for the tests of the desk.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::path::PathBuf;

use audit_layer::{AuditGuard, AuditLayer, record};
use serde_json::Value;
use tempfile::TempDir;
use tracing::Dispatch;
use tracing_subscriber::layer::SubscriberExt;

pub(crate) struct Trail {
    dispatch: Dispatch,
    audit: AuditGuard,
    /// Last, so that it is there until everything is written.
    dir: TempDir,
}

/// A record as it was written.
pub(crate) struct Line {
    pub(crate) text: String,
    pub(crate) value: Value,
}

impl Trail {
    pub(crate) fn open() -> Self {
        Self::open_in(tempfile::tempdir().unwrap())
    }

    pub(crate) fn open_in(dir: TempDir) -> Self {
        let (layer, audit) = AuditLayer::builder()
            .service("trading-desk")
            .journal(dir.path().join("journal"))
            .file(dir.path().join("audit.log"))
            .file_rotation(1 << 30, 1)
            .sqlite(dir.path().join("audit.db"))
            .batch_size(1000)
            .build()
            .unwrap();
        let dispatch = Dispatch::new(tracing_subscriber::registry().with(layer));
        audit.flush(std::time::Duration::from_secs(10)).unwrap();
        Self { dir, dispatch, audit }
    }

    pub(crate) fn record<R>(&self, events: impl FnOnce() -> R) -> R {
        tracing::dispatcher::with_default(&self.dispatch, events)
    }

    pub(crate) fn flush(&self) {
        self.audit.flush(std::time::Duration::from_secs(30)).unwrap();
    }

    pub(crate) fn database(&self) -> PathBuf {
        self.dir.path().join("audit.db")
    }

    pub(crate) fn stream(&self) -> String {
        self.audit.stream().unwrap().to_string()
    }

    /// Ends the trail and leaves its directory.
    pub(crate) fn leave(self) -> TempDir {
        self.audit.shutdown(std::time::Duration::from_secs(30)).unwrap();
        self.dir
    }

    /// Ends the trail and gives its records, the layer's own included.
    pub(crate) fn close(self) -> Vec<Line> {
        let dir = self.leave();
        let text = std::fs::read_to_string(dir.path().join("audit.log")).unwrap();
        text.lines()
            .map(|line| Line { text: line.to_owned(), value: serde_json::from_str(line).unwrap() })
            .collect()
    }
}

impl Line {
    pub(crate) fn get(&self, member: &str) -> Option<&str> {
        self.value.get(member).and_then(Value::as_str)
    }

    pub(crate) fn event_type(&self) -> &str {
        self.get("event_type").unwrap()
    }

    pub(crate) fn category(&self) -> &str {
        self.get("category").unwrap()
    }

    pub(crate) fn detail(&self, name: &str) -> Option<&Value> {
        self.value.get("details").and_then(|details| details.get(name))
    }

    pub(crate) fn micros(&self, member: &str) -> i64 {
        record::parse_timestamp(self.get(member).unwrap()).unwrap()
    }
}

/// Recomputes every hash and link, as a verifier does.
pub(crate) fn assert_chained(lines: &[Line]) {
    let mut before = record::Hash::ZERO;
    for (at, line) in lines.iter().enumerate() {
        assert_eq!(line.value["seq"], at + 1);
        assert_eq!(line.get("prev_hash").unwrap(), before.to_string());
        before = record::checked_hash(line.text.as_bytes()).expect("the hash is that of the line");
    }
}
