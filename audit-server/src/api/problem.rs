//! Errors as problem details (RFC 9457), and the one place where a cause becomes a status.

use std::time::Duration;

use poem::{
    IntoResponse, Response,
    http::{HeaderValue, StatusCode, header},
};
use poem_openapi::{
    ApiResponse,
    registry::{
        MetaHeader, MetaMediaType, MetaResponse, MetaResponses, MetaSchema, MetaSchemaRef, Registry,
    },
    types::Type,
};
use serde::Serialize;

use super::schema;
use crate::Error;

pub(super) const CONTENT_TYPE: &str = "application/problem+json";

/// What a client is told of an error: which kind, which parameter, and what it can do. Paths, SQL
/// and what a library said stay in the log.
#[derive(Debug, Serialize)]
pub(super) struct Problem {
    #[serde(rename = "type")]
    kind: &'static str,
    title: &'static str,
    status: u16,
    detail: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    parameter: Option<String>,
    /// In how many seconds to try again.
    #[serde(skip)]
    retry_after: Option<u64>,
}

impl Problem {
    fn new(
        status: StatusCode,
        kind: &'static str,
        title: &'static str,
        detail: impl Into<String>,
    ) -> Self {
        let (status, detail) = (status.as_u16(), detail.into());
        Self { kind, title, status, detail, parameter: None, retry_after: None }
    }

    fn of_parameter(
        kind: &'static str,
        title: &'static str,
        name: &str,
        cause: &impl ToString,
    ) -> Self {
        let parameter = Some(name.to_owned());
        Self { parameter, ..Self::new(StatusCode::BAD_REQUEST, kind, title, cause.to_string()) }
    }

    fn unavailable(kind: &'static str, title: &'static str, detail: impl Into<String>) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, kind, title, detail)
    }

    pub(super) fn internal() -> Self {
        Self::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "/problems/internal",
            "Internal error",
            "the server's log says what happened",
        )
    }

    pub(super) fn unhealthy() -> Self {
        let detail = "/health/detail says why, to those who have a key";
        Self::unavailable("/problems/unhealthy", "Not healthy", detail)
    }

    pub(super) fn invalid_id() -> Self {
        let reason = "id is malformed: it is a UUID";
        Self::of_parameter("/problems/invalid-value", "Malformed value", "id", &reason)
    }

    pub(super) fn outside() -> Self {
        Self::new(
            StatusCode::FORBIDDEN,
            "/problems/address-not-allowed",
            "Not from there",
            "this server does not answer at this address; its operator says from where it does",
        )
    }

    pub(super) fn contradictory_addresses() -> Self {
        Self::new(
            StatusCode::BAD_REQUEST,
            "/problems/contradictory-addresses",
            "Contradictory addresses",
            "X-Forwarded-For and Forwarded name two clients: send neither, and let the proxy remove the one that it does not write",
        )
    }

    pub(super) fn too_large() -> Self {
        Self::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            "/problems/too-large",
            "Body too large",
            "no endpoint takes a body; at most 64 KiB are passed over",
        )
    }

    /// For so long.
    pub(super) fn locked_out(left: Duration) -> Self {
        Self {
            retry_after: Some(left.as_secs().max(1)),
            ..Self::new(
                StatusCode::TOO_MANY_REQUESTS,
                "/problems/locked-out",
                "Too many requests without a valid key",
                "this address, or the key that was named, is locked out for whoever has no valid key; Retry-After says how long",
            )
        }
    }

    /// For so long.
    pub(super) fn too_many_requests(wait: Duration) -> Self {
        let seconds = u64::try_from(wait.as_millis().div_ceil(1_000)).unwrap_or(u64::MAX);
        Self {
            retry_after: Some(seconds.max(1)),
            ..Self::new(
                StatusCode::TOO_MANY_REQUESTS,
                "/problems/too-many-requests",
                "Too many requests",
                "more requests than may be come with this key or from this address; Retry-After says how long to wait",
            )
        }
    }

    pub(super) fn length_required() -> Self {
        Self::new(
            StatusCode::LENGTH_REQUIRED,
            "/problems/length-required",
            "Length required",
            "a body of unknown length is not accepted",
        )
    }

    pub(super) fn method_not_allowed(detail: &'static str) -> Self {
        Self::new(
            StatusCode::METHOD_NOT_ALLOWED,
            "/problems/method-not-allowed",
            "Method not allowed",
            detail,
        )
    }

    pub(super) fn not_acceptable() -> Self {
        Self::new(
            StatusCode::NOT_ACCEPTABLE,
            "/problems/not-acceptable",
            "No acceptable encoding",
            "an export is encoded with zstd, with gzip, or not at all; Accept-Encoding excludes all three",
        )
    }

    pub(super) fn old_protocol() -> Self {
        Self::new(
            StatusCode::HTTP_VERSION_NOT_SUPPORTED,
            "/problems/http-version",
            "HTTP/1.1 is needed",
            "in HTTP/1.0 an export that broke off would look like one that ended",
        )
    }

    /// What poem itself refuses.
    fn of_status(status: StatusCode) -> Self {
        match status {
            StatusCode::NOT_FOUND => Self::new(
                status,
                "/problems/not-found",
                "No such address",
                "nothing is here; /docs shows what there is",
            ),
            StatusCode::METHOD_NOT_ALLOWED => {
                Self::method_not_allowed("this endpoint is read with GET")
            }
            status if status.is_client_error() => Self::new(
                status,
                "/problems/bad-request",
                "Bad request",
                "the request could not be read",
            ),
            _ => Self::internal(),
        }
    }
}

impl From<Error> for Problem {
    /// Maps the cause. What only the operator can mend is logged here, whole.
    fn from(error: Error) -> Self {
        let problem = map(&error);
        if problem.status >= 500 {
            let cause = std::error::Error::source(&error).map(ToString::to_string);
            tracing::error!(kind = problem.kind, %error, cause, "a request failed");
        }
        problem
    }
}

fn map(error: &Error) -> Problem {
    match error {
        Error::UnknownParameter(cause) => Problem::of_parameter(
            "/problems/unknown-parameter",
            "Unknown parameter",
            &cause.name,
            cause,
        ),
        Error::RepeatedParameter(cause) => Problem::of_parameter(
            "/problems/repeated-parameter",
            "Repeated parameter",
            &cause.name,
            cause,
        ),
        Error::InvalidValue(cause) => {
            Problem::of_parameter("/problems/invalid-value", "Malformed value", &cause.name, cause)
        }
        Error::ForbiddenValue(cause) => Problem::of_parameter(
            "/problems/forbidden-value",
            "Value not possible here",
            cause.name,
            cause,
        ),
        Error::WrongKey(cause) => Problem::new(
            StatusCode::UNAUTHORIZED,
            "/problems/unauthorized",
            "A valid key is needed",
            cause.to_string(),
        ),
        Error::Forbidden(cause) => Problem::new(
            StatusCode::FORBIDDEN,
            "/problems/forbidden",
            "Not permitted",
            cause.to_string(),
        ),
        Error::TenantBound(cause) => Problem::new(
            StatusCode::FORBIDDEN,
            "/problems/one-tenant",
            "Not for one tenant",
            cause.to_string(),
        ),
        Error::TenantAdmin(cause) => Problem::of_parameter(
            "/problems/forbidden-value",
            "Value not possible here",
            "tenant",
            cause,
        ),
        Error::KeyUnknown(cause) => Problem::new(
            StatusCode::NOT_FOUND,
            "/problems/key-not-found",
            "No such key",
            cause.to_string(),
        ),
        Error::KeyNameInvalid(cause) => {
            Problem::of_parameter("/problems/invalid-value", "Malformed value", "name", cause)
        }
        Error::KeyIdInvalid(cause) => {
            Problem::of_parameter("/problems/invalid-value", "Malformed value", "key", cause)
        }
        Error::KeyLifetimeInvalid(cause) => {
            Problem::of_parameter("/problems/invalid-value", "Malformed value", "days", cause)
        }
        Error::TooManyKeys(cause) => Problem::new(
            StatusCode::CONFLICT,
            "/problems/too-many-keys",
            "Too many keys",
            cause.to_string(),
        ),
        Error::RecordNotFound(cause) => Problem::new(
            StatusCode::NOT_FOUND,
            "/problems/record-not-found",
            "No such record",
            cause.to_string(),
        ),
        Error::ExportNotFound(cause) => Problem::new(
            StatusCode::NOT_FOUND,
            "/problems/export-not-found",
            "No such export",
            cause.to_string(),
        ),
        Error::ExportsBusy(_) => Problem::unavailable(
            "/problems/overloaded",
            "Too many exports",
            "as many exports run as may; try again when one has ended",
        ),
        Error::TrailReplaced(cause) => {
            Problem::unavailable("/problems/trail-replaced", "Another trail", cause.to_string())
        }
        Error::DatabaseMissing(_) => Problem::unavailable(
            "/problems/database-missing",
            "No trail yet",
            "there is no audit trail yet; the application that writes it makes it",
        ),
        Error::DatabaseNewer(_) => Problem::unavailable(
            "/problems/database-newer",
            "Trail of a later version",
            "the trail was written by a later version than this server reads; update the server",
        ),
        Error::DatabaseForeign(_) => Problem::unavailable(
            "/problems/database-foreign",
            "Not an audit trail",
            "the file that the server was given is not an audit trail",
        ),
        Error::DatabaseUnreadable(_) => Problem::unavailable(
            "/problems/database-unreadable",
            "Trail cannot be read",
            "the trail cannot be read at the moment; the server's log says why",
        ),
        Error::QueryTimeout(cause) => {
            Problem::unavailable("/problems/query-timeout", "Query timed out", cause.to_string())
        }
        Error::Overloaded(_) => Problem::unavailable(
            "/problems/overloaded",
            "Too many queries",
            "every reader is busy, or too many answers are unread; try again in a moment",
        ),
        Error::Keyring(_) => Problem::unavailable(
            "/problems/keyring-unreadable",
            "Keyring cannot be read",
            "what is sealed cannot be opened at the moment; the server's log says why",
        ),
        Error::RedisDisabled(_) => Problem::unavailable(
            "/problems/redis-disabled",
            "No Redis",
            "this server was started without Redis",
        ),
        Error::RedisUnavailable(_) => Problem::unavailable(
            "/problems/redis-unavailable",
            "Redis does not answer",
            "Redis does not answer; the same records are at /audit/logs",
        ),
        Error::KeyFileMissing(_) | Error::KeyFileUnusable(_) => Problem::unavailable(
            "/problems/keys-unavailable",
            "Keys cannot be checked",
            "the server's keys cannot be read; its log says why",
        ),
        Error::DamagedRecord(_) => Problem::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "/problems/damaged-record",
            "Damaged record",
            "what is stored under this id is not its record; `audit-server verify` says more",
        ),
        // The rest is met at start or on the command line, never by a request.
        Error::Internal(_)
        | Error::ReadModel(_)
        | Error::Config(_)
        | Error::TokensUnusable(_)
        | Error::Listen { .. }
        | Error::PlainHttp { .. }
        | Error::TlsFileUnusable(_) => Problem::internal(),
    }
}

/// Turns whatever a request failed with into problem details.
pub(super) async fn from_any(error: poem::Error) -> Response {
    if error.is_from_response() {
        return error.into_response();
    }
    let status = error.status();
    if status.is_server_error() {
        tracing::error!(%error, "a request failed");
    }
    Problem::of_status(status).into_response()
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let body = serde_json::to_string(&self).unwrap_or_default();
        let mut response = Response::builder().status(status).content_type(CONTENT_TYPE).body(body);
        let extra = match status {
            StatusCode::UNAUTHORIZED => Some((header::WWW_AUTHENTICATE, "Bearer")),
            StatusCode::METHOD_NOT_ALLOWED => Some((header::ALLOW, "GET, HEAD")),
            StatusCode::SERVICE_UNAVAILABLE => Some((header::RETRY_AFTER, "1")),
            _ => None,
        };
        if let Some((name, value)) = extra {
            response.headers_mut().insert(name, HeaderValue::from_static(value));
        }
        if let Some(seconds) = self.retry_after {
            response.headers_mut().insert(header::RETRY_AFTER, seconds.into());
        }
        response
    }
}

impl From<Problem> for poem::Error {
    fn from(problem: Problem) -> Self {
        Self::from_response(problem.into_response())
    }
}

fn retry_after() -> MetaHeader {
    MetaHeader {
        name: "Retry-After".to_owned(),
        description: Some("In how many seconds to try again.".to_owned()),
        required: true,
        deprecated: false,
        schema: MetaSchemaRef::Inline(Box::new(MetaSchema::new("integer"))),
    }
}

impl ApiResponse for Problem {
    fn meta() -> MetaResponses {
        let response = |status, description| MetaResponse {
            description,
            status: Some(status),
            status_range: None,
            content: vec![MetaMediaType {
                content_type: CONTENT_TYPE,
                schema: schema::Problem::schema_ref(),
            }],
            headers: vec![],
        };
        let responses = [
            (
                400,
                "A parameter is unknown, repeated or malformed, and `parameter` names it; or `X-Forwarded-For` and `Forwarded` name two clients.",
            ),
            (
                401,
                "The key is missing, wrong, revoked or expired, or is not to be used from there.",
            ),
            (403, "The role of the key may not do that, or nobody may ask from this address."),
            (404, "There is no such record, export or key."),
            (406, "`Accept-Encoding` leaves no encoding."),
            (409, "There are as many keys as there may be."),
            (411, "The request has a body of unknown length."),
            (413, "The request has a body of more than 64 KiB."),
            (
                429,
                "Too many requests: with this key or from this address, or without a valid key from this address or for the key that was named. `Retry-After` says for how many seconds.",
            ),
            (500, "The server failed; its log says how."),
            (
                503,
                "The database or Redis cannot be read now, the query took too long, or too much is going on.",
            ),
        ];
        let mut responses = Vec::from(responses.map(|(status, told)| response(status, told)));
        let late = responses.iter_mut().filter(|it| matches!(it.status, Some(429 | 503)));
        late.for_each(|response| response.headers.push(retry_after()));
        // hyper answers this, before there is a request to speak of, without a body.
        let told = "The head of the request is too large, not counting what a key or token has beyond 10 KiB, or has more than 64 headers.";
        responses.push(MetaResponse { content: vec![], ..response(431, told) });
        MetaResponses { responses }
    }

    fn register(registry: &mut Registry) {
        schema::Problem::register(registry);
    }
}
