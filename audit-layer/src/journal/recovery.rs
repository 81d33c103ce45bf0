//! What a process that ended left in its journal.
//!
//! Nothing is judged here but where the journal ends: the last sound event decides the next number,
//! and what lies behind it is the torn end of an append that never returned. Damage before the end
//! is met by the reader, event by event.

use std::{
    io,
    path::{Path, PathBuf},
    sync::Arc,
};

use super::{
    reader::Envelopes,
    segment::{self, Kind, Segment, Unusable},
};
use crate::record::{Hash, StreamName};

/// What was found.
#[derive(Debug, Default)]
pub(crate) struct Found {
    /// Oldest first; nothing more is written to them.
    pub(super) segments: Vec<Arc<Segment>>,
    /// The number of the last event; 0 when there is none and never was.
    pub(crate) last_seq: u64,
    /// Bytes at the end that were no whole event.
    pub(crate) torn_bytes: u64,
    /// Segments that cannot be read and were put out of the way.
    pub(crate) set_aside: Vec<PathBuf>,
}

impl Found {
    /// The number of the first event that may be there, and the hash of the record before it.
    pub(crate) fn beginning(&self) -> Option<(u64, Option<Hash>)> {
        let first = self.segments.first()?;
        Some((first.header.first_seq, first.anchor().ok().flatten()))
    }

    /// Whether the events from `first` to `last` are here and become the records that they became
    /// before: the chain before them is known, and from there on every event is sound. A power cut
    /// keeps what was not synced page by page, so that the journal may have lost events whose records
    /// a sink has.
    pub(crate) fn reaches_from(&self, first: u64, last: u64) -> bool {
        let known = |segment: &Arc<Segment>| {
            segment.header.first_seq <= first && segment.anchor().is_ok_and(|it| it.is_some())
        };
        let Some(begin) = self.segments.iter().rposition(known) else { return false };
        let segments = self.segments.get(begin..).unwrap_or_default();
        let mut expected = segments.first().map_or(u64::MAX, |segment| segment.header.first_seq);
        for segment in segments {
            let mut envelopes = Envelopes::of(Arc::clone(segment));
            while expected <= last {
                match envelopes.next() {
                    Ok(Some(event)) if event.kind != Kind::Event || event.number < expected => {}
                    Ok(Some(event)) if event.number == expected => expected += 1,
                    Ok(None) => break,
                    Ok(Some(_)) | Err(_) => return false,
                }
            }
        }
        expected > last
    }

    /// Puts every segment out of the way: nothing is known that would make records of them.
    pub(crate) fn set_aside(&mut self) -> io::Result<()> {
        for segment in self.segments.drain(..) {
            self.set_aside.push(Segment::set_aside(segment.path())?);
        }
        self.last_seq = 0;
        Ok(())
    }

    /// Whether there is any trace of a journal.
    pub(crate) fn is_empty(&self) -> bool {
        self.segments.is_empty() && self.set_aside.is_empty()
    }
}

/// Reads the directory of a stream whose lock is held.
pub(crate) fn find(directory: &Path, stream: &StreamName) -> io::Result<Found> {
    segment::remove_spares(directory)?;
    let mut found = Found::default();
    let mut segments = Vec::new();
    for path in segment::list(directory)? {
        match Segment::open(&path)? {
            Ok(segment) if segment.header.stream == *stream => segments.push(segment),
            Ok(_) | Err(Unusable::Damaged) => found.set_aside.push(Segment::set_aside(&path)?),
            Err(newer @ Unusable::Newer(_)) => {
                return Err(io::Error::other(format!("{}: {newer}", path.display())));
            }
        }
    }
    if let Some(last) = segments.pop() {
        let (last, seq, torn) = find_end(last)?;
        found.last_seq = seq;
        found.torn_bytes = torn;
        segments.push(last);
    }
    found.segments = segments.into_iter().map(Arc::new).collect();
    Ok(found)
}

/// Cuts the last segment behind its last sound envelope.
fn find_end(segment: Segment) -> io::Result<(Segment, u64, u64)> {
    let mut last = segment.header.first_seq - 1;
    let mut envelopes = Envelopes::of(Arc::new(segment));
    while let Some(envelope) = envelopes.next()? {
        if envelope.kind == Kind::Event {
            last = last.max(envelope.number);
        }
    }
    let end = envelopes.sound_end;
    let mut segment = Arc::into_inner(envelopes.segment)
        .ok_or_else(|| io::Error::other("a segment is read twice"))?;
    let torn = segment.used_behind(end)?;
    segment.cut(end)?;
    Ok((segment, last, torn))
}
