//! Settings: flags win over the environment, the environment over the file.
//!
//! Every setting is one row of [`SETTINGS`], and every layer gives text: whatever layer a value
//! comes from, it is read by one function, and an error names the flag, the variable or the key
//! that it came from. What a value was is not repeated: it may be a password.

use std::{
    ffi::OsString,
    fmt::Display,
    net::{Ipv4Addr, SocketAddr},
    path::{Path, PathBuf},
    str::FromStr,
    time::Duration,
};

use figment::{
    Figment, Metadata, Profile, Provider,
    providers::{Format, Toml},
    value::{Dict, Map, Value},
};

use crate::store::RedisUrl;

/// Where the server listens when nothing says otherwise.
pub const DEFAULT_LISTEN: SocketAddr =
    SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 8600);

/// How the server runs.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Config {
    /// Address and port to listen on; port 0 takes any that is free. Default: [`DEFAULT_LISTEN`].
    pub listen: SocketAddr,
    /// The trail: the SQLite database that the application writes. Default: `audit.db`.
    pub db: PathBuf,
    /// The server's own database of admin keys. Default: `audit-keys.db`.
    pub keys: PathBuf,
    /// Redis, for `/audit/redis` and `/audit/combined`. Default: none.
    pub redis_url: Option<RedisUrl>,
    /// Whether Redis is used when there is a URL. Default: true.
    pub redis_log_enabled: bool,
    /// The number of the database in Redis. Default: 1.
    pub redis_log_db: u16,
    /// The longest that a query may take, and wait for a reader. Default: 2 s.
    pub query_timeout: Duration,
    /// Queries of the database at once. Default: 4.
    pub readers: usize,
    /// Connections at once; others wait to be accepted. Default: 512.
    pub max_connections: usize,
    /// The longest wait for the head of a request, and so for the next request on an idle
    /// connection. Default: 30 s.
    pub header_timeout: Duration,
    /// How long requests that run when the server is stopped may take to end. Default: 5 s.
    pub shutdown_timeout: Duration,
    /// What the server logs: trace, debug, info, warn, error or off. Default: info.
    pub log: tracing::level_filters::LevelFilter,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            listen: DEFAULT_LISTEN,
            db: "audit.db".into(),
            keys: "audit-keys.db".into(),
            redis_url: None,
            redis_log_enabled: true,
            redis_log_db: 1,
            query_timeout: Duration::from_secs(2),
            readers: 4,
            max_connections: 512,
            header_timeout: Duration::from_secs(30),
            shutdown_timeout: Duration::from_secs(5),
            log: tracing::level_filters::LevelFilter::INFO,
        }
    }
}

/// The key in a file, and the variable of the environment. The flag is the key with dashes.
const SETTINGS: &[(&str, &str)] = &[
    ("listen", "AUDIT_SERVER_LISTEN"),
    ("db", "AUDIT_DB"),
    ("keys", "AUDIT_SERVER_KEYS"),
    ("redis_url", "REDIS_URL"),
    ("redis_log_enabled", "REDIS_LOG_ENABLED"),
    ("redis_log_db", "REDIS_LOG_DB"),
    ("query_timeout", "AUDIT_SERVER_QUERY_TIMEOUT"),
    ("readers", "AUDIT_SERVER_READERS"),
    ("max_connections", "AUDIT_SERVER_MAX_CONNECTIONS"),
    ("header_timeout", "AUDIT_SERVER_HEADER_TIMEOUT"),
    ("shutdown_timeout", "AUDIT_SERVER_SHUTDOWN_TIMEOUT"),
    ("log", "AUDIT_SERVER_LOG"),
];

/// A setting that is unknown or cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{name}: {reason}")]
pub struct InvalidConfig {
    /// The flag, the variable of the environment, or the key and its file.
    pub name: String,
    /// What it should be.
    pub reason: String,
}

/// The names of the layers, as figment keeps them beside each value.
const ENVIRONMENT: &str = "environment";
const FLAGS: &str = "flags";
const FILE: &str = "file";

impl Config {
    /// Puts the layers together: `flags` (by key) over the environment of the process over `file`.
    ///
    /// # Errors
    /// [`InvalidConfig`] names what is unknown or cannot be read.
    pub fn load(
        file: Option<&Path>,
        flags: Vec<(&'static str, String)>,
    ) -> Result<Self, InvalidConfig> {
        Self::layered(file, |name| std::env::var_os(name), flags)
    }

    fn layered(
        file: Option<&Path>,
        environment: impl Fn(&str) -> Option<OsString>,
        flags: Vec<(&'static str, String)>,
    ) -> Result<Self, InvalidConfig> {
        let file_name = file.map(|path| path.display().to_string()).unwrap_or_default();
        let mut figment = Figment::new();
        if let Some(path) = file {
            figment = figment.merge(Layer { name: FILE, values: read_file(path)? });
        }
        figment = figment
            .merge(Layer { name: ENVIRONMENT, values: read_environment(environment)? })
            .merge(Layer { name: FLAGS, values: texts(flags) });
        let values: Dict = figment.extract().map_err(|error| InvalidConfig {
            name: file_name.clone(),
            reason: error.to_string(),
        })?;

        let mut config = Self::default();
        for (key, value) in &values {
            let layer = figment.find_metadata(key).map(|metadata| metadata.name.clone());
            let variable = SETTINGS.iter().find(|(known, _)| known == key).map(|(_, name)| *name);
            let name = match (layer.as_deref(), variable) {
                (Some(ENVIRONMENT), Some(variable)) => variable.to_owned(),
                (Some(FLAGS), _) => format!("--{}", key.replace('_', "-")),
                _ => format!("{key} in {file_name}"),
            };
            let fail = |reason| InvalidConfig { name: name.clone(), reason };
            let text = text_of(value).ok_or_else(|| fail("it is one value".to_owned()))?;
            config.set(key, &text).map_err(fail)?;
        }
        Ok(config)
    }

    fn set(&mut self, key: &str, text: &str) -> Result<(), String> {
        match key {
            "listen" => self.listen = parse(text, "it is an address such as 127.0.0.1:8600")?,
            "db" => self.db = text.into(),
            "keys" => self.keys = text.into(),
            "redis_url" => {
                self.redis_url =
                    Some(text.parse().map_err(|error: crate::InvalidRedisUrl| error.to_string())?);
            }
            "redis_log_enabled" => {
                self.redis_log_enabled = match text {
                    "true" | "1" => true,
                    "false" | "0" => false,
                    _ => return Err("it is true or false".to_owned()),
                };
            }
            "redis_log_db" => self.redis_log_db = parse(text, "it is a number from 0 to 65535")?,
            "query_timeout" => self.query_timeout = duration(text)?,
            "readers" => self.readers = count(text, 64)?,
            "max_connections" => self.max_connections = count(text, 65_535)?,
            "header_timeout" => self.header_timeout = duration(text)?,
            "shutdown_timeout" => self.shutdown_timeout = duration(text)?,
            "log" => self.log = parse(text, "it is trace, debug, info, warn, error or off")?,
            _ => return Err("there is no such setting".to_owned()),
        }
        Ok(())
    }
}

fn parse<T: FromStr>(text: &str, reason: &str) -> Result<T, String> {
    text.parse().map_err(|_| reason.to_owned())
}

fn count(text: &str, most: usize) -> Result<usize, String> {
    let number = text.parse().ok().filter(|number| (1..=most).contains(number));
    number.ok_or_else(|| format!("it is a number from 1 to {most}"))
}

fn duration(text: &str) -> Result<Duration, String> {
    const LONGEST: Duration = Duration::from_secs(3_600);
    humantime::parse_duration(text)
        .ok()
        .filter(|time| (Duration::from_millis(1)..=LONGEST).contains(time))
        .ok_or_else(|| "it is a time such as 2s or 500ms, from 1ms to 1h".to_owned())
}

fn read_file(path: &Path) -> Result<Dict, InvalidConfig> {
    let fail = |reason: &dyn Display| InvalidConfig {
        name: path.display().to_string(),
        reason: reason.to_string(),
    };
    let text = std::fs::read_to_string(path).map_err(|error| fail(&error))?;
    Figment::from(Toml::string(&text)).extract().map_err(|error| {
        // Where it is, without the line itself, which may hold a password.
        let message = error.to_string();
        fail(&message.lines().next().unwrap_or("it is not TOML"))
    })
}

fn read_environment(environment: impl Fn(&str) -> Option<OsString>) -> Result<Dict, InvalidConfig> {
    let mut given = Vec::new();
    for (key, variable) in SETTINGS {
        // A variable that is set to nothing is one that a compose file leaves out.
        match environment(variable).map(OsString::into_string) {
            None => {}
            Some(Ok(text)) if text.is_empty() => {}
            Some(Ok(text)) => given.push((*key, text)),
            Some(Err(_)) => {
                let reason = "it is not UTF-8".to_owned();
                return Err(InvalidConfig { name: (*variable).to_owned(), reason });
            }
        }
    }
    Ok(texts(given))
}

fn texts(pairs: Vec<(&'static str, String)>) -> Dict {
    pairs.into_iter().map(|(key, text)| (key.to_owned(), Value::from(text))).collect()
}

/// A value as text; `None` for a table or a list.
fn text_of(value: &Value) -> Option<String> {
    match value {
        Value::String(_, text) => Some(text.clone()),
        Value::Char(_, char) => Some(char.to_string()),
        Value::Bool(_, bool) => Some(bool.to_string()),
        Value::Num(_, number) => number
            .to_i128()
            .map(|number| number.to_string())
            .or_else(|| number.to_u128().map(|number| number.to_string())),
        Value::Empty(..) | Value::Dict(..) | Value::Array(..) => None,
    }
}

struct Layer {
    name: &'static str,
    values: Dict,
}

impl Provider for Layer {
    fn metadata(&self) -> Metadata {
        Metadata::named(self.name)
    }

    fn data(&self) -> Result<Map<Profile, Dict>, figment::Error> {
        Ok(Profile::Default.collect(self.values.clone()))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn load(
        file: Option<&str>,
        environment: &[(&str, &str)],
        flags: &[(&'static str, &str)],
    ) -> Result<Config, InvalidConfig> {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("server.toml");
        std::fs::write(&path, file.unwrap_or_default()).unwrap();
        let variable = |name: &str| {
            environment.iter().find(|(known, _)| *known == name).map(|(_, text)| text.into())
        };
        let flags = flags.iter().map(|(key, text)| (*key, (*text).to_owned())).collect();
        Config::layered(file.map(|_| path.as_path()), variable, flags)
    }

    #[test]
    fn flags_win_over_the_environment_and_that_over_the_file() {
        let file =
            "readers = 7\nquery_timeout = \"7s\"\nlisten = \"127.0.0.1:7\"\nredis_log_db = 3";
        let environment = [
            ("AUDIT_SERVER_QUERY_TIMEOUT", "8s"),
            ("AUDIT_SERVER_LISTEN", "127.0.0.1:8"),
            ("AUDIT_DB", ""),
        ];
        let config = load(Some(file), &environment, &[("listen", "127.0.0.1:9")]).unwrap();
        assert_eq!(config.readers, 7);
        assert_eq!(config.redis_log_db, 3);
        assert_eq!(config.query_timeout, Duration::from_secs(8));
        assert_eq!(config.listen.port(), 9);
        assert_eq!(config.db, Path::new("audit.db"));
        assert_eq!(config.max_connections, 512);
    }

    #[test]
    fn what_cannot_be_read_is_named_by_the_layer_it_came_from() {
        let name = |result: Result<Config, InvalidConfig>| result.unwrap_err().name;
        assert!(name(load(Some("raeders = 7"), &[], &[])).starts_with("raeders in "));
        assert!(name(load(Some("readers = 0"), &[], &[])).starts_with("readers in "));
        assert!(name(load(Some("readers = [1]"), &[], &[])).starts_with("readers in "));
        assert_eq!(name(load(None, &[("REDIS_LOG_DB", "one")], &[])), "REDIS_LOG_DB");
        assert_eq!(name(load(None, &[], &[("query_timeout", "soon")])), "--query-timeout");
    }

    #[test]
    fn no_error_and_no_debug_output_repeats_a_password() {
        let secret = "redis://:hunter2@127.0.0.1";
        let bad = load(None, &[("REDIS_URL", "rediss+x://:hunter2@h")], &[]).unwrap_err();
        assert!(!format!("{bad} {bad:?}").contains("hunter2"));
        let bad = load(Some("redis_url = \"redis://:hunter2@h\" x"), &[], &[]).unwrap_err();
        assert!(!format!("{bad} {bad:?}").contains("hunter2"), "{bad}");
        let config = load(None, &[("REDIS_URL", secret)], &[]).unwrap();
        assert!(config.redis_url.is_some() && !format!("{config:?}").contains("hunter2"));
    }
}
