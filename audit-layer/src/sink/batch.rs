//! Records on their way to the sinks.
//!
//! The lines of a batch stand in one text, as they will stand in a file: one allocation for all of
//! them, which the pipeline uses again when the sinks are done with it, and one `write(2)` for the
//! file. Rejected: a string for each record, which one thread allocates and another frees.

use std::{ops::Range, sync::Arc};

use crate::record::{Hash, Head, Open, Record, StreamName, parse_timestamp, split_hash};

/// A batch that has as much leaves, however few records that are.
pub(crate) const MAX_BATCH_BYTES: usize = 1 << 20;

/// Consecutive records of one stream, shared by all sinks.
#[derive(Debug, Clone)]
pub(crate) struct Batch {
    pub(crate) stream: Arc<StreamName>,
    /// The lines, a line feed behind each.
    text: Vec<u8>,
    places: Vec<Place>,
}

/// Where in the text of its batch a record is.
#[derive(Debug, Clone)]
struct Place {
    head: Head,
    timestamp: i64,
    line: Range<usize>,
    event_type: Range<usize>,
    id: Range<usize>,
}

/// A finished record, as it stands in a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Sealed<'b> {
    pub(crate) head: Head,
    /// Microseconds since the Unix epoch.
    pub(crate) timestamp: i64,
    /// The canonical line, without a line feed.
    pub(crate) line: &'b [u8],
    event_type: &'b [u8],
    id: &'b [u8],
}

impl Sealed<'_> {
    pub(crate) fn seq(&self) -> u64 {
        self.head.seq
    }
}

/// Only strings, and JSON that was read from one, are ever written.
impl<'b> Sealed<'b> {
    #[cfg(any(feature = "sqlite", feature = "redis"))]
    pub(crate) fn event_type(&self) -> &'b str {
        str::from_utf8(self.event_type).unwrap_or_default()
    }

    #[cfg(feature = "sqlite")]
    pub(crate) fn id(&self) -> &'b str {
        str::from_utf8(self.id).unwrap_or_default()
    }

    /// The line as text.
    #[cfg(any(feature = "sqlite", test))]
    pub(crate) fn text(&self) -> &'b str {
        str::from_utf8(self.line).unwrap_or_default()
    }
}

impl Batch {
    pub(crate) fn new(stream: Arc<StreamName>) -> Self {
        Self { stream, text: Vec::new(), places: Vec::new() }
    }

    /// Takes in a line and chains it to the record before it.
    pub(crate) fn push(&mut self, line: &[u8], open: &Open, before: Hash) -> Head {
        let start = self.text.len();
        self.text.extend_from_slice(line);
        let hash = open.seal(&mut self.text, start, before);
        let head = Head { seq: open.seq, hash };
        let line = start..self.text.len();
        self.text.push(b'\n');
        let place = |range: &Range<usize>| start + range.start..start + range.end;
        let (event_type, id) = (place(&open.event_type), place(&open.id));
        self.places.push(Place { head, timestamp: open.timestamp, line, event_type, id });
        head
    }

    /// Takes in a line that a sink holds; `None` when it is not a record.
    pub(crate) fn push_line(&mut self, line: &str) -> Option<Head> {
        let record = Record::parse(line).ok()?;
        let (_, hash) = split_hash(line.as_bytes())?;
        let timestamp = parse_timestamp(&record.timestamp)?;
        let start = self.text.len();
        // Neither has an escape in a record of ours.
        let place = |value: &str| {
            let at = start + line.find(&format!("\"{value}\""))? + 1;
            Some(at..at + value.len())
        };
        let (event_type, id) = (place(&record.event_type)?, place(&record.id)?);
        let head = Head { seq: record.seq, hash };
        self.text.extend_from_slice(line.as_bytes());
        self.text.push(b'\n');
        let line = start..self.text.len() - 1;
        self.places.push(Place { head, timestamp, line, event_type, id });
        Some(head)
    }

    /// Takes the last record out again.
    pub(crate) fn pop(&mut self) {
        if let Some(place) = self.places.pop() {
            self.text.truncate(place.line.start);
        }
    }

    pub(crate) fn clear(&mut self) {
        self.text.clear();
        self.places.clear();
    }

    /// How many records there are.
    pub(crate) fn len(&self) -> usize {
        self.places.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.places.is_empty()
    }

    /// The bytes of all lines.
    pub(crate) fn size(&self) -> usize {
        self.text.len()
    }

    pub(crate) fn records(
        &self,
    ) -> impl DoubleEndedIterator<Item = Sealed<'_>> + ExactSizeIterator {
        self.places.iter().map(|place| self.sealed(place))
    }

    fn sealed(&self, place: &Place) -> Sealed<'_> {
        let part = |range: &Range<usize>| self.text.get(range.clone()).unwrap_or_default();
        Sealed {
            head: place.head,
            timestamp: place.timestamp,
            line: part(&place.line),
            event_type: part(&place.event_type),
            id: part(&place.id),
        }
    }

    pub(crate) fn first_seq(&self) -> Option<u64> {
        self.places.first().map(|place| place.head.seq)
    }

    pub(crate) fn last(&self) -> Option<Head> {
        self.places.last().map(|place| place.head)
    }

    /// The lines of the records from one to before another, by their places in the batch, a line feed
    /// behind each.
    pub(crate) fn lines(&self, records: Range<usize>) -> &[u8] {
        match self.places.get(records).unwrap_or_default() {
            [] => &[],
            [first, .., last] => {
                self.text.get(first.line.start..=last.line.end).unwrap_or_default()
            }
            [only] => self.text.get(only.line.start..=only.line.end).unwrap_or_default(),
        }
    }
}
