//! Who waits for the disk, and the thread that syncs for all of them (group commit).
//!
//! A thread of its own, so that a caller's time-out holds on a disk that stalls: nobody comes back
//! from a sync before it is over. What that costs is the hand-over: both sides look for a short while
//! before they sleep, because a sync of a good disk takes no longer than waking a thread twice. All
//! who sleep are woken by one call, and none of them takes a lock.
//!
//! Callers that a sync released together often come again together, each with its next event. The next
//! sync waits for as many of them as the last one had, for no longer than a sync takes: else it would
//! begin with the first of them, and the others would wait for two. (Two callers commit a fifth more often
//! for it, eight a quarter.)
//!
//! Rejected: zeros written ahead, so that a sync has no extents to convert (on ext4 it took twice as long).
//!
//! A sync that failed is never tried again: the kernel may have dropped the pages, and a later success
//! would mean nothing. The journal is poisoned then.

use std::{
    io,
    sync::{
        Condvar, Mutex,
        atomic::{
            AtomicBool, AtomicU32, AtomicU64,
            Ordering::{Acquire, Release, SeqCst},
        },
    },
    task::{Poll, Waker},
    thread::JoinHandle,
    time::{Duration, Instant},
};

use crate::{diagnostics, locked};

/// How long one looks before one sleeps.
const LOOK: Duration = Duration::from_micros(40);

/// How long callers are waited for that may come again, and how many of them, at most: of more, some are
/// there when the sync after this one begins.
const GATHER: Duration = Duration::from_micros(500);
const GATHERED: u32 = 24;

/// Why a commit failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum CommitError {
    /// The disk took longer.
    Timeout,
    /// A sync failed, now or earlier.
    Poisoned(String),
}

#[derive(Debug)]
pub(super) struct Syncs {
    /// Every number up to this one is durable.
    durable: AtomicU64,
    /// The highest number that somebody waits for.
    wanted: AtomicU64,
    /// Changes whenever a sync has ended.
    ended_syncs: AtomicU32,
    /// Callers that wait now.
    waiting: AtomicU32,
    /// Callers that came since the last sync began.
    arrived: AtomicU32,
    /// The thread sleeps, or is about to.
    sleeps: AtomicBool,
    sleep: Mutex<()>,
    wake: Condvar,
    /// Those who wait in a future.
    wakers: Mutex<Vec<Waker>>,
    started: AtomicBool,
    ended: AtomicBool,
    poisoned: AtomicBool,
    poison: Mutex<Option<String>>,
    /// A second processor is there to sync while the first one looks.
    may_look: bool,
}

impl Syncs {
    pub(super) fn new(durable: u64) -> Self {
        Self {
            durable: AtomicU64::new(durable),
            wanted: AtomicU64::new(durable),
            ended_syncs: AtomicU32::new(0),
            waiting: AtomicU32::new(0),
            arrived: AtomicU32::new(0),
            sleeps: AtomicBool::new(false),
            sleep: Mutex::new(()),
            wake: Condvar::new(),
            wakers: Mutex::new(Vec::new()),
            started: AtomicBool::new(false),
            ended: AtomicBool::new(false),
            poisoned: AtomicBool::new(false),
            poison: Mutex::new(None),
            may_look: std::thread::available_parallelism().is_ok_and(|count| count.get() > 1),
        }
    }

    pub(super) fn durable(&self) -> u64 {
        self.durable.load(Acquire)
    }

    pub(super) fn poison(&self) -> Option<String> {
        if self.poisoned.load(Acquire) { locked(&self.poison).clone() } else { None }
    }

    fn poison_by(&self, why: String) {
        diagnostics::warn(&why);
        *locked(&self.poison) = Some(why);
        self.poisoned.store(true, Release);
    }

    /// Starts the thread, if it was not.
    pub(super) fn start(&self, spawn: impl FnOnce() -> io::Result<JoinHandle<()>>) {
        if self.started.load(Acquire) || self.started.swap(true, SeqCst) {
            return;
        }
        if let Err(error) = spawn() {
            self.poison_by(format!("the thread that syncs the journal cannot start: {error}"));
        }
    }

    fn outcome(&self, seq: u64) -> Option<Result<(), CommitError>> {
        if let Some(why) = self.poison() {
            return Some(Err(CommitError::Poisoned(why)));
        }
        (self.durable() >= seq).then_some(Ok(()))
    }

    /// Asks for a sync that covers `seq`.
    fn want(&self, seq: u64) {
        self.wanted.fetch_max(seq, SeqCst);
        if self.sleeps.load(SeqCst) {
            // Whoever is about to sleep holds the lock until it does.
            drop(locked(&self.sleep));
            self.wake.notify_one();
        }
    }

    /// Waits until `seq` is durable, at most until `until`.
    pub(super) fn wait(&self, seq: u64, until: Instant) -> Result<(), CommitError> {
        struct Waits<'s>(&'s AtomicU32);
        impl Drop for Waits<'_> {
            fn drop(&mut self) {
                self.0.fetch_sub(1, SeqCst);
            }
        }
        let alone = self.waiting.fetch_add(1, SeqCst) == 0;
        let _waits = Waits(&self.waiting);
        let mut looks = alone && self.may_look;
        self.arrived.fetch_add(1, SeqCst);
        loop {
            let ended = self.ended_syncs.load(SeqCst);
            if let Some(outcome) = self.outcome(seq) {
                return outcome;
            }
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(CommitError::Timeout);
            }
            self.want(seq);
            if !(std::mem::take(&mut looks) && look(|| self.ended_syncs.load(Acquire) != ended)) {
                sleep(&self.ended_syncs, ended, left);
            }
        }
    }

    /// The same for a future.
    pub(super) fn poll(&self, seq: u64, waker: &Waker) -> Poll<Result<(), CommitError>> {
        if let Some(outcome) = self.outcome(seq) {
            return Poll::Ready(outcome);
        }
        // Before the second look, so that a sync that ends in between wakes it.
        locked(&self.wakers).push(waker.clone());
        match self.outcome(seq) {
            Some(outcome) => Poll::Ready(outcome),
            None => {
                self.want(seq);
                Poll::Pending
            }
        }
    }

    /// What the thread does: calls `sync`, which returns up to where it made everything durable,
    /// whenever somebody wants it.
    pub(super) fn serve(&self, sync: impl Fn() -> io::Result<u64>) {
        let idle = || {
            let wanted = self.wanted.load(SeqCst) > self.durable();
            !wanted || self.poisoned.load(Acquire)
        };
        let (mut together, mut took) = (0, Duration::ZERO);
        while !self.ended.load(SeqCst) {
            if idle() && !(self.may_look && look(|| !idle())) {
                let mut guard = locked(&self.sleep);
                self.sleeps.store(true, SeqCst);
                while idle() && !self.ended.load(SeqCst) {
                    guard =
                        self.wake.wait(guard).unwrap_or_else(std::sync::PoisonError::into_inner);
                }
                self.sleeps.store(false, SeqCst);
                continue;
            }
            self.gather(together, took.min(GATHER));
            together = self.arrived.swap(0, SeqCst);
            let started = Instant::now();
            let synced = sync();
            took = started.elapsed();
            // Those who came meanwhile wait for the next one.
            together += self.arrived.load(SeqCst);
            match synced {
                Ok(upto) => self.durable.store(upto, Release),
                Err(error) => self.poison_by(format!(
                    "a sync of the journal failed ({error}): what was accepted since is not known \
                     to be on the disk; check the disk and restart"
                )),
            }
            self.ended_syncs.fetch_add(1, SeqCst);
            if self.waiting.load(SeqCst) > 0 {
                wake_all(&self.ended_syncs);
            }
            let wakers = std::mem::take(&mut *locked(&self.wakers));
            wakers.into_iter().for_each(Waker::wake);
        }
    }

    /// Waits until as many callers came as the last sync had, at most for `time`.
    fn gather(&self, together: u32, time: Duration) {
        let until = Instant::now() + time;
        while self.arrived.load(SeqCst) < together.min(GATHERED) && Instant::now() < until {
            std::thread::yield_now();
        }
    }

    /// Ends the thread.
    pub(super) fn end(&self) {
        self.ended.store(true, SeqCst);
        drop(locked(&self.sleep));
        self.wake.notify_one();
    }
}

/// Looks for a short while whether something holds.
fn look(holds: impl Fn() -> bool) -> bool {
    let until = Instant::now() + LOOK;
    loop {
        for _ in 0..32 {
            if holds() {
                return true;
            }
            std::hint::spin_loop();
        }
        if Instant::now() >= until {
            return false;
        }
    }
}

/// Sleeps while `word` is `value`, for some time at most; may wake up for nothing.
#[cfg(target_os = "linux")]
fn sleep(word: &AtomicU32, value: u32, time: Duration) {
    use rustix::thread::futex;
    let time = rustix::fs::Timespec::try_from(time).ok();
    // Whatever it returns, the caller looks again.
    let _ = futex::wait(word, futex::Flags::PRIVATE, value, time.as_ref());
}

#[cfg(target_os = "linux")]
fn wake_all(word: &AtomicU32) {
    let _ =
        rustix::thread::futex::wake(word, rustix::thread::futex::Flags::PRIVATE, i32::MAX as u32);
}

#[cfg(not(target_os = "linux"))]
fn sleep(word: &AtomicU32, value: u32, time: Duration) {
    if word.load(Acquire) == value {
        std::thread::sleep(time.min(Duration::from_micros(100)));
    }
}

#[cfg(not(target_os = "linux"))]
fn wake_all(_: &AtomicU32) {}
