//! The settings of a layer: defaults, the environment, and what follows from them.
//!
//! Every default is a public constant. Reading goes from text to a type that cannot be wrong; what
//! cannot be read is an error that names the variable, never a silent default.
//!
//! The file is long because it is a list: each setting stands here with its default, its meaning and
//! how it is read.

use std::{path::PathBuf, time::Duration};

use tracing::level_filters::LevelFilter;

use crate::{
    Error,
    capture::{Names, Rules},
    diagnostics,
    journal::directory::name_part,
    record::{Classification, EventType, Member, Severity, StreamName, event_type},
};

/// `LOGGING_FILE`.
pub const DEFAULT_FILE: &str = "logs/audit.log";
/// `LOGGING_MAX_SIZE_MB`: the size at which the file is rotated, in MiB.
pub const DEFAULT_FILE_MAX_MB: u64 = 10;
/// `LOGGING_BACKUP_COUNT`: how many rotated files are kept.
pub const DEFAULT_FILE_BACKUPS: u32 = 5;
/// `AUDIT_DB`.
pub const DEFAULT_DB: &str = "audit.db";
/// `REDIS_LOG_DB`.
pub const DEFAULT_REDIS_DB: i64 = 1;
/// `REDIS_LOG_TTL`: seconds until a list without new records expires.
pub const DEFAULT_REDIS_TTL: u64 = 604_800;
/// `REDIS_MAX_LOGS`: how many records each list keeps.
pub const DEFAULT_REDIS_MAX_LOGS: u64 = 10_000;
/// `AUDIT_BATCH_SIZE`: how many records make a batch leave.
pub const DEFAULT_BATCH_SIZE: usize = 100;
/// `AUDIT_FLUSH_INTERVAL`: how long a record waits for its batch at most.
pub const DEFAULT_FLUSH_INTERVAL: Duration = Duration::from_secs(5);
/// `AUDIT_MAX_QUEUE_SIZE`: how many events wait at most, without a journal.
pub const DEFAULT_MAX_QUEUE_SIZE: usize = 10_000;
/// `AUDIT_BLOCK_TIMEOUT`: how long a caller waits for room at most.
pub const DEFAULT_BLOCK_TIMEOUT: Duration = Duration::from_secs(30);
/// `AUDIT_HEARTBEAT`: the time between two `system.heartbeat` records.
pub const DEFAULT_HEARTBEAT: Duration = Duration::from_secs(60);
/// `AUDIT_DURABLE`: categories and severities whose events are durable before their macro returns.
pub const DEFAULT_DURABLE: &str = "financial,critical";
/// `LOGGING_LEVEL`: events of this level and graver are recorded.
pub const DEFAULT_LEVEL: LevelFilter = LevelFilter::INFO;
/// Spans of this level and graver give context to the events inside them.
pub const DEFAULT_CONTEXT_LEVEL: LevelFilter = LevelFilter::DEBUG;
/// The name of the journal directory, beside the database or the file.
pub const DEFAULT_JOURNAL: &str = "journal";

/// `AUDIT_JOURNAL_MAX_MB`: how many MiB the files of the journal may take together.
pub const DEFAULT_JOURNAL_MAX_MB: u64 = 1024;
/// The smallest of its bounds: four segments.
pub(crate) const MIN_JOURNAL_MB: u64 = 2;

/// What a service may be called.
pub(crate) const SERVICE_NAME: &str = "1 to 100 ASCII letters, digits, '.', '_' or '-'";

/// The smallest size at which a file may be rotated. Each rotation can write a record of its own,
/// which must not make the next.
pub(crate) const MIN_FILE_BYTES: u64 = 64 * 1024;

/// What happens to an event when the journal is full, or without one the queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Overflow {
    /// The caller waits for room, at most for the block time-out; then the failure policy decides.
    #[default]
    Block,
    /// The event is dropped and counted; the caller never waits.
    Drop,
}

/// What happens to an event when waiting for room did not help, or the pipeline is dead.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum OnFailure {
    /// The event is dropped and counted; the service goes on.
    #[default]
    Drop,
    /// The caller waits without a limit: nothing goes on unrecorded.
    Block,
    /// The process is aborted.
    Abort,
}

/// Which events are durable before their macro returns, by category or severity.
///
/// Such a macro waits for the disk, some hundred microseconds; threads that wait at the same moment
/// share one sync.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Durable {
    categories: Vec<Box<str>>,
    /// Bit n: the severity n.
    severities: u8,
}

impl Durable {
    /// No event: what a power cut takes is what was not committed.
    #[must_use]
    pub fn none() -> Self {
        Self { categories: Vec::new(), severities: 0 }
    }

    /// Reads a list such as `financial,critical`. A word that is a severity means the events of just
    /// that severity, any other the events of that category.
    ///
    /// # Errors
    /// A word that can be neither.
    pub fn parse(list: &str) -> Result<Self, Error> {
        let mut durable = Self::none();
        for word in list.split(',').map(str::trim).filter(|word| !word.is_empty()) {
            match word.parse::<Severity>() {
                Ok(severity) => durable.severities |= 1 << severity as u8,
                // What stands before the dot of an event type.
                Err(_)
                    if event_type::is_event_type(&format!("{word}.x")) && !word.contains('.') =>
                {
                    if !EventType::ALL.iter().any(|standard| standard.category() == word) {
                        diagnostics::warn(&format!(
                            "AUDIT_DURABLE: no standard event type is of the category {word:?}; events \
                             of your own may be"
                        ));
                    }
                    durable.categories.push(word.into());
                }
                Err(_) => {
                    let why = format!(
                        "{word:?} is neither a category, which is what stands before the first dot of an \
                         event type, nor a severity (debug, info, warning, error, critical)"
                    );
                    return Err(Error::Invalid { name: "AUDIT_DURABLE", why });
                }
            }
        }
        Ok(durable)
    }

    pub(crate) fn is_none(&self) -> bool {
        self.categories.is_empty() && self.severities == 0
    }

    /// Whether an event whose `member` is this text is one of them.
    pub(crate) fn wants(&self, member: Member, text: &[u8]) -> bool {
        match member {
            Member::EventType => std::str::from_utf8(text).is_ok_and(|event_type| {
                let category = match EventType::from_plain_name(event_type) {
                    Some(standard) => event_type::category(standard.as_str()),
                    None => event_type::category(event_type),
                };
                self.categories.iter().any(|durable| **durable == *category)
            }),
            Member::Severity => std::str::from_utf8(text).is_ok_and(|word| {
                word.to_ascii_lowercase().parse().is_ok_and(|severity| self.has(severity))
            }),
            _ => false,
        }
    }

    pub(crate) fn has(&self, severity: Severity) -> bool {
        self.severities & 1 << severity as u8 != 0
    }
}

impl Default for Durable {
    /// [`DEFAULT_DURABLE`].
    fn default() -> Self {
        Self { categories: vec!["financial".into()], severities: 1 << Severity::Critical as u8 }
    }
}

/// Which indexes the database has beside those that the trail needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum DbIndexes {
    /// None: the writer is fastest, and the server keeps a search index of its own.
    #[default]
    Lean,
    /// `(user_id, timestamp)` and `(correlation_id)`, for those who query by hand. It costs the
    /// writer about six times its speed in a database of ten million records.
    Full,
}

/// Which records have all of their details sealed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum SealClassified {
    /// None: what is sealed is what says so itself, and what rules name.
    #[default]
    Off,
    /// Those whose `data_classification` is `confidential` or `restricted`.
    Confidential,
    /// Those whose `data_classification` is `restricted`.
    Restricted,
}

impl SealClassified {
    fn from(self) -> Option<Classification> {
        match self {
            Self::Off => None,
            Self::Confidential => Some(Classification::Confidential),
            Self::Restricted => Some(Classification::Restricted),
        }
    }
}

#[derive(Debug, Clone)]
pub(crate) struct Policies {
    pub(crate) max_queue_size: usize,
    pub(crate) overflow: Overflow,
    pub(crate) block_timeout: Duration,
    pub(crate) on_failure: OnFailure,
}

#[derive(Debug, Clone)]
pub(crate) struct FileConfig {
    pub(crate) path: PathBuf,
    pub(crate) max_bytes: u64,
    pub(crate) backups: u32,
}

#[cfg_attr(not(feature = "sqlite"), allow(dead_code, reason = "only the sink reads it"))]
#[derive(Debug, Clone)]
pub(crate) struct SqliteConfig {
    pub(crate) path: PathBuf,
    pub(crate) indexes: DbIndexes,
}

#[cfg_attr(not(feature = "redis"), allow(dead_code, reason = "only the sink reads it"))]
#[derive(Clone)]
pub(crate) struct RedisConfig {
    pub(crate) url: String,
    /// `None`: as the address says, else the default.
    pub(crate) db: Option<i64>,
    pub(crate) ttl: u64,
    pub(crate) max_logs: u64,
}

impl std::fmt::Debug for RedisConfig {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // The URL may hold a password.
        f.debug_struct("RedisConfig")
            .field("db", &self.db)
            .field("ttl", &self.ttl)
            .field("max_logs", &self.max_logs)
            .finish_non_exhaustive()
    }
}

/// Everything that a layer is built from.
#[derive(Debug, Clone)]
pub(crate) struct Config {
    pub(crate) service: String,
    pub(crate) journal: Option<PathBuf>,
    pub(crate) journal_max_mb: u64,
    /// Whether events go through the journal, or through memory only.
    pub(crate) is_journaled: bool,
    pub(crate) durable: Durable,
    pub(crate) file: Option<FileConfig>,
    pub(crate) sqlite: Option<SqliteConfig>,
    pub(crate) redis: Option<RedisConfig>,
    pub(crate) stdout: bool,
    pub(crate) level: LevelFilter,
    pub(crate) context_level: LevelFilter,
    pub(crate) batch_size: usize,
    pub(crate) flush_interval: Duration,
    pub(crate) heartbeat: Duration,
    pub(crate) policies: Policies,
    pub(crate) redaction: RedactionConfig,
    /// Where the keys are.
    pub(crate) keyring: Option<PathBuf>,
}

/// What is taken out of records, or hashed or sealed in them.
#[derive(Debug, Clone)]
pub(crate) struct RedactionConfig {
    /// Whether anything is.
    pub(crate) is_on: bool,
    pub(crate) values: bool,
    /// Patterns for names.
    pub(crate) added: Vec<String>,
    pub(crate) kept: Vec<String>,
    pub(crate) hashed: Vec<String>,
    pub(crate) sealed: Vec<String>,
    pub(crate) classified: SealClassified,
}

impl Default for RedactionConfig {
    fn default() -> Self {
        let none = Vec::new;
        Self {
            is_on: true,
            values: true,
            added: none(),
            kept: none(),
            hashed: none(),
            sealed: none(),
            classified: SealClassified::default(),
        }
    }
}

/// What the settings of [`RedactionConfig`] and the keyring are called where they come from.
#[derive(Debug, Clone, Copy)]
pub(crate) struct RuleNames {
    added: &'static str,
    kept: &'static str,
    hashed: &'static str,
    sealed: &'static str,
    classified: &'static str,
    keyring: &'static str,
}

/// The methods of the builder.
pub(crate) const METHODS: RuleNames = RuleNames {
    added: "redact",
    kept: "keep",
    hashed: "hash",
    sealed: "seal",
    classified: "seal_classified",
    keyring: "keyring",
};

/// The variables of the environment.
const VARIABLES: RuleNames = RuleNames {
    added: "AUDIT_REDACT",
    kept: "AUDIT_REDACT_KEEP",
    hashed: "AUDIT_HASH",
    sealed: "AUDIT_SEAL",
    classified: "AUDIT_SEAL_CLASSIFIED",
    keyring: "AUDIT_KEYRING",
};

impl RedactionConfig {
    /// The rules; or which method or variable has a pattern that cannot be read, or needs keys when there are none.
    pub(crate) fn rules(&self, has_keyring: bool, called: RuleNames) -> Result<Rules, Error> {
        let invalid = |name| move |why| Error::Invalid { name, why };
        Names::parse(&[], &self.kept).map_err(invalid(called.kept))?;
        let names = Names::parse(&self.added, &self.kept).map_err(invalid(called.added))?;
        let names = names.hashing(&self.hashed).map_err(invalid(called.hashed))?;
        let names = names.sealing(&self.sealed).map_err(invalid(called.sealed))?;
        let (hashes, seals) = (!self.hashed.is_empty(), !self.sealed.is_empty());
        let classified = self.classified.from();
        for (is_used, name) in [
            (hashes, called.hashed),
            (seals, called.sealed),
            (classified.is_some(), called.classified),
        ] {
            if is_used && !has_keyring {
                let why = format!("needs keys: {} says where the keyring is", called.keyring);
                return Err(Error::Invalid { name, why });
            }
        }
        // Without redaction nothing is looked for, so nothing would be sealed either.
        let is_on = self.is_on || hashes || seals;
        let rules = Rules::new(is_on.then_some(names), is_on && self.values);
        Ok(rules.sealing_classified(classified))
    }
}

impl Default for Config {
    fn default() -> Self {
        Self {
            service: program_name(),
            journal: None,
            journal_max_mb: DEFAULT_JOURNAL_MAX_MB,
            is_journaled: true,
            durable: Durable::default(),
            file: None,
            sqlite: None,
            redis: None,
            stdout: false,
            level: DEFAULT_LEVEL,
            context_level: DEFAULT_CONTEXT_LEVEL,
            batch_size: DEFAULT_BATCH_SIZE,
            flush_interval: DEFAULT_FLUSH_INTERVAL,
            heartbeat: DEFAULT_HEARTBEAT,
            policies: Policies {
                max_queue_size: DEFAULT_MAX_QUEUE_SIZE,
                overflow: Overflow::default(),
                block_timeout: DEFAULT_BLOCK_TIMEOUT,
                on_failure: OnFailure::default(),
            },
            redaction: RedactionConfig::default(),
            keyring: None,
        }
    }
}

fn program_name() -> String {
    let program = std::env::args_os().next().unwrap_or_default();
    name_part(&PathBuf::from(program).file_stem().unwrap_or_default().to_string_lossy())
}

impl FileConfig {
    pub(crate) fn at(path: impl Into<PathBuf>) -> Self {
        Self {
            path: path.into(),
            max_bytes: DEFAULT_FILE_MAX_MB * 1024 * 1024,
            backups: DEFAULT_FILE_BACKUPS,
        }
    }
}

impl SqliteConfig {
    pub(crate) fn at(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into(), indexes: DbIndexes::default() }
    }
}

impl RedisConfig {
    pub(crate) fn at(url: impl Into<String>) -> Self {
        Self { url: url.into(), db: None, ttl: DEFAULT_REDIS_TTL, max_logs: DEFAULT_REDIS_MAX_LOGS }
    }
}

impl Config {
    /// Where the journal directory is: as set, else beside the database or the file.
    pub(crate) fn journal_path(&self) -> PathBuf {
        if let Some(path) = &self.journal {
            return path.clone();
        }
        let beside = self
            .sqlite
            .as_ref()
            .map(|sqlite| &sqlite.path)
            .or(self.file.as_ref().map(|file| &file.path))
            .and_then(|path| path.parent());
        beside.map_or_else(|| PathBuf::from(DEFAULT_JOURNAL), |dir| dir.join(DEFAULT_JOURNAL))
    }

    /// Reads the environment through `lookup`.
    pub(crate) fn from_lookup(lookup: impl Fn(&str) -> Option<String>) -> Result<Self, Error> {
        let env = Env(&lookup);
        let mut config = Self::default();
        if let Some(service) = env.text("AUDIT_SERVICE") {
            if !StreamName::is_part(&service) {
                let why = format!("{service:?} is not {SERVICE_NAME}");
                return Err(Error::Invalid { name: "AUDIT_SERVICE", why });
            }
            config.service = service;
        }
        if env.read("LOGGING_ENABLED", boolean)?.unwrap_or(true) {
            let mut file = FileConfig::at(env.text("LOGGING_FILE").unwrap_or(DEFAULT_FILE.into()));
            if let Some(size) = env.read("LOGGING_MAX_SIZE_MB", whole(1, 1024 * 1024))? {
                file.max_bytes = size * 1024 * 1024;
            }
            if let Some(backups) = env.read("LOGGING_BACKUP_COUNT", whole(0, 100_000))? {
                file.backups = u32::try_from(backups).unwrap_or(u32::MAX);
            }
            config.file = Some(file);
        }
        let db = env.text("AUDIT_DB");
        let off = db.as_ref().is_some_and(|path| path.eq_ignore_ascii_case("off"));
        let built = cfg!(feature = "sqlite") || db.is_some();
        let mut sqlite = SqliteConfig::at(db.unwrap_or(DEFAULT_DB.into()));
        sqlite.indexes = env
            .read(
                "AUDIT_DB_INDEXES",
                word(&[("lean", DbIndexes::Lean), ("full", DbIndexes::Full)]),
            )?
            .unwrap_or_default();
        config.sqlite = (built && !off).then_some(sqlite);
        let url = env.text("REDIS_URL");
        let enabled = env.read("REDIS_LOG_ENABLED", boolean)?.unwrap_or(url.is_some());
        match (enabled, url) {
            (true, Some(url)) => {
                let mut redis = RedisConfig::at(url);
                if let Some(db) = env.read("REDIS_LOG_DB", whole(0, 65_535))? {
                    redis.db = i64::try_from(db).ok();
                }
                if let Some(ttl) = env.read("REDIS_LOG_TTL", whole(1, u64::from(u32::MAX)))? {
                    redis.ttl = ttl;
                }
                if let Some(max) = env.read("REDIS_MAX_LOGS", whole(1, 100_000_000))? {
                    redis.max_logs = max;
                }
                config.redis = Some(redis);
            }
            (true, None) => {
                return Err(Error::Invalid {
                    name: "REDIS_LOG_ENABLED",
                    why: "is true, but REDIS_URL is not set".to_owned(),
                });
            }
            (false, _) => {}
        }
        let journal = env.text("AUDIT_JOURNAL");
        config.is_journaled =
            !journal.as_ref().is_some_and(|path| path.eq_ignore_ascii_case("off"));
        config.journal = journal.filter(|_| config.is_journaled).map(PathBuf::from);
        if let Some(size) = env.read("AUDIT_JOURNAL_MAX_MB", whole(MIN_JOURNAL_MB, 1024 * 1024))? {
            config.journal_max_mb = size;
        }
        if let Some(list) = env.text("AUDIT_DURABLE") {
            let none = list.eq_ignore_ascii_case("none");
            config.durable = if none { Durable::none() } else { Durable::parse(&list)? };
        }
        config.stdout = env.read("AUDIT_STDOUT", boolean)?.unwrap_or(false);
        if let Some(level) = env.read("LOGGING_LEVEL", level)? {
            config.level = level;
        }
        if let Some(size) = env.read("AUDIT_BATCH_SIZE", whole(1, 1_000_000))? {
            config.batch_size = usize::try_from(size).unwrap_or(usize::MAX);
        }
        if let Some(interval) = env.read("AUDIT_FLUSH_INTERVAL", duration)? {
            config.flush_interval = interval;
        }
        if let Some(interval) = env.read("AUDIT_HEARTBEAT", duration)? {
            config.heartbeat = interval;
        }
        if let Some(size) = env.read("AUDIT_MAX_QUEUE_SIZE", whole(1, 100_000_000))? {
            config.policies.max_queue_size = usize::try_from(size).unwrap_or(usize::MAX);
        }
        if let Some(overflow) = env
            .read("AUDIT_OVERFLOW", word(&[("block", Overflow::Block), ("drop", Overflow::Drop)]))?
        {
            config.policies.overflow = overflow;
        }
        if let Some(timeout) = env.read("AUDIT_BLOCK_TIMEOUT", duration)? {
            config.policies.block_timeout = timeout;
        }
        if let Some(policy) = env.read(
            "AUDIT_ON_FAILURE",
            word(&[
                ("block", OnFailure::Block),
                ("drop", OnFailure::Drop),
                ("abort", OnFailure::Abort),
            ]),
        )? {
            config.policies.on_failure = policy;
        }
        if let Some(values) = env.read("AUDIT_REDACT_VALUES", boolean)? {
            config.redaction.values = values;
        }
        config.redaction.added = env.list("AUDIT_REDACT");
        config.redaction.kept = env.list("AUDIT_REDACT_KEEP");
        config.redaction.hashed = env.list("AUDIT_HASH");
        config.redaction.sealed = env.list("AUDIT_SEAL");
        let classified = [
            ("off", SealClassified::Off),
            ("confidential", SealClassified::Confidential),
            ("restricted", SealClassified::Restricted),
        ];
        if let Some(classified) = env.read("AUDIT_SEAL_CLASSIFIED", word(&classified))? {
            config.redaction.classified = classified;
        }
        let keyring = env.text("AUDIT_KEYRING");
        config.keyring =
            keyring.filter(|path| !path.eq_ignore_ascii_case("off")).map(PathBuf::from);
        config.redaction.rules(config.keyring.is_some(), VARIABLES)?;
        let no_sink = config.file.is_none()
            && config.sqlite.is_none()
            && config.redis.is_none()
            && !config.stdout;
        if no_sink {
            let why = "the file is off, and so is every other sink: records would go nowhere";
            return Err(Error::Invalid { name: "LOGGING_ENABLED", why: why.to_owned() });
        }
        if env.read("AUDIT_DEBUG", boolean)?.unwrap_or(false) {
            crate::diagnostics::enable_debug();
        }
        Ok(config)
    }
}

/// Every variable of the layer that begins with `AUDIT_`.
const KNOWN: [&str; 22] = [
    "AUDIT_BATCH_SIZE",
    "AUDIT_BLOCK_TIMEOUT",
    "AUDIT_DB",
    "AUDIT_DB_INDEXES",
    "AUDIT_DEBUG",
    "AUDIT_DURABLE",
    "AUDIT_FLUSH_INTERVAL",
    "AUDIT_HASH",
    "AUDIT_HEARTBEAT",
    "AUDIT_JOURNAL",
    "AUDIT_JOURNAL_MAX_MB",
    "AUDIT_KEYRING",
    "AUDIT_MAX_QUEUE_SIZE",
    "AUDIT_ON_FAILURE",
    "AUDIT_OVERFLOW",
    "AUDIT_REDACT",
    "AUDIT_REDACT_KEEP",
    "AUDIT_REDACT_VALUES",
    "AUDIT_SEAL",
    "AUDIT_SEAL_CLASSIFIED",
    "AUDIT_SERVICE",
    "AUDIT_STDOUT",
];

/// Whether a variable looks like a setting of the layer and is none: a misspelt name must not be
/// passed over in silence. Other programs of this project have theirs behind a prefix of their own.
pub(crate) fn is_misspelt(name: &str) -> bool {
    name.starts_with("AUDIT_") && !name.starts_with("AUDIT_SERVER_") && !KNOWN.contains(&name)
}

struct Env<'l, L>(&'l L);

impl<L: Fn(&str) -> Option<String>> Env<'_, L> {
    /// A variable that is set to nothing counts as not set.
    fn text(&self, name: &str) -> Option<String> {
        (self.0)(name).map(|text| text.trim().to_owned()).filter(|text| !text.is_empty())
    }

    /// The words between commas.
    fn list(&self, name: &str) -> Vec<String> {
        let text = self.text(name).unwrap_or_default();
        let words = text.split(',').map(str::trim).filter(|word| !word.is_empty());
        words.map(str::to_owned).collect()
    }

    fn read<T>(
        &self,
        name: &'static str,
        read: impl Fn(&str) -> Result<T, String>,
    ) -> Result<Option<T>, Error> {
        self.text(name)
            .map(|text| {
                read(&text).map_err(|wanted| Error::Invalid {
                    name,
                    why: format!("{text:?} is not {wanted}"),
                })
            })
            .transpose()
    }
}

fn boolean(text: &str) -> Result<bool, String> {
    match text.to_ascii_lowercase().as_str() {
        "true" | "1" | "yes" | "on" => Ok(true),
        "false" | "0" | "no" | "off" => Ok(false),
        _ => Err("true or false".to_owned()),
    }
}

fn whole(least: u64, most: u64) -> impl Fn(&str) -> Result<u64, String> {
    move |text| match text.parse() {
        Ok(value) if (least..=most).contains(&value) => Ok(value),
        _ => Err(format!("a whole number from {least} to {most}")),
    }
}

fn word<T: Copy>(words: &[(&str, T)]) -> impl Fn(&str) -> Result<T, String> {
    move |text| {
        let known = words.iter().find(|(word, _)| word.eq_ignore_ascii_case(text));
        known.map(|(_, value)| *value).ok_or_else(|| {
            let words: Vec<_> = words.iter().map(|(word, _)| *word).collect();
            format!("one of {}", words.join(", "))
        })
    }
}

/// No time-out or interval is longer.
pub const MAX_DURATION: Duration = Duration::from_secs(86_400);

/// A time such as `5s`, `500ms` or `1m`; a bare number is seconds.
pub(crate) fn duration(text: &str) -> Result<Duration, String> {
    let read = match text.parse::<u64>() {
        Ok(seconds) => Some(Duration::from_secs(seconds)),
        Err(_) => humantime::parse_duration(text).ok(),
    };
    read.filter(|time| !time.is_zero() && *time <= MAX_DURATION)
        .ok_or_else(|| "a time such as 5s, 500ms or 1m, over zero and at most a day".to_owned())
}

/// A level of `tracing`, or a name that other loggers have for one.
fn level(text: &str) -> Result<LevelFilter, String> {
    match text.to_ascii_lowercase().as_str() {
        "trace" => Ok(LevelFilter::TRACE),
        "debug" => Ok(LevelFilter::DEBUG),
        "info" => Ok(LevelFilter::INFO),
        "warn" | "warning" => Ok(LevelFilter::WARN),
        "error" | "critical" => Ok(LevelFilter::ERROR),
        _ => Err("one of TRACE, DEBUG, INFO, WARN, ERROR".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(variables: &[(&str, &str)]) -> Result<Config, Error> {
        Config::from_lookup(|name| {
            variables.iter().find(|(known, _)| *known == name).map(|(_, text)| (*text).to_owned())
        })
    }

    #[test]
    fn an_empty_environment_gives_the_documented_defaults() {
        let config = read(&[]).unwrap();
        assert_eq!(config.file.as_ref().unwrap().path, PathBuf::from("logs/audit.log"));
        assert_eq!(config.file.as_ref().unwrap().max_bytes, 10 * 1024 * 1024);
        assert_eq!(config.sqlite.as_ref().unwrap().path, PathBuf::from("audit.db"));
        assert!(config.redis.is_none());
        assert_eq!(config.journal_path(), PathBuf::from("journal"));
        assert_eq!(config.level, LevelFilter::INFO);
        assert_eq!(config.policies.overflow, Overflow::Block);
        assert_eq!(config.policies.on_failure, OnFailure::Drop);
    }

    #[test]
    fn every_variable_is_read() {
        let config = read(&[
            ("REDIS_URL", "redis://:secret@127.0.0.1:6379"),
            ("REDIS_LOG_DB", "3"),
            ("REDIS_LOG_TTL", "60"),
            ("REDIS_MAX_LOGS", "5"),
            ("LOGGING_LEVEL", "warning"),
            ("LOGGING_FILE", "x/a.log"),
            ("LOGGING_MAX_SIZE_MB", "1"),
            ("LOGGING_BACKUP_COUNT", "0"),
            ("AUDIT_SERVICE", "payments"),
            ("AUDIT_DB", "y/a.db"),
            ("AUDIT_DB_INDEXES", "full"),
            ("AUDIT_BATCH_SIZE", "7"),
            ("AUDIT_FLUSH_INTERVAL", "500ms"),
            ("AUDIT_HEARTBEAT", "10"),
            ("AUDIT_MAX_QUEUE_SIZE", "9"),
            ("AUDIT_OVERFLOW", "drop"),
            ("AUDIT_BLOCK_TIMEOUT", "1s"),
            ("AUDIT_ON_FAILURE", "abort"),
            ("AUDIT_REDACT", "iban, user.email,"),
            ("AUDIT_REDACT_KEEP", "*.pin"),
            ("AUDIT_REDACT_VALUES", "off"),
            ("AUDIT_KEYRING", "z/keyring.db"),
            ("AUDIT_HASH", "user_id"),
            ("AUDIT_SEAL", "iban,customer.*"),
            ("AUDIT_SEAL_CLASSIFIED", "Confidential"),
            ("AUDIT_STDOUT", "true"),
        ])
        .unwrap();
        let redis = config.redis.as_ref().unwrap();
        assert_eq!((redis.db, redis.ttl, redis.max_logs), (Some(3), 60, 5));
        assert_eq!(config.level, LevelFilter::WARN);
        let file = config.file.as_ref().unwrap();
        assert_eq!((file.max_bytes, file.backups), (1024 * 1024, 0));
        assert_eq!(config.service, "payments");
        assert_eq!(config.sqlite.as_ref().unwrap().indexes, DbIndexes::Full);
        assert_eq!(config.journal_path(), PathBuf::from("y/journal"));
        assert_eq!((config.batch_size, config.policies.max_queue_size), (7, 9));
        assert_eq!(config.flush_interval, Duration::from_millis(500));
        assert_eq!(config.heartbeat, Duration::from_secs(10));
        assert_eq!(config.policies.overflow, Overflow::Drop);
        assert_eq!(config.policies.block_timeout, Duration::from_secs(1));
        assert_eq!(config.policies.on_failure, OnFailure::Abort);
        assert!(config.stdout && !config.redaction.values);
        assert_eq!(config.redaction.added, ["iban", "user.email"]);
        assert_eq!(config.redaction.kept, ["*.pin"]);
        assert_eq!(config.redaction.hashed, ["user_id"]);
        assert_eq!(config.redaction.sealed, ["iban", "customer.*"]);
        assert_eq!(config.redaction.classified, SealClassified::Confidential);
        assert_eq!(config.keyring, Some(PathBuf::from("z/keyring.db")));
        assert!(!format!("{config:?}").contains("secret"), "the password stays out of Debug");
    }

    #[test]
    fn a_value_that_cannot_be_read_is_an_error_that_names_it() {
        for (name, text) in [
            ("LOGGING_LEVEL", "loud"),
            ("LOGGING_ENABLED", "maybe"),
            ("LOGGING_MAX_SIZE_MB", "0"),
            ("LOGGING_BACKUP_COUNT", "-1"),
            ("AUDIT_FLUSH_INTERVAL", "soon"),
            ("AUDIT_HEARTBEAT", "0"),
            ("AUDIT_MAX_QUEUE_SIZE", "1e3"),
            ("AUDIT_OVERFLOW", "panic"),
            ("AUDIT_ON_FAILURE", "retry"),
            ("AUDIT_DB_INDEXES", "some"),
            ("AUDIT_REDACT", "iban,pass*"),
            ("AUDIT_REDACT_KEEP", "a..b"),
            ("AUDIT_REDACT_VALUES", "some"),
            ("AUDIT_HASH", "user_id"),
            ("AUDIT_SEAL", "iban"),
            ("AUDIT_SEAL", "i*"),
            ("AUDIT_SEAL_CLASSIFIED", "restricted"),
            ("AUDIT_SEAL_CLASSIFIED", "public"),
            ("REDIS_LOG_ENABLED", "true"),
        ] {
            let error = read(&[(name, text)]).unwrap_err().to_string();
            assert!(error.starts_with(name), "{name}: {error}");
        }
    }

    #[test]
    fn every_variable_that_is_read_is_known_and_others_are_misspelt() {
        let asked = std::cell::RefCell::new(std::collections::BTreeSet::new());
        Config::from_lookup(|name| {
            asked.borrow_mut().insert(name.to_owned());
            None
        })
        .unwrap();
        let asked = asked.into_inner();
        let audit: Vec<_> = asked.iter().filter(|name| name.starts_with("AUDIT_")).collect();
        assert_eq!(audit, KNOWN.iter().collect::<Vec<_>>());
        assert!(is_misspelt("AUDIT_OVERFLOWW"));
        assert!(!is_misspelt("AUDIT_SERVER_LISTEN") && !is_misspelt("LOGGING_X"));
    }

    #[test]
    fn a_trail_without_a_sink_and_a_service_without_a_name_are_refused_by_name() {
        let off = |name: &str| match name {
            "AUDIT_DB" => Some("off".to_owned()),
            "LOGGING_ENABLED" => Some("false".to_owned()),
            _ => None,
        };
        let error = Config::from_lookup(off).unwrap_err().to_string();
        assert!(error.contains("LOGGING_ENABLED"), "{error}");
        let error = Config::from_lookup(|name| {
            (name == "AUDIT_SERVICE").then(|| "my service@x".to_owned())
        });
        let error = error.unwrap_err().to_string();
        assert!(error.contains("AUDIT_SERVICE") && error.contains("my service@x"), "{error}");
    }
}
