//! What runs the house: heartbeats, faults, incidents, and the few who may change things.

use audit_layer::record::{Member, Severity};

use super::{
    STREAMS,
    days::Days,
    event::{Detail, Event},
    expected::Fact,
    words,
    world::{LEDGER, PORTAL, TRADER, address},
};

/// How many of the users administer.
const ADMINISTRATORS: u64 = 12;

impl Days {
    pub(crate) fn heartbeats(&mut self, at: i64) {
        for stream in 0..STREAMS.len() {
            let waiting = self.chance.about(40);
            // Each process has a minute of its own.
            let at = at + 7_310_000 * i64::try_from(stream).unwrap_or(0);
            let event = Event::new(stream, at, "system.heartbeat");
            self.happens(event.detail("waiting", Detail::Number(waiting)));
        }
    }

    /// Something broke.
    pub(crate) fn exception(&mut self, at: i64) {
        let stream = self.chance.pick(&[PORTAL, PORTAL, TRADER, LEDGER]);
        let grave = if self.chance.once_in(12) { Severity::Critical } else { Severity::Error };
        let request = self.token("r-");
        let exception = self.chance.pick(words::EXCEPTIONS);
        let reason = self.chance.pick(words::FAULTS);
        let attempts = self.chance.between(1, 6).to_string();
        let event = Event::new(stream, at, "error.exception").status("error").graver(grave);
        let event = event.text(Member::RequestId, request).detail("exception", exception);
        self.happens(event.detail("reason", reason).detail("attempts", attempts));
    }

    /// Someone is stopped at the door.
    pub(crate) fn incident(&mut self, at: i64) {
        let mut caller = self.caller(at);
        let route =
            self.chance.pick(&["GET /quotes", "POST /orders", "GET /reports", "POST /login"]);
        let event = match self.chance.below(10) {
            0..5 => {
                let limited = caller.event(at, "security.rate_limited").status("denied");
                limited.graver(Severity::Warning)
            }
            5..8 => {
                caller.address = address(&mut self.chance).into();
                let event = caller.event(at, "security.ip_whitelist_violation").status("denied");
                event.graver(Severity::Error)
            }
            8 => {
                let locked = caller.event(at, "security.account_locked").status("success");
                locked.graver(Severity::Error)
            }
            _ => caller.event(at, "security.alert").graver(Severity::Critical),
        };
        self.happens(event.detail("route", route));
        if self.chance.once_in(3) {
            let resource = format!("/admin/{}", self.world.item(&mut self.chance));
            let fact = Fact::Denied { user: caller.user_id.clone() };
            let event = caller.event(at + 700_000, "auth.permission_denied").status("denied");
            let event = event.text(Member::Resource, resource).detail("permission", "configure");
            self.happens(event.detail("policy", "four-eyes").graver(Severity::Warning).fact(fact));
        }
    }

    /// One of the few changes something.
    pub(crate) fn administration(&mut self, at: i64) {
        let mut caller = self.caller(at);
        let who = usize::try_from(self.chance.below(ADMINISTRATORS)).unwrap_or(0);
        if let Some(user) = self.world.users.get(who) {
            caller.is(user);
        }
        let target = self.world.someone(&mut self.chance, at);
        let target = self.world.users[target].name.clone();
        let setting = self.chance.pick(words::SETTINGS);
        let role = self.chance.pick(&["reader", "clerk", "trader", "auditor", "administrator"]);
        let event = match self.chance.below(10) {
            0..3 => caller.event(at, "admin.action"),
            3..5 => {
                caller.event(at, "admin.role_changed").detail("target", target).detail("role", role)
            }
            5..8 => caller.event(at, "admin.config_changed").detail("setting", setting),
            8 => caller.event(at, "admin.user_created").detail("target", target),
            _ => {
                let event = Event::new(LEDGER, at, "system.config").detail("setting", setting);
                return self.happens(event.status("success"));
            }
        };
        self.happens(event.status("success").flag("SOX", Detail::Flag(true)));
    }
}
