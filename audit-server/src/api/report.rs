//! Reports over HTTP: JSON, or a page to read and to print.

use std::{marker::PhantomData, sync::Arc};

use poem::{
    FromRequest, IntoResponse, Request as HttpRequest, RequestBody, Response,
    http::{HeaderMap, header},
};
use poem_openapi::{
    ApiResponse,
    registry::{MetaMediaType, MetaResponse, MetaResponses, MetaSchema, MetaSchemaRef, Registry},
    types::Type,
};

use super::{State, caller::Caller, problem::Problem};
use crate::report::{self, Form, HTML_POLICY, Made, Request, Which, html_page};

/// What of the head of a request says in which form an answer is wanted.
pub(super) struct Accepted(HeaderMap);

impl<'a> FromRequest<'a> for Accepted {
    async fn from_request(request: &'a HttpRequest, _: &mut RequestBody) -> poem::Result<Self> {
        Ok(Self(request.headers().clone()))
    }
}

impl Accepted {
    /// Whether a page is wanted: of JSON and HTML the one that is named and not refused, and JSON when
    /// both are or none is.
    fn html(&self) -> bool {
        let named = |wanted: &str| {
            let texts = self.0.get_all(header::ACCEPT).iter();
            let texts = texts.filter_map(|value| value.to_str().ok());
            texts.flat_map(|text| text.split(',')).any(|range| {
                let mut parts = range.split(';').map(str::trim);
                let is_it = parts.next().is_some_and(|name| name.eq_ignore_ascii_case(wanted));
                is_it && !parts.any(|part| matches!(part, "q=0" | "q=0.0" | "q=0.00" | "q=0.000"))
            })
        };
        named("text/html") && !named("application/json")
    }
}

/// A report, documented as `T`.
pub(super) struct Answer<T> {
    body: String,
    form: Form,
    documented: PhantomData<fn() -> T>,
}

/// Makes the report.
pub(super) async fn answer<T>(
    state: &Arc<State>,
    which: Which,
    query_string: &str,
    accepted: &Accepted,
    caller: Caller,
) -> Result<Answer<T>, Problem> {
    let request = Request::read(which, query_string)?.seen_with(caller.sight);
    let form = request.form.unwrap_or(if accepted.html() { Form::Html } else { Form::Json });
    let for_report = state.clone();
    let make = move |deadline| {
        let Made { json, document } =
            report::make(&for_report.trail, Some(&for_report.kept), &request, deadline)?;
        Ok(match form {
            Form::Json => json,
            Form::Html => html_page(&document)?,
        })
    };
    let body = state.report_readers.run(make).await?;
    Ok(Answer { body, form, documented: PhantomData })
}

impl<T: Send> IntoResponse for Answer<T> {
    fn into_response(self) -> Response {
        let response = Response::builder().header(header::VARY, "accept");
        match self.form {
            Form::Json => response.content_type("application/json").body(self.body),
            Form::Html => response
                .content_type("text/html; charset=utf-8")
                .header(header::CONTENT_SECURITY_POLICY, HTML_POLICY.as_str())
                .body(self.body),
        }
    }
}

impl<T: Type> ApiResponse for Answer<T> {
    fn meta() -> MetaResponses {
        let json = MetaMediaType { content_type: "application/json", schema: T::schema_ref() };
        let text = MetaSchemaRef::Inline(Box::new(MetaSchema::new("string")));
        let html = MetaMediaType { content_type: "text/html; charset=utf-8", schema: text };
        MetaResponses {
            responses: vec![MetaResponse {
                description: "The report.",
                status: Some(200),
                status_range: None,
                content: vec![json, html],
                headers: vec![],
            }],
        }
    }

    fn register(registry: &mut Registry) {
        T::register(registry);
    }
}
