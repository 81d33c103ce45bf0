//! What happens in a house now and then, and that a person would want to be told.

use super::world::{
    ADMINS, DAY, HOUR, NOW, Person, Record, SECOND, WINDOW_FROM, World, of_machine,
};
use crate::{
    filter::TimeRange,
    report::anomalies::{Anomaly, anomaly::AnomalyKind},
};

/// Something that happened.
#[derive(Debug)]
pub(super) struct Incident {
    pub(super) name: &'static str,
    pub(super) kind: AnomalyKind,
    range: TimeRange,
    users: Vec<u32>,
    agent: Option<&'static str>,
    addresses: Vec<u32>,
    types: Vec<&'static str>,
}

impl Incident {
    /// Whether an anomaly is about what happened, or follows from it: at that time, and about a user, an
    /// address or an event type that had a part in it.
    pub(super) fn explains(&self, anomaly: &Anomaly) -> bool {
        let at = |text: &str| audit_layer::record::parse_timestamp(text).unwrap();
        let (from, to) = (at(&anomaly.from), at(&anomaly.to));
        if to < self.range.from || from > self.range.to {
            return false;
        }
        let subject = &anomaly.subject;
        let of_user =
            subject.user_id.as_ref().map(|user| self.users.contains(&user[1..].parse().unwrap()));
        let of_address = subject
            .ip_address
            .as_ref()
            .map(|address| self.addresses.contains(&address[1..].parse().unwrap()));
        let of_type = subject.event_type.as_ref().map(|name| self.types.contains(&&**name));
        let of_category = subject
            .category
            .as_ref()
            .map(|name| self.types.iter().any(|of| of.split('.').next() == Some(name)));
        if let Some(of_user) = of_user {
            return of_user;
        }
        if let Some(agent) = &subject.agent {
            return self.agent == Some(agent);
        }
        // When all that speaks at night has stopped, the trail is silent.
        of_address.or(of_type).or(of_category).unwrap_or(self.kind == AnomalyKind::Silence)
    }

    /// Whether an anomaly says what happened.
    pub(super) fn is_told_by(&self, anomaly: &Anomaly) -> bool {
        anomaly.kind == self.kind && self.explains(anomaly)
    }
}

impl World {
    /// Lets one of each kind happen, at some time in the window.
    pub(super) fn incidents(&mut self) -> Vec<Incident> {
        vec![
            self.faults(),
            self.busy_user(),
            self.export(),
            self.refused_user(),
            self.guessed_passwords(),
            self.failing_transfers(),
            self.stopped_heart(),
            self.stopped_trade(),
            self.new_administrator(),
            self.new_resource(),
            self.new_addresses(),
            self.at_night(),
            self.large_payment(),
            self.large_trade(),
        ]
    }

    /// Those that need no crowd.
    pub(super) fn incidents_of_few(&mut self) {
        self.faults();
        self.guessed_passwords();
        self.stopped_heart();
        self.large_trade();
    }

    fn moment(&mut self, hours: i64) -> i64 {
        self.chance.i64(WINDOW_FROM..NOW - hours * HOUR)
    }

    /// Someone who is there often enough to have habits, and no administrator.
    fn someone(&mut self) -> Person {
        let at = self.chance.usize(ADMINS as usize..150);
        self.people[at].clone()
    }

    /// Eleven in the morning of a working day, where the person is.
    fn morning(&mut self, person: &Person) -> i64 {
        loop {
            let local = self.moment(30) + person.zone * HOUR;
            let day = local.div_euclid(DAY);
            let at = day * DAY + 11 * HOUR - person.zone * HOUR;
            if (day + 3).rem_euclid(7) < 5 && at > WINDOW_FROM {
                return at;
            }
        }
    }

    fn of_person(&self, person: &Person, at: i64, event_type: &'static str) -> Record {
        Record {
            user: person.number,
            address: person.homes[0],
            resource: "/accounts/*",
            ..of_machine(at, event_type)
        }
    }

    fn incident(
        name: &'static str,
        kind: AnomalyKind,
        (from, to): (i64, i64),
        types: &[&'static str],
    ) -> Incident {
        let range = TimeRange { from, to };
        Incident {
            name,
            kind,
            range,
            users: Vec::new(),
            agent: None,
            addresses: Vec::new(),
            types: types.to_vec(),
        }
    }

    fn faults(&mut self) -> Incident {
        let hours = self.chance.i64(1..4);
        let from = self.moment(hours);
        let each = self.chance.i64(25..80);
        for _ in 0..hours * each {
            let at = from + self.chance.i64(0..hours * HOUR);
            self.push(Record { status: "error", ..of_machine(at, "error.exception") });
        }
        let span = (from, from + hours * HOUR);
        Self::incident("faults", AnomalyKind::VolumeSpike, span, &["error.exception"])
    }

    fn busy_user(&mut self) -> Incident {
        let person = self.someone();
        let from = self.morning(&person);
        let types = [
            "data.read",
            "data.access",
            "data.update",
            "data.create",
            "data.delete",
            "data.export",
        ];
        for _ in 0..self.chance.u32(250..600) {
            let at = from + self.chance.i64(0..4 * HOUR);
            let event_type = types[self.chance.usize(..types.len())];
            self.push(self.of_person(&person, at, event_type));
        }
        let span = (from, from + 4 * HOUR);
        let incident = Self::incident("busy user", AnomalyKind::VolumeSpike, span, &types);
        Incident { users: vec![person.number], ..incident }
    }

    fn export(&mut self) -> Incident {
        let person = self.someone();
        let from = self.morning(&person);
        for _ in 0..self.chance.u32(40..120) {
            let at = from + self.chance.i64(0..3 * HOUR);
            self.push(self.of_person(&person, at, "data.export"));
        }
        let span = (from, from + 3 * HOUR);
        let incident = Self::incident("export", AnomalyKind::VolumeSpike, span, &["data.export"]);
        Incident { users: vec![person.number], ..incident }
    }

    fn refused_user(&mut self) -> Incident {
        let person = self.someone();
        let from = self.morning(&person);
        for _ in 0..self.chance.u32(25..80) {
            let at = from + self.chance.i64(0..3 * HOUR);
            let denied = self.of_person(&person, at, "auth.permission_denied");
            self.push(Record { status: "denied", ..denied });
        }
        let span = (from, from + 3 * HOUR);
        let types = ["auth.permission_denied"];
        let incident = Self::incident("refused user", AnomalyKind::FailureSpike, span, &types);
        Incident { users: vec![person.number], addresses: vec![person.homes[0]], ..incident }
    }

    fn guessed_passwords(&mut self) -> Incident {
        let address = self.new_address();
        let from = self.moment(3);
        // Nobody who is known: names that are tried.
        let names: Vec<u32> = (0..5).map(|_| 100_000 + self.chance.u32(0..1000)).collect();
        for _ in 0..self.chance.u32(40..200) {
            let at = from + self.chance.i64(0..2 * HOUR);
            let user = names[self.chance.usize(..names.len())];
            let failed = of_machine(at, "auth.failed");
            self.push(Record { user, address, status: "failure", ..failed });
        }
        let span = (from, from + 2 * HOUR);
        let types = ["auth.failed"];
        let incident = Self::incident("guessed passwords", AnomalyKind::FailureSpike, span, &types);
        Incident { addresses: vec![address], users: names, ..incident }
    }

    fn failing_transfers(&mut self) -> Incident {
        // While Europe is at work.
        let from = loop {
            let at = self.moment(6).div_euclid(DAY) * DAY + 9 * HOUR;
            if (at.div_euclid(DAY) + 3).rem_euclid(7) < 5 && at > WINDOW_FROM {
                break at;
            }
        };
        let to = from + self.chance.i64(4..7) * HOUR;
        let permille = self.chance.u32(600..1000);
        for record in &mut self.records {
            let fails =
                record.event_type == "financial.transfer" && (from..to).contains(&record.at);
            if fails && self.chance.u32(0..1000) < permille {
                record.status = "failure";
            }
        }
        let types = ["financial.transfer"];
        Self::incident("failing transfers", AnomalyKind::FailureSpike, (from, to), &types)
    }

    fn stopped_heart(&mut self) -> Incident {
        let from = self.moment(12);
        let to = from + self.chance.i64(5..11) * HOUR;
        self.records.retain(|record| {
            record.event_type != "system.heartbeat" || !(from..to).contains(&record.at)
        });
        let types = ["system.heartbeat"];
        Self::incident("stopped heart", AnomalyKind::Silence, (from, to), &types)
    }

    fn stopped_trade(&mut self) -> Incident {
        let from = self.moment(9);
        let to = from + self.chance.i64(3..8) * HOUR;
        self.records.retain(|record| {
            !record.event_type.starts_with("trade.") || !(from..to).contains(&record.at)
        });
        let types = ["trade.decision", "trade.executed"];
        Self::incident("stopped trade", AnomalyKind::Silence, (from, to), &types)
    }

    fn new_administrator(&mut self) -> Incident {
        let person = self.someone();
        let from = self.morning(&person);
        for _ in 0..self.chance.u32(1..5) {
            let at = from + self.chance.i64(0..HOUR);
            self.push(self.of_person(&person, at, "admin.role_changed"));
        }
        let span = (from, from + HOUR);
        let types = ["admin.role_changed"];
        let incident = Self::incident("new administrator", AnomalyKind::NewEventType, span, &types);
        Incident { users: vec![person.number], ..incident }
    }

    fn new_resource(&mut self) -> Incident {
        let person = self.someone();
        let from = self.morning(&person);
        for _ in 0..self.chance.u32(1..5) {
            let at = from + self.chance.i64(0..HOUR);
            let read = self.of_person(&person, at, "data.read");
            self.push(Record { resource: "/vault/*", ..read });
        }
        let span = (from, from + HOUR);
        let incident =
            Self::incident("new resource", AnomalyKind::NewResource, span, &["data.read"]);
        Incident { users: vec![person.number], ..incident }
    }

    fn new_addresses(&mut self) -> Incident {
        let person = self.someone();
        let from = self.morning(&person);
        let count = self.chance.u32(4..9);
        let addresses: Vec<u32> = (0..count).map(|_| self.new_address()).collect();
        for address in &addresses {
            let at = from + self.chance.i64(0..5 * HOUR);
            let login = self.of_person(&person, at, "auth.login");
            self.push(Record { address: *address, resource: "", ..login });
        }
        let span = (from, from + 5 * HOUR);
        let incident =
            Self::incident("new addresses", AnomalyKind::NewAddress, span, &["auth.login"]);
        Incident { users: vec![person.number], addresses, ..incident }
    }

    fn at_night(&mut self) -> Incident {
        let person = loop {
            let person = self.someone();
            if !person.nights {
                break person;
            }
        };
        // One in the night that follows.
        let from = self.morning(&person) + 14 * HOUR;
        let hours = self.chance.i64(4..7);
        for _ in 0..self.chance.i64(5..12) * hours {
            let at = from + self.chance.i64(0..hours * HOUR);
            self.push(self.of_person(&person, at, "data.read"));
        }
        let span = (from, from + hours * HOUR);
        let incident = Self::incident("at night", AnomalyKind::UnusualHours, span, &["data.read"]);
        Incident { users: vec![person.number], ..incident }
    }

    fn large_payment(&mut self) -> Incident {
        let payer = loop {
            let person = self.someone();
            if self
                .records
                .iter()
                .filter(|record| record.user == person.number && record.money.is_some())
                .count()
                > 25
            {
                break person;
            }
        };
        let at = self.morning(&payer) + self.chance.i64(0..HOUR);
        let mut paid: Vec<i64> = self
            .records
            .iter()
            .filter(|record| record.user == payer.number)
            .filter_map(|record| record.money.map(|(_, cents)| cents))
            .collect();
        paid.sort_unstable();
        let cents = paid[paid.len() / 2] * self.chance.i64(150..2000);
        let payment = self.of_person(&payer, at, "financial.transfer");
        self.push(Record { money: Some(("", cents)), ..payment });
        let span = (at, at + SECOND);
        let types = ["financial.transfer"];
        let incident = Self::incident("large payment", AnomalyKind::UnusualAmount, span, &types);
        Incident { users: vec![payer.number], ..incident }
    }

    fn large_trade(&mut self) -> Incident {
        let at = self.moment(1);
        let cents = 2_000_000 * self.chance.i64(300..3000);
        self.push(Record { money: Some(("beta", cents)), ..of_machine(at, "trade.executed") });
        let types = ["trade.executed", "trade.decision"];
        let span = (at, at + SECOND);
        let incident = Self::incident("large trade", AnomalyKind::UnusualAmount, span, &types);
        Incident { agent: Some("beta"), ..incident }
    }
}
