//! What agents decided, what became of it, and which risks were taken.
//!
//! # What counts as what
//! - *Steps* are `trade.decision`, `trade.executed` and `trade.cancelled`. One whose status is `failure`,
//!   `denied` or `error` did not come about: it is counted as failed, and in nothing else, since to add its
//!   money to what was traded would be wrong, and to pass over it too.
//! - An *order* is all steps with one `correlation_id`. It is timed from its first decision to its first
//!   execution. When records say that it was executed before it was decided, the delay is negative and
//!   stays so: clocks of two machines differ, or someone wrote the decision later, and either is worth
//!   knowing. It is *open* when it was decided and neither executed nor cancelled, as far as the facts go:
//!   one that was decided just before the end of the window, and one that a person chose not to carry out.
//! - *Confidence* is that of `agent.decision` and of `trade.decision`, apart, since an order mostly has both, and
//!   whatever their status: an agent that proposed something and was refused was as certain.
//!
//! # Money
//! Quantities and notionals are added exactly, notionals by currency; records that name none are by
//! themselves. A step that does not say how much, or says it in no way that can be read, is counted as
//! such beside the sums.
//!
//! # Order statistics
//! A median or a percentile is a value that occurs: of `n` sorted ones that at place `⌈np/100⌉`. Interpolated
//! ones would be of no order that anyone could look up.
//!
//! # Cost
//! What most records are costs a look at their kind. What grows with what programs make up, groups and
//! orders, is bounded, and left out wholly when it is too much: see
//! [`super::by_number::Bounded`].

mod confidence;
mod document;
mod finish;
mod greatest;
mod orders;
mod result;
mod steps;
#[cfg(test)]
mod tests;

use audit_layer::event_type;

pub(crate) use result::*;

use self::{
    confidence::Confidences,
    greatest::Greatest,
    orders::Orders,
    steps::{Amounts, Groups, Parts, Step, Steps, Volumes},
};
use crate::{
    fact::{Amount, Entry, Fact, Facts, Fold, Kind, KindId, ValueId, WordId},
    filter::TimeRange,
    read_model::Column,
    report::{
        by_number::{Bounded, ByNumber},
        shortlist::MAX_TIES,
    },
};

/// The most groups, agents and pairs that a list has.
pub(crate) const MOST_GROUPS: usize = 100;
/// The most overrides that are listed.
pub(crate) const MOST_OVERRIDES: usize = 50;
/// The most trades that are listed of a currency.
pub(crate) const MOST_TRADES: usize = 20;
/// The most agents, symbols, sides and triples of them that are told apart.
pub(crate) const MAX_GROUPS: usize = 100_000;
/// The most currencies that are told apart.
pub(crate) const MAX_CURRENCIES: usize = 256;
/// The most orders that are told apart.
pub(crate) const MAX_ORDERS: usize = 2_000_000;
/// The most confidences that a median is of.
pub(crate) const MAX_CONFIDENCES: usize = 2_000_000;

/// When there are more agents, symbols and sides together, what was added up in parts is joined.
const MAX_PARTS: usize = 32_768;

/// An agent, a symbol and a side.
type Triple = (WordId, WordId, WordId);

/// The same number, with 18 digits behind the point when it has room for them: amounts of one scale are
/// compared and added at once.
fn level(amount: Amount) -> Amount {
    let factor = LEVEL.checked_sub(amount.scale()).and_then(|by| POWERS.get(usize::from(by)));
    match factor.and_then(|factor| amount.units().checked_mul(*factor)) {
        Some(units) => Amount::new(units, LEVEL),
        None => amount,
    }
}

const LEVEL: u8 = 18;

/// The powers of ten up to that of [`LEVEL`].
const POWERS: [i128; LEVEL as usize + 1] = {
    let mut powers = [1; LEVEL as usize + 1];
    let mut at = 1;
    while at < powers.len() {
        powers[at] = powers[at - 1] * 10;
        at += 1;
    }
    powers
};

/// What a kind of records is to this report.
#[derive(Debug, Clone, Copy)]
enum Meaning {
    Step { step: Step, failed: bool },
    AgentDecision,
    Risk { is_override: bool },
}

impl Meaning {
    fn of(kind: &Kind) -> Option<Self> {
        let step = |step| Some(Self::Step { step, failed: kind.failed() });
        match &*kind.event_type {
            event_type::TRADE_DECISION => step(Step::Decision),
            event_type::TRADE_EXECUTED => step(Step::Execution),
            event_type::TRADE_CANCELLED => step(Step::Cancellation),
            event_type::AGENT_DECISION => Some(Self::AgentDecision),
            event_type => (kind.category() == "risk")
                .then(|| Self::Risk { is_override: event_type == event_type::RISK_OVERRIDE }),
        }
    }
}

/// A trade, to be listed.
#[derive(Debug, Clone, Copy)]
struct Trade {
    at: i64,
    agent: WordId,
    symbol: WordId,
    side: WordId,
    quantity: Option<Amount>,
    price: Option<Amount>,
}

/// An override, to be listed.
#[derive(Debug, Clone, Copy)]
struct Override {
    user: ValueId,
    agent: WordId,
    symbol: WordId,
}

/// The most of a currency that may be listed.
type Largest = Greatest<Amount, Trade, { MOST_TRADES + MAX_TIES }>;
/// The latest, that may be listed.
type Overrides = Greatest<i64, Override, { MOST_OVERRIDES + MAX_TIES }>;

/// Computes the report from the facts of the window.
#[derive(Debug)]
pub(crate) struct Trading {
    range: TimeRange,
    user: Option<String>,
    kinds: Vec<Option<Meaning>>,
    parts: ByNumber<Triple, Steps<Parts>>,
    most_parts: usize,
    totals: Volumes,
    by_agent: Groups<WordId>,
    by_symbol: Groups<WordId>,
    by_side: Groups<WordId>,
    by_all: Groups<Triple>,
    currencies: Bounded<WordId, ()>,
    orders: Orders,
    agent_decisions: Confidences,
    trade_decisions: Confidences,
    risk: Bounded<(KindId, WordId), u64>,
    /// How many of each kind, for those of risk.
    risk_kinds: Vec<u64>,
    overrides: Overrides,
    largest: Bounded<WordId, Largest>,
}

impl Trading {
    /// What of the facts it looks at.
    pub(crate) const COLUMNS: &'static [Column] = &[Column::Words, Column::Users, Column::Entries];

    /// Of that time, and of that user when there is one: the facts must be his. Facts outside that time
    /// are passed over.
    pub(crate) fn new(range: TimeRange, user: Option<String>) -> Self {
        Self::with_most(range, user, MAX_GROUPS, MAX_CURRENCIES, MAX_ORDERS)
    }

    fn with_most(
        range: TimeRange,
        user: Option<String>,
        groups: usize,
        currencies: usize,
        orders: usize,
    ) -> Self {
        let confidences = || Confidences::new(groups, MAX_CONFIDENCES.min(orders));
        Self {
            range,
            user,
            kinds: Vec::new(),
            parts: ByNumber::default(),
            most_parts: MAX_PARTS,
            totals: Volumes::default(),
            by_agent: Bounded::new(groups),
            by_symbol: Bounded::new(groups),
            by_side: Bounded::new(groups),
            by_all: Bounded::new(groups),
            currencies: Bounded::new(currencies),
            orders: Orders::new(orders),
            agent_decisions: confidences(),
            trade_decisions: confidences(),
            risk: Bounded::new(groups),
            risk_kinds: Vec::new(),
            overrides: Greatest::default(),
            largest: Bounded::new(currencies),
        }
    }

    #[inline(never)]
    fn look_at(&mut self, meaning: Meaning, fact: &Fact, facts: &Facts<'_>) {
        let nothing = Entry::default();
        let entry = facts.entry(fact).unwrap_or(&nothing);
        match meaning {
            Meaning::Step { step, failed } => {
                if step == Step::Decision {
                    self.trade_decisions.see(entry);
                }
                self.take_step(step, (!failed).then(|| Amounts::of(entry)), entry);
                if !failed {
                    self.orders.see(step, entry.correlation, fact.at);
                    if step == Step::Execution {
                        self.may_be_large(fact, entry, facts);
                    }
                }
            }
            Meaning::AgentDecision => self.agent_decisions.see(entry),
            Meaning::Risk { is_override } => {
                if let Some(count) = self.risk_kinds.get_mut(fact.kind.index()) {
                    *count += 1;
                }
                if let Some(count) = self.risk.entry((fact.kind, entry.agent)) {
                    *count += 1;
                }
                if is_override {
                    let Entry { agent, symbol, .. } = *entry;
                    let listed = Override { user: fact.user, agent, symbol };
                    self.overrides.push(fact.at, facts.origin(fact), listed);
                }
            }
        }
    }

    fn take_step(&mut self, step: Step, amounts: Option<Amounts>, entry: &Entry) {
        let triple = (entry.agent, entry.symbol, entry.side);
        let parts = self.parts.entry(triple).or_default();
        let Some(amounts) = amounts else { return parts.of(step).fail() };
        let rest = parts.of(step).count(amounts);
        if !rest.is_none() {
            let full = std::mem::take(parts);
            parts.of(step).add(rest);
            self.join(triple, &full);
        }
    }

    /// Adds steps to all that they belong to.
    fn join(&mut self, triple: Triple, parts: &Steps<Parts>) {
        let (agent, symbol, side) = triple;
        let groups = [
            Some(&mut self.totals),
            self.by_agent.entry(agent),
            self.by_symbol.entry(symbol),
            self.by_side.entry(side),
            self.by_all.entry(triple),
        ];
        for volumes in groups.into_iter().flatten() {
            volumes.join(parts, |currency| self.currencies.entry(currency).is_some());
        }
    }

    /// Adds all steps that were only added up in parts.
    fn join_all(&mut self) {
        for (triple, parts) in std::mem::take(&mut self.parts) {
            self.join(triple, &parts);
        }
    }

    fn may_be_large(&mut self, fact: &Fact, entry: &Entry, facts: &Facts<'_>) {
        let Some(notional) = entry.notional() else { return };
        let Some(largest) = self.largest.entry(entry.currency) else { return };
        let Entry { agent, symbol, side, quantity, price, .. } = *entry;
        let trade = Trade { at: fact.at, agent, symbol, side, quantity, price };
        largest.push(level(notional), facts.origin(fact), trade);
    }
}

impl Fold for Trading {
    fn take(&mut self, facts: &Facts<'_>) {
        let kinds = facts.legend.kinds();
        self.kinds
            .extend(kinds.get(self.kinds.len()..).unwrap_or_default().iter().map(Meaning::of));
        self.risk_kinds.resize(self.kinds.len(), 0);
        let range = self.range;
        for fact in facts.rows {
            if let Some(Some(meaning)) = self.kinds.get(fact.kind.index())
                && range.contains(fact.at)
            {
                self.look_at(*meaning, fact, facts);
            }
        }
        if self.parts.len() > self.most_parts {
            self.join_all();
        }
    }
}
