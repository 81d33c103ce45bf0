//! How often something happened, by whom and from where.

use std::cmp::Reverse;

use audit_layer::record::format_timestamp;

use super::{Counted, Incidents, MOST_SUBJECTS};
use super::{logins::Login, subject::Subject};
use crate::{
    fact::{Legend, Texts},
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

/// How often by user, or by address. It holds no more values than the legend.
#[derive(Debug, Default)]
pub(super) struct Values {
    pub(super) seen: ByNumber<Subject, Seen>,
    /// How many records have none.
    pub(super) without: u64,
}

impl Values {
    pub(super) fn see(&mut self, subject: Subject, at: i64) {
        if subject.is_some() {
            self.seen.entry(subject).or_default().see(at);
        } else {
            self.without += 1;
        }
    }

    fn top(self, legend: &Legend, texts: &mut dyn Texts) -> Top<Counted> {
        let (shown, total) = shortlist(
            self.seen.into_iter().collect(),
            MOST_SUBJECTS,
            |(_, seen)| (Reverse(seen.count), seen.first),
            |(subject, _)| subject.hash(legend),
            |(subject, _)| (subject.text(texts), subject.member()),
        );
        let items = shown.into_iter().map(|((_, seen), (name, member))| Counted {
            name: name.into(),
            member,
            count: seen.count,
            first: format_timestamp(seen.first),
            last: format_timestamp(seen.last),
        });
        Top { items: items.collect(), total }
    }
}

/// How often something happened.
#[derive(Debug, Default)]
pub(super) struct Tally {
    count: u64,
    users: Values,
    addresses: Values,
}

impl Tally {
    pub(super) fn see(&mut self, of: Login) {
        self.count += 1;
        self.users.see(of.user, of.at);
        self.addresses.see(of.address, of.at);
    }

    pub(super) fn finish(self, legend: &Legend, texts: &mut dyn Texts) -> Incidents {
        Incidents {
            count: self.count,
            without_user: self.users.without,
            without_address: self.addresses.without,
            by_user: self.users.top(legend, texts),
            by_address: self.addresses.top(legend, texts),
        }
    }
}
