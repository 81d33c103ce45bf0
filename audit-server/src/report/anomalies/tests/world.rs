//! A house with people, agents and clocks, from a seed: what its trail says when nothing happens.

use crate::{
    fact::{
        Amount, Entry, Fact, Facts, Fold, Kind, KindId, Legend, Names, Origin, Texts, ValueId,
        ValueKind, WordId,
    },
    filter::TimeRange,
    report::{Header, Retention, Window},
};

pub(super) const SECOND: i64 = 1_000_000;
pub(super) const HOUR: i64 = 3_600 * SECOND;
pub(super) const DAY: i64 = 24 * HOUR;
/// A Saturday, at some time of day: windows end whenever they are asked for.
pub(super) const NOW: i64 = 20_700 * DAY + 15 * HOUR + 17 * 60 * SECOND;
pub(super) const DAYS: i64 = 91;
pub(super) const WINDOW_FROM: i64 = NOW - 7 * DAY + 1;

/// How large the house is.
#[derive(Debug, Clone, Copy)]
pub(super) struct Size {
    pub(super) users: u32,
    /// How many sessions in a thousand the busiest user has on a working day.
    pub(super) busiest: u64,
    /// One session in so many comes from a new address; with 0 all have one address for ever.
    pub(super) new_address: u64,
}

pub(super) const SMALL: Size = Size { users: 400, busiest: 5000, new_address: 150 };

/// A record, as it was made.
#[derive(Debug, Clone)]
pub(super) struct Record {
    pub(super) at: i64,
    pub(super) event_type: &'static str,
    pub(super) status: &'static str,
    pub(super) user: u32,
    pub(super) address: u32,
    pub(super) resource: &'static str,
    /// The agent, and an amount in cents.
    pub(super) money: Option<(&'static str, i64)>,
}

/// Someone who works there.
#[derive(Debug, Clone)]
pub(super) struct Person {
    pub(super) number: u32,
    /// Hours ahead of UTC.
    pub(super) zone: i64,
    /// Sessions in a thousand working days.
    pub(super) rate: u64,
    pub(super) homes: Vec<u32>,
    weekends: bool,
    pub(super) nights: bool,
    pub(super) is_admin: bool,
    pays: bool,
    /// What a payment is about, in cents.
    usual_amount: f64,
}

const AGENTS: [(&str, f64); 4] = [("alpha", 8.0), ("beta", 12.0), ("gamma", 5.0), ("delta", 3.0)];
const PLACES: [&str; 6] =
    ["/accounts/*", "/orders/*", "/customers/*", "/reports/*", "/quotes/*", "/cards/*"];
pub(super) const ADMINS: u32 = 8;

/// The house.
#[derive(Debug)]
pub(super) struct World {
    pub(super) chance: fastrand::Rng,
    pub(super) people: Vec<Person>,
    pub(super) records: Vec<Record>,
    addresses: u32,
    size: Size,
}

impl World {
    /// Ninety-one days in which nothing happens.
    pub(super) fn quiet(seed: u64, size: Size) -> Self {
        let chance = fastrand::Rng::with_seed(seed);
        let mut world =
            Self { chance, people: Vec::new(), records: Vec::new(), addresses: 0, size };
        for number in 1..=size.users {
            let person = world.person(number);
            world.people.push(person);
        }
        for day in 0..DAYS {
            for at in 0..world.people.len() {
                world.day_of(at, NOW - (DAYS - day) * DAY);
            }
        }
        world.clocks();
        world
    }

    fn person(&mut self, number: u32) -> Person {
        let chance = &mut self.chance;
        let zone = [-8, -5, -5, 0, 0, 1, 1, 1, 2, 8, 9][chance.usize(0..11)];
        let homes = chance.u32(1..4);
        let is_admin = number <= ADMINS;
        let rate = self.size.busiest * 20 / (u64::from(number) + 19);
        let person = Person {
            number,
            zone,
            rate: rate.max(150),
            homes: Vec::new(),
            weekends: chance.u32(0..20) == 0,
            nights: chance.u32(0..25) == 0,
            is_admin,
            pays: chance.u32(0..4) > 0,
            usual_amount: 3000.0 * (chance.f64() * 3.0).exp(),
        };
        let homes = if self.size.new_address == 0 { 1 } else { homes };
        let homes = (0..homes).map(|_| self.new_address()).collect();
        Person { homes, ..person }
    }

    pub(super) fn new_address(&mut self) -> u32 {
        self.addresses += 1;
        self.addresses
    }

    /// A day of 24 hours that begins at that moment, of a person.
    fn day_of(&mut self, at: usize, from: i64) {
        let person = self.people[at].clone();
        let mut sessions = person.rate / 1000;
        sessions += u64::from(self.chance.u64(0..1000) < person.rate % 1000);
        // Some days are busier.
        let more = (0..sessions).filter(|_| self.chance.u32(0..6) == 0).count();
        sessions += more as u64;
        for _ in 0..sessions {
            let local = from + self.chance.i64(0..DAY) + person.zone * HOUR;
            // The epoch was a Thursday.
            let weekend = (local.div_euclid(DAY) + 3).rem_euclid(7) > 4;
            if weekend && !(person.weekends || self.chance.u32(0..200) == 0) {
                continue;
            }
            let noon = local.div_euclid(DAY) * DAY + 13 * HOUR + HOUR / 2;
            let nightly = if person.nights { 12 } else { 400 };
            let about = if self.chance.u32(0..nightly) == 0 { 11 * HOUR } else { 0 };
            let moment = noon + about + self.chance.i64(-5 * HOUR..5 * HOUR) - person.zone * HOUR;
            self.session(at, moment);
        }
    }

    /// A session of some requests, from one of the person's addresses.
    fn session(&mut self, at: usize, from: i64) {
        if self.size.new_address > 0 && self.chance.u64(0..self.size.new_address) == 0 {
            let address = self.new_address();
            self.people[at].homes.push(address);
        }
        let person = self.people[at].clone();
        let home =
            if self.chance.u32(0..10) < 7 { 0 } else { self.chance.usize(..person.homes.len()) };
        let record = Record {
            at: from,
            event_type: "auth.login",
            status: "success",
            user: person.number,
            address: person.homes[home],
            resource: "",
            money: None,
        };
        while self.chance.u32(0..30) == 0 {
            self.push(Record { event_type: "auth.failed", status: "failure", ..record.clone() });
        }
        self.push(record.clone());
        let mut moment = from;
        for _ in 0..self.chance.u32(2..9) + self.chance.u32(0..5) {
            moment += self.pause(4 * 60 * SECOND);
            let resource = PLACES[self.chance.usize(..PLACES.len())];
            let mut request = Record { at: moment, resource, ..record.clone() };
            request.event_type = match self.chance.u32(0..100) {
                0..55 => "data.read",
                55..75 => "data.access",
                75..90 => "data.update",
                90..96 => "data.create",
                96..98 => "data.export",
                _ => "data.delete",
            };
            if self.chance.u32(0..22) == 0 {
                (request.event_type, request.status) = ("auth.permission_denied", "denied");
            } else if self.chance.u32(0..250) == 0 {
                (request.event_type, request.status) = ("api.error", "error");
            }
            self.push(request);
        }
        if person.is_admin && self.chance.u32(0..2) == 0 {
            let event_type =
                ["admin.role_changed", "admin.config_changed"][self.chance.usize(0..2)];
            let resource = ["/admin/*", "/vault/*"][self.chance.usize(0..2)];
            self.push(Record { at: moment, event_type, resource, ..record.clone() });
        }
        if person.pays && self.chance.u32(0..3) > 0 {
            let cents = self.log_normal(person.usual_amount, 0.9) as i64 + 1;
            let failed = self.chance.u32(0..50) == 0;
            let event_type = ["financial.transfer", "financial.deposit"]
                [usize::from(self.chance.u32(0..3) == 0)];
            self.push(Record {
                at: moment + SECOND,
                event_type,
                status: if failed { "failure" } else { "success" },
                resource: "/accounts/*",
                money: Some(("", cents)),
                ..record.clone()
            });
        }
        if self.chance.u32(0..3) > 0 {
            self.push(Record { at: moment + 60 * SECOND, event_type: "auth.logout", ..record });
        }
    }

    /// What runs by itself: agents, heartbeats, jobs, faults.
    fn clocks(&mut self) {
        let begin = NOW - DAYS * DAY + 1;
        for (agent, each_hour) in AGENTS {
            let mut at = begin;
            while at <= NOW {
                at += self.pause((HOUR as f64 / each_hour) as i64);
                let cents = self.log_normal(200_000.0 * each_hour, 1.0) as i64 + 1;
                let money = Some((agent, cents));
                self.push(Record { money, ..of_machine(at, "trade.decision") });
                if self.chance.u32(0..10) > 0 {
                    self.push(Record { money, ..of_machine(at + SECOND, "trade.executed") });
                }
            }
        }
        let mut at = begin;
        while at <= NOW {
            self.push(of_machine(at, "system.heartbeat"));
            at += 10 * 60 * SECOND + self.chance.i64(0..9000);
        }
        let mut night = begin.div_euclid(DAY) * DAY + 2 * HOUR;
        while night <= NOW {
            for _ in 0..4 {
                let at = night + self.chance.i64(0..20 * 60 * SECOND);
                self.push(of_machine(at, "system.backup"));
            }
            night += DAY;
        }
        for (event_type, each) in [
            ("error.exception", HOUR),
            ("security.rate_limited", 5 * HOUR),
            ("security.alert", 6 * DAY),
        ] {
            let mut at = begin;
            while at <= NOW {
                at += self.pause(each);
                // Faults come in company.
                for number in 0..=self.chance.i64(0..3) {
                    let status = if event_type == "security.alert" { "" } else { "error" };
                    let at = at + number * SECOND;
                    self.push(Record { status, ..of_machine(at, event_type) });
                }
            }
        }
    }

    /// Exponential, as the time between two callers is.
    pub(super) fn pause(&mut self, mean: i64) -> i64 {
        (-(1.0 - self.chance.f64()).ln() * mean as f64) as i64 + 1
    }

    fn log_normal(&mut self, median: f64, sigma: f64) -> f64 {
        let (radius, angle) = (1.0 - self.chance.f64(), self.chance.f64());
        let normal = (-2.0 * radius.ln()).sqrt() * (std::f64::consts::TAU * angle).cos();
        median * (sigma * normal).exp()
    }

    pub(super) fn push(&mut self, record: Record) {
        if (NOW - DAYS * DAY < record.at) && record.at <= NOW {
            self.records.push(record);
        }
    }

    /// What was recorded, as facts.
    pub(super) fn trail(self) -> Trail {
        self.trail_with(Legend::default())
    }

    /// The same, with numbers that are known already.
    pub(super) fn trail_with(mut self, mut legend: Legend) -> Trail {
        self.records.sort_by_key(|record| record.at);
        let (mut facts, mut entries) = (Vec::new(), Vec::new());
        let mut kinds: std::collections::HashMap<(&str, &str), KindId> = Default::default();
        for (record, place) in self.records.iter().zip(0..) {
            let kind = *kinds.entry((record.event_type, record.status)).or_insert_with(|| {
                legend.kind_number(&Kind {
                    event_type: record.event_type.into(),
                    status: record.status.into(),
                    severity: "info".into(),
                })
            });
            let entry = record.money.map_or(0, |(agent, cents)| {
                entries.push(Entry {
                    agent: legend.word_number(agent),
                    currency: legend.word_number("EUR"),
                    amount: Some(Amount::new(cents.into(), 2)),
                    ..Entry::default()
                });
                entries.len() as u32
            });
            facts.push(Fact {
                at: record.at,
                kind,
                user: ValueId(record.user),
                address: ValueId(record.address),
                resource: legend.class_number(record.resource),
                entry,
                place,
            });
        }
        Trail { facts, entries, legend }
    }
}

pub(super) fn of_machine(at: i64, event_type: &'static str) -> Record {
    let status = "success";
    Record { at, event_type, status, user: 0, address: 0, resource: "", money: None }
}

/// Facts of a world.
#[derive(Debug)]
pub(super) struct Trail {
    pub(super) facts: Vec<Fact>,
    entries: Vec<Entry>,
    pub(super) legend: Legend,
}

impl Trail {
    pub(super) fn fold(&self, size: usize, backwards: bool, fold: &mut dyn Fold) {
        let mut calls: Vec<_> = self.facts.chunks(size).collect();
        if backwards {
            calls.reverse();
        }
        for rows in calls {
            let (entries, legend) = (&self.entries[..], &self.legend);
            let (names, base) = (Names::default(), Origin::Row(0));
            fold.take(&Facts { rows, entries, names, legend, base, origins: &[] });
        }
    }
}

/// Users and addresses are called by their numbers.
pub(super) struct Numbers<'l>(pub(super) &'l Legend);

impl Texts for Numbers<'_> {
    fn value(&mut self, kind: ValueKind, value: ValueId) -> Box<str> {
        let letter = if kind == ValueKind::User { 'u' } else { 'a' };
        format!("{letter}{}", value.0).into()
    }

    fn word(&mut self, word: WordId) -> Box<str> {
        self.0.word(word).into()
    }

    fn id(&mut self, _: Origin) -> Box<str> {
        "".into()
    }
}

pub(super) fn window() -> TimeRange {
    TimeRange { from: WINDOW_FROM, to: NOW }
}

pub(super) fn header() -> Header {
    Header {
        report: "anomalies".to_owned(),
        generated_at: String::new(),
        window: Window { from: String::new(), to: String::new(), days: 7 },
        records: 0,
        damaged: 0,
        retention: Retention::default(),
    }
}
