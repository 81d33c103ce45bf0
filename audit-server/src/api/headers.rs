//! Headers that tell a browser what it must not do with an answer.

use std::sync::Arc;

use poem::{
    Endpoint, IntoResponse, Request, Response, Result,
    http::{HeaderValue, header, uri::Scheme},
};

/// What an answer that is data may do in a browser: nothing.
const DATA_POLICY: HeaderValue =
    HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'");

/// For a year whoever saw this host by TLS is to see it so, which holds for all of its ports.
const TLS_ALONE: HeaderValue = HeaderValue::from_static("max-age=31536000");

pub(super) async fn secure<E: Endpoint>(next: Arc<E>, request: Request) -> Result<Response> {
    let is_tls = *request.scheme() == Scheme::HTTPS;
    let mut response = next.call(request).await?.into_response();
    let headers = response.headers_mut();
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(header::X_FRAME_OPTIONS, HeaderValue::from_static("DENY"));
    if is_tls {
        headers.insert(header::STRICT_TRANSPORT_SECURITY, TLS_ALONE);
    }
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    // Records and keys in a cache outlive their permission; the documentation may stay.
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    headers.entry(header::CONTENT_SECURITY_POLICY).or_insert(DATA_POLICY);
    Ok(response)
}
