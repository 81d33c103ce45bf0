//! One sink and its thread.
//!
//! A sink that lacks what comes before a batch is given that first, from the journal: because it was
//! behind when the process started, because it was away for longer than batches are kept in memory,
//! or because it has less than it had. What the journal does not have either is told in the trail.
//!
//! A sink is waited for as long as it keeps up. One that stalls holds up nobody when there is a journal:
//! what it has no room for is left there, and the other sinks go on. The journal deletes nothing that a
//! required sink lacks, so callers meet a stalled sink only at the journal's bound.
//!
//! The file is long because both ends of the channel, the worker's and the sink's, keep one account of
//! what was handed over, written and missed.

use std::{
    cell::Cell,
    io,
    sync::{
        Arc, Condvar, Mutex,
        atomic::{
            AtomicBool, AtomicU64, AtomicUsize,
            Ordering::{Acquire, Relaxed, Release},
        },
    },
    thread::JoinHandle,
    time::{Duration, Instant},
};

use crossbeam_channel::{Receiver, SendTimeoutError, Sender};

use super::{
    SinkStats,
    replay::{Replay, Step},
};
use crate::{
    diagnostics,
    journal::{FlushRequest, Queue, log::Log},
    locked,
    record::{Head, StreamName},
    sink::{Batch, Delivery, MAX_BATCH_BYTES, Sink, SinkError, Trimmed, Written},
};

/// How many batches wait for a required sink, without a journal.
const REQUIRED_BACKLOG: usize = 4;
/// The bytes of a record for which a sink's bound has room, and the records for which it always has.
const USUAL_SIZE: usize = 1024;
const LEAST: usize = 1000;
/// How many records a sink that lacks some is given at a time.
const FILL: usize = 2000;
const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);
/// How long a required sink may take to make room before it counts as stalled.
const STALLED: Duration = Duration::from_secs(1);
/// The same for one that is best effort: to wait for a moment takes less than to make the records again.
const SLOW: Duration = Duration::from_millis(50);
/// How much longer a best-effort sink is waited for, all in all, than its batches took to make, and how much
/// of that is saved up: so the pipeline does a fifth of what it can at least.
const CREDIT_RATE: u32 = 4;
const MOST_CREDIT: Duration = Duration::from_millis(200);
/// How often a worker that waits for such room looks for it.
const GLANCE: Duration = Duration::from_millis(1);
/// How often a waiting worker looks whether the sink's thread still lives.
const LOOK: Duration = Duration::from_millis(20);

/// What an operator does when a thread of the layer panicked.
pub(super) const AFTER_A_PANIC: &str = "restart the process, and report this as a defect";

/// How far a sink has got.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Position {
    /// It did not answer yet.
    Unknown,
    /// It has nothing of the stream.
    Nothing,
    At(Head),
}

impl Position {
    pub(crate) fn of(head: Option<Head>) -> Self {
        head.map_or(Self::Nothing, Self::At)
    }

    pub(crate) fn head(self) -> Option<Head> {
        match self {
            Self::At(head) => Some(head),
            Self::Unknown | Self::Nothing => None,
        }
    }
}

#[derive(Debug, Clone)]
enum Command {
    Write(Arc<Batch>),
    Sync,
    /// Everything up to that record is to be there, also what was left to the journal.
    Flush(Arc<FlushRequest>, u64),
    Stop(Arc<FlushRequest>),
}

/// What a sink's thread and the rest of the layer both see.
#[derive(Debug)]
pub(crate) struct Delivered {
    name: &'static str,
    delivery: Delivery,
    written: AtomicU64,
    last_seq: AtomicU64,
    /// The last record that it keeps whatever happens.
    durable_seq: AtomicU64,
    sync_is_asked: AtomicBool,
    skipped: AtomicU64,
    conflicts: AtomicU64,
    /// Records that wait in the channel, and the bytes of their lines.
    waiting: AtomicUsize,
    waiting_bytes: AtomicUsize,
    /// It is given from the journal what it had no room for, and nobody waits for it until it has that.
    behind: AtomicBool,
    failing: AtomicBool,
    alive: AtomicBool,
    /// No more tries: the process ends, or the time for it is over.
    abandoned: AtomicBool,
    last_error: Mutex<Option<String>>,
    trimmed: Mutex<Vec<Trimmed>>,
    /// What it will never have, first and last.
    holes: Mutex<Vec<(u64, u64)>>,
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

    pub(super) fn last_seq(&self) -> u64 {
        self.last_seq.load(Relaxed)
    }

    pub(super) fn durable_seq(&self) -> u64 {
        self.durable_seq.load(Relaxed)
    }

    pub(crate) fn is_alive(&self) -> bool {
        self.alive.load(Acquire)
    }

    /// Ends the tries of a batch that does not get through.
    pub(crate) fn abandon(&self) {
        self.abandoned.store(true, Release);
        self.wake.1.notify_all();
    }

    fn taken_out(&self, batch: &Batch) {
        self.waiting.fetch_sub(batch.len(), Relaxed);
        self.waiting_bytes.fetch_sub(batch.size(), Relaxed);
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
    /// For a sink that fell behind: the worker takes out its oldest batches.
    receiver: Receiver<Command>,
    /// How many records of the usual size may wait for it.
    bound: usize,
    /// What it has to skip, it gets from the journal later.
    has_journal: bool,
    /// How long it may be waited for, when it is best effort.
    credit: Cell<Duration>,
    pub(super) thread: Option<JoinHandle<()>>,
}

/// Records that a best-effort sink had to skip.
pub(super) struct Skipped {
    pub(super) count: u64,
    pub(super) first: u64,
    pub(super) last: u64,
}

impl SinkHandle {
    /// Starts the thread of a sink that has got as far as `position`.
    pub(super) fn start(
        sink: Box<dyn Sink>,
        stream: Arc<StreamName>,
        position: Position,
        bound: usize,
        queue: Queue,
    ) -> io::Result<Self> {
        let delivery = sink.delivery();
        let has_journal = queue.log().is_some();
        let (sender, receiver) = match delivery {
            Delivery::Required if !has_journal => crossbeam_channel::bounded(REQUIRED_BACKLOG),
            // Bounded by the worker, in records.
            Delivery::Required | Delivery::BestEffort => crossbeam_channel::unbounded(),
        };
        let last_seq = match position {
            Position::At(head) => head.seq,
            Position::Unknown | Position::Nothing => 0,
        };
        let shared = Arc::new(Delivered {
            name: sink.name(),
            delivery,
            written: AtomicU64::new(0),
            last_seq: AtomicU64::new(last_seq),
            durable_seq: AtomicU64::new(if sink.is_durable_once_written() { last_seq } else { 0 }),
            sync_is_asked: AtomicBool::new(false),
            skipped: AtomicU64::new(0),
            conflicts: AtomicU64::new(0),
            waiting: AtomicUsize::new(0),
            waiting_bytes: AtomicUsize::new(0),
            behind: AtomicBool::new(false),
            failing: AtomicBool::new(false),
            alive: AtomicBool::new(true),
            abandoned: AtomicBool::new(false),
            last_error: Mutex::new(None),
            trimmed: Mutex::new(Vec::new()),
            holes: Mutex::new(Vec::new()),
            wake: (Mutex::new(()), Condvar::new()),
        });
        let name = format!("audit-{}", sink.name());
        let runner = Runner {
            sink,
            shared: Arc::clone(&shared),
            queue,
            stream,
            position,
            had: last_seq,
            is_own: false,
        };
        let commands = receiver.clone();
        let thread = std::thread::Builder::new().name(name).spawn(move || runner.run(&commands))?;
        Ok(Self {
            shared,
            sender,
            receiver,
            bound,
            has_journal,
            credit: Cell::default(),
            thread: Some(thread),
        })
    }

    pub(super) fn name(&self) -> &'static str {
        self.shared.name
    }

    pub(super) fn is_required(&self) -> bool {
        self.shared.delivery == Delivery::Required
    }

    /// Hands a batch over, which took `made_in` to make. Waits for a sink that keeps up, and takes back the
    /// oldest of one that does not. Returns what it will not get from the journal either.
    pub(super) fn write(&self, batch: &Arc<Batch>, made_in: Duration) -> Option<Skipped> {
        let records = batch.len();
        let skipped = match (self.is_required(), self.has_journal) {
            (true, false) => None,
            (_, true) => {
                self.wait_for_room(records, self.patience(made_in));
                self.make_room(records)
            }
            (false, false) => self.make_room(records),
        };
        self.shared.waiting.fetch_add(records, Relaxed);
        self.shared.waiting_bytes.fetch_add(batch.size(), Relaxed);
        self.send(Command::Write(Arc::clone(batch)));
        skipped
    }

    /// Asks for a sync, unless one is asked for.
    pub(super) fn sync(&self) {
        if !self.shared.sync_is_asked.swap(true, Relaxed) {
            self.send(Command::Sync);
        }
    }

    /// What it will never have, told once.
    pub(super) fn take_holes(&self) -> Vec<(u64, u64)> {
        std::mem::take(&mut locked(&self.shared.holes))
    }

    /// Asks for everything up to the record `upto`, the last that was handed over.
    pub(super) fn flush(&self, request: &Arc<FlushRequest>, upto: u64) {
        self.send(Command::Flush(Arc::clone(request), upto));
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

    fn has_room(&self, records: usize) -> bool {
        let waiting = self.shared.waiting.load(Relaxed);
        let full = self.shared.waiting_bytes.load(Relaxed) >= self.bound.max(LEAST) * USUAL_SIZE;
        waiting == 0 || waiting + records <= self.bound && !full
    }

    #[cfg(test)]
    pub(super) fn waiting_bytes(&self) -> usize {
        self.shared.waiting_bytes.load(Relaxed)
    }

    fn patience(&self, made_in: Duration) -> Duration {
        if self.is_required() {
            return STALLED;
        }
        let credit = self.credit.get() + made_in.min(MOST_CREDIT) * CREDIT_RATE;
        self.credit.set(credit.min(MOST_CREDIT));
        self.credit.get().min(SLOW)
    }

    fn wait_for_room(&self, records: usize, patience: Duration) {
        let began = Instant::now();
        let until = began + patience;
        while !self.has_room(records)
            && !self.shared.behind.load(Relaxed)
            && (self.is_required() || !self.shared.failing.load(Relaxed))
            && self.shared.is_alive()
            && Instant::now() < until
        {
            std::thread::sleep(GLANCE);
        }
        self.credit.set(self.credit.get().saturating_sub(began.elapsed()));
    }

    fn make_room(&self, records: usize) -> Option<Skipped> {
        let mut skipped: Option<Skipped> = None;
        let mut kept = Vec::new();
        while !self.has_room(records) {
            match self.receiver.try_recv() {
                Ok(Command::Write(oldest)) => {
                    let count = oldest.len();
                    self.shared.taken_out(&oldest);
                    if self.has_journal {
                        self.shared.behind.store(true, Relaxed);
                        continue;
                    }
                    self.shared.skipped.fetch_add(count as u64, Relaxed);
                    let (Some(first), Some(last)) = (oldest.first_seq(), oldest.last()) else {
                        continue;
                    };
                    let all = skipped.get_or_insert(Skipped { count: 0, first, last: 0 });
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

/// What the thread of a sink works with.
struct Runner {
    sink: Box<dyn Sink>,
    shared: Arc<Delivered>,
    queue: Queue,
    stream: Arc<StreamName>,
    position: Position,
    /// The last record that it ever had.
    had: u64,
    /// This process wrote the record at which it is, so that it is the chain's for sure.
    is_own: bool,
}

/// What a sink lacks: the records from `next` to before `first`, and those that the journal turned out
/// not to have.
struct Lacking {
    next: u64,
    first: u64,
    missing: Vec<(u64, u64)>,
}

/// How it went to give a sink what it lacks.
enum Filled {
    /// It has what the journal has.
    Ended,
    /// It lost something meanwhile.
    Behind,
    /// The journal could not be read.
    Failed(io::Error),
}

/// A batch did not get through, and nobody wants it any more.
struct Abandoned;

impl Drop for Runner {
    fn drop(&mut self) {
        self.shared.alive.store(false, Release);
        if std::thread::panicking() {
            let name = self.shared.name;
            let why = format!("the thread of the {name} sink panicked; {AFTER_A_PANIC}");
            *locked(&self.shared.last_error) = Some(why.clone());
            match self.shared.delivery {
                Delivery::Required => self.queue.poisoned_by(why),
                Delivery::BestEffort => diagnostics::warn(&why),
            }
        }
    }
}

impl Runner {
    fn run(mut self, commands: &Receiver<Command>) {
        super::begin_thread();
        while let Ok(command) = commands.recv() {
            match command {
                Command::Write(batch) => {
                    self.shared.taken_out(&batch);
                    // What comes behind a batch that was given up stays away, too.
                    let _ = self.deliver(&batch);
                    let trimmed = self.sink.take_trimmed();
                    if !trimmed.is_empty() {
                        locked(&self.shared.trimmed).extend(trimmed);
                    }
                }
                Command::Sync => {
                    self.sync();
                    self.shared.sync_is_asked.store(false, Relaxed);
                }
                Command::Flush(request, upto) => {
                    if self.reach(upto).is_ok() && self.sync() {
                        request.done(self.shared.name);
                    } else {
                        request.failed(self.shared.name);
                    }
                }
                Command::Stop(request) => {
                    let done = self.sync();
                    let shared = Arc::clone(&self.shared);
                    // Closed before anyone is told: the files are free for the next process.
                    drop(self);
                    // Nobody waits for what is best effort: the journal has what it lacks.
                    if done || shared.delivery == Delivery::BestEffort {
                        request.done(shared.name);
                    } else {
                        request.failed(shared.name);
                    }
                    return;
                }
            }
        }
    }

    /// Tries until the batch is written, and whatever comes before it, or nobody wants it any more.
    fn deliver(&mut self, batch: &Batch) -> Result<(), Abandoned> {
        if self.shared.abandoned.load(Acquire) && self.shared.failing.load(Relaxed) {
            // What comes behind a batch that did not get through would leave a hole.
            return Err(Abandoned);
        }
        let Some(first) = batch.first_seq() else { return Ok(()) };
        loop {
            self.ask_position()?;
            if !self.fill_before(first)? && !self.write(batch)? {
                return Ok(());
            }
        }
    }

    /// Sees to what was left to the journal, up to the record `upto`.
    fn reach(&mut self, upto: u64) -> Result<(), Abandoned> {
        if self.queue.log().is_none() {
            return Ok(());
        }
        loop {
            self.ask_position()?;
            if !self.fill_before(upto + 1)? {
                return Ok(());
            }
        }
    }

    fn ask_position(&mut self) -> Result<(), Abandoned> {
        if self.position == Position::Unknown {
            let stream = Arc::clone(&self.stream);
            let head = self.persist(|sink| sink.head(&stream))?;
            self.position = Position::of(head);
            self.is_own = false;
            if let Some(head) = head {
                self.shared.last_seq.store(head.seq, Relaxed);
                self.shared.durable_seq.store(head.seq, Relaxed);
                self.had = self.had.max(head.seq);
            }
        }
        Ok(())
    }

    /// Gives the sink what it lacks before the record `first`, as far as the journal has it. Returns
    /// whether it has less than it had meanwhile, and is to be asked again how far it has got.
    fn fill_before(&mut self, first: u64) -> Result<bool, Abandoned> {
        let have = match self.position {
            Position::At(head) => head.seq,
            Position::Unknown | Position::Nothing => 0,
        };
        if have + 1 >= first {
            self.shared.behind.store(false, Relaxed);
            return Ok(false);
        }
        // A sink that never had anything of a long stream begins here.
        let begins = self.had == 0 && self.position == Position::Nothing;
        let had = self.had;
        let mut lacking = Lacking { next: have + 1, first, missing: Vec::new() };
        let mut pause = FIRST_PAUSE;
        while let Some(log) = self.queue.log().cloned() {
            match self.fill_from(log, &mut lacking)? {
                Filled::Ended => break,
                Filled::Behind => return Ok(true),
                // Only a journal that was read to its end says that something is not in it.
                Filled::Failed(error) => {
                    self.shared.failed(format!("the journal cannot be read: {error}"));
                    if self.shared.abandoned.load(Acquire) {
                        return Err(Abandoned);
                    }
                    self.shared.pause(pause);
                    pause = (pause * 2).min(LONGEST_PAUSE);
                }
            }
        }
        let Lacking { next, mut missing, .. } = lacking;
        if next < first {
            missing.push((next, first - 1));
        }
        for (from, to) in missing {
            self.tell_missing(from, to, had, begins);
        }
        Ok(false)
    }

    /// Writes what is lacking, as far as the journal has it.
    fn fill_from(&mut self, log: Arc<Log>, lacking: &mut Lacking) -> Result<Filled, Abandoned> {
        // It begins to read now, when everything that is lacking was appended: its end is the end.
        let stream = Arc::clone(&self.stream);
        let begun = match self.position {
            Position::At(head) if self.is_own => Replay::behind(log, stream, head),
            _ => Replay::around(log, stream, lacking.next),
        };
        let mut replay = match begun {
            Ok(replay) => replay,
            Err(error) => return Ok(Filled::Failed(error)),
        };
        let mut batch = Batch::new(Arc::clone(&self.stream));
        let mut filled = Filled::Ended;
        while lacking.next < lacking.first {
            match replay.next(&mut batch) {
                // The sink's own last record, as the journal has it, and what comes before it.
                Ok(Step::Record(record)) if record.seq < lacking.next => {
                    if let Position::At(head) = self.position
                        && head.seq == record.seq
                        && head.hash != record.hash
                    {
                        self.conflict(1);
                    }
                    batch.pop();
                }
                Ok(Step::Record(record)) if record.seq < lacking.first => {
                    if record.seq > lacking.next {
                        lacking.missing.push((lacking.next, record.seq - 1));
                    }
                    lacking.next = record.seq + 1;
                }
                Ok(Step::Elsewhere { .. }) => {}
                // Behind what is lacking.
                Ok(Step::Record(_)) => {
                    batch.pop();
                    break;
                }
                Ok(Step::End) => break,
                Err(error) => {
                    filled = Filled::Failed(error);
                    break;
                }
            }
            if batch.len() >= FILL || batch.size() >= MAX_BATCH_BYTES {
                if self.write(&batch)? {
                    return Ok(Filled::Behind);
                }
                batch.clear();
            }
        }
        if !batch.is_empty() && self.write(&batch)? {
            return Ok(Filled::Behind);
        }
        Ok(filled)
    }

    /// `had` is the last record that it had before it was filled.
    fn tell_missing(&self, from: u64, to: u64, had: u64, begins: bool) {
        if from <= had {
            locked(&self.shared.trimmed).push(Trimmed {
                sink: self.shared.name,
                what: "what it held".to_owned(),
                reason: "removed",
                first: Some((self.stream.as_str().into(), from)),
                last: Some((self.stream.as_str().into(), to.min(had))),
            });
        }
        let from = from.max(had + 1);
        // Without a journal, the worker tells what it skipped.
        let untold = match self.shared.delivery {
            Delivery::Required => begins || self.queue.log().is_some(),
            Delivery::BestEffort => !begins && self.queue.log().is_some(),
        };
        if from <= to && untold {
            self.shared.skipped.fetch_add(to + 1 - from, Relaxed);
            locked(&self.shared.holes).push((from, to));
        }
    }

    /// Writes a batch. Returns whether the sink has less than it had, and is to be filled first.
    fn write(&mut self, batch: &Batch) -> Result<bool, Abandoned> {
        let written = self.persist(|sink| sink.write(batch))?;
        let Written { new, conflicts, behind } = written;
        self.shared.written.fetch_add(new, Relaxed);
        if conflicts > 0 {
            self.conflict(conflicts);
        }
        if behind {
            self.position = Position::Unknown;
            return Ok(true);
        }
        if let Some(last) = batch.last() {
            self.position = Position::At(last);
            self.is_own = true;
            self.had = self.had.max(last.seq);
            self.shared.last_seq.store(last.seq, Relaxed);
            if self.sink.is_durable_once_written() {
                self.shared.durable_seq.store(last.seq, Relaxed);
            }
        }
        Ok(false)
    }

    /// Tries until it succeeds, or nobody wants it any more.
    fn persist<R>(
        &mut self,
        mut attempt: impl FnMut(&mut dyn Sink) -> Result<R, SinkError>,
    ) -> Result<R, Abandoned> {
        let mut pause = FIRST_PAUSE;
        loop {
            match attempt(&mut *self.sink) {
                Ok(result) => {
                    self.shared.succeeded();
                    return Ok(result);
                }
                Err(error) => {
                    self.shared.failed(error.to_string());
                    if self.shared.abandoned.load(Acquire) {
                        return Err(Abandoned);
                    }
                    self.shared.pause(pause.mul_f64(0.75 + fastrand::f64() * 0.5));
                    pause = (pause * 2).min(LONGEST_PAUSE);
                }
            }
        }
    }

    fn conflict(&self, count: u64) {
        self.shared.conflicts.fetch_add(count, Relaxed);
        let what = format!(
            "{count} records of {} are in the {} sink with another hash; run audit-server verify",
            self.stream, self.shared.name
        );
        diagnostics::warn(&what);
        *locked(&self.shared.last_error) = Some(what);
    }

    /// Whether everything that was handed over is durable.
    fn sync(&mut self) -> bool {
        match self.sink.sync() {
            Ok(()) => {
                self.shared.durable_seq.store(self.shared.last_seq(), Relaxed);
                !self.shared.failing.load(Relaxed)
            }
            Err(error) => {
                self.shared.failed(error.to_string());
                false
            }
        }
    }
}
