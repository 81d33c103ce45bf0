//! Who asks too often is told to wait.
//!
//! There are two limits. That of an address is looked at first, for every path and before any key: it bounds what
//! comes from there, whoever sends it. So it holds for all who share the address, those behind a proxy that is
//! not trusted too, and is to be set with room for them. That of a credential holds wherever it is used from.

use std::{net::IpAddr, time::Duration};

use super::{State, problem::Problem};
use crate::{
    Config,
    auth::{Credential, host},
    rate::Limiter,
    self_audit::{Asked, Refusal},
};

/// The limits; those are none that are off.
#[derive(Debug)]
pub(crate) struct Rates {
    addresses: Option<Limiter<IpAddr>>,
    credentials: Option<Limiter<Box<str>>>,
}

impl Rates {
    pub(crate) fn new(config: &Config) -> Self {
        Self {
            addresses: config.rate_limit_address.map(Limiter::new),
            credentials: config.rate_limit.map(Limiter::new),
        }
    }
}

/// Counts a request of that address, which is described when it is one too many.
pub(super) fn check_address(
    state: &State,
    from: IpAddr,
    asked: impl FnOnce() -> Asked,
) -> Result<(), Problem> {
    let checked = state.rates.addresses.as_ref().map(|limiter| limiter.check(&host(from)));
    refused(state, checked, asked, None)
}

/// Counts a request of a credential that is let in.
pub(super) fn check_credential(
    state: &State,
    by: &Credential,
    asked: &Asked,
) -> Result<(), Problem> {
    let checked = state.rates.credentials.as_ref().map(|it| it.check(&by.id));
    refused(state, checked, || asked.clone(), Some(by))
}

fn refused(
    state: &State,
    checked: Option<Result<(), Duration>>,
    asked: impl FnOnce() -> Asked,
    by: Option<&Credential>,
) -> Result<(), Problem> {
    let Some(Err(wait)) = checked else { return Ok(()) };
    if let Some(own) = &state.own {
        own.refused(asked(), by, Refusal::TooMany);
    }
    Err(Problem::too_many_requests(wait))
}
