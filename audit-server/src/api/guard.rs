//! No answer without a credential that may have it.
//!
//! A key is looked up right here when nothing stands in the way: a few system calls on a small file
//! take a tenth of the way to another thread and back. Only what may have to wait goes there.

use std::{
    net::{IpAddr, Ipv4Addr},
    sync::Arc,
};

use poem::{Endpoint, Request, Response, Result, endpoint::BoxEndpoint, web::RemoteAddr};

use super::{State, caller::Caller, problem::Problem};
use crate::{
    Error,
    auth::{self, Forbidden, Scope},
};

/// An endpoint behind the check of the key.
pub(super) struct Guard {
    pub(super) state: Arc<State>,
    /// What it asks for.
    pub(super) needed: Scope,
    pub(super) inner: BoxEndpoint<'static>,
}

impl Endpoint for Guard {
    type Output = Response;

    async fn call(&self, mut request: Request) -> Result<Response> {
        let key = auth::presented(request.headers()).map_err(Error::from).map_err(Problem::from)?;
        let from = address(request.remote_addr());
        let checked = match self.state.keys.check_at_once(&key, from) {
            Some(checked) => checked,
            None => {
                let state = self.state.clone();
                self.state.key_readers.run(move |_| state.keys.check(&key, from)).await
            }
        };
        let caller = checked.map_err(Problem::from)?;
        if !caller.role.may(self.needed) {
            let forbidden = Forbidden { needed: self.needed, role: caller.role };
            return Err(Problem::from(Error::from(forbidden)).into());
        }
        request.set_data(Caller(caller));
        self.inner.call(request).await
    }
}

/// Where the connection comes from. One that has no address, as no listener of ours gives, is from nowhere
/// that a network could name.
fn address(remote: &RemoteAddr) -> IpAddr {
    remote.as_socket_addr().map_or(Ipv4Addr::UNSPECIFIED.into(), |address| address.ip())
}
