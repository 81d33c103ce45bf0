//! Who acts: roles, programs and addresses. All of them are made up; the addresses are those that
//! RFC 5737 sets aside for documentation.

use std::net::Ipv4Addr;

use tracing::span::EnteredSpan;

/// Someone, or some program, with an account.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Account {
    pub(crate) user_id: &'static str,
    pub(crate) username: &'static str,
    pub(crate) ip_address: Ipv4Addr,
}

const fn account(user_id: &'static str, username: &'static str, ip: [u8; 4]) -> Account {
    let [a, b, c, d] = ip;
    Account { user_id, username, ip_address: Ipv4Addr::new(a, b, c, d) }
}

/// Those who decide on trades by hand.
pub(crate) const TRADERS: [Account; 4] = [
    account("u-1001", "trader-1", [192, 0, 2, 11]),
    account("u-1002", "trader-2", [192, 0, 2, 12]),
    account("u-1003", "trader-3", [192, 0, 2, 13]),
    account("u-1004", "trader-4", [198, 51, 100, 24]),
];

/// Those who watch them.
pub(crate) const RISK_OFFICER: Account = account("u-2001", "risk-officer", [192, 0, 2, 31]);
pub(crate) const COMPLIANCE_OFFICER: Account =
    account("u-2002", "compliance-officer", [192, 0, 2, 32]);
pub(crate) const TREASURER: Account = account("u-2003", "treasurer", [192, 0, 2, 33]);
pub(crate) const DESK_ADMIN: Account = account("u-9001", "desk-admin", [192, 0, 2, 90]);

/// Programs that decide on trades by themselves.
pub(crate) const AGENTS: [Account; 2] = [
    account("agent-1", "momentum-agent", [192, 0, 2, 201]),
    account("agent-2", "arbitrage-agent", [192, 0, 2, 202]),
];

/// Programs that call the desk's API.
pub(crate) const CLIENTS: [Account; 3] = [
    account("svc-1", "order-gateway", [198, 51, 100, 71]),
    account("svc-2", "reporting-service", [198, 51, 100, 72]),
    account("svc-3", "mobile-app", [198, 51, 100, 140]),
];

/// A program that watches the exposure of the desk.
pub(crate) const RISK_ENGINE: Account = account("svc-9", "risk-engine", [192, 0, 2, 209]);

/// Names that are tried at the door and that nobody has.
pub(crate) const GUESSED: [&str; 6] = ["admin", "root", "test", "backup", "oracle", "trader"];

/// Where a request comes from: what a service knows of it, and keeps in a span around its work.
#[derive(Debug, Clone)]
pub(crate) struct Request {
    pub(crate) user_id: Option<&'static str>,
    pub(crate) username: &'static str,
    pub(crate) ip_address: Ipv4Addr,
    pub(crate) session_id: Option<String>,
    pub(crate) request_id: String,
}

impl Request {
    /// Opens the span that gives every event inside it this request as its context.
    pub(crate) fn enter(&self) -> EnteredSpan {
        tracing::info_span!(
            "request",
            user_id = self.user_id,
            username = self.username,
            ip_address = %self.ip_address,
            session_id = self.session_id.as_deref(),
            request_id = self.request_id,
        )
        .entered()
    }

    /// Opens it with a span inside for something that goes on over several requests.
    pub(crate) fn enter_with(&self, correlation_id: &str) -> (EnteredSpan, EnteredSpan) {
        let request = self.enter();
        // A tuple drops its first field first, and a span should close from the inside.
        (tracing::info_span!("order", correlation_id).entered(), request)
    }
}
