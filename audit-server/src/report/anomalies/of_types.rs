//! Event types by hour: far more records than usual, or far more of them failed.
//!
//! Hours that follow each other are one incident, and speak together: three hours that each would do with
//! one record more are unusual as three.

use super::{
    anomaly::AnomalyKind,
    finding::{About, Finding, Terms, length, plain},
    robust::{Extremes, USUAL, gate, spread, stretch},
    series::{DAYS_TAIL, Expected, HOURS_TAIL, Series, above},
    tally::Tally,
};

/// A spike has at least so many records more than expected in an hour, and so many times as many.
const MIN_MORE: f64 = 10.0;
const MIN_TIMES: f64 = 1.5;
/// The same for failures.
const MIN_FAILED: f64 = 8.0;
const MIN_FAILED_TIMES: f64 = 2.0;
/// From so many standard deviations on, an hour speaks beside the one before it.
const NOTABLE: f64 = 2.0;
/// How many times the probability of the threshold may be used up by all tests together.
const INDULGENCE: f64 = 4.0;
/// By how much the usual extremes must be exceeded.
const MARGIN: f64 = 1.3;

/// A period that may be a finding.
#[derive(Debug, Clone, Copy)]
struct Spike {
    type_at: usize,
    period: usize,
    score: f64,
    count: u32,
    expected: f64,
    observations: u64,
}

/// Periods that follow each other.
#[derive(Debug, Clone, Copy)]
struct Run {
    from: usize,
    to: usize,
    score: f64,
    peak: Spike,
}

/// What is looked for: of which kind, in periods of how many hours.
#[derive(Debug, Clone, Copy)]
struct Search<'t> {
    tally: &'t Tally,
    all: &'t [Series],
    terms: &'t Terms,
    kind: AnomalyKind,
    hours: usize,
}

/// Far more records than usual.
pub(super) fn volume(tally: &Tally, all: &[Series], terms: &Terms) -> Vec<Finding> {
    let search = Search { tally, all, terms, kind: AnomalyKind::VolumeSpike, hours: 1 };
    let (mut spikes, mut tests) = (Vec::new(), 0);
    for (type_at, series) in all.iter().enumerate() {
        let Some(expected) = Expected::new(series, terms) else { continue };
        tests += terms.grid.hours - terms.grid.base_hours();
        let observations = expected.observations();
        for (period, count) in series.counts.iter().copied().enumerate().skip(expected.from) {
            let usual = expected.high(terms, period);
            if f64::from(count) >= (usual + MIN_MORE).max(usual * MIN_TIMES) {
                let score = above(count, usual, expected.spread);
                spikes.push(Spike { type_at, period, score, count, expected: usual, observations });
            }
        }
    }
    search.findings(spikes, tests)
}

/// Far more failures than usual, for as many records: in an hour, or else in a day.
pub(super) fn failures(tally: &Tally, all: &[Series], terms: &Terms) -> Vec<Finding> {
    let search = Search { tally, all, terms, kind: AnomalyKind::FailureSpike, hours: 1 };
    let mut out = search.failures();
    for of_day in (Search { hours: 24, ..search }).failures() {
        let told = |of_hour: &Finding| {
            let both = of_hour.range.and(of_day.range);
            of_hour.about == of_day.about && both.from <= both.to
        };
        if !out.iter().any(told) {
            out.push(of_day);
        }
    }
    out
}

impl Search<'_> {
    /// The first period of the window.
    fn base(self) -> usize {
        self.terms.grid.base_hours() / self.hours
    }

    fn failures(self) -> Vec<Finding> {
        let grid = &self.terms.grid;
        let (mut spikes, mut tests) = (Vec::new(), 0);
        for (type_at, series) in self.all.iter().enumerate() {
            let first_hour = series.first_day(self.terms) * 24;
            let Some(rate) = usual_rate(series, first_hour, grid.base_hours()) else { continue };
            let from = first_hour / self.hours;
            tests += grid.hours.div_ceil(self.hours) - self.base();
            let periods: Vec<(u32, u32)> =
                self.sums(&series.counts).zip(self.sums(&series.failed)).skip(from).collect();
            let expected = |count: u32| f64::from(count) * rate;
            let mut residuals: Vec<f64> = periods
                .iter()
                .take(self.base() - from)
                .filter(|(count, _)| *count > 0)
                .map(|(count, failed)| stretch(f64::from(*failed)) - stretch(expected(*count)))
                .collect();
            let observations = residuals.len() as u64;
            let tail = if self.hours == 1 { HOURS_TAIL } else { DAYS_TAIL };
            let spread = spread(&mut residuals, tail);
            for (period, (all, count)) in (from..).zip(periods) {
                let usual = expected(all);
                if f64::from(count) < (usual + MIN_FAILED).max(usual * MIN_FAILED_TIMES) {
                    continue;
                }
                let score = above(count, usual, spread);
                spikes.push(Spike { type_at, period, score, count, expected: usual, observations });
            }
        }
        self.findings(spikes, tests)
    }

    /// The sums of the periods.
    fn sums(self, counts: &[u32]) -> impl Iterator<Item = u32> {
        counts
            .chunks(self.hours)
            .map(|hours| hours.iter().fold(0_u32, |sum, n| sum.saturating_add(*n)))
    }

    /// Those of the window that are above what chance and the days before it bring.
    fn findings(self, spikes: Vec<Spike>, tests: usize) -> Vec<Finding> {
        let mut extremes = Extremes::new(self.terms.grid.base_days);
        let mut found: Vec<Run> = Vec::new();
        for run in runs(spikes, self.base()) {
            if run.from < self.base() {
                extremes.offer(run.from * self.hours / 24, run.score);
            } else {
                found.push(run);
            }
        }
        let usual = extremes.usual_from(self.terms.first_day, USUAL);
        let gate = gate(self.terms.threshold, (tests, INDULGENCE), (usual, MARGIN));
        found.retain(|run| run.score >= gate);
        joined(found).iter().filter_map(|run| self.tell(run, gate)).collect()
    }

    fn tell(self, run: &Run, gate: f64) -> Option<Finding> {
        let Run { from, to, score, peak } = *run;
        let (series, name) = self.all.get(peak.type_at).zip(self.tally.types.get(peak.type_at))?;
        let failed = self.kind == AnomalyKind::FailureSpike;
        let counts = if failed { &series.failed } else { &series.counts };
        let count = self.sums(counts).skip(from).take(to - from).map(u64::from).sum();
        let (period, unit) = match (self.hours, failed) {
            (1, false) => ("hour", "records an hour"),
            (1, true) => ("hour", "failed records an hour"),
            (_, false) => ("day", "records a day"),
            (_, true) => ("day", "failed records a day"),
        };
        let sentence = format!(
            "{count} {} in {}; at the peak {} in one {period}, where {} are usual (from {} {period}s before{}).",
            if failed { "failed records" } else { "records" },
            length(to - from, period),
            peak.count,
            plain(peak.expected),
            peak.observations,
            if failed { ", for as many records" } else { ", of the same time of the week" },
        );
        Some(Finding {
            kind: self.kind,
            about: About { event_type: Some(name.clone()), ..About::default() },
            score,
            gate,
            range: self.terms.grid.span_of_hours(from * self.hours, to * self.hours),
            count,
            observed: peak.count.to_string(),
            expected: plain(peak.expected),
            unit,
            observations: peak.observations,
            sentence,
            statuses: if failed { self.tally.failed_statuses(Some(name)) } else { Vec::new() },
        })
    }
}

/// Periods that follow each other, on one side of the window's beginning.
fn runs(mut spikes: Vec<Spike>, base: usize) -> Vec<Run> {
    spikes.retain(|spike| spike.score >= NOTABLE);
    spikes.sort_by_key(|spike| (spike.type_at, spike.period));
    let follows = |one: &Spike, next: &Spike| {
        one.type_at == next.type_at && one.period + 1 == next.period && next.period != base
    };
    let mut out = Vec::new();
    for run in spikes.chunk_by(follows) {
        let Some(peak) = run.iter().max_by(|one, other| one.score.total_cmp(&other.score)) else {
            continue;
        };
        // The sum of independent scores has the square root of their number as its deviation; those of
        // hours beside each other are not quite independent.
        let together: f64 = run.iter().map(|spike| spike.score).sum();
        let together = together / (run.len() as f64).powf(2.0 / 3.0);
        let from = run.first().map_or(0, |spike| spike.period);
        let score = together.max(peak.score);
        out.push(Run { from, to: from + run.len(), score, peak: *peak });
    }
    out
}

/// Runs with at most one period between them, as one.
fn joined(runs: Vec<Run>) -> Vec<Run> {
    let mut out: Vec<Run> = Vec::new();
    for run in runs {
        let near =
            |last: &&mut Run| last.peak.type_at == run.peak.type_at && run.from <= last.to + 1;
        match out.last_mut().filter(near) {
            Some(last) => {
                last.to = run.to;
                if run.score > last.score {
                    (last.score, last.peak) = (run.score, run.peak);
                }
            }
            None => out.push(run),
        }
    }
    out
}

/// Which part of the records fails, leaving out the worst day in twenty; none when nothing was there on
/// ten days.
fn usual_rate(series: &Series, from: usize, to: usize) -> Option<f64> {
    let of = |counts: &[u32]| counts.iter().map(|count| u64::from(*count)).sum::<u64>();
    let (counts, failed) = (series.counts.get(from..to)?, series.failed.get(from..to)?);
    let mut days: Vec<(u64, u64)> = counts
        .chunks(24)
        .zip(failed.chunks(24))
        .map(|(counts, failed)| (of(failed), of(counts)))
        .filter(|(_, count)| *count > 0)
        .collect();
    if days.len() < 10 {
        return None;
    }
    days.sort_unstable();
    days.truncate((days.len() * 19).div_ceil(20));
    let (failed, count) =
        days.iter().fold((0, 0), |(failed, count), (f, c)| (failed + f, count + c));
    Some((failed as f64 + 0.5) / (count as f64 + 1.0))
}
