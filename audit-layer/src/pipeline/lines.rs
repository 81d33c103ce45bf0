//! From the journal to lines that lack only the chain.
//!
//! A line follows from its event, its callsite, its stream and its number, all of which the journal
//! has, so that whoever makes it, and however often, makes the same. The hash of the record before
//! it, and its own, are put in by [`Chaining`](super::replay::Chaining).

use std::{
    collections::{HashMap, VecDeque},
    io,
    ops::Range,
    sync::Arc,
};

use super::render::{render, render_lost};
use crate::{
    capture::Plan,
    journal::{
        frame,
        log::Log,
        reader::{Anchor, Read, Reader},
    },
    record::{Draft, Hash, Open, StreamName},
};

/// How much is rendered at a time: what one thread wrote should be in the cache when another reads it.
const FULL: usize = 128 * 1024;

/// What comes next in the journal.
#[derive(Debug)]
pub(super) enum Item {
    /// A line, and where in the text it is.
    Line(Open, Range<usize>),
    /// A segment that begins with the record `first_seq`.
    Segment { first_seq: u64, before: Option<Hash>, anchor: Anchor },
    /// Numbers for which the journal has no event.
    Elsewhere { first: u64, last: u64 },
    /// The journal had nothing more when it was looked at.
    End,
}

/// Lines in order, and what stands between them.
#[derive(Debug)]
pub(super) struct Lines {
    stream: Arc<StreamName>,
    pub(super) text: Vec<u8>,
    items: VecDeque<Item>,
}

impl Lines {
    pub(super) fn new(stream: Arc<StreamName>) -> Self {
        Self { stream, text: Vec::new(), items: VecDeque::new() }
    }

    pub(super) fn stream(&self) -> &StreamName {
        &self.stream
    }

    /// Writes a record of the stream.
    pub(super) fn push<'l>(&'l mut self, draft: &mut Draft<'l>) {
        draft.stream = self.stream.as_str();
        let start = self.text.len();
        let open = draft.write_into(&mut self.text);
        self.items.push_back(Item::Line(open, start..self.text.len()));
    }

    pub(super) fn push_end(&mut self) {
        self.items.push_back(Item::End);
    }

    /// Takes out what comes next; its line stays in the text until that is cleared.
    pub(super) fn pop(&mut self) -> Option<Item> {
        self.items.pop_front()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    pub(super) fn is_full(&self) -> bool {
        self.text.len() >= FULL
    }

    pub(super) fn clear(&mut self) {
        self.text.clear();
        self.items.clear();
    }
}

/// A place in the journal, and what its callsites mean there.
#[derive(Debug)]
pub(super) struct Renderer {
    reader: Reader,
    plans: HashMap<u32, Plan>,
}

impl Renderer {
    /// Begins with the event `seq`.
    pub(super) fn from(log: Arc<Log>, seq: u64) -> Self {
        Self { reader: Reader::new(log, seq), plans: HashMap::new() }
    }

    /// Begins with a segment at or before the event `seq`.
    pub(super) fn around(log: Arc<Log>, seq: u64) -> Self {
        Self { reader: Reader::of_segment(log, seq), plans: HashMap::new() }
    }

    /// Adds what comes next; returns whether there was something.
    pub(super) fn next(&mut self, lines: &mut Lines) -> io::Result<bool> {
        loop {
            let Some(read) = self.reader.next()? else { return Ok(false) };
            match read {
                Read::Callsite { number, definition } => {
                    if let Some(plan) = Plan::decode(number, definition) {
                        self.plans.insert(number, plan);
                    }
                    continue;
                }
                Read::Segment { first_seq, before, anchor } => {
                    self.plans.clear();
                    lines.items.push_back(Item::Segment { first_seq, before, anchor });
                }
                Read::Elsewhere { first, last } => {
                    lines.items.push_back(Item::Elsewhere { first, last });
                }
                Read::Event { seq, frame } => {
                    let plan_of = |number| self.plans.get(&number);
                    if !render(frame, plan_of, seq, lines) {
                        render_lost(frame::time(frame), seq, lines);
                    }
                }
                Read::Lost { seq, time } => render_lost(time, seq, lines),
            }
            return Ok(true);
        }
    }
}
