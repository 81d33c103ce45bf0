//! What is looked at before anything else of a request: where it comes from.
//!
//! The gate stands before the routes, so that what it finds counts for every path, whether or not anything is there.

use std::{
    net::{IpAddr, Ipv4Addr},
    sync::Arc,
};

use poem::{
    Endpoint, IntoResponse, Request, Response, Result,
    http::{HeaderValue, Method, header},
};

use super::{State, address, documented, problem::Problem, rate};
use crate::self_audit::{Asked, Refusal};

/// Those that have a meaning somewhere; any word may be one.
const METHODS: [Method; 7] = [
    Method::GET,
    Method::HEAD,
    Method::POST,
    Method::PUT,
    Method::PATCH,
    Method::DELETE,
    Method::OPTIONS,
];

/// Where a request comes from, put to it by the gate.
#[derive(Debug, Clone, Copy)]
struct Client(IpAddr);

pub(super) async fn keep<E: Endpoint>(
    state: Arc<State>,
    next: Arc<E>,
    mut request: Request,
) -> Result<Response> {
    let Ok(from) = address::client(peer(&request), request.headers(), &state.trusted_proxies)
    else {
        tracing::debug!("X-Forwarded-For and Forwarded name two clients");
        return Err(Problem::contradictory_addresses().into());
    };
    if !state.allow_from.contain(from) {
        return Ok(turn_away(&state, &request, from));
    }
    rate::check_address(&state, from, || asked(&request, from))?;
    request.set_data(Client(from));
    Ok(next.call(request).await?.into_response())
}

/// What is answered to who asks from where nobody may.
fn turn_away(state: &State, request: &Request, from: IpAddr) -> Response {
    if let Some(own) = &state.own {
        own.refused(asked(request, from), None, Refusal::Outside);
    }
    let mut response = Problem::outside().into_response();
    // A proxy has others to ask for.
    if state.is_outside(peer(request)) {
        response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
    response
}

/// What is recorded of a request that nobody has looked at: nothing that the client made up.
fn asked(request: &Request, from: IpAddr) -> Asked {
    let route = documented::route(request.uri().path()).unwrap_or_default();
    let method = Some(request.method()).filter(|method| METHODS.contains(method));
    Asked::new(route, method.map_or("", Method::as_str), request.uri(), from)
}

/// Where the request comes from.
pub(super) fn client(request: &Request) -> IpAddr {
    request.data::<Client>().map_or_else(|| peer(request), |Client(from)| *from)
}

/// The other end of the connection. One that has no address, as no listener of ours gives, is from nowhere
/// that a network could name.
fn peer(request: &Request) -> IpAddr {
    let address = request.remote_addr().as_socket_addr();
    address.map_or(Ipv4Addr::UNSPECIFIED.into(), |address| address.ip())
}
