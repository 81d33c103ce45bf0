//! What goes over facts, and what it is given.

use super::{Entry, Fact, Legend, ValueId, ValueKind, WordId, sheet::Names};

/// Which record of the trail something stands in: its arrival number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Origin {
    /// The record with that arrival number.
    Arrival(i64),
    /// The record at that row of the read model.
    Row(i64),
}

/// Some facts, in the order of time.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Facts<'f> {
    pub(crate) rows: &'f [Fact],
    /// What is said of money and trades: see [`Facts::entry`].
    pub(crate) entries: &'f [Entry],
    /// What users are called: see [`Facts::name`].
    pub(crate) names: Names<'f>,
    /// What the numbers stand for, so far. A number stands for the same in all that a fold is given.
    pub(crate) legend: &'f Legend,
    /// Where place 0 is.
    pub(crate) base: Origin,
    /// Of places that do not follow each other, each.
    pub(crate) origins: &'f [i64],
}

impl<'f> Facts<'f> {
    /// What the record says of money and trades.
    pub(crate) fn entry(&self, fact: &Fact) -> Option<&'f Entry> {
        self.entries.get((fact.entry as usize).checked_sub(1)?)
    }

    /// The `username` of a record that has no `user_id`, or is a login.
    pub(crate) fn name(&self, fact: &Fact) -> ValueId {
        self.names.at(fact.place)
    }

    /// Which record it is.
    pub(crate) fn origin(&self, fact: &Fact) -> Origin {
        if let Some(arrival) = self.origins.get(fact.place as usize) {
            return Origin::Arrival(*arrival);
        }
        match self.base {
            Origin::Arrival(base) => Origin::Arrival(base + i64::from(fact.place)),
            Origin::Row(base) => Origin::Row(base + i64::from(fact.place)),
        }
    }
}

/// Something that is computed from all facts of a time.
///
/// Whoever reads the facts may give them from another thread, one call after the other.
pub(crate) trait Fold: Send {
    /// Takes some facts. They are in the order of time; those of several calls are in none.
    fn take(&mut self, facts: &Facts<'_>);
}

impl<F: FnMut(&Facts<'_>) + Send> Fold for F {
    fn take(&mut self, facts: &Facts<'_>) {
        self(facts);
    }
}

/// Finds the texts behind numbers, by reading a record that has them.
pub(crate) trait Texts {
    /// The text of a user, a name or an address. When the record that has it cannot be read any more, a text
    /// that says so.
    fn value(&mut self, kind: ValueKind, value: ValueId) -> Box<str>;

    /// The text of a word.
    fn word(&mut self, word: WordId) -> Box<str>;

    /// The `id` of the record.
    fn id(&mut self, origin: Origin) -> Box<str>;
}
