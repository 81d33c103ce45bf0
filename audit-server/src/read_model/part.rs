//! A part of a chunk: which of its positions have which facets and numbers.
//!
//! A chunk that is full is *sealed*: a row for each facet, and for each name of numbers. Until then it
//! grows by a part with each transaction, each with rows of its own beside each other, so that what
//! is written stays in proportion to what has come; when there are [`MAX_PARTS`], they become one.

use rusqlite::{Connection, OptionalExtension};

use super::{
    bits::{self, Bits},
    columns,
    dictionary::{FacetId, NameId},
    number::{Code, Codes},
    schema::{entry_key, part_of},
};
use crate::{fact::Sheet, keyed::KeyedMap};

/// Parts of a chunk before they are made one.
pub(super) const MAX_PARTS: u32 = 16;

/// How many records of a chunk say a word that gets a bitmap there.
const DENSE: usize = 32;

/// The most words, and pairs of them, of a chunk that are remembered. More are no language: the chunk does without.
const MAX_DISTINCT: usize = 100_000;

/// Positions by facet and by number.
#[derive(Debug, Default)]
pub(super) struct Part {
    /// The words, while all of them are known. They are not kept in parts, and so not known of a
    /// chunk that was begun by another process: it does without.
    words: Words,
    facets: KeyedMap<FacetId, Vec<u16>>,
    numbers: KeyedMap<NameId, Vec<(u16, Code)>>,
    /// The facts of all its positions.
    pub(super) sheet: Sheet,
}

impl Part {
    /// Notes a facet of a position, which is none before those noted already.
    pub(super) fn facet(&mut self, facet: FacetId, position: u16) {
        let positions = self.facets.entry(facet).or_default();
        if positions.last() != Some(&position) {
            positions.push(position);
        }
    }

    /// Notes a number of a position, which is none before those noted already.
    pub(super) fn number(&mut self, name: NameId, position: u16, code: Code) {
        self.numbers.entry(name).or_default().push((position, code));
    }

    /// Notes that a position says a word, or two with a blank between them.
    pub(super) fn word(&mut self, word: &str, position: u16) {
        // Words with digits are numbers of something: there are many, and none has many records.
        if let Words::Known(words) = &mut self.words
            && !word.bytes().any(|b| b.is_ascii_digit())
        {
            match words.get_mut(word) {
                Some(positions) if positions.last() == Some(&position) => {}
                Some(positions) => positions.push(position),
                None => drop(words.insert(word.into(), vec![position])),
            }
            if words.len() > MAX_DISTINCT {
                self.words = Words::Unknown;
            }
        }
    }

    /// The words that many records say, with their positions, encoded.
    pub(super) fn dense_words(&self) -> impl Iterator<Item = (&str, Vec<u8>)> {
        let words = match &self.words {
            Words::Known(words) => Some(words),
            Words::Unknown => None,
        };
        let dense = words.into_iter().flatten().filter(|(_, positions)| positions.len() >= DENSE);
        dense.map(|(word, positions)| (&**word, bits::encode(positions)))
    }

    /// Adds a later part.
    pub(super) fn append(&mut self, later: Self) {
        match (&mut self.words, later.words) {
            (Words::Known(words), Words::Known(later)) => {
                for (word, positions) in later {
                    words.entry(word).or_default().extend(positions);
                }
                if words.len() > MAX_DISTINCT {
                    self.words = Words::Unknown;
                }
            }
            (words, _) => *words = Words::Unknown,
        }
        for (facet, positions) in later.facets {
            self.facets.entry(facet).or_default().extend(positions);
        }
        for (name, numbers) in later.numbers {
            self.numbers.entry(name).or_default().extend(numbers);
        }
        self.sheet.append(&later.sheet);
    }

    /// The facets with their positions, encoded.
    pub(super) fn facets(&self) -> impl Iterator<Item = (FacetId, Vec<u8>)> {
        self.facets.iter().map(|(facet, positions)| (*facet, bits::encode(positions)))
    }

    /// The names of numbers with these, encoded.
    pub(super) fn numbers(&self) -> impl Iterator<Item = (NameId, Numbers)> {
        self.numbers.iter().map(|(name, numbers)| (*name, Numbers::encode(numbers)))
    }

    /// Its facets and numbers, encoded.
    pub(super) fn entries(&self) -> impl Iterator<Item = (EntryId, Vec<u8>)> {
        let facets = self.facets().map(|(facet, data)| (EntryId::facet(facet), data));
        let numbers = self.numbers().map(|(name, numbers)| (EntryId::numbers(name), numbers.data));
        facets.chain(numbers)
    }

    /// Its facts.
    pub(super) fn encode_sheet(&self) -> Vec<u8> {
        columns::encode_all(&self.sheet)
    }

    /// Adds the facts of a later part, as they were encoded; none when they are no encoding of any.
    /// Its entries belong to it.
    pub(super) fn add_sheet(&mut self, sheet: &[u8]) -> Option<()> {
        self.sheet.append(&columns::decode_all(sheet)?);
        self.words = Words::Unknown;
        Some(())
    }

    /// Adds an entry of a later part, as it was encoded.
    pub(super) fn add_entry(&mut self, id: EntryId, encoded: &[u8]) {
        match id.read() {
            Entry::Facet(facet) => {
                let mut bits = Bits::empty();
                bits.add(encoded);
                let positions = bits.iter().map(|position| position as u16);
                self.facets.entry(facet).or_default().extend(positions);
            }
            Entry::Numbers(name) => {
                self.numbers.entry(name).or_default().extend(numbers(encoded));
            }
        }
    }
}

/// Positions by word.
#[derive(Debug)]
enum Words {
    Known(KeyedMap<Box<str>, Vec<u16>>),
    Unknown,
}

impl Default for Words {
    fn default() -> Self {
        Self::Known(KeyedMap::default())
    }
}

/// What an entry of a part is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct EntryId(pub(super) u32);

enum Entry {
    Facet(FacetId),
    Numbers(NameId),
}

impl EntryId {
    pub(super) fn facet(facet: FacetId) -> Self {
        Self(facet.0 << 1)
    }

    pub(super) fn numbers(name: NameId) -> Self {
        Self(name.0 << 1 | 1)
    }

    fn read(self) -> Entry {
        let id = self.0 >> 1;
        if self.0 & 1 == 0 { Entry::Facet(FacetId(id)) } else { Entry::Numbers(NameId(id)) }
    }
}

/// How many parts the chunk of the run has that is not full.
pub(super) fn count(connection: &Connection, run: u32) -> rusqlite::Result<u32> {
    // A part that has records has entries. In `parts` the sheets would be read to find the last.
    let (first, behind) = (entry_key(run, 0, 0), entry_key(run + 1, 0, 0));
    let last = connection
        .prepare_cached(
            "SELECT key FROM entries WHERE key >= ?1 AND key < ?2 ORDER BY key DESC LIMIT 1",
        )?
        .query_row([first, behind], |row| row.get(0))
        .optional()?;
    Ok(last.map_or(0, |key| part_of(key) + 1))
}

/// Gives that entry of each of the parts, the first part first.
pub(super) fn each_entry(
    connection: &Connection,
    run: u32,
    parts: u32,
    id: EntryId,
    mut visit: impl FnMut(&[u8]),
) -> rusqlite::Result<()> {
    let mut statement = connection.prepare_cached("SELECT data FROM entries WHERE key = ?1")?;
    for part in 0..parts {
        let mut rows = statement.query([entry_key(run, part, id.0)])?;
        if let Some(row) = rows.next()? {
            visit(row.get_ref(0)?.as_blob()?);
        }
    }
    Ok(())
}

/// The numbers of a name in a chunk, encoded.
#[derive(Debug)]
pub(super) struct Numbers {
    pub(super) least: Code,
    pub(super) greatest: Code,
    pub(super) data: Vec<u8>,
}

impl Numbers {
    fn encode(numbers: &[(u16, Code)]) -> Self {
        let mut sorted: Vec<_> =
            numbers.iter().map(|(position, code)| (*code, *position)).collect();
        sorted.sort_unstable();
        let mut data = Vec::with_capacity(sorted.len() * BYTES_OF_NUMBER);
        data.extend(sorted.iter().flat_map(|(code, _)| code.to_bytes()));
        data.extend(sorted.iter().flat_map(|(_, position)| position.to_le_bytes()));
        let zero = Code::from_bytes([0; Code::BYTES]);
        let code = |found: Option<&(Code, u16)>| found.map_or(zero, |(code, _)| *code);
        Self { least: code(sorted.first()), greatest: code(sorted.last()), data }
    }
}

/// Bytes of a number: its code, and its position.
const BYTES_OF_NUMBER: usize = Code::BYTES + 2;

/// The codes, sorted, and the position of each. In this order a comparison is a stretch of them, which
/// is found without looking at the others: in that of positions each would have to be compared.
fn sorted(data: &[u8]) -> (&[[u8; Code::BYTES]], &[[u8; 2]]) {
    let count = data.len() / BYTES_OF_NUMBER;
    let (codes, positions) = data.split_at_checked(count * Code::BYTES).unwrap_or_default();
    (codes.as_chunks().0, positions.as_chunks().0)
}

fn numbers(data: &[u8]) -> impl Iterator<Item = (u16, Code)> {
    let (codes, positions) = sorted(data);
    let codes = codes.iter().map(|bytes| Code::from_bytes(*bytes));
    positions.iter().map(|bytes| u16::from_le_bytes(*bytes)).zip(codes)
}

/// Adds the positions whose numbers are asked for to `holds`, and those whose may be to `may_hold`.
pub(super) fn add_numbers(data: &[u8], codes: Codes, holds: &mut Bits, may_hold: &mut Bits) {
    let (sorted, positions) = sorted(data);
    let (certain, possible) = codes.among(sorted);
    for (stretch, bits) in [(certain, holds), (possible, may_hold)] {
        let positions = positions.get(stretch).unwrap_or_default();
        positions.iter().for_each(|bytes| bits.set(u16::from_le_bytes(*bytes).into()));
    }
}
