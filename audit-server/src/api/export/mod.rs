//! Exports over HTTP.
//!
//! The body is fed by a task of its own, part by part through a short queue: a client that reads
//! slowly slows the reading of the trail, and one that does not read at all is cut off like any
//! other. A page takes a reader of the database for the page alone, so exports and queries take
//! turns. Exports are bounded by their number, with what each may hold: a few parts.
//!
//! The end of a body is the promise that it is whole. When anything fails on the way, the body
//! fails: HTTP/1.1 then closes the connection without the last chunk, which every client tells from
//! an end. HTTP/1.0 cannot tell the two apart and is refused.

mod body;
mod encoding;
mod registry;
mod response;
mod task;

use std::sync::Arc;

use poem::{
    FromRequest, Request as HttpRequest, RequestBody,
    http::{HeaderMap, Version, header},
};

use self::body::Taker;
pub(crate) use self::registry::Exports;
pub(super) use self::response::ExportResponse;
use super::{State, caller::Caller, problem::Problem};
use crate::export::{Compression, Request, Walk};

/// What the head of a request says beside its query.
pub(super) struct Wishes {
    headers: HeaderMap,
    version: Version,
}

impl<'a> FromRequest<'a> for Wishes {
    async fn from_request(request: &'a HttpRequest, _: &mut RequestBody) -> poem::Result<Self> {
        Ok(Self { headers: request.headers().clone(), version: request.version() })
    }
}

/// Begins an export.
pub(super) async fn begin(
    state: &Arc<State>,
    query_string: &str,
    wishes: &Wishes,
    caller: Caller,
) -> Result<ExportResponse, Problem> {
    if wishes.version < Version::HTTP_11 {
        return Err(Problem::old_protocol());
    }
    let mut request = Request::read_as(query_string, &caller.sight)?;
    let is_file = request.compression.is_some();
    let extension = request.extension();
    if !is_file {
        let accepted = wishes.headers.get_all(header::ACCEPT_ENCODING);
        let texts = accepted.iter().map(|value| value.to_str().unwrap_or_default());
        request.compression = Some(encoding::chosen(texts).ok_or_else(Problem::not_acceptable)?);
    }
    let permit = state.exports.admit()?;
    let (for_walk, asked) = (state.clone(), request.clone());
    let begin = move |deadline| Walk::begin(&for_walk.trail, &asked, deadline);
    let walk = state.database_readers.run(begin).await?;
    let compression = request.compression.unwrap_or_default();
    let format = request.format;
    let ledger = state.exports.register(request.clone(), &walk, &caller.credential)?;
    if let Some(own) = &state.own {
        own.export_begun(caller.asked.clone(), &caller.credential, ledger.id());
    }
    let queue = task::start(state.clone(), request, walk, ledger.clone(), permit.clone());
    let tokens = wishes.headers.get_all(header::TE).iter();
    let wants_trailers = tokens
        .filter_map(|value| value.to_str().ok())
        .flat_map(|text| text.split(','))
        .any(|token| token.trim().eq_ignore_ascii_case("trailers"));
    Ok(ExportResponse {
        id: ledger.id(),
        name: format!("audit-export-{}.{extension}", ledger.id()),
        content_type: match (is_file, compression) {
            (true, Compression::Gzip) => "application/gzip",
            (true, Compression::Zstd) => "application/zstd",
            _ => format.content_type(),
        },
        encoding: if is_file { Compression::None } else { compression },
        wants_trailers,
        body: body::ExportBody::new(
            queue,
            ledger,
            wants_trailers,
            permit,
            Taker::new(state, caller),
        ),
    })
}
