//! Records of an event type by hour, and what is expected of each.

use super::{
    finding::Terms,
    grid::WEEK,
    robust::{median, spread, stretch},
    tally::Tally,
};

/// How many weeks before the window there must be, for hours to be compared with those of a week.
pub(super) const MIN_WEEKS: usize = 4;

/// One in a hundred hours, and one in twenty days, of normal noise lies beyond so many standard deviations.
pub(super) const HOURS_TAIL: (f64, f64) = (0.99, 2.326);
pub(super) const DAYS_TAIL: (f64, f64) = (0.95, 1.645);

/// The counts of something in each hour.
#[derive(Debug, Clone, Default)]
pub(super) struct Series {
    pub(super) counts: Vec<u32>,
    /// Of these, the failed ones.
    pub(super) failed: Vec<u32>,
}

impl Series {
    fn new(hours: usize) -> Self {
        Self { counts: vec![0; hours], failed: vec![0; hours] }
    }

    pub(super) fn add(&mut self, other: &Self) {
        for (into, from) in [(&mut self.counts, &other.counts), (&mut self.failed, &other.failed)] {
            if into.len() < from.len() {
                into.resize(from.len(), 0);
            }
            into.iter_mut().zip(from).for_each(|(sum, more)| *sum = sum.saturating_add(*more));
        }
    }

    /// The series of each event type, in the order of their numbers.
    pub(super) fn of_types(tally: &Tally) -> Vec<Self> {
        let mut all = vec![Self::new(tally.grid.hours); tally.types.len()];
        for hour in 0..tally.grid.hours {
            for (count, (number, failed)) in tally.by_hour.row(hour).iter().zip(&tally.kinds) {
                let series = (*number as usize).checked_sub(1).and_then(|at| all.get_mut(at));
                let Some(series) = series.filter(|_| *count > 0) else { continue };
                let sum = |counts: &mut Vec<u32>| {
                    if let Some(sum) = counts.get_mut(hour) {
                        *sum = sum.saturating_add(*count);
                    }
                };
                sum(&mut series.counts);
                if *failed {
                    sum(&mut series.failed);
                }
            }
        }
        all
    }

    /// From which day on it is known: the day after it began, or from the first when nothing was there
    /// before the window.
    pub(super) fn first_day(&self, terms: &Terms) -> usize {
        let from = terms.first_day * 24;
        let base = self.counts.get(from..terms.grid.base_hours()).unwrap_or_default();
        match base.iter().position(|count| *count > 0) {
            // One that is as old as the trail may be silent at first.
            Some(hour) if hour >= WEEK => terms.first_day + hour.div_ceil(24),
            _ => terms.first_day,
        }
    }
}

/// What is expected of each hour of the week.
#[derive(Debug, Clone)]
pub(super) struct Expected {
    /// The least that would not be unusual for being much, and the most that for being little.
    high: Vec<f64>,
    low: Vec<f64>,
    /// The spread on the scale of [`stretch`].
    pub(super) spread: f64,
    /// The hours before the window that count.
    pub(super) from: usize,
    pub(super) to: usize,
}

impl Expected {
    /// None when there are too few weeks.
    pub(super) fn new(series: &Series, terms: &Terms) -> Option<Self> {
        let grid = &terms.grid;
        let (from, to) = (series.first_day(terms) * 24, grid.base_hours());
        if to < from + MIN_WEEKS * WEEK {
            return None;
        }
        let mut by_hour: Vec<Vec<f64>> = vec![Vec::new(); WEEK];
        for (hour, count) in series.counts.iter().enumerate().take(to).skip(from) {
            if let Some(values) = by_hour.get_mut(grid.hour_of_week(hour)) {
                values.push(f64::from(*count));
            }
        }
        let (mut high, mut low) = (Vec::with_capacity(WEEK), Vec::with_capacity(WEEK));
        for at in 0..WEEK {
            let of = |at: usize| by_hour.get(at % WEEK).map_or(&[][..], |values| values);
            let last = |values: &[f64]| {
                values.get(values.len().saturating_sub(MIN_WEEKS)..).unwrap_or_default().to_vec()
            };
            // What grew or shrank lately is not unusual for it. Four values alone say little, so those of
            // the hours beside stand by them where that does not hide anything.
            let beside = [of(at + WEEK - 1), of(at), of(at + 1)];
            let mut around = beside.concat();
            let mut around_lately = beside.map(last).concat();
            let (mut here, mut here_lately) = (of(at).to_vec(), last(of(at)));
            let here = median(&mut here);
            high.push(here.max(median(&mut around)).max(median(&mut around_lately)));
            low.push(here.min(median(&mut here_lately)));
        }
        let mut expected = Self { high, low, spread: 1.0, from, to };
        let mut residuals: Vec<f64> = (from..to)
            .map(|hour| {
                let count = series.counts.get(hour).copied().unwrap_or(0);
                stretch(f64::from(count)) - stretch(expected.high(terms, hour))
            })
            .collect();
        expected.spread = spread(&mut residuals, HOURS_TAIL);
        Some(expected)
    }

    pub(super) fn high(&self, terms: &Terms, hour: usize) -> f64 {
        self.high.get(terms.grid.hour_of_week(hour)).copied().unwrap_or(0.0)
    }

    pub(super) fn low(&self, terms: &Terms, hour: usize) -> f64 {
        self.low.get(terms.grid.hour_of_week(hour)).copied().unwrap_or(0.0)
    }

    /// How many hours of the same kind before the window an expectation rests on.
    pub(super) fn observations(&self) -> u64 {
        ((self.to - self.from) / WEEK) as u64
    }

    /// The value that something is expected at where there is anything: the middle of all hours.
    pub(super) fn usual_low(&self) -> f64 {
        let mut values: Vec<f64> = self.low.iter().copied().filter(|low| *low > 0.0).collect();
        median(&mut values)
    }
}

/// How many standard deviations a count is above what was expected.
pub(super) fn above(count: u32, expected: f64, spread: f64) -> f64 {
    (stretch(f64::from(count)) - stretch(expected)) / spread
}
