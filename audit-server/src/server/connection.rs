//! One connection: its handshake, if it has one, and its requests.
//!
//! All of it runs in the connection's own task, the handshake too: who is slow at it, or never ends it, keeps
//! nobody else waiting, and is closed when the time for the head of a request is over.

use std::{convert::Infallible, net::SocketAddr, sync::Arc, time::Duration};

use hyper::{
    body::{Body, Incoming},
    server::conn::http1,
};
use hyper_util::rt::{TokioIo, TokioTimer};
use poem::{
    Response,
    endpoint::BoxEndpoint,
    http::{Request, uri::Scheme},
    web::{LocalAddr, RemoteAddr},
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
    sync::watch,
};
use tokio_rustls::TlsAcceptor;

use super::{head::ShortCredentials, stall::Unstalled};

/// The most headers of a request.
const MAX_HEADERS: usize = 64;

/// The most bytes of the head of a request.
const MAX_HEAD_BYTES: usize = 32 * 1024;

/// The longest that a client may leave an answer unread.
const WRITE_TIMEOUT: Duration = Duration::from_secs(30);

pub(super) struct Connection {
    pub(super) endpoint: Arc<BoxEndpoint<'static, Response>>,
    pub(super) local: SocketAddr,
    pub(super) remote: SocketAddr,
    /// The longest wait for the handshake, and for the head of each request.
    pub(super) header_timeout: Duration,
    pub(super) stopped: watch::Receiver<bool>,
}

impl Connection {
    /// Serves it until it ends, or the server does.
    pub(super) async fn serve(mut self, stream: TcpStream, tls: Option<TlsAcceptor>) {
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, "cannot set TCP_NODELAY");
        }
        let stream = Unstalled::new(stream, WRITE_TIMEOUT);
        let Some(tls) = tls else { return self.speak(stream, Scheme::HTTP).await };
        let handshake = tokio::time::timeout(self.header_timeout, tls.accept(stream));
        let stopping = async { self.stopped.wait_for(|stopped| *stopped).await.is_ok() };
        let shaken = tokio::select! {
            shaken = handshake => shaken,
            _ = stopping => return,
        };
        match shaken {
            Ok(Ok(stream)) => self.speak(stream, Scheme::HTTPS).await,
            Ok(Err(error)) => tracing::debug!(%error, "a handshake failed"),
            Err(_) => tracing::debug!("a handshake took too long"),
        }
    }

    async fn speak<S>(self, stream: S, scheme: Scheme)
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let Self { endpoint, local, remote, header_timeout, mut stopped } = self;
        let (stream, next) = ShortCredentials::new(stream);
        let service = hyper::service::service_fn(move |request: Request<Incoming>| {
            let (endpoint, scheme) = (endpoint.clone(), scheme.clone());
            // Here, and not in the future: hyper reads on before that is polled.
            if request.body().is_end_stream() {
                next.expect();
            }
            async move {
                let parts = (request, LocalAddr(local.into()), RemoteAddr(remote.into()), scheme);
                let response = poem::Endpoint::get_response(&*endpoint, parts.into()).await;
                Ok::<poem::http::Response<_>, Infallible>(response.into())
            }
        });
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(header_timeout)
            .max_headers(MAX_HEADERS)
            .max_buf_size(MAX_HEAD_BYTES)
            .serve_connection(TokioIo::new(stream), service);
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
