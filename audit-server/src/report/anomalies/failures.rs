//! Users and addresses of which far more fails than usual.
//!
//! What is expected is the rate at which the same user or address failed before, drawn towards that of all by
//! as much as a hundred records weigh. So someone who was never there before is measured by what all
//! others do: a guesser of passwords has no history.

use super::{
    anomaly::AnomalyKind,
    counts::Periods,
    finding::{About, Finding, Terms, joined, length, plain},
    robust::{Extremes, USUAL, gate, stretch},
    table::{Table, of_pair, pair},
    tally::Tally,
};
use crate::fact::ValueId;

const MIN_MORE: f64 = 10.0;
const MIN_TIMES: f64 = 3.0;
/// By how much the usual extremes must be exceeded.
const MARGIN: f64 = 1.25;
/// How many records the rate of all weighs.
const PRIOR: f64 = 100.0;

/// A day that may be a finding.
#[derive(Debug, Clone, Copy)]
struct Day {
    number: u32,
    day: usize,
    score: f64,
    failed: u32,
    all: u32,
    expected: f64,
    /// Records before the window that the rate rests on.
    observations: u64,
}

/// Whose records: all, and the failed ones.
#[derive(Clone, Copy)]
struct Records<'t> {
    all: &'t Periods,
    failed: &'t Table<u32>,
}

/// Users and addresses of which far more fails than usual on a day.
pub(super) fn failures(tally: &Tally, terms: &Terms) -> Vec<Finding> {
    let statuses = tally.failed_statuses(None);
    let users = Records { all: &tally.users, failed: &tally.failed_users };
    let addresses = Records { all: &tally.addresses, failed: &tally.failed_addresses };
    let mut out = users.findings(terms, |user| About { user, ..About::default() });
    out.extend(addresses.findings(terms, |address| About { address, ..About::default() }));
    out.iter_mut().for_each(|finding| finding.statuses.clone_from(&statuses));
    out
}

impl Records<'_> {
    /// The days of the window on which far more failed than usual, and the gate.
    fn spikes(self, terms: &Terms) -> (Vec<Day>, f64) {
        let grid = &terms.grid;
        let mut before: Vec<(u64, u64)> = Vec::new();
        for day in terms.first_day..grid.base_days {
            for (number, count) in self.all.row(day) {
                let at = number as usize;
                if at >= before.len() {
                    before.resize(at + 1, (0, 0));
                }
                if let Some((_, all)) = before.get_mut(at) {
                    *all += u64::from(count);
                }
            }
        }
        let mut days: Vec<(u32, usize, u32)> = self
            .failed
            .iter()
            .map(|(key, failed)| (of_pair(key), failed))
            .map(|((number, day), failed)| (number, day as usize, failed))
            .filter(|(_, day, _)| *day >= terms.first_day)
            .collect();
        days.sort_unstable();
        for (number, _, failed) in days.iter().filter(|(_, day, _)| *day < grid.base_days) {
            if let Some((sum, _)) = before.get_mut(*number as usize) {
                *sum += u64::from(*failed);
            }
        }
        let (failed, all) =
            before.iter().fold((0, 0), |(failed, all), (f, a)| (failed + f, all + a));
        let rate_of_all = (failed as f64 + 1.0) / (all as f64 + 2.0);
        let (mut found, mut extremes) = (Vec::new(), Extremes::new(grid.base_days));
        for (number, day, failed) in days {
            let (mut failed_before, all_before) =
                before.get(number as usize).copied().unwrap_or_default();
            let all = self.all.get(day, number).max(failed);
            if day < grid.base_days {
                failed_before = failed_before.saturating_sub(failed.into());
            }
            let rate = (failed_before as f64 + rate_of_all * PRIOR) / (all_before as f64 + PRIOR);
            let expected = f64::from(all) * rate;
            if f64::from(failed) < (expected + MIN_MORE).max(expected * MIN_TIMES) {
                continue;
            }
            let score = stretch(f64::from(failed)) - stretch(expected);
            if day < grid.base_days {
                extremes.offer(day, score);
            } else {
                let observations = all_before;
                found.push(Day { number, day, score, failed, all, expected, observations });
            }
        }
        let there = |day| self.all.row(day).count();
        let tests: usize = (grid.base_days..grid.days).map(there).sum();
        let usual = extremes.usual_from(terms.first_day, USUAL);
        let gate = gate(terms.threshold, (tests, 1.0), (usual, MARGIN));
        found.retain(|day| day.score >= gate);
        (found, gate)
    }

    fn findings(self, terms: &Terms, about: impl Fn(ValueId) -> About) -> Vec<Finding> {
        let (days, gate) = self.spikes(terms);
        let mut out = Vec::new();
        for of_one in days.chunk_by(|one, other| one.number == other.number) {
            let Some(number) = of_one.first().map(|day| day.number) else { continue };
            for (from, to) in joined(of_one.iter().map(|day| day.day).collect()) {
                let within = of_one.iter().filter(|day| (from..to).contains(&day.day));
                let peak = within.max_by(|one, other| one.score.total_cmp(&other.score));
                let Some(peak) = peak else { continue };
                let failed = |day: usize| self.failed.get(pair(number, day as u32));
                let count: u64 = (from..to).filter_map(failed).map(u64::from).sum();
                out.push(Finding {
                    kind: AnomalyKind::FailureSpike,
                    about: about(ValueId(number)),
                    score: peak.score,
                    gate,
                    range: terms.grid.span_of_days(from, to),
                    count,
                    observed: peak.failed.to_string(),
                    expected: plain(peak.expected),
                    unit: "failed records a day",
                    observations: peak.observations,
                    sentence: format!(
                        "{count} failed records in {}; at the peak {} of {} records in a day, where {} failed ones are usual for as many (from {} records before).",
                        length(to - from, "day"),
                        peak.failed,
                        peak.all,
                        plain(peak.expected),
                        peak.observations,
                    ),
                    statuses: Vec::new(),
                });
            }
        }
        out
    }
}
