//! Pages of other origins, which a browser lets read answers only when it is told so.
//!
//! It is told for the origins that the operator has listed, and for no other. Rejected: `*`, with which any page that an
//! auditor opens could try what the server answers at addresses that only the auditor reaches. A credential is a header that the page
//! sends itself: cookies, and so credentials in the sense of CORS, there are none.
//!
//! A browser asks before it sends such a header, without any key. That question is answered here, behind the
//! [gate](super::gate): it needs none.

use std::sync::Arc;

use poem::{
    Endpoint, IntoResponse, Request, Response, Result,
    http::{HeaderValue, Method, StatusCode, header},
};

/// What the routes take; HEAD is asked for with no question.
const METHODS: HeaderValue = HeaderValue::from_static("GET, POST, DELETE");
const HEADERS: HeaderValue = HeaderValue::from_static("Authorization, X-API-Key, Content-Type");
/// What a page may see beside what it always may.
const EXPOSED: HeaderValue =
    HeaderValue::from_static("Audit-Export-Id, Content-Disposition, Retry-After");
/// How many seconds a browser need not ask again.
const MAX_AGE: HeaderValue = HeaderValue::from_static("600");

/// The origins whose pages may read answers.
#[derive(Debug, Clone)]
pub(super) struct Origins(Arc<[HeaderValue]>);

impl Origins {
    /// What is no header is the origin of nothing.
    pub(super) fn new(origins: &[String]) -> Self {
        Self(origins.iter().filter_map(|origin| origin.parse().ok()).collect())
    }

    /// That of the request, if it is one of them.
    fn of(&self, request: &Request) -> Option<HeaderValue> {
        let origin = request.headers().get(header::ORIGIN)?;
        self.0.contains(origin).then(|| origin.clone())
    }
}

/// Lets pages of these origins read whatever is answered, errors included.
pub(super) async fn allow<E: Endpoint>(
    origins: Origins,
    next: Arc<E>,
    request: Request,
) -> Result<Response> {
    let origin = origins.of(&request);
    let mut response = next.call(request).await?.into_response();
    if !origins.0.is_empty() {
        // An answer to one origin is not to be kept for another.
        response.headers_mut().append(header::VARY, HeaderValue::from_static("Origin"));
    }
    if let Some(origin) = origin {
        response.headers_mut().insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
        response.headers_mut().insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, EXPOSED);
    }
    Ok(response)
}

/// Answers a browser that asks what a page of one of these origins may send.
pub(super) async fn preflight<E: Endpoint>(
    origins: Origins,
    next: Arc<E>,
    request: Request,
) -> Result<Response> {
    let asks = *request.method() == Method::OPTIONS
        && request.headers().contains_key(header::ACCESS_CONTROL_REQUEST_METHOD);
    if !asks || origins.of(&request).is_none() {
        return Ok(next.call(request).await?.into_response());
    }
    let answer = Response::builder()
        .status(StatusCode::NO_CONTENT)
        .header(header::ACCESS_CONTROL_ALLOW_METHODS, METHODS)
        .header(header::ACCESS_CONTROL_ALLOW_HEADERS, HEADERS)
        .header(header::ACCESS_CONTROL_MAX_AGE, MAX_AGE);
    Ok(answer.finish())
}
