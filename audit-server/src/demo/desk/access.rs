//! Who is let in, and who is not.

use std::net::Ipv4Addr;

use audit_layer::event_type;
use time::{Duration, OffsetDateTime};
use tracing::{error, field::Empty, info, warn};

use super::{
    Desk,
    people::{
        Account, CLIENTS, COMPLIANCE_OFFICER, DESK_ADMIN, GUESSED, RISK_OFFICER, Request, TRADERS,
        TREASURER,
    },
};

/// Someone of the desk who is there begins to work, or ends it.
pub(super) fn someone_comes_or_goes(desk: &mut Desk, now: OffsetDateTime) {
    let [a, b, c, d] = TRADERS;
    let who = desk.one_of([a, b, c, d, RISK_OFFICER, COMPLIANCE_OFFICER, TREASURER, DESK_ADMIN]);
    if desk.sessions.iter().any(|(user, _)| *user == who.user_id) {
        logout(desk, who);
    } else {
        login(desk, who, now);
    }
}

/// Someone goes home; when nobody is there, a program refreshes its token.
pub(super) fn someone_goes(desk: &mut Desk, now: OffsetDateTime) {
    let [a, b, c, d] = TRADERS;
    let here = [a, b, c, d, RISK_OFFICER, COMPLIANCE_OFFICER, TREASURER, DESK_ADMIN];
    let here = here.into_iter().find(|who| desk.sessions.iter().any(|(id, _)| *id == who.user_id));
    if let Some(who) = here {
        return logout(desk, who);
    }
    token_refreshed(desk, now);
}

/// A program gets a new token for one that runs out.
pub(super) fn token_refreshed(desk: &mut Desk, _: OffsetDateTime) {
    let client = desk.one_of(CLIENTS);
    let _span = desk.request_of(client).enter();
    info!(
        target: "audit",
        event_type = event_type::AUTH_TOKEN_REFRESHED,
        action = "refresh",
        status = "success",
        duration_us = desk.took(),
        valid_seconds = 3600,
        "Token refreshed"
    );
}

/// The password is right; a second factor and a token follow.
pub(super) fn login(desk: &mut Desk, who: Account, now: OffsetDateTime) {
    let session = desk.name("ses");
    let request = Request { session_id: Some(session.clone()), ..desk.request_of(who) };
    // At the door only a name is known; the span learns the rest once the password is checked.
    let span = tracing::info_span!(
        "login",
        user_id = Empty,
        username = who.username,
        ip_address = %who.ip_address,
        session_id = Empty,
        request_id = request.request_id,
    );
    span.record("user_id", who.user_id);
    span.record("session_id", session.as_str());
    span.in_scope(|| {
        info!(
            target: "audit",
            event_type = event_type::AUTH_LOGIN,
            action = "login",
            status = "success",
            duration_us = desk.took(),
            method = "password",
            "User login successful"
        );
    });
    desk.sessions.push((who.user_id, session));
    desk.soon(now, 100..1500, move |desk, now| {
        {
            let _span = request.enter();
            info!(
                target: "audit",
                event_type = event_type::AUTH_MFA,
                action = "verify",
                status = "success",
                duration_us = desk.took(),
                method = desk.one_of(["totp", "security key"]),
                "Second factor verified"
            );
        }
        desk.soon(now, 5..50, move |desk, _| {
            let _span = request.enter();
            info!(
                target: "audit",
                event_type = event_type::AUTH_TOKEN_ISSUED,
                action = "issue",
                status = "success",
                duration_us = desk.took(),
                valid_seconds = 28_800,
                "Token issued"
            );
        });
    });
}

pub(super) fn logout(desk: &mut Desk, who: Account) {
    let at = desk.sessions.iter().position(|(user, _)| *user == who.user_id);
    let session_id = at.map(|at| desk.sessions.swap_remove(at).1);
    let _span = Request { session_id, ..desk.request_of(who) }.enter();
    info!(
        target: "audit",
        event_type = event_type::AUTH_LOGOUT,
        action = "logout",
        status = "success",
        "User logged out"
    );
}

/// A wrong password by mistake, then a reset or the right one.
pub(super) fn password_mistyped(desk: &mut Desk, now: OffsetDateTime) {
    let who = desk.one_of(TRADERS);
    failed(desk, who.username, who.ip_address, "wrong password");
    if desk.chance(15) {
        let request = desk.request_of(who);
        desk.soon(now, 30_000..90_000, move |desk, _| {
            let _span = request.enter();
            info!(
                target: "audit",
                event_type = event_type::AUTH_PASSWORD_RESET,
                action = "reset",
                status = "success",
                duration_us = desk.took(),
                method = "security key",
                "Password reset"
            );
        });
    }
}

fn failed(desk: &mut Desk, username: &'static str, ip_address: Ipv4Addr, reason: &'static str) {
    let request_id = desk.name("req");
    let _span =
        Request { user_id: None, username, ip_address, session_id: None, request_id }.enter();
    warn!(
        target: "audit",
        event_type = event_type::AUTH_FAILED,
        action = "login",
        status = "failure",
        duration_us = desk.took(),
        method = "password",
        reason,
        "User login failed"
    );
}

/// Someone outside tries a dozen passwords or two.
pub(super) fn password_guessing(desk: &mut Desk, now: OffsetDateTime) {
    let tries = desk.random.u32(12..30);
    brute_force(desk, now, tries);
}

/// One address tries one password after the other, on names that nobody has and at last on one
/// that somebody has. That account is locked and the address blocked; later the account is
/// unlocked again.
pub(super) fn brute_force(desk: &mut Desk, now: OffsetDateTime, tries: u32) {
    let from = Ipv4Addr::new(203, 0, 113, desk.random.u8(2..250));
    let victim = desk.one_of(TRADERS);
    failed(desk, desk_guess(0), from, "unknown user");
    let mut after = Duration::ZERO;
    for attempt in 1..tries {
        after += Duration::milliseconds(desk.random.i64(120..900));
        let aimed = attempt + 5 >= tries;
        desk.later(now, after, move |desk, _| {
            if aimed {
                failed(desk, victim.username, from, "wrong password");
            } else {
                failed(desk, desk_guess(attempt), from, "unknown user");
            }
        });
    }
    desk.later(now, after + Duration::milliseconds(40), move |desk, now| {
        locked(desk, victim, from);
        desk.soon(now, 20..200, move |desk, now| blocked(desk, from, tries, now));
        desk.soon(now, 240_000..900_000, move |desk, _| unlocked(desk, victim));
    });
}

fn desk_guess(attempt: u32) -> &'static str {
    GUESSED.iter().copied().cycle().nth(attempt as usize % GUESSED.len()).unwrap_or_default()
}

fn locked(desk: &mut Desk, victim: Account, ip_address: Ipv4Addr) {
    let _span = Request { ip_address, ..desk.request_of(victim) }.enter();
    warn!(
        target: "audit",
        event_type = event_type::SECURITY_ACCOUNT_LOCKED,
        action = "lock",
        status = "success",
        resource = format!("users/{}", victim.user_id),
        failures = 5,
        "Account locked after failed logins"
    );
}

fn blocked(desk: &mut Desk, ip_address: Ipv4Addr, failures: u32, now: OffsetDateTime) {
    let firewall = move |desk: &mut Desk| Request {
        user_id: None,
        username: "",
        ip_address,
        session_id: None,
        request_id: desk.name("req"),
    };
    {
        let _span = firewall(desk).enter();
        error!(
            target: "audit",
            event_type = event_type::SECURITY_IP_BLOCKED,
            action = "block",
            status = "success",
            severity = if failures >= 50 { "critical" } else { "error" },
            resource = format!("addresses/{ip_address}"),
            failures,
            block_seconds = 86_400,
            reason = "brute force",
            "Address blocked"
        );
    }
    // Whoever guesses goes on for a while.
    desk.soon(now, 1000..9000, move |desk, _| {
        let _span = firewall(desk).enter();
        warn!(
            target: "audit",
            event_type = event_type::SECURITY_INTRUSION,
            action = "connect",
            status = "denied",
            resource = "/login",
            reason = "address is blocked",
            "Blocked address tried again"
        );
    });
}

fn unlocked(desk: &mut Desk, victim: Account) {
    let _span = desk.request_of(DESK_ADMIN).enter();
    info!(
        target: "audit",
        event_type = event_type::SECURITY_ACCOUNT_UNLOCKED,
        action = "unlock",
        status = "success",
        resource = format!("users/{}", victim.user_id),
        "Account unlocked"
    );
}

/// A trader asks for what only others may have.
pub(super) fn permission_denied(desk: &mut Desk, now: OffsetDateTime) {
    let who = desk.one_of(TRADERS);
    desk.as_person(who, now, |desk, request| {
        let _span = request.enter();
        warn!(
            target: "audit",
            event_type = event_type::AUTH_PERMISSION_DENIED,
            action = "read",
            status = "denied",
            resource = desk.one_of(["reports/risk", "users", "limits", "books/other-desk"]),
            duration_us = desk.took(),
            data_classification = "confidential",
            required_role = "risk-officer",
            "Access denied"
        );
    });
}

/// A program asks too often.
pub(super) fn rate_limited(desk: &mut Desk, now: OffsetDateTime) {
    let client = desk.one_of(CLIENTS);
    let times = desk.random.i64(1..4);
    refuse(desk, client);
    for again in 1..times {
        let millis = again * 250;
        desk.soon(now, millis..millis + 200, move |desk, _| refuse(desk, client));
    }
}

fn refuse(desk: &mut Desk, client: Account) {
    let _span = desk.request_of(client).enter();
    warn!(
        target: "audit",
        event_type = event_type::SECURITY_RATE_LIMITED,
        action = "GET",
        status = "denied",
        resource = "/v1/quotes",
        http.status = 429,
        allowed = 100,
        window_seconds = 60,
        "Rate limit exceeded"
    );
}
