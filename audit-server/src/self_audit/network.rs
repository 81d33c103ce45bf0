//! Records of what comes to the server from where it should not.

use std::net::IpAddr;

use audit_layer::event_type;

use super::{
    Asked,
    refusals::{Seen, Source},
};
use crate::auth::{Credential, KeyInfo, LOCKED_FOR, Tenant};

/// Somebody asked from an address that is not let in.
pub(super) fn outside(asked: &Asked, at: Option<&str>) {
    tracing::warn!(
        target: "audit",
        event_type = event_type::SECURITY_IP_WHITELIST_VIOLATION,
        action = "read",
        status = "denied",
        ip_address = %asked.from,
        resource = asked.path.as_str(),
        http.method = asked.method.as_str(),
        asked_at = at,
        "From an address that may not ask"
    );
}

pub(super) fn many_outside(from: Option<IpAddr>, seen: &Seen, at: Option<&str>) {
    tracing::warn!(
        target: "audit",
        event_type = event_type::SECURITY_IP_WHITELIST_VIOLATION,
        action = "read",
        status = "denied",
        ip_address = from.map(tracing::field::display),
        count = seen.untold,
        asked_at = at,
        "More requests and connections from an address that may not ask within a minute"
    );
}

/// Somebody asked too often, from an address or with a credential.
pub(super) fn too_many(asked: &Asked, by: Option<&Credential>, at: Option<&str>) {
    tracing::warn!(
        target: "audit",
        event_type = event_type::SECURITY_RATE_LIMITED,
        action = "read",
        status = "denied",
        user_id = by.map(|by| &*by.id),
        username = by.map(|by| &*by.name),
        tenant = by.and_then(|by| by.tenant.as_ref()).map(Tenant::as_str),
        ip_address = %asked.from,
        resource = asked.path.as_str(),
        http.method = asked.method.as_str(),
        asked_at = at,
        "Too many requests"
    );
}

pub(super) fn many_too_many(source: &Source, seen: &Seen, at: Option<&str>) {
    tracing::warn!(
        target: "audit",
        event_type = event_type::SECURITY_RATE_LIMITED,
        action = "read",
        status = "denied",
        user_id = source.key(),
        ip_address = source.address().map(tracing::field::display),
        count = seen.untold,
        asked_at = at,
        "More requests that were too many within a minute"
    );
}

/// A key is locked, for who does not know its secret.
pub(super) fn key_locked(key: &KeyInfo, from: IpAddr, at: Option<&str>) {
    tracing::error!(
        target: "audit",
        event_type = event_type::SECURITY_ACCOUNT_LOCKED,
        action = "lock_out",
        status = "success",
        user_id = key.id.as_str(),
        username = key.name.as_str(),
        ip_address = %from,
        seconds = LOCKED_FOR.as_secs(),
        asked_at = at,
        "Too many requests named this key and did not open with it"
    );
}
