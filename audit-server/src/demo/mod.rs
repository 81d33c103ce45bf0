//! `audit-server demo`: a whole installation in one command.
//!
//! A trading desk that does not exist goes through the real [`AuditLayer`](audit_layer::AuditLayer)
//! into a directory, and the server answers for it at once: thirty days of history within the
//! first seconds, then about twenty events a second until it is ended.
//!
//! ```text
//! audit-demo/logs/audit.log   the file, and its rotated backups
//! audit-demo/audit.db         the trail
//! audit-demo/journal/         the identity of the stream
//! audit-demo/audit-keys.db    the server's keys
//! audit-demo/audit-read-model.db  what the server derives from the trail
//! ```
//!
//! A second start goes on with the trail: it writes no second history, only what an interrupted one
//! still lacks. It listens before it touches anything, so one that finds the first still running
//! changes nothing, and it writes only among records of its own. How the server is started is a
//! parameter of [`run`], so that this module knows nothing of it.

mod desk;
mod error;
mod foreign;
mod history;
mod live;
mod site;
mod stop;
#[cfg(test)]
mod testing;

use std::{
    fmt::Write as _,
    io::Write as _,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    path::PathBuf,
    pin::Pin,
    sync::Arc,
    time::{Duration, Instant},
};

use audit_layer::AuditGuard;
use time::OffsetDateTime;
use tokio::{
    net::TcpListener,
    signal::unix::{SignalKind, signal},
    sync::oneshot,
};
use tracing_subscriber::{Layer as _, filter::filter_fn, layer::SubscriberExt};

use self::{desk::Desk, history::Period, stop::Stop};
pub use self::{
    error::{DemoError, Failure},
    site::{SERVICE, Site},
};

/// How long the desk and the server have to end once they are told to, together.
const END_TIMEOUT: Duration = Duration::from_millis(600);
/// How long the sinks have to take what is left. Both together stay under the two seconds that
/// somebody who pressed Ctrl-C is ready to wait.
const FLUSH_TIMEOUT: Duration = Duration::from_millis(1200);
/// How long the first record may take to be in the database.
const START_TIMEOUT: Duration = Duration::from_secs(5);

/// How a demonstration runs.
#[derive(Debug, Clone, clap::Args)]
pub struct DemoArgs {
    /// The directory to write to; it is made when it is not there
    #[arg(long, default_value = "audit-demo")]
    pub dir: PathBuf,
    /// The address to serve on; port 0 takes any that is free
    #[arg(long, default_value = "127.0.0.1:8600")]
    pub listen: SocketAddr,
    /// End by itself after that many seconds of live events
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..=31_536_000))]
    pub seconds: Option<u64>,
    /// Another seed makes another desk
    #[arg(long, default_value_t = 8600)]
    pub seed: u64,
    /// How many days of history a new trail begins with
    #[arg(long, default_value_t = 30, value_parser = clap::value_parser!(u16).range(0..=366))]
    pub days: u16,
    /// How many live events a second
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub rate: u32,
}

/// A future that says when to stop.
pub type Shutdown = Pin<Box<dyn Future<Output = ()> + Send>>;
type Serving = Pin<Box<dyn Future<Output = Result<(), Failure>> + Send>>;

/// A server that listens, with a new admin key, and does not answer yet.
pub struct Bound {
    address: SocketAddr,
    admin_key: String,
    serve: Box<dyn FnOnce(Shutdown) -> Serving + Send>,
}

impl Bound {
    /// `serve` answers until its argument is done, and then ends within half a second.
    pub fn new<F>(
        address: SocketAddr,
        admin_key: impl Into<String>,
        serve: impl FnOnce(Shutdown) -> F + Send + 'static,
    ) -> Self
    where
        F: Future<Output = Result<(), Failure>> + Send + 'static,
    {
        let serve = Box::new(|shutdown| Box::pin(serve(shutdown)) as Serving);
        Self { address, admin_key: admin_key.into(), serve }
    }
}

/// Runs a demonstration until Ctrl-C, SIGTERM or the end of its seconds; `bind` starts the server on
/// a listener that has its address already.
///
/// It installs the subscriber of the process, and writes to standard output, where the admin key is
/// shown once.
///
/// # Errors
/// When something cannot be opened, when the server fails, and [`DemoError::Layer`] when not
/// everything reached the sinks in time.
pub async fn run<F>(
    args: DemoArgs,
    bind: impl FnOnce(Site, TcpListener) -> F,
) -> Result<(), DemoError>
where
    F: Future<Output = Result<Bound, Failure>>,
{
    let interrupted = interrupted()?;
    let listener = TcpListener::bind(args.listen)
        .await
        .map_err(|source| DemoError::Listen { address: args.listen, source })?;
    let site = Site::prepare(&args)?;
    let audit = install(&site)?;
    let missing = missing_history(&audit, &site, args.days)?;
    let bound = bind(site.clone(), listener).await.map_err(DemoError::Server)?;
    say(&welcome(&site, &bound, missing.is_some()));

    let (stop_server, server_stopped) = oneshot::channel::<()>();
    let mut server = tokio::spawn((bound.serve)(Box::pin(async {
        let _ = server_stopped.await;
    })));
    let (stopper, stop) = stop::pair();
    let (ended, mut desk) = oneshot::channel();
    let audit = Arc::new(audit);
    let trail = Arc::clone(&audit);
    // A thread of its own, since to emit an event may block.
    std::thread::Builder::new()
        .name("demo-desk".to_owned())
        .spawn(move || {
            live(&args, missing, &stop, &trail);
            drop(trail);
            let _ = ended.send(());
        })
        .map_err(DemoError::Thread)?;

    let (mut failure, mut desk_ended) = (None, false);
    tokio::select! {
        () = interrupted => say("\nEnding…\n"),
        _ = &mut desk => desk_ended = true,
        result = &mut server => failure = Some(server_failure(result)),
    }
    drop(stopper);
    drop(stop_server);
    let until = tokio::time::Instant::now() + END_TIMEOUT;
    if !desk_ended {
        let _ = tokio::time::timeout_at(until, desk).await;
    }
    if failure.is_none()
        && let Ok(Ok(Err(error))) = tokio::time::timeout_at(until, server).await
    {
        failure = Some(DemoError::Server(error));
    }
    let audit = Arc::into_inner(audit).ok_or(DemoError::DeskStuck)?;
    tokio::task::spawn_blocking(move || audit.shutdown(FLUSH_TIMEOUT))
        .await
        .map_err(|error| DemoError::Server(error.into()))??;
    match failure {
        Some(failure) => Err(failure),
        None => {
            say(&format!("Everything is written: {}\n", site.database().display()));
            Ok(())
        }
    }
}

/// What the desk's thread does.
fn live(args: &DemoArgs, missing: Option<Period>, stop: &Stop, trail: &AuditGuard) {
    let now = OffsetDateTime::now_utc();
    let fresh = missing.is_some_and(|period| period.to - period.from >= days(args.days));
    // A later start must not repeat the names of things that an earlier one has given.
    let salt = if fresh { 0 } else { now.unix_timestamp().cast_unsigned() };
    let mut desk = Desk::new(args.seed ^ salt);
    if let Some(period) = missing {
        let began = Instant::now();
        let records = history::write(&mut desk, period, args.days, stop, || {
            // A disk that stands still shows in the layer's own warnings.
            let _ = trail.flush(site::BLOCK_TIMEOUT);
        });
        let took = began.elapsed().as_secs_f64();
        if stop.is_told() {
            return say(&format!("History: ended after {records} records; a next start goes on\n"));
        }
        say(&format!("History: {records} records of {} days in {took:.1} s\n", args.days));
    }
    live::run(&mut desk, args.rate, args.seconds, stop);
}

fn days(days: u16) -> time::Duration {
    time::Duration::days(i64::from(days))
}

/// Ready from the first moment, so that no Ctrl-C is missed; done when one comes, or a SIGTERM.
fn interrupted() -> Result<impl Future<Output = ()>, DemoError> {
    let mut interrupt = signal(SignalKind::interrupt()).map_err(DemoError::Signal)?;
    let mut terminate = signal(SignalKind::terminate()).map_err(DemoError::Signal)?;
    Ok(async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
    })
}

/// Opens the trail, and shows warnings of the server on standard error.
fn install(site: &Site) -> Result<AuditGuard, DemoError> {
    let (layer, audit) = site.layer()?;
    let warnings = tracing_subscriber::fmt::layer().with_writer(std::io::stderr).with_filter(
        filter_fn(|event| *event.level() <= tracing::Level::WARN && event.target() != "audit"),
    );
    tracing::subscriber::set_global_default(
        tracing_subscriber::registry().with(layer).with(warnings),
    )
    .map_err(|_| DemoError::Subscriber)?;
    audit.verify_installed()?;
    Ok(audit)
}

fn missing_history(
    audit: &AuditGuard,
    site: &Site,
    days: u16,
) -> Result<Option<Period>, DemoError> {
    // The record that the history ends with must be there to be found.
    audit.flush(START_TIMEOUT)?;
    let stream = audit.stream().map(ToString::to_string).unwrap_or_default();
    Period::missing(&site.database(), &stream, days).map_err(DemoError::History)
}

fn server_failure(result: Result<Result<(), Failure>, tokio::task::JoinError>) -> DemoError {
    DemoError::Server(match result {
        Ok(Ok(())) => "it ended by itself".into(),
        Ok(Err(error)) => error,
        Err(error) => error.into(),
    })
}

/// What somebody sees who has just started it.
fn welcome(site: &Site, bound: &Bound, history: bool) -> String {
    let mut address = bound.address;
    match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => address.set_ip(Ipv4Addr::LOCALHOST.into()),
        IpAddr::V6(ip) if ip.is_unspecified() => address.set_ip(Ipv6Addr::LOCALHOST.into()),
        _ => {}
    }
    let url = format!("http://{address}");
    let key = &bound.admin_key;
    let mut text = String::new();
    // Writing to a string cannot fail.
    let _ = write!(
        text,
        "\
Swagger UI   {url}/docs
OpenAPI      {url}/openapi.json
Health       {url}/health
Records      {url}/audit/logs
Admin key    {key}   (shown once; the next start makes another and revokes this one)

Try:
  curl -H 'X-API-Key: {key}' '{url}/audit/logs?event_type=trade.*&limit=5'
  curl -H 'X-API-Key: {key}' '{url}/audit/security-events?severity=error&limit=5'
  curl -H 'X-API-Key: {key}' '{url}/audit/financial?order=asc&limit=5'
  curl -H 'X-API-Key: {key}' '{url}/audit/anomalies?lookback_days=7'
  curl -H 'X-API-Key: {key}' -H 'Accept: text/html' -o security.html '{url}/audit/reports/security?days=7'

File         {}
Database     {}
{}
",
        site.file().display(),
        site.database().display(),
        site.redis_line(),
    );
    text.push_str(if history {
        "History is being written; live events follow. Ctrl-C ends.\n"
    } else {
        "Going on with the trail that is there. Ctrl-C ends.\n"
    });
    text
}

/// Writes to standard output. Nobody reading it is no reason to end.
fn say(text: &str) {
    let mut out = std::io::stdout().lock();
    let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
}
