//! Everything below `/audit` is there below `/api/audit` too.
//!
//! One set of routes under two names, by cutting the prefix before routing: two mounts could drift.

use std::sync::Arc;

use poem::{
    Endpoint, Request, Result,
    http::{Uri, uri::PathAndQuery},
};

pub(super) async fn strip_api_prefix<E: Endpoint>(
    next: Arc<E>,
    mut request: Request,
) -> Result<E::Output> {
    let path = request.uri().path_and_query().map_or("", PathAndQuery::as_str);
    if path.starts_with("/api/audit/")
        && let Some(canonical) = path.strip_prefix("/api")
        && let Ok(uri) = canonical.parse::<Uri>()
    {
        *request.uri_mut() = uri;
    }
    next.call(request).await
}
