//! Walking the trail in order.
//!
//! Two statements: one steps the index, `(timestamp, event_type, arrival)`, and never touches the
//! records; the other fetches the record of a row whose type can match, by its row number. So a
//! rare event type costs an index walk only, and every row that was passed over is known, which is
//! what lets a scan that ran out of time go on where it stopped.

use audit_layer::record::Record;
use rusqlite::{Connection, ErrorCode, Row as SqlRow, Statement, params_from_iter};

use super::{
    Batch, Deadline, MAX_BATCH_BYTES, Order, Place, Position, Row, Scan, Table, TruncatedBy,
    tell_of_damage,
};

/// Rows between two looks at the clock.
const ROWS_PER_LOOK: usize = 256;

/// The statement that walks. By time, `?1` and `?2` bound the timestamp; of the rows at `?3`, where
/// the scan before stopped, only those beyond arrival `?4` are meant. The position is part of the
/// bounds, since of two upper bounds on an index column SQLite seeks to one and filters by the
/// other, and must not choose the wrong one. By arrival, time is not the statement's concern: SQLite
/// would seek by it and sort all that it finds.
fn walk_sql(table: Table, order: Order) -> &'static str {
    macro_rules! walk {
        ($table:literal) => {
            match order {
                Order::Desc => concat!(
                    "SELECT arrival, timestamp, event_type FROM ",
                    $table,
                    " WHERE timestamp BETWEEN ?1 AND ?2 AND (timestamp <> ?3 OR arrival < ?4)",
                    " ORDER BY timestamp DESC, arrival DESC"
                ),
                Order::Asc => concat!(
                    "SELECT arrival, timestamp, event_type FROM ",
                    $table,
                    " WHERE timestamp BETWEEN ?1 AND ?2 AND (timestamp <> ?3 OR arrival > ?4)",
                    " ORDER BY timestamp, arrival"
                ),
                Order::Arrival => concat!(
                    "SELECT arrival, timestamp, event_type FROM ",
                    $table,
                    " WHERE arrival > ?1",
                    " ORDER BY arrival"
                ),
            }
        };
    }
    match table {
        Table::Logs => walk!("audit_logs"),
        Table::Security => walk!("security_events"),
        Table::Financial => walk!("financial_audit_logs"),
    }
}

const FETCH_SQL: &str = "SELECT record FROM audit_logs WHERE arrival = ?1";

/// The parameters of the walk: lower and upper time, and the place to go on from.
fn bounds(scan: &Scan<'_>) -> Vec<i64> {
    let (mut from, mut to) = (scan.range.from, scan.range.to);
    let after = scan.after.as_ref().map(|position| {
        let arrival = match position.place {
            Place::Database { arrival } => arrival,
            // Newest first, what Redis alone holds of a microsecond follows what the database
            // holds of it: none of the latter is left.
            Place::Redis { .. } => i64::MIN,
        };
        (position.timestamp, arrival)
    });
    match (scan.order, after) {
        (Order::Desc, Some((timestamp, arrival))) => {
            to = to.min(timestamp);
            vec![from, to, timestamp, arrival]
        }
        (Order::Asc, Some((timestamp, arrival))) => {
            from = from.max(timestamp);
            vec![from, to, timestamp, arrival]
        }
        (Order::Desc, None) => vec![from, to, to, i64::MAX],
        (Order::Asc, None) => vec![from, to, from, i64::MIN],
        (Order::Arrival, after) => vec![after.map_or(0, |(_, arrival)| arrival)],
    }
}

/// `None` when the time was up before a row was examined.
pub(super) fn run(
    connection: &Connection,
    scan: &Scan<'_>,
    deadline: Deadline,
) -> rusqlite::Result<Option<Batch>> {
    let mut walk = connection.prepare_cached(walk_sql(scan.table, scan.order))?;
    let mut fetch = connection.prepare_cached(FETCH_SQL)?;
    let mut rows = walk.query(params_from_iter(bounds(scan)))?;
    let mut batch = Batch::default();
    let mut last = None;
    let mut bytes = 0;
    let mut until_look = ROWS_PER_LOOK;

    loop {
        let row = match rows.next() {
            Ok(Some(row)) => row,
            Ok(None) => {
                batch.next = end(scan, last);
                return Ok(Some(batch));
            }
            Err(error) if interrupted(&error) => {
                return Ok(stopped(batch, last, TruncatedBy::Deadline));
            }
            Err(error) => return Err(error),
        };
        if batch.rows.len() >= scan.limit {
            batch.next = last;
            return Ok(Some(batch));
        }
        until_look -= 1;
        if until_look == 0 {
            until_look = ROWS_PER_LOOK;
            if deadline.passed() {
                return Ok(stopped(batch, last, TruncatedBy::Deadline));
            }
        }
        let (arrival, timestamp) = (row.get(0)?, row.get(1)?);
        let position = Position { timestamp, place: Place::Database { arrival } };
        let in_time = scan.range.contains(timestamp);
        let examined = if in_time { examine(row, &mut fetch, arrival, scan) } else { PASSED };
        match examined {
            Ok(Examined::Passed) => {}
            Ok(Examined::Damaged) => batch.met_damaged(),
            Ok(Examined::Found(line)) => {
                bytes += line.len();
                if bytes > MAX_BATCH_BYTES && !batch.rows.is_empty() {
                    return Ok(stopped(batch, last, TruncatedBy::Size));
                }
                batch.rows.push(Row { position: position.clone(), line });
            }
            Err(error) if interrupted(&error) => {
                return Ok(stopped(batch, last, TruncatedBy::Deadline));
            }
            Err(error) => return Err(error),
        }
        last = Some(position);
    }
}

fn interrupted(error: &rusqlite::Error) -> bool {
    error.sqlite_error_code() == Some(ErrorCode::OperationInterrupted)
}

/// Where a walk goes on that has met all there is. By time there is nothing behind the end; in the
/// order of arrival it is where the next record will be.
fn end(scan: &Scan<'_>, last: Option<Position>) -> Option<Position> {
    let start = || Position { timestamp: 0, place: Place::Database { arrival: 0 } };
    match scan.order {
        Order::Desc | Order::Asc => None,
        Order::Arrival => Some(last.or_else(|| scan.after.clone()).unwrap_or_else(start)),
    }
}

fn stopped(mut batch: Batch, last: Option<Position>, by: TruncatedBy) -> Option<Batch> {
    batch.truncated |= by;
    batch.next = Some(last?);
    Some(batch)
}

const PASSED: rusqlite::Result<Examined> = Ok(Examined::Passed);

enum Examined {
    Passed,
    Damaged,
    Found(Box<str>),
}

fn examine(
    row: &SqlRow<'_>,
    fetch: &mut Statement<'_>,
    arrival: i64,
    scan: &Scan<'_>,
) -> rusqlite::Result<Examined> {
    let event_type = row.get_ref(2)?.as_str().unwrap_or_default();
    if !scan.filter.admits(event_type) {
        return Ok(Examined::Passed);
    }
    let mut found = fetch.query([arrival])?;
    let Some(row) = found.next()? else { return Ok(Examined::Damaged) };
    let parsed = row.get_ref(0)?.as_str().ok().and_then(|line| {
        let record = Record::parse(line).ok()?;
        Some(scan.filter.matches(&record).then(|| Box::from(line)))
    });
    Ok(match parsed {
        Some(Some(line)) => Examined::Found(line),
        Some(None) => Examined::Passed,
        None => {
            tell_of_damage(arrival);
            Examined::Damaged
        }
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn plan(table: Table, order: Order) -> String {
        let connection = Connection::open_in_memory().unwrap();
        connection
            .execute_batch(include_str!("../../../audit-layer/src/sink/migrations/0001_trail.sql"))
            .unwrap();
        let sql = format!("EXPLAIN QUERY PLAN {}", walk_sql(table, order));
        let mut statement = connection.prepare(&sql).unwrap();
        let parameters = params_from_iter(vec![0; statement.parameter_count()]);
        let steps = statement.query_map(parameters, |row| row.get::<_, String>(3)).unwrap();
        steps.map(Result::unwrap).collect::<Vec<_>>().join("; ")
    }

    #[test]
    fn a_walk_by_time_follows_an_index_and_sorts_only_records_of_one_microsecond() {
        for order in [Order::Desc, Order::Asc] {
            assert_eq!(
                plan(Table::Logs, order),
                "SEARCH audit_logs USING COVERING INDEX audit_logs_timestamp_event_type \
                 (timestamp>? AND timestamp<?); USE TEMP B-TREE FOR LAST TERM OF ORDER BY"
            );
            for (table, name) in
                [(Table::Security, "security_events"), (Table::Financial, "financial_audit_logs")]
            {
                assert_eq!(
                    plan(table, order),
                    format!(
                        "SEARCH {name} USING INDEX {name}_timestamp (timestamp>? AND timestamp<?)"
                    )
                );
            }
        }
    }

    #[test]
    fn a_walk_by_arrival_follows_the_table() {
        for table in [Table::Logs, Table::Security, Table::Financial] {
            let plan = plan(table, Order::Arrival);
            assert!(plan.ends_with("USING INTEGER PRIMARY KEY (rowid>?)"), "{plan}");
        }
    }
}
