//! From the journal to records: behind a live writer, and again for a sink that lacks some.
//!
//! A record follows from its event, its callsite, its stream and the record before it, and all of
//! these are in the journal. So whoever makes it, and however often, it is the same to the byte.

use std::{collections::HashMap, io, sync::Arc};

use super::render::{render, render_lost};
use crate::{
    capture::Plan,
    journal::{
        frame,
        log::Log,
        reader::{Read, Reader},
    },
    record::{Hash, Head, StreamName},
    sink::Sealed,
};

/// What comes next.
#[derive(Debug)]
pub(super) enum Step {
    Record(Sealed),
    /// Numbers for which the journal has no event, or whose chain it does not know.
    Elsewhere {
        first: u64,
        last: u64,
    },
}

/// A place in the journal and the chain up to it.
#[derive(Debug)]
pub(super) struct Replay {
    reader: Reader,
    stream: Arc<StreamName>,
    plans: HashMap<u32, Arc<Plan>>,
    /// `None` until a segment says what came before it.
    head: Option<Head>,
    /// The first number of the segment that is read, and the hash of the record before.
    anchor: Option<(u64, Hash)>,
    /// Whether segments are told what came before them.
    leads: bool,
    scratch: Vec<u8>,
}

impl Replay {
    /// Goes on behind `head`, ahead of everyone else.
    pub(super) fn lead(log: Arc<Log>, stream: Arc<StreamName>, head: Head) -> Self {
        Self::new(Reader::new(log, head.seq + 1), stream, Some(head), true)
    }

    /// Begins with a segment at or before the event `seq`: only at its beginning is the chain known.
    pub(super) fn around(log: Arc<Log>, stream: Arc<StreamName>, seq: u64) -> Self {
        Self::new(Reader::of_segment(log, seq), stream, None, false)
    }

    fn new(reader: Reader, stream: Arc<StreamName>, head: Option<Head>, leads: bool) -> Self {
        Self {
            reader,
            stream,
            plans: HashMap::new(),
            head,
            anchor: None,
            leads,
            scratch: Vec::new(),
        }
    }

    /// The number of the last event that was read.
    pub(super) fn position(&self) -> u64 {
        self.reader.position() - 1
    }

    /// The next record, if its event is there now.
    pub(super) fn next(&mut self) -> io::Result<Option<Step>> {
        loop {
            let Some(read) = self.reader.next()? else { return Ok(None) };
            let (seq, event) = match read {
                Read::Segment { first_seq, anchor } => {
                    self.plans.clear();
                    self.anchor = anchor.map(|anchor| (first_seq, anchor));
                    match self.head {
                        Some(head) if self.leads && head.seq + 1 == first_seq => {
                            self.reader.set_anchor(head.hash);
                        }
                        None => self.take_anchor(first_seq),
                        Some(_) => {}
                    }
                    continue;
                }
                Read::Callsite { number, definition } => {
                    if let Some(plan) = Plan::decode(number, definition) {
                        self.plans.insert(number, Arc::new(plan));
                    }
                    continue;
                }
                Read::Elsewhere { first, last } => {
                    self.head = None;
                    self.take_anchor(last + 1);
                    return Ok(Some(Step::Elsewhere { first, last }));
                }
                Read::Event { seq, frame } => (seq, Ok(frame)),
                Read::Lost { seq, time } => (seq, Err(time)),
            };
            let Some(head) = self.head else {
                return Ok(Some(Step::Elsewhere { first: seq, last: seq }));
            };
            let (stream, scratch) = (self.stream.as_str(), &mut self.scratch);
            let plan_of = |number| self.plans.get(&number).map(|plan| &**plan);
            let rendered = match event {
                Ok(frame) => {
                    render(frame, plan_of, stream, head, scratch).ok_or_else(|| frame::time(frame))
                }
                Err(time) => Err(time),
            };
            let record = rendered.unwrap_or_else(|time| render_lost(time, stream, head, scratch));
            self.head = Some(record.head());
            return Ok(Some(Step::Record(record)));
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
