//! The application's hold on its audit layer.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use tracing::level_filters::{LevelFilter, STATIC_MAX_LEVEL};

use crate::{
    Error, NotInstalled, Stats,
    capture::{Core, canary},
    config::MAX_DURATION,
    journal::{DropCause, FlushRequest, Item, directory::Directory},
    pipeline::Pipeline,
    record::StreamName,
};

/// How long dropping the guard waits for the sinks.
pub const DROP_TIMEOUT: Duration = Duration::from_secs(10);

/// Keeps a layer's pipeline running; dropping it shuts down in good order.
///
/// Keep it until the end of `main`. Events that come after it is gone are counted as dropped.
#[derive(Debug)]
#[must_use = "dropping the guard ends the recording"]
pub struct AuditGuard {
    core: Arc<Core>,
    queue_bound: usize,
    /// `None` once it was shut down.
    pipeline: Option<Pipeline>,
    /// Released last: the next process may take the stream only when the sinks are closed.
    directory: Option<Directory>,
}

impl AuditGuard {
    pub(crate) fn new(
        core: Arc<Core>,
        queue_bound: usize,
        pipeline: Pipeline,
        directory: Directory,
    ) -> Self {
        Self { core, queue_bound, pipeline: Some(pipeline), directory: Some(directory) }
    }

    /// The stream that this process writes.
    #[must_use]
    pub fn stream(&self) -> Option<&StreamName> {
        self.pipeline.as_ref().map(|pipeline| &*pipeline.stream)
    }

    /// How the layer is doing. Cheap enough to be asked every second. In the child of a fork it
    /// tells only how many events were dropped there.
    #[must_use]
    pub fn stats(&self) -> Stats {
        let queue = &self.core.queue;
        if queue.is_forked() {
            // Only what needs no lock.
            let forked = queue.gaps().forked();
            return Stats {
                stream: String::new(),
                queued: 0,
                queue_bound: self.queue_bound,
                accepted: 0,
                dropped: (forked > 0).then_some((DropCause::Forked, forked)).into_iter().collect(),
                last_seq: 0,
                worker_alive: false,
                poisoned: None,
                sinks: Vec::new(),
            };
        }
        let mut stats = Stats {
            stream: String::new(),
            queued: queue.len(),
            queue_bound: self.queue_bound,
            accepted: queue.accepted(),
            dropped: queue.gaps().totals().into_iter().collect::<BTreeMap<_, _>>(),
            last_seq: 0,
            worker_alive: false,
            poisoned: queue.poison(),
            sinks: Vec::new(),
        };
        if let Some(pipeline) = &self.pipeline {
            stats.stream = pipeline.stream.to_string();
            stats.last_seq = pipeline.last_seq.load(Relaxed);
            stats.sinks = pipeline.sinks.iter().map(|sink| sink.stats(stats.last_seq)).collect();
            stats.worker_alive = stats.poisoned.is_none()
                && !pipeline.thread.is_finished()
                && pipeline.sinks.iter().all(|sink| sink.is_alive());
        }
        stats
    }

    /// Waits until every required sink (file and SQLite) has all events that were accepted before
    /// the call; at most for `timeout`.
    ///
    /// # Errors
    /// [`Error::Timeout`] names the sinks that are behind; what was accepted stays accepted.
    /// [`Error::Poisoned`] when the pipeline is dead, [`Error::Forked`] in a forked child.
    pub fn flush(&self, timeout: Duration) -> Result<(), Error> {
        let request = Arc::new(FlushRequest::default());
        self.ask(Item::Flush(Arc::clone(&request)), &request, deadline(timeout))
    }

    fn ask(&self, item: Item, request: &FlushRequest, until: Instant) -> Result<(), Error> {
        if self.core.queue.is_forked() {
            return Err(Error::Forked);
        }
        let sent = self.core.queue.request(item, until);
        // In slices, so that a pipeline that dies meanwhile is not waited for.
        let result = loop {
            if let Some(why) = self.core.queue.poison() {
                return Err(Error::Poisoned(why));
            }
            let slice = until.min(Instant::now() + Duration::from_millis(50));
            match request.wait(slice) {
                Ok(()) => break Ok(()),
                Err(missing) if !sent || Instant::now() >= until => break Err(missing),
                Err(_) => {}
            }
        };
        result.map_err(|missing| Error::Timeout { missing })
    }

    /// Ends the recording in good order: the sinks get everything that was accepted, then a
    /// `system.shutdown` record, and are closed. Waits at most for `timeout`. A best-effort sink
    /// that is away is waited for a second at most.
    ///
    /// # Errors
    /// As [`AuditGuard::flush`].
    pub fn shutdown(mut self, timeout: Duration) -> Result<(), Error> {
        self.end(timeout)
    }

    fn end(&mut self, timeout: Duration) -> Result<(), Error> {
        let Some(pipeline) = self.pipeline.take() else { return Ok(()) };
        if self.core.queue.is_forked() {
            // The threads and the lock are the parent's.
            std::mem::forget(pipeline);
            std::mem::forget(self.directory.take());
            return Err(Error::Forked);
        }
        let until = deadline(timeout);
        self.core.queue.close();
        let request = Arc::new(FlushRequest::default());
        let result = self.ask(Item::Shutdown(Arc::clone(&request)), &request, until);
        if result.is_err() {
            for sink in &pipeline.sinks {
                sink.abandon();
            }
        }
        while !pipeline.thread.is_finished() && Instant::now() < until {
            std::thread::sleep(Duration::from_millis(1));
        }
        if pipeline.thread.is_finished() {
            let _ = pipeline.thread.join();
            drop(self.directory.take());
        } else {
            // A thread that still writes keeps the stream until the process ends.
            std::mem::forget(self.directory.take());
        }
        result
    }

    /// Proves that an audit event reaches this layer, by sending one that is not recorded, or says
    /// what stops it. Call it once, after the subscriber is installed. Other layers see the event.
    ///
    /// # Errors
    /// [`Error::NotInstalled`] with the cause, and what to do about it.
    pub fn verify_installed(&self) -> Result<(), Error> {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        let nonce = NEXT.fetch_add(1, Relaxed);
        let level = self.core.filter.level;
        canary::send(level, nonce);
        if level == LevelFilter::OFF || self.core.canary.load(Relaxed) == nonce {
            return Ok(());
        }
        let current = LevelFilter::current();
        let none = tracing::dispatcher::get_default(|dispatch| {
            dispatch.is::<tracing::subscriber::NoSubscriber>()
        });
        Err(Error::NotInstalled(if STATIC_MAX_LEVEL < level {
            NotInstalled::StaticLevel(STATIC_MAX_LEVEL)
        } else if none {
            NotInstalled::NoSubscriber
        } else if !self.core.is_in_current_subscriber() {
            NotInstalled::NotInSubscriber
        } else if current < level {
            NotInstalled::GlobalLevel(current)
        } else {
            NotInstalled::Filtered
        }))
    }
}

/// A time-out beyond any clock is a day.
fn deadline(timeout: Duration) -> Instant {
    let now = Instant::now();
    now.checked_add(timeout).unwrap_or(now + MAX_DURATION)
}

impl Drop for AuditGuard {
    fn drop(&mut self) {
        if let Err(error) = self.end(DROP_TIMEOUT)
            && !matches!(error, Error::Forked)
        {
            crate::diagnostics::warn(&format!("at the end: {error}"));
        }
    }
}
