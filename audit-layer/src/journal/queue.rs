//! The queue without a journal: a bounded `crossbeam-channel` of frames.
//!
//! Its bound is a number of frames. What happens at the bound is the overflow policy; what happens
//! when waiting did not help, or the pipeline is dead, is the failure policy. Both are decided
//! here, on the caller's thread, and whatever is dropped is counted here.
//!
//! The layer's own threads may emit an audit event too, through a library or a panic hook. It is
//! recorded like any other, but such a thread never waits for room: it would wait for itself.
//! Rejected: to run these threads under a `NoSubscriber`. A scoped subscriber anywhere in a process
//! makes `tracing` discard events that are emitted while another is recorded, in every thread, and
//! `NoSubscriber` gives no level hint, which sets the whole process to TRACE.
//!
//! A flush travels through the queue like a frame, so that it is exact: when it comes out, all that
//! entered before it has come out.

use std::{
    cell::Cell,
    sync::{
        Arc, Condvar, Mutex,
        atomic::{
            AtomicBool, AtomicU64, AtomicUsize,
            Ordering::{Acquire, Relaxed, Release, SeqCst},
        },
    },
    time::{Duration, Instant},
};

use crossbeam_channel::{Receiver, SendTimeoutError, Sender, TrySendError};

use super::{DropCause, Gaps, frame::Frame};
use crate::{
    clock,
    config::{OnFailure, Overflow, Policies},
    diagnostics,
    fork::Owner,
    locked,
};

/// How often a caller that waits for room looks whether the pipeline still lives.
const LOOK: Duration = Duration::from_millis(20);

thread_local! {
    /// Whether this thread belongs to the pipeline.
    static WORKER: Cell<bool> = const { Cell::new(false) };
}

/// Takes the current thread for one that the pipeline cannot do without.
pub(crate) fn mark_worker() {
    WORKER.set(true);
}

/// What travels through the queue.
#[derive(Debug)]
pub(crate) enum Item {
    /// An event.
    Frame(Frame),
    /// Everything before it is to reach every required sink.
    Flush(Arc<FlushRequest>),
    /// Everything before it is to reach every sink, and then the pipeline ends.
    Shutdown(Arc<FlushRequest>),
}

/// Someone waits for the sinks. Each sink that is done counts down.
#[derive(Debug, Default)]
pub(crate) struct FlushRequest {
    waiting_for: Mutex<Option<Vec<String>>>,
    done: Condvar,
}

impl FlushRequest {
    /// Names the sinks that must be done before the wait ends.
    pub(crate) fn expect(&self, sinks: Vec<String>) {
        *locked(&self.waiting_for) = Some(sinks);
        self.done.notify_all();
    }

    /// Says that `sink` has everything.
    pub(crate) fn done(&self, sink: &str) {
        if let Some(waiting_for) = locked(&self.waiting_for).as_mut() {
            waiting_for.retain(|name| name != sink);
        }
        self.done.notify_all();
    }

    /// Waits for every sink. Returns the names of those that were not done in time; `pipeline`
    /// when the request did not even come out of the queue.
    pub(crate) fn wait(&self, until: Instant) -> Result<(), Vec<String>> {
        let mut waiting_for = locked(&self.waiting_for);
        loop {
            if waiting_for.as_ref().is_some_and(Vec::is_empty) {
                return Ok(());
            }
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(waiting_for.clone().unwrap_or_else(|| vec!["pipeline".to_owned()]));
            }
            waiting_for = match self.done.wait_timeout(waiting_for, left) {
                Ok((guard, _)) => guard,
                Err(poisoned) => poisoned.into_inner().0,
            };
        }
    }
}

#[derive(Debug)]
struct Shared {
    policies: Policies,
    owner: Owner,
    accepted: AtomicU64,
    gaps: Gaps,
    /// The queue is full and waiting did not help: until there is room again nobody waits.
    failing: AtomicBool,
    closed: AtomicBool,
    /// Callers between the look at `closed` and the end of their append.
    entering: AtomicUsize,
    /// Why the pipeline died.
    poison: Mutex<Option<String>>,
    poisoned: AtomicBool,
    warned: AtomicBool,
}

/// The end that the application's threads hold.
#[derive(Debug, Clone)]
pub(crate) struct Queue {
    sender: Sender<Item>,
    shared: Arc<Shared>,
}

/// The end that the pipeline holds.
#[derive(Debug)]
pub(crate) struct QueueReader {
    receiver: Receiver<Item>,
    shared: Arc<Shared>,
}

/// Makes a queue of at most `policies.max_queue_size` frames.
pub(crate) fn queue(policies: Policies) -> (Queue, QueueReader) {
    let (sender, receiver) = crossbeam_channel::bounded(policies.max_queue_size);
    let shared = Arc::new(Shared {
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
    });
    (Queue { sender, shared: Arc::clone(&shared) }, QueueReader { receiver, shared })
}

impl Queue {
    /// Takes a frame in, or counts why not. Blocks only as the policies say.
    pub(crate) fn append(&self, frame: &[u8]) {
        let shared = &*self.shared;
        if self.is_forked() {
            return self.shared.gaps.count_forked();
        }
        // The pipeline closes first and then waits until nobody is entering, so that whoever saw
        // the queue open gets in. Both sides are sequentially consistent for that.
        shared.entering.fetch_add(1, SeqCst);
        if shared.closed.load(SeqCst) {
            self.drop_one(DropCause::Shutdown);
        } else if shared.poisoned.load(Acquire) {
            self.fail(Item::Frame(Frame::new(frame)));
        } else {
            match self.sender.try_send(Item::Frame(Frame::new(frame))) {
                Ok(()) => self.accept(),
                Err(TrySendError::Full(item)) => self.full(item),
                Err(TrySendError::Disconnected(item)) => self.fail(item),
            }
        }
        shared.entering.fetch_sub(1, SeqCst);
    }

    fn accept(&self) {
        self.shared.accepted.fetch_add(1, Relaxed);
        if self.shared.failing.load(Relaxed) {
            self.shared.failing.store(false, Relaxed);
        }
    }

    fn full(&self, item: Item) {
        match self.shared.policies.overflow {
            _ if WORKER.get() => self.drop_one(DropCause::Overflow),
            Overflow::Drop => self.drop_one(DropCause::Overflow),
            Overflow::Block if self.shared.failing.load(Relaxed) => self.fail(item),
            Overflow::Block => {
                let until = Instant::now() + self.shared.policies.block_timeout;
                match self.wait_for_room(item, Some(until)) {
                    Ok(()) => self.accept(),
                    Err(item) => {
                        self.shared.failing.store(true, Relaxed);
                        self.fail(item);
                    }
                }
            }
        }
    }

    /// Waits for room until `until`, or for ever; gives the item back when there was none or the
    /// pipeline died.
    fn wait_for_room(&self, mut item: Item, until: Option<Instant>) -> Result<(), Item> {
        loop {
            item = match self.sender.send_timeout(item, LOOK) {
                Ok(()) => return Ok(()),
                Err(SendTimeoutError::Timeout(item)) => item,
                // The pipeline has ended.
                Err(SendTimeoutError::Disconnected(item)) => return Err(item),
            };
            let late = until.is_some_and(|until| Instant::now() >= until);
            if late || self.is_dead() {
                return Err(item);
            }
        }
    }

    fn fail(&self, item: Item) {
        match self.shared.policies.on_failure {
            _ if WORKER.get() => self.drop_one(DropCause::Failure),
            OnFailure::Drop => self.drop_one(DropCause::Failure),
            OnFailure::Block => {
                // A pipeline that died never comes back: the caller stands still, as it was asked
                // to, rather than go on unrecorded.
                while self.is_dead() && !self.shared.closed.load(SeqCst) {
                    std::thread::sleep(LOOK);
                }
                match self.wait_for_room(item, None) {
                    Ok(()) => self.accept(),
                    Err(_) => self.drop_one(DropCause::Failure),
                }
            }
            OnFailure::Abort => {
                diagnostics::warn(&format!(
                    "an event cannot be recorded ({}); the failure policy is abort",
                    self.poison().unwrap_or_else(|| "the queue stays full".to_owned())
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
        if self.shared.gaps.count(cause, clock::now_micros(), self.accepted()) {
            diagnostics::warn(&format!("an event was dropped: {cause}"));
        }
    }

    /// Sends a request through the queue, waiting for room until `until`.
    pub(crate) fn request(&self, item: Item, until: Instant) -> bool {
        !self.is_forked() && !self.is_dead() && self.wait_for_room(item, Some(until)).is_ok()
    }

    /// No event enters from now on.
    pub(crate) fn close(&self) {
        self.shared.closed.store(true, SeqCst);
    }

    /// The pipeline is dead, and this is why.
    pub(crate) fn poisoned_by(&self, why: String) {
        diagnostics::warn(&why);
        *locked(&self.shared.poison) = Some(why);
        self.shared.poisoned.store(true, Release);
    }

    pub(crate) fn poison(&self) -> Option<String> {
        locked(&self.shared.poison).clone()
    }

    fn is_dead(&self) -> bool {
        self.shared.poisoned.load(Acquire)
    }

    pub(crate) fn accepted(&self) -> u64 {
        self.shared.accepted.load(Relaxed)
    }

    pub(crate) fn len(&self) -> usize {
        self.sender.len()
    }

    pub(crate) fn gaps(&self) -> &Gaps {
        &self.shared.gaps
    }
}

impl QueueReader {
    /// The next item, if there is one now.
    pub(crate) fn next(&self) -> Option<Item> {
        self.receiver.try_recv().ok()
    }

    /// The next item of a queue that is closed; `None` once it is empty and nobody is entering.
    pub(crate) fn next_before_the_end(&self) -> Option<Item> {
        loop {
            let entering = self.shared.entering.load(SeqCst) > 0;
            match self.next() {
                Some(item) => return Some(item),
                None if entering => std::thread::sleep(Duration::from_micros(100)),
                None => return None,
            }
        }
    }

    pub(crate) fn gaps(&self) -> &Gaps {
        &self.shared.gaps
    }

    /// Warns, once a time that it happens, when the queue is four fifths full.
    pub(crate) fn warn_when_nearly_full(&self) {
        let (len, bound) = (self.receiver.len(), self.shared.policies.max_queue_size);
        if len >= bound - bound / 5 {
            if !self.shared.warned.swap(true, Relaxed) {
                diagnostics::warn(&format!("the queue is over 80 % full: {len} of {bound} events"));
            }
        } else if len < bound / 2 {
            self.shared.warned.store(false, Relaxed);
        }
    }
}
