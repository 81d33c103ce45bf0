//! A trail of lines, as facts, for tests of what goes over them.
#![allow(clippy::unwrap_used, clippy::needless_pass_by_value)]

use std::collections::HashMap;

use audit_layer::record::{Record, format_timestamp};
use serde_json::{Map, Value, json};

use super::{Fold, Legend, Origin, Sheet, Texts, ValueId, ValueKey, ValueKind, WordId};
use crate::filter::TimeRange;

const KEY: ValueKey = ValueKey([7; 16]);

/// Records in the order of arrival; their arrival numbers are from 1.
#[derive(Debug, Default)]
pub(crate) struct Lines {
    records: Vec<(i64, String)>,
}

impl Lines {
    /// Adds a record of that time, with these members beside those that all have.
    pub(crate) fn push(&mut self, at: i64, event_type: &str, members: Value) {
        let mut all: Map<String, Value> = members.as_object().unwrap().clone();
        let number = self.records.len() + 1;
        let category = event_type.split('.').next().unwrap();
        let envelope = json!({
            "v": 1, "id": format!("id-{number}"), "stream": "s@h~aaaaaa", "seq": number,
            "timestamp": format_timestamp(at), "level": "INFO", "logger": "audit",
            "category": category, "event_type": event_type, "prev_hash": "0", "hash": "0",
        });
        all.extend(envelope.as_object().unwrap().clone());
        all.entry("severity").or_insert("info".into());
        self.records.push((at, Value::Object(all).to_string()));
    }

    /// The lines with their times, in the order of arrival.
    pub(crate) fn all(&self) -> impl Iterator<Item = (i64, Record<'_>)> {
        self.records.iter().map(|(at, line)| (*at, Record::parse(line).unwrap()))
    }

    /// Gives the facts of that time to the fold, in calls of at most `size`, in no order of time.
    pub(crate) fn fold(
        &self,
        range: TimeRange,
        size: usize,
        legend: &mut Legend,
        fold: &mut dyn Fold,
    ) {
        let numbered = (1_i64..).zip(self.all());
        let mut within: Vec<_> = numbered.filter(|(_, (at, _))| range.contains(*at)).collect();
        within.sort_by_key(|(arrival, (at, _))| (*at, *arrival));
        let calls: Vec<_> = within.chunks(size.max(1)).collect();
        let (even, odd): (Vec<_>, Vec<_>) =
            calls.into_iter().enumerate().partition(|(at, _)| at % 2 == 0);
        for (_, call) in odd.into_iter().chain(even) {
            let mut sheet = Sheet::default();
            call.iter().for_each(|(_, (at, record))| sheet.push(*at, Some(record), KEY));
            let origins: Vec<i64> = call.iter().map(|(arrival, _)| *arrival).collect();
            let base = Origin::Arrival(0);
            sheet.fold((0, call.len()), |_| true, (base, &origins), legend, &mut Vec::new(), fold);
        }
    }

    /// The texts behind the numbers of the legend.
    pub(crate) fn texts<'l>(&'l self, legend: &'l Legend) -> impl Texts + 'l {
        let mut values = HashMap::new();
        for (_, record) in self.all() {
            for kind in [ValueKind::User, ValueKind::Name, ValueKind::Address] {
                let text = kind.of(&record).unwrap_or_default();
                values.insert(KEY.hash(kind.member(), text), Box::from(text));
            }
        }
        Known { lines: self, legend, values }
    }
}

struct Known<'l> {
    lines: &'l Lines,
    legend: &'l Legend,
    values: HashMap<u64, Box<str>>,
}

impl Texts for Known<'_> {
    fn value(&mut self, kind: ValueKind, value: ValueId) -> Box<str> {
        let (hash, _) = self.legend.values(kind).known(value).unwrap();
        self.values[&hash].clone()
    }

    fn word(&mut self, word: WordId) -> Box<str> {
        self.legend.word(word).into()
    }

    fn id(&mut self, origin: Origin) -> Box<str> {
        let Origin::Arrival(arrival) = origin else { unreachable!("facts of lines") };
        let (_, record) = self.lines.all().nth(usize::try_from(arrival - 1).unwrap()).unwrap();
        (*record.id).into()
    }
}
