//! The catalogue and its evaluation, against trails that have all of it but one thing.
#![allow(clippy::unwrap_used)]

mod defects;
mod trail;

use std::{
    cell::{Cell, RefCell},
    collections::BTreeMap,
};

use audit_layer::record::{Record, format_timestamp};
use serde_json::{Map, Value, json};

use super::{
    ChainVerdict, Compliance, ControlState, Evidence, Regulation, State, compliance, days::DAY,
};
use crate::{
    Error,
    filter::{Filter, TimeRange},
    query::{Query, View},
    report::{Block, Header, Retention, Tone, Window},
    store::Table,
};

/// 2026-09-21T14:13:20Z
const NOW: i64 = 1_790_000_000_000_000;
const WINDOW_DAYS: u32 = 3;
const MINUTE: i64 = 60_000_000;

/// Lines in no order, and what is known of them beside.
struct Trail {
    lines: Vec<(i64, String)>,
    chain: ChainVerdict,
    header: Header,
    range: TimeRange,
}

fn window() -> (Window, TimeRange) {
    Window::before(NOW, WINDOW_DAYS)
}

impl Trail {
    /// A trail without records, of which nothing is known.
    fn empty() -> Self {
        let (window, range) = window();
        let header = Header {
            report: "compliance".to_owned(),
            generated_at: format_timestamp(NOW),
            window,
            records: 0,
            damaged: 0,
            retention: Retention::default(),
        };
        Self { lines: Vec::new(), chain: ChainVerdict::default(), header, range }
    }

    /// A trail that lacks nothing.
    fn whole() -> Self {
        let mut trail = Self::empty();
        trail.chain = ChainVerdict {
            intact: Some(true),
            checked: 1_000,
            sentence: "all of 1000 records are as they were written".to_owned(),
            ..ChainVerdict::default()
        };
        trail.goes_back_to(NOW - 8 * 366 * DAY);
        for day in 0..=i64::from(WINDOW_DAYS) {
            let at = NOW - day * DAY;
            trail.push(at - MINUTE, "system.heartbeat", json!({"status": "success"}));
            for (event_type, members) in everything() {
                trail.push(at - 2 * MINUTE, event_type, members);
            }
        }
        trail
    }

    /// Adds a record of that time, with these members beside those that all have. `null` takes one
    /// away.
    fn push(&mut self, at: i64, event_type: &str, mut members: Value) {
        let number = self.lines.len() + 1;
        let mut all = json!({
            "v": 1, "id": format!("id-{number}"), "stream": "shop@h~aaaaaa", "seq": number,
            "timestamp": format_timestamp(at), "level": "INFO", "logger": "audit",
            "category": event_type.split('.').next(), "event_type": event_type,
            "severity": "info", "prev_hash": "0", "hash": "0",
        });
        let object: &mut Map<String, Value> = all.as_object_mut().unwrap();
        object.append(members.as_object_mut().unwrap());
        object.retain(|_, value| !value.is_null());
        self.lines.push((at, all.to_string()));
    }

    /// Adds one as a person causes it, with these members beside.
    fn act(&mut self, event_type: &str, mut members: Value) {
        let mut all = person();
        all.as_object_mut().unwrap().append(members.as_object_mut().unwrap());
        self.push(NOW - 3 * MINUTE, event_type, all);
    }

    /// Has records since then, and none before: in each month before the window one.
    fn goes_back_to(&mut self, first: i64) {
        self.without(|at, _| at < NOW - 4 * DAY);
        let mut at = first;
        while at < NOW - 4 * DAY {
            self.push(at, "system.heartbeat", json!({"status": "success"}));
            at += 30 * DAY;
        }
        self.header.retention.first_record = Some(format_timestamp(first));
    }

    /// Takes away the records for which this holds.
    fn without(&mut self, gone: impl Fn(i64, &Record<'_>) -> bool) {
        self.lines.retain(|(at, line)| !gone(*at, &Record::parse(line).unwrap()));
    }

    fn report(&self) -> Compliance {
        let naive = Naive::of(&self.lines, self.chain.clone());
        compliance(&Regulation::ALL, self.header.clone(), self.range, &naive).unwrap()
    }
}

/// Who acts, from where, upon what, and with which outcome.
fn person() -> Value {
    json!({
        "user_id": "u-1", "username": "ann", "ip_address": "10.0.0.1", "status": "success",
        "resource": "things/1",
    })
}

/// A record of each kind that any control looks for, with all that is required of it.
fn everything() -> Vec<(&'static str, Value)> {
    let with = |mut more: Value| {
        let mut all = person();
        all.as_object_mut().unwrap().append(more.as_object_mut().unwrap());
        all
    };
    let flags = json!({"PCI": true, "GDPR": true, "HIPAA": true, "data_subject": "s-1"});
    vec![
        ("auth.login", person()),
        ("auth.failed", json!({"username": "bob", "ip_address": "10.0.0.2", "status": "failure"})),
        ("auth.password_reset", person()),
        ("security.account_locked", with(json!({"severity": "warning"}))),
        ("admin.config_changed", person()),
        ("admin.user_created", person()),
        ("data.access", with(json!({"resource": "audit_logs"}))),
        (
            "data.read",
            with(json!({"data_classification": "restricted", "regulatory_flags": flags})),
        ),
        (
            "financial.transfer",
            with(json!({"correlation_id": "c-1", "details": {"amount": "10.00"}})),
        ),
        ("trade.executed", with(json!({"correlation_id": "c-2", "details": {"symbol": "ACME"}}))),
        ("system.startup", json!({"status": "success"})),
    ]
}

/// Looks at every line, every time.
struct Naive {
    records: Vec<(i64, &'static str, Record<'static>)>,
    chain: ChainVerdict,
    /// How often it was asked for each count and range.
    asked: RefCell<BTreeMap<(Filter, TimeRange), u32>>,
    sampled: Cell<u32>,
}

impl Naive {
    fn of(lines: &[(i64, String)], chain: ChainVerdict) -> Self {
        let mut records: Vec<_> = lines
            .iter()
            .map(|(at, line)| {
                let line: &'static str = line.clone().leak();
                (*at, line, Record::parse(line).unwrap())
            })
            .collect();
        // Newest first, as the database has them that took them in as they stand here.
        records.reverse();
        records.sort_by_key(|(at, ..)| std::cmp::Reverse(*at));
        Self { records, chain, asked: RefCell::default(), sampled: Cell::default() }
    }

    fn matching(&self, filter: &Filter, range: TimeRange) -> impl Iterator<Item = &'static str> {
        self.records
            .iter()
            .filter(move |(at, ..)| range.contains(*at))
            .filter(|(.., record)| filter.matches(record))
            .map(|(_, line, _)| *line)
    }
}

impl Evidence for Naive {
    fn count(&self, filter: &Filter, range: TimeRange) -> Result<u64, Error> {
        *self.asked.borrow_mut().entry((filter.clone(), range)).or_default() += 1;
        Ok(self.matching(filter, range).count() as u64)
    }

    fn newest(
        &self,
        filter: &Filter,
        range: TimeRange,
        most: usize,
    ) -> Result<Vec<Box<str>>, Error> {
        self.sampled.set(self.sampled.get() + 1);
        Ok(self.matching(filter, range).take(most).map(Box::from).collect())
    }

    fn chain(&self) -> ChainVerdict {
        self.chain.clone()
    }
}

fn controls(report: &Compliance) -> impl Iterator<Item = (Regulation, &ControlState)> {
    let of = |state: &'_ super::RegulationState| state.regulation;
    report
        .regulations
        .iter()
        .flat_map(move |state| state.controls.iter().map(move |control| (of(state), control)))
}

fn find<'r>(report: &'r Compliance, id: &str) -> &'r ControlState {
    controls(report).find(|(_, control)| control.id == id).unwrap().1
}

#[test]
fn without_records_there_is_no_data_for_any_control_whatever_else_is_known() {
    let mut trail = Trail::empty();
    for known in [false, true] {
        if known {
            let whole = Trail::whole();
            (trail.chain, trail.header) = (whole.chain, whole.header);
        }
        let report = trail.report();
        for (regulation, control) in controls(&report) {
            assert_eq!(control.state, State::NoData, "{regulation:?} {}", control.id);
            assert!(control.records == 0 && control.samples.is_empty());
        }
        assert_eq!(report.days.without_records.len(), WINDOW_DAYS as usize);
        assert_eq!(report.days.without_heartbeat, report.days.without_records);
    }
}

#[test]
fn a_trail_that_lacks_nothing_meets_every_control_with_its_newest_records() {
    let trail = Trail::whole();
    let report = trail.report();
    for (regulation, control) in controls(&report) {
        let why = &control.reason;
        assert_eq!(control.state, State::Met, "{regulation:?} {}: {why}", control.id);
        assert!(control.records > 0 && (1..=3).contains(&control.samples.len()));
    }
    assert!(report.lacking.is_empty() && report.days.without_records.is_empty());
    assert!(report.lost.events_complete && report.lost.records == 0);
    let refused = find(&report, "10.2.1.4");
    // A day each; the oldest of the four began before the window.
    assert_eq!((refused.records, refused.samples.len()), (3, 3));
    let ids = trail.lines.iter().map(|(at, line)| (*at, Record::parse(line).unwrap()));
    let mut failed: Vec<_> = ids.filter(|(_, record)| record.event_type == "auth.failed").collect();
    failed.sort_by_key(|(at, _)| std::cmp::Reverse(*at));
    let ids: Vec<_> = failed.iter().take(3).map(|(_, record)| &*record.id).collect();
    assert_eq!(refused.samples, ids);
}

#[test]
fn a_control_whose_evidence_is_taken_away_is_never_met() {
    for (_, control) in controls(&Trail::whole().report()) {
        let evidence = crate::filter::expression(&control.filter).unwrap();
        let mut trail = Trail::whole();
        trail.without(|_, record| evidence.matches(record));
        let report = trail.report();
        let left = find(&report, &control.id);
        assert_eq!((left.records, left.state), (0, State::NoData), "{}", control.id);
    }
}

#[test]
fn each_list_of_records_can_be_asked_for_as_it_stands() {
    let mut trail = Trail::whole();
    trail.act("admin.action", json!({"user_id": null, "username": null, "ip_address": null}));
    let report = trail.report();
    assert!(!report.lacking.is_empty());
    let lacks = report.lacking.iter().map(|lack| (&lack.filter, &lack.query));
    let all = controls(&report).map(|(_, control)| (&control.filter, &control.query)).chain(lacks);
    for (filter, query) in all {
        let text = query.strip_prefix("/audit/logs?").unwrap();
        let read = Query::read(View::Database(Table::Logs), text).unwrap();
        let mut expected = Filter::ANY.and(crate::filter::expression(filter).unwrap());
        expected.normalise();
        let read = format!("{read:?}");
        assert!(read.contains(&format!("filter: {expected:?}")), "{query}\n{read}");
        assert!(read.contains(&format!("range: {:?}", trail.range)), "{query}");
    }
}

#[test]
fn equal_questions_are_asked_once_and_few_in_all() {
    let trail = Trail::whole();
    let naive = Naive::of(&trail.lines, trail.chain.clone());
    compliance(&Regulation::ALL, trail.header.clone(), trail.range, &naive).unwrap();
    let asked = naive.asked.borrow();
    assert!(asked.values().all(|times| *times == 1), "{asked:?}");
    let of_the_window = asked.keys().filter(|(_, range)| *range == trail.range).count();
    assert!((40..=100).contains(&of_the_window), "{of_the_window}");
    // A trail of eight years less the window, month by month.
    let months = (8 * 366 - 3) / 31 + 1;
    assert_eq!(asked.len(), of_the_window + 2 * WINDOW_DAYS as usize + 1 + months);

    let nothing = Naive::of(&[], ChainVerdict::default());
    compliance(&Regulation::ALL, trail.header.clone(), trail.range, &nothing).unwrap();
    assert_eq!(nothing.sampled.get(), 0);
}

#[test]
fn the_sections_that_auditors_ask_for_are_there_and_each_once() {
    let demanded = [
        (Regulation::PciDss, "10.2.1.1 10.2.1.2 10.2.1.3 10.2.1.4 10.2.1.5 10.2.1.6 10.2.1.7"),
        (Regulation::PciDss, "10.2.2 10.3 10.5.1"),
        (Regulation::Gdpr, "Art. 5(2),Art. 15,Art. 30,Art. 32"),
        (Regulation::Hipaa, "164.312(b)"),
        (Regulation::Sox, "§404 changes,§404 financial records,§802"),
        (Regulation::Iso27001, "A.8.15 A.8.17"),
        (Regulation::Soc2, "CC7.2"),
        (Regulation::Mifid2, "RTS 25 Art. 1,RTS 25 Art. 3,MiFIR Art. 25(1) orders"),
    ];
    for (regulation, ids) in demanded {
        let separator = if ids.contains(',') { ',' } else { ' ' };
        for id in ids.split(separator) {
            let found = regulation.controls().iter().filter(|control| control.id == id).count();
            assert_eq!(found, 1, "{regulation:?} {id}");
        }
    }
    for regulation in Regulation::ALL {
        let mut ids: Vec<_> = regulation.controls().iter().map(|control| control.id).collect();
        ids.sort_unstable();
        ids.dedup();
        assert_eq!(ids.len(), regulation.controls().len(), "{regulation:?}");
    }
}

#[test]
fn only_the_regulations_that_were_asked_for_are_reported_and_in_that_order() {
    let trail = Trail::whole();
    let naive = Naive::of(&trail.lines, trail.chain.clone());
    let asked = [Regulation::Mifid2, Regulation::Sox];
    let report = compliance(&asked, trail.header.clone(), trail.range, &naive).unwrap();
    let found: Vec<_> = report.regulations.iter().map(|state| state.regulation).collect();
    assert_eq!(found, asked);
}

#[test]
fn the_page_shows_every_control_as_it_stands() {
    let mut trail = Trail::whole();
    trail.chain.intact = None;
    trail.act("admin.action", json!({"user_id": null, "username": null}));
    let report = trail.report();
    let document = report.document();
    let Block::Table(summary) = &document.sections[1].blocks[1] else { panic!("no table") };
    assert_eq!(summary.rows.len(), controls(&report).count());
    for (row, (regulation, control)) in summary.rows.iter().zip(controls(&report)) {
        let tone = match control.state {
            State::Met => Tone::Good,
            State::Gap => Tone::Bad,
            State::NoData => Tone::Unknown,
        };
        assert_eq!((&*row[0].text, &row[1].text), (regulation.as_str(), &control.id));
        assert_eq!((row[4].tone, &row[5].text), (tone, &control.reason));
    }
    let tones: Vec<_> = summary.rows.iter().map(|row| row[4].tone).collect();
    assert!([Tone::Good, Tone::Bad, Tone::Unknown].iter().all(|tone| tones.contains(tone)));
    for state in &report.regulations {
        let section = document.sections.iter().find(|section| section.heading == state.title);
        assert_eq!(section.unwrap().blocks.len(), 1 + 2 * state.controls.len());
        let counted = state.met + state.gaps + state.no_data;
        assert_eq!(counted, state.controls.len() as u64);
    }
}
