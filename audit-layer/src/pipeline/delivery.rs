//! One sink and its thread.

use std::{
    sync::{
        Arc, Condvar, Mutex,
        atomic::{
            AtomicBool, AtomicU64, AtomicUsize,
            Ordering::{Acquire, Relaxed, Release},
        },
    },
    thread::JoinHandle,
    time::Duration,
};

use crossbeam_channel::{Receiver, SendTimeoutError, Sender};

use super::SinkStats;
use crate::{
    diagnostics,
    journal::{self, FlushRequest, Queue},
    locked,
    sink::{Batch, Delivery, Sink, Trimmed},
};

/// How many batches wait for a required sink.
const REQUIRED_BACKLOG: usize = 4;
const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);
/// How often a waiting worker looks whether the sink's thread still lives.
const LOOK: Duration = Duration::from_millis(20);

#[derive(Debug, Clone)]
enum Command {
    Write(Arc<Batch>),
    Flush(Arc<FlushRequest>),
    Stop(Arc<FlushRequest>),
}

/// What a sink's thread and the rest of the layer both see.
#[derive(Debug)]
pub(crate) struct Delivered {
    name: &'static str,
    delivery: Delivery,
    written: AtomicU64,
    last_seq: AtomicU64,
    skipped: AtomicU64,
    conflicts: AtomicU64,
    /// Records that wait in the channel.
    waiting: AtomicUsize,
    failing: AtomicBool,
    alive: AtomicBool,
    /// No more tries: the process ends, or the time for it is over.
    abandoned: AtomicBool,
    last_error: Mutex<Option<String>>,
    trimmed: Mutex<Vec<Trimmed>>,
    /// Wakes a pause between two tries.
    wake: (Mutex<()>, Condvar),
}

impl Delivered {
    pub(crate) fn stats(&self, last_made: u64) -> SinkStats {
        let last_seq = self.last_seq.load(Relaxed);
        SinkStats {
            name: self.name,
            required: self.delivery == Delivery::Required,
            written: self.written.load(Relaxed),
            last_seq,
            lag: last_made.saturating_sub(last_seq),
            skipped: self.skipped.load(Relaxed),
            conflicts: self.conflicts.load(Relaxed),
            healthy: self.alive.load(Relaxed) && !self.failing.load(Relaxed),
            last_error: locked(&self.last_error).clone(),
        }
    }

    pub(crate) fn is_alive(&self) -> bool {
        self.alive.load(Acquire)
    }

    /// Ends the tries of a batch that does not get through.
    pub(crate) fn abandon(&self) {
        self.abandoned.store(true, Release);
        self.wake.1.notify_all();
    }

    fn failed(&self, error: String) {
        if !self.failing.swap(true, Relaxed) {
            diagnostics::warn(&format!("the {} sink fails and is tried again: {error}", self.name));
        }
        *locked(&self.last_error) = Some(error);
    }

    fn succeeded(&self) {
        if self.failing.swap(false, Relaxed) {
            diagnostics::warn(&format!("the {} sink works again", self.name));
        }
    }

    fn pause(&self, time: Duration) {
        let guard = locked(&self.wake.0);
        if !self.abandoned.load(Acquire) {
            let _ = self.wake.1.wait_timeout(guard, time);
        }
    }
}

/// The worker's end.
#[derive(Debug)]
pub(super) struct SinkHandle {
    pub(super) shared: Arc<Delivered>,
    sender: Sender<Command>,
    /// For a best-effort sink that fell behind: the worker takes out its oldest batches.
    receiver: Receiver<Command>,
    /// How many records may wait for a best-effort sink.
    bound: usize,
    pub(super) thread: Option<JoinHandle<()>>,
}

/// Records that a best-effort sink had to skip.
pub(super) struct Skipped {
    pub(super) count: u64,
    pub(super) first: u64,
    pub(super) last: u64,
}

impl SinkHandle {
    /// Starts the thread of a sink that has got as far as `last_seq`.
    pub(super) fn start(
        sink: Box<dyn Sink>,
        last_seq: u64,
        bound: usize,
        queue: Queue,
    ) -> std::io::Result<Self> {
        let delivery = sink.delivery();
        let (sender, receiver) = match delivery {
            Delivery::Required => crossbeam_channel::bounded(REQUIRED_BACKLOG),
            // Bounded by the worker, in records.
            Delivery::BestEffort => crossbeam_channel::unbounded(),
        };
        let shared = Arc::new(Delivered {
            name: sink.name(),
            delivery,
            written: AtomicU64::new(0),
            last_seq: AtomicU64::new(last_seq),
            skipped: AtomicU64::new(0),
            conflicts: AtomicU64::new(0),
            waiting: AtomicUsize::new(0),
            failing: AtomicBool::new(false),
            alive: AtomicBool::new(true),
            abandoned: AtomicBool::new(false),
            last_error: Mutex::new(None),
            trimmed: Mutex::new(Vec::new()),
            wake: (Mutex::new(()), Condvar::new()),
        });
        let thread = std::thread::Builder::new().name(format!("audit-{}", sink.name())).spawn({
            let (shared, receiver) = (Arc::clone(&shared), receiver.clone());
            move || run(sink, &shared, &receiver, &queue)
        })?;
        Ok(Self { shared, sender, receiver, bound, thread: Some(thread) })
    }

    pub(super) fn name(&self) -> &'static str {
        self.shared.name
    }

    pub(super) fn is_required(&self) -> bool {
        self.shared.delivery == Delivery::Required
    }

    /// Hands a batch over. Waits for a required sink; skips the oldest of one that is best effort.
    pub(super) fn write(&self, batch: &Arc<Batch>) -> Option<Skipped> {
        let skipped = if self.is_required() { None } else { self.make_room(batch.records.len()) };
        self.shared.waiting.fetch_add(batch.records.len(), Relaxed);
        self.send(Command::Write(Arc::clone(batch)));
        skipped
    }

    pub(super) fn flush(&self, request: &Arc<FlushRequest>) {
        self.send(Command::Flush(Arc::clone(request)));
    }

    pub(super) fn stop(&self, request: &Arc<FlushRequest>) {
        self.send(Command::Stop(Arc::clone(request)));
    }

    pub(super) fn take_trimmed(&self) -> Vec<Trimmed> {
        std::mem::take(&mut locked(&self.shared.trimmed))
    }

    fn send(&self, mut command: Command) {
        while self.shared.is_alive() {
            command = match self.sender.send_timeout(command, LOOK) {
                Ok(()) => return,
                Err(SendTimeoutError::Timeout(command)) => command,
                Err(SendTimeoutError::Disconnected(_)) => return,
            };
        }
    }

    fn make_room(&self, records: usize) -> Option<Skipped> {
        let mut skipped: Option<Skipped> = None;
        let mut kept = Vec::new();
        while self.shared.waiting.load(Relaxed) + records > self.bound {
            match self.receiver.try_recv() {
                Ok(Command::Write(oldest)) => {
                    let count = oldest.records.len();
                    self.shared.waiting.fetch_sub(count, Relaxed);
                    self.shared.skipped.fetch_add(count as u64, Relaxed);
                    let (Some(first), Some(last)) = (oldest.records.first(), oldest.records.last())
                    else {
                        continue;
                    };
                    let all =
                        skipped.get_or_insert(Skipped { count: 0, first: first.seq, last: 0 });
                    all.count += count as u64;
                    all.last = last.seq;
                }
                Ok(other) => kept.push(other),
                Err(_) => break,
            }
        }
        for command in kept {
            self.send(command);
        }
        skipped
    }
}

fn run(mut sink: Box<dyn Sink>, shared: &Delivered, commands: &Receiver<Command>, queue: &Queue) {
    struct Ended<'e>(&'e Delivered, &'e Queue);
    impl Drop for Ended<'_> {
        fn drop(&mut self) {
            self.0.alive.store(false, Release);
            if std::thread::panicking() {
                let why = format!("the thread of the {} sink panicked", self.0.name);
                *locked(&self.0.last_error) = Some(why.clone());
                match self.0.delivery {
                    Delivery::Required => self.1.poisoned_by(why),
                    Delivery::BestEffort => diagnostics::warn(&why),
                }
            }
        }
    }
    journal::mark_worker();
    let _ended = Ended(shared, queue);
    while let Ok(command) = commands.recv() {
        match command {
            Command::Write(batch) => {
                shared.waiting.fetch_sub(batch.records.len(), Relaxed);
                write(&mut *sink, shared, &batch);
            }
            Command::Flush(request) => {
                if sync(&mut *sink, shared) {
                    request.done(shared.name);
                }
            }
            Command::Stop(request) => {
                let done = sync(&mut *sink, shared);
                // Closed before anyone is told: the files are free for the next process.
                drop(sink);
                if done {
                    request.done(shared.name);
                }
                return;
            }
        }
    }
}

/// Tries until the batch is written or nobody wants it any more.
fn write(sink: &mut dyn Sink, shared: &Delivered, batch: &Batch) {
    if shared.abandoned.load(Acquire) && shared.failing.load(Relaxed) {
        // What comes behind a batch that did not get through would leave a hole.
        return;
    }
    let mut pause = FIRST_PAUSE;
    let tried = loop {
        match sink.write(batch) {
            Ok(written) => break Some(written),
            Err(error) => {
                shared.failed(error.to_string());
                if shared.abandoned.load(Acquire) {
                    break None;
                }
                shared.pause(pause.mul_f64(0.75 + fastrand::f64() * 0.5));
                pause = (pause * 2).min(LONGEST_PAUSE);
            }
        }
    };
    if let Some(written) = tried {
        shared.succeeded();
        shared.written.fetch_add(written.new, Relaxed);
        if let Some(last) = batch.records.last() {
            shared.last_seq.store(last.seq, Relaxed);
        }
        if written.conflicts > 0 {
            shared.conflicts.fetch_add(written.conflicts, Relaxed);
            let what = format!(
                "{} records of {} are in the {} sink with another hash; run audit-server verify",
                written.conflicts, batch.stream, shared.name
            );
            diagnostics::warn(&what);
            *locked(&shared.last_error) = Some(what);
        }
    }
    let trimmed = sink.take_trimmed();
    if !trimmed.is_empty() {
        locked(&shared.trimmed).extend(trimmed);
    }
}

/// Whether everything that was handed over is durable.
fn sync(sink: &mut dyn Sink, shared: &Delivered) -> bool {
    match sink.sync() {
        Ok(()) => !shared.failing.load(Relaxed),
        Err(error) => {
            shared.failed(error.to_string());
            false
        }
    }
}
