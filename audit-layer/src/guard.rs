//! The application's hold on its audit layer.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    task::{Poll, Waker},
    time::{Duration, Instant},
};

use tracing::level_filters::{LevelFilter, STATIC_MAX_LEVEL};

use crate::{
    Commit, Error, JournalStats, NotInstalled, Receipt, Stats,
    capture::{Core, canary},
    config::MAX_DURATION,
    journal::{
        DropCause, FlushRequest, Request, Unflushed, directory::Directory, sync::CommitError,
    },
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
    /// How many drops a commit has told of.
    dropped_told: AtomicU64,
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
        Self {
            core,
            dropped_told: AtomicU64::new(0),
            queue_bound,
            pipeline: Some(pipeline),
            directory: Some(directory),
        }
    }

    pub(crate) fn core(&self) -> Arc<Core> {
        Arc::clone(&self.core)
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
                journal: None,
                late_commits: 0,
                withheld: 0,
                worker_alive: false,
                poisoned: None,
                sinks: Vec::new(),
            };
        }
        let last_seq = self.pipeline.as_ref().map_or(0, |p| p.last_seq.load(Relaxed));
        let mut stats = Stats {
            stream: String::new(),
            queued: queue.len(last_seq),
            queue_bound: self.queue_bound,
            accepted: queue.accepted(),
            dropped: queue.gaps().totals().into_iter().collect::<BTreeMap<_, _>>(),
            last_seq: 0,
            journal: queue.log().map(|log| {
                let (bytes, max_bytes) = log.bytes();
                JournalStats {
                    mode: log.mode(),
                    bytes,
                    max_bytes,
                    durable_seq: log.durable_seq(),
                    trouble: log.trouble(),
                }
            }),
            late_commits: queue.late(),
            withheld: self.core.protection.withheld(),
            worker_alive: false,
            poisoned: queue.poison().or_else(|| queue.log().and_then(|log| log.poison())),
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
        self.ask(Request::Flush(Arc::clone(&request)), &request, deadline(timeout))
    }

    /// Makes everything durable that this process accepted before the call, and says up to where:
    /// what is committed survives a power cut. Callers that wait at the same moment share one sync of
    /// the disk. Waits at most for `timeout`.
    ///
    /// # Errors
    /// [`Error::Timeout`] when the disk takes longer: what was accepted stays accepted.
    /// [`Error::Dropped`] when events were dropped since the last commit; everything else is durable.
    /// [`Error::Poisoned`] when a sync failed, once and for all, or the pipeline is dead.
    /// [`Error::NoJournal`] without a journal, [`Error::Forked`] in a forked child.
    pub fn commit(&self, timeout: Duration) -> Result<Receipt, Error> {
        let until = deadline(timeout);
        let receipt = self.begin_commit()?;
        let log = self.core.queue.log().ok_or(Error::NoJournal)?;
        self.settle_commit(log.commit(receipt.seq, until))?;
        Ok(receipt)
    }

    /// The same without waiting on a thread: the future is ready when everything is durable that was
    /// accepted before this call. It has no time-out of its own; put one around it.
    ///
    /// # Errors
    /// As [`AuditGuard::commit`].
    pub fn commit_async(&self) -> Commit<'_> {
        Commit::new(self, self.begin_commit())
    }

    fn begin_commit(&self) -> Result<Receipt, Error> {
        if self.core.queue.is_forked() {
            return Err(Error::Forked);
        }
        let (Some(log), Some(pipeline)) = (self.core.queue.log(), &self.pipeline) else {
            return Err(Error::NoJournal);
        };
        let (seq, awaited) = pipeline.chain.await_at(log.next_seq() - 1);
        Ok(Receipt::new((*pipeline.stream).clone(), seq, awaited))
    }

    /// What a commit that the disk has answered means for its caller.
    fn settle_commit(&self, synced: Result<(), CommitError>) -> Result<(), Error> {
        match synced {
            Ok(()) => {}
            Err(CommitError::Timeout) => {
                return Err(Error::Timeout { missing: vec!["journal".to_owned()] });
            }
            Err(CommitError::Poisoned(why)) => return Err(Error::Poisoned(why)),
        }
        if let Some(why) = self.core.queue.poison() {
            return Err(Error::Poisoned(why));
        }
        let dropped: u64 = self.core.queue.gaps().totals().values().sum();
        match dropped - self.dropped_told.swap(dropped, Relaxed).min(dropped) {
            0 => Ok(()),
            count => Err(Error::Dropped { count }),
        }
    }

    pub(crate) fn poll_commit(&self, seq: u64, waker: &Waker) -> Poll<Result<(), Error>> {
        let Some(log) = self.core.queue.log() else { return Poll::Ready(Err(Error::NoJournal)) };
        log.poll_commit(seq, waker).map(|synced| self.settle_commit(synced))
    }

    fn ask(&self, wanted: Request, request: &FlushRequest, until: Instant) -> Result<(), Error> {
        if self.core.queue.is_forked() {
            return Err(Error::Forked);
        }
        let sent = self.core.queue.request(wanted, until);
        // In slices, so that a pipeline that dies meanwhile is not waited for.
        let result = loop {
            if let Some(why) = self.core.queue.poison() {
                return Err(Error::Poisoned(why));
            }
            let slice = until.min(Instant::now() + Duration::from_millis(50));
            match request.wait(slice) {
                Ok(()) => break Ok(()),
                Err(Unflushed::Failed(missing)) => break Err(missing),
                Err(Unflushed::Late(missing)) if !sent || Instant::now() >= until => {
                    break Err(missing);
                }
                Err(Unflushed::Late(_)) => {}
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
            // The journal is not mapped here, and must not be unmapped from where it is not.
            std::mem::forget(Arc::clone(&self.core));
            return Err(Error::Forked);
        }
        let until = deadline(timeout);
        self.core.queue.close();
        let request = Arc::new(FlushRequest::default());
        let result = self.ask(Request::Shutdown(Arc::clone(&request)), &request, until);
        if result.is_err() {
            for sink in &pipeline.sinks {
                sink.abandon();
            }
            self.tell_what_is_not_written(&pipeline);
        }
        while !pipeline.thread.is_finished() && Instant::now() < until {
            std::thread::sleep(Duration::from_millis(1));
        }
        if pipeline.thread.is_finished() {
            let _ = pipeline.thread.join();
            if let Some(log) = self.core.queue.log() {
                log.end();
            }
            drop(self.directory.take());
        } else {
            // A thread that still writes keeps the stream until the process ends.
            std::mem::forget(self.directory.take());
        }
        result
    }

    /// Waits until the process is asked to end, by SIGTERM or SIGINT. A second signal ends the process at
    /// once. Then stop whoever emits events, and call [`AuditGuard::shutdown`]: what comes behind that is
    /// dropped.
    ///
    /// # Errors
    /// [`Error::Signals`] when signals cannot be waited for.
    pub fn wait_for_signal(&self) -> Result<(), Error> {
        crate::signals::wait().map_err(Error::Signals)
    }

    /// [`AuditGuard::wait_for_signal`] and [`AuditGuard::shutdown`]: for a `main` whose work is done by other
    /// threads, when what they emit from then on may be dropped.
    ///
    /// Before this call the signals do what they do without it; what was accepted is in the journal
    /// then, and the next start delivers it. An async program waits with `tokio::signal` instead.
    ///
    /// ```no_run
    /// # use std::time::Duration;
    /// # fn main() -> Result<(), audit_layer::Error> {
    /// let (layer, audit) = audit_layer::AuditLayer::from_env::<tracing_subscriber::Registry>()?;
    /// // … start the threads that serve …
    /// audit.shutdown_on_signal(Duration::from_secs(10))
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`Error::Signals`] when signals cannot be waited for; else as [`AuditGuard::shutdown`].
    pub fn shutdown_on_signal(self, timeout: Duration) -> Result<(), Error> {
        self.wait_for_signal()?;
        self.shutdown(timeout)
    }

    /// Records every panic of this process from now on, as an `error.exception` with the message, the
    /// place and the thread, before the stack is unwound or the process aborts. The hook that was
    /// there before is called next. With a journal, the record survives an abort.
    ///
    /// Of the message only what names within braces call a secret is taken out, as in a `Debug` output: do not
    /// call this where messages hold others.
    pub fn record_panics(&self) {
        crate::panics::record(&self.core);
    }

    fn tell_what_is_not_written(&self, pipeline: &Pipeline) {
        let made = pipeline.last_seq.load(Relaxed);
        let lacks: Vec<String> = pipeline
            .sinks
            .iter()
            .map(|sink| sink.stats(made))
            .filter(|sink| sink.required && sink.lag > 0)
            .map(|sink| format!("the {} sink lacks {} records", sink.name, sink.lag))
            .collect();
        let behind = self.core.queue.len(made);
        let then = match self.core.queue.log() {
            Some(_) => "they are in the journal, and the next start delivers them",
            None => "they are lost",
        };
        crate::diagnostics::warn(&format!(
            "at the end {behind} events are no records yet{}{}; {then}",
            if lacks.is_empty() { "" } else { ", " },
            lacks.join(", ")
        ));
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
