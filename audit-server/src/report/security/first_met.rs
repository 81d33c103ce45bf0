//! When each user was first met, and where: of all that ever was.
//!
//! Any window can be asked of it what was there before, so it can be kept from one report to the next.
//! A trail with more pairs of a user and an address than it holds is told of by a pass over all that
//! was before: see [`super::first_seen`].

use crate::{
    fact::{Facts, Fold, ValueId},
    report::by_number::ByNumber,
};

/// When users were first met, in all and at each address.
#[derive(Debug, Clone)]
pub(crate) struct FirstMet {
    /// By user.
    users: Vec<i64>,
    pairs: ByNumber<(ValueId, ValueId), i64>,
    /// The address that each user had last, of the time that stands for it or a later one: mostly it is
    /// the next one again.
    last: Vec<(ValueId, i64)>,
    most: usize,
    exceeded: bool,
}

/// The most pairs that it holds.
const MOST: usize = 1_000_000;

impl Default for FirstMet {
    fn default() -> Self {
        Self::with_most(MOST)
    }
}

impl FirstMet {
    /// One that holds so many pairs at most.
    pub(super) fn with_most(most: usize) -> Self {
        let (users, pairs, last) = (Vec::new(), ByNumber::default(), Vec::new());
        Self { users, pairs, last, most, exceeded: false }
    }

    /// Whether it knows everyone.
    pub(crate) fn is_complete(&self) -> bool {
        !self.exceeded
    }

    /// Whether the user was met before that time.
    pub(super) fn had_records(&self, user: ValueId, before: i64) -> bool {
        self.users.get(user.index()).is_some_and(|first| *first < before)
    }

    /// Whether the user was met at the address before that time.
    pub(super) fn had_address(&self, user: ValueId, address: ValueId, before: i64) -> bool {
        self.pairs.get(&(user, address)).is_some_and(|first| *first < before)
    }
}

impl Fold for FirstMet {
    fn take(&mut self, facts: &Facts<'_>) {
        if self.exceeded {
            return;
        }
        for fact in facts.rows.iter().filter(|fact| fact.user.is_some()) {
            let (user, at) = (fact.user.index(), fact.at);
            if self.users.len() <= user {
                let room = (user + 1).next_multiple_of(256);
                self.users.resize(room, i64::MAX);
                self.last.resize(room, (ValueId::NONE, i64::MAX));
            }
            if let Some(first) = self.users.get_mut(user) {
                *first = at.min(*first);
            }
            let Some(last) = self.last.get_mut(user).filter(|_| fact.address.is_some()) else {
                continue;
            };
            // Facts of several calls come in no order: an earlier one counts all the same.
            if last.0 == fact.address && last.1 <= at {
                continue;
            }
            *last = (fact.address, at);
            let first = self.pairs.entry((fact.user, fact.address)).or_insert(at);
            *first = at.min(*first);
            if self.pairs.len() > self.most {
                *self = Self { exceeded: true, ..Self::with_most(self.most) };
                return;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::{
        fact::{Legend, testing::Lines},
        filter::TimeRange,
    };

    #[test]
    fn with_more_pairs_than_it_holds_it_is_not_complete() {
        let mut lines = Lines::default();
        for user in 0..4 {
            let members = json!({"user_id": format!("u{user}"), "ip_address": "192.0.2.1"});
            lines.push(user, "auth.login", members);
        }
        let ever = TimeRange { from: i64::MIN, to: i64::MAX };
        for (most, is_complete) in [(4, true), (3, false)] {
            let (mut legend, mut first_met) = (Legend::default(), FirstMet::with_most(most));
            lines.fold(ever, 2, &mut legend, &mut first_met);
            assert_eq!(first_met.is_complete(), is_complete, "{most}");
        }
    }
}
