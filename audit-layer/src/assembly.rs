//! From a configuration to a running pipeline: the stream, its journal, its sinks, and how they come
//! to agree after whatever ended the last process.
//!
//! # Who wins
//! Each sink says how far it has got, and so does the journal. The next number is above all of them.
//! - The journal is ahead: its events become records, the same ones that they would have been.
//! - A sink is ahead of the journal: a power cut took the journal's end, and the sink's head is where
//!   the chain goes on.
//! - A sink is behind: it is given what it lacks, from the journal, else from another sink. What
//!   nobody has is told in the trail.
//! - Nobody has anything of a stream that once was: a new one opens and names the old one.

use std::{path::PathBuf, sync::Arc};

use serde_json::json;

use crate::{
    AuditGuard, Error, JournalMode,
    capture::{Core, Protection},
    config::{Config, Durable, FileConfig, METHODS},
    diagnostics,
    journal::{
        self,
        directory::{self, Directory},
        frame::Frame,
        log::{self, Log},
        recovery::{self, Found},
    },
    keyring::Keys,
    pipeline::{self, Position, Settings},
    record::{Head, Link, StreamName, checked_hash},
    sink::{self, Batch, Sink, file::FileSink, stdout::StdoutSink},
};

/// How long a stream may be for a sink that has nothing of it to be given all of it: a crash may
/// have come before its first batch.
const NEW_SINK: u64 = 10_000;
/// How many lines a sink that was left behind is given at a time.
const CATCH_UP: usize = 1000;
/// How many records may wait in memory for a best-effort sink that can have them from the journal.
const JOURNALED_BACKLOG: usize = 4096;

type Opened = Vec<(Box<dyn Sink>, Position)>;

/// Opens everything and starts the pipeline.
pub(crate) fn assemble(config: &Config) -> Result<AuditGuard, Error> {
    // Before any file is made.
    let keys = config.keyring.as_deref().map(Keys::open).transpose()?.map(Arc::new);
    let path = config.journal_path();
    let directory = directory::open(&path, &config.service)?;
    let own = directory.slot;
    let guard = if config.is_journaled || !has_undelivered(config, &directory)? {
        run(config, directory, config.is_journaled, keys)?
    } else {
        // An earlier process had a journal: what it left is delivered first.
        run(config, directory, true, None)?.shutdown(crate::DROP_TIMEOUT)?;
        run(config, directory::open(&path, &config.service)?, false, keys)?
    };
    if config.is_journaled {
        adopt(config.clone(), path, own);
    }
    Ok(guard)
}

/// Delivers what dead writers of the same service left in journals of their own.
fn adopt(config: Config, path: PathBuf, own: u32) {
    if !directory::has_other_slots(&path, own) {
        return;
    }
    let adoption = move || {
        journal::mark_worker();
        for slot in (1..=directory::MAX_WRITERS).filter(|slot| *slot != own) {
            match directory::open_slot(&path, &config.service, slot) {
                Ok(Some(dead)) => {
                    let delivered = has_undelivered(&config, &dead).and_then(|left| {
                        if left {
                            run(&config, dead, true, None)?.shutdown(crate::DROP_TIMEOUT)
                        } else {
                            Ok(())
                        }
                    });
                    if let Err(error) = delivered {
                        diagnostics::warn(&format!(
                            "the journal of writer {slot}, which has ended, waits for its next start: {error}"
                        ));
                    }
                }
                Ok(None) => {}
                Err(error) => diagnostics::warn(&error.to_string()),
            }
        }
    };
    let thread = std::thread::Builder::new().name("audit-adoption".to_owned());
    if let Err(error) = thread.spawn(adoption) {
        diagnostics::warn(&format!("journals of ended writers are not looked at: {error}"));
    }
}

/// Whether the journal of a stream has events that no sink has.
fn has_undelivered(config: &Config, directory: &Directory) -> Result<bool, Error> {
    let found = find(directory)?;
    if found.is_empty() {
        return Ok(false);
    }
    let mut sinks = open_sinks(config, directory.slot)?;
    let newest = ask_sinks(&mut sinks, &directory.stream)?;
    Ok(found.last_seq > newest.map_or(0, |head| head.seq))
}

fn find(directory: &Directory) -> Result<Found, Error> {
    recovery::find(directory.path(), &directory.stream)
        .map_err(|source| Error::Journal { path: directory.path().to_owned(), source })
}

fn run(
    config: &Config,
    mut directory: Directory,
    journaled: bool,
    keys: Option<Arc<Keys>>,
) -> Result<AuditGuard, Error> {
    let failed = |directory: &Directory, source| Error::Journal {
        path: directory.path().to_owned(),
        source,
    };
    let mut found = if journaled { find(&directory)? } else { Found::default() };
    let mut sinks = open_sinks(config, directory.slot)?;
    let newest = ask_sinks(&mut sinks, &directory.stream)?;
    let mut notes = Vec::new();
    let head = match beginning(newest, &found, &mut notes) {
        Some(head) => head,
        None => {
            found.set_aside().map_err(|source| failed(&directory, source))?;
            if directory.is_new {
                let lost = predecessor(config, &mut sinks, &directory.stream);
                notes.extend(lost.map(|old| {
                    pipeline::stream_opened(
                        &old,
                        "the journal of the stream before this one is gone",
                    )
                }));
            } else {
                let old = directory.renew()?;
                notes.push(pipeline::stream_opened(
                    old.as_str(),
                    "no sink holds a record of the stream before this one",
                ));
            }
            Head::START
        }
    };
    if let Some(newest) = newest {
        catch_up(&mut sinks, &directory.stream, newest, &found, &mut notes);
    }
    let stream = directory.stream.clone();
    diagnostics::debug(|| format!("{stream} goes on behind record {}", head.seq));
    if let Some(recovered) = pipeline::recovered(&found, head) {
        notes.push(recovered);
    }

    let (queue, reader) = if journaled {
        let next = head.seq.max(found.last_seq) + 1;
        let settings = log::Settings {
            directory: directory.path().to_owned(),
            stream: stream.clone(),
            max_bytes: config.journal_max_mb << 20,
            mode: JournalMode::of(directory.path()),
        };
        let before = (head.seq + 1 == next).then_some(head.hash);
        let log = Log::open(settings, found, next, before)
            .map_err(|source| failed(&directory, source))?;
        let log = Arc::new(log);
        log.start().map_err(Error::Thread)?;
        journal::durable(config.policies.clone(), log)
    } else {
        journal::channel(config.policies.clone())
    };
    let backlog = if journaled { JOURNALED_BACKLOG } else { config.policies.max_queue_size };
    let durable = if journaled { config.durable.clone() } else { Durable::none() };
    let core = Arc::new(Core::new(
        queue,
        config.level,
        config.context_level,
        durable,
        config.redaction.rules(config.keyring.is_some(), METHODS)?,
        Protection::new(stream.as_str(), keys),
    ));
    let settings = Settings {
        stream,
        head,
        batch_size: config.batch_size,
        flush_interval: config.flush_interval,
        heartbeat: config.heartbeat,
        backlog,
        startup: startup(config, &sinks, journaled),
        notes,
    };
    let pipeline = pipeline::start(settings, sinks, Arc::clone(&core), reader)?;
    Ok(AuditGuard::new(core, config.policies.max_queue_size, pipeline, directory))
}

/// The stream that this one takes the place of, when its journal was lost and its name with it: the
/// last of this service and host that a sink knows and that has no journal.
fn predecessor(config: &Config, sinks: &mut Opened, stream: &StreamName) -> Option<Box<str>> {
    let known = directory::streams(&config.journal_path());
    let (service_and_host, _) = stream.as_str().rsplit_once('~')?;
    let wanted = |other: &str| {
        other.rsplit_once('~').is_some_and(|(other, _)| other == service_and_host)
            && !known.iter().any(|known| known == other)
    };
    sinks.iter_mut().find_map(|(sink, _)| sink.last_stream(&wanted).ok().flatten())
}

/// The record after which the chain goes on; `None` when nothing is known of it.
fn beginning(newest: Option<Head>, found: &Found, notes: &mut Vec<Frame>) -> Option<Head> {
    let (first, anchor) = match found.beginning() {
        Some((first, anchor)) if found.last_seq >= first => (first, anchor),
        // No event is in the journal.
        _ => return newest,
    };
    let reaches = |head: &Head| head.seq + 1 >= first || head.seq >= found.last_seq;
    if let Some(head) = newest.filter(reaches) {
        return Some(head);
    }
    // Every sink lost its end, or is new; the journal knows what came before its first event.
    let head = Head { seq: first - 1, hash: anchor? };
    if let Some(newest) = newest {
        notes.push(pipeline::skipped("every", head.seq - newest.seq, newest.seq + 1, head.seq));
    }
    Some(head)
}

fn open_sinks(config: &Config, slot: u32) -> Result<Opened, Error> {
    let mut sinks: Opened = Vec::new();
    // An address that cannot be read is found before any file is made.
    #[cfg(feature = "redis")]
    let redis = config.redis.clone().map(sink::redis::RedisSink::new).transpose()?;
    if let Some(file) = &config.file {
        let file = FileConfig { path: directory::path_for_slot(&file.path, slot), ..file.clone() };
        sinks.push((Box::new(FileSink::open(file)?), Position::Nothing));
    }
    #[cfg(feature = "sqlite")]
    if let Some(sqlite) = &config.sqlite {
        sinks.push((Box::new(sink::sqlite::SqliteSink::open(sqlite)?), Position::Nothing));
    }
    #[cfg(not(feature = "sqlite"))]
    if config.sqlite.is_some() {
        return Err(not_built("sqlite"));
    }
    #[cfg(feature = "redis")]
    if let Some(redis) = redis {
        sinks.push((Box::new(redis), Position::Unknown));
    }
    #[cfg(not(feature = "redis"))]
    if config.redis.is_some() {
        return Err(not_built("redis"));
    }
    if config.stdout {
        sinks.push((Box::<StdoutSink>::default(), Position::Nothing));
    }
    Ok(sinks)
}

#[cfg(not(all(feature = "sqlite", feature = "redis")))]
fn not_built(sink: &'static str) -> Error {
    Error::Sink { sink, why: format!("audit-layer was built without the feature {sink:?}") }
}

/// Asks every sink how far it has got, and returns the furthest.
fn ask_sinks(sinks: &mut Opened, stream: &StreamName) -> Result<Option<Head>, Error> {
    for (sink, position) in sinks.iter_mut() {
        match sink.head(stream) {
            Ok(found) => *position = Position::of(found),
            Err(error) if sink.delivery() == sink::Delivery::BestEffort => {
                *position = Position::Unknown;
                diagnostics::warn(&format!(
                    "the {} sink does not answer and is tried again: {error}",
                    sink.name()
                ));
            }
            Err(error) => return Err(Error::Sink { sink: sink.name(), why: error.to_string() }),
        }
    }
    Ok(sinks.iter().filter_map(|(_, position)| position.head()).max_by_key(|head| head.seq))
}

/// Gives the sinks that lack some of what others have what the journal cannot give them.
///
/// A crash can leave one sink ahead of another by a batch, also when it is the first. As long as the
/// journal has its beginning, nothing was deleted because a sink has it, and a power cut may have
/// taken all that one had. Else a sink that has nothing of a stream that is long is new, or was emptied on
/// purpose, and begins here.
fn catch_up(
    sinks: &mut Opened,
    stream: &StreamName,
    newest: Head,
    found: &Found,
    notes: &mut Vec<Frame>,
) {
    let is_young = newest.seq <= NEW_SINK || found.beginning().is_some_and(|(first, _)| first == 1);
    for (sink, position) in sinks.iter_mut() {
        let required = sink.delivery() == sink::Delivery::Required;
        if required && *position == Position::Nothing && is_young {
            *position = Position::At(Head::START);
        }
    }
    for behind in 0..sinks.len() {
        if let Some((sink, Position::At(head))) = sinks.get(behind)
            && head.seq < newest.seq
            && !found.reaches_from(head.seq + 1, newest.seq)
        {
            let name = sink.name();
            if let Err(error) = bring_forward(sinks, behind, stream, newest) {
                diagnostics::warn(&format!("the {name} sink could not be caught up: {error}"));
                if let Some((sink, position)) = sinks.get_mut(behind)
                    && let Some(have) = position.head()
                {
                    let (first, count) = (have.seq + 1, newest.seq - have.seq);
                    notes.push(pipeline::skipped(sink.name(), count, first, newest.seq));
                    // Told already.
                    *position = Position::At(newest);
                }
            }
        }
    }
}

/// Copies what the sink at `behind` lacks from one that has it.
fn bring_forward(
    sinks: &mut Opened,
    behind: usize,
    stream: &StreamName,
    newest: Head,
) -> Result<(), sink::SinkError> {
    let shared = Arc::new(stream.clone());
    loop {
        let Some((_, Position::At(have))) = sinks.get(behind) else { return Ok(()) };
        let have = *have;
        if have.seq >= newest.seq {
            return Ok(());
        }
        let mut batch = Batch::new(Arc::clone(&shared));
        for (at, (sink, position)) in sinks.iter_mut().enumerate() {
            if at != behind && position.head().is_some_and(|head| head.seq > have.seq) {
                let lines = sink.lines_after(stream, have.seq, CATCH_UP)?;
                take_following(have, &lines, &mut batch);
                if !batch.is_empty() {
                    break;
                }
            }
        }
        let Some(last) = batch.last() else {
            return Err(sink::SinkError(format!(
                "no other sink holds what follows its record {}",
                have.seq
            )));
        };
        let Some((sink, position)) = sinks.get_mut(behind) else { return Ok(()) };
        sink.write(&batch)?;
        *position = Position::At(last);
    }
}

/// Takes in the records of those lines that follow `have` without a gap, each intact and chained to
/// the one before it: a damaged sink must not spread its damage.
fn take_following(mut have: Head, lines: &[String], batch: &mut Batch) {
    for line in lines {
        let follows = Link::parse(line)
            .is_ok_and(|link| link.seq == have.seq + 1 && link.prev_hash.parse() == Ok(have.hash));
        if !follows || checked_hash(line.as_bytes()).is_none() {
            return;
        }
        let Some(head) = batch.push_line(line) else { return };
        have = head;
    }
}

/// What the trail says of the settings it is recorded with.
fn startup(config: &Config, sinks: &Opened, journaled: bool) -> serde_json::Value {
    json!({
        "version": env!("CARGO_PKG_VERSION"),
        "pid": std::process::id(),
        "level": config.level.to_string(),
        "sinks": sinks.iter().map(|(sink, _)| sink.name()).collect::<Vec<_>>(),
        "batch_size": config.batch_size,
        "flush_interval_ms": u64::try_from(config.flush_interval.as_millis()).unwrap_or(u64::MAX),
        "journal": journaled,
        "max_queue_size": config.policies.max_queue_size,
        "overflow": format!("{:?}", config.policies.overflow).to_lowercase(),
        "on_failure": format!("{:?}", config.policies.on_failure).to_lowercase(),
    })
}
