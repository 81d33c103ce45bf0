//! Who tried to get in, who got in, and what those did who may do more than others.
//!
//! # What counts as what
//! - A *failed login* is `auth.failed`, whatever its status, and `auth.login` whose status is `failure`,
//!   `denied` or `error`. A *login* is `auth.login` with the status `success` or with none. One that is
//!   pending is neither.
//! - A *privileged action* is what only few may do: the category `admin`, `risk.override`,
//!   `security.account_unlocked`, `data.export` and `data.secret_access`, whether or not it succeeded.
//!   `auth.permission_granted` is none: programs write it each time someone is let do what he may, and a
//!   list of the few would drown in it. That a role was given is `admin.role_changed`.
//! - Users are `user_id`, or, of records that have none, `username`: a login that fails often has no more
//!   than the name that was typed. Which of both is told of each, see [`subject`]. A failed login that
//!   has neither counts for its address alone; how many such there are is told. A login that has both
//!   *follows* those that failed under its name, too. What is new of a user goes by `user_id` alone: a
//!   name that somebody typed is not yet one who was there.
//!
//! # Brute force and spraying
//! See [`episodes`] for what an episode is. Brute force is looked for by user (many addresses may guess one
//! password) and by address (one may guess those of many); so an attack may be found twice. Spraying is
//! one address and many users, a few attempts each, which no count of attempts shows. A login *follows*
//! an episode when it is later than its first attempt and at most [`SUCCESS_WITHIN`] later than its last: one in
//! the midst of them may be the guess that was right.
//!
//! # Cost
//! Most facts are counted by kind and hour, and held against the addresses of their user; that is
//! all. Nothing depends on the order in which facts come. What the legend holds anyway, users and
//! addresses, is not bounded here again; pairs of such and single logins are, and the report says
//! so when there were more.

mod document;
mod episodes;
mod finish;
mod first_met;
mod first_seen;
mod found;
mod hours;
mod kinds;
mod logins;
mod result;
mod subject;
mod tally;
#[cfg(test)]
mod tests;

use std::time::Duration;

pub(crate) use first_met::FirstMet;
pub(crate) use first_seen::Earlier;
pub(crate) use result::*;

use self::{
    first_seen::Pairs,
    hours::Hours,
    kinds::{Kinds, Meaning},
    logins::{Login, Logins},
    subject::Subject,
    tally::{Seen, Tally, Values},
};
use super::by_number::Bounded;
use crate::{
    fact::{Fact, Facts, Fold, KindId, ValueKind, WordId},
    filter::TimeRange,
    read_model::Column,
};

/// Brute force is at least so many failed logins of one user or from one address.
pub(crate) const BRUTE_FORCE_ATTEMPTS: u64 = 10;
/// They are at most so far apart.
pub(crate) const BRUTE_FORCE_WINDOW: Duration = Duration::from_secs(5 * 60);
/// Password spraying is failed logins of at least so many users from one address.
pub(crate) const SPRAYING_USERS: u64 = 5;
/// They are at most so far apart.
pub(crate) const SPRAYING_WINDOW: Duration = Duration::from_secs(10 * 60);
/// A login follows an episode when it is at most so much later than its last attempt.
pub(crate) const SUCCESS_WITHIN: Duration = Duration::from_secs(60 * 60);
/// The most users, addresses, episodes, and actions that a list has.
pub(crate) const MOST_SUBJECTS: usize = 50;
/// The most event types that a list has, and the most statuses: programs have some dozens, unless they make
/// them up.
pub(crate) const MOST_TYPES: usize = 1000;
/// The most classes of resources that are named of a user.
pub(crate) const MOST_RESOURCES: usize = 10;
/// The most failed logins that are looked at one by one, and the most logins.
pub(crate) const MOST_LOGINS: usize = 2_000_000;
/// The most pairs of a user with an address that are looked at, of a user with a class of resources that
/// were denied to him, and of a type of privileged actions with a user.
pub(crate) const MOST_PAIRS: usize = 2_000_000;
/// The most hours that are shown: those that 366 days touch.
pub(crate) const MOST_HOURS: usize = 366 * 24 + 1;

/// Computes the report: takes the facts of the window, then those before it through
/// [`Security::earlier`], or what is [known](Security::know) of them.
#[derive(Debug)]
pub(crate) struct Security {
    range: TimeRange,
    kinds: Kinds,
    hours: Hours,
    pairs: Pairs,
    failed: Tally,
    attempts: Logins,
    logins: Logins,
    locked: Tally,
    rate_limited: Tally,
    blocked: Tally,
    whitelist: Tally,
    denied: Values,
    denied_resources: Bounded<(Subject, WordId), u64>,
    privileged: Bounded<(KindId, Subject), Seen>,
}

impl Security {
    /// What of the facts it looks at.
    pub(crate) const COLUMNS: &'static [Column] =
        &[Column::Words, Column::Users, Column::Names, Column::Addresses, Column::Resources];

    /// Of that time. Facts outside it are passed over.
    pub(crate) fn new(range: TimeRange) -> Self {
        Self::with_most(range, MOST_LOGINS, MOST_PAIRS)
    }

    fn with_most(range: TimeRange, logins: usize, pairs: usize) -> Self {
        Self {
            range,
            kinds: Kinds::default(),
            hours: Hours::new(range),
            pairs: Pairs::new(pairs),
            failed: Tally::default(),
            attempts: Logins::new(logins),
            logins: Logins::new(logins),
            locked: Tally::default(),
            rate_limited: Tally::default(),
            blocked: Tally::default(),
            whitelist: Tally::default(),
            denied: Values::default(),
            denied_resources: Bounded::new(pairs),
            privileged: Bounded::new(pairs),
        }
    }

    /// What takes the facts before the window, after all of those in it.
    pub(crate) fn earlier(&mut self) -> Earlier<'_> {
        Earlier::new(&mut self.pairs, self.range.from)
    }

    /// Tells what was before the window, after all of those in it: instead of the facts before.
    pub(crate) fn know(&mut self, first_met: &FirstMet) {
        self.pairs.know(first_met, self.range.from);
    }

    #[inline(never)]
    fn look_at(&mut self, facts: &Facts<'_>, fact: &Fact, meaning: Meaning) {
        let user = Subject::user(facts, fact);
        if let Some(hour) = self.hours.at(fact.at) {
            hour.failed_logins += u64::from(meaning.has(Meaning::FAILED_LOGIN));
            hour.security_events += u64::from(meaning.has(Meaning::SECURITY));
        }
        let address = Subject::address(fact);
        let mut login = Login { at: fact.at, user, name: Subject::NONE, address };
        if meaning.has(Meaning::FAILED_LOGIN) {
            self.failed.see(login);
            self.attempts.push(login);
        }
        if meaning.has(Meaning::LOGIN) {
            login.name = Subject::new(ValueKind::Name, facts.name(fact));
            self.logins.push(login);
        }
        for (what, tally) in [
            (Meaning::LOCKED, &mut self.locked),
            (Meaning::RATE_LIMITED, &mut self.rate_limited),
            (Meaning::BLOCKED, &mut self.blocked),
            (Meaning::WHITELIST, &mut self.whitelist),
        ] {
            if meaning.has(what) {
                tally.see(login);
            }
        }
        if meaning.has(Meaning::DENIED) {
            self.denied.see(user, fact.at);
            if user.is_some()
                && let Some(count) = self.denied_resources.entry((user, fact.resource))
            {
                *count += 1;
            }
        }
        if meaning.has(Meaning::PRIVILEGED)
            && let Some(seen) = self.privileged.entry((fact.kind, user))
        {
            seen.see(fact.at);
        }
    }
}

impl Fold for Security {
    fn take(&mut self, facts: &Facts<'_>) {
        self.kinds.extend(facts.legend.kinds());
        let range = self.range;
        for fact in facts.rows.iter().filter(|fact| range.contains(fact.at)) {
            let meaning = self.kinds.count(fact.kind);
            if let Some(hour) = self.hours.at(fact.at) {
                hour.records += 1;
            }
            self.pairs.see(fact);
            if !meaning.is_nothing() {
                self.look_at(facts, fact, meaning);
            }
        }
    }
}
