//! The durable queue: what is appended survives the process, and is read in order.
//!
//! One lock is held for an append: it gives the event its number and copies the frame, some tens of
//! nanoseconds. Nobody is woken: the pipeline polls. Whatever takes longer happens elsewhere: the
//! next segment is made ready by a thread of the journal's own, and so are deletions.
//!
//! # Room
//! All segments together take `max_bytes` at most. When there is no room for another one, or the
//! disk has none, an append is refused and the policies decide. The pipeline's own events, which
//! tell of just that, may take one segment more.
//!
//! # Durability
//! A killed process loses nothing that was appended: the bytes are the kernel's. A power cut loses
//! what was not synced; [`Log::commit`] waits for that.

use std::{
    collections::VecDeque,
    io,
    path::PathBuf,
    sync::{
        Arc, Mutex, OnceLock,
        atomic::{
            AtomicBool, AtomicU64,
            Ordering::{Acquire, Relaxed, Release},
        },
    },
    task::{Poll, Waker},
    thread::{JoinHandle, Thread},
    time::Instant,
};

use super::{
    recovery::Found,
    segment::{
        DATA_AT, Envelope, Header, JournalMode, Kind, MAX_PAYLOAD, Segment, Spare, size_of_envelope,
    },
    sync::{CommitError, Syncs},
};
use crate::{
    clock, diagnostics, locked,
    record::{Hash, StreamName},
};

/// The size of a segment, unless the journal is too small for some of them.
const SEGMENT_BYTES: u64 = 16 << 20;
const MIN_SEGMENT_BYTES: u64 = 512 << 10;
/// How many segments the smallest journal has.
const MIN_SEGMENTS: u64 = 4;

/// Why an event was not taken in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refused {
    /// There is no room now.
    Full,
    /// It never fits.
    TooLong,
    /// Nothing is taken in any more.
    Closed,
    /// Nobody takes anything out any more.
    Dead,
}

/// A callsite as an append needs it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Callsite<'c> {
    pub(crate) number: u32,
    pub(crate) definition: &'c [u8],
}

#[derive(Debug)]
struct Tail {
    segment: Arc<Segment>,
    at: u64,
    /// Bit n: callsite n is defined in this segment.
    defined: Vec<u64>,
    /// Only the pipeline's own events are taken in.
    closed: bool,
}

impl Tail {
    fn bit(number: u32) -> (usize, u64) {
        // A u32 fits into a usize wherever this runs.
        ((number / 64) as usize, 1 << (number % 64))
    }

    fn is_defined(&self, number: u32) -> bool {
        let (word, bit) = Self::bit(number);
        self.defined.get(word).is_some_and(|word| word & bit != 0)
    }

    fn define(&mut self, number: u32) {
        let (word, bit) = Self::bit(number);
        if self.defined.len() <= word {
            self.defined.resize(word + 1, 0);
        }
        if let Some(word) = self.defined.get_mut(word) {
            *word |= bit;
        }
    }
}

/// How the journal is kept.
#[derive(Debug, Clone)]
pub(crate) struct Settings {
    pub(crate) directory: PathBuf,
    pub(crate) stream: StreamName,
    pub(crate) max_bytes: u64,
    /// How segments are written, where the file system knows preallocation.
    pub(crate) mode: JournalMode,
}

/// The journal of one stream.
#[derive(Debug)]
pub(crate) struct Log {
    settings: Settings,
    mode: JournalMode,
    segment_bytes: u64,
    tail: Mutex<Tail>,
    /// The number of the next event, and of the first of this process.
    next: AtomicU64,
    first: u64,
    /// How many events of the pipeline's own were appended.
    notes: AtomicU64,
    /// Oldest first; the last is being written.
    segments: Mutex<VecDeque<Arc<Segment>>>,
    spare: Mutex<Option<Spare>>,
    spare_is_there: AtomicBool,
    /// Of all segments and the spare.
    bytes: AtomicU64,
    syncs: Syncs,
    /// The last error of making a segment, until one was made.
    trouble: Mutex<Option<String>>,
    /// Makes the next segment ready.
    keeper: Mutex<Option<JoinHandle<()>>>,
    keeper_thread: OnceLock<Thread>,
    ended: AtomicBool,
}

impl Log {
    /// Goes on with what was found in the directory; the next event has the number `next`.
    pub(crate) fn open(
        settings: Settings,
        found: Found,
        next: u64,
        before: Option<Hash>,
    ) -> io::Result<Self> {
        let mode = settings.mode;
        let segment_bytes =
            (settings.max_bytes / MIN_SEGMENTS).clamp(MIN_SEGMENT_BYTES, SEGMENT_BYTES);
        let spare = Spare::make(&settings.directory, segment_bytes, mode)?;
        let mode = spare.mode();
        let index = found.segments.last().map_or(0, |last| last.header.index + 1);
        let header = header(&settings.stream, index, next, found.last_seq)?;
        let first = Arc::new(spare.begin(&settings.directory, header, before)?);
        let mut segments: VecDeque<_> = found.segments.into();
        segments.push_back(Arc::clone(&first));
        sync_directory(&settings.directory)?;
        let bytes = segments.iter().map(|segment| segment.size()).sum();
        Ok(Self {
            mode,
            segment_bytes,
            tail: Mutex::new(Tail {
                segment: first,
                at: DATA_AT,
                defined: Vec::new(),
                closed: false,
            }),
            next: AtomicU64::new(next),
            first: next,
            notes: AtomicU64::new(0),
            segments: Mutex::new(segments),
            spare: Mutex::new(None),
            spare_is_there: AtomicBool::new(false),
            bytes: AtomicU64::new(bytes),
            syncs: Syncs::new(next - 1),
            trouble: Mutex::new(None),
            keeper: Mutex::new(None),
            keeper_thread: OnceLock::new(),
            ended: AtomicBool::new(false),
            settings,
        })
    }

    /// Starts the thread that makes the next segment ready, so that no append has to.
    pub(crate) fn start(self: &Arc<Self>) -> io::Result<()> {
        let log = Arc::clone(self);
        let keeper =
            std::thread::Builder::new().name("audit-journal".to_owned()).spawn(move || {
                super::mark_worker();
                while !log.ended.load(Acquire) {
                    log.prepare();
                    std::thread::park();
                }
            })?;
        let _ = self.keeper_thread.set(keeper.thread().clone());
        *locked(&self.keeper) = Some(keeper);
        Ok(())
    }

    fn wake_keeper(&self) {
        if let Some(keeper) = self.keeper_thread.get() {
            keeper.unpark();
        }
    }

    /// Takes an event in and returns its number.
    pub(super) fn append(
        &self,
        callsite: Callsite<'_>,
        frame: &[u8],
        reserve: bool,
    ) -> Result<u64, Refused> {
        if frame.len() > MAX_PAYLOAD || callsite.definition.len() > MAX_PAYLOAD {
            return Err(Refused::TooLong);
        }
        // Its checksum needs no lock.
        let mut event = Envelope::of(Kind::Event, 0, frame);
        let mut tail = locked(&self.tail);
        if tail.closed && !reserve {
            return Err(Refused::Closed);
        }
        let mut definition = 0;
        for attempt in 0.. {
            if !tail.is_defined(callsite.number) {
                definition = size_of_envelope(callsite.definition.len());
            }
            if tail.at + definition + event.size() <= tail.segment.size() {
                break;
            }
            if attempt > 0 {
                return Err(Refused::TooLong);
            }
            self.begin_segment(&mut tail, reserve)?;
        }
        let salt = tail.segment.header.salt;
        let mut at = tail.at;
        if definition > 0 {
            let head = Envelope::of(Kind::Callsite, callsite.number.into(), callsite.definition);
            self.written(tail.segment.write(at, &[&head.encode(salt), callsite.definition]))?;
            at += definition;
            tail.define(callsite.number);
            // Should the event fail now, the callsite is there for the next.
            tail.at = at;
            tail.segment.publish(at);
        }
        let seq = self.next.load(Relaxed);
        event.number = seq;
        self.written(tail.segment.write(at, &[&event.encode(salt), frame]))?;
        tail.at = at + event.size();
        tail.segment.publish(tail.at);
        if reserve {
            self.notes.fetch_add(1, Relaxed);
        }
        self.next.store(seq + 1, Release);
        Ok(seq)
    }

    fn written(&self, result: io::Result<()>) -> Result<(), Refused> {
        result.map_err(|error| {
            *locked(&self.trouble) = Some(format!("an append failed: {error}"));
            Refused::Full
        })
    }

    #[cold]
    fn begin_segment(&self, tail: &mut Tail, reserve: bool) -> Result<(), Refused> {
        let spare = match locked(&self.spare).take() {
            Some(spare) => spare,
            None => self.make_spare(reserve)?,
        };
        self.spare_is_there.store(false, Relaxed);
        let next = self.next.load(Relaxed);
        let begun = header(&self.settings.stream, tail.segment.header.index + 1, next, next - 1)
            .and_then(|header| spare.begin(&self.settings.directory, header, None));
        let segment = match begun {
            Ok(segment) => Arc::new(segment),
            Err(error) => {
                self.bytes.fetch_sub(self.segment_bytes, Relaxed);
                *locked(&self.trouble) = Some(format!("no segment could be begun: {error}"));
                return Err(Refused::Full);
            }
        };
        // Whoever sees the seal finds the next one in the list.
        locked(&self.segments).push_back(Arc::clone(&segment));
        tail.segment.seal();
        tail.segment = segment;
        tail.at = DATA_AT;
        tail.defined.fill(0);
        self.wake_keeper();
        Ok(())
    }

    fn make_spare(&self, reserve: bool) -> Result<Spare, Refused> {
        let bound = self.settings.max_bytes + if reserve { self.segment_bytes } else { 0 };
        if self.bytes.load(Relaxed) + self.segment_bytes > bound {
            return Err(Refused::Full);
        }
        match Spare::make(&self.settings.directory, self.segment_bytes, self.mode) {
            Ok(spare) => {
                self.bytes.fetch_add(self.segment_bytes, Relaxed);
                *locked(&self.trouble) = None;
                Ok(spare)
            }
            Err(error) => {
                *locked(&self.trouble) = Some(format!("no segment could be made: {error}"));
                Err(Refused::Full)
            }
        }
    }

    /// Makes the next segment ready, if there is room for it.
    fn prepare(&self) {
        if self.spare_is_there.load(Relaxed) {
            return;
        }
        let mut spare = locked(&self.spare);
        if spare.is_none()
            && let Ok(made) = self.make_spare(false)
        {
            *spare = Some(made);
            self.spare_is_there.store(true, Relaxed);
        }
    }

    /// Takes in nothing more, but of the pipeline's own.
    pub(super) fn close(&self) {
        locked(&self.tail).closed = true;
    }

    /// How many events of the application were appended by this process.
    pub(crate) fn accepted(&self) -> u64 {
        let notes = self.notes.load(Relaxed);
        (self.next.load(Acquire) - self.first).saturating_sub(notes)
    }

    /// The number of the next event.
    pub(crate) fn next_seq(&self) -> u64 {
        self.next.load(Acquire)
    }

    /// Deletes the segments whose events all have numbers up to `seq`.
    pub(crate) fn retire(&self, seq: u64) {
        loop {
            let oldest = {
                let mut segments = locked(&self.segments);
                let done = match (segments.front(), segments.get(1)) {
                    (Some(oldest), Some(next)) => {
                        oldest.is_sealed() && next.header.first_seq <= seq.saturating_add(1)
                    }
                    _ => false,
                };
                if !done {
                    return;
                }
                segments.pop_front()
            };
            let Some(oldest) = oldest else { return };
            match oldest.remove() {
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    diagnostics::warn(&format!("a segment of the journal stays: {error}"));
                }
                _ => {}
            }
            self.bytes.fetch_sub(oldest.size(), Relaxed);
            self.wake_keeper();
        }
    }

    /// The last number in the oldest segment, if that is not the one being written.
    pub(crate) fn oldest_ends_at(&self) -> Option<u64> {
        let segments = locked(&self.segments);
        segments.get(1).map(|next| next.header.first_seq - 1)
    }

    /// Whether there is no room for another segment.
    pub(crate) fn is_nearly_full(&self) -> bool {
        self.bytes.load(Relaxed) + self.segment_bytes > self.settings.max_bytes
    }

    /// The segment in which the event `seq` is, or the first behind it; only one behind the segment
    /// of the index `after`.
    pub(super) fn segment_for(&self, seq: u64, after: Option<u64>) -> Option<Arc<Segment>> {
        let segments = locked(&self.segments);
        let mut behind = segments
            .iter()
            .filter(|segment| after.is_none_or(|after| segment.header.index > after));
        if after.is_some() {
            return behind.next().cloned();
        }
        let mut found = behind.next()?;
        for segment in behind {
            if segment.header.first_seq > seq {
                break;
            }
            found = segment;
        }
        Some(Arc::clone(found))
    }

    /// The last segment that begins at or before the event `seq` and knows the chain before it; the
    /// first of all when none does.
    pub(super) fn anchored_segment_for(&self, seq: u64) -> Option<Arc<Segment>> {
        let segments = locked(&self.segments);
        let begins = |segment: &&Arc<Segment>| segment.header.first_seq <= seq;
        let knows = |segment: &&Arc<Segment>| segment.anchor().is_ok_and(|anchor| anchor.is_some());
        let anchored = segments.iter().rev().filter(begins).find(knows);
        anchored.or(segments.front()).cloned()
    }

    pub(crate) fn mode(&self) -> JournalMode {
        self.mode
    }

    /// Bytes that the journal takes on the disk, and may take.
    pub(crate) fn bytes(&self) -> (u64, u64) {
        (self.bytes.load(Relaxed), self.settings.max_bytes)
    }

    pub(crate) fn durable_seq(&self) -> u64 {
        self.syncs.durable()
    }

    pub(crate) fn trouble(&self) -> Option<String> {
        locked(&self.trouble).clone()
    }

    pub(crate) fn poison(&self) -> Option<String> {
        self.syncs.poison()
    }

    /// Waits until every event up to `seq` is durable, at most until `until`.
    pub(crate) fn commit(self: &Arc<Self>, seq: u64, until: Instant) -> Result<(), CommitError> {
        self.start_to_sync();
        self.syncs.wait(seq, until)
    }

    /// The same for a future.
    pub(crate) fn poll_commit(
        self: &Arc<Self>,
        seq: u64,
        waker: &Waker,
    ) -> Poll<Result<(), CommitError>> {
        self.start_to_sync();
        self.syncs.poll(seq, waker)
    }

    /// Starts the thread that syncs at the first commit.
    fn start_to_sync(self: &Arc<Self>) {
        self.syncs.start(|| {
            let log = Arc::clone(self);
            std::thread::Builder::new().name("audit-sync".to_owned()).spawn(move || {
                super::mark_worker();
                log.syncs.serve(|| {
                    let upto = log.next_seq() - 1;
                    log.sync_up_to(upto).map(|()| upto)
                });
            })
        });
    }

    fn sync_up_to(&self, seq: u64) -> io::Result<()> {
        let durable = self.durable_seq();
        let unsynced: Vec<_> = {
            let segments = locked(&self.segments);
            let firsts = segments.iter().map(|segment| segment.header.first_seq);
            let lasts = firsts.skip(1).chain([u64::MAX]);
            segments
                .iter()
                .zip(lasts)
                .filter(|(segment, next)| *next > durable + 1 && segment.header.first_seq <= seq)
                .map(|(segment, _)| Arc::clone(segment))
                .collect()
        };
        let begun_since = unsynced.iter().any(|segment| segment.header.first_seq > durable);
        for segment in &unsynced {
            segment.sync()?;
        }
        // The name of a new segment.
        if begun_since { sync_directory(&self.settings.directory) } else { Ok(()) }
    }

    /// Ends the journal's threads and gives back what was held ready. Nothing may be appended any
    /// more.
    pub(crate) fn end(&self) {
        self.syncs.end();
        self.ended.store(true, Release);
        self.wake_keeper();
        if let Some(keeper) = locked(&self.keeper).take() {
            let _ = keeper.join();
        }
        if let Some(spare) = locked(&self.spare).take() {
            spare.discard();
        }
        let tail = locked(&self.tail);
        if tail.closed
            && let Err(error) = tail.segment.close()
        {
            diagnostics::debug(|| format!("the journal keeps its size: {error}"));
        }
    }
}

fn header(stream: &StreamName, index: u64, first_seq: u64, follows: u64) -> io::Result<Header> {
    let mut salt = [0; 4];
    getrandom::fill(&mut salt).map_err(|error| io::Error::other(error.to_string()))?;
    Ok(Header {
        salt: u32::from_le_bytes(salt),
        index,
        first_seq,
        follows,
        created_at: clock::now_micros(),
        stream: stream.clone(),
    })
}

fn sync_directory(directory: &std::path::Path) -> io::Result<()> {
    std::fs::File::open(directory)?.sync_all()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;
    use tempfile::TempDir;

    use super::*;
    use crate::journal::{
        reader::{Read, Reader},
        recovery,
    };

    const CALLSITE: Callsite<'static> = Callsite { number: 7, definition: b"a callsite" };

    fn settings(dir: &TempDir, max_bytes: u64) -> Settings {
        let stream = "payments@web-1~k3x9q2".parse().unwrap();
        Settings { directory: dir.path().to_owned(), stream, max_bytes, mode: MODE.get() }
    }

    thread_local! {
        static MODE: std::cell::Cell<JournalMode> = const { std::cell::Cell::new(JournalMode::Mapped) };
    }

    #[test]
    fn all_of_it_holds_where_the_journal_is_written_and_not_mapped() {
        MODE.set(JournalMode::Written);
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(open(&dir).0.mode(), JournalMode::Written);
        what_is_appended_is_read_in_order_with_what_its_callsites_are();
        a_segment_follows_when_one_is_full_and_defines_its_callsites_again();
        the_next_process_goes_on_behind_the_last_event();
        segments_that_are_done_are_deleted_and_their_room_is_free_again();
        at_its_bound_it_refuses_and_its_own_events_have_a_reserve();
        a_commit_makes_durable_what_came_before_it();
        threads_that_append_get_each_number_once();
        a_torn_end_is_cut_and_counted();
        damage_costs_the_events_that_it_hit_and_each_is_named();
        an_anchor_is_read_back();
    }

    #[test]
    fn a_journal_that_is_closed_takes_no_more_than_it_holds() {
        let dir = tempfile::tempdir().unwrap();
        let (log, _) = open(&dir);
        log.start().unwrap();
        fill(&log, 3, 100);
        log.close();
        log.end();
        assert_eq!(log.append(CALLSITE, &frame(4, 10), false), Err(Refused::Closed));
        let files: Vec<_> = std::fs::read_dir(dir.path()).unwrap().map(Result::unwrap).collect();
        assert_eq!(files.len(), 1, "{files:?}");
        assert!(files[0].metadata().unwrap().len() < 8192);
        assert_eq!(events(&read(&open(&dir).0, 1)), [1, 2, 3]);
    }

    /// Opens what is there, as a start of the process does.
    fn open(dir: &TempDir) -> (Arc<Log>, Found) {
        let settings = settings(dir, 8 << 20);
        let found = recovery::find(&settings.directory, &settings.stream).unwrap();
        let again = recovery::find(&settings.directory, &settings.stream).unwrap();
        let next = found.last_seq + 1;
        (Arc::new(Log::open(settings, again, next, Some(Hash::ZERO)).unwrap()), found)
    }

    fn frame(seq: u64, length: usize) -> Vec<u8> {
        let mut frame = (seq as i64).to_le_bytes().to_vec();
        frame.resize(8 + length, seq as u8);
        frame
    }

    fn fill(log: &Log, count: u64, length: usize) {
        for _ in 0..count {
            let seq = log.next_seq();
            assert_eq!(log.append(CALLSITE, &frame(seq, length), false), Ok(seq));
        }
    }

    /// All that a reader meets from a number on, written short.
    fn read(log: &Arc<Log>, from: u64) -> Vec<String> {
        let mut reader = Reader::new(Arc::clone(log), from);
        let mut met = Vec::new();
        while let Some(read) = reader.next().unwrap() {
            met.push(match read {
                Read::Segment { .. } => "segment".to_owned(),
                Read::Callsite { number, definition } => {
                    assert_eq!((number, definition), (7, CALLSITE.definition));
                    "callsite".to_owned()
                }
                Read::Event { seq, frame: bytes } => {
                    assert_eq!(bytes, frame(seq, bytes.len() - 8), "event {seq}");
                    seq.to_string()
                }
                Read::Lost { seq, time } => format!("lost {seq} before {time}"),
                Read::Elsewhere { first, last } => format!("elsewhere {first} to {last}"),
            });
        }
        met
    }

    fn events(met: &[String]) -> Vec<u64> {
        met.iter().filter_map(|what| what.parse().ok()).collect()
    }

    #[test]
    fn what_is_appended_is_read_in_order_with_what_its_callsites_are() {
        let dir = tempfile::tempdir().unwrap();
        let (log, found) = open(&dir);
        assert!(found.is_empty());
        fill(&log, 3, 10);
        assert_eq!(read(&log, 1), ["segment", "callsite", "1", "2", "3"]);
        assert_eq!(read(&log, 3), ["segment", "callsite", "3"]);
    }

    #[test]
    fn a_segment_follows_when_one_is_full_and_defines_its_callsites_again() {
        let dir = tempfile::tempdir().unwrap();
        let (log, _) = open(&dir);
        // Some 30 of these fill the 2 MiB of a segment.
        fill(&log, 100, 60_000);
        let met = read(&log, 1);
        assert_eq!(events(&met), (1..=100).collect::<Vec<_>>());
        let segments = met.iter().filter(|what| *what == "segment").count();
        assert!(segments > 1);
        assert_eq!(met.iter().filter(|what| *what == "callsite").count(), segments);
        assert_eq!(events(&read(&log, 77)), (77..=100).collect::<Vec<_>>());
    }

    #[test]
    fn the_next_process_goes_on_behind_the_last_event() {
        let dir = tempfile::tempdir().unwrap();
        fill(&open(&dir).0, 5, 100);
        let (log, found) = open(&dir);
        assert_eq!((found.last_seq, found.torn_bytes), (5, 0));
        fill(&log, 2, 100);
        assert_eq!(events(&read(&log, 1)), [1, 2, 3, 4, 5, 6, 7]);
        // And one that appended nothing leaves nothing behind that disturbs.
        drop(log);
        let (log, found) = open(&dir);
        assert_eq!(found.last_seq, 7);
        assert_eq!(events(&read(&log, 6)), [6, 7]);
    }

    #[test]
    fn segments_that_are_done_are_deleted_and_their_room_is_free_again() {
        let dir = tempfile::tempdir().unwrap();
        let (log, _) = open(&dir);
        fill(&log, 100, 60_000);
        let (before, _) = log.bytes();
        let end = log.oldest_ends_at().unwrap();
        log.retire(end - 1);
        assert_eq!(log.bytes().0, before, "one event is still needed");
        log.retire(end);
        assert_eq!(log.bytes().0, before - log.segment_bytes);
        let met = read(&log, 1);
        assert_eq!(met[1..3], ["callsite".to_owned(), format!("elsewhere 1 to {end}")]);
        log.retire(u64::MAX);
        assert_eq!(log.bytes().0, log.segment_bytes, "the one that is written stays");
    }

    #[test]
    fn at_its_bound_it_refuses_and_its_own_events_have_a_reserve() {
        let dir = tempfile::tempdir().unwrap();
        let settings = settings(&dir, 2 << 20);
        let log = Log::open(settings, Found::default(), 1, None).unwrap();
        let frame = frame(1, 60_000);
        let mut taken = 0;
        while log.append(CALLSITE, &frame, false).is_ok() {
            taken += 1;
        }
        assert!((20..40).contains(&taken), "{taken}");
        assert_eq!(log.append(CALLSITE, &frame, true), Ok(taken + 1));
        assert!(log.bytes().0 > log.bytes().1);
        log.retire(taken);
        assert_eq!(log.append(CALLSITE, &frame, false), Ok(taken + 2));
    }

    #[test]
    fn what_never_fits_is_refused_for_good() {
        let dir = tempfile::tempdir().unwrap();
        let (log, _) = open(&dir);
        assert_eq!(log.append(CALLSITE, &vec![0; MAX_PAYLOAD + 1], false), Err(Refused::TooLong));
        fill(&log, 1, MAX_PAYLOAD - 8);
    }

    #[test]
    fn a_commit_makes_durable_what_came_before_it() {
        let dir = tempfile::tempdir().unwrap();
        let (log, _) = open(&dir);
        let until = || Instant::now() + Duration::from_secs(60);
        log.commit(0, until()).unwrap();
        fill(&log, 100, 60_000);
        log.commit(100, until()).unwrap();
        assert_eq!(log.durable_seq(), 100);
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    for _ in 0..20 {
                        let seq = log.append(CALLSITE, &frame(0, 10), false).unwrap();
                        log.commit(seq, until()).unwrap();
                        assert!(log.durable_seq() >= seq);
                    }
                });
            }
        });
        log.end();
    }

    #[test]
    fn threads_that_append_get_each_number_once() {
        let dir = tempfile::tempdir().unwrap();
        let (log, _) = open(&dir);
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for _ in 0..2000 {
                        log.append(CALLSITE, &[7; 500], false).unwrap();
                    }
                });
            }
        });
        let mut reader = Reader::new(log, 1);
        let mut expected = 1;
        while let Some(read) = reader.next().unwrap() {
            if let Read::Event { seq, .. } = read {
                assert_eq!(seq, expected);
                expected += 1;
            }
        }
        assert_eq!(expected, 8001);
    }

    #[test]
    fn a_torn_end_is_cut_and_counted() {
        let dir = tempfile::tempdir().unwrap();
        fill(&open(&dir).0, 5, 100);
        let path = &super::super::segment::list(dir.path()).unwrap()[0];
        let bytes = std::fs::read(path).unwrap();
        let used = bytes.iter().rposition(|byte| *byte != 0).unwrap();
        // The last byte never arrived.
        let mut torn = bytes;
        torn[used] ^= 1;
        std::fs::write(path, torn).unwrap();
        let (log, found) = open(&dir);
        assert_eq!(found.last_seq, 4);
        assert!(found.torn_bytes > 100, "{found:?}");
        fill(&log, 1, 100);
        assert_eq!(events(&read(&log, 1)), [1, 2, 3, 4, 5]);
    }

    #[test]
    fn damage_costs_the_events_that_it_hit_and_each_is_named() {
        let dir = tempfile::tempdir().unwrap();
        fill(&open(&dir).0, 9, 100);
        let path = &super::super::segment::list(dir.path()).unwrap()[0];
        let mut bytes = std::fs::read(path).unwrap();
        let at = |bytes: &[u8], seq: u64| {
            let frame = frame(seq, 100);
            bytes.windows(frame.len()).position(|part| part == frame).unwrap()
        };
        // The payload of the third, the head of the sixth.
        let (third, sixth) = (at(&bytes, 3), at(&bytes, 6));
        bytes[third + 50] ^= 1;
        bytes[sixth - 20] ^= 1;
        std::fs::write(path, bytes).unwrap();
        let (log, found) = open(&dir);
        assert_eq!(found.last_seq, 9);
        let met = read(&log, 1);
        assert_eq!(events(&met), [1, 2, 4, 5, 7, 8, 9]);
        assert!(met.contains(&"lost 3 before 4".to_owned()), "{met:?}");
        assert!(met.contains(&"lost 6 before 7".to_owned()), "{met:?}");
    }

    #[test]
    fn a_damaged_header_has_a_copy_and_without_it_the_file_is_put_aside() {
        let dir = tempfile::tempdir().unwrap();
        fill(&open(&dir).0, 3, 100);
        let path = super::super::segment::list(dir.path()).unwrap()[0].clone();
        let whole = std::fs::read(&path).unwrap();
        let mut bytes = whole.clone();
        bytes[..512].fill(0xff);
        std::fs::write(&path, &bytes).unwrap();
        assert_eq!(open(&dir).1.last_seq, 3);
        for path in super::super::segment::list(dir.path()).unwrap() {
            std::fs::remove_file(path).unwrap();
        }
        bytes[..2048].fill(0xff);
        std::fs::write(&path, &bytes).unwrap();
        let settings = settings(&dir, 8 << 20);
        let found = recovery::find(&settings.directory, &settings.stream).unwrap();
        assert_eq!((found.last_seq, found.set_aside.len(), found.is_empty()), (0, 1, false));
        assert!(found.set_aside[0].exists());
    }

    #[test]
    fn numbers_that_only_the_sinks_know_are_elsewhere() {
        let dir = tempfile::tempdir().unwrap();
        fill(&open(&dir).0, 3, 100);
        let settings = settings(&dir, 8 << 20);
        let found = recovery::find(&settings.directory, &settings.stream).unwrap();
        let log = Arc::new(Log::open(settings, found, 8, None).unwrap());
        fill(&log, 2, 100);
        let met = read(&log, 1);
        assert_eq!(events(&met), [1, 2, 3, 8, 9]);
        assert!(met.contains(&"elsewhere 4 to 7".to_owned()), "{met:?}");
    }

    #[test]
    fn an_anchor_is_read_back() {
        let dir = tempfile::tempdir().unwrap();
        let (log, _) = open(&dir);
        fill(&log, 1, 10);
        let mut reader = Reader::new(Arc::clone(&log), 1);
        assert!(reader.next().unwrap().is_some());
        reader.set_anchor(Hash::of(b"before"));
        drop((reader, log));
        let settings = settings(&dir, 8 << 20);
        let found = recovery::find(&settings.directory, &settings.stream).unwrap();
        assert_eq!(found.beginning(), Some((1, Some(Hash::of(b"before")))));
    }

    #[test]
    fn segments_that_begin_alike_have_each_an_anchor_of_its_own() {
        let dir = tempfile::tempdir().unwrap();
        fill(&open(&dir).0, 3, 10);
        // Two processes that ended before they recorded anything.
        for _ in 0..2 {
            let settings = settings(&dir, 8 << 20);
            let found = recovery::find(&settings.directory, &settings.stream).unwrap();
            drop(Log::open(settings, found, 4, None).unwrap());
        }
        let settings = settings(&dir, 8 << 20);
        let found = recovery::find(&settings.directory, &settings.stream).unwrap();
        let log = Arc::new(Log::open(settings, found, 4, None).unwrap());
        fill(&log, 2, 10);
        assert_eq!(log.anchored_segment_for(5).unwrap().header.index, 0);
        let mut reader = Reader::new(Arc::clone(&log), 1);
        while let Some(read) = reader.next().unwrap() {
            if matches!(read, Read::Segment { first_seq: 4, .. }) {
                reader.set_anchor(Hash::of(b"the third"));
            }
        }
        let segment = log.anchored_segment_for(5).unwrap();
        assert_eq!((segment.header.index, segment.header.first_seq), (3, 4));
        assert_eq!(segment.anchor().unwrap(), Some(Hash::of(b"the third")));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn whatever_bytes_are_damaged_no_event_is_invented_and_every_sound_one_is_kept(
            lengths in prop::collection::vec(0_usize..300, 1..40),
            damage in prop::collection::vec((any::<prop::sample::Index>(), 1_u8..), 0..6),
        ) {
            let dir = tempfile::tempdir().unwrap();
            let (log, _) = open(&dir);
            for length in &lengths {
                log.append(CALLSITE, &frame(log.next_seq(), *length), false).unwrap();
            }
            drop(log);
            let path = &super::super::segment::list(dir.path()).unwrap()[0];
            let mut bytes = std::fs::read(path).unwrap();
            let used = bytes.iter().rposition(|byte| *byte != 0).unwrap() + 1;
            // Where each envelope is, head and payload.
            let mut places = Vec::new();
            let mut at = DATA_AT as usize + size_of_envelope(CALLSITE.definition.len()) as usize;
            for length in &lengths {
                let size = size_of_envelope(8 + length) as usize;
                places.push(at..at + 24 + 8 + length);
                at += size;
            }
            let mut hit = Vec::new();
            for (index, change) in &damage {
                let at = DATA_AT as usize + index.index(used - DATA_AT as usize);
                bytes[at] ^= change;
                hit.push(at);
            }
            std::fs::write(path, bytes).unwrap();
            let (log, found) = open(&dir);
            let sound: Vec<u64> = places
                .iter()
                .zip(1..)
                // Two changes of one byte can undo each other.
                .filter(|(place, _)| !hit.iter().any(|at| place.contains(at)))
                .map(|(_, seq)| seq)
                .collect();
            let mut met = Vec::new();
            let mut reader = Reader::new(log, 1);
            while let Some(read) = reader.next().unwrap() {
                if let Read::Event { seq, frame: bytes } = read {
                    let length = lengths[seq as usize - 1];
                    prop_assert_eq!(bytes, frame(seq, length));
                    met.push(seq);
                }
            }
            prop_assert!(met.is_sorted());
            prop_assert!(sound.iter().all(|seq| met.contains(seq)), "{:?} of {:?}", met, sound);
            prop_assert!(met.iter().all(|seq| *seq <= found.last_seq));
        }
    }
}
