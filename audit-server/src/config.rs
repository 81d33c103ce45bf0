//! Settings: flags win over the environment, the environment over the file.
//!
//! Every setting is one row of [`SETTINGS`], and every layer gives text: whatever layer a value
//! comes from, it is read by one function, and an error names the flag, the variable or the key
//! that it came from. What a value was is not repeated: it may be a password.
//!
//! The file is long because it is one table, and grows by a few lines with each setting.

mod told;

use std::{
    ffi::{OsStr, OsString},
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

use poem::http::Uri;

use crate::{
    DEFAULT_RATE_LIMIT, Error, Networks, RateLimit,
    auth::{DEFAULT_ROLE_CLAIM, JwksSource, RoleNames, TokenSettings},
    store::RedisUrl,
};

/// Where the server listens when nothing says otherwise.
pub const DEFAULT_LISTEN: SocketAddr =
    SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 8600);

/// The database in Redis when nothing names one: the layer's default.
const DEFAULT_REDIS_DB: u16 = 1;

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
    /// The server's own database of what it derives from the trail, to find records in it; it may
    /// be deleted at any time. None, or `off`: questions are answered by reading the trail. Default:
    /// `audit-read-model.db`.
    pub read_model: Option<PathBuf>,
    /// The directory in which the server keeps what it records of what is asked of it, until the trail has it: a
    /// journal of `audit-layer`. None, or `off`: nothing is recorded. Default: `audit-server-journal`.
    pub journal: Option<PathBuf>,
    /// The keys of the host with which applications hash and seal values. With them the server finds what was sealed by
    /// what it says, and shows it in clear to those who may decrypt. Default: none, and the marks are shown.
    pub keyring: Option<PathBuf>,
    /// Whose tokens (JWT) are accepted: what their `iss` is. None: no tokens are. Default: none.
    pub jwt_issuer: Option<String>,
    /// What must be in the `aud` of a token; needed beside an issuer. Default: none.
    pub jwt_audience: Option<String>,
    /// The file with the secret of tokens of HS256, which is its owner's alone. Default: none.
    pub jwt_secret_file: Option<PathBuf>,
    /// The JWKS with the public keys of tokens of RS256, ES256 and EdDSA: a file or a URL. Default: none.
    pub jwt_jwks: Option<String>,
    /// The claim with the role, or a path to it such as `realm_access.roles`. Default: `role`.
    pub jwt_role_claim: Option<String>,
    /// What role the values of that claim stand for: `VALUE=ROLE,…`. Default: the names of the roles.
    pub jwt_roles: Option<String>,
    /// The claim with the tenant. Without one, tokens see all tenants; with one, each must have it, and `*` is
    /// all. Default: none.
    pub jwt_tenant_claim: Option<String>,
    /// Redis, for `/audit/redis` and `/audit/combined`. Default: none.
    pub redis_url: Option<RedisUrl>,
    /// Whether Redis is used when there is a URL. Default: true.
    pub redis_log_enabled: bool,
    /// The number of the database in Redis. Default: that of the URL, and 1 when it names none.
    pub redis_log_db: Option<u16>,
    /// The longest that a query may take, and wait for a reader. Default: 2 s.
    pub query_timeout: Duration,
    /// The longest that a report may take, and wait for its turn. Default: 30 s.
    pub report_timeout: Duration,
    /// Queries of the database at once. Default: 4.
    pub readers: usize,
    /// Exports at once; others are refused. Default: 2.
    pub max_exports: usize,
    /// How often one credential may ask. None, or `0`: as often as it will. Default:
    /// [`DEFAULT_RATE_LIMIT`].
    pub rate_limit: Option<RateLimit>,
    /// How often may be asked from one address, by whoever shares it. None, or `0`: as often as they will.
    /// Default: [`DEFAULT_RATE_LIMIT`].
    pub rate_limit_address: Option<RateLimit>,
    /// After how many requests without a valid key within a minute an address is locked out, for a quarter of an
    /// hour, for whoever has none, and so is the key that they name; 0: never. Default: 20.
    pub lockout_after: u32,
    /// The proxies that are believed who their clients are, from `X-Forwarded-For` or `Forwarded`: they
    /// themselves, not the networks of clients. Default: none.
    pub trusted_proxies: Networks,
    /// From where the server answers at all, `/health` and `/docs` included; who asks from elsewhere is refused
    /// before any key is looked at. Default: from anywhere.
    pub allow_from: Networks,
    /// The certificate of the server and those that lead to its authority, in PEM. With it TLS alone is spoken;
    /// the file is read again when it changes. Default: none.
    pub tls_cert: Option<PathBuf>,
    /// The private key of the certificate, in PEM, which nobody but its owner may read. Default: none.
    pub tls_key: Option<PathBuf>,
    /// The authority, in PEM, of which each client must have a certificate. Default: none.
    pub tls_client_ca: Option<PathBuf>,
    /// Whether the server listens without TLS where others reach it. Default: false.
    pub plain_http: bool,
    /// The origins whose pages a browser lets read answers, each as the browser writes it:
    /// `https://grafana.example.org`. Default: none.
    pub cors_origins: Vec<String>,
    /// Connections at once; others wait to be accepted. Default: 512.
    pub max_connections: usize,
    /// The longest wait for the head of a request, and so for the next request on an idle
    /// connection. Default: 30 s.
    pub header_timeout: Duration,
    /// How long requests that run when the server is stopped may take to end. Default: 5 s.
    pub shutdown_timeout: Duration,
    /// How much nicer `audit-server serve` is than what started it, 0 to 19: who shares a processor with
    /// the application lets it go first. Default: 10.
    pub nice: u8,
    /// What the server logs: trace, debug, info, warn, error or off. Default: info.
    pub log: tracing::level_filters::LevelFilter,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            listen: DEFAULT_LISTEN,
            db: "audit.db".into(),
            keys: "audit-keys.db".into(),
            read_model: Some("audit-read-model.db".into()),
            journal: Some("audit-server-journal".into()),
            keyring: None,
            jwt_issuer: None,
            jwt_audience: None,
            jwt_secret_file: None,
            jwt_jwks: None,
            jwt_role_claim: None,
            jwt_roles: None,
            jwt_tenant_claim: None,
            redis_url: None,
            redis_log_enabled: true,
            redis_log_db: None,
            query_timeout: Duration::from_secs(2),
            report_timeout: Duration::from_secs(30),
            readers: 4,
            max_exports: 2,
            rate_limit: Some(DEFAULT_RATE_LIMIT),
            rate_limit_address: Some(DEFAULT_RATE_LIMIT),
            lockout_after: 20,
            trusted_proxies: Networks::default(),
            allow_from: Networks::default(),
            tls_cert: None,
            tls_key: None,
            tls_client_ca: None,
            plain_http: false,
            cors_origins: Vec::new(),
            max_connections: 512,
            header_timeout: Duration::from_secs(30),
            shutdown_timeout: Duration::from_secs(5),
            nice: 10,
            log: tracing::level_filters::LevelFilter::INFO,
        }
    }
}

/// The key in a file, and the variable of the environment. The flag is the key with dashes.
const SETTINGS: &[(&str, &str)] = &[
    ("listen", "AUDIT_SERVER_LISTEN"),
    ("db", "AUDIT_DB"),
    ("keys", "AUDIT_SERVER_KEYS"),
    ("read_model", "AUDIT_SERVER_READ_MODEL"),
    ("journal", "AUDIT_SERVER_JOURNAL"),
    ("keyring", "AUDIT_KEYRING"),
    ("jwt_issuer", "AUDIT_SERVER_JWT_ISSUER"),
    ("jwt_audience", "AUDIT_SERVER_JWT_AUDIENCE"),
    ("jwt_secret_file", "AUDIT_SERVER_JWT_SECRET_FILE"),
    ("jwt_jwks", "AUDIT_SERVER_JWT_JWKS"),
    ("jwt_role_claim", "AUDIT_SERVER_JWT_ROLE_CLAIM"),
    ("jwt_roles", "AUDIT_SERVER_JWT_ROLES"),
    ("jwt_tenant_claim", "AUDIT_SERVER_JWT_TENANT_CLAIM"),
    ("redis_url", "REDIS_URL"),
    ("redis_log_enabled", "REDIS_LOG_ENABLED"),
    ("redis_log_db", "REDIS_LOG_DB"),
    ("query_timeout", "AUDIT_SERVER_QUERY_TIMEOUT"),
    ("report_timeout", "AUDIT_SERVER_REPORT_TIMEOUT"),
    ("readers", "AUDIT_SERVER_READERS"),
    ("max_exports", "AUDIT_SERVER_MAX_EXPORTS"),
    ("rate_limit", "AUDIT_SERVER_RATE_LIMIT"),
    ("rate_limit_address", "AUDIT_SERVER_RATE_LIMIT_ADDRESS"),
    ("lockout_after", "AUDIT_SERVER_LOCKOUT_AFTER"),
    ("trusted_proxies", "AUDIT_SERVER_TRUSTED_PROXIES"),
    ("allow_from", "AUDIT_SERVER_ALLOW_FROM"),
    ("tls_cert", "AUDIT_SERVER_TLS_CERT"),
    ("tls_key", "AUDIT_SERVER_TLS_KEY"),
    ("tls_client_ca", "AUDIT_SERVER_TLS_CLIENT_CA"),
    ("plain_http", "AUDIT_SERVER_PLAIN_HTTP"),
    ("cors_origins", "AUDIT_SERVER_CORS_ORIGINS"),
    ("max_connections", "AUDIT_SERVER_MAX_CONNECTIONS"),
    ("header_timeout", "AUDIT_SERVER_HEADER_TIMEOUT"),
    ("shutdown_timeout", "AUDIT_SERVER_SHUTDOWN_TIMEOUT"),
    ("nice", "AUDIT_SERVER_NICE"),
    ("log", "AUDIT_SERVER_LOG"),
];

/// What TLS is spoken with.
#[derive(Debug, Clone)]
pub(crate) struct TlsFiles {
    pub(crate) cert: PathBuf,
    pub(crate) key: PathBuf,
    /// The authority of clients, when they need a certificate.
    pub(crate) client_ca: Option<PathBuf>,
}

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
        Self::layered(file, std::env::vars_os(), flags)
    }

    fn layered(
        file: Option<&Path>,
        environment: impl Iterator<Item = (OsString, OsString)>,
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

        let name = |key: &str| {
            let layer = figment.find_metadata(key).map(|metadata| metadata.name.clone());
            let variable = SETTINGS.iter().find(|(known, _)| *known == key).map(|(_, name)| *name);
            match (layer.as_deref(), variable) {
                (Some(ENVIRONMENT), Some(variable)) => variable.to_owned(),
                (Some(FLAGS), _) => format!("--{}", key.replace('_', "-")),
                _ => format!("{key} in {file_name}"),
            }
        };
        let mut config = Self::default();
        for (key, value) in &values {
            let fail = |reason| InvalidConfig { name: name(key), reason };
            let text = text_of(value).ok_or_else(|| fail("it is one value".to_owned()))?;
            config.set(key, &text).map_err(fail)?;
        }
        config.redis_database_as(&name)?;
        config.tls_as(&name)?;
        Ok(config)
    }

    /// The number of the database in Redis: the one that is set, else that of the URL, else 1.
    ///
    /// # Errors
    /// When both are given and differ: whichever won, somebody's records would be looked for where
    /// they are not.
    pub(crate) fn redis_database(&self) -> Result<u16, InvalidConfig> {
        self.redis_database_as(&str::to_owned)
    }

    fn redis_database_as(&self, name: &dyn Fn(&str) -> String) -> Result<u16, InvalidConfig> {
        let of_url = self.redis_url.as_ref().and_then(RedisUrl::db);
        match (self.redis_log_db, of_url) {
            (Some(set), Some(of_url)) if set != of_url => Err(InvalidConfig {
                name: name("redis_log_db"),
                reason: format!(
                    "it is {set}, and {} names database {of_url}: leave one of the two out",
                    name("redis_url")
                ),
            }),
            (set, of_url) => Ok(set.or(of_url).unwrap_or(DEFAULT_REDIS_DB)),
        }
    }

    /// Whose tokens are accepted, when any are.
    ///
    /// # Errors
    /// When what is set of them is not enough, or makes no sense.
    pub(crate) fn tokens(&self) -> Result<Option<TokenSettings>, Error> {
        let unneeded = [
            ("jwt_audience", self.jwt_audience.is_some()),
            ("jwt_secret_file", self.jwt_secret_file.is_some()),
            ("jwt_jwks", self.jwt_jwks.is_some()),
            ("jwt_role_claim", self.jwt_role_claim.is_some()),
            ("jwt_roles", self.jwt_roles.is_some()),
            ("jwt_tenant_claim", self.jwt_tenant_claim.is_some()),
        ];
        let missing = |name: &str, reason: &str| InvalidConfig {
            name: name.to_owned(),
            reason: reason.to_owned(),
        };
        let Some(issuer) = &self.jwt_issuer else {
            return match unneeded.into_iter().find(|(_, is_set)| *is_set) {
                // A token would be refused, and nobody would know why.
                Some((name, _)) => {
                    Err(missing(name, "tokens are not accepted without jwt_issuer").into())
                }
                None => Ok(None),
            };
        };
        let audience = self.jwt_audience.as_ref();
        let audience = audience.ok_or_else(|| {
            missing("jwt_audience", "it is needed beside jwt_issuer: for whom tokens are")
        })?;
        if self.jwt_secret_file.is_none() && self.jwt_jwks.is_none() {
            let reason =
                "it, or jwt_jwks, is needed beside jwt_issuer: what tokens are checked with";
            return Err(missing("jwt_secret_file", reason).into());
        }
        let role_claim = self.jwt_role_claim.clone();
        Ok(Some(TokenSettings {
            issuer: issuer.clone(),
            audience: audience.clone(),
            secret_file: self.jwt_secret_file.clone(),
            jwks: self.jwt_jwks.as_deref().map(str::parse::<JwksSource>).transpose()?,
            role_claim: role_claim.unwrap_or_else(|| DEFAULT_ROLE_CLAIM.to_owned()),
            roles: match &self.jwt_roles {
                Some(roles) => roles.parse()?,
                None => RoleNames::default(),
            },
            tenant_claim: self.jwt_tenant_claim.clone(),
        }))
    }

    /// The files of TLS, when it is to be spoken.
    ///
    /// # Errors
    /// When one is there and another that it needs is not.
    pub(crate) fn tls(&self) -> Result<Option<TlsFiles>, InvalidConfig> {
        self.tls_as(&str::to_owned)
    }

    fn tls_as(&self, name: &dyn Fn(&str) -> String) -> Result<Option<TlsFiles>, InvalidConfig> {
        let fail = |key, needed| {
            let reason = format!("it needs {needed}, which is not set");
            Err(InvalidConfig { name: name(key), reason })
        };
        match (&self.tls_cert, &self.tls_key, &self.tls_client_ca) {
            (Some(cert), Some(key), client_ca) => Ok(Some(TlsFiles {
                cert: cert.clone(),
                key: key.clone(),
                client_ca: client_ca.clone(),
            })),
            (Some(_), None, _) => fail("tls_cert", "tls_key"),
            (None, Some(_), _) => fail("tls_key", "tls_cert"),
            (None, None, Some(_)) => fail("tls_client_ca", "tls_cert"),
            (None, None, None) => Ok(None),
        }
    }

    fn set(&mut self, key: &str, text: &str) -> Result<(), String> {
        match key {
            "listen" => self.listen = parse(text, "it is an address such as 127.0.0.1:8600")?,
            "db" => self.db = text.into(),
            "keys" => self.keys = text.into(),
            "read_model" => self.read_model = (text != "off").then(|| text.into()),
            "journal" => self.journal = (text != "off").then(|| text.into()),
            "keyring" => self.keyring = Some(text.into()),
            "jwt_issuer" => self.jwt_issuer = Some(text.to_owned()),
            "jwt_audience" => self.jwt_audience = Some(text.to_owned()),
            "jwt_secret_file" => self.jwt_secret_file = Some(text.into()),
            "jwt_jwks" => self.jwt_jwks = Some(text.to_owned()),
            "jwt_role_claim" => self.jwt_role_claim = Some(text.to_owned()),
            "jwt_roles" => self.jwt_roles = Some(text.to_owned()),
            "jwt_tenant_claim" => self.jwt_tenant_claim = Some(text.to_owned()),
            "redis_url" => {
                self.redis_url =
                    Some(text.parse().map_err(|error: crate::InvalidRedisUrl| error.to_string())?);
            }
            "redis_log_enabled" => self.redis_log_enabled = boolean(text)?,
            "redis_log_db" => {
                self.redis_log_db = Some(parse(text, "it is a number from 0 to 65535")?);
            }
            "query_timeout" => self.query_timeout = duration(text)?,
            "report_timeout" => self.report_timeout = duration(text)?,
            "readers" => self.readers = count(text, 64)?,
            "max_exports" => self.max_exports = count(text, 64)?,
            "rate_limit" => self.rate_limit = rate_limit(text)?,
            "rate_limit_address" => self.rate_limit_address = rate_limit(text)?,
            "lockout_after" => {
                let most = text.parse().ok().filter(|most| *most <= 1_000_000);
                self.lockout_after = most.ok_or("it is a number from 0 to 1000000")?;
            }
            "trusted_proxies" => self.trusted_proxies = networks(text)?,
            "allow_from" => self.allow_from = networks(text)?,
            "tls_cert" => self.tls_cert = Some(text.into()),
            "tls_key" => self.tls_key = Some(text.into()),
            "tls_client_ca" => self.tls_client_ca = Some(text.into()),
            "plain_http" => self.plain_http = boolean(text)?,
            "cors_origins" => self.cors_origins = origins(text)?,
            "max_connections" => self.max_connections = count(text, 65_535)?,
            "header_timeout" => self.header_timeout = duration(text)?,
            "shutdown_timeout" => self.shutdown_timeout = duration(text)?,
            "nice" => {
                let nice = text.parse().ok().filter(|nice| *nice <= 19);
                self.nice = nice.ok_or("it is a number from 0 to 19")?;
            }
            "log" => self.log = parse(text, "it is trace, debug, info, warn, error or off")?,
            _ => return Err("there is no such setting".to_owned()),
        }
        Ok(())
    }
}

fn parse<T: FromStr>(text: &str, reason: &str) -> Result<T, String> {
    text.parse().map_err(|_| reason.to_owned())
}

fn boolean(text: &str) -> Result<bool, String> {
    match text {
        "true" | "1" => Ok(true),
        "false" | "0" => Ok(false),
        _ => Err("it is true or false".to_owned()),
    }
}

fn count(text: &str, most: usize) -> Result<usize, String> {
    let number = text.parse().ok().filter(|number| (1..=most).contains(number));
    number.ok_or_else(|| format!("it is a number from 1 to {most}"))
}

fn rate_limit(text: &str) -> Result<Option<RateLimit>, String> {
    if text == "0" {
        return Ok(None);
    }
    text.parse().map(Some).map_err(|error: crate::RateLimitInvalid| error.to_string())
}

fn networks(text: &str) -> Result<Networks, String> {
    text.parse().map_err(|error: crate::NetworkInvalid| error.to_string())
}

/// Origins in the form in which browsers send them: whatever is in another would never be met.
fn origins(text: &str) -> Result<Vec<String>, String> {
    let is_origin = |text: &&str| {
        let (scheme, host) = text.split_once("://").unwrap_or_default();
        let default_port = if scheme == "https" { ":443" } else { ":80" };
        let is_uri =
            text.parse().is_ok_and(|uri: Uri| uri.authority().is_some_and(|it| *it == host));
        matches!(scheme, "http" | "https")
            && is_uri
            && !host.contains(['@', '*'])
            && !host.ends_with(default_port)
            && !host.bytes().any(|byte| byte.is_ascii_uppercase())
    };
    let each = text.split(',').map(str::trim);
    let origins = each.map(|text| Some(text).filter(is_origin).map(str::to_owned));
    origins.collect::<Option<_>>().ok_or_else(|| {
        "they are written as browsers send them, https://grafana.example.org, separated by commas; * is none".to_owned()
    })
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

/// What all variables begin with that are the server's alone.
const PREFIX: &str = "AUDIT_SERVER_";

fn read_environment(
    environment: impl Iterator<Item = (OsString, OsString)>,
) -> Result<Dict, InvalidConfig> {
    let mut given = Vec::new();
    for (name, value) in environment {
        let name = name.to_string_lossy();
        let Some((key, variable)) = SETTINGS.iter().find(|(_, variable)| *variable == name) else {
            if name.starts_with(PREFIX) && !of_kubernetes(&name, &value) {
                return Err(unknown_variable(&name));
            }
            continue;
        };
        match value.into_string() {
            // A variable that is set to nothing is one that a compose file leaves out.
            Ok(text) if text.is_empty() => {}
            Ok(text) => given.push((*key, text)),
            Err(_) => {
                let reason = "it is not UTF-8".to_owned();
                return Err(InvalidConfig { name: (*variable).to_owned(), reason });
            }
        }
    }
    Ok(texts(given))
}

/// Whether Kubernetes put it there, for a service that is called `audit-server`.
fn of_kubernetes(name: &str, value: &OsStr) -> bool {
    let Some(rest) = name.strip_prefix(PREFIX) else { return false };
    let after_port = rest.strip_prefix("PORT_").and_then(|port| port.chars().next());
    rest == "SERVICE_HOST"
        || rest.starts_with("SERVICE_PORT")
        || after_port.is_some_and(|first| first.is_ascii_digit())
        || rest == "PORT" && value.to_string_lossy().contains("://")
}

fn unknown_variable(name: &str) -> InvalidConfig {
    let known = SETTINGS.iter().map(|(_, known)| *known).filter(|known| known.starts_with(PREFIX));
    let closest = known.min_by_key(|known| distance(name, known)).unwrap_or_default();
    let reason = format!("there is no such setting; the closest is {closest}");
    InvalidConfig { name: name.to_owned(), reason }
}

/// How many characters must be put in, left out or changed to make one of the other.
fn distance(one: &str, other: &str) -> usize {
    let mut row: Vec<usize> = (0..=other.chars().count()).collect();
    for (at, a) in one.chars().enumerate() {
        let mut left = at + 1;
        let mut above_left = at;
        for (b, above) in other.chars().zip(row.iter_mut().skip(1)) {
            let changed = above_left + usize::from(a != b);
            above_left = *above;
            left = changed.min(left + 1).min(*above + 1);
            *above = left;
        }
    }
    row.last().copied().unwrap_or_default()
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
        let environment = environment.iter().map(|(name, text)| (name.into(), text.into()));
        let flags = flags.iter().map(|(key, text)| (*key, (*text).to_owned())).collect();
        Config::layered(file.map(|_| path.as_path()), environment, flags)
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
        assert_eq!(config.redis_log_db, Some(3));
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
    fn the_database_of_redis_is_that_of_the_url_unless_another_is_set() {
        let number = |environment: &[(&str, &str)]| {
            let config = load(None, environment, &[])?;
            config.redis_database()
        };
        let with = |url| [("REDIS_URL", url)];
        assert_eq!(number(&[]), Ok(1));
        assert_eq!(number(&with("redis://h")), Ok(1));
        assert_eq!(number(&with("redis://:p%2F5@h:6379/")), Ok(1));
        assert_eq!(number(&with("redis://h/5")), Ok(5));
        assert_eq!(number(&with("redis://h:6379/0?protocol=resp3")), Ok(0));
        assert_eq!(number(&with("unix:///run/redis.sock")), Ok(1));
        assert_eq!(number(&with("unix:///run/redis.sock?db=5")), Ok(5));
        let both = |url, number| [("REDIS_URL", url), ("REDIS_LOG_DB", number)];
        assert_eq!(number(&both("redis://h", "3")), Ok(3));
        assert_eq!(number(&both("redis://h/3", "3")), Ok(3));
        for url in ["redis://:hunter2@h/5", "redis://:hunter2@h/0"] {
            let refused = number(&both(url, "3")).unwrap_err();
            assert_eq!(refused.name, "REDIS_LOG_DB");
            assert!(refused.reason.contains("REDIS_URL"), "{refused}");
            assert!(!refused.to_string().contains("hunter2"), "{refused}");
        }
        let flag = load(None, &with("redis://h/5"), &[("redis_log_db", "3")]).unwrap_err();
        assert_eq!(flag.name, "--redis-log-db");
        assert_eq!(number(&with("redis://h/70000")).unwrap_err().name, "REDIS_URL");
    }

    #[test]
    fn a_variable_that_does_not_exist_is_refused_with_the_one_that_was_meant() {
        for (wrong, meant) in [
            ("AUDIT_SERVER_READER", "AUDIT_SERVER_READERS"),
            ("AUDIT_SERVER_LITSEN", "AUDIT_SERVER_LISTEN"),
            ("AUDIT_SERVER_SHUTDOWN_TIME", "AUDIT_SERVER_SHUTDOWN_TIMEOUT"),
        ] {
            let refused = load(None, &[(wrong, "1")], &[]).unwrap_err();
            assert_eq!(refused.name, wrong);
            assert!(refused.reason.contains(meant), "{refused}");
        }
        assert!(load(None, &[("AUDIT_SERVICE", "x"), ("AUDIT_SERVERX", "x")], &[]).is_ok());
        let of_kubernetes = [
            ("AUDIT_SERVER_SERVICE_HOST", "10.0.0.1"),
            ("AUDIT_SERVER_SERVICE_PORT_HTTP", "8600"),
            ("AUDIT_SERVER_PORT", "tcp://10.0.0.1:8600"),
            ("AUDIT_SERVER_PORT_8600_TCP_ADDR", "10.0.0.1"),
        ];
        assert!(load(None, &of_kubernetes, &[]).is_ok());
        assert!(load(None, &[("AUDIT_SERVER_PORT", "8600")], &[]).is_err());
    }

    #[test]
    fn an_origin_is_what_a_browser_sends_and_no_star() {
        let read = |text: &str| load(None, &[("AUDIT_SERVER_CORS_ORIGINS", text)], &[]);
        let two = read("https://grafana.example.org, http://localhost:3000").unwrap();
        assert_eq!(two.cors_origins, ["https://grafana.example.org", "http://localhost:3000"]);
        assert!(read("http://[::1]:3000").is_ok());
        for bad in [
            "*",
            "null",
            "grafana.example.org",
            "https://",
            "https://a/",
            "https://a/b",
            "https://a,",
            "https://*.a",
            "https://u@a",
            "https://A",
            "https://a:443",
            "http://a:80",
            "ftp://a",
            "https://a b",
        ] {
            assert_eq!(read(bad).unwrap_err().name, "AUDIT_SERVER_CORS_ORIGINS", "{bad}");
        }
    }

    #[test]
    fn a_file_of_tls_is_not_enough_where_it_needs_another() {
        let refused = |flags: &[(&'static str, &str)]| load(None, &[], flags).unwrap_err();
        let cert = refused(&[("tls_cert", "c.pem")]);
        assert_eq!((&*cert.name, cert.reason.contains("tls_key")), ("--tls-cert", true));
        assert_eq!(refused(&[("tls_key", "k.pem")]).name, "--tls-key");
        assert_eq!(refused(&[("tls_client_ca", "a.pem")]).name, "--tls-client-ca");
        let all = [("tls_cert", "c.pem"), ("tls_key", "k.pem"), ("tls_client_ca", "a.pem")];
        assert!(load(None, &[], &all).unwrap().tls().unwrap().is_some());
        assert!(load(None, &[("AUDIT_SERVER_PLAIN_HTTP", "yes")], &[]).is_err());
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
