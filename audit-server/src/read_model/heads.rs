//! The heads of the streams, remembered outside of the trail.
//!
//! Whoever can write the trail can also make it whole again after cutting it: a chain that ends
//! earlier is still a chain. So the model remembers how far each stream had got, and with which
//! hash. A stream that is shorter than it was, or has another record where its head was, raises an
//! alarm. An alarm is kept when the model is made anew: it is the one thing here that cannot be
//! derived from the trail.

use audit_layer::record::checked_hash;
use rusqlite::{Connection, params};

use crate::{
    Error,
    store::{Snapshot, StreamHead},
};

/// The most streams that are watched.
pub(super) const MAX_STREAMS: u32 = 10_000;

/// Streams whose last records are looked up each time.
const FEW_STREAMS: usize = 1_000;

/// The most alarms that are kept, and shown.
const MAX_ALARMS: u32 = 100;

/// What happened to a stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Alarm {
    /// The stream.
    pub(crate) stream: String,
    /// What was seen, in a sentence.
    pub(crate) finding: String,
    /// When, in microseconds since the Unix epoch.
    pub(crate) at: i64,
}

/// What the trail says that contradicts the heads that are remembered. `found` is sorted by name.
/// Whether the last record of a stream that says it has not moved is there is looked up when there
/// are few streams, or `closely`.
pub(super) fn compare(
    remembered: &[StreamHead],
    found: &[StreamHead],
    snapshot: &Snapshot<'_>,
    closely: bool,
    at: i64,
) -> Result<Vec<Alarm>, Error> {
    let mut alarms = Vec::new();
    let closely = closely || remembered.len() <= FEW_STREAMS;
    // Of streams beyond the last that was listed nothing is known.
    let all_listed = found.len() < MAX_STREAMS as usize;
    for StreamHead { stream, seq, hash } in remembered {
        let now = found.binary_search_by(|head| head.stream.as_str().cmp(stream));
        let now = now.ok().and_then(|at| found.get(at));
        let finding = match now {
            None if all_listed => Some(format!("the stream had {seq} records and is gone")),
            None => None,
            Some(now) if now.seq < *seq => {
                Some(format!("the stream had {seq} records and ends at {}", now.seq))
            }
            Some(now) if now.seq == *seq && now.hash != *hash => {
                Some(format!("record {seq} of the stream had hash {hash}, and has {}", now.hash))
            }
            Some(now) if now.seq == *seq && !closely => None,
            Some(_) => of_record(*seq, hash, snapshot, stream)?,
        };
        alarms.extend(finding.map(|finding| Alarm { stream: stream.clone(), finding, at }));
    }
    Ok(alarms)
}

/// What is wrong with the record that was the last of its stream.
fn of_record(
    seq: i64,
    hash: &str,
    snapshot: &Snapshot<'_>,
    stream: &str,
) -> Result<Option<String>, Error> {
    let stored = match u64::try_from(seq) {
        Ok(seq) => snapshot.find(stream, seq)?,
        Err(_) => None,
    };
    Ok(match stored {
        None => Some(format!("record {seq}, once the last of the stream, is gone")),
        Some(stored) => match checked_hash(stored.line.as_bytes()) {
            Some(found) if found.to_string() == hash => None,
            _ => Some(format!(
                "record {seq}, once the last of the stream with hash {hash}, was changed"
            )),
        },
    })
}

/// The heads that are remembered, by name.
pub(super) fn load(connection: &Connection) -> rusqlite::Result<Vec<StreamHead>> {
    let mut statement =
        connection.prepare_cached("SELECT stream, seq, hash FROM heads ORDER BY stream")?;
    let rows = statement.query_map([], |row| {
        Ok(StreamHead { stream: row.get(0)?, seq: row.get(1)?, hash: row.get(2)? })
    })?;
    rows.collect()
}

/// Remembers these heads, and what was wrong with those before.
pub(super) fn save(
    connection: &mut Connection,
    heads: &[StreamHead],
    alarms: &[Alarm],
) -> rusqlite::Result<()> {
    let transaction =
        connection.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
    if !alarms.is_empty() {
        // What is gone would be told of for ever.
        transaction.execute("DELETE FROM heads", [])?;
    }
    {
        let mut remember = transaction.prepare_cached(
            "INSERT INTO heads (stream, seq, hash) VALUES (?1, ?2, ?3)
             ON CONFLICT (stream) DO UPDATE SET seq = ?2, hash = ?3 WHERE seq <> ?2",
        )?;
        for StreamHead { stream, seq, hash } in heads {
            remember.execute(params![stream, seq, hash])?;
        }
        let mut tell = transaction
            .prepare_cached("INSERT INTO alarms (at, stream, finding) VALUES (?1, ?2, ?3)")?;
        for Alarm { stream, finding, at } in alarms {
            tell.execute(params![at, stream, finding])?;
        }
        transaction
            .prepare_cached(
                "DELETE FROM alarms WHERE number <= (SELECT max(number) FROM alarms) - ?1",
            )?
            .execute([MAX_ALARMS])?;
    }
    transaction.commit()
}

/// The alarms that have not been told yet.
pub(super) fn untold(connection: &Connection) -> rusqlite::Result<Vec<Alarm>> {
    read(connection, "SELECT at, stream, finding FROM alarms WHERE NOT told ORDER BY number")
}

/// Notes that all alarms have been told.
pub(super) fn told(connection: &Connection) -> rusqlite::Result<()> {
    connection.execute("UPDATE alarms SET told = 1 WHERE NOT told", []).map(drop)
}

/// The alarms that are kept, the latest first.
pub(super) fn alarms(connection: &Connection) -> rusqlite::Result<Vec<Alarm>> {
    read(connection, "SELECT at, stream, finding FROM alarms ORDER BY number DESC")
}

fn read(connection: &Connection, sql: &str) -> rusqlite::Result<Vec<Alarm>> {
    let mut statement = connection.prepare_cached(sql)?;
    let rows = statement.query_map([], |row| {
        Ok(Alarm { at: row.get(0)?, stream: row.get(1)?, finding: row.get(2)? })
    })?;
    rows.collect()
}
