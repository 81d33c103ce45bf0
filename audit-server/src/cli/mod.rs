//! The command line.

mod csv;
mod export;
mod filters;
mod keyring;
mod keys;
mod output;
mod query;
mod recorded;
mod reindex;
mod report;
mod safe;
mod table;

use std::{io::Write, path::PathBuf, process::ExitCode};

use clap::{Args, Parser, Subcommand};
use tracing_subscriber::{Layer, layer::SubscriberExt, util::SubscriberInitExt};

use crate::{
    Config, Error, Server,
    demo::{self, DemoArgs},
    demo_server,
    verify::{self, VerifyArgs},
};

/// Queries, verification and keys of an audit trail.
#[derive(Debug, Parser)]
#[command(name = "audit-server", version, about)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
enum Command {
    /// Serve the HTTP API.
    Serve(Box<ServeArgs>),
    /// Make, list, rotate and revoke the keys that the HTTP API asks for.
    Keys(keys::KeysArgs),
    /// Make, list and rotate the keys with which applications hash and seal values.
    Keyring(keyring::KeyringArgs),
    Erase(keyring::EraseArgs),
    Verify(VerifyArgs),
    Query(Box<query::QueryArgs>),
    Export(Box<export::ExportArgs>),
    Report(Box<report::ReportArgs>),
    Reindex(reindex::ReindexArgs),
    /// Show a whole installation: a trading desk that records, and the server that answers for it.
    Demo(DemoArgs),
}

#[derive(Debug, Args)]
struct ServeArgs {
    /// Read settings from this TOML file; flags and the environment win over it.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Listen on this address [env: AUDIT_SERVER_LISTEN] [default: 127.0.0.1:8600].
    #[arg(long, value_name = "ADDRESS")]
    listen: Option<String>,
    /// The trail, the SQLite database that the application writes [env: AUDIT_DB] [default: audit.db].
    #[arg(long, value_name = "FILE")]
    db: Option<String>,
    /// The keys [env: AUDIT_SERVER_KEYS] [default: audit-keys.db].
    #[arg(long, value_name = "FILE")]
    keys: Option<String>,
    /// What the server derives from the trail to find records, or off [env: AUDIT_SERVER_READ_MODEL] [default: audit-read-model.db].
    #[arg(long, value_name = "FILE")]
    read_model: Option<String>,
    /// Where the server keeps what it records of what is asked of it until the trail has it, or off [env: AUDIT_SERVER_JOURNAL] [default: audit-server-journal].
    #[arg(long, value_name = "DIRECTORY")]
    journal: Option<String>,
    /// The keys of the host: what applications sealed is then found, and shown to auditors and admins [env: AUDIT_KEYRING] [default: none].
    #[arg(long, value_name = "FILE")]
    keyring: Option<String>,
    /// Whose tokens (JWT) are accepted: their iss [env: AUDIT_SERVER_JWT_ISSUER].
    #[arg(long, value_name = "TEXT")]
    jwt_issuer: Option<String>,
    /// What must be in the aud of a token [env: AUDIT_SERVER_JWT_AUDIENCE].
    #[arg(long, value_name = "TEXT")]
    jwt_audience: Option<String>,
    /// The secret of tokens of HS256 [env: AUDIT_SERVER_JWT_SECRET_FILE].
    #[arg(long, value_name = "FILE")]
    jwt_secret_file: Option<String>,
    /// The public keys of tokens of RS256, ES256 and EdDSA [env: AUDIT_SERVER_JWT_JWKS].
    #[arg(long, value_name = "FILE|URL")]
    jwt_jwks: Option<String>,
    /// The claim of a token with the role, or a path to it [env: AUDIT_SERVER_JWT_ROLE_CLAIM] [default: role].
    #[arg(long, value_name = "CLAIM")]
    jwt_role_claim: Option<String>,
    /// What role the values of that claim stand for [env: AUDIT_SERVER_JWT_ROLES] [default: the roles' own names].
    #[arg(long, value_name = "VALUE=ROLE,...")]
    jwt_roles: Option<String>,
    /// The claim of a token with its tenant; * is all [env: AUDIT_SERVER_JWT_TENANT_CLAIM] [default: tokens see all tenants].
    #[arg(long, value_name = "CLAIM")]
    jwt_tenant_claim: Option<String>,
    /// Redis; a URL with a password belongs into the environment [env: REDIS_URL].
    #[arg(long, value_name = "URL")]
    redis_url: Option<String>,
    /// Whether to use Redis [env: REDIS_LOG_ENABLED] [default: true].
    #[arg(long, value_name = "BOOL")]
    redis_log_enabled: Option<String>,
    /// The number of the database in Redis [env: REDIS_LOG_DB] [default: that of the URL, or 1].
    #[arg(long, value_name = "NUMBER")]
    redis_log_db: Option<String>,
    /// The longest that a query may take [env: AUDIT_SERVER_QUERY_TIMEOUT] [default: 2s].
    #[arg(long, value_name = "TIME")]
    query_timeout: Option<String>,
    /// The longest that a report may take [env: AUDIT_SERVER_REPORT_TIMEOUT] [default: 30s].
    #[arg(long, value_name = "TIME")]
    report_timeout: Option<String>,
    /// Queries of the database at once [env: AUDIT_SERVER_READERS] [default: 4].
    #[arg(long, value_name = "NUMBER")]
    readers: Option<String>,
    /// Exports at once; others are refused [env: AUDIT_SERVER_MAX_EXPORTS] [default: 2].
    #[arg(long, value_name = "NUMBER")]
    max_exports: Option<String>,
    /// How often one credential may ask, a second and at once; 0: no limit [env: AUDIT_SERVER_RATE_LIMIT] [default: 5000:10000].
    #[arg(long, value_name = "RATE")]
    rate_limit: Option<String>,
    /// How often may be asked from one address; 0: no limit [env: AUDIT_SERVER_RATE_LIMIT_ADDRESS] [default: 5000:10000].
    #[arg(long, value_name = "RATE")]
    rate_limit_address: Option<String>,
    /// After how many requests without a valid key within a minute an address is locked out; 0: never [env: AUDIT_SERVER_LOCKOUT_AFTER] [default: 20].
    #[arg(long, value_name = "NUMBER")]
    lockout_after: Option<String>,
    /// The proxies that are believed who their clients are, such as 10.0.0.7,10.0.1.0/24 [env: AUDIT_SERVER_TRUSTED_PROXIES] [default: none].
    #[arg(long, value_name = "NETWORKS")]
    trusted_proxies: Option<String>,
    /// From where to answer at all, such as 10.0.0.0/8,127.0.0.1 [env: AUDIT_SERVER_ALLOW_FROM] [default: anywhere].
    #[arg(long, value_name = "NETWORKS")]
    allow_from: Option<String>,
    /// The certificate, and those that lead to its authority, in PEM: TLS alone is spoken then [env: AUDIT_SERVER_TLS_CERT] [default: none].
    #[arg(long, value_name = "FILE")]
    tls_cert: Option<String>,
    /// The key of the certificate, in PEM, which others must not be able to read [env: AUDIT_SERVER_TLS_KEY].
    #[arg(long, value_name = "FILE")]
    tls_key: Option<String>,
    /// The authority, in PEM, of which clients must have a certificate [env: AUDIT_SERVER_TLS_CLIENT_CA] [default: none].
    #[arg(long, value_name = "FILE")]
    tls_client_ca: Option<String>,
    /// Listen without TLS also where others reach the server, as behind a proxy on another host [env: AUDIT_SERVER_PLAIN_HTTP] [default: false].
    #[arg(long, value_name = "BOOL", num_args = 0..=1, default_missing_value = "true")]
    plain_http: Option<String>,
    /// The origins whose pages a browser lets read answers, such as https://grafana.example.org, separated by commas [env: AUDIT_SERVER_CORS_ORIGINS] [default: none].
    #[arg(long, value_name = "ORIGINS")]
    cors_origins: Option<String>,
    /// Connections at once [env: AUDIT_SERVER_MAX_CONNECTIONS] [default: 512].
    #[arg(long, value_name = "NUMBER")]
    max_connections: Option<String>,
    /// The longest wait for the head of a request [env: AUDIT_SERVER_HEADER_TIMEOUT] [default: 30s].
    #[arg(long, value_name = "TIME")]
    header_timeout: Option<String>,
    /// How long running requests may take to end [env: AUDIT_SERVER_SHUTDOWN_TIMEOUT] [default: 5s].
    #[arg(long, value_name = "TIME")]
    shutdown_timeout: Option<String>,
    /// How much nicer to be than what started it, so that the application goes first [env: AUDIT_SERVER_NICE] [default: 10].
    #[arg(long, value_name = "NUMBER")]
    nice: Option<String>,
    /// What to log: trace, debug, info, warn, error or off [env: AUDIT_SERVER_LOG] [default: info].
    #[arg(long, value_name = "LEVEL")]
    log: Option<String>,
}

impl ServeArgs {
    fn load(self) -> Result<Config, Error> {
        let given = [
            ("listen", self.listen),
            ("db", self.db),
            ("keys", self.keys),
            ("read_model", self.read_model),
            ("journal", self.journal),
            ("keyring", self.keyring),
            ("jwt_issuer", self.jwt_issuer),
            ("jwt_audience", self.jwt_audience),
            ("jwt_secret_file", self.jwt_secret_file),
            ("jwt_jwks", self.jwt_jwks),
            ("jwt_role_claim", self.jwt_role_claim),
            ("jwt_roles", self.jwt_roles),
            ("jwt_tenant_claim", self.jwt_tenant_claim),
            ("redis_url", self.redis_url),
            ("redis_log_enabled", self.redis_log_enabled),
            ("redis_log_db", self.redis_log_db),
            ("query_timeout", self.query_timeout),
            ("report_timeout", self.report_timeout),
            ("readers", self.readers),
            ("max_exports", self.max_exports),
            ("rate_limit", self.rate_limit),
            ("rate_limit_address", self.rate_limit_address),
            ("lockout_after", self.lockout_after),
            ("trusted_proxies", self.trusted_proxies),
            ("allow_from", self.allow_from),
            ("tls_cert", self.tls_cert),
            ("tls_key", self.tls_key),
            ("tls_client_ca", self.tls_client_ca),
            ("plain_http", self.plain_http),
            ("cors_origins", self.cors_origins),
            ("max_connections", self.max_connections),
            ("header_timeout", self.header_timeout),
            ("shutdown_timeout", self.shutdown_timeout),
            ("nice", self.nice),
            ("log", self.log),
        ];
        let flags = given.into_iter().filter_map(|(key, text)| Some((key, text?))).collect();
        Ok(Config::load(self.config.as_deref(), flags)?)
    }
}

/// Runs the command that the arguments of the process name.
#[must_use]
pub fn main() -> ExitCode {
    let done = match Cli::parse().command {
        Command::Serve(args) => serve(*args),
        Command::Keys(args) => keys::run(args),
        Command::Keyring(args) => return ended(keyring::run(&args)),
        Command::Erase(args) => return ended(keyring::erase(&args)),
        Command::Demo(args) => return show(args),
        Command::Query(args) => return query::run(&args),
        Command::Export(args) => return export::run(&args),
        Command::Report(args) => return report::run(&args),
        Command::Reindex(args) => return ended(reindex::run(&args)),
        Command::Verify(args) => return verify::run(&args, &mut std::io::stdout().lock()),
    };
    ended(done)
}

fn ended<E: std::error::Error>(done: Result<(), E>) -> ExitCode {
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            report(&error);
            ExitCode::FAILURE
        }
    }
}

fn show(args: DemoArgs) -> ExitCode {
    match tokio::runtime::Runtime::new() {
        Ok(runtime) => {
            let done = runtime.block_on(demo::run(args, demo_server::bind));
            runtime.shutdown_timeout(std::time::Duration::from_millis(100));
            ended(done)
        }
        Err(error) => ended(Err(Error::internal(error))),
    }
}

fn report(error: &dyn std::error::Error) {
    let mut cause = error.source();
    let mut text = error.to_string();
    while let Some(inner) = cause {
        let said = inner.to_string();
        // Some say themselves what was the cause.
        if !text.ends_with(&said) {
            text.push_str(": ");
            text.push_str(&said);
        }
        cause = inner.source();
    }
    let _ = writeln!(std::io::stderr(), "audit-server: {text}");
}

fn serve(args: ServeArgs) -> Result<(), Error> {
    let config = args.load()?;
    let log = tracing_subscriber::fmt::layer().with_writer(std::io::stderr).with_filter(config.log);
    tracing_subscriber::registry().with(log).init();
    // On Linux this is the thread's own, which all others are begun by.
    if let Ok(nice) = rustix::process::getpriority_process(None) {
        // Nobody forbids to be nicer, and it does no harm if it did.
        let _ = rustix::process::setpriority_process(None, nice + i32::from(config.nice));
    }
    let runtime = tokio::runtime::Runtime::new().map_err(Error::internal)?;
    // Queries that run off the async threads end at their own deadline.
    let patience = config.query_timeout.max(config.report_timeout) + config.shutdown_timeout;
    let served = runtime.block_on(async {
        let shutdown = signals()?;
        if !std::fs::metadata(&config.db).is_ok_and(|about| about.is_file()) {
            tracing::warn!(
                db = %config.db.display(),
                "there is no trail yet: queries answer 503 until an application writes it"
            );
        }
        let server = Server::bind(config).await?;
        say(format_args!("listening on {0}, documentation at {0}/docs", server.url()));
        server.run(shutdown).await
    });
    runtime.shutdown_timeout(patience);
    served
}

/// Done at the first SIGTERM or SIGINT.
fn signals() -> Result<impl Future<Output = ()>, Error> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut terminate = signal(SignalKind::terminate()).map_err(Error::internal)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(Error::internal)?;
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    })
}

/// Prints a line; whoever closed the pipe does not want it.
fn say(line: std::fmt::Arguments<'_>) {
    let _ = writeln!(std::io::stdout(), "{line}");
}
