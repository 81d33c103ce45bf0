//! A whole pipeline with sinks that stall and that panic, which no real one does when it is asked to.

use std::{
    path::Path,
    sync::{Arc, Condvar, Mutex},
    time::{Duration, Instant},
};

use serde_json::Value as Json;

use super::{
    delivery::{Position, SinkHandle},
    internal,
    worker::{Pipeline, Settings, start},
};
use crate::{
    capture::{Core, Protection, Rules, internal_plan},
    config::{Config, Durable, Overflow},
    journal::{
        self, FlushRequest, JournalMode, Queue, QueueReader, Request,
        log::{self, Log},
        recovery::Found,
    },
    record::{Draft, EventType, Head, Severity, StreamName, Value},
    sink::{Batch, Delivery, Sink, SinkError, Written},
};

const LONG: Duration = Duration::from_secs(60);

fn stream() -> StreamName {
    "payments@web-1~k3x9q2".parse().unwrap()
}

/// A queue before a journal of 2 MiB.
pub(super) fn durable(directory: &Path, overflow: Overflow) -> (Queue, QueueReader) {
    let settings = log::Settings {
        directory: directory.to_owned(),
        stream: stream(),
        max_bytes: 2 << 20,
        mode: JournalMode::of(directory),
    };
    let log = Log::open(settings, Found::default(), 1, None).unwrap();
    let policies = crate::config::Policies { overflow, ..Config::default().policies };
    journal::durable(policies, Arc::new(log))
}

/// A required sink that is never given anything.
pub(super) fn idle_sink(queue: &Queue) -> SinkHandle {
    let (sink, _) = Memory::new("idle", Behaviour::Works);
    SinkHandle::start(Box::new(sink), Arc::new(stream()), Position::Nothing, 100, queue.clone())
        .unwrap()
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Behaviour {
    Works,
    Stalls,
    Panics,
    /// Takes so many milliseconds for a record.
    Slow(u64),
}

/// What a sink has, and how it behaves.
type Shared = Arc<(Mutex<(Vec<u64>, Behaviour)>, Condvar)>;

struct Memory {
    name: &'static str,
    delivery: Delivery,
    shared: Shared,
}

impl Memory {
    fn new(name: &'static str, behaviour: Behaviour) -> (Self, Shared) {
        let shared = Shared::new((Mutex::new((Vec::new(), behaviour)), Condvar::new()));
        let sink = Self { name, delivery: Delivery::Required, shared: Arc::clone(&shared) };
        (sink, shared)
    }
}

fn records(shared: &Shared) -> Vec<u64> {
    shared.0.lock().unwrap().0.clone()
}

impl Sink for Memory {
    fn name(&self) -> &'static str {
        self.name
    }

    fn delivery(&self) -> Delivery {
        self.delivery
    }

    fn head(&mut self, _: &StreamName) -> Result<Option<Head>, SinkError> {
        Ok(None)
    }

    fn write(&mut self, batch: &Batch) -> Result<Written, SinkError> {
        let behaviour = self.shared.0.lock().unwrap().1;
        if let Behaviour::Slow(each) = behaviour {
            std::thread::sleep(Duration::from_millis(batch.len() as u64 * each));
        }
        let mut state = self.shared.0.lock().unwrap();
        assert!(state.1 != Behaviour::Panics, "as it was asked to");
        while state.1 == Behaviour::Stalls {
            state = self.shared.1.wait(state).unwrap();
        }
        state.0.extend(batch.records().map(|record| record.seq()));
        Ok(Written { new: batch.len() as u64, ..Written::default() })
    }
}

fn pipeline((queue, reader): (Queue, QueueReader), sinks: Vec<Memory>) -> (Pipeline, Queue) {
    let level = tracing::level_filters::LevelFilter::INFO;
    let core = Arc::new(Core::new(
        queue.clone(),
        level,
        level,
        Durable::none(),
        Rules::default(),
        Protection::new("", None),
    ));
    let settings = Settings {
        stream: stream(),
        head: Head::START,
        batch_size: 10,
        flush_interval: Duration::from_millis(5),
        heartbeat: LONG,
        backlog: 100,
        startup: Json::Null,
        notes: Vec::new(),
    };
    let sinks = sinks
        .into_iter()
        .map(|sink| (Box::new(sink) as Box<dyn Sink>, Position::At(Head::START)))
        .collect();
    (start(settings, sinks, core, reader).unwrap(), queue)
}

fn emit(queue: &Queue, count: u64) {
    let frame = internal::frame(EventType::DataRead, Severity::Info, "success", "", &Json::Null);
    for _ in 0..count {
        queue.append(internal_plan().callsite(), frame.bytes());
    }
}

fn request(queue: &Queue, kind: impl Fn(Arc<FlushRequest>) -> Request) -> Arc<FlushRequest> {
    let request = Arc::new(FlushRequest::default());
    assert!(queue.request(kind(Arc::clone(&request)), Instant::now() + LONG));
    request
}

fn eventually(what: &str, holds: impl Fn() -> bool) {
    let until = Instant::now() + LONG;
    while !holds() {
        assert!(Instant::now() < until, "never happened: {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

fn shut_down(pipeline: Pipeline, queue: &Queue) {
    queue.close();
    request(queue, Request::Shutdown).wait(Instant::now() + LONG).unwrap();
    pipeline.thread.join().unwrap();
}

#[test]
fn a_required_sink_that_stalls_holds_up_no_other_and_gets_all_from_the_journal() {
    let dir = tempfile::tempdir().unwrap();
    let (stalled, had) = Memory::new("stalled", Behaviour::Stalls);
    let (other, had_by_other) = Memory::new("other", Behaviour::Works);
    let (pipeline, queue) = pipeline(durable(dir.path(), Overflow::Block), vec![stalled, other]);
    emit(&queue, 1000);
    eventually("the other has them all", || records(&had_by_other).len() == 1001);
    let flush = request(&queue, Request::Flush);
    // The flush is in between now, behind batches that are taken back to make room.
    emit(&queue, 1000);
    eventually("the other has these too", || records(&had_by_other).len() == 2001);
    assert!(records(&had).is_empty());

    had.0.lock().unwrap().1 = Behaviour::Works;
    had.1.notify_all();
    flush.wait(Instant::now() + LONG).unwrap();
    assert!(*records(&had).last().unwrap() >= 1001, "the flush is exact");
    shut_down(pipeline, &queue);
    assert_eq!(records(&had), (1..=2002).collect::<Vec<_>>());
    assert_eq!(records(&had_by_other), records(&had));
}

#[test]
fn a_required_sink_that_panics_poisons_and_the_others_go_on() {
    let dir = tempfile::tempdir().unwrap();
    let (broken, _) = Memory::new("broken", Behaviour::Panics);
    let (other, had_by_other) = Memory::new("other", Behaviour::Works);
    let (pipeline, queue) = pipeline(durable(dir.path(), Overflow::Block), vec![broken, other]);
    eventually("it is poisoned", || queue.poison().is_some());
    let why = queue.poison().unwrap();
    assert_eq!(
        why,
        "the thread of the broken sink panicked; restart the process, and report this as a defect"
    );
    assert!(!pipeline.sinks[0].is_alive() && !pipeline.sinks[0].stats(1).healthy);
    assert_eq!(pipeline.sinks[0].stats(1).last_error, Some(why));
    emit(&queue, 1000);
    eventually("the other has them all", || records(&had_by_other).len() == 1001);
    assert!(queue.gaps().totals().is_empty());
    queue.close();
    // Nobody answers for the sink that is dead.
    let _ = request(&queue, Request::Shutdown).wait(Instant::now());
    pipeline.thread.join().unwrap();
}

#[test]
fn a_best_effort_sink_that_panics_is_only_missing() {
    let dir = tempfile::tempdir().unwrap();
    let (mut broken, _) = Memory::new("broken", Behaviour::Panics);
    broken.delivery = Delivery::BestEffort;
    let (other, had_by_other) = Memory::new("other", Behaviour::Works);
    let (pipeline, queue) = pipeline(durable(dir.path(), Overflow::Block), vec![broken, other]);
    eventually("it panics", || !pipeline.sinks[0].is_alive());
    emit(&queue, 1000);
    eventually("the other has them all", || records(&had_by_other).len() == 1001);
    assert_eq!(queue.poison(), None);
    assert!(pipeline.sinks[0].stats(1).last_error.unwrap().contains("panicked"));
    shut_down(pipeline, &queue);
}

#[test]
fn what_waits_for_a_stalled_sink_is_bounded_in_bytes_too() {
    let dir = tempfile::tempdir().unwrap();
    let (stalled, had) = Memory::new("stalled", Behaviour::Stalls);
    let queue = durable(dir.path(), Overflow::Block).0;
    let sink = SinkHandle::start(
        Box::new(stalled),
        Arc::new(stream()),
        Position::At(Head::START),
        4096,
        queue,
    )
    .unwrap();
    let mut batch = Batch::new(Arc::new(stream()));
    let long = "x".repeat(1 << 20);
    let stream = stream();
    let mut draft = Draft::new(stream.as_str(), 1, Head::START.hash, "data.read", "INFO");
    draft.details = vec![("text".into(), Value::Str(&long))];
    batch.push_line(&draft.seal().text).unwrap();
    let batch = Arc::new(batch);
    for _ in 0..30 {
        sink.write(&batch, LONG);
    }
    let bytes = sink.waiting_bytes();
    assert!(bytes <= 6 << 20, "{bytes} bytes wait");
    had.0.lock().unwrap().1 = Behaviour::Works;
    had.1.notify_all();
}

/// Events come for some seconds, a few at a time, as a sink falls behind again and again.
fn trickle(queue: &Queue, rounds: u32, mut each: impl FnMut(u32)) {
    for round in 0..rounds {
        emit(queue, 25);
        each(round);
        std::thread::sleep(Duration::from_millis(10));
    }
}

#[test]
fn a_slow_sink_that_falls_behind_again_and_again_lacks_nothing() {
    for delivery in [Delivery::BestEffort, Delivery::Required] {
        let dir = tempfile::tempdir().unwrap();
        let (mut slow, had) = Memory::new("slow", Behaviour::Stalls);
        slow.delivery = delivery;
        let (pipeline, queue) = pipeline(durable(dir.path(), Overflow::Block), vec![slow]);
        trickle(&queue, 200, |round| {
            if round == 120 {
                had.0.lock().unwrap().1 = Behaviour::Slow(1);
                had.1.notify_all();
            }
        });
        had.0.lock().unwrap().1 = Behaviour::Works;
        eventually("it has the last one", || records(&had).last() == Some(&5001));
        shut_down(pipeline, &queue);
        assert_eq!(records(&had), (1..=5002).collect::<Vec<_>>());
    }
}

#[test]
fn a_slow_sink_that_is_best_effort_slows_no_other() {
    let dir = tempfile::tempdir().unwrap();
    let (mut slow, had) = Memory::new("slow", Behaviour::Slow(5));
    slow.delivery = Delivery::BestEffort;
    let (other, had_by_other) = Memory::new("other", Behaviour::Works);
    let (pipeline, queue) = pipeline(durable(dir.path(), Overflow::Block), vec![slow, other]);
    trickle(&queue, 100, |_| {});
    eventually("the other has them all", || records(&had_by_other).len() == 2501);
    assert!(records(&had).len() < 2000, "the slow one has {} as well", records(&had).len());
    had.0.lock().unwrap().1 = Behaviour::Works;
    shut_down(pipeline, &queue);
}

/// The nice value of each thread of that name.
#[cfg(target_os = "linux")]
fn nice_of(name: &str) -> Vec<i32> {
    let tasks = std::fs::read_dir("/proc/self/task").unwrap();
    let of_task = |task: std::fs::DirEntry| {
        let stat = std::fs::read_to_string(task.path().join("stat")).ok()?;
        let (before, after) = stat.rsplit_once(')')?;
        let is_named = before.ends_with(name);
        is_named.then(|| after.split_whitespace().nth(16)?.parse().ok())?
    };
    tasks.flatten().filter_map(of_task).collect()
}

#[test]
#[cfg(target_os = "linux")]
fn every_thread_of_the_pipeline_is_nicer_than_the_process_by_the_same() {
    let dir = tempfile::tempdir().unwrap();
    let (mut slow, had) = Memory::new("slow", Behaviour::Slow(1));
    slow.delivery = Delivery::BestEffort;
    let (pipeline, queue) = pipeline(durable(dir.path(), Overflow::Block), vec![slow]);
    let process = rustix::process::getpriority_process(Some(rustix::process::getpid())).unwrap();
    let nicer = (process + 5).min(19);
    let mut seen = 0;
    trickle(&queue, 100, |round| {
        for name in ["audit-render", "audit-pipeline", "audit-slow"] {
            // A thread that has just begun may not have got so far.
            let nice = nice_of(name);
            assert!(nice.iter().all(|nice| *nice <= nicer), "{name}: {nice:?}");
            seen += u32::from(round > 50 && nice.contains(&nicer));
        }
    });
    assert!(seen > 100, "{seen}");
    had.0.lock().unwrap().1 = Behaviour::Works;
    shut_down(pipeline, &queue);
}
