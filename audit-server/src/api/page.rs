//! Bodies made of stored lines.
//!
//! A page is put together from bytes: the lines as they were stored between a few bytes of ours.
//! Parsing them and printing them again would cost more than the query, and could change them.

use hyper::body::Bytes;
use poem::{IntoResponse, Response};
use poem_openapi::{
    ApiResponse,
    payload::Payload,
    registry::{MetaMediaType, MetaResponse, MetaResponses, MetaSchemaRef, Registry},
    types::Type,
};

use super::{
    guard::Rows,
    in_flight::Reserved,
    schema::{self, SourceState},
};
use crate::{
    query::{CombinedPage, FoundIn, Page},
    read_model::Count,
    store::Truncation,
};

const CONTENT_TYPE: &str = "application/json";

/// A body of JSON that is ready, documented as `T`.
pub(super) struct Ready<T> {
    body: Bytes,
    rows: usize,
    documented: std::marker::PhantomData<fn() -> T>,
}

impl<T> Ready<T> {
    fn new(body: Vec<u8>, rows: usize, room: Reserved) -> Self {
        Self { body: room.hold(body), rows, documented: std::marker::PhantomData }
    }
}

pub(super) fn page(page: &Page, room: Reserved) -> Ready<schema::Page> {
    let mut body = begin(page.records.iter().map(|line| &**line));
    end(&mut body, page.next_cursor.as_deref(), page.truncated);
    if let Some(Count { value, is }) = page.count {
        let count = format!(r#","count":{{"value":{value},"is":"{}"}}"#, is.as_str());
        body.extend_from_slice(count.as_bytes());
    }
    body.push(b'}');
    Ready::new(body, page.records.len(), room)
}

pub(super) fn record(line: Box<str>, room: Reserved) -> Ready<schema::Record> {
    Ready::new(line.into_string().into_bytes(), 1, room)
}

pub(super) fn combined(
    page: &CombinedPage,
    redis: SourceState,
    room: Reserved,
) -> Ready<schema::CombinedPage> {
    let mut body = begin(page.records.iter().map(|(line, _)| &**line));
    body.extend_from_slice(b",\"found_in\":[");
    for (at, (_, found_in)) in page.records.iter().enumerate() {
        if at > 0 {
            body.push(b',');
        }
        body.extend_from_slice(match found_in {
            FoundIn::Database => br#"["database"]"#,
            FoundIn::Redis => br#"["redis"]"#,
            FoundIn::Both => br#"["database","redis"]"#,
            FoundIn::Conflict => br#"["database","redis_differs"]"#,
        });
    }
    body.push(b']');
    end(&mut body, page.next_cursor.as_deref(), page.truncated);
    let redis = match redis {
        SourceState::Ok => "ok",
        SourceState::Unavailable => "unavailable",
        SourceState::Disabled => "disabled",
    };
    let sources = format!(r#","sources":{{"database":"ok","redis":"{redis}"}}}}"#);
    body.extend_from_slice(sources.as_bytes());
    Ready::new(body, page.records.len(), room)
}

fn begin<'l>(lines: impl Iterator<Item = &'l str> + Clone) -> Vec<u8> {
    let bytes: usize = lines.clone().map(|line| line.len() + 1).sum();
    let mut body = Vec::with_capacity(bytes + 512);
    body.extend_from_slice(b"{\"records\":[");
    for (at, line) in lines.enumerate() {
        if at > 0 {
            body.push(b',');
        }
        body.extend_from_slice(line.as_bytes());
    }
    body.push(b']');
    body
}

fn end(body: &mut Vec<u8>, next_cursor: Option<&str>, truncation: Truncation) {
    let truncated = truncation.any();
    // A cursor is base64url: nothing in it needs an escape.
    let next = next_cursor.map_or("null".to_owned(), |cursor| format!("\"{cursor}\""));
    body.extend_from_slice(format!(",\"next_cursor\":{next},\"truncated\":{truncated}").as_bytes());
    if truncated {
        let by: Vec<_> = truncation.reasons().map(|by| format!("\"{}\"", by.as_str())).collect();
        body.extend_from_slice(format!(",\"truncated_by\":[{}]", by.join(",")).as_bytes());
    }
}

impl<T: Type> Payload for Ready<T> {
    const CONTENT_TYPE: &'static str = CONTENT_TYPE;

    fn schema_ref() -> MetaSchemaRef {
        T::schema_ref()
    }

    fn register(registry: &mut Registry) {
        T::register(registry);
    }
}

impl<T: Send> IntoResponse for Ready<T> {
    fn into_response(self) -> Response {
        let mut response = Response::builder().content_type(CONTENT_TYPE).body(self.body);
        response.set_data(Rows(self.rows as u64));
        response
    }
}

impl<T: Type> ApiResponse for Ready<T> {
    fn meta() -> MetaResponses {
        let content = MetaMediaType { content_type: CONTENT_TYPE, schema: T::schema_ref() };
        MetaResponses {
            responses: vec![MetaResponse {
                description: "The answer.",
                status: Some(200),
                status_range: None,
                content: vec![content],
                headers: vec![],
            }],
        }
    }

    fn register(registry: &mut Registry) {
        T::register(registry);
    }
}
