//! First uses: of an address, an event type, a class of resources, by a user with a history.
//!
//! Something new is not unusual in itself: people get new addresses. How unusual it is follows from how often
//! it happened before the window, on days on which the user was there and known for two weeks:
//! to the same user, drawn towards how many users it happens to at all by as much as thirty such days
//! weigh, so that one who travels does not speak for the rest; and, of what
//! several share (types and resources), how often others began to use just this. What almost
//! never happens to anybody is a finding; what happens to somebody each week is none, unless it
//! comes in numbers.

use std::collections::HashMap;

use super::{
    anomaly::AnomalyKind,
    finding::{About, Finding, Terms, plain},
    robust::{Extremes, USUAL, gate, sigmas},
    table::{Table, of_pair},
    tally::{Met, Tally},
};
use crate::{
    fact::{Legend, ValueId, WordId},
    filter::TimeRange,
};

/// After so many active days, and so many days, a user is known, and what is new from then on is counted
/// as new; a user who has been known for as many days has a history.
const LEARNING_ACTIVE: u32 = 10;
const LEARNING: usize = 14;
/// How many active days the rate of all weighs.
const PRIOR: f64 = 30.0;
/// How many times the probability of the threshold may be used up by all tests together: for a single
/// thing, of which nobody can be as certain as of many (at 3 standard deviations this is one in
/// ten), and for many.
const INDULGENCE_ONE: f64 = 74.0;
const INDULGENCE_MANY: f64 = 5.0;
/// By how much the usual extremes must be exceeded.
const MARGIN: f64 = 1.1;
/// What so many known users begin to use in one window was introduced, and says nothing of any of them.
const INTRODUCED: usize = 5;
/// So many on a day are told one by one.
const FEW: usize = 4;

/// The days of a user.
#[derive(Debug, Clone, Copy, Default)]
struct History {
    first: Option<usize>,
    /// From which day on the user is known.
    known_from: Option<usize>,
    active: u32,
    /// Active days since.
    counted: u32,
    in_window: u32,
}

impl History {
    fn take(&mut self, day: usize) {
        let first = *self.first.get_or_insert(day);
        self.active += 1;
        if self.known_from.is_some() {
            self.counted += 1;
        } else if self.active >= LEARNING_ACTIVE && first + LEARNING <= day {
            self.known_from = Some(day + 1);
        }
    }

    /// Whether something new is counted that day.
    fn counts_on(&self, day: usize) -> bool {
        self.known_from.is_some_and(|from| from <= day)
    }

    /// Whether something new in the window means anything.
    fn is_long(&self, terms: &Terms) -> bool {
        self.known_from.is_some_and(|from| from + LEARNING <= terms.grid.base_days)
    }
}

/// Something that a user used for the first time.
#[derive(Debug, Clone, Copy)]
struct First {
    user: u32,
    thing: u32,
    day: usize,
    /// Of one in the window, when that was and how often it was used since.
    met: Met,
}

/// First uses that are unusual.
pub(super) fn firsts(tally: &Tally, terms: &Terms, legend: &Legend) -> Vec<Finding> {
    let histories = histories(tally, terms);
    let search = Search { tally, histories: &histories, terms };
    let addresses = tally.addresses_before.iter().map(|(key, day)| (of_pair(key), day));
    let addresses = search.uses(addresses, &tally.address_uses);
    let mut out = search.of(addresses, AnomalyKind::NewAddress);
    for found in &mut out {
        found.about.address = ValueId(found.about.resource.0);
        found.about.resource = WordId::NONE;
    }
    let types = search.uses(types_before(tally, terms).into_iter(), &tally.type_uses);
    let mut of_types = search.of(types, AnomalyKind::NewEventType);
    for found in &mut of_types {
        let at = (found.about.resource.0 as usize).checked_sub(1);
        found.about.event_type = at.and_then(|at| tally.types.get(at)).cloned();
        found.about.resource = WordId::NONE;
    }
    out.extend(of_types);
    let resources = search.uses(tally.resources_before.iter(), &tally.resource_uses);
    let resources = search.of(resources, AnomalyKind::NewResource).into_iter();
    // That is no class, but all that could not be told apart.
    let others =
        |found: &Finding| legend.others().is_some() && found.about.resource == legend.others();
    out.extend(resources.filter(|found| !others(found)));
    out
}

/// When users were there.
fn histories(tally: &Tally, terms: &Terms) -> Vec<History> {
    let mut out: Vec<History> = Vec::new();
    for day in terms.first_day..terms.grid.days {
        for (user, _) in tally.users.row(day) {
            let at = user as usize;
            if at >= out.len() {
                out.resize(at + 1, History::default());
            }
            let Some(history) = out.get_mut(at) else { continue };
            if day >= terms.grid.base_days {
                history.in_window += 1;
                continue;
            }
            history.take(day);
        }
    }
    out
}

/// When users first used event types before the window: one more than the day.
fn types_before(tally: &Tally, terms: &Terms) -> Vec<((u32, u32), u16)> {
    let pairs: Vec<((u32, u32), u32)> = tally.user_types.iter().collect();
    let mut first: Vec<u16> = vec![0; pairs.len() + 1];
    for day in (0..terms.grid.base_days).rev() {
        for (count, first) in tally.of_user_types.cells(day).iter().zip(&mut first) {
            *first = if *count > 0 { day as u16 + 1 } else { *first };
        }
    }
    let first_of = |number: u32| first.get(number as usize).copied().unwrap_or(0);
    let with_day = |(pair, number)| (pair, first_of(number));
    pairs.into_iter().map(with_day).filter(|(_, day)| *day > 0).collect()
}

/// What is new on a day, with how many first uses were expected: see [`Rates::of`].
type News = Vec<((f64, f64), First)>;

struct Search<'t> {
    tally: &'t Tally,
    histories: &'t [History],
    terms: &'t Terms,
}

/// How often something new came before the window.
struct Rates {
    /// Active days of all users on which what was new counted.
    days: f64,
    of_user: HashMap<u32, u32>,
    of_thing: HashMap<u32, u32>,
    shared: bool,
}

impl Rates {
    /// How many first uses of anything, and how many of just this, are expected in a day of the user; of
    /// one that was counted, without it.
    fn of(&self, first: &First, history: &History, was_counted: bool) -> (f64, f64) {
        let without = |count: Option<&u32>| {
            f64::from(count.copied().unwrap_or(0).saturating_sub(u32::from(was_counted)))
        };
        let own = self.of_user.get(&first.user).copied().unwrap_or(0);
        let others = self.of_user.len() - usize::from(was_counted && own == 1);
        let all = (others as f64 + 0.5) / (self.days + 1.0);
        let of_user = (without(self.of_user.get(&first.user)) + all * PRIOR)
            / (f64::from(history.counted) + PRIOR);
        if !self.shared {
            return (of_user, of_user);
        }
        let of_thing = (without(self.of_thing.get(&first.thing)) + 0.5) / (self.days + 1.0);
        (of_user, (of_thing * of_user / all).min(of_user))
    }
}

impl Search<'_> {
    fn history(&self, user: u32) -> History {
        self.histories.get(user as usize).copied().unwrap_or_default()
    }

    /// First uses of something, by all users: before the window by days, in it to the second.
    fn uses(
        &self,
        before: impl Iterator<Item = ((u32, u32), u16)>,
        in_window: &Table<Met>,
    ) -> Vec<First> {
        let mut out: Vec<First> = before
            .map(|((user, thing), day)| First {
                user,
                thing,
                day: usize::from(day).saturating_sub(1),
                met: Met::default(),
            })
            .collect();
        // The window's are after all others of the same pair.
        out.extend(in_window.iter().map(|(key, met)| {
            let ((user, thing), day) = (of_pair(key), (met.first / 86_400) as usize);
            First { user, thing, day, met }
        }));
        out.sort_unstable_by_key(|first| (first.user, first.thing, first.day));
        out.dedup_by_key(|first| (first.user, first.thing));
        out
    }

    /// First uses of one kind that are unusual; what was used stands as the resource.
    fn of(&self, mut firsts: Vec<First>, kind: AnomalyKind) -> Vec<Finding> {
        let grid = &self.terms.grid;
        let shared = kind != AnomalyKind::NewAddress;
        // How many used it before the window, and since when.
        let mut known: HashMap<u32, (u32, usize)> = HashMap::new();
        for first in firsts.iter().filter(|first| first.day < grid.base_days) {
            let (users, since) = known.entry(first.thing).or_insert((0, first.day));
            *users += 1;
            *since = first.day.min(*since);
        }
        firsts.retain(|first| {
            let history = self.history(first.user);
            history.counts_on(first.day)
                && (first.day < grid.base_days || history.is_long(self.terms))
        });
        // An address at which many are known is an office; a type that nobody knew was introduced.
        let means_something = |first: &First| {
            let (users, since) = known.get(&first.thing).copied().unwrap_or((0, usize::MAX));
            if shared { since.saturating_add(LEARNING) <= first.day } else { users < 5 }
        };
        firsts.retain(means_something);
        firsts.sort_unstable_by_key(|first| (first.user, first.day, first.thing));
        let rates = self.rates(&firsts, shared);
        let mut beginners: HashMap<u32, usize> = HashMap::new();
        for first in firsts.iter().filter(|first| first.day >= grid.base_days && shared) {
            *beginners.entry(first.thing).or_default() += 1;
        }
        let (mut found, mut extremes) = (Vec::new(), Extremes::new(grid.base_days));
        for of_day in firsts.chunk_by(|one, other| (one.user, one.day) == (other.user, other.day)) {
            let Some(one) = of_day.first() else { continue };
            let (history, before) = (self.history(one.user), one.day < grid.base_days);
            let news: News = of_day
                .iter()
                .filter(|first| beginners.get(&first.thing).is_none_or(|n| *n < INTRODUCED))
                .map(|first| (rates.of(first, &history, before), *first))
                .collect();
            let (single, many) = surprise(&news);
            if before {
                extremes.offer(one.day, single.max(many));
            } else {
                found.push(((sigmas(single), sigmas(many)), news, history));
            }
        }
        let known = self.histories.iter().filter(|history| history.is_long(self.terms));
        let tests: u32 = known.map(|history| history.in_window).sum();
        let usual = sigmas(extremes.usual_from(self.terms.first_day + LEARNING, USUAL));
        let gate =
            |indulgence| gate(self.terms.threshold, (tests as usize, indulgence), (usual, MARGIN));
        let (gate_one, gate_many) = (gate(INDULGENCE_ONE), gate(INDULGENCE_MANY));
        let tell = |((single, many), news, history): ((f64, f64), News, History)| {
            let (score, gate) = if single >= gate_one {
                (single.max(many), gate_one)
            } else if many >= gate_many {
                (many, gate_many)
            } else {
                return Vec::new();
            };
            self.tell(kind, (score, gate), &news, &history)
        };
        found.into_iter().flat_map(tell).collect()
    }

    fn rates(&self, firsts: &[First], shared: bool) -> Rates {
        let mut rates = Rates {
            days: self.histories.iter().map(|history| f64::from(history.counted)).sum(),
            of_user: HashMap::new(),
            of_thing: HashMap::new(),
            shared,
        };
        for first in firsts.iter().filter(|first| first.day < self.terms.grid.base_days) {
            *rates.of_user.entry(first.user).or_default() += 1;
            *rates.of_thing.entry(first.thing).or_default() += 1;
        }
        rates
    }

    /// What is new on a day: a finding for each when they are few, else one for the day.
    fn tell(
        &self,
        kind: AnomalyKind,
        (score, gate): (f64, f64),
        news: &[((f64, f64), First)],
        history: &History,
    ) -> Vec<Finding> {
        let what = match kind {
            AnomalyKind::NewAddress => "address",
            AnomalyKind::NewEventType => "event type",
            _ => "kind of resource",
        };
        let (any, this) = news.first().map_or((0.0, 0.0), |(rates, _)| *rates);
        let expected = if news.len() == 1 { this } else { any };
        let usual = format!(
            "about {} such first uses a day are usual (from {} active days before)",
            per_day(expected),
            history.active
        );
        let finding = |user: u32, range: TimeRange, count: u64, sentence: String| Finding {
            kind,
            about: About { user: ValueId(user), ..About::default() },
            score,
            gate,
            range,
            count,
            observed: news.len().to_string(),
            expected: per_day(expected),
            unit: "first uses a day",
            observations: history.active.into(),
            sentence,
            statuses: Vec::new(),
        };
        let Some((_, one)) = news.first().filter(|_| news.len() > FEW) else {
            let of = |(_, first): &((f64, f64), First)| {
                let others = match news.len() {
                    1 => String::new(),
                    n => format!(" (one of {n} that are new on this day)"),
                };
                let sentence = format!(
                    "the first use of this {what} by a user with a history{others}, {} records since; {usual}.",
                    first.met.count
                );
                let range = self.terms.grid.span_of_seconds(first.met.first, first.met.last);
                let mut one = finding(first.user, range, first.met.count.into(), sentence);
                one.about.resource = WordId(first.thing);
                one
            };
            return news.iter().map(of).collect();
        };
        let range = self.terms.grid.span_of_days(one.day, one.day + 1);
        let count = self.tally.users.get(one.day, one.user).into();
        let sentence = format!(
            "on one day {} times a first use of an {what}, by a user with a history; {usual}.",
            news.len()
        );
        vec![finding(one.user, range, count, sentence)]
    }
}

/// How unlikely the first uses of a day are: for one of them, and for being so many.
fn surprise(news: &[((f64, f64), First)]) -> (f64, f64) {
    let (mut many, mut one) = (0.0, 0.0_f64);
    for (number, ((any, this), _)) in (1_u32..).zip(news) {
        // They might have come in any order.
        many += f64::from(number).ln() - any.min(1.0).ln();
        one = one.max(-this.min(1.0).ln());
    }
    (one, many)
}

fn per_day(rate: f64) -> String {
    if rate >= 0.01 { plain(rate) } else { format!("{rate:.6}") }
}
