//! From lines to records: behind a live writer, and again for a sink that lacks some.
//!
//! A record is its line and the record before it, both of which the journal knows. So whoever makes
//! it, and however often, it is the same to the byte.

use std::{io, sync::Arc, time::Duration};

use super::{
    ahead::Ahead,
    lines::{Item, Lines, Renderer},
};
use crate::{
    journal::log::Log,
    record::{Hash, Head, StreamName},
    sink::Batch,
};

/// What comes next.
#[derive(Debug, Clone, Copy)]
pub(super) enum Step {
    /// It is the last one in the batch.
    Record(Head),
    /// Numbers for which the journal has no event, or whose chain it does not know.
    Elsewhere { first: u64, last: u64 },
    /// Nothing, for now.
    End,
}

/// The chain, as far as it has got.
#[derive(Debug)]
pub(super) struct Chaining {
    /// `None` until a segment says what came before it.
    head: Option<Head>,
    /// The first number of the segment that was entered last, and the hash of the record before.
    anchor: Option<(u64, Hash)>,
    /// Whether segments are told what came before them.
    leads: bool,
}

impl Chaining {
    /// Goes on behind `head`, ahead of everyone else.
    pub(super) fn lead(head: Head) -> Self {
        Self { head: Some(head), anchor: None, leads: true }
    }

    /// Begins where a segment says what came before it.
    fn follow() -> Self {
        Self { head: None, anchor: None, leads: false }
    }

    /// Makes the next record in `batch`, if `lines` have what it takes.
    pub(super) fn next(&mut self, lines: &mut Lines, batch: &mut Batch) -> Option<Step> {
        loop {
            match (lines.pop()?, self.head) {
                (Item::Segment { first_seq, before, anchor }, head) => {
                    self.anchor = before.map(|before| (first_seq, before));
                    match head {
                        Some(head) if self.leads && head.seq + 1 == first_seq => {
                            anchor.set(head.hash);
                        }
                        None => self.take_anchor(first_seq),
                        Some(_) => {}
                    }
                }
                (Item::Elsewhere { first, last }, _) => {
                    self.head = None;
                    self.take_anchor(last + 1);
                    return Some(Step::Elsewhere { first, last });
                }
                (Item::End, _) => return Some(Step::End),
                (Item::Line(open, _), None) => {
                    return Some(Step::Elsewhere { first: open.seq, last: open.seq });
                }
                (Item::Line(open, place), Some(head)) => {
                    let line = lines.text.get(place).unwrap_or_default();
                    let head = batch.push(line, &open, head.hash);
                    self.head = Some(head);
                    return Some(Step::Record(head));
                }
            }
        }
    }

    fn take_anchor(&mut self, first_seq: u64) {
        if let Some((first, hash)) = self.anchor
            && first == first_seq
        {
            self.head = Some(Head { seq: first - 1, hash });
        }
    }
}

/// How long a read of the journal may take.
const READ_TIMEOUT: Duration = Duration::from_secs(30);

/// A place in the journal and the chain up to it.
#[derive(Debug)]
pub(super) struct Replay {
    ahead: Ahead,
    lines: Lines,
    chaining: Chaining,
}

impl Replay {
    /// Begins behind `head`, which is the chain's.
    pub(super) fn behind(log: Arc<Log>, stream: Arc<StreamName>, head: Head) -> io::Result<Self> {
        let ahead = Ahead::start(Renderer::from(log, head.seq + 1), Arc::clone(&stream))?;
        let chaining = Chaining { head: Some(head), anchor: None, leads: false };
        Ok(Self { ahead, lines: Lines::new(stream), chaining })
    }

    /// Begins with a segment at or before the event `seq`: only at its beginning is the chain known.
    pub(super) fn around(log: Arc<Log>, stream: Arc<StreamName>, seq: u64) -> io::Result<Self> {
        let ahead = Ahead::start(Renderer::around(log, seq), Arc::clone(&stream))?;
        Ok(Self { ahead, lines: Lines::new(stream), chaining: Chaining::follow() })
    }

    /// Makes the next record in `batch`, if its event is there.
    pub(super) fn next(&mut self, batch: &mut Batch) -> io::Result<Step> {
        loop {
            if let Some(step) = self.chaining.next(&mut self.lines, batch) {
                return Ok(step);
            }
            if !self.ahead.next(&mut self.lines, READ_TIMEOUT)? {
                return Err(io::ErrorKind::TimedOut.into());
            }
        }
    }
}
