//! Which keys are facets.
//!
//! The first [`MAX_VALUES`] texts of each name are *facets*: they have bitmaps, from which any
//! combination can be answered and counted without reading a record. What comes later goes into the
//! term index. So whatever has few values, which is what the dense sets belong to, is a facet by
//! itself, of the application's own members too; and of what has a value a record, a few are facets
//! that cost nothing. A facet is one for ever, and all its records are in its bitmaps: a text that
//! is not in the dictionary of a name that is not full stands nowhere.

use std::collections::HashMap;

use rusqlite::{Connection, OptionalExtension, params};

use crate::{filter::Text, keyed::KeyedMap};

/// The most facets of a name.
pub(super) const MAX_VALUES: usize = 256;

/// The longest name in bytes: nobody can ask for a longer one.
const MAX_NAME_BYTES: usize = Text::MAX_BYTES + 32;

/// The most names and facets together. What comes then goes into the term index.
const MAX_ENTRIES: u32 = 100_000;

/// The most words, and pairs of words, that have bitmaps.
const MAX_WORDS: usize = 8_192;

/// The most names: more than that are made up by a program.
pub(super) const MAX_NAMES: usize = 4_096;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct FacetId(pub(super) u32);

impl FacetId {
    /// The facet of records that cannot be read. It has no row of its own.
    pub(super) const DAMAGED: Self = Self(0);
}

/// A name under which texts or numbers stand. Its own number is also that of the facet which says
/// that any stand there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct NameId(pub(super) u32);

impl NameId {
    /// The facet of the records that have anything under this name.
    pub(super) fn present(self) -> FacetId {
        FacetId(self.0)
    }
}

/// What the database does not have yet: number, of which name, and the text.
pub(super) type Fresh = (u32, Option<NameId>, Box<str>);

/// The whole dictionary, in the memory of the one who writes it.
#[derive(Debug, Default)]
pub(super) struct Dictionary {
    /// By name its place in `names`.
    places: KeyedMap<Box<str>, usize>,
    names: Vec<Name>,
    last: u32,
    fresh: Vec<Fresh>,
}

#[derive(Debug)]
struct Name {
    id: NameId,
    values: KeyedMap<Box<str>, FacetId>,
}

impl Dictionary {
    pub(super) fn load(connection: &Connection) -> rusqlite::Result<Self> {
        let mut dictionary = Self::default();
        let mut by_id = HashMap::new();
        let mut statement = connection.prepare("SELECT id, name, text FROM facets ORDER BY id")?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            let (id, of, text): (u32, Option<u32>, Box<str>) =
                (row.get(0)?, row.get(1)?, row.get(2)?);
            dictionary.last = id;
            match of.and_then(|of| by_id.get(&of)) {
                None => {
                    by_id.insert(id, dictionary.names.len());
                    dictionary.add(text, NameId(id));
                }
                Some(place) => {
                    if let Some(name) = dictionary.names.get_mut(*place) {
                        name.values.insert(text, FacetId(id));
                    }
                }
            }
        }
        Ok(dictionary)
    }

    fn add(&mut self, name: Box<str>, id: NameId) {
        self.places.insert(name, self.names.len());
        self.names.push(Name { id, values: KeyedMap::default() });
    }

    /// The number of the name; none when there are too many.
    pub(super) fn name(&mut self, name: &str) -> Option<NameId> {
        let place = self.place(name)?;
        self.names.get(place).map(|name| name.id)
    }

    /// The number of the name, and the facet of the text under it. There is no number when there are
    /// too many, and no facet when it is for the term index.
    pub(super) fn key(&mut self, name: &str, text: &str) -> Option<(NameId, Option<FacetId>)> {
        self.entry(name, text, MAX_VALUES)
    }

    fn place(&mut self, name: &str) -> Option<usize> {
        if let Some(known) = self.places.get(name) {
            return Some(*known);
        }
        if self.names.len() >= MAX_NAMES || name.len() > MAX_NAME_BYTES || self.last >= MAX_ENTRIES
        {
            return None;
        }
        self.last += 1;
        let id = NameId(self.last);
        self.fresh.push((id.0, None, name.into()));
        self.add(name.into(), id);
        self.names.len().checked_sub(1)
    }

    fn entry(&mut self, name: &str, text: &str, most: usize) -> Option<(NameId, Option<FacetId>)> {
        let place = self.place(name)?;
        let name = self.names.get_mut(place)?;
        if let Some(known) = name.values.get(text) {
            return Some((name.id, Some(*known)));
        }
        if name.values.len() >= most || self.last >= MAX_ENTRIES {
            return Some((name.id, None));
        }
        self.last += 1;
        let id = FacetId(self.last);
        self.fresh.push((id.0, Some(name.id), text.into()));
        name.values.insert(text.into(), id);
        Some((name.id, Some(id)))
    }

    /// The bitmaps of a word that many records of a chunk say; none when there are too many words.
    pub(super) fn word(&mut self, word: &str) -> Option<FacetId> {
        self.entry(WORD, word, MAX_WORDS)?.1
    }

    /// What is to be written of it.
    pub(super) fn take_fresh(&mut self) -> Vec<Fresh> {
        std::mem::take(&mut self.fresh)
    }
}

/// Writes names and facets that have come.
pub(super) fn write(connection: &Connection, fresh: &[Fresh]) -> rusqlite::Result<()> {
    let mut insert =
        connection.prepare_cached("INSERT INTO facets (id, name, text) VALUES (?1, ?2, ?3)")?;
    for (id, of, text) in fresh {
        insert.execute(params![id, of.map(|of| of.0), text])?;
    }
    Ok(())
}

/// The name under which words stand that many records of a chunk say. It is none that a record has.
const WORD: &str = "word";

/// The bitmaps of a word, or of two with a blank between them, which are there for chunks in which
/// many records say it.
pub(super) fn word(connection: &Connection, word: &str) -> rusqlite::Result<Option<FacetId>> {
    let Some(name) = name(connection, WORD)? else { return Ok(None) };
    connection
        .prepare_cached("SELECT id FROM facets WHERE name = ?1 AND text = ?2")?
        .query_row(params![name.0, word], |row| row.get(0).map(FacetId))
        .optional()
}

/// Where a text under a name is to be looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Whereabouts {
    /// In the bitmaps of this facet, all of it.
    Facet(FacetId),
    /// In the term index.
    Terms,
    /// No indexed record has it.
    Nowhere,
}

/// The number of the name; none when it is unknown.
pub(super) fn name(connection: &Connection, name: &str) -> rusqlite::Result<Option<NameId>> {
    connection
        .prepare_cached("SELECT id FROM facets WHERE name IS NULL AND text = ?1")?
        .query_row([name], |row| row.get(0).map(NameId))
        .optional()
}

/// Whether there were too many names, so that one that is unknown may yet be in use.
pub(super) fn names_are_full(connection: &Connection) -> rusqlite::Result<bool> {
    connection
        .prepare_cached("SELECT count(*) FROM facets WHERE name IS NULL")?
        .query_row([], |row| row.get::<_, usize>(0))
        .map(|count| count >= MAX_NAMES)
        .and_then(|full| Ok(full || is_full(connection)?))
}

/// Whether there are as many names and facets as there may be.
fn is_full(connection: &Connection) -> rusqlite::Result<bool> {
    connection
        .prepare_cached("SELECT coalesce(max(id), 0) FROM facets")?
        .query_row([], |row| row.get::<_, u32>(0))
        .map(|last| last >= MAX_ENTRIES)
}

/// Where the text under that name is.
pub(super) fn whereabouts(
    connection: &Connection,
    of: &str,
    text: &str,
) -> rusqlite::Result<Whereabouts> {
    let Some(name) = name(connection, of)? else {
        let full = names_are_full(connection)?;
        return Ok(if full { Whereabouts::Terms } else { Whereabouts::Nowhere });
    };
    let found: Option<u32> = connection
        .prepare_cached("SELECT id FROM facets WHERE name = ?1 AND text = ?2")?
        .query_row(params![name.0, text], |row| row.get(0))
        .optional()?;
    Ok(match found {
        Some(id) => Whereabouts::Facet(FacetId(id)),
        None if values_are_full(connection, name)? => Whereabouts::Terms,
        None => Whereabouts::Nowhere,
    })
}

fn values_are_full(connection: &Connection, name: NameId) -> rusqlite::Result<bool> {
    connection
        .prepare_cached("SELECT count(*) FROM facets WHERE name = ?1")?
        .query_row([name.0], |row| row.get::<_, usize>(0))
        .map(|count| count >= MAX_VALUES)
        .and_then(|full| Ok(full || is_full(connection)?))
}

/// The facets of a name.
#[derive(Debug)]
pub(super) struct Values {
    /// Each, and its text.
    pub(super) facets: Vec<(FacetId, Box<str>)>,
    /// Whether there may be texts that are none.
    pub(super) full: bool,
}

/// The facets of the name.
pub(super) fn values(connection: &Connection, name: NameId) -> rusqlite::Result<Values> {
    let mut statement =
        connection.prepare_cached("SELECT id, text FROM facets WHERE name = ?1 ORDER BY id")?;
    let rows = statement.query_map([name.0], |row| Ok((FacetId(row.get(0)?), row.get(1)?)))?;
    let facets = rows.collect::<rusqlite::Result<Vec<_>>>()?;
    Ok(Values { full: facets.len() >= MAX_VALUES || is_full(connection)?, facets })
}
