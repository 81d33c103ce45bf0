//! Stored lines in bulk, in the order of arrival.
//!
//! Each is parsed, so that what a page has is here, and nothing else, changed records included. What is
//! no record is left out and counted, and so is a line with a line break in it: no record has one, and
//! it would pass for two. Rejected: to copy a line whose hash is that of its bytes, which costs a third
//! of parsing it. A hash without a key says nothing of who made it, and a line that is no JSON would
//! spoil the array that it stands in.

use std::collections::HashMap;

use audit_layer::record::Record;
use rusqlite::{Connection, ErrorCode};

use super::{Deadline, tell_of_damage};
use crate::filter::TimeRange;

/// Rows between two looks at the clock.
const ROWS_PER_LOOK: u32 = 256;

/// What is beside the line in a row, and the line.
const SQL: &str = "SELECT arrival, timestamp, stream, seq, record FROM audit_logs \
                   WHERE arrival > ?1 AND arrival <= ?2 ORDER BY arrival";

/// A stretch of the trail that is to be read.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Stretch {
    /// After this arrival.
    pub(crate) after: i64,
    /// Up to this one.
    pub(crate) until: i64,
    /// Only records of this time.
    pub(crate) range: TimeRange,
    /// The most records.
    pub(crate) records: u64,
    /// No further record when there are as many bytes as this.
    pub(crate) bytes: usize,
}

/// A record that was read, and where it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Met {
    /// Its arrival number.
    pub(crate) arrival: i64,
    /// Its stream.
    pub(crate) stream: Box<str>,
    /// Its number there.
    pub(crate) seq: u64,
}

/// The least and the greatest sequence number of each stream.
pub(crate) type Ranges = HashMap<Box<str>, (u64, u64)>;

/// What a stretch has.
#[derive(Debug, Default)]
pub(crate) struct Lines {
    /// The records, byte for byte, each with a line end.
    pub(crate) text: Vec<u8>,
    /// How many they are.
    pub(crate) records: u64,
    /// Lines that are no records.
    pub(crate) damaged: u64,
    /// The streams that the records are of.
    pub(crate) streams: Ranges,
    /// The last of the records.
    pub(crate) last: Option<Met>,
    /// Everything up to this arrival was looked at.
    pub(crate) examined: i64,
}

impl Lines {
    /// Adds a record.
    pub(crate) fn push(&mut self, arrival: i64, stream: &str, seq: u64, line: &str) {
        self.text.extend_from_slice(line.as_bytes());
        self.text.push(b'\n');
        self.records += 1;
        add(&mut self.streams, stream, (seq, seq));
        match &mut self.last {
            // Mostly the stream of the one before: nothing to allocate.
            Some(last) if *last.stream == *stream => (last.arrival, last.seq) = (arrival, seq),
            last => *last = Some(Met { arrival, stream: stream.into(), seq }),
        }
    }

    /// Leaves out a line that is no record.
    pub(crate) fn skip(&mut self, arrival: i64) {
        tell_of_damage(arrival);
        self.damaged += 1;
    }
}

/// Widens the range of a stream.
pub(crate) fn add(ranges: &mut Ranges, stream: &str, (least, greatest): (u64, u64)) {
    match ranges.get_mut(stream) {
        Some(range) => *range = (range.0.min(least), range.1.max(greatest)),
        None => drop(ranges.insert(stream.into(), (least, greatest))),
    }
}

/// What is in the stretch, or in its beginning when the time is up before its end.
pub(super) fn read(
    connection: &Connection,
    stretch: &Stretch,
    deadline: Deadline,
) -> rusqlite::Result<Lines> {
    let mut lines = Lines { examined: stretch.after, ..Lines::default() };
    // With room for the line that passes the mark, mostly.
    lines.text.reserve_exact(stretch.bytes + 16 * 1024);
    let mut statement = connection.prepare_cached(SQL)?;
    let mut rows = statement.query([stretch.after, stretch.until])?;
    let mut until_look = ROWS_PER_LOOK;
    while lines.records < stretch.records && lines.text.len() < stretch.bytes {
        let row = match rows.next() {
            Ok(Some(row)) => row,
            Ok(None) => {
                lines.examined = stretch.until;
                break;
            }
            Err(error) if error.sqlite_error_code() == Some(ErrorCode::OperationInterrupted) => {
                break;
            }
            Err(error) => return Err(error),
        };
        let arrival = row.get(0)?;
        if stretch.range.contains(row.get(1)?) {
            let seq = u64::try_from(row.get_ref(3)?.as_i64()?).unwrap_or_default();
            match row.get_ref(4)?.as_str().ok().filter(|line| is_record(line)) {
                Some(line) => {
                    lines.push(arrival, row.get_ref(2)?.as_str().unwrap_or_default(), seq, line);
                }
                None => lines.skip(arrival),
            }
        }
        lines.examined = arrival;
        until_look -= 1;
        if until_look == 0 {
            until_look = ROWS_PER_LOOK;
            if deadline.passed() {
                break;
            }
        }
    }
    Ok(lines)
}

/// Whether a line can stand among others as a record.
fn is_record(line: &str) -> bool {
    !line.as_bytes().contains(&b'\n') && Record::parse(line).is_ok()
}
