//! Which method an address takes, told to who used another.
//!
//! poem tells that a method is not allowed, and not which is.

use std::sync::Arc;

use poem::{
    Endpoint, IntoResponse, Request, Response, Result,
    http::{HeaderValue, StatusCode, header},
};

use super::problem::Problem;

/// What is asked for with POST; all else is read with GET.
const POSTED: &[&str] = &["/audit/export", "/api/audit/export"];

pub(super) async fn name_what_is_allowed<E: Endpoint>(
    next: Arc<E>,
    request: Request,
) -> Result<Response> {
    let is_posted = POSTED.contains(&request.uri().path());
    let mut response = next.call(request).await?.into_response();
    if is_posted && response.status() == StatusCode::METHOD_NOT_ALLOWED {
        response = Problem::post_only().into_response();
        response.headers_mut().insert(header::ALLOW, HeaderValue::from_static("POST"));
    }
    Ok(response)
}
