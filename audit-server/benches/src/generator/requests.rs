//! What people and machines ask the house for: data, mostly.

use audit_layer::record::{Member, Severity};

use super::{
    access::Caller,
    days::Days,
    event::{Detail, Event, Text},
    words,
};

/// What is asked for: the path, the classification of what is there, and the rule that it is under.
const PLACES: &[(&str, &str, Option<&str>)] = &[
    ("accounts", "confidential", Some("SOX")),
    ("accounts", "confidential", Some("SOX")),
    ("orders", "internal", None),
    ("orders", "internal", None),
    ("orders", "internal", None),
    ("customers", "confidential", Some("GDPR")),
    ("customers", "restricted", Some("GDPR")),
    ("cards", "restricted", Some("PCI-DSS")),
    ("claims/health", "restricted", Some("HIPAA")),
    ("reports", "internal", None),
    ("reports", "internal", None),
    ("quotes", "public", None),
];

impl Days {
    /// A request of a person: asked, checked, done, answered.
    pub(crate) fn request(&mut self, caller: &Caller, at: i64) {
        let (path, classification, rule) = self.chance.pick(PLACES);
        let resource: Text = format!("/{path}/{}", self.world.item(&mut self.chance)).into();
        let took = 800 + self.chance.about(45_000);
        let doing = self.chance.below(100);
        let (verb, event_type) = match doing {
            0..55 => ("GET", "data.read"),
            55..72 => ("GET", "data.access"),
            72..90 => ("PUT", "data.update"),
            90..95 => ("POST", "data.create"),
            95..98 => ("POST", "data.export"),
            _ => ("DELETE", "data.delete"),
        };
        self.asked(caller, at, verb, &resource);
        // Not everything is worth a check of its own.
        let checked = classification == "restricted" || self.chance.once_in(6);
        if checked && !self.may(caller, at + took / 5, &resource) {
            return self.answered(caller, at + took, verb, &resource, 403, took);
        }
        if self.chance.permille(4) {
            let reason = self.chance.pick(words::FAULTS);
            let event = caller.event(at + took, "api.error").status("error").took(took);
            let event = event.text(Member::Resource, resource).detail("reason", reason);
            return self.happens(event.graver(Severity::Error));
        }
        let mut event = caller
            .event(at + took / 2, event_type)
            .status("success")
            .text(Member::Resource, resource.clone())
            .text(Member::DataClassification, classification);
        event = self.of(event, event_type);
        event = match rule {
            Some("GDPR") => {
                let subject = format!("c-{}", self.world.item(&mut self.chance));
                event.flag("GDPR", Detail::Flag(true)).flag("data_subject", subject)
            }
            Some(rule) => event.flag(rule, Detail::Flag(true)),
            None => event,
        };
        self.happens(event);
        self.answered(caller, at + took, verb, &resource, 200, took);
    }

    /// What an event on data says more.
    fn of(&mut self, event: Event, event_type: &str) -> Event {
        match event_type {
            "data.update" => {
                let field =
                    self.chance.pick(&["address", "limit", "owner", "status", "phone", "note"]);
                event.detail("field", field)
            }
            "data.export" => {
                let format = self.chance.pick(&["csv", "xlsx", "pdf", "json"]);
                let rows = self.chance.about(4_000);
                event.detail("format", format).detail("rows", Detail::Number(rows))
            }
            "data.access" => {
                let found = self.chance.about(30);
                event.detail("found", Detail::Number(found))
            }
            _ => event,
        }
    }

    /// A request of another service, with a key and without a session.
    pub(crate) fn machine_call(&mut self, at: i64) {
        let caller = self.caller(at);
        let resource: Text = format!("/quotes/{}", self.world.symbol(&mut self.chance).name).into();
        let took = 300 + self.chance.about(6_000);
        self.asked(&caller, at, "GET", &resource);
        self.answered(&caller, at + took, "GET", &resource, 200, took);
    }

    /// One in three is also told of when it comes in.
    fn asked(&mut self, caller: &Caller, at: i64, verb: &'static str, resource: &Text) {
        if self.chance.once_in(3) {
            let event = caller.event(at, "api.request").text(Member::Resource, resource.clone());
            self.happens(event.detail("method", verb));
        }
    }

    fn answered(
        &mut self,
        caller: &Caller,
        at: i64,
        verb: &'static str,
        resource: &Text,
        code: i64,
        took: i64,
    ) {
        let slow = took > 300_000;
        let event = caller
            .event(at, "api.response")
            .status(if code < 400 { "success" } else { "failure" })
            .took(took)
            .detail("route", format!("{verb} {}", route(resource)))
            .detail("code", Detail::Number(code));
        self.happens(if slow { event.graver(Severity::Warning) } else { event });
    }
}

/// The path without what is different each time.
fn route(resource: &str) -> &str {
    resource.rsplit_once('/').map_or(resource, |(route, _)| route)
}
