//! HTTP: translates requests into questions and answers into responses, and decides nothing else.
//!
//! The guard sits on the table of routes, not in the handlers: whatever [`Documented`] mounts asks
//! for a key unless it is named public there, so a handler that is added cannot forget it. Answers
//! carry the stored lines as they are; see [`page`].

mod address;
mod alias;
mod caller;
mod cors;
mod docs;
mod documented;
mod export;
mod gate;
mod guard;
mod handlers;
mod headers;
mod health;
mod in_flight;
mod keys;
mod limits;
mod locked_key;
mod methods;
mod page;
mod parameters;
mod problem;
mod rate;
mod report;
mod schema;
mod state;

use std::sync::Arc;

use poem::{Endpoint, EndpointExt, Response, Route, middleware::CatchPanic};
use poem_openapi::{LicenseObject, OpenApiService};

use self::{documented::Documented, problem::Problem};
pub(crate) use state::State;

fn service(state: Option<Arc<State>>) -> OpenApiService<Documented, ()> {
    OpenApiService::new(Documented { state }, "audit-server", env!("CARGO_PKG_VERSION"))
        .description(include_str!("description.md"))
        .license(LicenseObject::new("MIT OR Apache-2.0"))
        .server("/")
}

/// The OpenAPI document, as `/openapi.json` serves it.
#[must_use]
pub fn openapi_document() -> String {
    let mut document = service(None).spec();
    document.push('\n');
    document
}

/// Everything that the server answers.
pub(crate) fn endpoint(state: Arc<State>) -> impl Endpoint<Output = Response> + 'static {
    let service = service(Some(state.clone()));
    let asking = cors::Origins::new(&state.cors_origins);
    let reading = asking.clone();
    Route::new()
        .at("/docs", docs::swagger_ui(&service))
        .at("/openapi.json", docs::document(openapi_document()))
        .nest("/", service)
        .around(move |next, request| cors::preflight(asking.clone(), next, request))
        .around(move |next, request| gate::keep(state.clone(), next, request))
        .around(alias::strip_api_prefix)
        .with(CatchPanic::new().with_handler(|_| Problem::internal()))
        .catch_all_error(problem::from_any)
        .around(methods::name_what_is_allowed)
        .around(move |next, request| cors::allow(reading.clone(), next, request))
        .around(headers::secure)
}
