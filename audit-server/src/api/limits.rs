//! Nothing here takes a body. One that is small is let pass unread with a GET, for clients that send an
//! empty JSON object; any other is refused before a byte of it is read. With a POST none is let pass: who
//! writes filters into it would get everything.
//!
//! poem's `SizeLimit` wants a Content-Length even on a GET that has no body, so this is our own.

use std::sync::Arc;

use poem::{
    Endpoint, Request, Result,
    http::{
        Method,
        header::{CONTENT_LENGTH, TRANSFER_ENCODING},
    },
};

use super::problem::Problem;
use crate::{Error, query::ForbiddenValue};

/// The most bytes of a body.
const MAX_BODY_BYTES: u64 = 64 * 1024;

pub(super) async fn refuse_bodies<E: Endpoint>(
    next: Arc<E>,
    request: Request,
) -> Result<E::Output> {
    let headers = request.headers();
    if headers.contains_key(TRANSFER_ENCODING) {
        return Err(Problem::length_required().into());
    }
    let length = headers.get(CONTENT_LENGTH).map(|value| {
        value.to_str().ok().and_then(|text| text.parse::<u64>().ok()).unwrap_or(u64::MAX)
    });
    if length.is_some_and(|length| length > MAX_BODY_BYTES) {
        return Err(Problem::too_large().into());
    }
    if request.method() == Method::POST && length.is_some_and(|length| length > 0) {
        let reason = "filters and options stand in the query string";
        return Err(Problem::from(Error::from(ForbiddenValue { name: "body", reason })).into());
    }
    next.call(request).await
}
