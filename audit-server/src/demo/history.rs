//! The past of the desk: what an import from an older system would bring.
//!
//! Every record carries the time at which the thing happened and, in `observed_at`, the time at
//! which it was taken in, so that a past that was made up a minute ago does not pass for one that
//! was recorded as it happened.
//!
//! It is written once a trail. What says how far it has come is the trail itself: it ends with the
//! first record there, the `system.startup` of the first demonstration, and its own last record, of
//! type [`WRITTEN`], bears that very time. A history that was interrupted goes on behind the newest
//! record that is older than the startup. Rejected: a file that says "done", which would go on
//! saying so when the database is deleted.

use std::{path::Path, time::Duration as StdDuration};

use rusqlite::{Connection, OpenFlags, OptionalExtension};
use time::{Duration, OffsetDateTime, Weekday};

use super::{
    desk::{Desk, Shift},
    stop::Stop,
};

/// The type of the last record of a history.
pub(crate) const WRITTEN: &str = "demo.history_written";

/// Beginnings an hour, by the hour of a working day in UTC. A beginning makes two to three records.
const WORKING_DAY: [u32; 24] =
    [2, 2, 2, 2, 3, 4, 8, 15, 23, 26, 25, 23, 20, 23, 26, 26, 23, 15, 8, 5, 4, 3, 2, 2];
/// The same for every hour of a Saturday or Sunday.
const DAY_OFF: u32 = 3;
/// How many records may wait to be written. Well under the bound of the layer's queue.
const AHEAD: u64 = 4000;
/// The hours in which the market is open.
const OPEN: std::ops::Range<u8> = 7..18;

/// The time that a history still has to fill: from the one to the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Period {
    pub(crate) from: OffsetDateTime,
    pub(crate) to: OffsetDateTime,
}

impl Period {
    /// What of `days` is missing in the trail of `stream`: `None` when the history is complete, or
    /// the trail was begun by another.
    pub(crate) fn missing(
        database: &Path,
        stream: &str,
        days: u16,
    ) -> rusqlite::Result<Option<Self>> {
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(database, flags)?;
        connection.busy_timeout(StdDuration::from_secs(2))?;
        let first = connection
            .query_row(
                "SELECT stream, timestamp FROM audit_logs ORDER BY arrival LIMIT 1",
                [],
                |row| Ok((row.get::<_, String>(0)?, row.get::<_, i64>(1)?)),
            )
            .optional()?;
        let Some((_, end)) = first.filter(|(first, _)| first == stream) else { return Ok(None) };
        let complete = connection.query_row(
            "SELECT EXISTS (SELECT 1 FROM audit_logs WHERE timestamp = ?1 AND event_type = ?2)",
            (end, WRITTEN),
            |row| row.get(0),
        )?;
        if complete || days == 0 {
            return Ok(None);
        }
        let newest: Option<i64> = connection.query_row(
            "SELECT max(timestamp) FROM audit_logs WHERE timestamp < ?1",
            [end],
            |row| row.get(0),
        )?;
        let Some(to) = from_micros(end) else { return Ok(None) };
        let begin = to.saturating_sub(Duration::days(i64::from(days)));
        let goes_on = newest.and_then(from_micros).map(|newest| newest + Duration::MICROSECOND);
        Ok(Some(Self { from: goes_on.map_or(begin, |newest| newest.max(begin)), to }))
    }
}

fn from_micros(micros: i64) -> Option<OffsetDateTime> {
    OffsetDateTime::from_unix_timestamp_nanos(i128::from(micros) * 1000).ok()
}

/// Lets the desk live through a period, and says how many records that made. It ends early when it
/// is told to stop; then the record that says "complete" is not written.
///
/// Where 30 days have gone by two thirds, someone guesses passwords in the night.
///
/// `settle` is called behind every few thousand records and at the end, to wait until they are
/// written: a history that ran far ahead of the disk could not be ended within two seconds.
pub(crate) fn write(
    desk: &mut Desk,
    period: Period,
    days: u16,
    stop: &Stop,
    settle: impl Fn(),
) -> u64 {
    let Period { from, to } = period;
    let night = to.saturating_sub(Duration::days(i64::from(days) / 3)).replace_time(ATTACK);
    let mut attack = Some(night).filter(|night| (from..to).contains(night));
    let mut next = from + pause(desk, from);
    let mut records = 0;
    loop {
        let mut at = next;
        at = desk.due().map_or(at, |due| at.min(due.max(from)));
        at = attack.map_or(at, |attack| at.min(attack));
        if at >= to {
            break;
        }
        if stop.is_told() {
            return records;
        }
        audit_layer::imported_from(at.into(), || {
            if attack.take_if(|attack| *attack <= at).is_some() {
                desk.attack(at);
            } else {
                desk.step(at, shift(at));
            }
        });
        records += 1;
        if records % AHEAD == 0 {
            settle();
        }
        if at == next {
            next += pause(desk, next);
        }
    }
    audit_layer::imported_from(to.into(), || {
        tracing::info!(
            target: "audit",
            event_type = WRITTEN,
            action = "import",
            status = "success",
            records,
            days,
            "History written"
        );
    });
    settle();
    records + 1
}

const ATTACK: time::Time = time::macros::time!(03:12:07);

fn is_day_off(at: OffsetDateTime) -> bool {
    matches!(at.weekday(), Weekday::Saturday | Weekday::Sunday)
}

fn shift(at: OffsetDateTime) -> Shift {
    match (is_day_off(at), OPEN.contains(&at.hour())) {
        (true, _) => Shift::Weekend,
        (false, true) => Shift::Open,
        (false, false) => Shift::Evening,
    }
}

/// How long it takes until something new begins.
fn pause(desk: &mut Desk, at: OffsetDateTime) -> Duration {
    let working_day = WORKING_DAY.get(usize::from(at.hour())).copied().unwrap_or(DAY_OFF);
    let an_hour = if is_day_off(at) { DAY_OFF } else { working_day };
    let mean = 3_600_000_000 / i64::from(an_hour);
    Duration::microseconds(desk.about(mean))
}

#[cfg(test)]
mod tests;
