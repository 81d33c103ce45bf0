//! What full chunks have, kept in memory.
//!
//! A chunk that is full stays as it is until the model is made anew, and a question of common values
//! asks for the same bitmaps of hundreds of chunks with each page. SQLite's own cache does not keep
//! them: a connection drops its pages whenever another one has written, which the follower does all
//! the time, and each look-up takes it 2 µs where the page is at hand. So they are kept here in the
//! form that is read fastest, for all readers, sixteen chunks together, which are read with one statement.
//!
//! What is kept is of one model in one file: of another there is nothing in here, be it that it was
//! made anew or that the file was replaced, see [`Identity`].

use std::{
    collections::HashMap,
    mem,
    sync::{Arc, Mutex, PoisonError},
};

use rusqlite::Connection;

use super::{
    bits::{self, Bits, CHUNK},
    block,
    dictionary::{FacetId, NameId},
    run::Run,
    schema::{RowId, chunk_key},
    tokens::HashKey,
};

/// The most bytes that are kept. All bitmaps of a member with ten values take 2 MB in ten million
/// records, and the numbers of one that a quarter of the records have 12 MB.
const MAX_BYTES: usize = 64 * 1024 * 1024;

/// Chunks that are read and kept together.
const GROUP: u64 = 16;

/// What an entry takes beside its bytes, about.
const OVERHEAD: usize = 256;

/// Which model something is of that is kept: each model that is made has a key of its own, and a backup of one has the
/// same, but is a file that took the place of another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Identity {
    pub(super) key: HashKey,
    /// How often the files of the pool were replaced.
    pub(super) replaced: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Kind {
    Facet,
    Bounds,
    Numbers,
    Term,
    Blocks,
}

/// What is kept together: chunks from the first on. How many there are is part of it, since the last
/// group of a run grows.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Key {
    kind: Kind,
    /// Of a term; empty of everything else.
    question: Box<str>,
    id: u32,
    run: u32,
    first: u64,
    count: u64,
}

/// What the chunks of a group have, one after the other.
#[derive(Debug, Default)]
struct Group {
    bytes: Vec<u8>,
    /// Where each ends. A chunk that has nothing has no bytes.
    ends: [usize; GROUP as usize],
}

/// Groups of one model, those that were asked for lately. When `young` is half of what may be kept it
/// becomes `old`, and what was old and not asked for since is dropped.
#[derive(Debug, Default)]
pub(super) struct Sealed(Mutex<Kept>);

#[derive(Debug, Default)]
struct Kept {
    identity: Option<Identity>,
    young: HashMap<Key, Arc<Group>>,
    old: HashMap<Key, Arc<Group>>,
    /// Bytes of `young`.
    bytes: usize,
}

impl Key {
    /// Of what is kept of one chunk for itself.
    fn of_one(kind: Kind, question: &str, id: u32, run: Run, chunk: u64) -> Self {
        Self { kind, question: question.into(), id, run: run.number, first: chunk, count: 1 }
    }
}

impl Kept {
    fn of(&mut self, identity: Identity) -> &mut Self {
        if self.identity != Some(identity) {
            *self = Self { identity: Some(identity), ..Self::default() };
        }
        self
    }

    fn find(&mut self, key: &Key) -> Option<Arc<Group>> {
        if let Some(found) = self.young.get(key) {
            return Some(found.clone());
        }
        let (key, found) = self.old.remove_entry(key)?;
        self.keep(key, found.clone());
        Some(found)
    }

    fn keep(&mut self, key: Key, group: Arc<Group>) {
        let bytes = key.question.len() + group.bytes.len() + OVERHEAD;
        if self.bytes + bytes > MAX_BYTES / 2 {
            self.old = mem::take(&mut self.young);
            self.bytes = 0;
        }
        if self.young.insert(key, group).is_none() {
            self.bytes += bytes;
        }
    }
}

#[cfg(test)]
impl Sealed {
    /// Of how many chunks a term is kept.
    pub(super) fn terms(&self) -> usize {
        let kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.young.keys().chain(kept.old.keys()).filter(|key| key.kind == Kind::Term).count()
    }
}

/// The model, with what is kept of it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Source<'m> {
    pub(super) connection: &'m Connection,
    pub(super) sealed: &'m Sealed,
    pub(super) identity: Identity,
}

/// What a chunk has.
#[derive(Debug)]
pub(super) struct Stored {
    group: Arc<Group>,
    at: usize,
}

impl Stored {
    /// As it is stored; none when the chunk has nothing.
    pub(super) fn bytes(&self) -> Option<&[u8]> {
        let begin =
            self.at.checked_sub(1).map_or(Some(&0), |before| self.group.ends.get(before))?;
        let bytes = self.group.bytes.get(*begin..*self.group.ends.get(self.at)?)?;
        (!bytes.is_empty()).then_some(bytes)
    }
}

impl Source<'_> {
    /// The positions of a facet in a chunk of the run that is full.
    pub(super) fn facet(self, facet: FacetId, run: Run, chunk: u64) -> rusqlite::Result<Stored> {
        let sql = "SELECT key, data FROM bits WHERE key BETWEEN ?1 AND ?2";
        self.stored(Kind::Facet, facet.0, run, chunk, |from, to, add| {
            let mut statement = self.connection.prepare_cached(sql)?;
            let mut rows = statement.query([from, to])?;
            while let Some(row) = rows.next()? {
                add(row.get(0)?, &bits::for_reading(row.get_ref(1)?.as_blob()?));
            }
            Ok(())
        })
    }

    /// The least and the greatest number of a name in a chunk of the run that is full, in the order of
    /// codes; none when the chunk has none.
    pub(super) fn bounds(
        self,
        name: NameId,
        run: Run,
        chunk: u64,
    ) -> rusqlite::Result<Option<(u32, u32)>> {
        let sql = "SELECT key, least, greatest FROM numbers WHERE key BETWEEN ?1 AND ?2";
        let stored = self.stored(Kind::Bounds, name.0, run, chunk, |from, to, add| {
            let mut statement = self.connection.prepare_cached(sql)?;
            let mut rows = statement.query([from, to])?;
            while let Some(row) = rows.next()? {
                let (least, greatest): (u32, u32) = (row.get(1)?, row.get(2)?);
                let both = u64::from(least) << 32 | u64::from(greatest);
                add(row.get(0)?, &both.to_be_bytes());
            }
            Ok(())
        })?;
        let both = stored.bytes().and_then(|bytes| bytes.try_into().ok()).map(u64::from_be_bytes);
        Ok(both.map(|both| ((both >> 32) as u32, both as u32)))
    }

    /// The numbers of a name in a chunk of the run that is full. They are long: each chunk for itself.
    pub(super) fn numbers(self, name: NameId, run: Run, chunk: u64) -> rusqlite::Result<Stored> {
        let sql = "SELECT key, data FROM numbers WHERE key = ?1";
        let key = Key::of_one(Kind::Numbers, "", name.0, run, chunk);
        self.group(key, |from, _, add| {
            let mut statement = self.connection.prepare_cached(sql)?;
            let mut rows = statement.query([from])?;
            while let Some(row) = rows.next()? {
                add(row.get(0)?, row.get_ref(1)?.as_blob()?);
            }
            Ok(())
        })
        .map(|group| Stored { group, at: 0 })
    }

    /// The blocks of a chunk of the run that is full, as [`block`] puts them together.
    pub(super) fn blocks(self, run: Run, chunk: u64) -> rusqlite::Result<Stored> {
        let sql = "SELECT first, count, arrivals FROM blocks WHERE first BETWEEN ?1 AND ?2
                   ORDER BY first";
        let start = RowId::new(run.number, chunk * CHUNK as u64).0;
        let key = Key::of_one(Kind::Blocks, "", 0, run, chunk);
        self.group(key, |key, _, add| {
            let mut statement = self.connection.prepare_cached(sql)?;
            let mut rows = statement.query([start, start + CHUNK as i64 - 1])?;
            let mut blocks = Vec::new();
            while let Some(row) = rows.next()? {
                let (first, count): (i64, u64) = (row.get(0)?, row.get(1)?);
                let arrivals = row.get_ref(2)?.as_blob()?;
                block::push(&mut blocks, first.abs_diff(start), count, arrivals);
            }
            add(key, &blocks);
            Ok(())
        })
        .map(|group| Stored { group, at: 0 })
    }

    /// The positions that have a term, in a chunk of the run that is full, as the term index says,
    /// which is asked if they are not known.
    pub(super) fn term(
        self,
        question: &str,
        run: Run,
        chunk: u64,
        ask: impl FnOnce() -> rusqlite::Result<Bits>,
    ) -> rusqlite::Result<Stored> {
        if let Some(known) = self.known_term(question, run, chunk) {
            return Ok(known);
        }
        let positions: Vec<u16> = ask()?.iter().map(|position| position as u16).collect();
        Ok(self.keep_term(question, run, chunk, &positions))
    }

    /// The same, if it is known.
    pub(super) fn known_term(self, question: &str, run: Run, chunk: u64) -> Option<Stored> {
        let key = Key::of_one(Kind::Term, question, 0, run, chunk);
        let mut kept = self.sealed.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.of(self.identity).find(&key).map(|group| Stored { group, at: 0 })
    }

    /// Keeps the positions that have a term, in order, in a chunk of the run that is full: all of them.
    pub(super) fn keep_term(
        self,
        question: &str,
        run: Run,
        chunk: u64,
        positions: &[u16],
    ) -> Stored {
        let key = Key::of_one(Kind::Term, question, 0, run, chunk);
        let bytes = bits::for_reading(&bits::encode(positions)).into_owned();
        let ends = [bytes.len(); GROUP as usize];
        let mut kept = self.sealed.0.lock().unwrap_or_else(PoisonError::into_inner);
        let group = Arc::new(Group { bytes, ends });
        kept.of(self.identity).keep(key, group.clone());
        Stored { group, at: 0 }
    }

    fn stored(
        self,
        kind: Kind,
        id: u32,
        run: Run,
        chunk: u64,
        read: impl FnOnce(i64, i64, &mut dyn FnMut(i64, &[u8])) -> rusqlite::Result<()>,
    ) -> rusqlite::Result<Stored> {
        let first = chunk / GROUP * GROUP;
        let full = run.count / CHUNK as u64;
        let count = full.saturating_sub(first).min(GROUP);
        let key = Key { kind, question: "".into(), id, run: run.number, first, count };
        let group = self.group(key, read)?;
        Ok(Stored { group, at: (chunk - first) as usize })
    }

    fn group(
        self,
        key: Key,
        read: impl FnOnce(i64, i64, &mut dyn FnMut(i64, &[u8])) -> rusqlite::Result<()>,
    ) -> rusqlite::Result<Arc<Group>> {
        let kept = || self.sealed.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(found) = kept().of(self.identity).find(&key) {
            return Ok(found);
        }
        let from = chunk_key(key.id, key.run, key.first);
        let mut group = Group::default();
        read(from, from + key.count as i64 - 1, &mut |found, bytes| {
            group.bytes.extend_from_slice(bytes);
            // Of those behind it too, until one of them comes.
            let at = usize::try_from(found - from).unwrap_or(usize::MAX);
            group.ends.iter_mut().skip(at).for_each(|end| *end = group.bytes.len());
        })?;
        group.bytes.shrink_to_fit();
        let group = Arc::new(group);
        kept().of(self.identity).keep(key, group.clone());
        Ok(group)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use rusqlite::params;

    use super::*;

    const FACET: FacetId = FacetId(7);

    struct Model {
        connection: Connection,
        sealed: Sealed,
    }

    impl Model {
        /// One in which that many chunks are full, each with its own number as position of the facet,
        /// but for every third, which has none.
        fn new(chunks: u64) -> Self {
            let connection = Connection::open_in_memory().unwrap();
            let tables = "CREATE TABLE bits (key INTEGER PRIMARY KEY, data BLOB);
                CREATE TABLE numbers (key INTEGER PRIMARY KEY, least INTEGER, greatest INTEGER, data BLOB)";
            connection.execute_batch(tables).unwrap();
            let model = Self { connection, sealed: Sealed::default() };
            (0..chunks).for_each(|chunk| model.fill(chunk, chunk as u16));
            model
        }

        fn fill(&self, chunk: u64, position: u16) {
            if chunk % 3 != 2 {
                let sql = "INSERT OR REPLACE INTO bits VALUES (?1, ?2)";
                let data = bits::encode(&[position]);
                self.connection.execute(sql, params![chunk_key(FACET.0, 1, chunk), data]).unwrap();
            }
        }

        /// What is read of the facet, of a run with that many records.
        fn read(&self, identity: Identity, count: u64, chunk: u64) -> Vec<usize> {
            let source = Source { connection: &self.connection, sealed: &self.sealed, identity };
            let run = Run { number: 1, count, from_time: 0, to_time: 0, damaged: false };
            let stored = source.facet(FACET, run, chunk).unwrap();
            let mut bits = Bits::empty();
            stored.bytes().into_iter().for_each(|bytes| bits.add(bytes));
            bits.iter().collect()
        }
    }

    fn identity(key: u8, replaced: u64) -> Identity {
        Identity { key: HashKey([key; 16]), replaced }
    }

    const SIZE: u64 = CHUNK as u64;

    #[test]
    fn each_chunk_of_a_group_has_its_own_and_a_group_that_grew_is_read_anew() {
        let model = Model::new(0);
        let mut filled = 0;
        for full in [1, 16, 21, 40] {
            (filled..full).for_each(|chunk| model.fill(chunk, chunk as u16));
            filled = full;
            for _ in 0..2 {
                for chunk in 0..full {
                    let expected = if chunk % 3 == 2 { vec![] } else { vec![chunk as usize] };
                    assert_eq!(model.read(identity(1, 1), full * SIZE + 5, chunk), expected);
                }
            }
        }
    }

    #[test]
    fn what_was_kept_of_a_model_is_not_given_out_for_another() {
        let model = Model::new(3);
        let read = |identity| model.read(identity, 3 * SIZE, 1);
        assert_eq!(read(identity(1, 1)), [1]);
        model.fill(1, 9);
        assert_eq!(read(identity(1, 1)), [1], "it is kept");
        assert_eq!(read(identity(2, 1)), [9], "the model was made anew");
        model.fill(1, 10);
        assert_eq!(read(identity(2, 2)), [10], "its file was replaced");
    }

    #[test]
    fn the_bounds_and_the_numbers_of_a_chunk_are_those_that_are_stored() {
        let model = Model::new(0);
        for (chunk, least, greatest) in [(0, 1_u32, 2_u32), (2, 0, u32::MAX >> 8)] {
            let sql = "INSERT INTO numbers VALUES (?1, ?2, ?3, ?4)";
            let values = params![chunk_key(7, 1, chunk), least, greatest, chunk.to_le_bytes()];
            model.connection.execute(sql, values).unwrap();
        }
        let run = Run { number: 1, count: 3 * SIZE, from_time: 0, to_time: 0, damaged: false };
        for _ in 0..2 {
            let (connection, sealed) = (&model.connection, &model.sealed);
            let source = Source { connection, sealed, identity: identity(1, 1) };
            let bounds = |chunk| source.bounds(NameId(7), run, chunk).unwrap();
            assert_eq!(
                [bounds(0), bounds(1), bounds(2)],
                [Some((1, 2)), None, Some((0, 0xff_ffff))]
            );
            let numbers = |chunk| source.numbers(NameId(7), run, chunk).unwrap();
            assert_eq!(numbers(2).bytes(), Some(&2_u64.to_le_bytes()[..]));
            assert_eq!(numbers(1).bytes(), None);
        }
    }

    #[test]
    fn the_term_index_is_asked_once_for_each_term_of_a_chunk() {
        let model = Model::new(0);
        let run = Run { number: 1, count: 3 * SIZE, from_time: 0, to_time: 0, damaged: false };
        let (connection, sealed) = (&model.connection, &model.sealed);
        let asked = std::cell::Cell::new(0);
        let ask = |question: &str, chunk, identity, positions: &[u16]| {
            let source = Source { connection, sealed, identity };
            let ask = || {
                asked.set(asked.get() + 1);
                let mut bits = Bits::empty();
                bits.add(&bits::encode(positions));
                Ok(bits)
            };
            let stored = source.term(question, run, chunk, ask).unwrap();
            let mut bits = Bits::empty();
            stored.bytes().into_iter().for_each(|bytes| bits.add(bytes));
            bits.iter().map(|position| position as u16).collect::<Vec<_>>()
        };
        let all: Vec<u16> = (0..32_768).collect();
        for _ in 0..2 {
            assert_eq!(ask("a", 0, identity(1, 1), &[3, 5]), [3, 5]);
            assert_eq!(ask("a", 1, identity(1, 1), &[]), Vec::<u16>::new());
            assert_eq!(ask("b", 0, identity(1, 1), &all), all);
        }
        assert_eq!(asked.get(), 3);
        assert_eq!(ask("a", 0, identity(2, 1), &[4]), [4]);
    }

    #[test]
    fn no_more_is_kept_than_there_is_room_for_and_what_is_asked_for_stays() {
        let mut kept = Kept::default();
        let group = || Arc::new(Group { bytes: vec![0; 64 * 1024], ..Group::default() });
        let run = Run { number: 1, count: 0, from_time: 0, to_time: 0, damaged: false };
        let key = |chunk| Key::of_one(Kind::Numbers, "", 1, run, chunk);
        kept.keep(key(0), group());
        for first in 1..5_000 {
            kept.keep(key(first), group());
            assert!(kept.find(&key(0)).is_some());
            let all = kept.young.values().chain(kept.old.values());
            assert!(all.map(|group| group.bytes.len() + OVERHEAD).sum::<usize>() <= MAX_BYTES);
        }
        assert!(kept.find(&key(4_999)).is_some() && kept.find(&key(1)).is_none());
    }
}
