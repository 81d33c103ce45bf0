//! The durable queue: what is appended survives the process, and is read in order.
//!
//! One lock is held for an append: it gives the event its number and copies the frame, some tens of
//! nanoseconds. Nobody is woken: the pipeline polls. Whatever takes longer happens elsewhere: the
//! next segment is made ready by a thread of the journal's own, and so are deletions.
//!
//! # Room
//! All segments together take `max_bytes` at most. When there is no room for another one, or the
//! disk has none, an append is refused and the policies decide. The pipeline's own events, which
//! tell of just that, may take one segment more. What it tells at its end has room in each segment,
//! which is there also on a full disk, as long as the file system keeps what it preallocates.
//!
//! # Durability
//! A killed process loses nothing that was appended: the bytes are the kernel's. A power cut loses
//! what was not synced; [`Log::commit`] waits for that.
//!
//! The file is long because appending, making segments, deleting them and the end share what one lock and
//! a few counters hold, and the order in which these change is what keeps it right.

use std::{
    collections::VecDeque,
    io,
    path::PathBuf,
    sync::{
        Arc, Mutex, OnceLock, TryLockError,
        atomic::{
            AtomicBool, AtomicU64,
            Ordering::{Acquire, Relaxed, Release},
        },
    },
    task::{Poll, Waker},
    thread::{JoinHandle, Thread},
    time::{Duration, Instant},
};

use super::{
    recovery::Found,
    segment::{
        DATA_AT, Envelope, Header, JournalMode, Kind, MAX_PAYLOAD, Segment, Spare, size_of_envelope,
    },
    sync::{CommitError, Syncs},
};
use crate::{
    clock, diagnostics,
    durable_names::sync_directory,
    locked,
    record::{Hash, StreamName},
};

/// The size of a segment, unless the journal is too small for some of them.
const SEGMENT_BYTES: u64 = 16 << 20;
const MIN_SEGMENT_BYTES: u64 = 512 << 10;
/// The smallest first segment on a disk that is nearly full.
const SMALLEST_FIRST_SEGMENT: u64 = 64 << 10;
/// After how long a segment that could not be made is tried again, also when nobody appends.
const NEXT_TRY: Duration = Duration::from_secs(1);
/// How long a caller that may hold the lock itself waits for it.
const TRY: Duration = Duration::from_millis(100);
/// How many segments the smallest journal has.
const MIN_SEGMENTS: u64 = 4;

/// What each segment keeps for the end: some gaps and the shutdown, of some 500 bytes each.
const FAREWELL_ROOM: u64 = 8 << 10;

/// Whose an event is, and so which room it may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Share {
    /// The application's: what the bound leaves.
    Event,
    /// The pipeline's: one segment more.
    Note,
    /// The pipeline's at its end: what each segment keeps for that.
    Farewell,
}

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
    /// The last error of making a segment, until one was made, or of an append, until one succeeded.
    trouble: Mutex<Option<String>>,
    append_failed: AtomicBool,
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
        let spare = first_spare(&settings.directory, segment_bytes, mode)?;
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
            append_failed: AtomicBool::new(false),
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
                    // Nobody says when a disk has room again.
                    match log.trouble() {
                        Some(_) => std::thread::park_timeout(NEXT_TRY),
                        None => std::thread::park(),
                    }
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
        share: Share,
    ) -> Result<u64, Refused> {
        if frame.len() > MAX_PAYLOAD || callsite.definition.len() > MAX_PAYLOAD {
            return Err(Refused::TooLong);
        }
        // Its checksum needs no lock.
        let event = Envelope::of(Kind::Event, 0, frame);
        self.append_to(&mut locked(&self.tail), callsite, (event, frame), share)
    }

    /// The same for a caller that may hold the lock itself, and does not wait for it for long.
    pub(super) fn try_append(&self, callsite: Callsite<'_>, frame: &[u8]) -> Result<(), Refused> {
        if frame.len() > MAX_PAYLOAD {
            return Err(Refused::TooLong);
        }
        let event = Envelope::of(Kind::Event, 0, frame);
        let until = Instant::now() + TRY;
        let mut tail = loop {
            match self.tail.try_lock() {
                Ok(tail) => break tail,
                Err(TryLockError::Poisoned(tail)) => break tail.into_inner(),
                Err(TryLockError::WouldBlock) if Instant::now() < until => {
                    std::thread::sleep(TRY / 100);
                }
                Err(TryLockError::WouldBlock) => return Err(Refused::Dead),
            }
        };
        self.append_to(&mut tail, callsite, (event, frame), Share::Event).map(drop)
    }

    #[inline]
    fn append_to(
        &self,
        tail: &mut Tail,
        callsite: Callsite<'_>,
        (mut event, frame): (Envelope, &[u8]),
        share: Share,
    ) -> Result<u64, Refused> {
        if tail.closed && share == Share::Event {
            return Err(Refused::Closed);
        }
        let mut definition = 0;
        for attempt in 0.. {
            if !tail.is_defined(callsite.number) {
                definition = size_of_envelope(callsite.definition.len());
            }
            let kept = if share == Share::Farewell { 0 } else { FAREWELL_ROOM };
            if tail.at + definition + event.size() + kept <= tail.segment.size() {
                break;
            }
            if attempt > 0 {
                return Err(Refused::TooLong);
            }
            self.begin_segment(tail, share)?;
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
        if share != Share::Event {
            self.notes.fetch_add(1, Relaxed);
        }
        self.next.store(seq + 1, Release);
        if self.append_failed.load(Relaxed) {
            self.append_failed.store(false, Relaxed);
            *locked(&self.trouble) = None;
        }
        Ok(seq)
    }

    fn written(&self, result: io::Result<()>) -> Result<(), Refused> {
        result.map_err(|error| {
            *locked(&self.trouble) = Some(format!("an append failed: {error}"));
            self.append_failed.store(true, Relaxed);
            Refused::Full
        })
    }

    #[cold]
    fn begin_segment(&self, tail: &mut Tail, share: Share) -> Result<(), Refused> {
        let spare = match locked(&self.spare).take() {
            Some(spare) => spare,
            None => self.make_spare(share)?,
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
        *locked(&self.trouble) = None;
        // Whoever sees the seal finds the next one in the list.
        locked(&self.segments).push_back(Arc::clone(&segment));
        tail.segment.seal();
        tail.segment = segment;
        tail.at = DATA_AT;
        tail.defined.fill(0);
        self.wake_keeper();
        Ok(())
    }

    fn make_spare(&self, share: Share) -> Result<Spare, Refused> {
        let more = if share == Share::Event { 0 } else { self.segment_bytes };
        let bound = self.settings.max_bytes + more;
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
            && let Ok(made) = self.make_spare(Share::Event)
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

/// The first segment may be smaller than all that follow: what an earlier process left may have taken
/// the whole disk, and must be delivered before any of it can go.
fn first_spare(
    directory: &std::path::Path,
    mut bytes: u64,
    mode: JournalMode,
) -> io::Result<Spare> {
    loop {
        match Spare::make(directory, bytes, mode) {
            Err(error)
                if error.kind() == io::ErrorKind::StorageFull && bytes > SMALLEST_FIRST_SEGMENT =>
            {
                bytes /= 2;
            }
            made => return made,
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

#[cfg(test)]
mod tests;
