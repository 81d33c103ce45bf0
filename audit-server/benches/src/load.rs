//! Millions of records to a trail, faster than they would come.
//!
//! The rows are those of the layer's SQLite sink, with its migrations and its rule for the typed
//! tables; `audit-server verify` holds them against the lines. The sink itself cannot be used: it is
//! reached through events only, which take their time and their `id` from the clock. And here a
//! power cut loses nothing, since the same seed makes the same file again, so that neither a journal
//! nor a sync is paid for.
//!
//! The file is made under another name and renamed at the end: one that is there is whole.

use std::{
    error::Error,
    fs, io,
    path::{Path, PathBuf},
    sync::mpsc::{Receiver, sync_channel},
    thread,
};

use audit_layer::{
    APPLICATION_ID, MIGRATIONS, SCHEMA_VERSION, is_financial, is_security_event,
    record::{Hash, Line, Member},
};
use rusqlite::{Connection, params};

use crate::generator::{Event, Expected, Generator, STREAMS, Seed, Shape};

/// How many records go to the other thread at once.
const BATCH: usize = 2_000;
/// How many records a transaction has: enough that the tree's pages are written once.
const TRANSACTION: usize = 100_000;

/// Numbers and chains events.
#[derive(Debug, Default)]
pub struct Chains {
    heads: [Option<Hash>; STREAMS.len()],
}

impl Chains {
    /// The line of the event behind the last one of its stream.
    pub fn seal(&mut self, event: &Event) -> Line {
        let head = &mut self.heads[event.stream];
        let line = event.seal(STREAMS[event.stream], head.unwrap_or(Hash::ZERO));
        *head = Some(line.hash);
        line
    }
}

/// Writes the records of a seed to a new trail; returns what must be in it.
///
/// `progress` is told how many are written, now and then.
///
/// # Errors
/// When there is a file already, or the disk or SQLite fails.
pub fn load(
    path: &Path,
    seed: Seed,
    shape: Shape,
    mut progress: impl FnMut(u64),
) -> Result<Expected, Box<dyn Error>> {
    if path.exists() {
        return Err(format!("{} is there already", path.display()).into());
    }
    let partial = partial(path);
    match fs::remove_file(&partial) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error.into()),
        _ => {}
    }
    let mut db = create(&partial)?;
    let (sender, receiver) = sync_channel(8);
    let expected = thread::scope(|scope| {
        let maker = scope.spawn(move || {
            let (mut generator, mut chains) = (Generator::new(seed, shape), Chains::default());
            loop {
                let batch: Vec<(Event, Line)> = generator
                    .by_ref()
                    .take(BATCH)
                    .map(|event| {
                        let line = chains.seal(&event);
                        (event, line)
                    })
                    .collect();
                // The writer that failed says why.
                if batch.is_empty() || sender.send(batch).is_err() {
                    return generator.into_expected();
                }
            }
        });
        write(&mut db, &receiver, &mut progress)?;
        drop(receiver);
        maker.join().map_err(|_| Box::<dyn Error>::from("the generator panicked"))
    })?;
    db.execute_batch("PRAGMA optimize; PRAGMA locking_mode = NORMAL; PRAGMA journal_mode = WAL;")?;
    db.close().map_err(|(_, error)| error)?;
    fs::rename(&partial, path)?;
    Ok(expected)
}

fn partial(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".partial");
    name.into()
}

fn create(path: &Path) -> rusqlite::Result<Connection> {
    let db = Connection::open(path)?;
    db.execute_batch(
        "PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; PRAGMA locking_mode = EXCLUSIVE;
         PRAGMA cache_size = -200000;",
    )?;
    for migration in MIGRATIONS {
        db.execute_batch(migration)?;
    }
    db.pragma_update(None, "application_id", APPLICATION_ID)?;
    db.pragma_update(None, "user_version", SCHEMA_VERSION)?;
    db.set_prepared_statement_cache_capacity(16);
    Ok(db)
}

fn write(
    db: &mut Connection,
    batches: &Receiver<Vec<(Event, Line)>>,
    progress: &mut impl FnMut(u64),
) -> rusqlite::Result<()> {
    let mut heads: [Option<(u64, Hash)>; STREAMS.len()] = Default::default();
    let (mut written, mut open) = (0, 0);
    db.execute_batch("BEGIN")?;
    for batch in batches {
        for (event, line) in &batch {
            insert(db, event, &line.text)?;
            heads[event.stream] = Some((event.seq, line.hash));
        }
        written += batch.len() as u64;
        open += batch.len();
        if open >= TRANSACTION {
            db.execute_batch("COMMIT; BEGIN")?;
            progress(written);
            open = 0;
        }
    }
    for (stream, head) in STREAMS.iter().zip(heads) {
        if let Some((seq, hash)) = head {
            db.execute(
                "INSERT INTO audit_cursors (stream, seq, hash) VALUES (?1, ?2, ?3)",
                params![stream, i64::try_from(seq).unwrap_or(i64::MAX), hash.to_string()],
            )?;
        }
    }
    db.execute_batch("COMMIT")
}

/// The row, and the typed rows that the layer would write beside it.
fn insert(db: &Connection, event: &Event, line: &str) -> rusqlite::Result<()> {
    let arrival = db
        .prepare_cached(
            "INSERT INTO audit_logs (stream, seq, id, timestamp, event_type, record)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        )?
        .insert(params![
            STREAMS[event.stream],
            i64::try_from(event.seq).unwrap_or(i64::MAX),
            event.id_text(),
            event.timestamp,
            event.event_type,
            line,
        ])?;
    let status = Some(event.status).filter(|status| !status.is_empty());
    if is_security_event(event.category(), status) {
        db.prepare_cached(
            "INSERT INTO security_events
             (arrival, timestamp, event_type, severity, status, user_id, username, ip_address, resource)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
        )?
        .execute(params![
            arrival,
            event.timestamp,
            event.event_type,
            event.severity.as_str(),
            status,
            event.member(Member::UserId),
            event.member(Member::Username),
            event.member(Member::IpAddress),
            event.member(Member::Resource),
        ])?;
    }
    if is_financial(event.category()) {
        // All of them are strings here.
        let [amount, currency, symbol, side, quantity, price] =
            ["amount", "currency", "symbol", "side", "quantity", "price"]
                .map(|name| event.detail_text(name));
        db.prepare_cached(
            "INSERT INTO financial_audit_logs
             (arrival, timestamp, event_type, status, user_id, correlation_id,
              amount, currency, symbol, side, quantity, price)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)",
        )?
        .execute(params![
            arrival,
            event.timestamp,
            event.event_type,
            status,
            event.member(Member::UserId),
            event.member(Member::CorrelationId),
            amount,
            currency,
            symbol,
            side,
            quantity,
            price,
        ])?;
    }
    Ok(())
}
