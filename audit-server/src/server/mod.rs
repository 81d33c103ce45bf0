//! The server: a listener, the endpoints, and an end in good order.
//!
//! Connections are served by hyper directly. poem's own `Server` sets neither a time-out for the
//! head of a request nor a bound on headers, and swallows accept errors without a pause; a
//! connection that sends a byte a minute would stay for ever. HTTP/1.1 only: the server stands on
//! the application's host, where HTTP/2 brings nothing but its own ways to be flooded.

mod connection;
mod head;
mod places;
mod stall;
mod tls;

use std::{
    net::SocketAddr,
    sync::Arc,
    time::{Duration, Instant},
};

use poem::{EndpointExt, Response, endpoint::BoxEndpoint};
use tokio::{net::TcpListener, sync::watch, task::JoinSet};

pub use self::tls::TlsFileUnusable;
use self::{
    connection::Connection,
    places::{Accepted, Places},
    tls::Tls,
};
use crate::{
    Config, Error,
    api::{self, State},
    auth::Tokens,
    report,
    self_audit::SelfAudit,
};

/// The pause after an accept that failed: out of descriptors, mostly.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// The pause between two times that reports are made ready, and that while the read model cannot do
/// it yet.
const READY_PAUSE: Duration = Duration::from_secs(60);
const NOT_YET_PAUSE: Duration = Duration::from_secs(2);

/// The pause between two times that it is seen to it that the server can record.
const RECORDING_PAUSE: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_secs(60);

/// A server that listens and does not answer yet.
pub struct Server {
    listener: TcpListener,
    address: SocketAddr,
    endpoint: Arc<BoxEndpoint<'static, Response>>,
    state: Arc<State>,
    tls: Option<Arc<Tls>>,
    config: Config,
}

/// Serves until `shutdown` is done.
///
/// # Errors
/// What [`Server::bind`] fails with.
pub async fn run(config: Config, shutdown: impl Future<Output = ()>) -> Result<(), Error> {
    Server::bind(config).await?.run(shutdown).await
}

impl Server {
    /// Listens and opens the keys. The trail need not exist yet.
    ///
    /// # Errors
    /// When the address cannot be had, or is one that others reach, and neither TLS nor `plain_http` is
    /// set; when the keys or the files of TLS cannot be used.
    pub async fn bind(config: Config) -> Result<Self, Error> {
        let address = config.listen;
        let is_own = address.ip().to_canonical().is_loopback();
        if !is_own && config.tls_cert.is_none() && !config.plain_http {
            return Err(Error::PlainHttp { address });
        }
        let fail = |source| Error::Listen { address: config.listen, source };
        let listener = TcpListener::bind(config.listen).await.map_err(fail)?;
        Self::on(listener, config).await
    }

    /// Opens the keys, to serve on a listener that is there.
    ///
    /// # Errors
    /// When the keys or the files of TLS cannot be used.
    pub(crate) async fn on(listener: TcpListener, config: Config) -> Result<Self, Error> {
        let for_state = config.clone();
        let open = move || {
            let tls = for_state.tls()?.map(Tls::open).transpose()?;
            let state = State::open(&for_state)?;
            if !state.keys.has_valid()? {
                tracing::warn!(
                    "there is no key yet: `audit-server keys create --name NAME` makes one"
                );
            }
            Ok::<_, Error>((state, tls))
        };
        let (state, tls) = tokio::task::spawn_blocking(open).await.map_err(Error::internal)??;
        let fail = |source| Error::Listen { address: config.listen, source };
        let address = listener.local_addr().map_err(fail)?;
        let state = Arc::new(state);
        let endpoint = Arc::new(api::endpoint(state.clone()).boxed());
        Ok(Self { listener, address, endpoint, state, tls: tls.map(Arc::new), config })
    }

    /// Where it listens; the port is the real one.
    #[must_use]
    pub fn local_addr(&self) -> SocketAddr {
        self.address
    }

    /// How it is reached there: `http` or `https`, and the address.
    #[must_use]
    pub fn url(&self) -> String {
        let scheme = if self.tls.is_some() { "https" } else { "http" };
        format!("{scheme}://{}", self.address)
    }

    /// Serves until `shutdown` is done, then lets running requests end, for as long as the
    /// configuration says.
    ///
    /// # Errors
    /// None at present.
    pub async fn run(self, shutdown: impl Future<Output = ()>) -> Result<(), Error> {
        let places = Places::new(self.config.max_connections);
        let (stop, stopped) = watch::channel(false);
        let mut tasks = JoinSet::new();
        // Ends with this set, when the server does.
        let mut helpers = JoinSet::new();
        if self.state.follower.is_some() {
            helpers.spawn(keep_ready(self.state.clone()));
        }
        if self.state.own.is_some() {
            helpers.spawn(keep_recording(self.state.clone()));
        }
        if self.state.tokens.is_some() {
            helpers.spawn(keep_token_keys(self.state.clone()));
        }
        if let Some(tls) = &self.tls {
            helpers.spawn(tls::keep_fresh(tls.clone()));
        }
        tokio::pin!(shutdown);
        tracing::info!(address = %self.address, "listening");
        loop {
            let accepted = tokio::select! {
                () = &mut shutdown => break,
                Some(ended) = tasks.join_next(), if !tasks.is_empty() => {
                    if ended.is_err() {
                        tracing::error!("a connection's task failed");
                    }
                    continue;
                }
                accepted = places.accept(&self.listener, &self.state) => accepted,
            };
            if let Some(Accepted { stream, remote, place }) = accepted {
                let connection = Connection {
                    endpoint: self.endpoint.clone(),
                    local: self.address,
                    remote,
                    header_timeout: self.config.header_timeout,
                    stopped: stopped.clone(),
                };
                let tls = self.tls.as_ref().map(|tls| tls.acceptor());
                tasks.spawn(async move {
                    connection.serve(stream, tls).await;
                    drop(place);
                });
            }
        }
        tracing::info!(connections = tasks.len(), "stopping");
        drop(self.listener);
        stop.send_replace(true);
        let ended = async { while tasks.join_next().await.is_some() {} };
        if tokio::time::timeout(self.config.shutdown_timeout, ended).await.is_err() {
            tracing::warn!(connections = tasks.len(), "some requests did not end in time");
            tasks.shutdown().await;
        }
        helpers.shutdown().await;
        let state = self.state;
        let end = move || state.own.as_ref().map(SelfAudit::end);
        tokio::task::spawn_blocking(end).await.map_err(Error::internal)?;
        Ok(())
    }
}

/// Sees to it that there is something to record into, and ends the minutes of refusals.
async fn keep_recording(state: Arc<State>) {
    let mut minute = Instant::now();
    loop {
        tokio::time::sleep(RECORDING_PAUSE).await;
        let shared = state.clone();
        let open = move || shared.own.as_ref().map(SelfAudit::open);
        if tokio::task::spawn_blocking(open).await.is_err() {
            tracing::error!("the trail could not be opened to record what is asked");
        }
        if minute.elapsed() >= MINUTE {
            minute = Instant::now();
            state.own.iter().for_each(SelfAudit::end_minute);
        }
    }
}

/// Counts what reports are told from, again and again, so that whoever asks for one need not wait for it.
async fn keep_ready(state: Arc<State>) {
    loop {
        let of_reports = state.clone();
        let prepare =
            move |deadline| report::prepare(&of_reports.trail, &of_reports.kept, deadline);
        let pause = match state.report_readers.run(prepare).await {
            Ok(true) => READY_PAUSE,
            // The read model is being made.
            Ok(false) => NOT_YET_PAUSE,
            Err(error) => {
                tracing::debug!(%error, "reports could not be prepared");
                READY_PAUSE
            }
        };
        tokio::time::sleep(pause).await;
    }
}

/// Fetches the keys of whoever issues tokens, at first and then again and again.
async fn keep_token_keys(state: Arc<State>) {
    while let Some(next) = state.tokens.as_ref().and_then(Tokens::next_refresh) {
        tokio::time::sleep_until(next.into()).await;
        let of_tokens = state.clone();
        let refresh = move || of_tokens.tokens.as_ref().map(Tokens::refresh);
        if tokio::task::spawn_blocking(refresh).await.is_err() {
            tracing::error!("the keys of tokens cannot be fetched any more");
            return;
        }
    }
}
