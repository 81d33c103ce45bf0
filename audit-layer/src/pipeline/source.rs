//! Where the worker takes its records from: the journal, or the channel.
//!
//! With the journal, whatever becomes a record is an event in it first, what the pipeline itself has
//! to tell included, so that a replay makes the same records. Without it, the worker makes the
//! record of an event when it takes it out.

use std::{collections::VecDeque, io, sync::Arc, time::Duration};

use super::{
    ahead::Ahead,
    lines::{Lines, Renderer},
    render::render,
    replay::{Chaining, Step},
};
use crate::{
    capture::{Core, internal_plan, plan_by_number},
    diagnostics,
    journal::{DropCause, Item, QueueReader, Request, Share, frame::Frame},
    record::{Head, StreamName},
    sink::Batch,
};

/// How many events of the pipeline's own wait for room in the journal.
const MAX_NOTES: usize = 1000;

/// What the worker is to do next.
pub(super) enum Next {
    /// A record is the last one in the batch.
    Record(Head),
    Request(Request),
    /// Something was taken out that becomes no record, or the journal was read to its end.
    Nothing,
    Empty,
}

pub(super) struct Source {
    core: Arc<Core>,
    pub(super) reader: QueueReader,
    /// The last record that was made.
    pub(super) head: Head,
    chaining: Chaining,
    /// What is to be chained.
    lines: Lines,
    /// With a journal, where the lines come from.
    ahead: Option<Ahead>,
    /// A request whose events have not all been read.
    waiting: Option<(u64, Request)>,
    /// Events of the pipeline's own that found no room yet.
    notes: VecDeque<Frame>,
    /// How much of the journal's room they may take.
    share: Share,
    /// Events taken out of the channel.
    taken: u64,
}

impl Source {
    pub(super) fn new(
        core: Arc<Core>,
        reader: QueueReader,
        stream: Arc<StreamName>,
        head: Head,
    ) -> io::Result<Self> {
        let ahead = match core.queue.log().cloned() {
            Some(log) => {
                Some(Ahead::start(Renderer::from(log, head.seq + 1), Arc::clone(&stream))?)
            }
            None => None,
        };
        Ok(Self {
            core,
            reader,
            head,
            chaining: Chaining::lead(head),
            lines: Lines::new(stream),
            ahead,
            waiting: None,
            notes: VecDeque::new(),
            share: Share::Note,
            taken: 0,
        })
    }

    /// The place in the queue up to which everything was taken out.
    pub(super) fn position(&self) -> u64 {
        if self.ahead.is_some() { self.head.seq } else { self.taken }
    }

    /// Makes the next record in `batch`, if that comes next.
    pub(super) fn next(&mut self, batch: &mut Batch) -> io::Result<Next> {
        let Some(ahead) = &self.ahead else { return Ok(self.next_of_channel(batch)) };
        if self.waiting.is_none() {
            self.waiting = self.reader.next_request();
        }
        if let Some((_, request)) = self.waiting.take_if(|(at, _)| *at <= self.head.seq) {
            return Ok(Next::Request(request));
        }
        loop {
            match self.chaining.next(&mut self.lines, batch) {
                Some(Step::Record(head)) => {
                    self.head = head;
                    return Ok(Next::Record(head));
                }
                Some(Step::Elsewhere { first, last }) => {
                    // The start makes sure that the chain goes on where the journal does.
                    let why = format!("records {first} to {last} are missing from the journal");
                    return Err(io::Error::other(why));
                }
                Some(Step::End) => return Ok(Next::Nothing),
                None if ahead.next(&mut self.lines, Duration::ZERO)? => {}
                None => return Ok(Next::Empty),
            }
        }
    }

    /// Waits until something may come, at most for `time`.
    pub(super) fn wait(&mut self, time: Duration) -> io::Result<()> {
        match &self.ahead {
            Some(ahead) if self.lines.is_empty() => ahead.next(&mut self.lines, time).map(drop),
            _ => {
                std::thread::sleep(time);
                Ok(())
            }
        }
    }

    fn next_of_channel(&mut self, batch: &mut Batch) -> Next {
        match self.reader.next_item() {
            Some(Item::Frame(frame)) => {
                self.taken += 1;
                match self.make(&frame, batch) {
                    Some(head) => Next::Record(head),
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

    fn make(&mut self, frame: &Frame, batch: &mut Batch) -> Option<Head> {
        self.lines.clear();
        if !render(frame.bytes(), plan_by_number, self.head.seq + 1, &mut self.lines) {
            return None;
        }
        match self.chaining.next(&mut self.lines, batch) {
            Some(Step::Record(head)) => {
                self.head = head;
                Some(head)
            }
            _ => None,
        }
    }

    /// Takes in an event of the pipeline's own: its record comes out in its turn, or is made at once
    /// when there is no journal.
    pub(super) fn note(&mut self, frame: &Frame, batch: &mut Batch) -> Option<Head> {
        if self.ahead.is_none() {
            return self.make(frame, batch);
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
