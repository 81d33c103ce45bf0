//! How a layer is put together.

use std::{path::PathBuf, time::Duration};

use tracing::level_filters::LevelFilter;
use tracing_core::Subscriber;
use tracing_subscriber::registry::LookupSpan;

#[cfg(feature = "sqlite")]
use crate::config::DbIndexes;
#[cfg(feature = "redis")]
use crate::config::RedisConfig;
use crate::{
    AuditGuard, AuditLayer, Error, assembly,
    config::{
        Config, DEFAULT_DB, DEFAULT_FILE, Durable, FileConfig, MAX_DURATION, METHODS,
        MIN_FILE_BYTES, MIN_JOURNAL_MB, OnFailure, Overflow, SERVICE_NAME, SealClassified,
        SqliteConfig, is_misspelt,
    },
    diagnostics,
    record::StreamName,
};

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
        for (name, _) in std::env::vars_os() {
            let name = name.to_string_lossy();
            if is_misspelt(&name) {
                diagnostics::warn(&format!("{name} is no setting of the audit layer"));
            }
        }
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

    /// How many MiB all files of the journal may take together; at least 2. Default:
    /// [`DEFAULT_JOURNAL_MAX_MB`](crate::config::DEFAULT_JOURNAL_MAX_MB).
    pub fn journal_max_mb(mut self, mib: u64) -> Self {
        self.config.journal_max_mb = mib;
        self
    }

    /// Which events are durable before their macro returns. Default:
    /// [`DEFAULT_DURABLE`](crate::config::DEFAULT_DURABLE).
    pub fn durable(mut self, durable: Durable) -> Self {
        self.config.durable = durable;
        self
    }

    /// Keeps events in memory until they are written, not in a journal: what is in memory is lost
    /// when the process is killed, and nothing can be committed. The journal's directory stays: it
    /// holds the identity of the stream.
    pub fn without_journal(mut self) -> Self {
        self.config.is_journaled = false;
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
            (redis.db, redis.max_logs, redis.ttl) = (Some(db), max_logs, ttl_seconds);
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

    /// How many events wait at most, without a journal. Default:
    /// [`DEFAULT_MAX_QUEUE_SIZE`](crate::config::DEFAULT_MAX_QUEUE_SIZE).
    pub fn max_queue_size(mut self, events: usize) -> Self {
        self.config.policies.max_queue_size = events;
        self
    }

    /// What happens when the journal is full, or without one the queue. Default: [`Overflow::Block`].
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

    /// One more name of secrets, which are taken out before anything is written. It may be called again, for 256
    /// patterns at most. A pattern is
    /// - a name: `iban` is matched on the last words of names, as the built-in ones are: `customer_iban`, `homeIban`;
    /// - or a path of names: `user.email` is the `email` of any `user`, and `details.user.email` that of the field
    ///   `user`. A `*` is any one name: `*.iban`, `customer.*`. Each name of a path is matched as a whole,
    ///   whatever its case and what is between its words; the items of a list have the name of the list.
    ///
    /// A pattern that cannot be read is an error of [`Builder::build`] that names it.
    ///
    /// ```
    /// # use audit_layer::AuditLayer;
    /// let builder = AuditLayer::builder().redact("iban").redact("customer.*").keep("postal.pin");
    /// ```
    pub fn redact(mut self, pattern: impl Into<String>) -> Self {
        self.config.redaction.added.push(pattern.into());
        self
    }

    /// Exempts from the built-in names what fits a pattern, as [`Builder::redact`] reads it: somebody's `pin` is a
    /// postal code. What is added there stays a secret. A field that is exempt is left as it is: an identifier that
    /// looks like a card number stays as well.
    pub fn keep(mut self, pattern: impl Into<String>) -> Self {
        self.config.redaction.kept.push(pattern.into());
        self
    }

    /// Whether secrets that show by themselves what they are, whatever they are called, are taken out of
    /// the text around them: tokens, private keys and payment card numbers. On unless turned off.
    pub fn redact_values(mut self, on: bool) -> Self {
        self.config.redaction.values = on;
        self
    }

    /// The keyring that values are hashed and sealed with: made once for a host, with
    /// [`Keyring::init`](crate::keyring::Keyring::init), and the service's own to read and write. Without one
    /// [`hashed`](crate::hashed) and [`sealed`](crate::sealed) values are recorded as `[redacted]`. Default: none.
    pub fn keyring(mut self, path: impl Into<PathBuf>) -> Self {
        self.config.keyring = Some(path.into());
        self
    }

    /// One more name of what is hashed: `hmac:<key id>:<hex>` takes the place of the value, by which records of the same account
    /// or address are told to be such. A pattern is read as [`Builder::redact`] reads it, and may name a
    /// member: `user_id`. Needs a [`Builder::keyring`].
    ///
    /// ```
    /// # use audit_layer::AuditLayer;
    /// let builder = AuditLayer::builder().keyring("keyring.db").hash("user_id").seal("customer.*");
    /// ```
    pub fn hash(mut self, pattern: impl Into<String>) -> Self {
        self.config.redaction.hashed.push(pattern.into());
        self
    }

    /// One more name of what is sealed: encrypted, for those to read who have the keyring. A pattern is read as
    /// [`Builder::redact`] reads it. What is redacted is not sealed, and what is sealed is not hashed. Needs a
    /// [`Builder::keyring`].
    pub fn seal(mut self, pattern: impl Into<String>) -> Self {
        self.config.redaction.sealed.push(pattern.into());
        self
    }

    /// Which records have every detail sealed that is not hashed, whatever it is called. Default:
    /// [`SealClassified::Off`]. Needs a [`Builder::keyring`].
    pub fn seal_classified(mut self, which: SealClassified) -> Self {
        self.config.redaction.classified = which;
        self
    }

    /// Takes nothing out at all. For measuring what that costs.
    #[doc(hidden)]
    pub fn without_redaction(mut self) -> Self {
        self.config.redaction.is_on = false;
        self
    }

    /// Opens the stream and the sinks and starts the pipeline.
    ///
    /// # Errors
    /// [`Error::Invalid`] for a setting that cannot be, [`Error::Journal`], [`Error::Sink`] and `Error::Keyring` for a
    /// directory, file or database that cannot be opened. A Redis that does not answer is none: it
    /// is tried again while the service runs.
    pub fn build<S>(mut self) -> Result<(AuditLayer<S>, AuditGuard), Error>
    where
        S: Subscriber + for<'span> LookupSpan<'span>,
    {
        self.settle()?;
        let guard = assembly::assemble(&self.config)?;
        Ok((AuditLayer::new(guard.core()), guard))
    }

    fn settle(&mut self) -> Result<(), Error> {
        let config = &mut self.config;
        let invalid = |name, why: &str| Err(Error::Invalid { name, why: why.to_owned() });
        if !StreamName::is_part(&config.service) {
            return Err(Error::Invalid {
                name: "service",
                why: format!("{:?} is not {SERVICE_NAME}", config.service),
            });
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
        if config.journal_max_mb < MIN_JOURNAL_MB {
            return invalid("journal_max_mb", "is at least 2");
        }
        if config.batch_size == 0 {
            return invalid("batch_size", "is at least 1");
        }
        config.redaction.rules(config.keyring.is_some(), METHODS)?;
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
