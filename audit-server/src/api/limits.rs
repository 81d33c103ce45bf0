//! Nothing here takes a body. One that is small is let pass unread with a GET, for clients that send an
//! empty JSON object; any other is refused before a byte of it is read. With a POST none is let pass: who
//! writes filters into it would get everything.
//!
//! poem's `SizeLimit` wants a Content-Length even on a GET that has no body, so this is our own.

use poem::{
    Request,
    http::{
        Method,
        header::{CONTENT_LENGTH, TRANSFER_ENCODING},
    },
};

use super::problem::Problem;
use crate::{Error, query::ForbiddenValue};

/// The most bytes of a body.
const MAX_BODY_BYTES: u64 = 64 * 1024;

/// Whether a request may be answered with the body that it has. Who asks is looked at before: a body is no way around
/// being counted and recorded.
pub(super) fn check_body(request: &Request) -> Result<(), Problem> {
    let headers = request.headers();
    if headers.contains_key(TRANSFER_ENCODING) {
        return Err(Problem::length_required());
    }
    let length = headers.get(CONTENT_LENGTH).map(|value| {
        value.to_str().ok().and_then(|text| text.parse::<u64>().ok()).unwrap_or(u64::MAX)
    });
    if length.is_some_and(|length| length > MAX_BODY_BYTES) {
        return Err(Problem::too_large());
    }
    if request.method() == Method::POST && length.is_some_and(|length| length > 0) {
        let reason = "filters and options stand in the query string";
        return Err(Error::from(ForbiddenValue { name: "body", reason }).into());
    }
    Ok(())
}
