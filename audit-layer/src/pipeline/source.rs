//! Where the worker takes its records from: the journal, or the channel.
//!
//! With the journal, whatever becomes a record is an event in it first, what the pipeline itself has
//! to tell included, so that a replay makes the same records. Without it, the worker makes the
//! record of an event when it takes it out.

use std::{collections::VecDeque, io, sync::Arc};

use super::{
    render::render,
    replay::{Replay, Step},
};
use crate::{
    capture::{Core, internal_plan, plan_by_number},
    diagnostics,
    journal::{DropCause, Item, QueueReader, Request, Share, frame::Frame},
    record::{Head, StreamName},
    sink::Sealed,
};

/// How many events of the pipeline's own wait for room in the journal.
const MAX_NOTES: usize = 1000;

/// What the worker is to do next.
pub(super) enum Next {
    Record(Sealed),
    Request(Request),
    /// Something was taken out that becomes no record.
    Nothing,
    Empty,
}

pub(super) struct Source {
    core: Arc<Core>,
    pub(super) reader: QueueReader,
    stream: Arc<StreamName>,
    /// The last record that was made.
    pub(super) head: Head,
    /// Of the journal.
    replay: Option<Replay>,
    /// A request whose events have not all been read.
    waiting: Option<(u64, Request)>,
    /// Events of the pipeline's own that found no room yet.
    notes: VecDeque<Frame>,
    /// How much of the journal's room they may take.
    share: Share,
    /// Events taken out of the channel.
    taken: u64,
    scratch: Vec<u8>,
}

impl Source {
    pub(super) fn new(
        core: Arc<Core>,
        reader: QueueReader,
        stream: Arc<StreamName>,
        head: Head,
    ) -> Self {
        let log = core.queue.log().cloned();
        let replay = log.map(|log| Replay::lead(log, Arc::clone(&stream), head));
        let (waiting, notes) = (None, VecDeque::new());
        let (share, scratch) = (Share::Note, Vec::new());
        Self { core, reader, stream, head, replay, waiting, notes, share, taken: 0, scratch }
    }

    /// The place in the queue up to which everything was taken out.
    pub(super) fn position(&self) -> u64 {
        self.replay.as_ref().map_or(self.taken, Replay::position)
    }

    pub(super) fn next(&mut self) -> io::Result<Next> {
        let Some(replay) = &mut self.replay else { return Ok(self.next_of_channel()) };
        if self.waiting.is_none() {
            self.waiting = self.reader.next_request();
        }
        if let Some((behind, request)) = self.waiting.take_if(|(at, _)| *at <= replay.position()) {
            let _ = behind;
            return Ok(Next::Request(request));
        }
        match replay.next()? {
            Some(Step::Record(record)) => {
                self.head = record.head();
                Ok(Next::Record(record))
            }
            Some(Step::Elsewhere { first, last }) => {
                // The start makes sure that the chain goes on where the journal does.
                let why = format!("records {first} to {last} are missing from the journal");
                Err(io::Error::other(why))
            }
            None => Ok(Next::Empty),
        }
    }

    fn next_of_channel(&mut self) -> Next {
        match self.reader.next_item() {
            Some(Item::Frame(frame)) => {
                self.taken += 1;
                match self.make(&frame) {
                    Some(record) => Next::Record(record),
                    None => {
                        self.core.queue.drop_one(DropCause::Unencodable);
                        Next::Nothing
                    }
                }
            }
            Some(Item::Request(request)) => Next::Request(request),
            None => Next::Empty,
        }
    }

    fn make(&mut self, frame: &Frame) -> Option<Sealed> {
        let stream = self.stream.as_str();
        let record = render(frame.bytes(), plan_by_number, stream, self.head, &mut self.scratch)?;
        self.head = record.head();
        Some(record)
    }

    /// Takes in an event of the pipeline's own: its record comes out in its turn, or is returned
    /// at once when there is no journal.
    pub(super) fn note(&mut self, frame: &Frame) -> Option<Sealed> {
        if self.replay.is_none() {
            return self.make(frame);
        }
        if self.notes.len() < MAX_NOTES {
            self.notes.push_back(frame.clone());
        } else {
            diagnostics::warn("the journal has no room for what the pipeline has to tell");
        }
        self.send_notes();
        None
    }

    /// Sends what found no room before.
    pub(super) fn send_notes(&mut self) {
        let plan = internal_plan();
        while let Some(note) = self.notes.front() {
            if !self.core.queue.append_note(plan.callsite(), note.bytes(), self.share) {
                return;
            }
            self.notes.pop_front();
        }
    }

    /// Whether something waits for room.
    pub(super) fn is_held_up(&self) -> bool {
        !self.notes.is_empty()
    }

    /// From now on comes what is told at the end, for which the journal keeps room.
    pub(super) fn say_farewell(&mut self) {
        self.share = Share::Farewell;
    }

    /// Whether nothing more comes from a queue that is closed.
    pub(super) fn is_at_the_end(&self) -> bool {
        match self.core.queue.log() {
            Some(log) => self.position() + 1 >= log.next_seq(),
            None => !self.reader.is_somebody_entering(),
        }
    }
}
