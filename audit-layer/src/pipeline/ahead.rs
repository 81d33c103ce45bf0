//! Renders ahead of the chain, in a thread of its own.
//!
//! Records are chained one after the other, in one thread; but a line, less its two hashes, follows
//! from its event alone. So the journal is read, and lines are written, by a second thread, and each of
//! the two has about half of the work. Lines are handed over by the hundred when there are many.
//!
//! Rejected: more threads, each with a part of the events (their lines would have to be put in order
//! again, and the chain is then what takes longest anyway).

use std::{
    io,
    sync::{
        Arc,
        atomic::{
            AtomicBool,
            Ordering::{Acquire, Release},
        },
    },
    thread::JoinHandle,
    time::Duration,
};

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, TryRecvError};

use super::lines::{Lines, Renderer};
use crate::record::StreamName;

/// How many handfuls of lines are ready at most.
const READY: usize = 4;
/// The shortest and the longest sleep while nothing comes.
const SHORT_SLEEP: Duration = Duration::from_micros(100);
const LONG_SLEEP: Duration = Duration::from_millis(5);

/// The end that the thread holds which chains.
#[derive(Debug)]
pub(super) struct Ahead {
    /// `None` once it is over.
    ready: Option<Receiver<io::Result<Lines>>>,
    used: Sender<Lines>,
    ended: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Ahead {
    pub(super) fn start(renderer: Renderer, stream: Arc<StreamName>) -> io::Result<Self> {
        let (sender, ready) = crossbeam_channel::bounded(READY);
        let (used, returned) = crossbeam_channel::bounded(READY);
        let ended = Arc::new(AtomicBool::new(false));
        let rendering = Rendering {
            renderer,
            stream,
            sender,
            returned,
            ended: Arc::clone(&ended),
            at_end: false,
        };
        let thread = std::thread::Builder::new()
            .name("audit-render".to_owned())
            .spawn(move || rendering.run())?;
        Ok(Self { ready: Some(ready), used, ended, thread: Some(thread) })
    }

    /// The next lines, if some are ready within `time`. Those that were used are used again.
    pub(super) fn next(&self, used: &mut Lines, time: Duration) -> io::Result<bool> {
        let Some(ready) = &self.ready else { return Ok(false) };
        let next = match ready.try_recv() {
            Err(TryRecvError::Empty) if !time.is_zero() => ready.recv_timeout(time),
            Err(TryRecvError::Empty) => Err(RecvTimeoutError::Timeout),
            Err(TryRecvError::Disconnected) => Err(RecvTimeoutError::Disconnected),
            Ok(next) => Ok(next),
        };
        match next {
            Ok(lines) => {
                let mut done = std::mem::replace(used, lines?);
                done.clear();
                // Nobody misses it.
                let _ = self.used.try_send(done);
                Ok(true)
            }
            Err(RecvTimeoutError::Timeout) => Ok(false),
            Err(RecvTimeoutError::Disconnected) => {
                std::thread::sleep(time);
                Err(io::Error::new(io::ErrorKind::BrokenPipe, "the thread that renders panicked"))
            }
        }
    }
}

impl Drop for Ahead {
    fn drop(&mut self) {
        self.ended.store(true, Release);
        // Whoever waits to hand over is told.
        self.ready = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// What the thread works with.
struct Rendering {
    renderer: Renderer,
    stream: Arc<StreamName>,
    sender: Sender<io::Result<Lines>>,
    returned: Receiver<Lines>,
    ended: Arc<AtomicBool>,
    /// Told that there is nothing more.
    at_end: bool,
}

impl Rendering {
    fn run(mut self) {
        super::begin_thread();
        let mut sleep = SHORT_SLEEP;
        let mut lines = self.empty();
        while !self.ended.load(Acquire) {
            let rendered = self.fill(&mut lines);
            if matches!(rendered, Ok(false)) && !self.at_end {
                self.at_end = true;
                lines.push_end();
            }
            if !lines.is_empty() {
                sleep = SHORT_SLEEP;
                let next = self.empty();
                if self.sender.send(Ok(std::mem::replace(&mut lines, next))).is_err() {
                    return;
                }
            }
            match rendered {
                Ok(true) => continue,
                Ok(false) => {}
                Err(error) => {
                    sleep = LONG_SLEEP;
                    self.at_end = false;
                    if self.sender.send(Err(error)).is_err() {
                        return;
                    }
                }
            }
            std::thread::sleep(sleep);
            sleep = (sleep * 2).min(LONG_SLEEP);
        }
    }

    fn empty(&self) -> Lines {
        self.returned.try_recv().unwrap_or_else(|_| Lines::new(Arc::clone(&self.stream)))
    }

    /// Returns whether there may be more.
    fn fill(&mut self, lines: &mut Lines) -> io::Result<bool> {
        while !lines.is_full() {
            if !self.renderer.next(lines)? {
                return Ok(false);
            }
            self.at_end = false;
        }
        Ok(true)
    }
}
