//! Facts: the little that reports, charts and anomalies take of a record.
//!
//! A report over a month looks at some million records, and at six of their members. To read and
//! parse each line would take a thousand bytes and microseconds of each; a [`Fact`] is 32 bytes. So the
//! read model keeps a *sheet* of facts beside each chunk of its index, in columns, made when the
//! record is taken in; and what reports compute is a [`Fold`] over facts, whoever provides them: the
//! sheets, or the lines themselves, for records that the index has not reached and for a trail
//! without one. Both go through [`Sheet::push`], so that a report from the index equals, to the
//! number, one from a full scan.
//!
//! # Names
//! Facts hold numbers for texts. Within a sheet they are places in the sheet's own tables: of *kinds*
//! (event type, status, severity) and of short *words* (agents, symbols) with their text, of *values*
//! (users, names, addresses) with a keyed hash of it, since there may be as many as records. A [`Legend`]
//! gives each one number over all sheets. The text of a value is read from a record that has it, for
//! the few that a report shows.
//!
//! Rejected: rollup tables (each report wants others, a window that does not begin on the hour needs the
//! records after all, and a second thing would have to be kept equal to the trail); a dictionary of
//! all users and addresses (unbounded, in the memory of the one who writes it).

mod amount;
mod fold;
mod legend;
mod resource;
mod sheet;
#[cfg(test)]
pub(crate) mod testing;

pub(crate) use amount::{Amount, Sum};
pub(crate) use fold::{Facts, Fold, Origin, Texts};
pub(crate) use legend::{Kind, KindId, Legend, MAX_CLASSES, ValueId, ValueKind, WordId};
#[cfg(test)]
pub(crate) use sheet::Names;
pub(crate) use sheet::{Sheet, Tables, ValueKey};

/// What is known of a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Fact {
    /// Its time, in microseconds since the Unix epoch.
    pub(crate) at: i64,
    /// What happened.
    pub(crate) kind: KindId,
    /// Its `user_id`. What a user is called is in [`Facts::name`].
    pub(crate) user: ValueId,
    /// Its `ip_address`.
    pub(crate) address: ValueId,
    /// Its `resource`, as a class: `/accounts/42` is one of `/accounts/*`.
    pub(crate) resource: WordId,
    /// What it says of money and trades: one more than its place in [`Facts::entries`]; 0 when it
    /// says nothing.
    pub(crate) entry: u32,
    /// Which record it is: see [`Facts::origin`].
    pub(crate) place: u32,
}

/// What a record of the categories `financial`, `trade`, `risk` and `agent` says of money and trades,
/// in its `details`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Entry {
    /// Who trades: `agent` or `agent_id`; else, but in financial records, the `username` or `user_id`.
    pub(crate) agent: WordId,
    /// What is traded: `symbol`.
    pub(crate) symbol: WordId,
    /// `side`: mostly `buy` or `sell`.
    pub(crate) side: WordId,
    /// `currency`.
    pub(crate) currency: WordId,
    /// A hash of `correlation_id`; 0 when there is none.
    pub(crate) correlation: u64,
    /// How much: `quantity`.
    pub(crate) quantity: Option<Amount>,
    /// For how much each: `price`.
    pub(crate) price: Option<Amount>,
    /// For how much in all: `amount` or `notional`.
    pub(crate) amount: Option<Amount>,
    /// How certain a decision is: `confidence`.
    pub(crate) confidence: Option<Amount>,
}

impl Entry {
    /// Quantity times price, when both are known, and else the amount; none when that is not
    /// known or has more digits than an [`Amount`].
    pub(crate) fn notional(&self) -> Option<Amount> {
        match (self.quantity, self.price) {
            (Some(quantity), Some(price)) => quantity.times(price),
            _ => self.amount,
        }
    }
}
