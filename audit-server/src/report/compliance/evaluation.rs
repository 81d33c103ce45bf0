//! From the catalogue and the evidence to the report.

use std::{cell::RefCell, collections::BTreeMap};

use audit_layer::record::{Record, format_timestamp};

use super::{
    Compliance, ControlState, Evidence, Lack, Regulation, RegulationState, State,
    control::{Check, Control, Kind, Required},
    whole::Whole,
};
use crate::{
    Error,
    filter::{self, Filter, TimeRange},
    query::InvalidValue,
    report::Header,
};

/// How many ids of records stand beside a control.
const SAMPLES: usize = 3;

/// Evaluates the controls of these regulations over the window of the header, which is `range`.
///
/// # Errors
/// Those of the evidence: a figure that is not exact is none.
pub(crate) fn compliance(
    regulations: &[Regulation],
    header: Header,
    range: TimeRange,
    evidence: &dyn Evidence,
) -> Result<Compliance, Error> {
    let counts = Counts { evidence, range, known: RefCell::default() };
    let whole = Whole::of(&counts, &header)?;
    let mut lacking = Vec::new();
    let mut states = Vec::new();
    for regulation in regulations {
        let mut controls = Vec::new();
        for control in regulation.controls() {
            controls.push(evaluate(*regulation, control, &counts, &whole, &mut lacking)?);
        }
        let of = |state| controls.iter().filter(|control| control.state == state).count() as u64;
        states.push(RegulationState {
            regulation: *regulation,
            title: regulation.title().to_owned(),
            met: of(State::Met),
            gaps: of(State::Gap),
            no_data: of(State::NoData),
            controls,
        });
    }
    let Whole { days, lost, future, chain, .. } = whole;
    Ok(Compliance {
        header,
        regulations: states,
        lacking,
        days,
        lost,
        future_records: future,
        chain,
    })
}

/// Counts in the window, each of them made once.
pub(super) struct Counts<'e> {
    pub(super) evidence: &'e dyn Evidence,
    pub(super) range: TimeRange,
    known: RefCell<BTreeMap<Filter, u64>>,
}

/// What a check found, in words that follow others.
pub(super) enum Found {
    Good(String),
    Bad(String),
    /// It cannot be known.
    Open(String),
}

impl Counts<'_> {
    /// How many records of the window match.
    pub(super) fn of(&self, expression: &str) -> Result<u64, Error> {
        let mut filter = read(expression)?;
        filter.normalise();
        if let Some(known) = self.known.borrow().get(&filter) {
            return Ok(*known);
        }
        let count = self.evidence.count(&filter, self.range)?;
        self.known.borrow_mut().insert(filter, count);
        Ok(count)
    }

    /// The newest of these records: asked for only when there are any.
    pub(super) fn newest(&self, expression: &str, most: usize) -> Result<Vec<Box<str>>, Error> {
        if self.of(expression)? == 0 {
            return Ok(Vec::new());
        }
        self.evidence.newest(&read(expression)?, self.range, most)
    }

    /// The request that lists these records.
    pub(super) fn query(&self, expression: &str) -> String {
        let query = form_urlencoded::Serializer::new(String::new())
            .append_pair("start_date", &format_timestamp(self.range.from))
            .append_pair("end_date", &format_timestamp(self.range.to))
            .append_pair("filter", expression)
            .finish();
        format!("/audit/logs?{query}")
    }
}

/// The filter that an expression of this report means.
pub(super) fn read(expression: &str) -> Result<Filter, Error> {
    filter::expression(expression).map_err(|cause| {
        InvalidValue { name: "filter".to_owned(), reason: cause.to_string() }.into()
    })
}

fn evaluate(
    regulation: Regulation,
    control: &Control,
    counts: &Counts<'_>,
    whole: &Whole,
    lacking: &mut Vec<Lack>,
) -> Result<ControlState, Error> {
    let records = counts.of(control.evidence)?;
    let (state, reason) = if records == 0 {
        let reason =
            "no such record is in the window: nothing of the kind happened, or it is not recorded";
        (State::NoData, reason.to_owned())
    } else {
        let mut found = Vec::new();
        for check in control.checks {
            found.push(match check {
                Check::Has(kind, required) => {
                    let lack = lack(regulation, control, kind, required, counts)?;
                    let words = said(kind, required, &lack);
                    lacking.extend((lack.lacking > 0).then_some(lack));
                    words
                }
                Check::No(expression, what) => match counts.of(expression)? {
                    0 => Found::Good(format!("there are no {what}")),
                    count => Found::Bad(format!("{what}: {count}")),
                },
                Check::EveryDay => whole.every_day(),
                Check::Heartbeats => whole.heartbeats(),
                Check::Chain => whole.chain(),
                Check::NothingLost => whole.nothing_lost(),
                Check::NothingInTheFuture => whole.nothing_in_the_future(),
                Check::GoesBack { days, demanded } => whole.goes_back(*days, demanded),
            });
        }
        judge(records, found)
    };
    let lines = counts.newest(control.evidence, SAMPLES)?;
    let id = |line: &str| Some(Record::parse(line).ok()?.id.into_owned());
    Ok(ControlState {
        id: control.id.to_owned(),
        title: control.title.to_owned(),
        demands: control.demands.to_owned(),
        filter: control.evidence.to_owned(),
        query: counts.query(control.evidence),
        records,
        samples: lines.iter().filter_map(|line| id(line)).collect(),
        state,
        reason,
    })
}

/// What is bad outweighs what is not known, and that what is good.
fn judge(records: u64, found: Vec<Found>) -> (State, String) {
    let (mut good, mut bad, mut open) = (Vec::new(), Vec::new(), Vec::new());
    for found in found {
        match found {
            Found::Good(words) => good.push(words),
            Found::Bad(words) => bad.push(words),
            Found::Open(words) => open.push(words),
        }
    }
    if !bad.is_empty() {
        bad.append(&mut open);
        (State::Gap, bad.join("; "))
    } else if !open.is_empty() {
        (State::NoData, open.join("; "))
    } else {
        good.insert(0, format!("{records} records"));
        (State::Met, good.join("; "))
    }
}

fn lack(
    regulation: Regulation,
    control: &Control,
    kind: &Kind,
    required: &Required,
    counts: &Counts<'_>,
) -> Result<Lack, Error> {
    let those = match kind {
        Kind::All => control.evidence.to_owned(),
        Kind::Of(expression, _) if *expression == control.evidence => control.evidence.to_owned(),
        Kind::Of(expression, _) => format!("({}) AND ({expression})", control.evidence),
    };
    let filter = format!("({those}) AND NOT ({})", required.has);
    Ok(Lack {
        regulation,
        control: control.id.to_owned(),
        member: required.name.to_owned(),
        lacking: counts.of(&filter)?,
        records: counts.of(&those)?,
        query: counts.query(&filter),
        filter,
    })
}

fn said(kind: &Kind, required: &Required, lack: &Lack) -> Found {
    let which = match kind {
        Kind::All => String::new(),
        Kind::Of(_, words) => format!(" {words}"),
    };
    let Lack { lacking, records, .. } = lack;
    let name = required.name;
    match lacking {
        0 => Found::Good(format!("all records{which} have {name}")),
        _ => Found::Bad(format!("{lacking} of {records} records{which} lack {name}")),
    }
}
