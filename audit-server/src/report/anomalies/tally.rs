//! What is counted while the facts go by.
//!
//! Nothing is decided here, because facts of several calls come in no order: all of it is sums, sets, and
//! firsts and lasts, which are the same in whatever order they are taken.

use std::collections::HashMap;

use super::{
    counts::{Active, Hourly, Periods},
    grid::Grid,
    table::{Rows, Table, pair},
};
use crate::fact::{
    Amount, Entry, Fact, Facts, Fold, Legend, MAX_CLASSES, ValueId, ValueKind, WordId,
};

/// Users and addresses beyond these, in the order of appearance, have no counters of their own.
pub(super) const MAX_USERS: u32 = 200_000;
pub(super) const MAX_ADDRESSES: u32 = 400_000;
/// Kinds beyond this are not counted.
const MAX_KINDS: usize = 4_096;
/// The most pairs of a user and an address, an event type, a resource class, each.
const MAX_PAIRS: usize = 1 << 19;
/// So many facts are taken at once at most, so that they stay in the cache.
const MOST_AT_ONCE: usize = 1024;
/// The most amounts of the window.
const MAX_AMOUNTS: usize = 1 << 19;

/// When a pair was met in the window, in seconds of the grid.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Met {
    pub(super) first: u32,
    pub(super) last: u32,
    pub(super) count: u32,
}

impl Met {
    #[inline]
    fn at(&mut self, second: u32) {
        self.first = if self.count == 0 { second } else { self.first.min(second) };
        self.last = self.last.max(second);
        self.count = self.count.saturating_add(1);
    }
}

/// An amount of the window.
#[derive(Debug, Clone, Copy)]
pub(super) struct Moved {
    /// See [`Payer`].
    pub(super) payer: u64,
    pub(super) user: ValueId,
    pub(super) at: i64,
    pub(super) amount: Amount,
}

/// What was counted.
#[derive(Debug, Clone)]
pub(super) struct Tally {
    pub(super) grid: Grid,
    /// Event types by number.
    pub(super) types: Vec<Box<str>>,
    type_numbers: HashMap<Box<str>, u32>,
    /// Of each kind the number of its event type, from 1, and whether it failed.
    pub(super) kinds: Vec<(u32, bool)>,
    /// Event types with a status that says that it failed.
    statuses: Vec<(u32, Box<str>)>,
    pub(super) by_hour: Hourly,
    /// Records of users by day, and the failed ones.
    pub(super) users: Periods,
    pub(super) failed_users: Table<u32>,
    /// The same of addresses.
    pub(super) addresses: Periods,
    pub(super) failed_addresses: Table<u32>,
    /// In which hours a user was there, and with how many records in those of the window.
    pub(super) active: Active,
    pub(super) user_hours: Periods,
    /// Pairs of a user and an event type have numbers of their own.
    pub(super) user_types: Rows<u32>,
    /// How often these were met, by day.
    pub(super) of_user_types: Periods,
    /// When a user used something first before the window: one more than the day.
    pub(super) resources_before: Rows<u16>,
    pub(super) addresses_before: Table<u16>,
    /// The address that each user had last, and on which day, to spare looking it up again.
    recent: Vec<(u32, u32)>,
    /// What users used in the window.
    pub(super) type_uses: Table<Met>,
    pub(super) address_uses: Table<Met>,
    pub(super) resource_uses: Table<Met>,
    /// How often an amount of that size was moved by a payer before the window: see [`Payer`].
    pub(super) sizes: Table<u32>,
    pub(super) moved: Vec<Moved>,
    /// Currencies by their numbers in a [`Payer`], in the order of appearance.
    currencies: Vec<WordId>,
    currency_numbers: HashMap<WordId, u16>,
    /// Amounts of the window beyond [`MAX_AMOUNTS`], or of one currency too many.
    pub(super) not_moved: u64,
    pairs: u32,
}

impl Tally {
    pub(super) fn new(grid: Grid) -> Self {
        Self {
            grid,
            types: Vec::new(),
            type_numbers: HashMap::new(),
            kinds: Vec::new(),
            statuses: Vec::new(),
            by_hour: Hourly::new(grid.hours),
            users: Periods::new(grid.days),
            failed_users: Table::new(MAX_PAIRS),
            addresses: Periods::new(grid.days),
            failed_addresses: Table::new(MAX_PAIRS),
            active: Active::new(grid.hours),
            user_hours: Periods::new(grid.hours - grid.base_hours()),
            user_types: Rows::new(MAX_PAIRS),
            of_user_types: Periods::new(grid.days),
            resources_before: Rows::new(MAX_PAIRS),
            addresses_before: Table::new(MAX_PAIRS),
            recent: Vec::new(),
            type_uses: Table::new(MAX_PAIRS),
            address_uses: Table::new(MAX_PAIRS),
            resource_uses: Table::new(MAX_PAIRS),
            sizes: Table::new(MAX_PAIRS),
            moved: Vec::new(),
            currencies: Vec::new(),
            currency_numbers: HashMap::new(),
            not_moved: 0,
            pairs: 0,
        }
    }

    /// Makes room up to a later end; false when the grid is another one.
    pub(super) fn extend(&mut self, grid: Grid) -> bool {
        if !self.grid.is_extended_by(&grid) {
            return false;
        }
        self.grid = grid;
        self.by_hour.extend(grid.hours);
        self.active.extend(grid.hours);
        self.user_hours.extend(grid.hours - grid.base_hours());
        for by_day in [&mut self.users, &mut self.addresses, &mut self.of_user_types] {
            by_day.extend(grid.days);
        }
        true
    }

    /// Which event types the kinds are of.
    fn learn(&mut self, legend: &Legend) {
        let known = self.kinds.len();
        for kind in legend.kinds().iter().take(MAX_KINDS).skip(known) {
            let number = match self.type_numbers.get(&kind.event_type) {
                Some(number) => *number,
                None => {
                    self.types.push(kind.event_type.clone());
                    let number = self.types.len() as u32;
                    self.type_numbers.insert(kind.event_type.clone(), number);
                    number
                }
            };
            if kind.failed() {
                self.statuses.push((number, kind.status.clone()));
            }
            self.kinds.push((number, kind.failed()));
        }
    }

    /// Takes facts of one hour. One thing after the other for all of them: each is a few instructions that
    /// wait for memory, and the processor lets many wait at once when nothing else is between.
    fn take_hour(&mut self, hour: usize, rows: &[Fact]) {
        let day = hour / 24;
        for fact in rows.iter().filter(|fact| fact.kind.index() < MAX_KINDS) {
            self.by_hour.add(hour, fact.kind.index());
        }
        // A user or address of 0 is none. To count it is quicker than to look whether there is one, and it
        // is left out in the end.
        let tracked = |fact: &&Fact| fact.user.0 <= MAX_USERS;
        for fact in rows.iter().filter(tracked) {
            self.users.add(day, fact.user.0);
            self.active.add(hour, fact.user.0);
        }
        for fact in rows.iter().filter(tracked) {
            let (event_type, _) = self.kinds.get(fact.kind.index()).copied().unwrap_or_default();
            let Some(number) = self.user_types.entry(fact.user.0, event_type) else { continue };
            if *number == 0 {
                self.pairs += 1;
                *number = self.pairs;
            }
            self.of_user_types.add(day, *number);
        }
        for fact in rows {
            if fact.address.0 <= MAX_ADDRESSES {
                self.addresses.add(day, fact.address.0);
            }
        }
        for fact in rows {
            if self.kinds.get(fact.kind.index()).is_some_and(|(_, failed)| *failed) {
                self.failed(fact, day);
            }
        }
        if hour >= self.grid.base_hours() {
            for fact in rows.iter().filter(tracked).filter(|fact| fact.user.is_some()) {
                self.in_window(fact, hour);
            }
            return;
        }
        for fact in rows.iter().filter(tracked) {
            if let Some(known) = self.resources_before.entry(fact.user.0, fact.resource.0) {
                first(known, day);
            }
        }
        for fact in rows.iter().filter(tracked) {
            self.address_before(fact, day);
        }
    }

    fn failed(&mut self, fact: &Fact, day: usize) {
        if fact.user.is_some()
            && fact.user.0 <= MAX_USERS
            && let Some(count) = self.failed_users.entry(pair(fact.user.0, day as u32))
        {
            *count += 1;
        }
        if fact.address.is_some()
            && fact.address.0 <= MAX_ADDRESSES
            && let Some(count) = self.failed_addresses.entry(pair(fact.address.0, day as u32))
        {
            *count += 1;
        }
    }

    fn in_window(&mut self, fact: &Fact, hour: usize) {
        let (user, second) = (fact.user.0, self.grid.second(fact.at));
        let (event_type, _) = self.kinds.get(fact.kind.index()).copied().unwrap_or_default();
        self.user_hours.add(hour - self.grid.base_hours(), user);
        for (uses, thing) in [
            (&mut self.type_uses, event_type),
            (&mut self.address_uses, fact.address.0),
            (&mut self.resource_uses, fact.resource.0),
        ] {
            if thing != 0
                && let Some(met) = uses.entry(pair(user, thing))
            {
                met.at(second);
            }
        }
    }

    #[inline]
    fn address_before(&mut self, fact: &Fact, day: usize) {
        let at = fact.user.index();
        let Some(recent) = self.recent.get_mut(at) else {
            self.recent.resize((at + 1).next_multiple_of(256), (0, 0));
            return self.address_before(fact, day);
        };
        let now = if fact.address.is_some() { (fact.address.0, day as u32) } else { *recent };
        if *recent == now {
            return;
        }
        *recent = now;
        if fact.user.0 == 0 {
            return;
        }
        if let Some(known) = self.addresses_before.entry(pair(fact.user.0, fact.address.0)) {
            first(known, day);
        }
    }

    fn of_entry(&mut self, fact: &Fact, entry: &Entry, in_window: bool) {
        let Some(amount) = entry.notional() else { return };
        let Some(size) = size(amount) else { return };
        let Some(currency) = self.currency(entry.currency) else {
            self.not_moved += u64::from(in_window);
            return;
        };
        let Some(payer) = Payer::of(fact, entry, currency) else { return };
        if !in_window {
            if let Some(count) = self.sizes.entry((payer.0 << SIZE_BITS) | u64::from(size)) {
                *count += 1;
            }
        } else if self.moved.len() < MAX_AMOUNTS {
            self.moved.push(Moved { payer: payer.0, user: fact.user, at: fact.at, amount });
        } else {
            self.not_moved += 1;
        }
    }

    /// The number of a currency among those that were met; none when it is one of too many.
    fn currency(&mut self, word: WordId) -> Option<u16> {
        if let Some(known) = self.currency_numbers.get(&word) {
            return Some(*known);
        }
        let number = u16::try_from(self.currencies.len()).ok()?;
        self.currencies.push(word);
        self.currency_numbers.insert(word, number);
        Some(number)
    }

    /// The currency that a payer moves.
    pub(super) fn currency_of(&self, payer: u64) -> WordId {
        self.currencies.get(Payer(payer).currency()).copied().unwrap_or_default()
    }

    /// The words of status that failed records have: of one event type, or all.
    pub(super) fn failed_statuses(&self, event_type: Option<&str>) -> Vec<Box<str>> {
        let of = |(kind, status): &(u32, Box<str>)| {
            let name = (*kind as usize).checked_sub(1).and_then(|at| self.types.get(at));
            event_type
                .is_none_or(|wanted| name.is_some_and(|name| **name == *wanted))
                .then(|| status.clone())
        };
        let mut out: Vec<Box<str>> = self.statuses.iter().filter_map(of).collect();
        out.sort_unstable();
        out.dedup();
        out
    }

    /// What was not looked at, each in a sentence.
    pub(super) fn left_out(&self, legend: &Legend) -> Vec<String> {
        let mut out = Vec::new();
        let mut beyond = |what: &str, all: usize, most: usize| {
            if all > most {
                out.push(format!(
                    "There are {all} {what}; those that appeared after the first {most} were not looked at one by one."
                ));
            }
        };
        beyond("users", legend.value_count(ValueKind::User), MAX_USERS as usize);
        beyond("addresses", legend.value_count(ValueKind::Address), MAX_ADDRESSES as usize);
        beyond("kinds of records", legend.kinds().len(), MAX_KINDS);
        if legend.others().is_some() {
            out.push(format!(
                "There are more than {MAX_CLASSES} classes of resources; those that appeared after these were not looked at."
            ));
        }
        for (full, what) in [
            (self.user_types.full() || self.type_uses.full, "users and event types"),
            (self.address_uses.full || self.addresses_before.full, "users and addresses"),
            (self.resource_uses.full || self.resources_before.full(), "users and resource classes"),
            (self.failed_users.full, "users and days with failures"),
            (self.failed_addresses.full, "addresses and days with failures"),
            (self.sizes.full, "payers and sizes of amounts"),
        ] {
            if full {
                out.push(format!(
                    "There are more than {MAX_PAIRS} pairs of {what}; the rest was not looked at."
                ));
            }
        }
        if self.users.full() || self.addresses.full() || self.of_user_types.full() {
            out.push("Some daily counts are higher than could be counted.".to_owned());
        }
        if self.not_moved > 0 {
            out.push(format!("{} amounts of the window were not looked at.", self.not_moved));
        }
        out
    }
}

impl Fold for Tally {
    fn take(&mut self, facts: &Facts<'_>) {
        self.learn(facts.legend);
        let mut rest = facts.rows;
        while let Some(fact) = rest.first() {
            let Some(hour) = self.grid.hour(fact.at) else {
                rest = rest.get(1..).unwrap_or_default();
                continue;
            };
            let range = self.grid.span_of_hours(hour, hour + 1);
            let most = rest.get(..MOST_AT_ONCE).unwrap_or(rest);
            let end = most.iter().position(|fact| !range.contains(fact.at));
            let (rows, after) = rest.split_at(end.unwrap_or(most.len()));
            self.take_hour(hour, rows);
            let in_window = hour >= self.grid.base_hours();
            for fact in rows {
                if let Some(entry) = facts.entry(fact) {
                    self.of_entry(fact, entry, in_window);
                }
            }
            rest = after;
        }
    }
}

/// A day on which something was met, as one more than it, when it is the first.
#[inline]
fn first(known: &mut u16, day: usize) {
    let day = day as u16 + 1;
    if *known == 0 || day < *known {
        *known = day;
    }
}

/// Who moves money, in which currency: amounts of one payer are compared with each other.
///
/// An agent when the record names one, else the user.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Payer(pub(super) u64);

const AGENT: u64 = 1 << 47;
const CURRENCY_BITS: u32 = 16;
pub(super) const SIZE_BITS: u32 = 14;

impl Payer {
    /// None when nobody is named, or a user that is one of too many.
    fn of(fact: &Fact, entry: &Entry, currency: u16) -> Option<Self> {
        let who = if entry.agent.is_some() {
            AGENT | (u64::from(entry.agent.0 & 0x7fff_ffff) << CURRENCY_BITS)
        } else {
            u64::from(Some(fact.user.0).filter(|user| (1..=MAX_USERS).contains(user))?)
                << CURRENCY_BITS
        };
        Some(Self(who | u64::from(currency)))
    }

    /// The number of the agent or the user, and which of both it is.
    pub(super) fn who(self) -> (u32, bool) {
        (((self.0 & !AGENT) >> CURRENCY_BITS) as u32, self.0 & AGENT != 0)
    }

    /// A place in [`Tally::currencies`].
    fn currency(self) -> usize {
        (self.0 & ((1 << CURRENCY_BITS) - 1)) as usize
    }
}

/// On which eighth of a doubling an amount lies, whatever its sign; none of nothing.
pub(super) fn size(amount: Amount) -> Option<u16> {
    /// How far the bits of a number are above the three highest of its fraction.
    const BELOW: u32 = 49;
    let number = amount.to_f64().abs();
    (number > 0.0).then(|| (number.to_bits() >> BELOW) as u16)
}

/// The middle of that eighth, as a binary logarithm.
pub(super) fn log2(size: u16) -> f64 {
    f64::from(size) / 8.0 + 1.0 / 16.0 - 1023.0
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{filter::TimeRange, report::anomalies::Settings};

    #[test]
    fn currencies_are_few_whatever_their_words_are_numbered() {
        let window = TimeRange { from: 0, to: 1 };
        let mut tally = Tally::new(Settings { window, baseline_from: -1, threshold: 3.0 }.grid());
        let euro = tally.currency(WordId(1_000_000));
        assert_eq!((euro, tally.currency(WordId(1_000_000))), (Some(0), Some(0)));
        assert_eq!(tally.currency_of(AGENT | (7 << CURRENCY_BITS)), WordId(1_000_000));
        assert!((1..1 << 16).all(|word| tally.currency(WordId(word)).is_some()));
        assert_eq!(tally.currency(WordId(1 << 16)), None);
        assert_eq!(tally.currency(WordId(9)), Some(9));
    }
}
