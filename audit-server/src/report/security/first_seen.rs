//! Addresses that a user never had before.
//!
//! Who is new altogether has no usual address, so only users with a record before the window are
//! looked at. What was before is told afterwards, by a second pass over the facts before the window:
//! that keeps the memory in proportion to what the window has, however long the trail is.

use std::cmp::Reverse;

use audit_layer::record::format_timestamp;

use super::{FirstMet, FirstSeen, MOST_SUBJECTS, NewAddress, subject::Subject, tally};
use crate::{
    fact::{Fact, Facts, Fold, Legend, Texts, ValueId, ValueKind},
    report::{Top, by_number::Bounded, shortlist::shortlist},
};

/// A user at an address.
type Pair = (ValueId, ValueId);

#[derive(Debug, Default, Clone, Copy)]
struct Met {
    seen: tally::Seen,
    /// It was there before the window.
    before: bool,
}

/// The users of the window with their addresses.
#[derive(Debug)]
pub(super) struct Pairs {
    pairs: Bounded<Pair, Met>,
    /// Of each user up to the last who is in a pair, whether there was one before the window.
    had_records: Vec<bool>,
}

impl Pairs {
    pub(super) fn new(most: usize) -> Self {
        Self { pairs: Bounded::new(most), had_records: Vec::new() }
    }

    /// Takes a fact of the window.
    pub(super) fn see(&mut self, fact: &Fact) {
        if !(fact.user.is_some() && fact.address.is_some()) {
            return;
        }
        let Some(met) = self.pairs.entry((fact.user, fact.address)) else { return };
        met.seen.see(fact.at);
        if self.had_records.len() <= fact.user.index() {
            self.had_records.resize(fact.user.index() + 1, false);
        }
    }

    /// Takes what is known of the time before the window.
    pub(super) fn know(&mut self, first_met: &FirstMet, from: i64) {
        for (user, had_records) in (0..).map(ValueId).zip(&mut self.had_records) {
            *had_records = first_met.had_records(user, from);
        }
        for ((user, address), met) in self.pairs.iter_mut() {
            met.before = first_met.had_address(*user, *address, from);
        }
    }

    pub(super) fn finish(self, legend: &Legend, texts: &mut dyn Texts) -> FirstSeen {
        let Self { pairs, had_records } = self;
        let Some(pairs) = pairs.into_map() else {
            return FirstSeen { addresses: None, new_users: None };
        };
        let had_records =
            |user: ValueId| had_records.get(user.index()).copied().unwrap_or_default();
        let mut new_users: Vec<ValueId> =
            pairs.keys().map(|(user, _)| *user).filter(|user| !had_records(*user)).collect();
        new_users.sort_unstable();
        new_users.dedup();
        let found: Vec<(Pair, Met)> = pairs
            .into_iter()
            .filter(|((user, _), met)| !met.before && had_records(*user))
            .collect();
        let (shown, total) = shortlist(
            found,
            MOST_SUBJECTS,
            |(_, met)| Reverse(met.seen.first),
            |((user, address), _)| {
                let user = Subject::new(ValueKind::User, *user).hash(legend);
                (user, Subject::new(ValueKind::Address, *address).hash(legend))
            },
            |((user, address), _)| {
                let user = texts.value(ValueKind::User, *user);
                (user, texts.value(ValueKind::Address, *address))
            },
        );
        let items = shown.into_iter().map(|((_, met), (user, address))| NewAddress {
            user: user.into(),
            address: address.into(),
            count: met.seen.count,
            first: format_timestamp(met.seen.first),
            last: format_timestamp(met.seen.last),
        });
        let addresses = Some(Top { items: items.collect(), total });
        FirstSeen { addresses, new_users: Some(new_users.len() as u64) }
    }
}

/// Takes facts from before the window, of which only time, user and address need be known.
#[derive(Debug)]
pub(crate) struct Earlier<'r> {
    pairs: &'r mut Pairs,
    /// When the window begins.
    from: i64,
    /// The address that each user had last: mostly it is the next one again, and known.
    last: Vec<ValueId>,
}

impl<'r> Earlier<'r> {
    pub(super) fn new(pairs: &'r mut Pairs, from: i64) -> Self {
        let last = vec![ValueId::NONE; pairs.had_records.len()];
        Self { pairs, from, last }
    }
}

impl Fold for Earlier<'_> {
    fn take(&mut self, facts: &Facts<'_>) {
        for fact in facts.rows.iter().filter(|fact| fact.at < self.from && fact.user.is_some()) {
            // Of users who are not in the window there is nothing to be told.
            let Some(had_records) = self.pairs.had_records.get_mut(fact.user.index()) else {
                continue;
            };
            *had_records = true;
            if fact.address.is_some()
                && let Some(last) = self.last.get_mut(fact.user.index())
                && std::mem::replace(last, fact.address) != fact.address
                && let Some(met) = self.pairs.pairs.get_mut(&(fact.user, fact.address))
            {
                met.before = true;
            }
        }
    }
}
