//! Which method an address takes, told to who used another.
//!
//! poem tells that a method is not allowed, and not which is.

use std::sync::Arc;

use poem::{
    Endpoint, IntoResponse, Request, Response, Result,
    http::{HeaderValue, StatusCode, header},
};

use super::problem::Problem;

/// What is not read with GET alone: the path, what stands in `Allow`, and what is said.
const OTHERS: &[(&str, &str, &str)] = &[
    ("/audit/export", "POST", "an export is asked for with POST"),
    ("/audit/keys", "GET, HEAD, POST", "keys are listed with GET and made with POST"),
    ("/audit/keys/{key}", "DELETE", "a key is revoked with DELETE"),
    ("/audit/keys/{key}/rotate", "POST", "a key is made anew with POST"),
];

/// Whether the path is one of the pattern, which is written as in the document.
pub(super) fn is_at(path: &str, pattern: &str) -> bool {
    let path = path.strip_prefix("/api").filter(|rest| rest.starts_with("/audit/")).unwrap_or(path);
    let mut parts = path.split('/');
    let alike = pattern.split('/').all(|wanted| {
        let any = wanted.starts_with('{');
        parts.next().is_some_and(|part| any && !part.is_empty() || part == wanted)
    });
    alike && parts.next().is_none()
}

pub(super) async fn name_what_is_allowed<E: Endpoint>(
    next: Arc<E>,
    request: Request,
) -> Result<Response> {
    let other = OTHERS.iter().find(|(pattern, ..)| is_at(request.uri().path(), pattern));
    let mut response = next.call(request).await?.into_response();
    if let Some((_, allow, said)) = other
        && response.status() == StatusCode::METHOD_NOT_ALLOWED
    {
        response = Problem::method_not_allowed(said).into_response();
        response.headers_mut().insert(header::ALLOW, HeaderValue::from_static(allow));
    }
    Ok(response)
}
