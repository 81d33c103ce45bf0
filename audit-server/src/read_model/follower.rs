//! Keeping the model up with the trail.
//!
//! One thread of one process reads what has arrived, a batch at a time, each in a snapshot that is
//! given back before anything is made of it: a long reader would pin the trail's write-ahead log. It
//! looks for more ten times a second, by asking SQLite whether any other connection has committed,
//! which touches no table. When there is more than a batch, a second thread reads and prepares
//! what comes next while the first writes: see [`super::writer`].

use std::{
    collections::HashSet,
    fs::{File, OpenOptions},
    io,
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use audit_layer::keyring::{KeyId, Keyring, KeyringError, Purpose};
use time::OffsetDateTime;

use super::{
    blind,
    heads::{self, Alarm, MAX_STREAMS},
    reading::line_of,
    schema::State,
    writer::{Arrived, Writer},
};
use crate::{
    Error,
    store::{DatabaseStore, Deadline, FileIdentity, Snapshot, StreamHead},
};

/// How often the trail is looked at.
const PAUSE: Duration = Duration::from_millis(100);

/// How long after a failure it is tried again.
const PAUSE_AFTER_FAILURE: Duration = Duration::from_secs(1);

/// How often the heads of the streams are compared when nothing arrives. When something does, it is
/// done before that is taken in.
const PAUSE_BETWEEN_HEADS: Duration = Duration::from_secs(1);

/// How long after an alarm could not be written into the trail it is tried again.
const PAUSE_BEFORE_TELLING_AGAIN: Duration = Duration::from_secs(60);

/// The longest that reading a batch may take.
const READ_TIMEOUT: Duration = Duration::from_secs(30);

/// The most records that are taken in together. More make fewer runs and fewer segments of the term
/// index, and take more memory.
const BATCH: usize = 16_384;

/// The most bytes of lines that are taken in together.
const BATCH_BYTES: usize = 32 * 1024 * 1024;

/// How far the model has got.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Progress {
    /// The last arrival in the model.
    pub(crate) indexed: i64,
    /// The last arrival in the trail when it was looked at last.
    pub(crate) newest: i64,
    /// When the model last had everything.
    pub(crate) complete_at: Option<Instant>,
    /// Why it does not go on, when it does not.
    pub(crate) trouble: Option<String>,
    /// What was wrong with streams, the latest first.
    pub(crate) alarms: Vec<Alarm>,
    /// Whether there are more streams than are watched.
    pub(crate) has_unwatched_streams: bool,
}

/// Why a step failed, in words.
type Failure = Box<dyn std::error::Error + Send + Sync>;

/// Told of alarms, again and again until it says that they are on record.
pub(crate) type OnAlarm = Box<dyn Fn(&[Alarm]) -> bool + Send>;

/// A thread that follows the trail, until it is dropped.
#[derive(Debug)]
pub(crate) struct Follower {
    stop: Arc<AtomicBool>,
    progress: Arc<Mutex<Progress>>,
    thread: Option<JoinHandle<()>>,
}

impl Follower {
    /// Follows the trail from now on.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub(crate) fn start(
        trail: Arc<DatabaseStore>,
        model: PathBuf,
        keyring: Option<Arc<Keyring>>,
        on_alarm: OnAlarm,
    ) -> io::Result<Self> {
        let stop = Arc::new(AtomicBool::new(false));
        let progress = Arc::new(Mutex::new(Progress::default()));
        let following = Following {
            trail,
            model,
            progress: progress.clone(),
            on_alarm,
            keyring,
            looked_at: None,
            forgotten: HashSet::new(),
            lock: None,
            writer: None,
            heads_at: None,
            files: None,
            told_at: None,
        };
        let stopped = stop.clone();
        let thread = thread::Builder::new()
            .name("audit-read-model".to_owned())
            .spawn(move || following.run(&stopped))?;
        Ok(Self { stop, progress, thread: Some(thread) })
    }

    /// How far it has got.
    pub(crate) fn progress(&self) -> Progress {
        lock(&self.progress).clone()
    }
}

impl Drop for Follower {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            thread.thread().unpark();
            let _ = thread.join();
        }
    }
}

fn lock(progress: &Mutex<Progress>) -> std::sync::MutexGuard<'_, Progress> {
    progress.lock().unwrap_or_else(PoisonError::into_inner)
}

struct Following {
    /// Shared with those who ask: connections of its own would read on in a trail that was
    /// restored in place, and keep the others from the new one.
    trail: Arc<DatabaseStore>,
    model: PathBuf,
    progress: Arc<Mutex<Progress>>,
    on_alarm: OnAlarm,
    /// Opens what is sealed, to find it.
    keyring: Option<Arc<Keyring>>,
    /// The version of the keyring when it was looked at last for what was erased, and nothing of that was left.
    looked_at: Option<i64>,
    /// The keys that were erased, and of which nothing is left, nor can come.
    forgotten: HashSet<KeyId>,
    lock: Option<File>,
    writer: Option<Writer>,
    /// When the heads were compared last.
    heads_at: Option<Instant>,
    files: Option<Files>,
    /// When alarms were told last, or it was tried.
    told_at: Option<Instant>,
}

impl Following {
    fn run(mut self, stop: &AtomicBool) {
        while !stop.load(Ordering::Relaxed) {
            let pause = match self.step(stop) {
                Ok(true) => continue,
                Ok(false) => PAUSE,
                Err(error) => {
                    // What the writer has in memory may not be what is on disk.
                    self.writer = None;
                    self.troubled(&*error);
                    PAUSE_AFTER_FAILURE
                }
            };
            thread::park_timeout(pause);
        }
    }

    fn troubled(&self, error: &(dyn std::error::Error + Send + Sync)) {
        let mut text = error.to_string();
        if let Some(cause) = error.source() {
            text = format!("{text}: {cause}");
        }
        let mut progress = lock(&self.progress);
        if progress.trouble.as_ref() != Some(&text) {
            tracing::warn!(reason = text, "the read model does not follow the trail");
            progress.trouble = Some(text);
        }
    }

    /// Takes in what has arrived, a transaction's worth at most; whether there may be more.
    fn step(&mut self, stop: &AtomicBool) -> Result<bool, Failure> {
        if self.files.is_some_and(|opened| Files::of(&self.model).ok() != Some(opened)) {
            tracing::warn!("the read model, or its lock, was deleted or replaced");
            (self.writer, self.lock, self.files) = (None, None, None);
        }
        let mut writer = match self.writer.take() {
            Some(writer) => writer,
            None => self.open()?,
        };
        if writer.is_to_rebuild()? {
            tracing::info!("the read model is made anew");
            writer = writer.clear()?;
        }
        let seen = self.read(&writer)?;
        if let Some((heads, alarms)) = &seen.heads {
            writer.save_heads(heads, alarms)?;
            self.tell(&writer, !alarms.is_empty())?;
        }
        if seen.replaced {
            tracing::error!(
                arrival = writer.state().arrival,
                "the trail is not the one that the read model was made from: it was replaced, cut \
                 off or changed; the model is made anew"
            );
            self.writer = Some(writer.clear()?);
            return Ok(true);
        }
        // Not before: that the trail was cut is told whether or not the keyring can be read.
        let model = writer.state().hash_key;
        let identity = identity(self.keyring.as_deref())?;
        writer = writer.with_sealed(identity.as_deref())?;
        if writer.state().hash_key != model {
            tracing::info!("the read model is made anew, with what the keyring opens");
            self.writer = Some(writer);
            return Ok(true);
        }
        let batch = opened(seen.batch, self.keyring.as_deref())?;
        let newest = seen.newest;
        let more = |state: State| state.arrival < newest && !stop.load(Ordering::Relaxed);
        let keyring = self.keyring.as_deref();
        writer.take_in_with(batch, more, |state| read_after(&self.trail, keyring, state))?;
        self.forget(&mut writer)?;
        let indexed = writer.state().arrival;
        let mut progress = lock(&self.progress);
        (progress.indexed, progress.newest, progress.trouble) = (indexed, newest, None);
        if indexed >= newest {
            progress.complete_at = Some(Instant::now());
        }
        drop(progress);
        self.writer = Some(writer);
        Ok(indexed < newest)
    }

    /// Forgets what was erased. What was read before it was, and is not written yet, would come back: so this goes on
    /// until nothing is.
    fn forget(&mut self, writer: &mut Writer) -> Result<(), Failure> {
        let Some(keyring) = &self.keyring else { return Ok(()) };
        let version = keyring.data_version().map_err(|error| unreadable(&error))?;
        if self.looked_at == Some(version) {
            return Ok(());
        }
        let mut erased = keyring.erased_keys().map_err(|error| unreadable(&error))?;
        erased.retain(|key| !self.forgotten.contains(key));
        if writer.forget(&erased)? && !writer.is_ahead() {
            self.forgotten.extend(erased);
            self.looked_at = Some(version);
        }
        Ok(())
    }

    fn open(&mut self) -> Result<Writer, Failure> {
        if self.lock.is_none() {
            let refused = |error| format!("{}: {error}", self.model.display());
            let held = hold(&self.model).map_err(refused)?;
            let held = held.ok_or_else(|| {
                format!("{}: another process keeps this read model", self.model.display())
            })?;
            self.lock = Some(held);
        }
        let unusable = |error: &dyn std::fmt::Display| {
            format!(
                "{} cannot be used as a read model: name another file with --read-model, or delete \
                 it, and it is made anew: {error}",
                self.model.display()
            )
        };
        private(&self.model).map_err(|error| unusable(&error))?;
        let writer = Writer::open(&self.model).map_err(|error| unusable(&error))?;
        (self.looked_at, self.forgotten) = (None, HashSet::new());
        self.files = Some(Files::of(&self.model)?);
        lock(&self.progress).alarms = writer.alarms()?;
        Ok(writer)
    }

    /// Tells of alarms that were not told yet, until they are.
    fn tell(&mut self, writer: &Writer, is_new: bool) -> Result<(), Failure> {
        let again = self.told_at.is_none_or(|at| at.elapsed() >= PAUSE_BEFORE_TELLING_AGAIN);
        if !is_new && !again {
            return Ok(());
        }
        let untold = writer.untold()?;
        if !untold.is_empty() {
            self.told_at = Some(Instant::now());
            lock(&self.progress).alarms = writer.alarms()?;
            if (self.on_alarm)(&untold) {
                writer.told()?;
            }
        }
        Ok(())
    }

    /// What the trail has that the model has not.
    fn read(&mut self, writer: &Writer) -> Result<Seen, Failure> {
        let state = writer.state_ahead();
        let snapshot = match self.trail.snapshot(Deadline::after(READ_TIMEOUT)) {
            Ok(snapshot) => snapshot,
            // The application has not started yet.
            Err(Error::DatabaseMissing(_)) if state.arrival == 0 => return Ok(Seen::default()),
            Err(error) => return Err(error.into()),
        };
        let newest = snapshot.last_arrival()?;
        let replaced = is_replaced(&snapshot, state)?;
        let due = replaced
            || newest > state.arrival
            || self.heads_at.is_none_or(|at| at.elapsed() >= PAUSE_BETWEEN_HEADS);
        let mut heads = None;
        if due {
            let mut found = snapshot.heads(MAX_STREAMS + 1)?;
            lock(&self.progress).has_unwatched_streams = found.len() > MAX_STREAMS as usize;
            found.truncate(MAX_STREAMS as usize);
            let now = OffsetDateTime::now_utc().unix_timestamp_nanos() / 1000;
            let now = i64::try_from(now).unwrap_or(i64::MAX);
            let alarms = heads::compare(&writer.heads()?, &found, &snapshot, replaced, now)?;
            self.heads_at = Some(Instant::now());
            heads = Some((found, alarms));
        }
        let is_ahead = state.arrival > writer.state().arrival;
        let batch =
            if replaced || is_ahead { Vec::new() } else { read_batch(&snapshot, state.arrival)? };
        Ok(Seen { batch, newest, heads, replaced })
    }
}

/// Which keyring it is, if there is one.
fn identity(keyring: Option<&Keyring>) -> Result<Option<String>, Failure> {
    let identity = |keyring: &Keyring| keyring.index_identity(&keyring.in_use(Purpose::Index)?);
    keyring.map(identity).transpose().map_err(|error| unreadable(&error))
}

/// That the keyring cannot be read. What is told of it stands in answers: why, and where it is, is for the log.
fn unreadable(error: &KeyringError) -> Failure {
    tracing::warn!(%error, "the keyring cannot be read");
    "the keyring cannot be read; the log says why".into()
}

/// What was seen in a snapshot of the trail.
#[derive(Default)]
struct Seen {
    batch: Vec<Arrived>,
    newest: i64,
    heads: Option<(Vec<StreamHead>, Vec<Alarm>)>,
    /// Whether the last record that the model has is not in the trail.
    replaced: bool,
}

/// The files that the model was opened with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Files {
    model: FileIdentity,
    lock: FileIdentity,
}

impl Files {
    fn of(model: &Path) -> io::Result<Self> {
        Ok(Self { model: FileIdentity::of(model)?, lock: FileIdentity::of(&lock_path(model))? })
    }
}

fn lock_path(model: &Path) -> PathBuf {
    let mut path = model.as_os_str().to_owned();
    path.push("-lock");
    path.into()
}

/// Whether the last record that the model has is not in the trail.
fn is_replaced(snapshot: &Snapshot<'_>, state: State) -> rusqlite::Result<bool> {
    let same = |line: Box<str>| state.hash_key.of_line(&line) == state.line;
    Ok(state.arrival > 0 && !line_of(snapshot, state.arrival)?.is_some_and(same))
}

/// What follows in the trail; nothing when it is another by now, which the next step finds.
fn read_after(
    trail: &DatabaseStore,
    keyring: Option<&Keyring>,
    state: State,
) -> Result<Vec<Arrived>, Failure> {
    let snapshot = trail.snapshot(Deadline::after(READ_TIMEOUT))?;
    let replaced = is_replaced(&snapshot, state)?;
    let batch = if replaced { Vec::new() } else { read_batch(&snapshot, state.arrival)? };
    drop(snapshot);
    opened(batch, keyring)
}

/// The records with what is sealed in them and can be opened.
fn opened(mut batch: Vec<Arrived>, keyring: Option<&Keyring>) -> Result<Vec<Arrived>, Failure> {
    if let Some(keyring) = keyring {
        let key = keyring.in_use(Purpose::Index).map_err(|error| unreadable(&error))?;
        for arrived in &mut batch {
            arrived.blind =
                blind::of(&arrived.line, keyring, &key).map_err(|error| unreadable(&error))?;
        }
    }
    Ok(batch)
}

fn read_batch(snapshot: &Snapshot<'_>, after: i64) -> rusqlite::Result<Vec<Arrived>> {
    let mut statement = snapshot.prepare_cached(
        "SELECT arrival, timestamp, record FROM audit_logs WHERE arrival > ?1 ORDER BY arrival",
    )?;
    let mut rows = statement.query([after])?;
    let (mut batch, mut bytes) = (Vec::new(), 0);
    while batch.len() < BATCH && bytes < BATCH_BYTES {
        let Some(row) = rows.next()? else { break };
        // A text that is none is a line that is no record.
        let line: Box<str> = row.get_ref(2)?.as_str().unwrap_or_default().into();
        bytes += line.len();
        let (arrival, timestamp) = (row.get(0)?, row.get(1)?);
        batch.push(Arrived { arrival, timestamp, line, blind: Vec::new() });
    }
    Ok(batch)
}

/// Takes the lock beside the model, which goes with the process; none when another has it.
fn hold(model: &Path) -> io::Result<Option<File>> {
    let path = lock_path(model);
    let file =
        OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(&path)?;
    match rustix::fs::flock(&file, rustix::fs::FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(Some(file)),
        Err(rustix::io::Errno::WOULDBLOCK) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// Makes the file, for its owner alone: it tells as much as the trail does.
///
/// A file that is there is not opened: to close it again would release the locks that SQLite holds on
/// it in this process.
fn private(model: &Path) -> io::Result<()> {
    match OpenOptions::new().write(true).create_new(true).mode(0o600).open(model) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        made => made.map(drop),
    }
}

/// Makes the model anew, and returns when it has every record that the trail has now. When another
/// process keeps the model, that one does it. `tell` is called with how far it is and how much
/// there is.
///
/// # Errors
/// When the trail cannot be read or the model not be written.
pub(crate) fn reindex(
    trail: &Path,
    model: &Path,
    keyring: Option<Arc<Keyring>>,
    on_alarm: OnAlarm,
    mut tell: impl FnMut(i64, i64),
) -> Result<(), Failure> {
    let database = Arc::new(DatabaseStore::new(trail));
    let newest = || -> Result<i64, Error> {
        database.snapshot(Deadline::after(READ_TIMEOUT))?.last_arrival()
    };
    let mut asked = false;
    let held = loop {
        if let Some(held) = hold(model)? {
            break held;
        }
        let reader = super::schema::open_to_ask(model)?;
        if !asked {
            super::schema::ask_to_rebuild(&reader)?;
            asked = true;
        }
        let state = super::schema::state(&reader)?;
        let done = state.filter(|state| !state.rebuild).map_or(0, |state| state.arrival);
        let newest = newest()?;
        tell(done, newest);
        if done >= newest {
            return Ok(());
        }
        thread::sleep(PAUSE);
    };
    private(model)?;
    let mut following = Following {
        trail: database.clone(),
        model: model.to_owned(),
        progress: Arc::default(),
        on_alarm,
        writer: Some(
            Writer::open(model)?.with_sealed(identity(keyring.as_deref())?.as_deref())?.clear()?,
        ),
        keyring,
        looked_at: None,
        forgotten: HashSet::new(),
        lock: Some(held),
        heads_at: None,
        files: None,
        told_at: None,
    };
    let never = AtomicBool::new(false);
    loop {
        let more = following.step(&never)?;
        let progress = self::lock(&following.progress).clone();
        tell(progress.indexed, progress.newest);
        if !more {
            return Ok(());
        }
    }
}
