//! The database and Redis as one view, newest first, each record once.
//!
//! A record is the same in both when `(stream, seq)` is. Redis is read first and the database
//! after it in one snapshot, so a record that arrives in between is found in both rather than in
//! neither. Records of the database stand where they stand there; one that Redis alone holds stands
//! behind those of its microsecond. Which of the two a candidate from Redis is, the unique index
//! decides, never the page that happens to be at hand.
//!
//! A candidate that the database has as well is left to the walk through the database, which meets
//! it where it stands there. Two it does not meet, and they stand where Redis has them:
//!
//! - One that arrived in the microsecond of the cursor after the walk had come there. The cursor
//!   carries the highest arrival of that time, which tells it from one that an earlier page showed.
//! - One whose record in the database the question does not ask for, though it asks for the copy in
//!   Redis. They differ, and a conflict is shown whatever the filter.
//!
//! A page that ended on a record of Redis alone goes on behind its whole microsecond in the
//! database: were that record to arrive there meanwhile, it would not come a second time.

use std::{cmp::Reverse, collections::HashMap};

use audit_layer::record::{Link, Record};

use super::{Query, Trail};
use crate::{
    Error,
    store::{
        Batch, Deadline, MAX_BATCH_BYTES, Place, Position, Reading, RedisStore, Row, Snapshot,
        Stored, TruncatedBy, Truncation,
    },
};

/// Where a record was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FoundIn {
    /// In the database alone.
    Database,
    /// In Redis alone.
    Redis,
    /// In both, byte for byte the same.
    Both,
    /// In both, and they differ: one of them was changed. The record is the database's.
    Conflict,
}

/// A page of both.
#[derive(Debug)]
pub(crate) struct CombinedPage {
    /// Stored lines, byte for byte, and where each was found.
    pub(crate) records: Vec<(Box<str>, FoundIn)>,
    /// The cursor of the next page, when there may be one.
    pub(crate) next_cursor: Option<String>,
    /// Whether records that belong here are missing.
    pub(crate) truncated: Truncation,
}

/// Reads from Redis what a page of both may need. Blocks.
///
/// # Errors
/// When Redis does not answer.
pub(crate) fn read_redis(
    redis: &RedisStore,
    query: &Query,
    deadline: Deadline,
) -> Result<Reading, Error> {
    redis.read_all(&query.scan(), deadline)
}

/// Answers the query from the database and from what was read of Redis before. Blocks.
///
/// # Errors
/// What the database fails with.
pub(crate) fn combined(
    trail: &Trail,
    redis: &Reading,
    query: &Query,
    deadline: Deadline,
) -> Result<CombinedPage, Error> {
    let view = trail.view(deadline)?;
    let Batch { rows, next, mut truncated, .. } = view.scan(&query.scan(), deadline)?;
    let snapshot = &view.snapshot;
    // What Redis alone holds beyond the last row examined belongs to a later page.
    let horizon = next.clone();

    let mut held: HashMap<Place, &str> =
        redis.rows.iter().map(|row| (row.position.place.clone(), &*row.line)).collect();
    let mut merged: Vec<(Row, FoundIn)> = Vec::with_capacity(rows.len());
    for row in rows {
        let held = Link::parse(&row.line).ok().and_then(|link| {
            held.remove(&Place::Redis { stream: link.stream.as_ref().into(), seq: link.seq })
        });
        let found_in = held.map_or(FoundIn::Database, |held| compare(&row.line, held));
        merged.push((row, found_in));
    }
    let of_database = merged.len();
    for row in &redis.rows {
        let beyond = horizon.as_ref().is_some_and(|horizon| row.position < *horizon);
        if beyond || merged.len() - of_database > query.limit {
            break;
        }
        if held.contains_key(&row.position.place) {
            match candidate(snapshot, row, query)? {
                Candidate::Shown(line, found_in) => {
                    let position = row.position.clone();
                    merged.push((Row { position, line }, found_in));
                }
                Candidate::Elsewhere => {}
                Candidate::Damaged => truncated |= TruncatedBy::DamagedRecord,
            }
        }
    }
    let last_arrival = snapshot.last_arrival()?;
    drop(view);
    merged.sort_by(|(a, _), (b, _)| Reverse(&a.position).cmp(&Reverse(&b.position)));
    Ok(cut(merged, next, truncated | redis.truncated, last_arrival, query))
}

/// Where a record of the database was found that Redis holds as well.
fn compare(stored: &str, held: &str) -> FoundIn {
    if stored == held {
        return FoundIn::Both;
    }
    tracing::error!("a record in Redis differs from the database; run audit-server verify");
    FoundIn::Conflict
}

/// What becomes of a record in Redis that the database did not give for this page.
enum Candidate {
    /// This line stands in its place.
    Shown(Box<str>, FoundIn),
    /// An earlier or a later page shows it, or none does to who asks.
    Elsewhere,
    /// What the database has of it is no record.
    Damaged,
}

fn candidate(snapshot: &Snapshot<'_>, row: &Row, query: &Query) -> Result<Candidate, Error> {
    let Place::Redis { stream, seq } = &row.position.place else { return Ok(Candidate::Elsewhere) };
    let Some(Stored { arrival, timestamp, line }) = snapshot.find(stream, *seq)? else {
        return Ok(Candidate::Shown(row.line.clone(), FoundIn::Redis));
    };
    let Ok(record) = Record::parse(&line) else { return Ok(Candidate::Damaged) };
    if !query.sight.sees(&record) {
        return Ok(Candidate::Elsewhere);
    }
    let asked_for = query.range.contains(timestamp) && query.filter.matches(&record);
    let arrived_behind = query
        .after
        .as_ref()
        .is_some_and(|after| timestamp == after.timestamp && arrival > query.met);
    drop(record);
    if asked_for && !arrived_behind {
        return Ok(Candidate::Elsewhere);
    }
    let found_in = compare(&line, &row.line);
    Ok(Candidate::Shown(line, found_in))
}

/// The first records that fit into a page.
fn cut(
    merged: Vec<(Row, FoundIn)>,
    next: Option<Position>,
    truncated: Truncation,
    last_arrival: i64,
    query: &Query,
) -> CombinedPage {
    let count = merged.len();
    let mut page = CombinedPage { records: Vec::new(), next_cursor: None, truncated };
    let mut last = None;
    let mut bytes = 0;
    for (row, found_in) in merged {
        bytes += row.line.len();
        let full = page.records.len() >= query.limit;
        let heavy = bytes > MAX_BATCH_BYTES && last.is_some();
        if heavy && !full {
            page.truncated |= TruncatedBy::Size;
        }
        if full || heavy {
            break;
        }
        page.records.push((query.shown(row.line), found_in));
        last = Some(row.position);
    }
    let next = if page.records.len() < count { last } else { next };
    page.next_cursor = next.map(|position| {
        let same_time =
            query.after.as_ref().is_some_and(|after| after.timestamp == position.timestamp);
        query.cursor(position, if same_time { query.met } else { last_arrival })
    });
    page
}
