//! Reads the journal in order: behind a live writer, for a sink that fell behind, and what a killed
//! process left, all in the same way.
//!
//! What a reader keeps to, whatever the files hold:
//! - it returns only payloads whose checksum is right, in ascending order, each number once;
//! - behind damage it goes on with the next sound envelope, and returns [`Read::Lost`] for each
//!   number in between, so that the numbers that were promised keep their meaning;
//! - numbers that this journal never had, or has deleted, are [`Read::Elsewhere`].

use std::{io, sync::Arc};

use crate::{diagnostics, record::Hash};

use super::{
    frame,
    log::Log,
    segment::{DATA_AT, Envelope, HEAD, Kind, Segment},
};

/// How much is read from a file at once.
const READ: usize = 64 * 1024;

/// The sound envelopes of one segment.
#[derive(Debug)]
pub(super) struct Envelopes {
    pub(super) segment: Arc<Segment>,
    at: u64,
    /// Where the last sound envelope ended.
    pub(super) sound_end: u64,
    buffer: Vec<u8>,
    /// Where in the file the buffer begins.
    buffer_at: u64,
    payload: std::ops::Range<usize>,
}

impl Envelopes {
    pub(super) fn of(segment: Arc<Segment>) -> Self {
        Self {
            segment,
            at: DATA_AT,
            sound_end: DATA_AT,
            buffer: Vec::new(),
            buffer_at: 0,
            payload: 0..0,
        }
    }

    /// The next sound envelope, if there is one now.
    pub(super) fn next(&mut self) -> io::Result<Option<Envelope>> {
        loop {
            let limit = self.segment.end();
            if self.at + HEAD as u64 > limit {
                return Ok(None);
            }
            let (at, salt) = (self.at, self.segment.header.salt);
            let envelope = Envelope::decode(self.bytes(at, HEAD, limit)?, salt)
                .filter(|found| at + (HEAD + found.length) as u64 <= limit);
            let Some(envelope) = envelope else {
                // Envelopes begin at multiples of 8.
                self.at += 8;
                continue;
            };
            let whole = HEAD + envelope.length;
            let bytes = self.bytes(self.at, whole, limit)?;
            let payload = bytes.get(HEAD..).unwrap_or_default();
            let sound = payload.len() == envelope.length && crc32c::crc32c(payload) == envelope.crc;
            let start = usize::try_from(self.at - self.buffer_at).map_err(io::Error::other)?;
            self.payload = start + HEAD..start + whole;
            self.at += envelope.size();
            if sound {
                self.sound_end = self.at;
                return Ok(Some(envelope));
            }
        }
    }

    /// What the last envelope holds.
    pub(super) fn payload(&self) -> &[u8] {
        self.buffer.get(self.payload.clone()).unwrap_or_default()
    }

    /// The bytes of the file from `at` on: `length` of them, or fewer where it ends.
    fn bytes(&mut self, at: u64, length: usize, limit: u64) -> io::Result<&[u8]> {
        let within = |buffer: &Vec<u8>, buffer_at| {
            at >= buffer_at && at + length as u64 <= buffer_at + buffer.len() as u64
        };
        if !within(&self.buffer, self.buffer_at) {
            let most = READ.max(length);
            let wanted = usize::try_from(limit - at).map_or(most, |left| left.min(most));
            // Nothing is in the buffer until it was read: an error leaves it empty.
            let mut buffer = std::mem::take(&mut self.buffer);
            buffer.resize(wanted.max(length), 0);
            let read = self.segment.read(&mut buffer, at)?;
            // What lies behind the limit may be half written.
            buffer.truncate(read.min(wanted));
            (self.buffer, self.buffer_at) = (buffer, at);
        }
        let start = usize::try_from(at - self.buffer_at).map_err(io::Error::other)?;
        let end = (start + length).min(self.buffer.len());
        Ok(self.buffer.get(start..end).unwrap_or_default())
    }
}

/// What a reader meets next.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Read<'r> {
    /// A new segment: the callsites of the one before mean nothing here. `before` is the hash of the
    /// record before `first_seq`, if it is known.
    Segment { first_seq: u64, before: Option<Hash>, anchor: Anchor },
    /// What a number of a callsite means from now on.
    Callsite { number: u32, definition: &'r [u8] },
    /// An event.
    Event { seq: u64, frame: &'r [u8] },
    /// An event that was here and was damaged. `time` is that of the next event that was not.
    Lost { seq: u64, time: i64 },
    /// Events that the journal does not have: they are in the sinks, or were deleted.
    Elsewhere { first: u64, last: u64 },
}

/// Where a segment keeps the hash of the record before it: with it the events in it become the same
/// records whatever the sinks lose.
#[derive(Debug, Clone)]
pub(crate) struct Anchor(Arc<Segment>);

impl Anchor {
    pub(crate) fn set(&self, before: Hash) {
        if let Err(error) = self.0.set_anchor(before) {
            diagnostics::warn(&format!("the journal's anchor could not be written: {error}"));
        }
    }
}

impl PartialEq for Anchor {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Eq for Anchor {}

/// A place in a journal.
#[derive(Debug)]
pub(crate) struct Reader {
    log: Arc<Log>,
    envelopes: Option<Envelopes>,
    /// The number of the next event.
    expected: u64,
    /// Before the first event of the segment: the last number that was lost, and the last that
    /// this journal never had.
    hole: (u64, u64),
    /// An event behind a hole, which is told first.
    held: Option<(u64, Vec<u8>)>,
    /// The one that was held last.
    behind: Vec<u8>,
    /// Begin with the first event of the segment, not with the one that is expected.
    whole_segment: bool,
}

impl Reader {
    /// Begins at the event of that number.
    pub(crate) fn new(log: Arc<Log>, from: u64) -> Self {
        Self {
            log,
            envelopes: None,
            expected: from,
            hole: (0, 0),
            held: None,
            behind: Vec::new(),
            whole_segment: false,
        }
    }

    /// Begins at the first event of a segment at or before `seq` before which the chain is known; of
    /// the first segment when there is none.
    pub(crate) fn of_segment(log: Arc<Log>, seq: u64) -> Self {
        Self { whole_segment: true, ..Self::new(log, seq) }
    }

    /// The next thing, if there is one now.
    pub(crate) fn next(&mut self) -> io::Result<Option<Read<'_>>> {
        loop {
            if self.held.is_some() {
                return Ok(Some(self.behind_a_hole()));
            }
            let Some(envelopes) = &mut self.envelopes else { return self.enter_next() };
            // Asked before the last look: what was written before the seal is seen then.
            let sealed = envelopes.segment.is_sealed();
            let Some(envelope) = envelopes.next()? else {
                return if sealed { self.enter_next() } else { Ok(None) };
            };
            match envelope.kind {
                Kind::Callsite => {
                    let Ok(number) = u32::try_from(envelope.number) else { continue };
                    let definition = self.payload();
                    return Ok(Some(Read::Callsite { number, definition }));
                }
                // Read already, or before the place where reading was to begin.
                Kind::Event if envelope.number < self.expected => {}
                Kind::Event if envelope.number == self.expected => {
                    self.expected += 1;
                    return Ok(Some(Read::Event { seq: envelope.number, frame: self.payload() }));
                }
                Kind::Event => self.held = Some((envelope.number, self.payload().to_vec())),
            }
        }
    }

    fn payload(&self) -> &[u8] {
        self.envelopes.as_ref().map_or(&[], Envelopes::payload)
    }

    /// Goes on in the segment that holds the next event, or the first one behind it.
    fn enter_next(&mut self) -> io::Result<Option<Read<'_>>> {
        let before = self.envelopes.as_ref().map(|envelopes| envelopes.segment.header.index);
        let whole = std::mem::take(&mut self.whole_segment);
        let found = if whole {
            self.log.anchored_segment_for(self.expected)
        } else {
            self.log.segment_for(self.expected, before)
        };
        let Some(segment) = found else { return Ok(None) };
        let header = &segment.header;
        let first_seq = header.first_seq;
        let (before_first, anchor) = (segment.anchor()?, Anchor(Arc::clone(&segment)));
        if whole {
            self.expected = first_seq;
        }
        // In the first segment that is read, and behind a deleted one, nobody knows what was lost.
        let follows = before.is_some_and(|before| before + 1 == header.index);
        let lost = if follows { header.follows } else { 0 };
        self.hole = (lost, header.first_seq.saturating_sub(1));
        self.envelopes = Some(Envelopes::of(segment));
        Ok(Some(Read::Segment { first_seq, before: before_first, anchor }))
    }

    fn behind_a_hole(&mut self) -> Read<'_> {
        let (seq, time) = match &self.held {
            Some((seq, frame)) => (*seq, frame::time(frame)),
            None => (self.expected, 0),
        };
        let (lost, elsewhere) = self.hole;
        if self.expected > lost && self.expected <= elsewhere.min(seq - 1) {
            let first = self.expected;
            self.expected = elsewhere.min(seq - 1) + 1;
            return Read::Elsewhere { first, last: self.expected - 1 };
        }
        if self.expected < seq {
            self.expected += 1;
            return Read::Lost { seq: self.expected - 1, time };
        }
        self.expected += 1;
        self.behind = self.held.take().map(|(_, frame)| frame).unwrap_or_default();
        Read::Event { seq, frame: &self.behind }
    }
}
