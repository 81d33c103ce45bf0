//! The database and Redis as one view, newest first, each record once.
//!
//! A record is the same in both when `(stream, seq)` is. Redis is read first and the database
//! after it in one snapshot, so a record that arrives in between is found in both rather than in
//! neither. Records of the database stand where they stand there; one that Redis alone holds stands
//! behind those of its microsecond. Which of the two a candidate from Redis is, the unique index
//! decides, never the page that happens to be at hand.
//!
//! A page that ended on a record of Redis alone goes on behind its whole microsecond in the
//! database: were that record to arrive there meanwhile, it would not come a second time.

use std::{cmp::Reverse, collections::HashMap};

use audit_layer::record::Link;

use super::Query;
use crate::{
    Error,
    store::{
        Batch, DatabaseStore, Deadline, MAX_BATCH_BYTES, Place, Position, Reading, RedisStore, Row,
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
    pub(crate) truncated: bool,
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
    database: &DatabaseStore,
    redis: &Reading,
    query: &Query,
    deadline: Deadline,
) -> Result<CombinedPage, Error> {
    let snapshot = database.snapshot(deadline)?;
    let Batch { rows, next, truncated } = snapshot.scan(&query.scan(), deadline)?;
    // What Redis alone holds beyond the last row examined belongs to a later page.
    let horizon = next.clone();

    let mut held: HashMap<Place, &str> =
        redis.rows.iter().map(|row| (row.position.place.clone(), &*row.line)).collect();
    let mut merged: Vec<(&Row, FoundIn)> = Vec::with_capacity(query.limit);
    for row in &rows {
        let found = Link::parse(&row.line).ok().and_then(|link| {
            held.remove(&Place::Redis { stream: link.stream.as_ref().into(), seq: link.seq })
        });
        merged.push(match found {
            None => (row, FoundIn::Database),
            Some(line) if line == &*row.line => (row, FoundIn::Both),
            Some(_) => {
                tracing::error!(
                    "a record in Redis differs from the database; run audit-server verify"
                );
                (row, FoundIn::Conflict)
            }
        });
    }
    let mut alone = 0;
    for row in &redis.rows {
        let Place::Redis { stream, seq } = &row.position.place else { continue };
        if horizon.as_ref().is_some_and(|horizon| row.position < *horizon) || alone > query.limit {
            break;
        }
        if held.contains_key(&row.position.place) && !snapshot.contains(stream, *seq)? {
            merged.push((row, FoundIn::Redis));
            alone += 1;
        }
    }
    drop(snapshot);
    merged.sort_by(|(a, _), (b, _)| Reverse(&a.position).cmp(&Reverse(&b.position)));
    Ok(cut(merged, next, truncated || redis.truncated, query))
}

/// The first records that fit into a page.
fn cut(
    merged: Vec<(&Row, FoundIn)>,
    next: Option<Position>,
    truncated: bool,
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
        page.truncated |= heavy && !full;
        if full || heavy {
            break;
        }
        page.records.push((row.line.clone(), found_in));
        last = Some(&row.position);
    }
    let next = if page.records.len() < count { last.cloned() } else { next };
    page.next_cursor = next.map(|position| query.cursor(position));
    page
}
