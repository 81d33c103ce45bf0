//! Users, and event types of users, by day: far more records than usual.

use super::{
    anomaly::AnomalyKind,
    counts::Periods,
    finding::{About, Finding, Terms, joined, length, plain},
    robust::{Extremes, USUAL, gate, median, spread, stretch},
    series::{DAYS_TAIL, above},
    tally::Tally,
};
use crate::fact::ValueId;

/// Active days before the window that there must be.
const MIN_ACTIVE: u32 = 10;
/// Days before the window on which the first of them must be at the latest.
const MIN_AGE: usize = 21;
/// By how much the usual extremes must be exceeded.
const MARGIN: f64 = 1.25;

/// A spread from so many days may be twice as large.
const FEW: f64 = 12.0;

/// How many more than expected, and how many times as many, a spike has at least.
#[derive(Debug, Clone, Copy)]
struct Least {
    more: f64,
    times: f64,
}

/// A day that may be a finding.
#[derive(Debug, Clone, Copy)]
struct Spike {
    number: u32,
    day: usize,
    score: f64,
    count: u32,
    expected: f64,
    /// Active days that the expectation rests on.
    observations: u32,
}

impl Spike {
    fn excess(&self) -> f64 {
        f64::from(self.count) - self.expected
    }
}

/// What was before the window, of one number.
#[derive(Debug, Clone, Copy, Default)]
struct Before {
    sum: u32,
    active: u32,
    first: usize,
}

/// Users with far more records than usual on a day, and users with far more of one event type.
pub(super) fn volume(tally: &Tally, terms: &Terms) -> Vec<Finding> {
    // Whose pair a number is of.
    let mut pairs: Vec<(u32, u32)> = Vec::new();
    for (pair, number) in tally.user_types.iter() {
        let at = number as usize;
        if at >= pairs.len() {
            pairs.resize((at + 1).next_power_of_two(), (0, 0));
        }
        if let Some(place) = pairs.get_mut(at) {
            *place = pair;
        }
    }
    let of = |number: u32| pairs.get(number as usize).copied();
    let user = |number: u32| of(number).map_or(0, |(user, _)| user);
    let histories = before(&tally.users, terms);
    let history = |user: u32| histories.get(user as usize).copied().unwrap_or_default();
    let of_users = spikes(&tally.users, (terms, Least { more: 25.0, times: 2.0 }), &history);
    // What someone does rarely is well known when the one is.
    let of_pairs =
        spikes(&tally.of_user_types, (terms, Least { more: 12.0, times: 3.0 }), &|number| {
            history(user(number))
        });
    // What is mostly of one event type is told of that alone, and what is of many of none of them.
    let explains =
        |pair: &Spike, whole: &Spike| user(pair.number) == whole.number && pair.day == whole.day;
    let mostly = |pair: &Spike, whole: &Spike| {
        explains(pair, whole) && pair.excess() >= 0.6 * whole.excess()
    };
    let (users, user_gate) = &of_users;
    let (parts, pair_gate) = &of_pairs;
    let told_of_users: Vec<Spike> = users
        .iter()
        .filter(|whole| !parts.iter().any(|pair| mostly(pair, whole)))
        .copied()
        .collect();
    let told_of_pairs: Vec<Spike> = parts
        .iter()
        .filter(|pair| !told_of_users.iter().any(|whole| explains(pair, whole)))
        .copied()
        .collect();
    let about_user = |number: u32| Some(About { user: ValueId(number), ..About::default() });
    let about_pair = |number: u32| {
        let (user, event_type) = of(number)?;
        let name = tally.types.get((event_type as usize).checked_sub(1)?)?;
        let event_type = Some(name.clone());
        Some(About { user: ValueId(user), event_type, ..About::default() })
    };
    let mut out = findings(&told_of_users, &tally.users, (*user_gate, terms), &about_user);
    out.extend(findings(&told_of_pairs, &tally.of_user_types, (*pair_gate, terms), &about_pair));
    out
}

/// The days of the window that are beyond the gate, and the gate.
///
/// `history` is what is known of the user whose number it is: on what is done for the first time, nothing
/// is said here.
fn spikes(
    counts: &Periods,
    (terms, least): (&Terms, Least),
    history: &dyn Fn(u32) -> Before,
) -> (Vec<Spike>, f64) {
    let grid = &terms.grid;
    let before = before(counts, terms);
    let known = |number: u32| before.get(number as usize).copied().unwrap_or_default();
    let eligible = |number: u32| {
        let history = history(number);
        known(number).active > 0
            && history.active >= MIN_ACTIVE
            && history.first + MIN_AGE <= grid.base_days
    };
    // Only a day with far more than the mean can be one with far more than the median: that is quickly
    // asked, and few are left.
    let mut candidates: Vec<(u32, usize, u32)> = Vec::new();
    for day in terms.first_day..grid.days {
        // Most days of most are small.
        for (number, count) in counts.row_from(day, least.more as u8) {
            let known = known(number);
            let mean = f64::from(known.sum) / f64::from(known.active.max(1));
            let large = f64::from(count) >= mean * least.times * 0.7;
            if large && eligible(number) {
                candidates.push((number, day, count));
            }
        }
    }
    candidates.sort_unstable();
    let (mut found, mut extremes) = (Vec::new(), Extremes::new(grid.base_days));
    for of_one in candidates.chunk_by(|one, other| one.0 == other.0) {
        let Some((number, ..)) = of_one.first() else { continue };
        let (known, active) = (known(*number), history(*number).active);
        let expected = Expected::new(counts, *number, (known.first, active), terms);
        for (number, day, count) in of_one.iter().copied() {
            let usual = expected.of(day, terms);
            let score = above(count, usual, expected.spread);
            if f64::from(count) < (usual + least.more).max(usual * least.times) {
                continue;
            }
            if day < grid.base_days {
                extremes.offer(day, score);
            } else {
                let observations = active;
                found.push(Spike { number, day, score, count, expected: usual, observations });
            }
        }
    }
    let numbers = 0..u32::try_from(before.len()).unwrap_or(u32::MAX);
    let tests = numbers.filter(|number| eligible(*number)).count() * terms.window_days();
    let usual = extremes.usual_from(terms.first_day, USUAL);
    let gate = gate(terms.threshold, (tests, 1.0), (usual, MARGIN));
    found.retain(|spike| spike.score >= gate);
    (found, gate)
}

/// What was before the window, by number. Without a branch for each count, so that the processor does
/// many at once.
fn before(counts: &Periods, terms: &Terms) -> Vec<Before> {
    let (days, numbers) = (terms.first_day..terms.grid.base_days, counts.numbers());
    let (mut sums, mut active) = (vec![0_u32; numbers], vec![0_u32; numbers]);
    let mut firsts = vec![u32::MAX; numbers];
    for day in days.clone() {
        let of_each = sums.iter_mut().zip(&mut active).zip(&mut firsts);
        for (count, ((sum, active), first)) in counts.cells(day).iter().zip(of_each) {
            let there = *count > 0;
            *sum += u32::from(*count);
            *active += u32::from(there);
            *first = (*first).min(if there { day as u32 } else { u32::MAX });
        }
    }
    for ((number, _), more) in counts.beyond().filter(|((_, day), _)| days.contains(day)) {
        if let Some(sum) = sums.get_mut(number as usize) {
            *sum = sum.saturating_add(more);
        }
    }
    let of_each = sums.into_iter().zip(active).zip(firsts);
    let mut out: Vec<Before> = of_each
        .map(|((sum, active), first)| Before { sum, active, first: first as usize })
        .collect();
    // That of nothing at all.
    if let Some(none) = out.first_mut() {
        *none = Before::default();
    }
    out
}

/// What is expected of each day of the week.
struct Expected {
    of_week: [f64; 7],
    spread: f64,
}

impl Expected {
    fn new(counts: &Periods, number: u32, (first, active): (usize, u32), terms: &Terms) -> Self {
        let grid = &terms.grid;
        let days: Vec<(usize, f64)> = (first..grid.base_days)
            .map(|day| (grid.day_of_week(day), counts.get(day, number).into()))
            .collect();
        let positive = |days: &[(usize, f64)]| {
            let some = days.iter().map(|(_, count)| *count).filter(|count| *count > 0.0);
            median(&mut some.collect::<Vec<_>>())
        };
        // A day on which the user is there, lately or ever, whichever is busier.
        let lately = days.get(days.len().saturating_sub(28)..).unwrap_or_default();
        let usual = positive(&days).max(positive(lately));
        let of_week = std::array::from_fn(|wanted| {
            let same = days.iter().filter(|(at, _)| *at == wanted).map(|(_, count)| *count);
            median(&mut same.collect::<Vec<_>>()).max(usual)
        });
        let mut expected = Self { of_week, spread: 1.0 };
        let mut residuals: Vec<f64> = days
            .iter()
            .filter(|(_, count)| *count > 0.0)
            .map(|(at, count)| {
                let usual = expected.of_week.get(*at).copied().unwrap_or(usual);
                stretch(*count) - stretch(usual)
            })
            .collect();
        // Few days say little of the spread.
        let few = 1.0 + FEW / f64::from(active.max(1));
        expected.spread = spread(&mut residuals, DAYS_TAIL) * few;
        expected
    }

    fn of(&self, day: usize, terms: &Terms) -> f64 {
        self.of_week.get(terms.grid.day_of_week(day)).copied().unwrap_or(0.0)
    }
}

fn findings(
    spikes: &[Spike],
    counts: &Periods,
    (gate, terms): (f64, &Terms),
    about: &dyn Fn(u32) -> Option<About>,
) -> Vec<Finding> {
    let mut out = Vec::new();
    for of_one in spikes.chunk_by(|one, other| one.number == other.number) {
        let Some(first) = of_one.first() else { continue };
        let Some(about) = about(first.number) else { continue };
        for (from, to) in joined(of_one.iter().map(|spike| spike.day).collect()) {
            let within = of_one.iter().filter(|spike| (from..to).contains(&spike.day));
            let Some(peak) = within.max_by(|one, other| one.score.total_cmp(&other.score)) else {
                continue;
            };
            let count: u64 = (from..to).map(|day| u64::from(counts.get(day, first.number))).sum();
            out.push(Finding {
                kind: AnomalyKind::VolumeSpike,
                about: about.clone(),
                score: peak.score,
                gate,
                range: terms.grid.span_of_days(from, to),
                count,
                observed: peak.count.to_string(),
                expected: plain(peak.expected),
                unit: "records a day",
                observations: peak.observations.into(),
                sentence: format!(
                    "{count} records in {}; at the peak {} in a day, where {} are usual (from {} active days before).",
                    length(to - from, "day"),
                    peak.count,
                    plain(peak.expected),
                    peak.observations,
                ),
                statuses: Vec::new(),
            });
        }
    }
    out
}
