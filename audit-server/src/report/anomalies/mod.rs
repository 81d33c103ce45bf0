//! Anomalies: what is unusual, measured by what was before, and said so that a person can check it.
//!
//! Each user, address and event type is compared with itself. What it did in up to twelve weeks
//! before the window gives a middle and a spread, by medians, which a few wild days do not move; what
//! it does in the window is so many spreads away from that. A finding has both numbers, how many
//! observations they rest on, and a question that shows its records. Nothing is learned that cannot be
//! counted again by hand.
//!
//! # When nothing happens, nothing is found
//! A threshold of three standard deviations is one for one test. Ten thousand users over a week are
//! seventy thousand, of which by chance alone a hundred are beyond it, every week; a list of those is read once.
//! So a finding must pass four tests:
//! - the threshold itself, on a scale on which counts of all sizes vary alike ([`robust::stretch`]);
//! - the threshold for as many series as are looked at ([`robust::gate`]);
//! - the extremes of the same family before the window: what users get up to on the oddest day in twenty is
//!   not worth a word, however unlikely a normal distribution thinks it;
//! - a least difference, in records: four instead of none is no spike.
//!
//! # What is not found
//! What is unusual for nobody but within the usual, such as one strange payment of the usual amount;
//! what was there already when the trail began; what grew slowly. Users who are new have
//! nothing to be compared with, except for failures, where all others are. In a trail in which
//! people come from new addresses every day, one more is none; see [`novelty`].
//!
//! # Rejected
//! A forest of random cuts or a neural network: they find what they cannot explain. Means and standard
//! deviations: one attack in the baseline hides the next. Seasonal decomposition: medians of the same
//! hours of weeks are one, without a fit. Sharing a false discovery rate over all
//! findings: a large attack would let noise in beside it.
//!
//! # Speed
//! Ten million facts are counted in rows of small counters ([`counts`]) and some tables of pairs
//! ([`table`]), all of which stay in the processor's caches, because facts come in the order of time.
//! What is decided is decided afterwards, from the counters.
//!
//! # Invariant
//! Facts of several calls come in no order, so counting is sums, sets, least and greatest: the
//! result is the same in whatever order, and in whatever pieces, facts were taken.

mod amounts;
mod anomaly;
mod count;
mod counts;
mod daily;
mod document;
mod failures;
mod finding;
mod grid;
mod novelty;
mod of_types;
mod robust;
mod series;
mod silence;
mod table;
mod tally;
#[cfg(test)]
mod tests;
mod unusual_hours;

pub(crate) use anomaly::{Anomalies, Anomaly, MAX_ANOMALIES};

pub(crate) use count::Count;
pub(super) use count::{count, make_ready};
pub(crate) use grid::MAX_BASELINE_DAYS;

use self::{
    finding::{Finding, Terms},
    grid::Grid,
    series::Series,
    tally::Tally,
};
use super::{Header, Top};
use crate::{
    fact::{Facts, Fold, Legend, Texts},
    filter::TimeRange,
};

/// The threshold when none is asked for, and what it may be.
pub(crate) const DEFAULT_THRESHOLD: f64 = 3.0;
/// The least threshold.
pub(crate) const MIN_THRESHOLD: f64 = 1.0;
/// The greatest threshold.
pub(crate) const MAX_THRESHOLD: f64 = 100.0;

/// How many days before the window there must be, for anything to be looked for.
pub(crate) const MIN_DAYS: usize = 14;

/// Where to look, and how closely.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Settings {
    /// The time in which anomalies are looked for; of one that is longer than 366 days the last.
    pub(crate) window: TimeRange,
    /// From when on facts are given, in microseconds since the Unix epoch. Of what is before the window
    /// at most 84 days are looked at.
    pub(crate) baseline_from: i64,
    /// In robust standard deviations; what is not between [`MIN_THRESHOLD`] and [`MAX_THRESHOLD`] is taken for
    /// the nearer one.
    pub(crate) threshold: f64,
}

impl Settings {
    fn grid(&self) -> Grid {
        Grid::new(self.window, self.baseline_from)
    }

    fn bounded_threshold(&self) -> f64 {
        if self.threshold.is_nan() {
            return DEFAULT_THRESHOLD;
        }
        self.threshold.clamp(MIN_THRESHOLD, MAX_THRESHOLD)
    }
}

/// Counts facts, and then says what is unusual about them.
#[derive(Debug, Clone)]
pub(crate) struct Detector {
    tally: Tally,
    threshold: f64,
}

impl Detector {
    /// One that was given nothing yet.
    pub(crate) fn new(settings: Settings) -> Self {
        Self { tally: Tally::new(settings.grid()), threshold: settings.bounded_threshold() }
    }

    /// Goes on with a later end of the same window; false, and nothing is changed, when it is another
    /// window or an earlier end. The threshold may be another.
    pub(crate) fn go_on(&mut self, settings: Settings) -> bool {
        if !self.tally.extend(settings.grid()) {
            return false;
        }
        self.threshold = settings.bounded_threshold();
        true
    }

    /// Decides, and finds the texts for what is told.
    pub(crate) fn finish(
        &self,
        legend: &Legend,
        texts: &mut dyn Texts,
        header: Header,
    ) -> Anomalies {
        let (tally, grid) = (&self.tally, self.tally.grid);
        let mut left_out = tally.left_out(legend);
        // A day that began before the trail did would look like a quiet one.
        let first =
            (0..grid.base_hours()).find(|hour| tally.by_hour.row(*hour).iter().any(|n| *n > 0));
        let first_day = first.map_or(grid.base_days, |hour| hour.div_ceil(24));
        let terms = Terms { grid, threshold: self.threshold, first_day };
        let mut findings = Vec::new();
        if terms.base_days() < MIN_DAYS {
            left_out.push(format!(
                "Before the window the trail has {} whole days; {MIN_DAYS} are needed to compare with.",
                terms.base_days()
            ));
        } else {
            if terms.base_days() < series::MIN_WEEKS * 7 {
                left_out.push(format!(
                    "Before the window the trail has {} whole days; {} are needed to compare hours with those of other weeks, and to know what is new.",
                    terms.base_days(),
                    series::MIN_WEEKS * 7,
                ));
            }
            findings.extend(find(tally, &terms, legend));
        }
        let mut anomalies =
            Top::by(findings, MAX_ANOMALIES, finding::Finding::rank, |found| found.tell(texts));
        // What is equal in all else has the order of its subject.
        anomalies.items.sort_by(|one: &Anomaly, other| {
            other.score.total_cmp(&one.score).then_with(|| {
                (&one.from, one.kind, &one.subject).cmp(&(&other.from, other.kind, &other.subject))
            })
        });
        Anomalies {
            header,
            threshold: self.threshold,
            baseline_days: terms.base_days() as u64,
            anomalies,
            left_out,
        }
    }
}

/// What is unusual. The searches have nothing to do with each other, so two threads share them.
fn find(tally: &Tally, terms: &Terms, legend: &Legend) -> Vec<Finding> {
    let of_users = || {
        let mut out = daily::volume(tally, terms);
        out.extend(unusual_hours::unusual_hours(tally, terms));
        out
    };
    let of_the_rest = || {
        let all = Series::of_types(tally);
        let mut out = of_types::volume(tally, &all, terms);
        out.extend(of_types::failures(tally, &all, terms));
        out.extend(silence::silences(tally, &all, terms));
        out.extend(failures::failures(tally, terms));
        out.extend(novelty::firsts(tally, terms, legend));
        out.extend(amounts::amounts(tally, terms, legend));
        out
    };
    std::thread::scope(|scope| {
        let other = std::thread::Builder::new().name("anomalies".to_owned());
        let other = other.spawn_scoped(scope, of_users);
        let mut out = of_the_rest();
        // Without another thread this one does both.
        out.extend(match other.map(std::thread::ScopedJoinHandle::join) {
            Ok(Ok(found)) => found,
            Ok(Err(panic)) => std::panic::resume_unwind(panic),
            Err(_) => of_users(),
        });
        out
    })
}

impl Fold for Detector {
    fn take(&mut self, facts: &Facts<'_>) {
        self.tally.take(facts);
    }
}
