//! Users who are active when they never are.
//!
//! How likely a user is to be there in an hour of the week is taken from the weeks before the window: as
//! often as in that hour and those beside it, or as the days of the week and the hours of the day
//! go together, whichever is more. Who never works at night nor on Sundays is even less likely to
//! work on a Sunday night. The hours at which hardly anything was to be expected are added up, by how
//! little that was, over a day.

use super::{
    anomaly::AnomalyKind,
    finding::{About, Finding, Terms, length, plain},
    grid::WEEK,
    robust::{Extremes, gate, sigmas},
    tally::Tally,
};
use crate::fact::ValueId;

/// Active days and hours before the window that there must be, and how many days ago the first must be.
const MIN_DAYS: u32 = 15;
const MIN_HOURS: u32 = 60;
const MIN_AGE: usize = 28;
/// An hour is unusual when the user is there in fewer than two of a hundred such hours.
const RARE: f64 = 0.02;
/// Some weeks cannot say that an hour is even less likely than this.
const RAREST: f64 = 0.002;
/// The least records and hours that are worth telling.
const MIN_RECORDS: u64 = 4;
const MIN_ACTIVE: usize = 2;
/// What an hour weighs that follows another: who is there mostly stays a while.
const STAYS: f64 = 0.6;
/// How many times the probability of the threshold may be used up by all tests together.
const INDULGENCE: f64 = 3.0;
/// All days but the oddest one are usual: there are few who work on a Sunday, and they must not be found
/// one after the other.
const USUAL: f64 = 0.985;
/// How far the extremes of the days before must be exceeded.
const MARGIN: f64 = 1.15;

/// When a user is there.
struct Profile {
    by_hour: [u16; WEEK],
    by_day_of_week: [u16; 7],
    by_hour_of_day: [u16; 24],
    hours: u32,
    weeks: f64,
}

impl Profile {
    fn new(by_hour: [u16; WEEK], weeks: f64) -> Self {
        let (mut by_day_of_week, mut by_hour_of_day, mut hours) = ([0; 7], [0; 24], 0);
        for (at, count) in by_hour.iter().enumerate() {
            if let Some(sum) = by_day_of_week.get_mut(at / 24) {
                *sum += count;
            }
            if let Some(sum) = by_hour_of_day.get_mut(at % 24) {
                *sum += count;
            }
            hours += u32::from(*count);
        }
        Self { by_hour, by_day_of_week, by_hour_of_day, hours, weeks }
    }

    /// How unlikely it is to be there in that hour of the week, as minus a natural logarithm; 0 when that
    /// is not rare. `known` is 1 for an hour that is in the profile and must not speak for itself.
    fn surprise(&self, at: usize, known: u16) -> f64 {
        let of = |counts: &[u16], at: usize| {
            let all = counts.len();
            let around = [at + all - 1, at, at + 1];
            let counts = around.map(|at| counts.get(at % all).copied().unwrap_or(0));
            f64::from(counts.iter().sum::<u16>().saturating_sub(known))
        };
        let known_one = f64::from(known);
        let here = of(&self.by_hour, at) / (3.0 * self.weeks);
        let day = self.by_day_of_week.get(at / 24).copied().unwrap_or(0);
        let day = f64::from(day) - known_one + 1.0;
        let hour = of(&self.by_hour_of_day, at % 24) / 3.0 + 0.7;
        let together = day * hour / (f64::from(self.hours).max(1.0) * self.weeks);
        let likely = here.max(together);
        if likely < RARE { -likely.max(RAREST).ln() } else { 0.0 }
    }
}

/// Users who were active at hours at which they hardly ever are.
pub(super) fn unusual_hours(tally: &Tally, terms: &Terms) -> Vec<Finding> {
    let grid = &terms.grid;
    let (from, base) = (terms.first_day * 24, grid.base_hours());
    let weeks = (terms.base_days() as f64 / 7.0).max(1.0);
    let mut extremes = Extremes::new(grid.base_days);
    let (mut found, mut tests) = (Vec::new(), 0);
    let mut hours: Vec<Vec<u16>> = vec![Vec::new(); 64];
    for group in 0..tally.active.groups() {
        // Hour by hour, for 64 users at once, since the bits lie so.
        hours.iter_mut().for_each(Vec::clear);
        for hour in from..grid.hours {
            let mut word = tally.active.word(hour, group);
            while word != 0 {
                if let Some(of_user) = hours.get_mut(word.trailing_zeros() as usize) {
                    of_user.push(hour as u16);
                }
                word &= word - 1;
            }
        }
        for (user, hours) in ((group * 64) as u32..).zip(&hours) {
            let mut counts = [0_u16; WEEK];
            let (mut active_days, mut last_day, mut first_day) = (0, usize::MAX, usize::MAX);
            for hour in hours.iter().map(|hour| usize::from(*hour)).take_while(|hour| *hour < base)
            {
                if let Some(count) = counts.get_mut(grid.hour_of_week(hour)) {
                    *count += 1;
                }
                first_day = first_day.min(hour / 24);
                active_days += u32::from(hour / 24 != last_day);
                last_day = hour / 24;
            }
            let profile = Profile::new(counts, weeks);
            if active_days < MIN_DAYS
                || profile.hours < MIN_HOURS
                || first_day + MIN_AGE > grid.base_days
            {
                continue;
            }
            let rare: Vec<(usize, f64)> = hours
                .iter()
                .map(|hour| usize::from(*hour))
                .map(|hour| {
                    let known = u16::from(hour < base);
                    (hour, profile.surprise(grid.hour_of_week(hour), known))
                })
                .filter(|(_, surprise)| *surprise > 0.0)
                .collect();
            let mut days_in_window = 0;
            let mut last = usize::MAX;
            for day in hours.iter().map(|hour| usize::from(*hour) / 24) {
                days_in_window += usize::from(day >= grid.base_days && day != last);
                last = day;
            }
            tests += days_in_window;
            for of_day in rare.chunk_by(|one, other| one.0 / 24 == other.0 / 24) {
                let Some((hour, _)) = of_day.first() else { continue };
                if of_day.len() < MIN_ACTIVE {
                    continue;
                }
                let surprise = surprise_of(of_day);
                if *hour < base {
                    extremes.offer(hour / 24, surprise);
                } else {
                    let score = sigmas(surprise);
                    let likely: f64 = of_day.iter().map(|(_, surprise)| (-surprise).exp()).sum();
                    let hours: Vec<usize> = of_day.iter().map(|(hour, _)| *hour).collect();
                    found.push(Found { user, hours, score, likely, hours_before: profile.hours });
                }
            }
        }
    }
    let usual = sigmas(extremes.usual_from(terms.first_day, USUAL));
    let gate = gate(terms.threshold, (tests, INDULGENCE), (usual, MARGIN));
    found.retain(|found| found.score >= gate);
    joined_days(found).iter().filter_map(|found| found.tell(tally, terms, gate)).collect()
}

/// How unlikely the hours of a day are together.
fn surprise_of(hours: &[(usize, f64)]) -> f64 {
    let (mut sum, mut last) = (0.0, None);
    for (hour, surprise) in hours {
        let follows = last.is_some_and(|last| last + 1 == *hour);
        sum += if follows { surprise * STAYS } else { *surprise };
        last = Some(*hour);
    }
    sum
}

/// Hours of a user that are unusual.
struct Found {
    user: u32,
    hours: Vec<usize>,
    score: f64,
    /// In how many of these hours the user was to be expected.
    likely: f64,
    hours_before: u32,
}

/// Days of a user that follow each other, as one.
fn joined_days(found: Vec<Found>) -> Vec<Found> {
    let mut out: Vec<Found> = Vec::new();
    for next in found {
        let follows = |last: &&mut Found| {
            let (Some(end), Some(begin)) = (last.hours.last(), next.hours.first()) else {
                return false;
            };
            last.user == next.user && begin / 24 <= end / 24 + 1
        };
        match out.last_mut().filter(follows) {
            Some(last) => {
                last.hours.extend(next.hours);
                last.score = last.score.max(next.score);
                last.likely += next.likely;
            }
            None => out.push(next),
        }
    }
    out
}

impl Found {
    fn tell(&self, tally: &Tally, terms: &Terms, gate: f64) -> Option<Finding> {
        let grid = &terms.grid;
        let base = grid.base_hours();
        let of =
            |hour: usize| u64::from(tally.user_hours.get(hour.saturating_sub(base), self.user));
        let unusual: u64 = self.hours.iter().map(|hour| of(*hour)).sum();
        if unusual < MIN_RECORDS {
            return None;
        }
        let (first, last) = (*self.hours.first()?, *self.hours.last()?);
        Some(Finding {
            kind: AnomalyKind::UnusualHours,
            about: About { user: ValueId(self.user), ..About::default() },
            score: self.score,
            gate,
            range: grid.span_of_hours(first, last + 1),
            count: (first..=last).map(of).sum(),
            observed: self.hours.len().to_string(),
            expected: plain(self.likely),
            unit: "active hours",
            observations: self.hours_before.into(),
            sentence: format!(
                "active in {} of the week in which this user hardly ever is, with {unusual} records; such hours of the weeks before make {} expected (from {} active hours before).",
                length(self.hours.len(), "hour"),
                plain(self.likely),
                self.hours_before,
            ),
            statuses: Vec::new(),
        })
    }
}
