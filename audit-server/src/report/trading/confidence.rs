//! How certain agents were.

use std::cmp::Reverse;

use bigdecimal::{BigDecimal, RoundingMode};

use super::{
    AgentConfidence, ConfidenceFigures, ConfidenceReport, LEVEL, MOST_GROUPS, level, orders::rank,
};
use crate::{
    fact::{Amount, Entry, Legend, Sum, WordId},
    report::{Top, by_number::Bounded, shortlist::shortlist},
};

/// Digits behind the point of a mean.
const MEAN_DIGITS: i64 = 4;

/// What can be told without having all of them.
#[derive(Debug, Clone, Default)]
struct Figures {
    count: u64,
    ends: Option<(Amount, Amount)>,
    /// The sum is that of both: most are added to a plain number.
    units: i128,
    sum: Sum,
}

impl Figures {
    /// Adds one that was leveled.
    fn add(&mut self, amount: Amount) {
        self.count += 1;
        match self.units.checked_add(amount.units()).filter(|_| amount.scale() == LEVEL) {
            Some(units) => self.units = units,
            None => self.sum.add(amount),
        }
        self.ends = Some(match self.ends {
            Some((min, max)) => (min.min(amount), max.max(amount)),
            None => (amount, amount),
        });
    }

    fn finish(mut self, median: Option<Amount>) -> Option<ConfidenceFigures> {
        let (min, max) = self.ends?;
        self.sum.add(Amount::new(self.units, LEVEL));
        let sum: BigDecimal = self.sum.to_string().parse().ok()?;
        let mean = sum / BigDecimal::from(self.count);
        let mean = mean.with_scale_round(MEAN_DIGITS, RoundingMode::HalfUp);
        Some(ConfidenceFigures {
            count: self.count,
            min: min.to_string(),
            median: median.map(|median| median.to_string()),
            mean: mean.to_plain_string(),
            max: max.to_string(),
        })
    }
}

/// One of them. An [`Amount`] in parts takes half of the room.
#[derive(Debug, Clone, Copy)]
struct One {
    units: i128,
    agent: WordId,
    scale: u8,
}

impl One {
    fn amount(&self) -> Amount {
        Amount::new(self.units, self.scale)
    }
}

/// All of one type of records.
#[derive(Debug)]
pub(super) struct Confidences {
    all: Figures,
    by_agent: Bounded<WordId, Figures>,
    /// Each; none when there are too many.
    each: Option<Vec<One>>,
    most: usize,
    without: u64,
}

impl Confidences {
    /// At most so many agents, and medians of at most so many.
    pub(super) fn new(agents: usize, most: usize) -> Self {
        let (all, by_agent) = (Figures::default(), Bounded::new(agents));
        Self { all, by_agent, each: Some(Vec::new()), most, without: 0 }
    }

    pub(super) fn see(&mut self, entry: &Entry) {
        let Some(amount) = entry.confidence else {
            self.without += 1;
            return;
        };
        let amount = level(amount);
        self.all.add(amount);
        if let Some(figures) = self.by_agent.entry(entry.agent) {
            figures.add(amount);
        }
        match &mut self.each {
            Some(each) if each.len() < self.most => {
                each.push(One { units: amount.units(), agent: entry.agent, scale: amount.scale() });
            }
            each => *each = None,
        }
    }

    pub(super) fn finish(self, legend: &Legend) -> ConfidenceReport {
        let mut each = self.each;
        let overall = self.all.finish(each.as_mut().and_then(|each| median(each)));
        if let Some(each) = &mut each {
            each.sort_unstable_by_key(|one| one.agent);
        }
        let by_agent = self.by_agent.into_map().map(|by_agent| {
            let (shown, total) = shortlist(
                by_agent.into_iter().collect(),
                MOST_GROUPS,
                |(agent, figures): &(WordId, Figures)| {
                    (Reverse(figures.count), legend.word(*agent))
                },
                |_| (),
                |_| (),
            );
            let items = shown.into_iter().filter_map(|((agent, figures), ())| {
                let median = each.as_mut().and_then(|each| {
                    let from = each.partition_point(|one| one.agent < agent);
                    let to = each.partition_point(|one| one.agent <= agent);
                    median(each.get_mut(from..to)?)
                });
                let confidence = figures.finish(median)?;
                let agent = agent.is_some().then(|| legend.word(agent).to_owned());
                Some(AgentConfidence { agent, confidence })
            });
            Top { items: items.collect(), total }
        });
        ConfidenceReport { overall, by_agent, without_confidence: self.without }
    }
}

fn median(each: &mut [One]) -> Option<Amount> {
    let place = rank(each.len(), 50);
    if each.is_empty() {
        return None;
    }
    let (_, median, _) = each.select_nth_unstable_by_key(place, One::amount);
    Some(median.amount())
}
