//! People: signing in, asking for things, being refused.

use audit_layer::record::{Member, Severity};

use super::{
    days::{Days, MINUTE, SECOND},
    event::{Event, Text},
    expected::Fact,
    words,
    world::{PORTAL, TRADER, User},
};

/// What all records of a request have in common.
#[derive(Debug, Clone)]
pub(crate) struct Caller {
    pub(crate) user_id: Text,
    username: Text,
    pub(crate) address: Text,
    session: Option<Text>,
    tenant: Option<&'static str>,
    request: Text,
    trace: Option<Text>,
}

impl Caller {
    pub(crate) fn event(&self, at: i64, event_type: &'static str) -> Event {
        let mut event = Event::new(PORTAL, at, event_type)
            .text(Member::UserId, self.user_id.clone())
            .text(Member::RequestId, self.request.clone());
        let category = event.category();
        // What checks and what works on data is far from the door, and what answers knows no session.
        let (door, check) = (category != "data", event_type.starts_with("auth.permission"));
        if door && !check {
            event.set(Member::IpAddress, self.address.clone());
        }
        if let Some(session) = self.session.clone().filter(|_| category != "api" && !check) {
            event.set(Member::SessionId, session);
        }
        if let Some(trace) = &self.trace {
            event.set(Member::TraceId, trace.clone());
        }
        // A name stands where people look for people.
        if category == "admin" || matches!(event_type, "auth.login" | "auth.failed" | "auth.logout")
        {
            event.set(Member::Username, self.username.clone());
        }
        match self.tenant.filter(|_| door) {
            Some(tenant) => event.text(Member::Tenant, tenant),
            None => event,
        }
    }

    /// Makes it another's request.
    pub(crate) fn is(&mut self, user: &User) {
        self.user_id = user.id.clone().into();
        self.username = user.name.clone().into();
        self.tenant = user.tenant;
    }
}

impl Days {
    /// A user, somewhere, with a first request.
    pub(crate) fn caller(&mut self, at: i64) -> Caller {
        let place = self.world.someone(&mut self.chance, at);
        let address = self.world.address(&mut self.chance, place);
        let (user_id, username, tenant) = {
            let user = &self.world.users[place];
            (user.id.clone().into(), user.name.clone().into(), user.tenant)
        };
        let mut caller = Caller {
            user_id,
            username,
            address,
            session: None,
            tenant,
            request: "".into(),
            trace: None,
        };
        self.again(&mut caller);
        caller
    }

    /// Gives the caller the identifiers of another request. One in eight is traced.
    pub(crate) fn again(&mut self, caller: &mut Caller) {
        caller.request = self.token("r-").into();
        let traced = self.chance.once_in(8);
        caller.trace = traced.then(|| {
            let (high, low) = (self.chance.bits(), self.chance.bits());
            format!("{high:016x}{low:016x}").into()
        });
    }

    /// Someone signs in, works for a while, and mostly signs out.
    pub(crate) fn session(&mut self, at: i64) {
        let mut caller = self.caller(at);
        let mut at = at;
        // Of the sign-ins about three in a hundred fail.
        while self.chance.permille(30) {
            let reason = self.chance.pick(words::LOGIN_FAILURES);
            self.failed_login(&caller, at, reason, None);
            at += 4 * SECOND + self.chance.about(8 * SECOND);
            self.again(&mut caller);
            if self.chance.once_in(8) {
                return;
            }
        }
        caller.session = Some(self.token("s-").into());
        let method = self.chance.pick(&["password", "password", "passkey", "sso", "certificate"]);
        let took = self.chance.about(90_000);
        self.happens(
            caller.event(at, "auth.login").status("success").took(took).detail("method", method),
        );
        if method == "password" && self.chance.permille(600) {
            let factor = self.chance.pick(&["totp", "push", "sms"]);
            self.happens(
                caller.event(at + 1_500, "auth.mfa").status("success").detail("method", factor),
            );
        }
        let scope = self.chance.pick(&["portal", "reports", "trading", "archive"]);
        let token = caller.event(at + 2_100, "auth.token_issued").status("success");
        self.happens(
            token.detail("scope", scope).detail("expires_in", super::Detail::Number(3600)),
        );
        if self.chance.once_in(300) {
            self.happens(caller.event(at + 40 * SECOND, "auth.password_reset").status("success"));
        }
        let begun = at;
        for _ in 0..=self.chance.about(6).min(60) {
            at += 2 * SECOND + self.chance.about(3 * MINUTE);
            self.again(&mut caller);
            self.request(&caller, at);
            if at - begun > 55 * MINUTE && self.chance.once_in(20) {
                let again = caller.event(at + 500, "auth.token_refreshed").status("success");
                self.happens(again.detail("scope", scope));
            }
        }
        if self.chance.permille(650) {
            let at = at + self.chance.about(4 * MINUTE);
            let lasted = super::Detail::Number((at - begun) / SECOND);
            self.happens(
                caller.event(at, "auth.logout").status("success").detail("seconds", lasted),
            );
        } else if self.chance.once_in(15) {
            let reason = caller.event(at + MINUTE, "auth.token_revoked").status("success");
            self.happens(reason.detail("scope", scope));
        }
    }

    fn failed_login(
        &mut self,
        caller: &Caller,
        at: i64,
        reason: &'static str,
        episode: Option<u64>,
    ) {
        let took = self.chance.about(120_000);
        let (user, address) = (caller.user_id.clone(), caller.address.clone());
        let fact = Fact::FailedLogin { user, address, episode };
        let event = caller.event(at, "auth.failed").status("failure").took(took);
        self.happens(event.detail("reason", reason).graver(Severity::Warning).fact(fact));
    }

    /// Asks whether the caller may; tells the answer.
    pub(crate) fn may(&mut self, caller: &Caller, at: i64, resource: &Text) -> bool {
        let permission = self.chance.pick(words::PERMISSIONS);
        let denied = self.chance.permille(55);
        let event_type = if denied { "auth.permission_denied" } else { "auth.permission_granted" };
        let event = caller
            .event(at, event_type)
            .text(Member::Resource, resource.clone())
            .detail("permission", permission);
        let event = if denied {
            let policy = self.chance.pick(&["least-privilege", "four-eyes", "office-hours"]);
            let fact = Fact::Denied { user: caller.user_id.clone() };
            event.status("denied").graver(Severity::Warning).detail("policy", policy).fact(fact)
        } else {
            event.status("success")
        };
        self.happens(event);
        !denied
    }

    /// Someone tries one password after the other, from one address and for few names.
    pub(crate) fn guess_passwords(&mut self, at: i64) {
        let mut caller = self.caller(at);
        let episode = self.number();
        // Of a net in which nobody lives.
        caller.address = format!("192.168.{}.{}", episode / 254 % 256, episode % 254 + 1).into();
        let mut at = at;
        for tried in 0..40 + self.chance.below(160) {
            if tried % 50 == 49 {
                let locked = caller.event(at + 900, "security.account_locked").status("success");
                self.happens(locked.graver(Severity::Error));
                let next = self.caller(at);
                (caller.user_id, caller.username) = (next.user_id, next.username);
            }
            self.again(&mut caller);
            self.failed_login(&caller, at, "wrong password", Some(episode));
            at += 300_000 + self.chance.about(1_500_000);
        }
        let blocked = caller.event(at, "security.ip_blocked").status("success");
        self.happens(blocked.graver(Severity::Critical));
        let mut limited = caller.event(at + 9_000, "security.rate_limited").status("denied");
        limited.stream = TRADER;
        self.happens(limited.graver(Severity::Warning).detail("route", "POST /login"));
    }
}
