//! A sheet: facts in columns, with tables of their own for what their numbers stand for.

use std::{borrow::Cow, hash::Hasher};

use audit_layer::{
    event_type,
    record::{Member, Record},
};
use siphasher::sip::SipHasher24;

use super::{
    Amount, Entry, Fact, KindId, Legend, ValueId, ValueKind, WordId,
    fold::{Facts, Fold, Origin},
    legend::Kind,
    resource,
};
use crate::{
    filter::{leaves, of_member},
    keyed::KeyedMap,
};

/// Sixteen bytes under which values are hashed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ValueKey(pub(crate) [u8; 16]);

impl ValueKey {
    /// The hash of a member's text; never 0.
    pub(crate) fn hash(self, member: Member, text: &str) -> u64 {
        let mut hasher = SipHasher24::new_with_key(&self.0);
        hasher.write(member.name().as_bytes());
        hasher.write_u8(0xff);
        hasher.write(text.as_bytes());
        hasher.finish().max(1)
    }
}

/// The longest word, status or type in bytes; of a longer one its beginning stands there, with a
/// hash of the whole. A program that makes up long ones must not fill the tables.
pub(crate) const MAX_WORD_BYTES: usize = 128;

/// Stands in the column of kinds for a line that is no record.
pub(crate) const DAMAGED: u32 = 0;

/// Facts in columns, in the order in which they were pushed. All numbers in it are places in its own
/// tables, from 1; 0 is none.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Sheet {
    /// Microseconds since the Unix epoch.
    pub(crate) times: Vec<i64>,
    pub(crate) kinds: Vec<u32>,
    pub(crate) users: Vec<u32>,
    /// Of records that have no user, and of logins: see [`has_name`].
    pub(crate) names: Vec<u32>,
    pub(crate) addresses: Vec<u32>,
    pub(crate) resources: Vec<u32>,
    /// Which facts have an entry, by place, and the entries.
    pub(crate) entries: Vec<(u32, Entry)>,
    pub(crate) tables: Tables,
}

/// What the numbers of a sheet stand for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Tables {
    pub(crate) kinds: Vec<Kind>,
    pub(crate) users: Vec<u64>,
    pub(crate) names: Vec<u64>,
    pub(crate) addresses: Vec<u64>,
    pub(crate) words: Vec<Box<str>>,
    index: Index,
}

/// Where in the tables something stands; not needed to read a sheet.
#[derive(Debug, Clone, Default)]
struct Index {
    /// By what [`kind_key`] makes of them.
    kinds: KeyedMap<Box<[u8]>, u32>,
    users: KeyedMap<u64, u32>,
    names: KeyedMap<u64, u32>,
    addresses: KeyedMap<u64, u32>,
    words: KeyedMap<Box<str>, u32>,
    /// The key of the kind that was looked for last.
    sought: Vec<u8>,
}

impl PartialEq for Index {
    /// It says nothing that the tables do not say.
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Eq for Index {}

/// Writes what tells kinds apart: no text has this byte, which UTF-8 does not know.
fn kind_key(key: &mut Vec<u8>, texts: [&str; 3]) {
    key.clear();
    for text in texts {
        key.extend_from_slice(text.as_bytes());
        key.push(0xff);
    }
}

fn number<K: std::hash::Hash + Eq + Clone>(
    table: &mut Vec<K>,
    index: &mut KeyedMap<K, u32>,
    key: K,
) -> u32 {
    if let Some(known) = index.get(&key) {
        return *known;
    }
    table.push(key.clone());
    let number = table.len() as u32;
    index.insert(key, number);
    number
}

impl Tables {
    fn kind(&mut self, event_type: &str, status: &str, severity: &str) -> u32 {
        let [event_type, status, severity] = [event_type, status, severity].map(cut);
        let sought = &mut self.index.sought;
        kind_key(sought, [&event_type, &status, &severity]);
        if let Some(known) = self.index.kinds.get(&**sought) {
            return *known;
        }
        let [event_type, status, severity] = [event_type, status, severity].map(Box::from);
        self.kinds.push(Kind { event_type, status, severity });
        let number = self.kinds.len() as u32;
        self.index.kinds.insert(Box::from(&**sought), number);
        number
    }

    fn user(&mut self, hash: u64) -> u32 {
        number(&mut self.users, &mut self.index.users, hash)
    }

    fn name(&mut self, hash: u64) -> u32 {
        number(&mut self.names, &mut self.index.names, hash)
    }

    fn address(&mut self, hash: u64) -> u32 {
        number(&mut self.addresses, &mut self.index.addresses, hash)
    }

    fn word(&mut self, text: &str) -> u32 {
        if text.is_empty() {
            return 0;
        }
        let text = cut(text);
        if let Some(known) = self.index.words.get(&*text) {
            return *known;
        }
        number(&mut self.words, &mut self.index.words, Box::from(&*text))
    }

    /// Makes the index of tables that were read back.
    fn reindex(&mut self) {
        fn key_of(kind: &Kind) -> Box<[u8]> {
            let mut key = Vec::new();
            kind_key(&mut key, [&kind.event_type, &kind.status, &kind.severity]);
            key.into()
        }
        fn index<K: std::hash::Hash + Eq + Clone>(table: &[K]) -> KeyedMap<K, u32> {
            table.iter().cloned().zip(1..).collect()
        }
        if self.index.kinds.len() != self.kinds.len()
            || self.index.words.len() != self.words.len()
            || self.index.users.len() != self.users.len()
            || self.index.names.len() != self.names.len()
            || self.index.addresses.len() != self.addresses.len()
        {
            self.index = Index {
                kinds: self.kinds.iter().map(key_of).zip(1..).collect(),
                users: index(&self.users),
                names: index(&self.names),
                addresses: index(&self.addresses),
                words: index(&self.words),
                sought: Vec::new(),
            };
        }
    }
}

impl Sheet {
    /// How many facts it has.
    pub(crate) fn len(&self) -> usize {
        self.times.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.times.is_empty()
    }

    /// Adds the fact of a record, which the trail sorts at that time; of a line that is no record,
    /// none.
    pub(crate) fn push(&mut self, at: i64, record: Option<&Record<'_>>, key: ValueKey) {
        let place = self.times.len() as u32;
        self.times.push(at);
        let Some(record) = record else {
            self.kinds.push(DAMAGED);
            for column in
                [&mut self.users, &mut self.names, &mut self.addresses, &mut self.resources]
            {
                column.push(0);
            }
            return;
        };
        let tables = &mut self.tables;
        let status = record.status.as_deref().unwrap_or_default();
        self.kinds.push(tables.kind(&record.event_type, status, &record.severity));
        let hash = |kind: ValueKind| kind.of(record).map(|text| key.hash(kind.member(), text));
        let user = hash(ValueKind::User);
        self.users.push(user.map_or(0, |hash| tables.user(hash)));
        let name = hash(ValueKind::Name).filter(|_| has_name(record));
        self.names.push(name.map_or(0, |hash| tables.name(hash)));
        let address = hash(ValueKind::Address);
        self.addresses.push(address.map_or(0, |hash| tables.address(hash)));
        let resource = record.resource.as_deref().map(resource::class).unwrap_or_default();
        self.resources.push(tables.word(&resource));
        if has_entry(&record.event_type) {
            self.entries.push((place, entry(record, tables, key)));
        }
    }

    /// Adds the facts of a later sheet.
    pub(crate) fn append(&mut self, later: &Self) {
        if self.is_empty() {
            later.clone_into(self);
            return;
        }
        self.tables.reindex();
        let base = self.times.len() as u32;
        let tables = &mut self.tables;
        let of = |numbers: Vec<u32>, column: &[u32], into: &mut Vec<u32>| {
            let number = |old: &u32| match (*old as usize).checked_sub(1) {
                Some(at) => numbers.get(at).copied().unwrap_or_default(),
                None => 0,
            };
            into.extend(column.iter().map(number));
        };
        let from = &later.tables;
        let kinds = from
            .kinds
            .iter()
            .map(|kind| tables.kind(&kind.event_type, &kind.status, &kind.severity))
            .collect();
        let users = from.users.iter().map(|hash| tables.user(*hash)).collect();
        let names = from.names.iter().map(|hash| tables.name(*hash)).collect();
        let addresses = from.addresses.iter().map(|hash| tables.address(*hash)).collect();
        let words: Vec<u32> = from.words.iter().map(|word| tables.word(word)).collect();
        let word = |old: WordId| {
            let at = old.index().checked_sub(1);
            WordId(at.and_then(|at| words.get(at)).copied().unwrap_or_default())
        };
        let entries = later.entries.iter().map(|(place, entry)| {
            let entry = Entry {
                agent: word(entry.agent),
                symbol: word(entry.symbol),
                side: word(entry.side),
                currency: word(entry.currency),
                ..entry.clone()
            };
            (base + place, entry)
        });
        self.entries.extend(entries);
        self.times.extend_from_slice(&later.times);
        of(kinds, &later.kinds, &mut self.kinds);
        of(users, &later.users, &mut self.users);
        of(names, &later.names, &mut self.names);
        of(addresses, &later.addresses, &mut self.addresses);
        of(words.clone(), &later.resources, &mut self.resources);
    }

    /// Gives facts to a fold: of those between two places, the second not included, those whose place
    /// is `wanted`. Their numbers are those of the legend. Lines that are no records have none.
    ///
    /// `origins` are the arrival numbers of all places, when these do not follow from `base`.
    pub(crate) fn fold(
        &self,
        (from, to): (usize, usize),
        wanted: impl Fn(usize) -> bool,
        (base, origins): (Origin, &[i64]),
        legend: &mut Legend,
        rows: &mut Vec<Fact>,
        fold: &mut dyn Fold,
    ) {
        let to = to.min(self.len());
        let Some(times) = self.times.get(from..to) else { return };
        let kinds = numbers(self.tables.kinds.iter().map(|kind| legend.kind_number(kind).0));
        // Of made-up words there is no end among resources alone.
        let mut named = vec![false; self.tables.words.len() + 1];
        for (_, Entry { agent, symbol, side, currency, .. }) in &self.entries {
            for word in [agent, symbol, side, currency] {
                named.get_mut(word.index()).into_iter().for_each(|named| *named = true);
            }
        }
        let words = named.iter().skip(1).zip(&self.tables.words);
        let words = numbers(words.map(|(named, word)| match named {
            true => legend.word_number(word).0,
            false => legend.class_number(word).0,
        }));
        let origin = |place: usize| match (origins.get(place), base) {
            (Some(arrival), _) => Origin::Arrival(*arrival),
            (None, Origin::Arrival(base)) => Origin::Arrival(base + place as i64),
            (None, Origin::Row(base)) => Origin::Row(base + place as i64),
        };
        let users = legend.users.numbers(&self.tables.users, &self.users, origin);
        let names = legend.names.numbers(&self.tables.names, &self.names, origin);
        let addresses = legend.addresses.numbers(&self.tables.addresses, &self.addresses, origin);
        let number =
            |numbers: &[u32], local: u32| numbers.get(local as usize).copied().unwrap_or(0);
        let columns = [&self.kinds, &self.users, &self.addresses, &self.resources];
        let [kind_of, user_of, address_of, resource_of] =
            columns.map(|column| column.get(from..to).unwrap_or_default().iter());
        let mut entries = (1..).zip(&self.entries);
        let mut entry = entries.find(|(_, (place, _))| *place as usize >= from);
        rows.clear();
        rows.reserve(times.len());
        let facts = times.iter().zip(kind_of).zip(user_of).zip(address_of).zip(resource_of);
        for (place, ((((at, kind), user), address), resource)) in (from..).zip(facts) {
            let own = match entry {
                Some((number, (at, _))) if *at as usize == place => {
                    entry = entries.next();
                    number
                }
                _ => 0,
            };
            if *kind == DAMAGED || !wanted(place) {
                continue;
            }
            rows.push(Fact {
                at: *at,
                kind: KindId(number(&kinds, *kind)),
                user: ValueId(number(&users, *user)),
                address: ValueId(number(&addresses, *address)),
                resource: WordId(number(&words, *resource)),
                entry: own,
                place: place as u32,
            });
        }
        if rows.is_empty() {
            return;
        }
        let word = |old: WordId| WordId(number(&words, old.0));
        let entries: Vec<Entry> = self
            .entries
            .iter()
            .map(|(_, entry)| Entry {
                agent: word(entry.agent),
                symbol: word(entry.symbol),
                side: word(entry.side),
                currency: word(entry.currency),
                ..entry.clone()
            })
            .collect();
        let names = Names { numbers: &names, column: &self.names };
        fold.take(&Facts { rows, entries: &entries, names, legend, base, origins });
    }
}

/// The names that a sheet has, in the numbers of a legend.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Names<'s> {
    numbers: &'s [u32],
    column: &'s [u32],
}

impl Names<'_> {
    pub(super) fn at(self, place: u32) -> ValueId {
        let local = self.column.get(place as usize).copied().unwrap_or_default();
        ValueId(self.numbers.get(local as usize).copied().unwrap_or_default())
    }
}

/// The text, or its beginning and a hash of all of it: what is cut stays apart, and says that it is.
fn cut(text: &str) -> Cow<'_, str> {
    if text.len() <= MAX_WORD_BYTES {
        return Cow::Borrowed(text);
    }
    let mut hasher = SipHasher24::new();
    hasher.write(text.as_bytes());
    let beginning = &text[..text.floor_char_boundary(MAX_WORD_BYTES - 24)];
    Cow::Owned(format!("{beginning}…{:016x}", hasher.finish()))
}

/// Numbers by places in a table, of which 0 is none.
fn numbers(of_table: impl Iterator<Item = u32>) -> Vec<u32> {
    std::iter::once(0).chain(of_table).collect()
}

/// Whether the name of the record is kept: where it stands for the user, and of logins, which are to be
/// found by the name that failed before.
fn has_name(record: &Record<'_>) -> bool {
    record.event_type == event_type::AUTH_LOGIN || ValueKind::User.of(record).is_none()
}

/// Whether records of this type say anything of money and trades.
fn has_entry(event_type: &str) -> bool {
    matches!(event_type::category(event_type), "financial" | "trade" | "risk" | "agent")
}

fn entry(record: &Record<'_>, tables: &mut Tables, key: ValueKey) -> Entry {
    let mut entry = Entry::default();
    of_member(record, Member::CorrelationId, |text| {
        if !text.is_empty() {
            entry.correlation = key.hash(Member::CorrelationId, text);
        }
    });
    if let Some(details) = record.details {
        leaves(details, |path, leaf| {
            let text = leaf.text;
            // The first of an array, and of two names for the same.
            let set = |word: &mut WordId, tables: &mut Tables| {
                if *word == WordId::NONE {
                    *word = WordId(tables.word(text));
                }
            };
            let number = |amount: &mut Option<Amount>| {
                if amount.is_none() {
                    *amount = Amount::read(text);
                }
            };
            match path {
                "agent" | "agent_id" => set(&mut entry.agent, tables),
                "symbol" => set(&mut entry.symbol, tables),
                "side" => set(&mut entry.side, tables),
                "currency" => set(&mut entry.currency, tables),
                "quantity" => number(&mut entry.quantity),
                "price" => number(&mut entry.price),
                "amount" | "notional" => number(&mut entry.amount),
                "confidence" => number(&mut entry.confidence),
                _ => {}
            }
        });
    }
    if entry.agent == WordId::NONE && event_type::category(&record.event_type) != "financial" {
        let name = ValueKind::Name.of(record).or_else(|| ValueKind::User.of(record));
        entry.agent = WordId(tables.word(name.unwrap_or_default()));
    }
    entry
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_that_are_cut_stay_apart_and_say_so() {
        let long = |end: &str| format!("{}{end}", "ü".repeat(100));
        let mut tables = Tables::default();
        let (one, other) = (tables.word(&long("a")), tables.word(&long("b")));
        assert_ne!(one, other);
        assert_eq!(tables.word(&long("a")), one);
        assert!(tables.words.iter().all(|word| word.contains('…') && word.len() <= MAX_WORD_BYTES));
        assert_eq!(tables.word(""), 0);
    }
}
