//! How a layer is put together.

use std::{path::PathBuf, sync::Arc, time::Duration};

use serde_json::json;
use tracing::level_filters::LevelFilter;
use tracing_core::Subscriber;
use tracing_subscriber::registry::LookupSpan;

#[cfg(feature = "sqlite")]
use crate::config::DbIndexes;
#[cfg(feature = "redis")]
use crate::config::RedisConfig;
use crate::{
    AuditGuard, AuditLayer, Error,
    capture::Core,
    config::{
        Config, DEFAULT_DB, DEFAULT_FILE, FileConfig, MAX_DURATION, MIN_FILE_BYTES, OnFailure,
        Overflow, SqliteConfig,
    },
    diagnostics,
    journal::{self, directory, frame::Frame},
    pipeline::{self, Settings},
    record::{Head, Link, StreamName, checked_hash},
    sink::{self, Batch, Sink, file::FileSink, stdout::StdoutSink},
};

/// How long a stream may be for a sink that has nothing of it to be given all of it: a crash may
/// have come before its first batch.
const NEW_SINK: u64 = 10_000;
/// How many lines a sink that was left behind is given at a time.
const CATCH_UP: usize = 1000;

/// Builds an [`AuditLayer`] and its [`AuditGuard`].
///
/// Without any sink chosen it writes [`DEFAULT_FILE`](crate::config::DEFAULT_FILE) and
/// [`DEFAULT_DB`](crate::config::DEFAULT_DB).
#[derive(Debug, Clone, Default)]
#[must_use = "a builder does nothing until build() is called"]
pub struct Builder {
    config: Config,
}

impl Builder {
    pub(crate) fn from_env() -> Result<Self, Error> {
        let lookup =
            |name: &str| std::env::var_os(name).map(|text| text.to_string_lossy().into_owned());
        Ok(Self { config: Config::from_lookup(lookup)? })
    }

    /// The service in the name of the stream: ASCII letters, digits, `.`, `_` and `-`.
    /// Default: the name of the program.
    pub fn service(mut self, service: impl Into<String>) -> Self {
        self.config.service = service.into();
        self
    }

    /// The journal directory, which holds the stream's identity and lock.
    /// Default: `journal` beside the database, else beside the file.
    pub fn journal(mut self, path: impl Into<PathBuf>) -> Self {
        self.config.journal = Some(path.into());
        self
    }

    /// Writes JSON lines to a file, rotated by size. Off unless called.
    pub fn file(mut self, path: impl Into<PathBuf>) -> Self {
        self.config.file = Some(FileConfig::at(path));
        self
    }

    /// The size in bytes at which the file is rotated, and how many rotated files are kept.
    /// Defaults: [`DEFAULT_FILE_MAX_MB`](crate::config::DEFAULT_FILE_MAX_MB) MiB and
    /// [`DEFAULT_FILE_BACKUPS`](crate::config::DEFAULT_FILE_BACKUPS). At least 64 KiB.
    pub fn file_rotation(mut self, max_bytes: u64, backups: u32) -> Self {
        let file = self.config.file.get_or_insert_with(|| FileConfig::at(DEFAULT_FILE));
        (file.max_bytes, file.backups) = (max_bytes, backups);
        self
    }

    /// Writes the trail to a SQLite database. Off unless called.
    #[cfg(feature = "sqlite")]
    pub fn sqlite(mut self, path: impl Into<PathBuf>) -> Self {
        self.config.sqlite = Some(SqliteConfig::at(path));
        self
    }

    /// Which indexes the database has beside those of the trail. Default: [`DbIndexes::Lean`].
    #[cfg(feature = "sqlite")]
    pub fn sqlite_indexes(mut self, indexes: DbIndexes) -> Self {
        self.config.sqlite.get_or_insert_with(|| SqliteConfig::at(DEFAULT_DB)).indexes = indexes;
        self
    }

    /// Writes recent records to Redis, a list a category. Off unless called. The address is never
    /// repeated in an error or a log.
    #[cfg(feature = "redis")]
    pub fn redis(mut self, url: impl Into<String>) -> Self {
        self.config.redis = Some(RedisConfig::at(url));
        self
    }

    /// The Redis database, how many records each list keeps, and after how many seconds without a
    /// new record it expires. Defaults: [`DEFAULT_REDIS_DB`](crate::config::DEFAULT_REDIS_DB),
    /// [`DEFAULT_REDIS_MAX_LOGS`](crate::config::DEFAULT_REDIS_MAX_LOGS) and
    /// [`DEFAULT_REDIS_TTL`](crate::config::DEFAULT_REDIS_TTL). Call it after [`Builder::redis`].
    #[cfg(feature = "redis")]
    pub fn redis_limits(mut self, db: i64, max_logs: u64, ttl_seconds: u64) -> Self {
        if let Some(redis) = &mut self.config.redis {
            (redis.db, redis.max_logs, redis.ttl) = (db, max_logs, ttl_seconds);
        }
        self
    }

    /// Writes lines to standard output. Off unless called.
    pub fn stdout(mut self) -> Self {
        self.config.stdout = true;
        self
    }

    /// Events of this level and graver are recorded.
    /// Default: [`DEFAULT_LEVEL`](crate::config::DEFAULT_LEVEL).
    pub fn level(mut self, level: impl Into<LevelFilter>) -> Self {
        self.config.level = level.into();
        self
    }

    /// Spans of this level and graver give context.
    /// Default: [`DEFAULT_CONTEXT_LEVEL`](crate::config::DEFAULT_CONTEXT_LEVEL).
    pub fn context_level(mut self, level: impl Into<LevelFilter>) -> Self {
        self.config.context_level = level.into();
        self
    }

    /// How many records make a batch leave. Default:
    /// [`DEFAULT_BATCH_SIZE`](crate::config::DEFAULT_BATCH_SIZE).
    pub fn batch_size(mut self, records: usize) -> Self {
        self.config.batch_size = records;
        self
    }

    /// How long a record waits for its batch. Default:
    /// [`DEFAULT_FLUSH_INTERVAL`](crate::config::DEFAULT_FLUSH_INTERVAL).
    pub fn flush_interval(mut self, interval: Duration) -> Self {
        self.config.flush_interval = interval;
        self
    }

    /// The time between two heartbeats. Default:
    /// [`DEFAULT_HEARTBEAT`](crate::config::DEFAULT_HEARTBEAT).
    pub fn heartbeat(mut self, interval: Duration) -> Self {
        self.config.heartbeat = interval;
        self
    }

    /// How many events wait at most. Default:
    /// [`DEFAULT_MAX_QUEUE_SIZE`](crate::config::DEFAULT_MAX_QUEUE_SIZE).
    pub fn max_queue_size(mut self, events: usize) -> Self {
        self.config.policies.max_queue_size = events;
        self
    }

    /// What happens when the queue is full. Default: [`Overflow::Block`].
    pub fn overflow(mut self, policy: Overflow) -> Self {
        self.config.policies.overflow = policy;
        self
    }

    /// How long a caller waits for room. Default:
    /// [`DEFAULT_BLOCK_TIMEOUT`](crate::config::DEFAULT_BLOCK_TIMEOUT).
    pub fn block_timeout(mut self, timeout: Duration) -> Self {
        self.config.policies.block_timeout = timeout;
        self
    }

    /// What happens when waiting did not help. Default: [`OnFailure::Drop`].
    pub fn on_failure(mut self, policy: OnFailure) -> Self {
        self.config.policies.on_failure = policy;
        self
    }

    /// Opens the stream and the sinks and starts the pipeline.
    ///
    /// # Errors
    /// [`Error::Invalid`] for a setting that cannot be, [`Error::Journal`] and [`Error::Sink`] for a
    /// directory, file or database that cannot be opened. A Redis that does not answer is none: it
    /// is tried again while the service runs.
    pub fn build<S>(mut self) -> Result<(AuditLayer<S>, AuditGuard), Error>
    where
        S: Subscriber + for<'span> LookupSpan<'span>,
    {
        self.settle()?;
        let config = self.config;
        let mut directory = directory::open(&config.journal_path(), &config.service)?;
        let mut sinks = open_sinks(&config, directory.slot)?;
        let mut notes = Vec::new();
        let head = match catch_up(&mut sinks, &directory.stream, &mut notes)? {
            Some(head) => head,
            None => {
                if !directory.is_new {
                    let old = directory.renew()?;
                    notes.push(pipeline::stream_opened(&old));
                }
                Head::START
            }
        };
        let stream = directory.stream.clone();
        diagnostics::debug(|| format!("{stream} goes on behind record {}", head.seq));

        let (queue, reader) = journal::queue(config.policies.clone());
        let core = Arc::new(Core::new(queue, config.level, config.context_level));
        let settings = Settings {
            stream,
            head,
            batch_size: config.batch_size,
            flush_interval: config.flush_interval,
            heartbeat: config.heartbeat,
            backlog: config.policies.max_queue_size,
            startup: startup(&config, &sinks),
            notes,
        };
        let sinks =
            sinks.into_iter().map(|(sink, head)| (sink, head.map_or(0, |h| h.seq))).collect();
        let pipeline = pipeline::start(settings, sinks, Arc::clone(&core), reader)?;
        let guard =
            AuditGuard::new(Arc::clone(&core), config.policies.max_queue_size, pipeline, directory);
        Ok((AuditLayer::new(core), guard))
    }

    fn settle(&mut self) -> Result<(), Error> {
        let config = &mut self.config;
        let invalid = |name, why: &str| Err(Error::Invalid { name, why: why.to_owned() });
        if !StreamName::is_part(&config.service) {
            return invalid("service", "is 1 to 100 ASCII letters, digits, '.', '_' or '-'");
        }
        let none = config.file.is_none()
            && config.sqlite.is_none()
            && config.redis.is_none()
            && !config.stdout;
        if none {
            config.file = Some(FileConfig::at(DEFAULT_FILE));
            if cfg!(feature = "sqlite") {
                config.sqlite = Some(SqliteConfig::at(DEFAULT_DB));
            }
        }
        if config.file.as_ref().is_some_and(|file| file.max_bytes < MIN_FILE_BYTES) {
            return invalid("file_rotation", "a file is rotated at 64 KiB at the least");
        }
        if config.policies.max_queue_size == 0 {
            return invalid("max_queue_size", "is at least 1");
        }
        if config.batch_size == 0 {
            return invalid("batch_size", "is at least 1");
        }
        for (name, time) in [
            ("flush_interval", config.flush_interval),
            ("heartbeat", config.heartbeat),
            ("block_timeout", config.policies.block_timeout),
        ] {
            if time.is_zero() || time > MAX_DURATION {
                return invalid(name, "is over zero and at most a day");
            }
        }
        Ok(())
    }
}

type Opened = Vec<(Box<dyn Sink>, Option<Head>)>;

fn open_sinks(config: &Config, slot: u32) -> Result<Opened, Error> {
    let mut sinks: Opened = Vec::new();
    if let Some(file) = &config.file {
        let file = FileConfig { path: directory::path_for_slot(&file.path, slot), ..file.clone() };
        sinks.push((Box::new(FileSink::open(file)?), None));
    }
    #[cfg(feature = "sqlite")]
    if let Some(sqlite) = &config.sqlite {
        sinks.push((Box::new(sink::sqlite::SqliteSink::open(sqlite)?), None));
    }
    #[cfg(not(feature = "sqlite"))]
    if config.sqlite.is_some() {
        return Err(not_built("sqlite"));
    }
    #[cfg(feature = "redis")]
    if let Some(redis) = &config.redis {
        sinks.push((Box::new(sink::redis::RedisSink::new(redis.clone())?), None));
    }
    #[cfg(not(feature = "redis"))]
    if config.redis.is_some() {
        return Err(not_built("redis"));
    }
    if config.stdout {
        sinks.push((Box::<StdoutSink>::default(), None));
    }
    Ok(sinks)
}

#[cfg(not(all(feature = "sqlite", feature = "redis")))]
fn not_built(sink: &'static str) -> Error {
    Error::Sink { sink, why: format!("audit-layer was built without the feature {sink:?}") }
}

/// Finds the last record that any sink has, and gives those that have fewer what they lack; `None`
/// when no sink has any.
///
/// A crash can leave one sink ahead of another by a batch, also when it is the first. A sink that
/// has nothing of a stream that is long is new, or was emptied on purpose, and begins here. What
/// nobody holds any more is told in the trail.
fn catch_up(
    sinks: &mut Opened,
    stream: &StreamName,
    notes: &mut Vec<Frame>,
) -> Result<Option<Head>, Error> {
    for (sink, head) in sinks.iter_mut() {
        match sink.head(stream) {
            Ok(found) => *head = found,
            Err(error) if sink.delivery() == sink::Delivery::BestEffort => {
                diagnostics::warn(&format!(
                    "the {} sink does not answer and is tried again: {error}",
                    sink.name()
                ));
            }
            Err(error) => return Err(Error::Sink { sink: sink.name(), why: error.to_string() }),
        }
    }
    let newest = sinks.iter().filter_map(|(_, head)| *head).max_by_key(|head| head.seq);
    let Some(newest) = newest else { return Ok(None) };
    for (sink, head) in sinks.iter_mut() {
        let required = sink.delivery() == sink::Delivery::Required;
        if required && head.is_none() && newest.seq <= NEW_SINK {
            *head = Some(Head::START);
        }
    }
    for behind in 0..sinks.len() {
        if let Some((sink, Some(head))) = sinks.get(behind)
            && head.seq < newest.seq
        {
            let name = sink.name();
            if let Err(error) = bring_forward(sinks, behind, stream, newest) {
                diagnostics::warn(&format!("the {name} sink could not be caught up: {error}"));
                if let Some((sink, Some(have))) = sinks.get(behind) {
                    let (first, count) = (have.seq + 1, newest.seq - have.seq);
                    notes.push(pipeline::skipped(sink.name(), count, first, newest.seq));
                }
            }
        }
    }
    Ok(Some(newest))
}

/// Copies what the sink at `behind` lacks from one that has it.
fn bring_forward(
    sinks: &mut Opened,
    behind: usize,
    stream: &StreamName,
    newest: Head,
) -> Result<(), sink::SinkError> {
    let shared = Arc::new(stream.clone());
    loop {
        let Some((_, Some(have))) = sinks.get(behind) else { return Ok(()) };
        let have = *have;
        if have.seq >= newest.seq {
            return Ok(());
        }
        let mut records = Vec::new();
        for (at, (sink, head)) in sinks.iter_mut().enumerate() {
            if at != behind && head.is_some_and(|head| head.seq > have.seq) {
                records = following(have, &sink.lines_after(stream, have.seq, CATCH_UP)?);
                if !records.is_empty() {
                    break;
                }
            }
        }
        let Some(last) = records.last().map(sink::Sealed::head) else {
            return Err(sink::SinkError(format!(
                "no other sink holds what follows its record {}",
                have.seq
            )));
        };
        let Some((sink, head)) = sinks.get_mut(behind) else { return Ok(()) };
        sink.write(&Batch { stream: Arc::clone(&shared), records })?;
        *head = Some(last);
    }
}

/// The records of those lines that follow `have` without a gap, each intact and chained to the one
/// before it: a damaged sink must not spread its damage.
fn following(mut have: Head, lines: &[String]) -> Vec<sink::Sealed> {
    let mut records = Vec::new();
    for line in lines {
        let follows = Link::parse(line)
            .is_ok_and(|link| link.seq == have.seq + 1 && link.prev_hash.parse() == Ok(have.hash));
        match sink::Sealed::from_line(line) {
            Some((_, sealed)) if follows && checked_hash(line.as_bytes()).is_some() => {
                have = sealed.head();
                records.push(sealed);
            }
            _ => break,
        }
    }
    records
}

/// What the trail says of the settings it is recorded with.
fn startup(config: &Config, sinks: &Opened) -> serde_json::Value {
    json!({
        "version": env!("CARGO_PKG_VERSION"),
        "pid": std::process::id(),
        "level": config.level.to_string(),
        "sinks": sinks.iter().map(|(sink, _)| sink.name()).collect::<Vec<_>>(),
        "batch_size": config.batch_size,
        "flush_interval_ms": u64::try_from(config.flush_interval.as_millis()).unwrap_or(u64::MAX),
        "max_queue_size": config.policies.max_queue_size,
        "overflow": format!("{:?}", config.policies.overflow).to_lowercase(),
        "on_failure": format!("{:?}", config.policies.on_failure).to_lowercase(),
    })
}
