//! The server: a listener, the endpoints, and an end in good order.
//!
//! Connections are served by hyper directly. poem's own `Server` sets neither a time-out for the
//! head of a request nor a bound on headers, and swallows accept errors without a pause; a
//! connection that sends a byte a minute would stay for ever. HTTP/1.1 only: the server stands on
//! the application's host, where HTTP/2 brings nothing but its own ways to be flooded.

mod places;
mod stall;

use std::{
    convert::Infallible,
    net::SocketAddr,
    sync::Arc,
    time::{Duration, Instant},
};

use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use poem::{
    EndpointExt, Response,
    endpoint::BoxEndpoint,
    http::uri::Scheme,
    web::{LocalAddr, RemoteAddr},
};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::watch,
    task::JoinSet,
};

use self::{
    places::{Accepted, Places},
    stall::Unstalled,
};
use crate::{
    Config, Error,
    api::{self, State},
    report,
    self_audit::SelfAudit,
};

/// The most headers of a request.
const MAX_HEADERS: usize = 64;

/// The most bytes of the head of a request.
const MAX_HEAD_BYTES: usize = 32 * 1024;

/// The longest that a client may leave an answer unread.
const WRITE_TIMEOUT: Duration = Duration::from_secs(30);

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
    /// When the address cannot be had, or the keys cannot be used.
    pub async fn bind(config: Config) -> Result<Self, Error> {
        let fail = |source| Error::Listen { address: config.listen, source };
        let listener = TcpListener::bind(config.listen).await.map_err(fail)?;
        Self::on(listener, config).await
    }

    /// Opens the keys, to serve on a listener that is there.
    ///
    /// # Errors
    /// When the keys cannot be used.
    pub(crate) async fn on(listener: TcpListener, config: Config) -> Result<Self, Error> {
        let for_state = config.clone();
        let open = move || {
            let state = State::open(&for_state)?;
            if !state.keys.has_valid()? {
                tracing::warn!(
                    "there is no key yet: `audit-server keys create --name NAME` makes one"
                );
            }
            Ok::<_, Error>(state)
        };
        let state = tokio::task::spawn_blocking(open).await.map_err(Error::internal)??;
        let fail = |source| Error::Listen { address: config.listen, source };
        let address = listener.local_addr().map_err(fail)?;
        let state = Arc::new(state);
        let endpoint = Arc::new(api::endpoint(state.clone()).boxed());
        Ok(Self { listener, address, endpoint, state, config })
    }

    /// Where it listens; the port is the real one.
    #[must_use]
    pub fn local_addr(&self) -> SocketAddr {
        self.address
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
                let connection = self.serve(stream, remote, stopped.clone());
                tasks.spawn(async move {
                    connection.await;
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

    fn serve(
        &self,
        stream: TcpStream,
        remote: SocketAddr,
        mut stopped: watch::Receiver<bool>,
    ) -> impl Future<Output = ()> + use<> {
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, "cannot set TCP_NODELAY");
        }
        let (endpoint, address) = (self.endpoint.clone(), self.address);
        let service = hyper::service::service_fn(move |request| {
            let endpoint = endpoint.clone();
            async move {
                let parts =
                    (request, LocalAddr(address.into()), RemoteAddr(remote.into()), Scheme::HTTP);
                let response = poem::Endpoint::get_response(&*endpoint, parts.into()).await;
                Ok::<poem::http::Response<_>, Infallible>(response.into())
            }
        });
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(self.config.header_timeout)
            .max_headers(MAX_HEADERS)
            .max_buf_size(MAX_HEAD_BYTES)
            .serve_connection(TokioIo::new(Unstalled::new(stream, WRITE_TIMEOUT)), service);
        async move {
            tokio::pin!(connection);
            let stopping = async { stopped.wait_for(|stopped| *stopped).await.is_ok() };
            let ended = tokio::select! {
                ended = &mut connection => ended,
                _ = stopping => {
                    connection.as_mut().graceful_shutdown();
                    connection.await
                }
            };
            if let Err(error) = ended {
                tracing::debug!(%error, "a connection ended early");
            }
        }
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
