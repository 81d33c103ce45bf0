//! What is looked at before anything else of a request: where it comes from.
//!
//! The gate stands before the routes, so that what it finds counts for every path, whether or not anything is there.

use std::{
    net::{IpAddr, Ipv4Addr},
    sync::Arc,
};

use poem::{Endpoint, IntoResponse, Request, Response, Result};

use super::{State, address, problem::Problem};

/// Where a request comes from, put to it by the gate.
#[derive(Debug, Clone, Copy)]
struct Client(IpAddr);

pub(super) async fn keep<E: Endpoint>(
    state: Arc<State>,
    next: Arc<E>,
    mut request: Request,
) -> Result<Response> {
    let Ok(from) = address::client(peer(&request), request.headers(), &state.trusted_proxies) else {
        tracing::debug!("X-Forwarded-For and Forwarded name two clients");
        return Err(Problem::contradictory_addresses().into());
    };
    request.set_data(Client(from));
    Ok(next.call(request).await?.into_response())
}

/// Where the request comes from.
pub(super) fn client(request: &Request) -> IpAddr {
    request.data().map_or_else(|| peer(request), |Client(from)| *from)
}

/// The other end of the connection. One that has no address, as no listener of ours gives, is from nowhere
/// that a network could name.
fn peer(request: &Request) -> IpAddr {
    let address = request.remote_addr().as_socket_addr();
    address.map_or(Ipv4Addr::UNSPECIFIED.into(), |address| address.ip())
}
