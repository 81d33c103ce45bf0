//! How much of what was decided, executed and cancelled.
//!
//! Each step belongs to four groups and to the whole. To add its amounts to five [`Sum`]s takes longer
//! than all else that is done with it, so they are added up in *parts* first: of one agent, symbol and
//! side, plain numbers with as many digits behind the point. What finds no room there any more, and all
//! of it from time to time, is joined to the sums. Whenever that is, they come to the same.

use crate::{
    fact::{Amount, Entry, Sum, WordId},
    report::by_number::Bounded,
};

/// What may happen to an order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    Decision,
    Execution,
    Cancellation,
}

/// What a step is about.
#[derive(Debug, Clone, Copy)]
pub(super) struct Amounts {
    pub(super) quantity: Option<Amount>,
    pub(super) notional: Option<Amount>,
    pub(super) currency: WordId,
}

impl Amounts {
    pub(super) fn of(entry: &Entry) -> Self {
        Self { quantity: entry.quantity, notional: entry.notional(), currency: entry.currency }
    }

    pub(super) fn is_none(&self) -> bool {
        self.quantity.is_none() && self.notional.is_none()
    }
}

/// How much of one step, exact however much it is.
#[derive(Debug, Clone, Default)]
pub(super) struct Volume {
    pub(super) count: u64,
    pub(super) failed: u64,
    pub(super) quantity: Sum,
    pub(super) without_quantity: u64,
    /// By currency. Mostly there is one, and never more than may be told apart.
    pub(super) notionals: Vec<(WordId, Sum)>,
    pub(super) without_notional: u64,
}

impl Volume {
    fn join(&mut self, parts: &Parts, has_currency: &mut impl FnMut(WordId) -> bool) {
        self.count += parts.count;
        self.failed += parts.failed;
        self.without_quantity += parts.without_quantity;
        self.without_notional += parts.without_notional;
        for part in &parts.quantities.0 {
            self.quantity.add(part.amount());
        }
        for part in &parts.notionals.0 {
            if !has_currency(part.currency) {
                continue;
            }
            match self.notionals.iter_mut().find(|(currency, _)| *currency == part.currency) {
                Some((_, sum)) => sum.add(part.amount()),
                None => {
                    let mut sum = Sum::default();
                    sum.add(part.amount());
                    self.notionals.push((part.currency, sum));
                }
            }
        }
    }
}

/// Something of each step.
#[derive(Debug, Clone, Default)]
pub(super) struct Steps<T> {
    pub(super) decisions: T,
    pub(super) executions: T,
    pub(super) cancellations: T,
}

impl<T> Steps<T> {
    pub(super) fn of(&mut self, step: Step) -> &mut T {
        match step {
            Step::Decision => &mut self.decisions,
            Step::Execution => &mut self.executions,
            Step::Cancellation => &mut self.cancellations,
        }
    }
}

/// How much of each step.
pub(super) type Volumes = Steps<Volume>;

impl Volumes {
    /// Adds what was added up in parts; money only of currencies for which that holds.
    pub(super) fn join(
        &mut self,
        parts: &Steps<Parts>,
        mut has_currency: impl FnMut(WordId) -> bool,
    ) {
        self.decisions.join(&parts.decisions, &mut has_currency);
        self.executions.join(&parts.executions, &mut has_currency);
        self.cancellations.join(&parts.cancellations, &mut has_currency);
    }

    /// How many records it is of.
    pub(super) fn records(&self) -> u64 {
        [&self.decisions, &self.executions, &self.cancellations]
            .map(|volume| volume.count + volume.failed)
            .iter()
            .sum()
    }
}

/// How much of each of many.
pub(super) type Groups<K> = Bounded<K, Volumes>;

/// Part of a sum: what has the same currency and as many digits behind the point.
#[derive(Debug, Clone, Copy)]
struct Part {
    currency: WordId,
    scale: u8,
    units: i128,
}

impl Part {
    fn amount(&self) -> Amount {
        Amount::new(self.units, self.scale)
    }
}

/// A sum in a few parts.
#[derive(Debug, Default)]
struct Partial(Vec<Part>);

impl Partial {
    const MOST: usize = 16;

    /// Whether the amount found room.
    fn add(&mut self, currency: WordId, amount: Amount) -> bool {
        let same = |part: &&mut Part| part.currency == currency && part.scale == amount.scale();
        if let Some(part) = self.0.iter_mut().find(same) {
            let sum = part.units.checked_add(amount.units());
            part.units = sum.unwrap_or(part.units);
            return sum.is_some();
        }
        if self.0.len() < Self::MOST {
            self.0.push(Part { currency, scale: amount.scale(), units: amount.units() });
            return true;
        }
        false
    }
}

/// How much of one step, as far as there is room.
#[derive(Debug, Default)]
pub(super) struct Parts {
    count: u64,
    failed: u64,
    quantities: Partial,
    without_quantity: u64,
    notionals: Partial,
    without_notional: u64,
}

impl Parts {
    pub(super) fn fail(&mut self) {
        self.failed += 1;
    }

    /// Counts one that did not fail, and adds its amounts; gives back those that found no room.
    pub(super) fn count(&mut self, amounts: Amounts) -> Amounts {
        self.count += 1;
        self.without_quantity += u64::from(amounts.quantity.is_none());
        self.without_notional += u64::from(amounts.notional.is_none());
        self.add(amounts)
    }

    /// Adds amounts; gives back those that found no room. Where nothing was added yet, all do.
    pub(super) fn add(&mut self, amounts: Amounts) -> Amounts {
        let Amounts { quantity, notional, currency } = amounts;
        Amounts {
            quantity: quantity.filter(|amount| !self.quantities.add(WordId::NONE, *amount)),
            notional: notional.filter(|amount| !self.notionals.add(currency, *amount)),
            currency,
        }
    }
}
