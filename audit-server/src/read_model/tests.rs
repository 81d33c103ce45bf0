//! The index against the trail itself: whatever is asked, both say the same.
#![allow(clippy::unwrap_used)]

mod facts;

use std::{collections::BTreeMap, path::PathBuf, sync::OnceLock, time::Duration};

use audit_layer::{
    APPLICATION_ID, SCHEMA_VERSION,
    record::{Record, format_timestamp},
};
use proptest::prelude::*;
use rusqlite::{Connection, params};
use tempfile::TempDir;

use super::{
    Count, Counted, Counting,
    reading::ReadModel,
    writer::{Arrived, Writer},
};
use crate::{
    filter::{Filter, TimeRange},
    store::{DatabaseStore, Deadline, Order, Place, Position, Scan, Table, TruncatedBy},
};

const TRAIL: &str = include_str!("../../../audit-layer/src/sink/migrations/0001_trail.sql");

/// More than two chunks, so that there are full ones, a part of one, and a tail.
const RECORDS: usize = 90_000;
const SECOND: i64 = 1_000_000;
const START: i64 = 1_790_000_000 * SECOND;

struct Fixture {
    _directory: TempDir,
    database: DatabaseStore,
    model: ReadModel,
    records: Vec<Arrived>,
    /// The same, read; of what is no record there is none.
    read: Vec<Option<Record<'static>>>,
}

fn path(directory: &TempDir, name: &str) -> PathBuf {
    directory.path().join(name)
}

fn deadline() -> Deadline {
    Deadline::after(Duration::from_secs(600))
}

/// A record as one of the applications would write it: some members, some details.
fn line(random: &mut fastrand::Rng, seq: usize, timestamp: i64) -> String {
    // In some chunks, and in others not.
    if (35_000..36_000).contains(&seq) && random.u8(0..50) == 0 || seq == RECORDS - 5 {
        return "no record".to_owned();
    }
    let mut pick = |choices: &[&'static str]| choices[random.usize(0..choices.len())];
    let event_type =
        pick(&["auth.login", "auth.failed", "data.read", "trade.executed", "api.request"]);
    let category = event_type.split('.').next().unwrap();
    let severity = pick(&["info", "info", "info", "warning", "error"]);
    let side = pick(&["buy", "sell"]);
    let long = &"x".repeat(seq % 70);
    let word = pick(&["Login", "login", "failed", "order", "Überweisung", "retry-now", "FENERİ"]);
    let status = pick(&["success", "success", "failure", "denied", ""]);
    let mut object = serde_json::json!({
        "v": 1, "id": format!("id-{seq}"), "stream": "s@h~aaaaaa", "seq": seq,
        "timestamp": format_timestamp(timestamp), "level": "INFO", "logger": "audit",
        "category": category, "event_type": event_type, "severity": severity,
        "prev_hash": "0", "hash": "0", "message": format!("{word} number {} {long}", seq % 1_000),
    });
    let members = object.as_object_mut().unwrap();
    if !status.is_empty() {
        members.insert("status".into(), status.into());
    }
    if random.bool() {
        // One of them does much, and comes when all facets of the name are given away.
        let is_busy = seq > 10_000 && random.u8(0..3) == 0;
        let user = if is_busy { 400 } else { random.u32(0..400) };
        members.insert("user_id".into(), format!("u-{user}").into());
        members.insert("ip_address".into(), format!("10.0.0.{}", random.u32(0..250)).into());
        members.insert("resource".into(), ["vault", "ledger"][seq % 2].into());
        members.insert("duration_us".into(), random.u32(0..5_000).into());
    }
    if seq.is_multiple_of(3) {
        members.insert("username".into(), format!("n-{}", seq % 30).into());
    }
    if category == "trade" {
        let amount = format!("{}.{:02}", random.u32(0..3_000), random.u32(0..100));
        let tags = [side, "x"];
        members.insert(
            "details".into(),
            serde_json::json!({"side": side, "amount": amount, "order": {"tags": tags, "n": seq}}),
        );
    }
    if random.u8(0..4) == 0 {
        let flags = serde_json::json!({"SOX": random.bool(), "level": side});
        members.insert("regulatory_flags".into(), flags);
    }
    object.to_string()
}

/// Records of two writers whose batches interleave, some late, some of one microsecond, and a
/// stretch that was imported from long ago.
fn records() -> Vec<Arrived> {
    let mut random = fastrand::Rng::with_seed(4);
    let mut clock = START;
    let mut records = Vec::new();
    while records.len() < RECORDS {
        let count = random.usize(1..400);
        let begin = match random.u8(0..40) {
            0 => clock - random.i64(0..3_600) * SECOND,
            1..10 => clock - random.i64(0..3) * SECOND,
            _ => clock,
        };
        let imported = (40_000..44_000).contains(&records.len());
        let mut at = if imported { begin - 86_400 * 365 * SECOND } else { begin };
        for _ in 0..count {
            at += if random.u8(0..10) == 0 { 0 } else { random.i64(0..200_000) };
            records.push((at, records.len()));
        }
        clock = clock.max(if imported { clock } else { at });
    }
    records
        .into_iter()
        .map(|(timestamp, seq)| Arrived {
            blind: Vec::new(),
            arrival: seq as i64 + 1,
            timestamp,
            line: line(&mut random, seq, timestamp).into(),
        })
        .collect()
}

fn fixture() -> &'static Fixture {
    static FIXTURE: OnceLock<Fixture> = OnceLock::new();
    FIXTURE.get_or_init(|| {
        let directory = tempfile::tempdir().unwrap();
        let (trail, model) = (path(&directory, "audit.db"), path(&directory, "model.db"));
        let records = records();
        let mut writer = Connection::open(&trail).unwrap();
        writer.execute_batch("PRAGMA journal_mode = WAL").unwrap();
        writer.execute_batch(TRAIL).unwrap();
        writer.pragma_update(None, "application_id", APPLICATION_ID).unwrap();
        writer.pragma_update(None, "user_version", SCHEMA_VERSION).unwrap();
        let transaction = writer.transaction().unwrap();
        for Arrived { arrival, timestamp, line, .. } in &records {
            let event_type =
                Record::parse(line).map_or("x.y".to_owned(), |record| record.event_type.into());
            let sql = "INSERT INTO audit_logs VALUES (?1, 's', ?1, ?1, ?2, ?3, ?4)";
            transaction
                .prepare_cached(sql)
                .unwrap()
                .execute(params![arrival, timestamp, event_type, line])
                .unwrap();
        }
        transaction.commit().unwrap();

        let mut indexer = Writer::open(&model).unwrap();
        let mut random = fastrand::Rng::with_seed(1);
        let mut rest = &records[..RECORDS - 700];
        while !rest.is_empty() {
            let (batch, later) = rest.split_at(random.usize(1..9_000).min(rest.len()));
            indexer.take_in(batch.to_vec()).unwrap();
            rest = later;
            if random.u8(0..4) == 0 {
                drop(indexer);
                indexer = Writer::open(&model).unwrap();
            }
        }
        Fixture {
            database: DatabaseStore::new(trail),
            model: ReadModel::new(model),
            read: records
                .iter()
                .map(|arrived| Record::parse(Box::leak(arrived.line.clone())).ok())
                .collect(),
            records,
            _directory: directory,
        }
    })
}

fn condition() -> impl Strategy<Value = String> {
    let fixed = proptest::sample::select(vec![
        "event_type = \"auth.*\"",
        "event_type = \"auth.login\"",
        "event_type = \"no.thing\"",
        "category = \"trade\"",
        "severity >= \"warning\"",
        "severity = \"error\"",
        "status = \"failure\"",
        "status = \"pending\"",
        "status != \"success\"",
        "status:*",
        "user_id:*",
        "user_id = \"u-*\"",
        "details.side = \"buy\"",
        "details.order.tags = \"sell\"",
        "details.order.n = 500",
        "details.amount:*",
        "regulatory_flags.SOX = true",
        "regulatory_flags.level = \"buy\"",
        "message = \"login number 7 xxxxxxx\"",
        "message:\"failed number\"",
        "login",
        "\"order number\"",
        "überweisung",
        "\"retry now number 77\"",
        "number",
        "absent",
        "log*",
        "feneri*",
        "überw* AND number",
        "fail* AND user_id = \"u-7\"",
    ])
    .prop_map(str::to_owned);
    prop_oneof![
        6 => fixed,
        1 => (0..500_u32).prop_map(|user| format!("user_id = \"u-{user}\"")),
        1 => (0..300_000_u32).prop_map(|n| format!("details.amount >= {}.{:02}", n / 100, n % 100)),
        1 => (0..300_000_u32).prop_map(|n| format!("details.amount < {}.{:02}", n / 100, n % 100)),
        1 => (0..5_000_u32).prop_map(|n| format!("duration_us = {n}")),
        1 => (0..5_000_u32).prop_map(|n| format!("duration_us > {n}")),
        1 => (0..1_000_u32).prop_map(|n| n.to_string()),
        1 => (50..70_usize).prop_map(|n| "x".repeat(n)),
        1 => (50..70_usize).prop_map(|n| format!("{}*", "x".repeat(n))),
    ]
}

fn expression() -> impl Strategy<Value = String> {
    condition().prop_recursive(3, 6, 3, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 1..3)
                .prop_map(|all| format!("({})", all.join(" AND "))),
            proptest::collection::vec(inner.clone(), 1..3)
                .prop_map(|any| format!("({})", any.join(" OR "))),
            inner.prop_map(|inner| format!("NOT ({inner})")),
        ]
    })
}

#[derive(Debug, Clone)]
struct Asked {
    filter: String,
    table: Table,
    order: Order,
    range: TimeRange,
    limit: usize,
}

fn asked() -> impl Strategy<Value = Asked> {
    let table = prop_oneof![4 => Just(Table::Logs), 1 => Just(Table::Security), 1 => Just(Table::Financial)];
    let order = prop_oneof![Just(Order::Desc), Just(Order::Asc), Just(Order::Arrival)];
    let range = prop_oneof![
        2 => Just(TimeRange::ALL),
        1 => (-100..9_000_i64, 0..5_000_i64).prop_map(|(from, length)| TimeRange {
            from: START + from * SECOND,
            to: START + (from + length) * SECOND,
        }),
    ];
    (expression(), table, order, range, prop_oneof![1..5_usize, 50..300_usize]).prop_map(
        |(filter, table, order, range, limit)| Asked { filter, table, order, range, limit },
    )
}

/// What the trail has, read from one end to the other.
fn naive(fixture: &Fixture, asked: &Asked, filter: &Filter) -> Vec<i64> {
    let filter = asked.table.filter().and(filter.clone());
    let mut found: Vec<_> = fixture
        .records
        .iter()
        .zip(&fixture.read)
        .filter(|(arrived, _)| asked.range.contains(arrived.timestamp))
        .filter(|(_, read)| read.as_ref().is_some_and(|record| filter.matches(record)))
        .map(|(arrived, _)| (arrived.timestamp, arrived.arrival))
        .collect();
    match asked.order {
        Order::Arrival => found.sort_by_key(|(_, arrival)| *arrival),
        Order::Asc => found.sort_unstable(),
        Order::Desc => found.sort_unstable_by(|a, b| b.cmp(a)),
    }
    found.into_iter().map(|(_, arrival)| arrival).collect()
}

fn scan<'q>(asked: &Asked, filter: &'q Filter, after: Option<Position>) -> Scan<'q> {
    let Asked { table, order, range, limit, .. } = *asked;
    Scan { table, order, range, after, limit, filter }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn counts_are_those_of_the_whole_trail(asked in asked()) {
        let fixture = fixture();
        let filter = crate::filter::expression(&asked.filter).unwrap();
        let expected = naive(fixture, &asked, &filter).len() as u64;
        let reading = fixture.model.reading(deadline()).unwrap();
        let snapshot = fixture.database.snapshot(deadline()).unwrap();
        let scan = scan(&asked, &filter, None);
        let count = |counting| {
            reading.count(&snapshot, &scan, counting, deadline()).unwrap().unwrap()
        };
        prop_assert_eq!(count(Counting::Exact), Count { value: expected, is: Counted::Exact });
        let estimate = count(Counting::Estimate);
        prop_assert!(estimate.value >= expected);
        prop_assert!(estimate.is == Counted::Estimate || estimate.value == expected);
    }

    #[test]
    fn pages_that_the_index_leads_are_those_of_the_whole_trail(asked in asked(), pages in 1..6_usize, skip: prop::sample::Index) {
        let fixture = fixture();
        let filter = crate::filter::expression(&asked.filter).unwrap();
        let expected = naive(fixture, &asked, &filter);
        let times: BTreeMap<i64, i64> =
            fixture.records.iter().map(|arrived| (arrived.arrival, arrived.timestamp)).collect();
        let reading = fixture.model.reading(deadline()).unwrap();
        let snapshot = fixture.database.snapshot(deadline()).unwrap();

        // From a place in the middle, and from the start.
        let start = if expected.is_empty() { 0 } else { skip.index(expected.len()) };
        for start in [0, start] {
            let mut after = start.checked_sub(1).map(|last| {
                let arrival = expected[last];
                Position { timestamp: times[&arrival], place: Place::Database { arrival } }
            });
            let mut met = Vec::new();
            for _ in 0..pages {
                let scan = scan(&asked, &filter, after.take());
                let led = reading.scan(&snapshot, &scan, deadline()).unwrap();
                let batch = led.unwrap_or_else(|| snapshot.scan(&scan, deadline()).unwrap());
                prop_assert!(batch.rows.len() <= asked.limit);
                met.extend(batch.rows.iter().map(|row| match row.position.place {
                    Place::Database { arrival } => arrival,
                    Place::Redis { .. } => unreachable!(),
                }));
                let full = batch.rows.len() == asked.limit;
                prop_assert!(full || asked.order == Order::Arrival || batch.next.is_none());
                after = batch.next;
                if !full || after.is_none() {
                    prop_assert_eq!(start + met.len(), expected.len());
                    break;
                }
            }
            prop_assert_eq!(&met, &expected[start..start + met.len()]);
            prop_assert!(met.len() >= asked.limit.min(expected.len() - start));
        }
    }
}

#[test]
fn what_the_term_index_told_of_chunks_is_kept_and_says_the_same() {
    let fixture = fixture();
    let all = TimeRange::ALL;
    let later = TimeRange { from: START + 2_000 * SECOND, to: START + 6_500 * SECOND };
    for expression in [
        "user_id = \"u-400\" AND status = \"failure\"",
        "user_id = \"u-400\" AND NOT status = \"success\" AND severity >= \"warning\"",
        "user_id = \"u-400\" AND resource = \"ledger\" AND severity = \"error\"",
    ] {
        let filter = crate::filter::expression(expression).unwrap();
        // The first is told, the second from what was kept, in every order and from within a chunk.
        for (order, range) in [Order::Desc, Order::Desc, Order::Asc, Order::Arrival]
            .into_iter()
            .flat_map(|order| [(order, all), (order, later)])
        {
            for limit in [700, 100_000] {
                let (filter_text, table) = (expression.to_owned(), Table::Logs);
                let asked = Asked { filter: filter_text, table, order, range, limit };
                let expected = naive(fixture, &asked, &filter);
                let (mut met, mut after) = (Vec::new(), None);
                loop {
                    let reading = fixture.model.reading(deadline()).unwrap();
                    let snapshot = fixture.database.snapshot(deadline()).unwrap();
                    let scan = scan(&asked, &filter, after.take());
                    let batch = reading.scan(&snapshot, &scan, deadline()).unwrap().unwrap();
                    met.extend(batch.rows.iter().map(|row| match row.position.place {
                        Place::Database { arrival } => arrival,
                        Place::Redis { .. } => unreachable!(),
                    }));
                    after = batch.next.filter(|_| batch.rows.len() == limit);
                    if after.is_none() {
                        break;
                    }
                }
                assert_eq!(met, expected, "{asked:?}");
            }
        }
    }
    let kept = fixture.model.kept_terms();
    assert!(kept > 0, "nothing was kept");
}

#[test]
fn a_walk_that_runs_out_of_time_again_and_again_meets_every_record_once() {
    let fixture = fixture();
    let snapshot = fixture.database.snapshot(deadline()).unwrap();
    let mut cut = 0;
    for (expression, order) in [
        ("NOT status = \"failure\"", Order::Desc),
        ("severity = \"error\" OR details.amount > 1500", Order::Asc),
        ("log*", Order::Desc),
        ("details.side = \"buy\" OR status = \"denied\"", Order::Arrival),
    ] {
        let filter = crate::filter::expression(expression).unwrap();
        let asked = Asked {
            filter: expression.to_owned(),
            table: Table::Logs,
            order,
            range: TimeRange::ALL,
            limit: 100_000,
        };
        let expected = naive(fixture, &asked, &filter);
        let (mut met, mut after, mut patience) = (Vec::new(), None, Duration::from_micros(200));
        loop {
            let deadline = Deadline::after(patience);
            let reading = fixture.model.reading(Deadline::after(Duration::from_secs(600))).unwrap();
            let batch =
                match reading.scan(&snapshot, &scan(&asked, &filter, after.clone()), deadline) {
                    Ok(batch) => batch.unwrap(),
                    // It got nowhere: more time.
                    Err(_) => {
                        patience *= 2;
                        continue;
                    }
                };
            met.extend(batch.rows.iter().map(|row| match row.position.place {
                Place::Database { arrival } => arrival,
                Place::Redis { .. } => unreachable!(),
            }));
            let by_deadline = batch.truncated.reasons().any(|by| by == TruncatedBy::Deadline);
            cut += u32::from(by_deadline);
            assert!(!by_deadline || (batch.next.is_some() && batch.next != after));
            if !by_deadline && (batch.next.is_none() || order == Order::Arrival) {
                break;
            }
            after = batch.next;
        }
        assert!(met == expected, "{}: {} of {}", asked.filter, met.len(), expected.len());
    }
    assert!(cut > 8, "it was cut {cut} times only");
}

#[test]
fn a_walk_by_arrival_passes_all_that_it_looked_at_also_where_the_index_has_not_come_yet() {
    let fixture = fixture();
    let snapshot = fixture.database.snapshot(deadline()).unwrap();
    let filter = crate::filter::expression("status = \"pending\"").unwrap();
    let asked = Asked {
        filter: String::new(),
        table: Table::Logs,
        order: Order::Arrival,
        range: TimeRange::ALL,
        limit: 10,
    };
    // The last records have a damaged one among them.
    let mut after = None;
    for truncated in [true, false] {
        let reading = fixture.model.reading(deadline()).unwrap();
        let scan = scan(&asked, &filter, after);
        let batch = reading.scan(&snapshot, &scan, deadline()).unwrap().unwrap();
        assert!(batch.rows.is_empty());
        assert_eq!(batch.truncated.any(), truncated);
        let end = Place::Database { arrival: fixture.records.len() as i64 };
        assert_eq!(batch.next.as_ref().unwrap().place, end);
        after = batch.next;
    }
}

#[test]
fn the_index_answers_the_deepest_expression_that_there_is() {
    let fixture = fixture();
    let (reading, snapshot) = (
        fixture.model.reading(deadline()).unwrap(),
        fixture.database.snapshot(deadline()).unwrap(),
    );
    let nested = |depth: u32| {
        let open = |depth| match depth % 2 {
            0 => format!("user_id = \"none-{depth}\" OR ("),
            _ => format!("(user_id = \"one-{depth}\" OR user_id = \"two\") AND ("),
        };
        let begin: String = (0..depth).map(open).collect();
        format!("{begin}\"word one\" number{}", ")".repeat(depth as usize))
    };
    let deepest = (1..100).take_while(|depth| crate::filter::expression(&nested(*depth)).is_ok());
    let deepest = nested(deepest.last().unwrap());
    let filter = crate::filter::expression(&deepest).unwrap();
    for order in [Order::Desc, Order::Arrival] {
        let asked = Asked {
            filter: String::new(),
            table: Table::Financial,
            order,
            range: TimeRange::ALL,
            limit: 10,
        };
        let scan = scan(&asked, &filter, None);
        assert!(reading.scan(&snapshot, &scan, deadline()).unwrap().is_some(), "{deepest}");
        let count = reading.count(&snapshot, &scan, Counting::Exact, deadline()).unwrap();
        assert_eq!(count, Some(Count { value: 0, is: Counted::Exact }));
    }
}

#[test]
fn a_record_that_cannot_be_read_is_told_of_whatever_is_asked() {
    let fixture = fixture();
    let reading = fixture.model.reading(deadline()).unwrap();
    let snapshot = fixture.database.snapshot(deadline()).unwrap();
    for expression in ["status = \"pending\"", "user_id = \"u-399\" AND absent", "NOT status:*"] {
        let filter = crate::filter::expression(expression).unwrap();
        let asked = Asked {
            filter: String::new(),
            table: Table::Logs,
            order: Order::Asc,
            range: TimeRange::ALL,
            limit: 100_000,
        };
        let batch = reading.scan(&snapshot, &scan(&asked, &filter, None), deadline()).unwrap();
        assert!(batch.unwrap().truncated.any(), "{expression}");
    }
}
