//! What an export that was interrupted has written.
//!
//! Everything is read: a part whose middle was damaged must not become a file that looks whole.
//! What stands behind the last complete record is no damage, but where it was interrupted.

use std::{
    fs::File,
    io::{self, BufRead, BufReader, Read, Seek, SeekFrom},
};

use audit_layer::record::{Record, checked_hash};

use crate::{
    Error,
    export::{Format, Measure, csv::columns},
    query::Trail,
    store::{Deadline, Ranges, widen},
};

/// What a file has.
#[derive(Debug, Default)]
pub(super) struct Found {
    /// The bytes up to the end of the last complete record.
    pub(super) content: Measure,
    pub(super) records: u64,
    pub(super) streams: Ranges,
    pub(super) last: Option<Last>,
}

/// The last record of a file.
#[derive(Debug)]
pub(super) struct Last {
    id: String,
    hash: String,
}

impl Last {
    /// Where the trail has it, and only it.
    pub(super) fn arrival(&self, trail: &Trail, deadline: Deadline) -> Result<Option<i64>, Error> {
        let snapshot = trail.database().snapshot(deadline)?;
        let [arrival] = *snapshot.arrivals_of(&self.id)? else { return Ok(None) };
        let line = snapshot.line_of(&self.id)?;
        let is_same = Record::parse(&line).is_ok_and(|record| record.hash == self.hash);
        Ok(is_same.then_some(arrival))
    }
}

/// Reads a file from its beginning.
pub(super) fn read(file: &mut File, format: Format) -> io::Result<Found> {
    file.seek(SeekFrom::Start(0))?;
    let mut found = Found::default();
    let end = match format {
        Format::Ndjson | Format::Json => lines(file, format, &mut found)?,
        Format::Csv => rows(file, &mut found)?,
    };
    // Hashed in a second reading, now that it is known up to where.
    file.seek(SeekFrom::Start(0))?;
    let mut rest = BufReader::with_capacity(1 << 20, file.take(end));
    loop {
        let bytes = rest.fill_buf()?;
        if bytes.is_empty() {
            return Ok(found);
        }
        found.content.update(bytes);
        let length = bytes.len();
        rest.consume(length);
    }
}

fn damaged(at: u64) -> io::Error {
    let reason = format!("it was damaged behind byte {at}: --force begins anew");
    io::Error::new(io::ErrorKind::InvalidData, reason)
}

/// Where the last complete record ends; in JSON, without the comma behind it.
fn lines(file: &mut File, format: Format, found: &mut Found) -> io::Result<u64> {
    let mut reader = BufReader::with_capacity(1 << 20, file);
    let mut line = Vec::new();
    let (mut end, mut begins) = (0, 0);
    loop {
        line.clear();
        let length = reader.read_until(b'\n', &mut line)? as u64;
        let is_whole = line.ends_with(b"\n");
        let text = line.strip_suffix(b"\n").unwrap_or(&line);
        let (text, ends_at) = match format {
            Format::Json => {
                let text = text.strip_suffix(b",").unwrap_or(text);
                (text, begins + text.len() as u64)
            }
            Format::Ndjson | Format::Csv => (text, begins + length),
        };
        let opens = format == Format::Json && begins == 0 && *text == *b"[";
        let closes = format == Format::Json && *text == *b"]";
        let record = std::str::from_utf8(text).ok().and_then(|text| Record::parse(text).ok());
        match record {
            Some(record) if is_whole || format == Format::Json && checked_hash(text).is_some() => {
                found.records += 1;
                widen(&mut found.streams, &record.stream, (record.seq, record.seq));
                let (id, hash) = (record.id.into_owned(), record.hash.into_owned());
                found.last = Some(Last { id, hash });
                end = ends_at;
            }
            _ if opens || closes || !is_whole => {}
            _ => return Err(damaged(begins)),
        }
        begins += length;
        if !is_whole {
            return Ok(end);
        }
    }
}

/// Where the last complete row ends.
fn rows(file: &mut File, found: &mut Found) -> io::Result<u64> {
    let bytes = file.metadata()?.len();
    let mut last_byte = [0];
    if bytes > 0 {
        file.seek(SeekFrom::End(-1))?;
        file.read_exact(&mut last_byte)?;
        file.seek(SeekFrom::Start(0))?;
    }
    let ends_a_row = last_byte == *b"\n";
    let names: Vec<_> = columns().collect();
    let place = |name: &str| names.iter().position(|known| *known == name).unwrap_or_default();
    let (id, hash, stream, seq) = (place("id"), place("hash"), place("stream"), place("seq"));
    let mut reader = csv::ReaderBuilder::new()
        .flexible(true)
        .has_headers(false)
        .buffer_capacity(1 << 20)
        .from_reader(file);
    let mut row = csv::StringRecord::new();
    let mut end = 0;
    while reader.read_record(&mut row).map_err(|_| damaged(end))? {
        let at = reader.position().byte();
        let is_cut = at >= bytes && !ends_a_row;
        if is_cut || row.len() != names.len() {
            // A row that is cut is the last; another is none of ours.
            return if at >= bytes { Ok(found.records.min(1) * end) } else { Err(damaged(end)) };
        }
        if end == 0 {
            if row.iter().ne(names.iter().copied()) {
                return Err(damaged(0));
            }
        } else {
            let cell = |at: usize| row.get(at).unwrap_or_default();
            let number = cell(seq).parse().map_err(|_| damaged(end))?;
            found.records += 1;
            widen(&mut found.streams, cell(stream), (number, number));
            found.last = Some(Last { id: cell(id).to_owned(), hash: cell(hash).to_owned() });
        }
        end = at;
    }
    // Names without a record are written anew.
    Ok(found.records.min(1) * end)
}
