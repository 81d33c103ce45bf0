//! The thread that chains records and hands them out in batches.
//!
//! A batch leaves when it has `batch_size` records or its first has waited for `flush_interval`,
//! and takes along all that has come by then, up to [`MAX_BATCH`] records or [`MAX_BATCH_BYTES`].
//!
//! Gaps: a drop is counted with the number of events that the queue had accepted by then. The
//! record of a gap is made once the worker has passed that place in the queue, so that it stands
//! behind the events that were accepted before the drop. Its `after_seq` is the head of the look
//! before, a record that is surely older than the first drop.
//!
//! The file is long because the loop, its housekeeping and its end share one state that nothing
//! else may touch; what can be told apart from it is in the modules beside it.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    thread::JoinHandle,
    time::{Duration, Instant},
};

use serde_json::{Value as Json, json};

use super::{
    chain::Chain,
    delivery::{AFTER_A_PANIC, Delivered, Position, SinkHandle, Skipped},
    internal,
    source::{Next, Source},
};
use crate::{
    Error,
    capture::Core,
    clock, diagnostics,
    journal::{DropCause, FlushRequest, Gap, QueueReader, Request, frame::Frame},
    keyring::Keys,
    record::{EventType, Head, Severity, StreamName},
    sink::{Batch, MAX_BATCH_BYTES, Sink},
};

/// No batch is larger: it is held in memory by every sink that is behind.
const MAX_BATCH: usize = 2048;
/// How many batches are remembered, to be used again when every sink is done with them.
const REMEMBERED: usize = 6;
/// The shortest and the longest sleep of an idle worker.
const SHORT_SLEEP: Duration = Duration::from_micros(100);
const LONG_SLEEP: Duration = Duration::from_millis(5);
/// How often a journal is read in vain before it is given up: about a second.
const MAX_READ_ERRORS: u32 = 200;
/// How often gaps, the clock and the sinks' notes are looked at.
const HOUSEKEEPING: Duration = Duration::from_millis(50);
/// A smaller difference of the clocks is drift, not a step.
const CLOCK_STEP: i64 = 1_000_000;
/// How long the sinks may take for what came before the last record.
const SETTLE: Duration = Duration::from_secs(5);
/// How long a best-effort sink is waited for at the end, at most.
const BEST_EFFORT_FAREWELL: Duration = Duration::from_secs(1);

/// What a pipeline runs with.
pub(crate) struct Settings {
    pub(crate) stream: StreamName,
    pub(crate) head: Head,
    pub(crate) batch_size: usize,
    pub(crate) flush_interval: Duration,
    pub(crate) heartbeat: Duration,
    /// How many records may wait for a best-effort sink.
    pub(crate) backlog: usize,
    /// What `system.startup` says.
    pub(crate) startup: Json,
    /// What the start itself has to tell: a new stream, records that a sink will never have.
    pub(crate) notes: Vec<Frame>,
}

/// A running pipeline, as its guard sees it.
#[derive(Debug)]
pub(crate) struct Pipeline {
    pub(crate) stream: Arc<StreamName>,
    pub(crate) sinks: Vec<Arc<Delivered>>,
    pub(crate) last_seq: Arc<AtomicU64>,
    pub(crate) chain: Arc<Chain>,
    pub(crate) thread: JoinHandle<()>,
}

/// Starts the threads. The sinks come with how far each has got.
pub(crate) fn start(
    mut settings: Settings,
    sinks: Vec<(Box<dyn Sink>, Position)>,
    core: Arc<Core>,
    reader: QueueReader,
) -> Result<Pipeline, Error> {
    let stream = Arc::new(settings.stream.clone());
    let mut handles = Vec::new();
    for (sink, position) in sinks {
        let position = if sink.forgets() { Position::At(settings.head) } else { position };
        let (stream, queue) = (Arc::clone(&stream), core.queue.clone());
        handles.push(
            SinkHandle::start(sink, stream, position, settings.backlog, queue)
                .map_err(Error::Thread)?,
        );
    }
    let last_seq = Arc::new(AtomicU64::new(settings.head.seq));
    let chain = Arc::new(Chain::new(settings.head));
    let delivered = handles.iter().map(|handle| Arc::clone(&handle.shared)).collect();
    let mut worker = Worker {
        source: Source::new(Arc::clone(&core), reader, Arc::clone(&stream), settings.head)
            .map_err(Error::Thread)?,
        batch: Batch::new(Arc::clone(&stream)),
        used: VecDeque::new(),
        last_seq: Arc::clone(&last_seq),
        chain: Arc::clone(&chain),
        core: Arc::clone(&core),
        sinks: handles,
        sent: 0,
        sent_at: Instant::now(),
        oldest: None,
        read_errors: 0,
        is_cut_off: false,
        gaps: BTreeMap::new(),
        made: 0,
        clock_offset: clock_offset(),
        max_batch: max_batch(settings.backlog),
        looked_at: settings.head.seq,
        skipped: BTreeMap::new(),
        skips_told: Instant::now(),
        notes: std::mem::take(&mut settings.notes),
        settings,
    };
    // Here, so that they come before any event.
    worker.note(&internal::frame(
        EventType::SystemStartup,
        Severity::Info,
        "success",
        "recording begins",
        &worker.settings.startup,
    ));
    for note in std::mem::take(&mut worker.notes) {
        worker.note(&note);
    }
    let thread = std::thread::Builder::new()
        .name("audit-pipeline".to_owned())
        .spawn(move || {
            struct Ended(Arc<Core>);
            impl Drop for Ended {
                fn drop(&mut self) {
                    if std::thread::panicking() {
                        let why = format!("the thread of the pipeline panicked; {AFTER_A_PANIC}");
                        self.0.queue.poisoned_by(why);
                    }
                }
            }
            super::begin_thread();
            let _ended = Ended(core);
            worker.run();
        })
        .map_err(Error::Thread)?;
    Ok(Pipeline { stream, sinks: delivered, last_seq, chain, thread })
}

struct Worker {
    settings: Settings,
    source: Source,
    last_seq: Arc<AtomicU64>,
    chain: Arc<Chain>,
    core: Arc<Core>,
    sinks: Vec<SinkHandle>,
    batch: Batch,
    /// The last ones that left.
    used: VecDeque<Arc<Batch>>,
    /// The last record that was handed to the sinks, and when.
    sent: u64,
    sent_at: Instant,
    /// When the first record of the batch was made.
    oldest: Option<Instant>,
    /// What the start itself has to tell.
    notes: Vec<Frame>,
    /// Errors of the journal since it was last read.
    read_errors: u32,
    /// Nothing comes any more.
    is_cut_off: bool,
    /// Drops whose place in the queue has not been passed, and the last record before the first.
    gaps: BTreeMap<DropCause, (Gap, Option<u64>)>,
    /// Records made by this process.
    made: u64,
    /// Wall clock less monotonic clock, in microseconds.
    clock_offset: i64,
    /// No batch is larger: a best-effort sink that falls behind skips whole batches, which must
    /// be small against what may wait for it.
    max_batch: usize,
    /// The last record when gaps were looked at before.
    looked_at: u64,
    /// What best-effort sinks skipped and the trail has not been told, and when it was told last.
    skipped: BTreeMap<&'static str, Skipped>,
    skips_told: Instant,
}

impl Worker {
    fn run(mut self) {
        let mut sleep = SHORT_SLEEP;
        let mut house = Instant::now();
        let mut heartbeat = Instant::now() + self.settings.heartbeat;
        loop {
            if self.is_cut_off {
                return self.send_batch();
            }
            let mut took = false;
            while !self.is_full() && !self.is_cut_off {
                match self.next() {
                    Next::Record(head) => self.take(head),
                    Next::Request(Request::Flush(request)) => {
                        self.housekeeping();
                        self.send_batch();
                        self.flush(&request);
                    }
                    Next::Request(Request::Shutdown(request)) => return self.shut_down(&request),
                    Next::Nothing => {}
                    Next::Empty => break,
                }
                took = true;
            }
            let now = Instant::now();
            if now.duration_since(house) >= HOUSEKEEPING {
                house = now;
                self.housekeeping();
            }
            if now >= heartbeat {
                heartbeat = now + self.settings.heartbeat;
                self.heartbeat();
            }
            let waited = self.oldest.map_or(Duration::ZERO, |oldest| now.duration_since(oldest));
            if self.is_full()
                || self.batch.len() >= self.settings.batch_size
                || !self.batch.is_empty() && waited >= self.settings.flush_interval
            {
                self.send_batch();
            }
            if took {
                sleep = SHORT_SLEEP;
            } else {
                self.wait(sleep);
                sleep = (sleep * 2).min(LONG_SLEEP);
            }
        }
    }

    /// What comes next. A journal that cannot be read is tried again; when that goes on, every sign
    /// is red.
    fn next(&mut self) -> Next {
        match self.source.next(&mut self.batch) {
            Ok(next) => {
                if matches!(next, Next::Record(_) | Next::Nothing) {
                    self.read_errors = 0;
                }
                next
            }
            Err(error) => {
                self.cannot_read(&error);
                std::thread::sleep(LONG_SLEEP);
                Next::Empty
            }
        }
    }

    fn wait(&mut self, time: Duration) {
        if let Err(error) = self.source.wait(time) {
            self.cannot_read(&error);
        }
    }

    fn cannot_read(&mut self, error: &std::io::Error) {
        self.read_errors += 1;
        if error.kind() == std::io::ErrorKind::BrokenPipe {
            self.is_cut_off = true;
            self.core.queue.poisoned_by(format!("{error}; {AFTER_A_PANIC}"));
        } else if self.read_errors == MAX_READ_ERRORS {
            self.core.queue.poisoned_by(format!(
                "the journal cannot be read: {error}; check the disk and restart"
            ));
        }
    }

    fn is_full(&self) -> bool {
        self.batch.len() >= self.max_batch || self.batch.size() >= MAX_BATCH_BYTES
    }

    /// A record was made.
    fn take(&mut self, head: Head) {
        self.last_seq.store(head.seq, Relaxed);
        self.chain.advance(head);
        self.made += 1;
        self.oldest.get_or_insert_with(Instant::now);
    }

    /// Tells something of the layer's own.
    fn note(&mut self, frame: &Frame) {
        if let Some(head) = self.source.note(frame, &mut self.batch) {
            self.take(head);
        }
    }

    fn send_batch(&mut self) {
        if self.batch.is_empty() {
            return;
        }
        self.oldest = None;
        self.sent = self.batch.last().map_or(self.sent, |head| head.seq);
        let made_in = self.sent_at.elapsed();
        let next = self.next_batch();
        let batch = Arc::new(std::mem::replace(&mut self.batch, next));
        diagnostics::debug(|| {
            let last = batch.last().map_or(0, |head| head.seq);
            format!("a batch of {} records up to {last} leaves", batch.len())
        });
        for sink in &self.sinks {
            if let Some(skipped) = sink.write(&batch, made_in) {
                let all = self.skipped.entry(sink.name()).or_insert(Skipped {
                    count: 0,
                    first: skipped.first,
                    last: 0,
                });
                all.count += skipped.count;
                all.last = skipped.last;
            }
        }
        self.sent_at = Instant::now();
        self.used.push_back(batch);
        self.used.drain(..self.used.len().saturating_sub(REMEMBERED));
    }

    /// An empty batch: one that every sink is done with, if there is one.
    fn next_batch(&mut self) -> Batch {
        let done = self.used.iter().position(|batch| Arc::strong_count(batch) == 1);
        let done = done.and_then(|at| self.used.remove(at)).and_then(Arc::into_inner);
        match done {
            Some(mut batch) => {
                batch.clear();
                batch
            }
            None => Batch::new(Arc::clone(&self.batch.stream)),
        }
    }

    /// Makes records of what was skipped: when the sink works again, and while it does not, with
    /// the heartbeat; a record for each skip would be the next to be skipped.
    fn tell_skips(&mut self, all: bool) {
        let due = all || self.skips_told.elapsed() >= self.settings.heartbeat;
        let works = |name: &str| {
            self.sinks.iter().any(|sink| {
                let stats = sink.shared.stats(self.source.head.seq);
                stats.name == name && stats.healthy
            })
        };
        let told: Vec<_> = self.skipped.keys().copied().filter(|name| due || works(name)).collect();
        for name in told {
            if let Some(skipped) = self.skipped.remove(name) {
                self.skips_told = Instant::now();
                self.note(&internal::skipped(name, skipped.count, skipped.first, skipped.last));
            }
        }
    }

    fn flush(&self, request: &Arc<FlushRequest>) {
        let required = self.sinks.iter().filter(|sink| sink.is_required());
        request.expect(required.clone().map(|sink| sink.name().to_owned()).collect());
        for sink in required {
            if sink.shared.is_alive() {
                sink.flush(request, self.sent);
            } else {
                request.failed(sink.name());
            }
        }
    }

    fn housekeeping(&mut self) {
        self.source.reader.warn_when_nearly_full();
        self.source.send_notes();
        self.tell_gaps(false);
        self.tell_skips(false);
        let trimmed: Vec<_> = self.sinks.iter().flat_map(SinkHandle::take_trimmed).collect();
        for trimmed in trimmed {
            self.note(&internal::trimmed(&trimmed));
        }
        let holes: Vec<_> = self
            .sinks
            .iter()
            .flat_map(|sink| sink.take_holes().into_iter().map(|hole| (sink.name(), hole)))
            .collect();
        for (name, (first, last)) in holes {
            self.note(&internal::skipped(name, last + 1 - first, first, last));
        }
        let offset = clock_offset();
        let step = offset - self.clock_offset;
        if step.abs() >= CLOCK_STEP {
            self.note(&internal::clock_step(step));
        }
        self.clock_offset = offset;
        self.retire();
    }

    /// Lets the journal delete what every sink has. A sink that is best effort is not waited for
    /// when there is no room.
    fn retire(&mut self) {
        let Some(log) = self.core.queue.log() else { return };
        let Some(end) = log.oldest_ends_at() else { return };
        let hurry = log.is_nearly_full();
        let mut done = u64::MAX;
        for sink in self.sinks.iter().filter(|sink| sink.is_required() || !hurry) {
            if sink.shared.last_seq() >= end && sink.shared.durable_seq() < end {
                sink.sync();
            }
            done = done.min(sink.shared.durable_seq());
        }
        // Whoever follows finds out at the beginning of a segment what came before it, which is there once
        // its first record was made.
        log.retire(done.min(self.source.head.seq.saturating_sub(1)));
    }

    /// Makes records of the gaps whose place has been passed, or of all of them.
    fn tell_gaps(&mut self, all: bool) {
        for (cause, new) in self.source.reader.gaps().take() {
            self.gaps
                .entry(cause)
                .and_modify(|(gap, _)| {
                    gap.count += new.count;
                    gap.last_at = new.last_at;
                    gap.last_after = gap.last_after.max(new.last_after);
                })
                .or_insert((new, None));
        }
        // The first drop came after the look before, so the record then is one before it.
        let (head, taken) = (self.looked_at, self.source.position());
        self.looked_at = self.source.head.seq;
        let mut passed = Vec::new();
        for (cause, (gap, after)) in &mut self.gaps {
            after.get_or_insert(head);
            // What finds no room would only wait in memory; here it adds up.
            if all || taken >= gap.last_after && !self.source.is_held_up() {
                passed.push(*cause);
            }
        }
        for cause in passed {
            if let Some((gap, after)) = self.gaps.remove(&cause) {
                let frame = internal::gap(cause, &gap, after.unwrap_or(head));
                self.note(&frame);
            }
        }
    }

    fn counts(&self) -> Json {
        let dropped: BTreeMap<_, _> = self
            .source
            .reader
            .gaps()
            .totals()
            .into_iter()
            .map(|(cause, count)| (cause.as_str(), count))
            .collect();
        let sinks: BTreeMap<_, _> = self
            .sinks
            .iter()
            .map(|sink| {
                let stats = sink.shared.stats(self.source.head.seq);
                let counts = json!({
                    "written": stats.written,
                    "lag": stats.lag,
                    "skipped": stats.skipped,
                    "conflicts": stats.conflicts,
                });
                (stats.name, counts)
            })
            .collect();
        json!({
            "accepted": self.core.queue.accepted(),
            "recorded": self.made,
            "dropped": dropped,
            "sinks": sinks,
        })
    }

    fn heartbeat(&mut self) {
        // A key that another process erased stays in memory no longer, also when nothing is sealed.
        if let Some(Err(error)) = self.core.protection.keys().map(Keys::forget_erased) {
            diagnostics::debug(|| error.to_string());
        }
        if self.source.is_held_up() {
            return;
        }
        let counts = self.counts();
        self.note(&internal::frame(
            EventType::SystemHeartbeat,
            Severity::Info,
            "success",
            "recording goes on",
            &counts,
        ));
    }

    /// Takes out all that is left, and what callers bring who were on their way in when the queue was
    /// closed.
    fn drain(&mut self) {
        loop {
            // Asked before the look: who was on the way in has arrived by then.
            let at_the_end = self.source.is_at_the_end() && self.read_errors == 0;
            match self.next() {
                Next::Record(head) => self.take(head),
                Next::Request(Request::Flush(request) | Request::Shutdown(request)) => {
                    self.flush(&request);
                }
                Next::Nothing => {}
                Next::Empty if at_the_end || self.core.queue.poison().is_some() => return,
                Next::Empty => self.wait(SHORT_SLEEP),
            }
            if self.is_full() {
                self.send_batch();
            }
        }
    }

    fn shut_down(mut self, request: &Arc<FlushRequest>) {
        self.drain();
        // What the sinks do with it, such as a rotation, is told before the end.
        self.send_batch();
        let settled = Arc::new(FlushRequest::default());
        self.flush(&settled);
        let _ = settled.wait(Instant::now() + SETTLE);
        self.source.say_farewell();
        self.housekeeping();
        self.tell_gaps(true);
        self.tell_skips(true);
        let counts = self.counts();
        self.note(&internal::frame(
            EventType::SystemShutdown,
            Severity::Info,
            "success",
            "recording ends in good order",
            &counts,
        ));
        self.drain();
        self.send_batch();
        if self.source.is_held_up() {
            diagnostics::warn(
                "the journal has no room for what the trail was to be told at the end",
            );
        }
        request.expect(self.sinks.iter().map(|sink| sink.name().to_owned()).collect());
        for sink in &self.sinks {
            sink.stop(request);
        }
        let farewell = Instant::now() + BEST_EFFORT_FAREWELL;
        let is_done = |sink: &SinkHandle| sink.thread.as_ref().is_none_or(JoinHandle::is_finished);
        // Best effort has until the required sinks are done, and a moment longer.
        loop {
            let required_done = self.sinks.iter().filter(|sink| sink.is_required()).all(is_done);
            let all_done = self.sinks.iter().all(is_done);
            if all_done || required_done && Instant::now() >= farewell {
                break;
            }
            std::thread::sleep(Duration::from_millis(2));
        }
        for sink in &self.sinks {
            if !is_done(sink) {
                sink.shared.abandon();
            }
            if !sink.is_required() {
                // What it lacks is in the other sinks: nobody waits for it, nor for one that panicked.
                request.done(sink.name());
            }
        }
        for sink in &mut self.sinks {
            if sink.is_required()
                && let Some(thread) = sink.thread.take()
            {
                let _ = thread.join();
            }
        }
    }
}

/// A quarter of what may wait for a sink, and no more than [`MAX_BATCH`].
fn max_batch(backlog: usize) -> usize {
    (backlog / 4).clamp(1, MAX_BATCH)
}

fn clock_offset() -> i64 {
    use std::sync::OnceLock;
    static START: OnceLock<Instant> = OnceLock::new();
    let start = *START.get_or_init(Instant::now);
    let monotonic = i64::try_from(start.elapsed().as_micros()).unwrap_or(i64::MAX);
    clock::now_micros() - monotonic
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        config::{Config, Overflow},
        journal,
        pipeline::tests as tests_of_pipeline,
        record::Record,
        sink::Sealed,
    };

    fn worker() -> Worker {
        worker_of(journal::channel(Config::default().policies))
    }

    fn worker_of((queue, reader): (journal::Queue, QueueReader)) -> Worker {
        let level = tracing::level_filters::LevelFilter::INFO;
        let stream: StreamName = "payments@web-1~k3x9q2".parse().unwrap();
        let core = Arc::new(Core::new(
            queue,
            level,
            level,
            crate::Durable::none(),
            crate::capture::Rules::default(),
            crate::capture::Protection::new("", None),
        ));
        let shared_stream = Arc::new(stream.clone());
        Worker {
            source: Source::new(Arc::clone(&core), reader, Arc::clone(&shared_stream), Head::START)
                .unwrap(),
            settings: Settings {
                stream: stream.clone(),
                head: Head::START,
                batch_size: 100,
                flush_interval: Duration::from_secs(5),
                heartbeat: Duration::from_secs(60),
                backlog: 100,
                startup: Json::Null,
                notes: Vec::new(),
            },
            batch: Batch::new(shared_stream),
            used: VecDeque::new(),
            last_seq: Arc::default(),
            chain: Arc::new(Chain::new(Head::START)),
            core,
            sinks: Vec::new(),
            sent: 0,
            sent_at: Instant::now(),
            oldest: None,
            notes: Vec::new(),
            read_errors: 0,
            is_cut_off: false,
            gaps: BTreeMap::new(),
            made: 0,
            clock_offset: clock_offset(),
            max_batch: 100,
            looked_at: 0,
            skipped: BTreeMap::new(),
            skips_told: Instant::now(),
        }
    }

    #[test]
    fn a_clock_that_was_set_is_told_once_with_how_far() {
        let mut worker = worker();
        worker.housekeeping();
        assert!(worker.batch.is_empty(), "a clock that runs is no event");
        // As if the clock had been set back by an hour since the last look.
        worker.clock_offset += 3_600_000_000;
        worker.housekeeping();
        worker.housekeeping();
        assert_eq!(worker.batch.len(), 1);
        let told = worker.batch.records().next().unwrap();
        let record = Record::parse(told.text()).unwrap();
        assert_eq!(record.event_type, "system.clock_step");
        let details: Json = serde_json::from_str(record.details.unwrap().get()).unwrap();
        let step = details["step_us"].as_i64().unwrap();
        assert!((-3_601_000_000..=-3_599_000_000).contains(&step), "{step}");
    }

    #[test]
    fn a_gap_is_told_behind_the_events_that_were_accepted_before_it() {
        let mut worker = worker();
        let queue = worker.core.queue.clone();
        let event =
            internal::frame(EventType::DataRead, Severity::Info, "success", "", &Json::Null);
        let plan = crate::capture::internal_plan();
        // Three were accepted, and one of them taken, when one was dropped.
        for _ in 0..3 {
            queue.append(plan.callsite(), event.bytes());
        }
        let take = |worker: &mut Worker| {
            let Next::Record(head) = worker.next() else { panic!("an event is there") };
            worker.take(head);
        };
        take(&mut worker);
        worker.core.queue.drop_one(DropCause::Overflow);
        worker.housekeeping();
        assert_eq!(worker.batch.len(), 1, "its place has not been passed");
        take(&mut worker);
        take(&mut worker);
        worker.housekeeping();
        let gap = worker.batch.records().next_back().unwrap();
        let record = Record::parse(gap.text()).unwrap();
        assert_eq!((record.event_type.as_ref(), record.seq), ("system.audit_gap", 4));
        assert!(record.details.unwrap().get().contains("\"after_seq\":0"));
    }

    #[test]
    fn gaps_that_find_no_room_add_up_until_they_do() {
        let dir = tempfile::tempdir().unwrap();
        let mut worker = worker_of(tests_of_pipeline::durable(dir.path(), Overflow::Drop));
        let (queue, plan) = (worker.core.queue.clone(), crate::capture::internal_plan());
        let long = json!("x".repeat(10_000));
        let event = internal::frame(EventType::DataRead, Severity::Info, "success", "", &long);
        while queue.gaps().totals().is_empty() {
            queue.append(plan.callsite(), event.bytes());
        }
        while queue.append_note(plan.callsite(), event.bytes(), journal::Share::Note) {}
        let take_all = |worker: &mut Worker| {
            while !worker.source.is_at_the_end() {
                match worker.next() {
                    Next::Record(head) => worker.take(head),
                    _ => worker.wait(SHORT_SLEEP),
                }
            }
        };
        take_all(&mut worker);
        // Nothing goes from the journal while a required sink lacks it.
        worker.sinks.push(tests_of_pipeline::idle_sink(&queue));
        for _ in 0..3000 {
            queue.drop_one(DropCause::Overflow);
            worker.housekeeping();
            take_all(&mut worker);
        }
        assert!(worker.source.is_held_up(), "there is no room");
        worker.sinks.clear();
        for _ in 0..3 {
            worker.housekeeping();
            take_all(&mut worker);
        }
        let count = |record: Sealed<'_>| {
            let record = Record::parse(record.text()).unwrap();
            let is_gap = record.event_type == "system.audit_gap";
            let details: Json = serde_json::from_str(record.details.unwrap().get()).unwrap();
            is_gap.then(|| details["count"].as_u64().unwrap())
        };
        let told = worker.batch.records().filter_map(count);
        assert_eq!(told.sum::<u64>(), queue.gaps().totals()[&DropCause::Overflow]);
    }

    #[test]
    fn an_error_that_passed_does_not_keep_the_pipeline_from_its_end() {
        let dir = tempfile::tempdir().unwrap();
        let mut worker = worker_of(tests_of_pipeline::durable(dir.path(), Overflow::Drop));
        worker.cannot_read(&std::io::Error::other("once"));
        let (done, ended) = std::sync::mpsc::channel();
        std::thread::spawn(move || {
            worker.drain();
            let _ = done.send(());
        });
        ended.recv_timeout(Duration::from_secs(60)).expect("it ends");
    }

    #[test]
    fn a_renderer_that_died_is_told_at_once() {
        let dir = tempfile::tempdir().unwrap();
        let mut worker = worker_of(tests_of_pipeline::durable(dir.path(), Overflow::Drop));
        worker.cannot_read(&std::io::Error::other("once"));
        worker.cannot_read(&std::io::ErrorKind::BrokenPipe.into());
        assert!(worker.core.queue.poison().unwrap().contains(AFTER_A_PANIC));
    }
}
