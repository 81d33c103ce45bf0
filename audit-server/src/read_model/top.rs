//! How many records have each value of a name, from bitmaps.

use std::collections::{HashMap, HashSet};

use rusqlite::Connection;

use super::{
    bits::{Bits, CHUNK},
    content::{KEYED, LONG},
    dictionary::{self, FacetId},
    part::{self, EntryId},
    reading,
    run::{self, Run},
    schema::chunk_key,
    search::Search,
};
use crate::filter::{Field, Text};

/// Values of a name, with how many records have each.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct ValueCounts {
    pub(crate) values: Vec<(Box<str>, u64)>,
    /// How many records have any.
    pub(crate) present: u64,
}

/// What stands for texts that are too long to be told apart.
const LONG_TEXTS: &str = "(too long to be told apart)";

impl Search<'_> {
    /// Counts the values of the name among records of the scan's time that match; none when the name
    /// has so many values that not all have bitmaps.
    pub(super) fn value_counts(&self, field: &Field) -> rusqlite::Result<Option<ValueCounts>> {
        // Of other members it is known which records have them, and not what they say.
        if matches!(field, Field::Member(member) if !KEYED.contains(member)) {
            return Ok(None);
        }
        let Some(name) = dictionary::name(self.model, &field.to_string())? else {
            return Ok(None);
        };
        let values = dictionary::values(self.model, name)?;
        if values.full {
            return Ok(None);
        }
        let mut facets = values.facets;
        facets.push((name.present(), "".into()));
        let mut counts = vec![0_u64; facets.len()];
        for run in run::all(self.model)? {
            let range = self.scan.range;
            if run.from_time > range.to || run.to_time < range.from {
                continue;
            }
            let (from, to) = run.within(self.model, &self.trail, range)?;
            if from >= to {
                continue;
            }
            let masks = self.masks(run, (from, to))?;
            for ((facet, _), count) in facets.iter().zip(&mut counts) {
                if self.deadline.passed() {
                    return Err(reading::interrupt());
                }
                *count += count_facet(self.model, run, *facet, &masks)?;
            }
        }
        self.count_in_tail(field, &mut facets, &mut counts)?;
        let mut found: Vec<(Box<str>, u64)> = facets
            .into_iter()
            .zip(counts)
            .map(|((facet, text), count)| {
                let is_long = facet != name.present() && *text == *LONG;
                (if is_long { LONG_TEXTS.into() } else { text }, count)
            })
            .collect();
        let at = found.iter().position(|(text, _)| text.is_empty());
        let present = at.map_or(0, |at| found.swap_remove(at).1);
        Ok(Some(ValueCounts { values: found, present }))
    }

    /// Which positions of each chunk are meant, first chunk first; none when all of it are.
    fn masks(&self, run: Run, (from, to): (u64, u64)) -> rusqlite::Result<Masks> {
        let size = CHUNK as u64;
        let chosen = self.chosen(run, (from, to))?;
        let first = from / size;
        let mut bits = Vec::new();
        let mut start = first * size;
        while start < to {
            if self.deadline.passed() {
                return Err(reading::interrupt());
            }
            let bounds = (from.max(start), to.min(start + size));
            let mask = match self.bits(&chosen, run, start, bounds)? {
                Some(mask) => Some(mask),
                None if bounds == (start, start + size) => None,
                None => {
                    let mut mask = Bits::first((bounds.1 - start) as usize);
                    mask.and_not(&Bits::first((bounds.0 - start) as usize));
                    Some(mask)
                }
            };
            bits.push(mask);
            start += size;
        }
        Ok(Masks { first, bits })
    }

    fn count_in_tail(
        &self,
        field: &Field,
        facets: &mut Vec<(FacetId, Box<str>)>,
        counts: &mut Vec<u64>,
    ) -> rusqlite::Result<()> {
        let present = counts.len() - 1;
        let mut known: HashMap<Box<str>, usize> =
            facets.iter().zip(0..).map(|((_, text), at)| (text.clone(), at)).collect();
        self.each_of_tail(|_, _, record| {
            let mut met: HashSet<usize> = HashSet::new();
            field.each(record, |text| {
                if text.is_empty() {
                    return;
                }
                let text = if text.len() > Text::MAX_BYTES { LONG } else { text };
                let at = known.get(text).copied().unwrap_or_else(|| {
                    facets.push((FacetId::DAMAGED, text.into()));
                    counts.push(0);
                    known.insert(text.into(), counts.len() - 1);
                    counts.len() - 1
                });
                if met.insert(at) {
                    counts[at] += 1;
                }
            });
            counts[present] += u64::from(!met.is_empty());
        })
        .map(drop)
    }
}

/// Positions by chunk, from the first on.
struct Masks {
    first: u64,
    bits: Vec<Option<Bits>>,
}

fn count_facet(
    model: &Connection,
    run: Run,
    facet: FacetId,
    masks: &Masks,
) -> rusqlite::Result<u64> {
    let full = run.count / CHUNK as u64;
    let last = masks.first + masks.bits.len() as u64;
    let mut total = 0;
    let mut count = |chunk: u64, encoded: &[u8]| {
        let Some(mask) = masks.bits.get((chunk - masks.first) as usize) else { return };
        if mask.as_ref().is_some_and(Bits::is_empty) {
            return;
        }
        let mut bits = Bits::empty();
        bits.add(encoded);
        if let Some(mask) = mask {
            bits.and(mask);
        }
        total += bits.len();
    };
    let mut statement =
        model.prepare_cached("SELECT key, data FROM bits WHERE key BETWEEN ?1 AND ?2")?;
    let key = |chunk| chunk_key(facet.0, run.number, chunk);
    if last > masks.first {
        let mut rows = statement.query([key(masks.first), key(last - 1)])?;
        while let Some(row) = rows.next()? {
            let chunk = row.get::<_, i64>(0)? - key(0);
            count(chunk.unsigned_abs(), row.get_ref(1)?.as_blob()?);
        }
    }
    if last > full {
        let parts = part::count(model, run.number)?;
        let id = EntryId::facet(facet);
        part::each_entry(model, run.number, parts, id, |encoded| count(full, encoded))?;
    }
    Ok(total)
}
