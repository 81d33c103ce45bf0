//! What an application's thread meets: policies, and one of two queues behind them.
//!
//! With the journal, the queue is the [`Log`]: an event that was taken in survives the process.
//! Without it, a bounded `crossbeam-channel` of frames: its bound is a number of frames, and what it
//! holds is lost when the process is killed.
//!
//! What happens at the bound is the overflow policy; what happens when waiting did not help, or the
//! channel's pipeline is dead, is the failure policy. Both are decided here, on the caller's thread,
//! and whatever is dropped is counted here. The journal outlives a dead pipeline: it goes on taking
//! events in until it is full, and the next start delivers them.
//!
//! The layer's own threads may emit an audit event too, through a library or a panic hook. It is
//! recorded like any other, but such a thread never waits for room: it would wait for itself.
//! Rejected: to run these threads under a `NoSubscriber`. A scoped subscriber anywhere in a process
//! makes `tracing` discard events that are emitted while another is recorded, in every thread, and
//! `NoSubscriber` gives no level hint, which sets the whole process to TRACE.
//!
//! A flush is exact: it comes out when all has come out that entered before it.

use std::{
    cell::Cell,
    sync::{
        Arc, Mutex,
        atomic::{
            AtomicBool, AtomicU64, AtomicUsize,
            Ordering::{Acquire, Relaxed, Release, SeqCst},
        },
    },
    time::{Duration, Instant},
};

use crossbeam_channel::{Receiver, SendTimeoutError, Sender};

use super::{
    DropCause, FlushRequest, Gaps,
    frame::Frame,
    log::{Callsite, Log, Refused, Share},
};
use crate::{
    clock,
    config::{OnFailure, Overflow, Policies},
    diagnostics,
    fork::Owner,
    locked,
};

/// The pauses between two tries of a caller that waits for room.
const FIRST_PAUSE: Duration = Duration::from_micros(50);
const LONGEST_PAUSE: Duration = Duration::from_millis(10);
/// How often a caller that waits for a request to enter looks whether the pipeline still lives.
const LOOK: Duration = Duration::from_millis(20);

thread_local! {
    /// Whether this thread belongs to the pipeline.
    static WORKER: Cell<bool> = const { Cell::new(false) };
}

/// Takes the current thread for one that the pipeline cannot do without.
pub(crate) fn mark_worker() {
    WORKER.set(true);
}

/// What somebody wants of the pipeline.
#[derive(Debug, Clone)]
pub(crate) enum Request {
    /// Everything before it is to reach every required sink.
    Flush(Arc<FlushRequest>),
    /// Everything before it is to reach every sink, and then the pipeline ends.
    Shutdown(Arc<FlushRequest>),
}

/// What travels through the channel.
#[derive(Debug)]
pub(crate) enum Item {
    Frame(Frame),
    Request(Request),
}

#[derive(Debug, Clone)]
enum Store {
    Channel(Sender<Item>),
    /// A request waits until the events before it have been read.
    Log {
        log: Arc<Log>,
        requests: Sender<(u64, Request)>,
    },
}

#[derive(Debug)]
struct Shared {
    policies: Policies,
    owner: Owner,
    /// What the channel took in.
    accepted: AtomicU64,
    gaps: Gaps,
    /// There is no room and waiting did not help: until there is again nobody waits.
    failing: AtomicBool,
    closed: AtomicBool,
    /// Callers between the look at `closed` and the end of their append.
    entering: AtomicUsize,
    /// Why the pipeline died.
    poison: Mutex<Option<String>>,
    poisoned: AtomicBool,
    warned: AtomicBool,
    /// Commits of single events that failed.
    late: AtomicU64,
}

impl Shared {
    fn new(policies: Policies) -> Arc<Self> {
        Arc::new(Self {
            policies,
            owner: Owner::this_process(),
            accepted: AtomicU64::new(0),
            gaps: Gaps::default(),
            failing: AtomicBool::new(false),
            closed: AtomicBool::new(false),
            entering: AtomicUsize::new(0),
            poison: Mutex::new(None),
            poisoned: AtomicBool::new(false),
            warned: AtomicBool::new(false),
            late: AtomicU64::new(0),
        })
    }
}

/// The end that the application's threads hold.
#[derive(Debug, Clone)]
pub(crate) struct Queue {
    store: Store,
    shared: Arc<Shared>,
}

/// What the pipeline reads.
#[derive(Debug)]
pub(crate) enum Tap {
    Channel(Receiver<Item>),
    Log { log: Arc<Log>, requests: Receiver<(u64, Request)> },
}

/// The end that the pipeline holds.
#[derive(Debug)]
pub(crate) struct QueueReader {
    pub(crate) tap: Tap,
    shared: Arc<Shared>,
}

/// Makes a queue of at most `policies.max_queue_size` frames.
pub(crate) fn channel(policies: Policies) -> (Queue, QueueReader) {
    let (sender, receiver) = crossbeam_channel::bounded(policies.max_queue_size);
    let shared = Shared::new(policies);
    let queue = Queue { store: Store::Channel(sender), shared: Arc::clone(&shared) };
    (queue, QueueReader { tap: Tap::Channel(receiver), shared })
}

/// Puts the policies before a journal.
pub(crate) fn durable(policies: Policies, log: Arc<Log>) -> (Queue, QueueReader) {
    let (sender, receiver) = crossbeam_channel::unbounded();
    let shared = Shared::new(policies);
    let queue = Queue {
        store: Store::Log { log: Arc::clone(&log), requests: sender },
        shared: Arc::clone(&shared),
    };
    (queue, QueueReader { tap: Tap::Log { log, requests: receiver }, shared })
}

impl Queue {
    /// Takes a frame in, or counts why not. Blocks only as the policies say.
    pub(crate) fn append(&self, callsite: Callsite<'_>, frame: &[u8]) {
        if self.is_forked() {
            return self.shared.gaps.count_forked();
        }
        match self.offer(callsite, frame) {
            Ok(()) => self.taken_in(),
            Err(Refused::Full) => self.full(callsite, frame),
            Err(Refused::TooLong) => self.drop_one(DropCause::Unencodable),
            Err(Refused::Closed) => self.drop_one(DropCause::Shutdown),
            Err(Refused::Dead) => self.fail(callsite, frame),
        }
    }

    /// Takes in the event of a thread that panics. Such a thread may hold a lock of ours, so that it
    /// waits for next to nothing. The pipeline's own threads tell of their panics in another way.
    pub(crate) fn append_panic(&self, callsite: Callsite<'_>, frame: &[u8]) {
        if self.is_forked() {
            return self.shared.gaps.count_forked();
        }
        if WORKER.get() {
            return;
        }
        let taken = match &self.store {
            Store::Log { log, .. } => log.try_append(callsite, frame),
            Store::Channel(_) => self.offer(callsite, frame),
        };
        if let Err(refused) = taken {
            self.drop_one(match refused {
                Refused::Full => DropCause::Overflow,
                Refused::Closed => DropCause::Shutdown,
                Refused::TooLong => DropCause::Unencodable,
                Refused::Dead => DropCause::Failure,
            });
        }
    }

    /// Waits until what was taken in is durable, as long as a caller waits for room. What is not in
    /// time, or not at all, is counted: the event stays taken in.
    pub(crate) fn commit(&self) {
        let Store::Log { log, .. } = &self.store else { return };
        if WORKER.get() || self.is_forked() {
            return;
        }
        let until = Instant::now() + self.shared.policies.block_timeout;
        if log.commit(log.next_seq() - 1, until).is_err()
            && self.shared.late.fetch_add(1, Relaxed) == 0
        {
            diagnostics::warn("an event that is to be durable at once is not known to be");
        }
    }

    /// How many events that were to be durable at once were not in time.
    pub(crate) fn late(&self) -> u64 {
        self.shared.late.load(Relaxed)
    }

    /// Takes in an event of the pipeline's own, with a journal: without one it goes another way.
    /// Returns whether it was taken in.
    pub(crate) fn append_note(&self, callsite: Callsite<'_>, frame: &[u8], share: Share) -> bool {
        match &self.store {
            Store::Log { log, .. } => log.append(callsite, frame, share).is_ok(),
            Store::Channel(_) => false,
        }
    }

    fn offer(&self, callsite: Callsite<'_>, frame: &[u8]) -> Result<(), Refused> {
        let shared = &*self.shared;
        let sender = match &self.store {
            Store::Log { log, .. } => return log.append(callsite, frame, Share::Event).map(drop),
            Store::Channel(sender) => sender,
        };
        // The pipeline closes first and then waits until nobody is entering, so that whoever saw
        // the queue open gets in. Both sides are sequentially consistent for that.
        shared.entering.fetch_add(1, SeqCst);
        let result = if shared.closed.load(SeqCst) {
            Err(Refused::Closed)
        } else if shared.poisoned.load(Acquire) {
            Err(Refused::Dead)
        } else if sender.is_full() {
            Err(Refused::Full)
        } else {
            match sender.try_send(Item::Frame(Frame::new(frame))) {
                Ok(()) => {
                    shared.accepted.fetch_add(1, Relaxed);
                    Ok(())
                }
                Err(error) if error.is_full() => Err(Refused::Full),
                Err(_) => Err(Refused::Dead),
            }
        };
        shared.entering.fetch_sub(1, SeqCst);
        result
    }

    fn taken_in(&self) {
        if self.shared.failing.load(Relaxed) {
            self.shared.failing.store(false, Relaxed);
        }
    }

    #[cold]
    fn full(&self, callsite: Callsite<'_>, frame: &[u8]) {
        match self.shared.policies.overflow {
            _ if WORKER.get() => self.drop_one(DropCause::Overflow),
            Overflow::Drop => self.drop_one(DropCause::Overflow),
            Overflow::Block if self.shared.failing.load(Relaxed) => self.fail(callsite, frame),
            Overflow::Block => {
                let until = Instant::now() + self.shared.policies.block_timeout;
                match self.wait_for_room(callsite, frame, Some(until)) {
                    Ok(()) => self.taken_in(),
                    Err(Refused::Closed) => self.drop_one(DropCause::Shutdown),
                    Err(_) => {
                        self.shared.failing.store(true, Relaxed);
                        self.fail(callsite, frame);
                    }
                }
            }
        }
    }

    /// Waits for room until `until`, or for ever.
    fn wait_for_room(
        &self,
        callsite: Callsite<'_>,
        frame: &[u8],
        until: Option<Instant>,
    ) -> Result<(), Refused> {
        let mut pause = FIRST_PAUSE;
        loop {
            std::thread::sleep(pause);
            pause = (pause * 2).min(LONGEST_PAUSE);
            match self.offer(callsite, frame) {
                Err(Refused::Full) if until.is_none_or(|until| Instant::now() < until) => {}
                result => return result,
            }
        }
    }

    #[cold]
    fn fail(&self, callsite: Callsite<'_>, frame: &[u8]) {
        match self.shared.policies.on_failure {
            _ if WORKER.get() => self.drop_one(DropCause::Failure),
            OnFailure::Drop => self.drop_one(DropCause::Failure),
            OnFailure::Block => {
                let result = loop {
                    match self.wait_for_room(callsite, frame, None) {
                        // A pipeline that died never comes back: the caller stands still, as it was
                        // asked to, rather than go on unrecorded.
                        Err(Refused::Dead) => {}
                        result => break result,
                    }
                };
                match result {
                    Ok(()) => self.taken_in(),
                    Err(_) => self.drop_one(DropCause::Failure),
                }
            }
            OnFailure::Abort => {
                diagnostics::warn(&format!(
                    "an event cannot be recorded ({}); the failure policy is abort",
                    self.poison()
                        .or_else(|| self.log().and_then(|log| log.trouble()))
                        .unwrap_or_else(|| "the queue stays full".to_owned())
                ));
                std::process::abort();
            }
        }
    }

    /// Whether this process is the child of the one that has the pipeline. Nothing may be locked in
    /// such a child: another thread of the parent may have held the lock when the child was made,
    /// and does not exist in the child to give it back.
    #[inline]
    pub(crate) fn is_forked(&self) -> bool {
        self.shared.owner.is_elsewhere()
    }

    /// Counts an event that is not recorded.
    pub(crate) fn drop_one(&self, cause: DropCause) {
        if self.is_forked() {
            return self.shared.gaps.count_forked();
        }
        if self.shared.gaps.count(cause, clock::now_micros(), self.position()) {
            diagnostics::warn(&format!("an event was dropped: {cause}"));
        }
    }

    /// Sends a request to the pipeline behind everything that was accepted, waiting for room until
    /// `until`.
    pub(crate) fn request(&self, request: Request, until: Instant) -> bool {
        if self.is_forked() {
            return false;
        }
        let sender = match &self.store {
            // A pipeline that is called dead may still be able to end in good order.
            Store::Log { log, requests } => {
                return requests.send((log.next_seq() - 1, request)).is_ok();
            }
            Store::Channel(sender) => sender,
        };
        let mut item = Item::Request(request);
        loop {
            if self.is_dead() {
                return false;
            }
            item = match sender.send_timeout(item, LOOK) {
                Ok(()) => return true,
                Err(SendTimeoutError::Timeout(item)) => item,
                // The pipeline has ended.
                Err(SendTimeoutError::Disconnected(_)) => return false,
            };
            if Instant::now() >= until {
                return false;
            }
        }
    }

    /// No event enters from now on.
    pub(crate) fn close(&self) {
        self.shared.closed.store(true, SeqCst);
        if let Some(log) = self.log() {
            log.close();
        }
    }

    /// The pipeline is dead, and this is why and what to do about it.
    pub(crate) fn poisoned_by(&self, why: String) {
        diagnostics::warn(&why);
        *locked(&self.shared.poison) = Some(why);
        self.shared.poisoned.store(true, Release);
    }

    /// Why the pipeline is dead.
    pub(crate) fn poison(&self) -> Option<String> {
        locked(&self.shared.poison).clone()
    }

    fn is_dead(&self) -> bool {
        self.shared.poisoned.load(Acquire)
    }

    pub(crate) fn log(&self) -> Option<&Arc<Log>> {
        match &self.store {
            Store::Log { log, .. } => Some(log),
            Store::Channel(_) => None,
        }
    }

    /// How many events were taken in by this process.
    pub(crate) fn accepted(&self) -> u64 {
        match &self.store {
            Store::Log { log, .. } => log.accepted(),
            Store::Channel(_) => self.shared.accepted.load(Relaxed),
        }
    }

    /// The place in the queue behind everything that was taken in: a number of events that grows
    /// as [`crate::pipeline`] counts what it takes out.
    fn position(&self) -> u64 {
        match &self.store {
            Store::Log { log, .. } => log.next_seq() - 1,
            Store::Channel(_) => self.shared.accepted.load(Relaxed),
        }
    }

    /// How many events wait behind `seq`, the last one that the pipeline took out of a journal.
    pub(crate) fn len(&self, seq: u64) -> usize {
        match &self.store {
            Store::Log { log, .. } => {
                usize::try_from((log.next_seq() - 1).saturating_sub(seq)).unwrap_or(usize::MAX)
            }
            Store::Channel(sender) => sender.len(),
        }
    }

    pub(crate) fn gaps(&self) -> &Gaps {
        &self.shared.gaps
    }
}

impl QueueReader {
    /// The next item of the channel, if there is one now.
    pub(crate) fn next_item(&self) -> Option<Item> {
        match &self.tap {
            Tap::Channel(receiver) => receiver.try_recv().ok(),
            Tap::Log { .. } => None,
        }
    }

    /// The next request to the pipeline of a journal, with the last event before it.
    pub(crate) fn next_request(&self) -> Option<(u64, Request)> {
        match &self.tap {
            Tap::Log { requests, .. } => requests.try_recv().ok(),
            Tap::Channel(_) => None,
        }
    }

    /// Whether a caller is on its way into a channel that is closed.
    pub(crate) fn is_somebody_entering(&self) -> bool {
        self.shared.entering.load(SeqCst) > 0
    }

    pub(crate) fn gaps(&self) -> &Gaps {
        &self.shared.gaps
    }

    /// Warns, once a time that it happens, when the bound is four fifths reached.
    pub(crate) fn warn_when_nearly_full(&self) {
        let (what, used, bound, unit) = match &self.tap {
            Tap::Channel(receiver) => {
                let bound = self.shared.policies.max_queue_size as u64;
                ("queue", receiver.len() as u64, bound, "events (AUDIT_MAX_QUEUE_SIZE)")
            }
            Tap::Log { log, .. } => {
                let (used, bound) = log.bytes();
                ("journal", used, bound, "bytes (AUDIT_JOURNAL_MAX_MB); it keeps what a sink lacks")
            }
        };
        if used >= bound - bound / 5 {
            if !self.shared.warned.swap(true, Relaxed) {
                diagnostics::warn(&format!(
                    "the {what} is over 80 % full: {used} of {bound} {unit}"
                ));
            }
        } else if used < bound / 2 {
            self.shared.warned.store(false, Relaxed);
        }
    }
}
