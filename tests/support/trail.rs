//! A layer in a directory of its own, and what it recorded.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use audit_layer::{
    AuditGuard, AuditLayer, Builder, Stats,
    record::{Hash, checked_hash},
};
use serde_json::Value;
use tempfile::TempDir;
use tracing_subscriber::{layer::SubscriberExt, registry::LookupSpan};

/// How long a test waits for what takes milliseconds, before it fails.
const PATIENCE: Duration = Duration::from_secs(60);

/// A directory for the sinks of a layer, and how the layer is built.
pub struct Trail {
    dir: TempDir,
    builder: Builder,
}

impl Trail {
    /// A trail in a JSON file.
    #[must_use]
    pub fn in_file() -> Self {
        let trail = Self::bare();
        let file = trail.file();
        trail.with(|builder| builder.file(file))
    }

    /// A trail in a JSON file and a SQLite database.
    #[must_use]
    pub fn in_file_and_sqlite() -> Self {
        let trail = Self::in_file();
        let database = trail.database();
        trail.with(|builder| builder.sqlite(database))
    }

    /// A trail without a sink; [`Trail::with`] adds some.
    #[must_use]
    pub fn bare() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let builder = AuditLayer::builder()
            .service("tests")
            .journal(dir.path().join("journal"))
            .flush_interval(Duration::from_millis(5))
            .heartbeat(Duration::from_secs(3600));
        Self { dir, builder }
    }

    /// Changes how the layer is built.
    #[must_use]
    pub fn with(mut self, change: impl FnOnce(Builder) -> Builder) -> Self {
        self.builder = change(self.builder);
        self
    }

    /// Where everything is.
    #[must_use]
    pub fn path(&self) -> &Path {
        self.dir.path()
    }

    /// Where the JSON file is.
    #[must_use]
    pub fn file(&self) -> PathBuf {
        self.dir.path().join("audit.log")
    }

    /// Where the database is.
    #[must_use]
    pub fn database(&self) -> PathBuf {
        self.dir.path().join("audit.db")
    }

    /// Builds a layer. It may be called again once the guard is gone.
    pub fn open<S>(&self) -> (AuditLayer<S>, AuditGuard)
    where
        S: tracing::Subscriber + for<'span> LookupSpan<'span>,
    {
        self.builder.clone().build().unwrap()
    }

    /// Runs `emit` with the layer as this thread's subscriber and reads back the file.
    pub fn record(self, emit: impl FnOnce()) -> Recorded {
        let (layer, guard) = self.open();
        tracing::subscriber::with_default(tracing_subscriber::registry().with(layer), emit);
        self.end(guard)
    }

    /// Shuts the layer down and reads back the file.
    #[must_use]
    pub fn end(self, guard: AuditGuard) -> Recorded {
        guard.flush(PATIENCE).unwrap();
        let stats = guard.stats();
        guard.shutdown(PATIENCE).unwrap();
        let lines = Recorded::read(&self.file());
        Recorded { stats: Some(stats), ..lines }
    }
}

/// The records of a file. Reading it checks every line and every link, so each test does.
#[derive(Debug)]
pub struct Recorded {
    /// The lines as they stand in the file.
    pub lines: Vec<String>,
    /// The same, read.
    pub records: Vec<Value>,
    /// What the layer said of itself after everything was written and before it was shut down.
    pub stats: Option<Stats>,
}

impl Recorded {
    /// Records what `emit` emits on this thread, into a file.
    pub fn from(emit: impl FnOnce()) -> Self {
        Trail::in_file().record(emit)
    }

    /// Records an `emit` that makes one record.
    pub fn one(emit: impl FnOnce()) -> Value {
        Self::from(emit).only()
    }

    /// Reads a file whose records begin a stream.
    #[must_use]
    pub fn read(file: &Path) -> Self {
        let text = std::fs::read_to_string(file).unwrap();
        assert!(text.is_empty() || text.ends_with('\n'), "the last line is whole");
        let lines: Vec<String> = text.lines().map(str::to_owned).collect();
        let records: Vec<Value> =
            lines.iter().map(|line| serde_json::from_str(line).unwrap()).collect();
        check_chain(&lines, &records);
        Self { lines, records, stats: None }
    }

    /// The records that are not the layer's own.
    #[must_use]
    pub fn events(&self) -> Vec<&Value> {
        self.records.iter().filter(|record| record["category"] != "system").collect()
    }

    /// The layer's own records of that event type.
    #[must_use]
    pub fn of_type(&self, event_type: &str) -> Vec<&Value> {
        self.records.iter().filter(|record| record["event_type"] == event_type).collect()
    }

    /// The one record that is not the layer's own.
    #[must_use]
    pub fn only(&self) -> Value {
        let events = self.events();
        assert_eq!(events.len(), 1, "one record is expected: {events:#?}");
        events[0].clone()
    }

    /// The one record with that message.
    #[must_use]
    pub fn saying(&self, message: &str) -> &Value {
        let found: Vec<_> =
            self.records.iter().filter(|record| record["message"] == message).collect();
        assert_eq!(found.len(), 1, "one record says {message:?}: {:#?}", self.records);
        found[0]
    }
}

/// Hashes, links, numbers and the canonical form, the latter by a library that is not ours.
fn check_chain(lines: &[String], records: &[Value]) {
    let mut previous = Hash::ZERO;
    for (at, (line, record)) in lines.iter().zip(records).enumerate() {
        let hash = checked_hash(line.as_bytes())
            .unwrap_or_else(|| panic!("line {} has not the hash that it states", at + 1));
        assert_eq!(record["prev_hash"], previous.to_string(), "the link of line {}", at + 1);
        assert_eq!(record["seq"], at + 1);
        previous = hash;

        let mut hashed = record.clone();
        hashed.as_object_mut().unwrap().remove("hash");
        let canonical = serde_json_canonicalizer::to_string(&hashed).unwrap();
        let open = canonical.strip_suffix('}').unwrap();
        assert_eq!(*line, format!("{open},\"hash\":\"{hash}\"}}"), "line {} is canonical", at + 1);
    }
}
