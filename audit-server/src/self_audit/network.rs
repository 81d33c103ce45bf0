//! Records of what comes to the server from where it should not.

use std::net::IpAddr;

use audit_layer::event_type;

use super::{Asked, refusals::Seen};

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

pub(super) fn many_outside(from: Option<&IpAddr>, seen: &Seen, at: Option<&str>) {
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
