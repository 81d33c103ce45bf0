//! Numbers for texts, the same over all sheets.

use std::{
    collections::HashMap,
    hash::{BuildHasherDefault, Hasher},
};

use audit_layer::record::{Member, Record};

use super::fold::Origin;

/// The number of a kind of records in a [`Legend`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct KindId(pub(crate) u32);

/// The number of a user, a name or an address in a [`Legend`]: each has its own numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub(crate) struct ValueId(pub(crate) u32);

/// The number of a word in a [`Legend`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub(crate) struct WordId(pub(crate) u32);

impl ValueId {
    /// The record has none.
    pub(crate) const NONE: Self = Self(0);

    pub(crate) fn is_some(self) -> bool {
        self != Self::NONE
    }

    /// A place in a list that has one for each value, and one for none.
    pub(crate) fn index(self) -> usize {
        self.0 as usize
    }
}

impl WordId {
    /// The record has none.
    pub(crate) const NONE: Self = Self(0);

    pub(crate) fn is_some(self) -> bool {
        self != Self::NONE
    }

    /// A place in a list that has one for each word, and one for none.
    pub(crate) fn index(self) -> usize {
        self.0 as usize
    }
}

impl KindId {
    /// A place in [`Legend::kinds`].
    pub(crate) fn index(self) -> usize {
        self.0 as usize
    }
}

/// What happened, how it ended and how grave it is.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Kind {
    pub(crate) event_type: Box<str>,
    /// Empty when the record has none.
    pub(crate) status: Box<str>,
    pub(crate) severity: Box<str>,
}

impl Kind {
    /// What the event type has before its first dot.
    pub(crate) fn category(&self) -> &str {
        audit_layer::event_type::category(&self.event_type)
    }

    /// Whether the status says that it did not succeed.
    pub(crate) fn failed(&self) -> bool {
        matches!(&*self.status, "failure" | "denied" | "error")
    }
}

/// Which member a value is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum ValueKind {
    /// `user_id`
    User,
    /// `username`
    Name,
    /// `ip_address`
    Address,
}

impl ValueKind {
    pub(crate) fn member(self) -> Member {
        match self {
            Self::User => Member::UserId,
            Self::Name => Member::Username,
            Self::Address => Member::IpAddress,
        }
    }

    /// What a record has there; none when that is nothing.
    pub(crate) fn of<'r>(self, record: &'r Record<'_>) -> Option<&'r str> {
        let text = match self {
            Self::User => &record.user_id,
            Self::Name => &record.username,
            Self::Address => &record.ip_address,
        };
        text.as_deref().filter(|text| !text.is_empty())
    }
}

/// Values of one member: their hashes, and a record that has each.
#[derive(Debug, Clone, Default)]
pub(crate) struct Values {
    numbers: HashMap<u64, u32, BuildHasherDefault<Hashed>>,
    /// Without the one that stands for none.
    known: Vec<(u64, Origin)>,
}

/// What is hashed already, under a key that nobody knows.
#[derive(Debug, Clone, Default)]
struct Hashed(u64);

impl Hasher for Hashed {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        bytes.iter().for_each(|byte| self.0 = self.0.rotate_left(8) ^ u64::from(*byte));
    }

    fn write_u64(&mut self, hash: u64) {
        self.0 = hash;
    }
}

impl Values {
    /// The numbers of the values in the table of a sheet, of which the column has places; the first is
    /// that of none. A value that is new becomes known by the record at the first place that has it.
    pub(super) fn numbers(
        &mut self,
        table: &[u64],
        column: &[u32],
        origin: impl Fn(usize) -> Origin,
    ) -> Vec<u32> {
        let known = |hash| self.numbers.get(hash).copied().unwrap_or_default();
        let mut numbers: Vec<u32> = std::iter::once(0).chain(table.iter().map(known)).collect();
        let mut open = numbers.iter().skip(1).filter(|number| **number == 0).count();
        for (place, local) in column.iter().enumerate() {
            if open == 0 {
                break;
            }
            let local = *local as usize;
            if let (Some(number @ 0), Some(at)) = (numbers.get_mut(local), local.checked_sub(1)) {
                let hash = table.get(at).copied().unwrap_or_default();
                self.known.push((hash, origin(place)));
                *number = self.known.len() as u32;
                self.numbers.insert(hash, *number);
                open -= 1;
            }
        }
        numbers
    }

    /// How many there are; numbers are from 1 to this.
    pub(crate) fn len(&self) -> usize {
        self.known.len()
    }

    /// A record that has it, and its hash.
    pub(crate) fn known(&self, value: ValueId) -> Option<(u64, Origin)> {
        self.known.get(value.index().checked_sub(1)?).copied()
    }
}

/// The most classes of resources that are told apart. Whoever can make up the path of a request makes
/// up a class, which takes up to three hundred bytes.
pub(crate) const MAX_CLASSES: usize = 200_000;

/// What stands for the others.
const OTHERS: &str = "(others)";

/// What the numbers in facts stand for.
#[derive(Debug, Clone, Default)]
pub(crate) struct Legend {
    kinds: Vec<Kind>,
    by_kind: HashMap<Kind, KindId>,
    words: Vec<Box<str>>,
    by_word: HashMap<Box<str>, WordId>,
    /// How many of the words are classes of resources.
    classes: usize,
    others: WordId,
    pub(super) users: Values,
    pub(super) names: Values,
    pub(super) addresses: Values,
}

impl Legend {
    /// All kinds so far; their numbers are places here.
    pub(crate) fn kinds(&self) -> &[Kind] {
        &self.kinds
    }

    /// The text of the word; empty for none.
    pub(crate) fn word(&self, word: WordId) -> &str {
        word.index().checked_sub(1).and_then(|at| self.words.get(at)).map_or("", |text| text)
    }

    /// The word that stands for classes of resources beyond [`MAX_CLASSES`]; none when there are not so
    /// many.
    pub(crate) fn others(&self) -> WordId {
        self.others
    }

    /// How many texts it has numbers for.
    pub(crate) fn len(&self) -> usize {
        let values = self.users.len() + self.names.len() + self.addresses.len();
        self.kinds.len() + self.words.len() + values
    }

    /// How many values of that member there are; numbers are from 1 to this.
    pub(crate) fn value_count(&self, kind: ValueKind) -> usize {
        self.values(kind).len()
    }

    pub(crate) fn values(&self, kind: ValueKind) -> &Values {
        match kind {
            ValueKind::User => &self.users,
            ValueKind::Name => &self.names,
            ValueKind::Address => &self.addresses,
        }
    }

    pub(crate) fn kind_number(&mut self, kind: &Kind) -> KindId {
        if let Some(known) = self.by_kind.get(kind) {
            return *known;
        }
        let number = KindId(self.kinds.len() as u32);
        self.kinds.push(kind.clone());
        self.by_kind.insert(kind.clone(), number);
        number
    }

    /// The number of a class of resources, or that of all others when there are too many.
    pub(crate) fn class_number(&mut self, class: &str) -> WordId {
        if class.is_empty() {
            return WordId::NONE;
        }
        if let Some(known) = self.by_word.get(class) {
            return *known;
        }
        if self.classes >= MAX_CLASSES {
            self.others = self.word_number(OTHERS);
            return self.others;
        }
        self.classes += 1;
        self.word_number(class)
    }

    /// The number of the word; of an empty one that which stands for none.
    pub(crate) fn word_number(&mut self, word: &str) -> WordId {
        if word.is_empty() {
            return WordId::NONE;
        }
        if let Some(known) = self.by_word.get(word) {
            return *known;
        }
        self.words.push(word.into());
        let number = WordId(self.words.len() as u32);
        self.by_word.insert(word.into(), number);
        number
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::{
        fact::{Facts, testing::Lines},
        filter::TimeRange,
    };

    #[test]
    fn classes_beyond_the_most_are_one_and_all_other_words_have_their_own_number() {
        let mut legend = Legend::default();
        let agent = legend.word_number("agent");
        for number in 0..MAX_CLASSES {
            legend.class_number(&format!("/{number}"));
        }
        assert_eq!(legend.others(), WordId::NONE);
        let beyond = legend.class_number("/one");
        assert_eq!((legend.class_number("/two"), legend.others()), (beyond, beyond));
        let seventh = legend.class_number("/7");
        assert_eq!(legend.word(seventh), "/7");
        assert_eq!(legend.class_number("agent"), agent);
        let later = legend.word_number("later");
        assert_eq!((legend.word(later), later == beyond), ("later", false));
        assert_eq!(legend.class_number("later"), later);
        assert_eq!(legend.class_number(""), WordId::NONE);
    }

    #[test]
    fn who_trades_and_what_is_told_apart_however_many_classes_there_are() {
        let mut legend = Legend::default();
        for number in 0..MAX_CLASSES {
            legend.class_number(&format!("/{number}"));
        }
        let mut lines = Lines::default();
        let details = serde_json::json!({"agent": "a-1", "symbol": "ABC", "amount": "1"});
        let members = serde_json::json!({"resource": "/new", "details": details});
        lines.push(1, "trade.executed", members);
        let mut told = Vec::new();
        let mut fold = |facts: &Facts<'_>| {
            for fact in facts.rows {
                let entry = facts.entry(fact).unwrap();
                let words = [fact.resource, entry.agent, entry.symbol];
                told.extend(words.map(|word| facts.legend.word(word).to_owned()));
            }
        };
        lines.fold(TimeRange::ALL, 1, &mut legend, &mut fold);
        assert_eq!(told, ["(others)", "a-1", "ABC"]);
    }
}
