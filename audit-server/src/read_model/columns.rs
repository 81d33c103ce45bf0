//! Sheets of facts on disk: column by column, so that a report reads what it needs.
//!
//! Of times the differences are kept, about three bytes a record; of everything else the sheet's
//! table, and for each record a place in it, in one, two or four bytes, or, where most records have
//! none, only those that have one. Fifteen bytes a record together (measured
//! with the records of `query-bench`), of which what trades and payments say takes a third.

use super::varint;
use crate::fact::{Amount, Entry, Kind, Sheet, Tables, WordId};

/// What a sheet is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u32)]
pub(crate) enum Column {
    Times = 0,
    Kinds = 1,
    /// The table of words, which resources and entries refer to.
    Words = 2,
    Users = 3,
    Addresses = 4,
    Resources = 5,
    Entries = 6,
    /// Few records have one, so there are three bytes for each that has, and the table.
    Names = 7,
}

impl Column {
    pub(crate) const ALL: [Self; 8] = [
        Self::Times,
        Self::Kinds,
        Self::Words,
        Self::Users,
        Self::Addresses,
        Self::Resources,
        Self::Entries,
        Self::Names,
    ];
}

/// One column of the sheet, encoded.
pub(super) fn encode(sheet: &Sheet, column: Column) -> Vec<u8> {
    let mut out = Vec::new();
    let tables = &sheet.tables;
    match column {
        Column::Times => {
            varint::push(&mut out, sheet.len() as u64);
            let mut last = 0;
            for time in &sheet.times {
                varint::push_signed(&mut out, time.wrapping_sub(last));
                last = *time;
            }
        }
        Column::Kinds => {
            varint::push(&mut out, tables.kinds.len() as u64);
            for kind in &tables.kinds {
                for text in [&kind.event_type, &kind.status, &kind.severity] {
                    push_text(&mut out, text);
                }
            }
            push_places(&mut out, &sheet.kinds);
        }
        Column::Words => {
            varint::push(&mut out, tables.words.len() as u64);
            tables.words.iter().for_each(|word| push_text(&mut out, word));
        }
        Column::Users => push_values(&mut out, &tables.users, &sheet.users),
        Column::Names => push_values(&mut out, &tables.names, &sheet.names),
        Column::Addresses => push_values(&mut out, &tables.addresses, &sheet.addresses),
        Column::Resources => push_places(&mut out, &sheet.resources),
        Column::Entries => {
            varint::push(&mut out, sheet.entries.len() as u64);
            let mut last = 0;
            for (place, entry) in &sheet.entries {
                varint::push(&mut out, u64::from(place - last));
                last = *place;
                push_entry(&mut out, entry);
            }
        }
    }
    out
}

/// Reads a column into a sheet, of which that of times was read first; none when it is no encoding.
pub(super) fn decode(sheet: &mut Sheet, column: Column, mut bytes: &[u8]) -> Option<()> {
    let bytes = &mut bytes;
    let count = sheet.len();
    match column {
        Column::Times => {
            let count = usize::try_from(varint::read(bytes)?).ok()?;
            sheet.times.reserve_exact(count.min(bytes.len()));
            let mut last = 0_i64;
            for _ in 0..count {
                last = last.wrapping_add(varint::read_signed(bytes)?);
                sheet.times.push(last);
            }
        }
        Column::Kinds => {
            for _ in 0..varint::read(bytes)? {
                let mut text = || read_text(bytes);
                let (event_type, status, severity) = (text()?, text()?, text()?);
                sheet.tables.kinds.push(Kind { event_type, status, severity });
            }
            sheet.kinds = read_places(bytes, count)?;
        }
        Column::Words => {
            for _ in 0..varint::read(bytes)? {
                sheet.tables.words.push(read_text(bytes)?);
            }
        }
        Column::Users => {
            sheet.tables.users = read_hashes(bytes)?;
            sheet.users = read_places(bytes, count)?;
        }
        Column::Names => {
            sheet.tables.names = read_hashes(bytes)?;
            sheet.names = read_places(bytes, count)?;
        }
        Column::Addresses => {
            sheet.tables.addresses = read_hashes(bytes)?;
            sheet.addresses = read_places(bytes, count)?;
        }
        Column::Resources => sheet.resources = read_places(bytes, count)?,
        Column::Entries => {
            let mut place = 0_u32;
            for _ in 0..varint::read(bytes)? {
                place = place.checked_add(u32::try_from(varint::read(bytes)?).ok()?)?;
                sheet.entries.push((place, read_entry(bytes)?));
            }
        }
    }
    Some(())
}

/// The columns that were not read say that no record has anything there.
pub(super) fn fill(sheet: &mut Sheet) {
    let count = sheet.len();
    let Sheet { kinds, users, names, addresses, resources, .. } = sheet;
    for column in [kinds, users, names, addresses, resources] {
        column.resize(count, 0);
    }
}

/// The whole sheet.
pub(super) fn encode_all(sheet: &Sheet) -> Vec<u8> {
    let mut out = Vec::new();
    for column in Column::ALL {
        let encoded = encode(sheet, column);
        varint::push(&mut out, encoded.len() as u64);
        out.extend_from_slice(&encoded);
    }
    out
}

/// The whole sheet; none when it is no encoding.
pub(super) fn decode_all(mut bytes: &[u8]) -> Option<Sheet> {
    let mut sheet = Sheet { tables: Tables::default(), ..Sheet::default() };
    for column in Column::ALL {
        let length = usize::try_from(varint::read(&mut bytes)?).ok()?;
        decode(&mut sheet, column, bytes.split_off(..length)?)?;
    }
    Some(sheet)
}

const SPARSE: u8 = 0;

/// Places in a table of which 0 is none.
fn push_places(out: &mut Vec<u8>, places: &[u32]) {
    let some = places.iter().filter(|place| **place != 0).count();
    let most = places.iter().max().copied().unwrap_or_default();
    let width: u8 = match most {
        0..0x100 => 1,
        0x100..0x1_0000 => 2,
        _ => 4,
    };
    // A place and its gap take about a byte more than a place.
    if some * (usize::from(width) + 1) < places.len() * usize::from(width) {
        out.push(SPARSE);
        varint::push(out, some as u64);
        let mut next = 0;
        for (at, place) in places.iter().enumerate().filter(|(_, place)| **place != 0) {
            varint::push(out, (at - next) as u64);
            varint::push(out, u64::from(*place));
            next = at + 1;
        }
        return;
    }
    out.push(width);
    for place in places {
        out.extend_from_slice(&place.to_le_bytes()[..usize::from(width)]);
    }
}

fn read_places(bytes: &mut &[u8], count: usize) -> Option<Vec<u32>> {
    let width = *bytes.split_off_first()?;
    if width == SPARSE {
        let mut places = vec![0; count];
        let mut next = 0_usize;
        for _ in 0..varint::read(bytes)? {
            let at = next.checked_add(usize::try_from(varint::read(bytes)?).ok()?)?;
            *places.get_mut(at)? = u32::try_from(varint::read(bytes)?).ok()?;
            next = at + 1;
        }
        return Some(places);
    }
    let data = bytes.split_off(..count.checked_mul(usize::from(width))?)?;
    Some(match width {
        1 => data.iter().map(|byte| u32::from(*byte)).collect(),
        2 => data.as_chunks().0.iter().map(|two| u16::from_le_bytes(*two).into()).collect(),
        4 => data.as_chunks().0.iter().map(|four| u32::from_le_bytes(*four)).collect(),
        _ => return None,
    })
}

fn push_values(out: &mut Vec<u8>, table: &[u64], places: &[u32]) {
    varint::push(out, table.len() as u64);
    table.iter().for_each(|hash| out.extend_from_slice(&hash.to_le_bytes()));
    push_places(out, places);
}

fn read_hashes(bytes: &mut &[u8]) -> Option<Vec<u64>> {
    let count = usize::try_from(varint::read(bytes)?).ok()?;
    let data = bytes.split_off(..count.checked_mul(8)?)?;
    Some(data.as_chunks().0.iter().map(|eight| u64::from_le_bytes(*eight)).collect())
}

fn push_text(out: &mut Vec<u8>, text: &str) {
    varint::push(out, text.len() as u64);
    out.extend_from_slice(text.as_bytes());
}

fn read_text(bytes: &mut &[u8]) -> Option<Box<str>> {
    let length = usize::try_from(varint::read(bytes)?).ok()?;
    std::str::from_utf8(bytes.split_off(..length)?).ok().map(Into::into)
}

fn push_entry(out: &mut Vec<u8>, entry: &Entry) {
    let amounts = [entry.quantity, entry.price, entry.amount, entry.confidence];
    let mut has = u8::from(entry.correlation != 0);
    for (bit, amount) in (1..).zip(amounts) {
        has |= u8::from(amount.is_some()) << bit;
    }
    out.push(has);
    for word in [entry.agent, entry.symbol, entry.side, entry.currency] {
        varint::push(out, u64::from(word.0));
    }
    if entry.correlation != 0 {
        out.extend_from_slice(&entry.correlation.to_le_bytes());
    }
    for amount in amounts.into_iter().flatten() {
        out.push(amount.scale());
        let units = amount.units();
        // As two numbers: what is beyond 64 bits is rare, and then long.
        match i64::try_from(units) {
            Ok(units) => {
                varint::push(out, 0);
                varint::push_signed(out, units);
            }
            Err(_) => {
                varint::push(out, 1);
                out.extend_from_slice(&units.to_le_bytes());
            }
        }
    }
}

fn read_entry(bytes: &mut &[u8]) -> Option<Entry> {
    let has = *bytes.split_off_first()?;
    let mut word = || u32::try_from(varint::read(bytes)?).ok().map(WordId);
    let (agent, symbol, side, currency) = (word()?, word()?, word()?, word()?);
    let correlation =
        if has & 1 == 1 { u64::from_le_bytes(bytes.split_off(..8)?.try_into().ok()?) } else { 0 };
    let mut amount = |bit: u8| -> Option<Option<Amount>> {
        if has >> bit & 1 == 0 {
            return Some(None);
        }
        let scale = *bytes.split_off_first()?;
        let units = match varint::read(bytes)? {
            0 => varint::read_signed(bytes)?.into(),
            _ => i128::from_le_bytes(bytes.split_off(..16)?.try_into().ok()?),
        };
        (scale <= Amount::MAX_SCALE).then(|| Some(Amount::new(units, scale)))
    };
    let (quantity, price, amount, confidence) = (amount(1)?, amount(2)?, amount(3)?, amount(4)?);
    Some(Entry { agent, symbol, side, currency, correlation, quantity, price, amount, confidence })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use audit_layer::record::Record;
    use proptest::prelude::*;

    use super::*;
    use crate::fact::ValueKey;

    fn line(n: u32, kind: u8) -> String {
        let category = ["auth", "trade", "financial"][usize::from(kind % 3)];
        let status = ["success", "denied", ""][usize::from(kind % 3)];
        let place = ["x", "y"][usize::from(kind % 2)];
        serde_json::json!({
            "v": 1, "id": "i", "stream": "s", "seq": 1, "timestamp": "t", "level": "INFO",
            "logger": "audit", "category": category, "event_type": format!("{category}.x{}", kind % 5),
            "severity": "info", "prev_hash": "0", "hash": "0", "status": status,
            "user_id": if kind.is_multiple_of(4) { String::new() } else { format!("u{n}") },
            "username": if kind.is_multiple_of(5) { String::new() } else { format!("n{n}") },
            "ip_address": if kind.is_multiple_of(7) { format!("a{n}") } else { String::new() },
            "resource": format!("/r{place}/{n}"),
            "correlation_id": format!("c{n}"),
            "details": {"symbol": format!("S{}", n % 300), "side": "buy", "quantity": n,
                "price": format!("{n}.25"), "amount": "123456789012345678901234567890.5",
                "confidence": 0.5},
        })
        .to_string()
    }

    fn sheet(records: &[(u32, u8)]) -> Sheet {
        let mut sheet = Sheet::default();
        for (at, (n, kind)) in (0..).zip(records) {
            let line = line(*n, *kind);
            let record = Record::parse(&line).unwrap();
            let damaged = kind % 50 == 49;
            sheet.push(at * 7, (!damaged).then_some(&record), ValueKey([3; 16]));
        }
        sheet
    }

    proptest! {
        #[test]
        fn a_sheet_is_read_back(
            records in proptest::collection::vec((0..500_u32, any::<u8>()), 0..600), at in 0..600_usize)
        {
            let (first, second) = records.split_at(at.min(records.len()));
            let whole = sheet(&records);
            prop_assert!(decode_all(&encode_all(&whole)).unwrap() == whole);
            // Put together from parts that were read back, it says the same.
            let mut joined = decode_all(&encode_all(&sheet(first))).unwrap();
            let mut later = sheet(second);
            let shift = first.len() as i64 * 7;
            later.times.iter_mut().for_each(|time| *time += shift);
            joined.append(&decode_all(&encode_all(&later)).unwrap());
            prop_assert_eq!(joined.times, whole.times);
            let text = |sheet: &Tables, at: u32| (at as usize).checked_sub(1).map(|at| sheet.kinds[at].clone());
            for (a, b) in joined.kinds.iter().zip(&whole.kinds) {
                prop_assert_eq!(text(&joined.tables, *a), text(&whole.tables, *b));
            }
            prop_assert_eq!(joined.users, whole.users);
            prop_assert_eq!(joined.names, whole.names);
            prop_assert_eq!(joined.addresses, whole.addresses);
            prop_assert_eq!(joined.resources, whole.resources);
            prop_assert_eq!(joined.entries, whole.entries);
        }

        #[test]
        fn bytes_that_are_no_sheet_are_no_panic(bytes: Vec<u8>) {
            let _ = decode_all(&bytes);
        }
    }
}
