//! Durations, and what is told of them.

use std::time::Duration;

/// Durations of one kind of thing, and what went with them.
#[derive(Debug, Default)]
pub(crate) struct Figures {
    pub(crate) times: Vec<Duration>,
    pub(crate) records: usize,
    /// How many records the first answer had, when it was whole.
    pub(crate) first: Option<usize>,
    pub(crate) truncated: usize,
    pub(crate) errors: usize,
    pub(crate) first_error: Option<String>,
}

impl Figures {
    /// Takes in a page that was answered.
    pub(crate) fn page(&mut self, took: Duration, records: usize, truncated: bool) {
        if self.times.is_empty() && self.errors == 0 {
            self.first = Some(records).filter(|_| !truncated);
        }
        self.times.push(took);
        self.records += records;
        self.truncated += usize::from(truncated);
    }

    pub(crate) fn add(&mut self, other: Self) {
        self.times.extend(other.times);
        self.records += other.records;
        self.truncated += other.truncated;
        self.errors += other.errors;
        self.first_error = self.first_error.take().or(other.first_error);
    }

    /// The time that so many of a hundred did not exceed; `None` when nothing was answered.
    pub(crate) fn percentile(&self, percent: usize) -> Option<Duration> {
        let mut times = self.times.clone();
        times.sort_unstable();
        let rank = (times.len() * percent).div_ceil(100).max(1);
        times.get(rank - 1).copied()
    }

    pub(crate) fn records_a_page(&self) -> usize {
        self.records / self.times.len().max(1)
    }
}

/// Milliseconds with three significant digits, or `-`.
pub(crate) fn millis(time: Option<Duration>) -> String {
    let Some(time) = time else { return "-".to_owned() };
    let millis = time.as_secs_f64() * 1000.0;
    match millis {
        ..10.0 => format!("{millis:.2}"),
        ..100.0 => format!("{millis:.1}"),
        _ => format!("{millis:.0}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_percentile_is_a_time_that_was_measured() {
        let times: Vec<_> = (1..=100).rev().map(Duration::from_millis).collect();
        let figures = Figures { times, ..Figures::default() };
        assert_eq!(figures.percentile(50), Some(Duration::from_millis(50)));
        assert_eq!(figures.percentile(99), Some(Duration::from_millis(99)));
        assert_eq!(Figures::default().percentile(99), None);
        assert_eq!(millis(figures.percentile(5)), "5.00");
    }
}
