//! How often something happened, by whom and from where.

use std::cmp::Reverse;

use audit_layer::record::format_timestamp;

use super::{Counted, Incidents, MOST_SUBJECTS};
use crate::{
    fact::{Fact, Legend, Texts, ValueId, ValueKind},
    report::{Top, by_number::ByNumber, shortlist::shortlist},
};

/// How often, and when.
#[derive(Debug, Clone, Copy)]
pub(super) struct Seen {
    pub(super) count: u64,
    pub(super) first: i64,
    pub(super) last: i64,
}

impl Default for Seen {
    fn default() -> Self {
        Self { count: 0, first: i64::MAX, last: i64::MIN }
    }
}

impl Seen {
    pub(super) fn see(&mut self, at: i64) {
        self.count += 1;
        self.first = self.first.min(at);
        self.last = self.last.max(at);
    }

    pub(super) fn join(&mut self, other: Self) {
        self.count += other.count;
        self.first = self.first.min(other.first);
        self.last = self.last.max(other.last);
    }
}

/// How often by value of one member. It holds no more values than the legend.
#[derive(Debug, Default)]
pub(super) struct Values {
    pub(super) seen: ByNumber<ValueId, Seen>,
    /// How many records have none.
    pub(super) without: u64,
}

impl Values {
    pub(super) fn see(&mut self, value: ValueId, at: i64) {
        if value.is_some() {
            self.seen.entry(value).or_default().see(at);
        } else {
            self.without += 1;
        }
    }

    fn top(self, kind: ValueKind, legend: &Legend, texts: &mut dyn Texts) -> Top<Counted> {
        let (shown, total) = shortlist(
            self.seen.into_iter().collect(),
            MOST_SUBJECTS,
            |(_, seen)| (Reverse(seen.count), seen.first),
            |(value, _)| hash(legend, kind, *value),
            |(value, _)| texts.value(kind, *value),
        );
        let items = shown.into_iter().map(|((_, seen), name)| Counted {
            name: name.into(),
            count: seen.count,
            first: format_timestamp(seen.first),
            last: format_timestamp(seen.last),
        });
        Top { items: items.collect(), total }
    }
}

/// What stands for the value whatever else there is: it decides between those that are equal in all
/// else.
pub(super) fn hash(legend: &Legend, kind: ValueKind, value: ValueId) -> u64 {
    legend.values(kind).known(value).map_or(0, |(hash, _)| hash)
}

/// How often something happened.
#[derive(Debug, Default)]
pub(super) struct Tally {
    count: u64,
    users: Values,
    addresses: Values,
}

impl Tally {
    pub(super) fn see(&mut self, fact: &Fact) {
        self.count += 1;
        self.users.see(fact.user, fact.at);
        self.addresses.see(fact.address, fact.at);
    }

    pub(super) fn finish(self, legend: &Legend, texts: &mut dyn Texts) -> Incidents {
        Incidents {
            count: self.count,
            without_user: self.users.without,
            without_address: self.addresses.without,
            by_user: self.users.top(ValueKind::User, legend, texts),
            by_address: self.addresses.top(ValueKind::Address, legend, texts),
        }
    }
}
