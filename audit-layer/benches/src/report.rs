//! Figures by name, and tables of them.

use std::{collections::BTreeMap, fmt};

/// What one measurement found.
#[derive(Debug, Clone, Default)]
pub struct Outcome(BTreeMap<String, f64>);

impl Outcome {
    pub fn set(&mut self, name: &str, value: f64) {
        self.0.insert(name.to_owned(), value);
    }

    pub fn get(&self, name: &str) -> f64 {
        self.0.get(name).copied().unwrap_or(f64::NAN)
    }

    pub fn parse(text: &str) -> Self {
        let pairs = text.lines().filter_map(|line| line.split_once(' '));
        Self(pairs.filter_map(|(name, value)| Some((name.into(), value.parse().ok()?))).collect())
    }

    /// The percentiles of nanoseconds, and their mean.
    pub fn of_times(mut times: Vec<u32>) -> Self {
        times.sort_unstable();
        let at = |share: f64| f64::from(times[((times.len() - 1) as f64 * share) as usize]);
        let mut outcome = Self::default();
        outcome.set("p50", at(0.5));
        outcome.set("p99", at(0.99));
        outcome.set("p99.9", at(0.999));
        let sum: f64 = times.iter().map(|time| f64::from(*time)).sum();
        outcome.set("mean", sum / times.len() as f64);
        outcome
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|(name, value)| writeln!(f, "{name} {value}"))
    }
}
