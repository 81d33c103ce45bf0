//! Folds that are kept, over a trail that grows: whatever they have taken, the answer is the one that is
//! folded from nothing.
#![allow(clippy::unwrap_used)]

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use audit_layer::{APPLICATION_ID, SCHEMA_VERSION, record::format_timestamp};
use rusqlite::{Connection, params};
use serde_json::json;

use super::world::{DAY, HOUR, NOW, Record, SMALL, Size, World};
use crate::{
    Error,
    query::Trail,
    read_model::{Follower, ReadModel},
    report::{Kept, Request, Which, anomalies::Anomalies, make, security::SecurityReport},
    store::{DatabaseStore, Deadline},
};

const TRAIL: &str = include_str!("../../../../../audit-layer/src/sink/migrations/0001_trail.sql");

/// A trail on disk, and a read model that follows it when it is told to.
struct House {
    database: Arc<DatabaseStore>,
    model: PathBuf,
    writer: Connection,
    trail: Trail,
    kept: Kept,
    arrival: i64,
}

fn deadline() -> Deadline {
    Deadline::after(Duration::from_secs(600))
}

impl House {
    fn new(directory: &Path) -> Self {
        let (path, model) = (directory.join("audit.db"), directory.join("model.db"));
        let writer = Connection::open(&path).unwrap();
        writer.execute_batch("PRAGMA journal_mode = WAL; PRAGMA synchronous = OFF").unwrap();
        writer.execute_batch(TRAIL).unwrap();
        writer.pragma_update(None, "application_id", APPLICATION_ID).unwrap();
        writer.pragma_update(None, "user_version", SCHEMA_VERSION).unwrap();
        let database = Arc::new(DatabaseStore::new(path));
        let trail = Trail::new(database.clone(), Some(ReadModel::new(&model)));
        Self { database, model, writer, trail, kept: Kept::default(), arrival: 0 }
    }

    fn write(&mut self, records: &[Record]) {
        let transaction = self.writer.transaction().unwrap();
        for record in records {
            self.arrival += 1;
            let (arrival, at) = (self.arrival, record.at);
            let mut line = json!({
                "v": 1, "id": format!("id-{arrival}"), "stream": "s", "seq": arrival,
                "timestamp": format_timestamp(at), "level": "INFO", "logger": "audit",
                "category": record.event_type.split('.').next(), "event_type": record.event_type,
                "severity": "info", "status": record.status, "resource": record.resource,
                "user_id": format!("u{}", record.user), "ip_address": format!("a{}", record.address),
                "message": "", "prev_hash": "0", "hash": "0",
            });
            if let Some((agent, cents)) = record.money {
                let amount = format!("{}.{:02}", cents / 100, cents % 100);
                line["details"] = json!({"agent": agent, "amount": amount});
            }
            let line = if arrival % 9_999 == 0 { "no record".to_owned() } else { line.to_string() };
            transaction
                .prepare_cached("INSERT INTO audit_logs VALUES (?1, 's', ?1, ?1, ?2, ?3, ?4)")
                .unwrap()
                .execute(params![arrival, at, record.event_type, line])
                .unwrap();
        }
        transaction.commit().unwrap();
    }

    /// Lets the read model take in everything.
    fn index(&self) {
        let follower =
            Follower::start(self.database.clone(), self.model.clone(), None, Box::new(|_| true))
                .unwrap();
        let begun = Instant::now();
        while follower.progress().indexed < self.arrival {
            assert!(begun.elapsed() < Duration::from_secs(120), "{:?}", follower.progress());
            thread::sleep(Duration::from_millis(5));
        }
    }

    fn ask(&self, end: i64, kept: Option<&Kept>) -> Result<Anomalies, Error> {
        let given = BTreeMap::from([("end_date", format_timestamp(end))]);
        let request = Request::of(Which::Anomalies, &given).unwrap();
        let mut found = make::anomalies(&self.trail, kept, &request, deadline())?;
        found.header.generated_at.clear();
        Ok(found)
    }

    fn security(&self, end: i64, days: u32, kept: Option<&Kept>) -> Result<SecurityReport, Error> {
        let given = [("end_date", format_timestamp(end)), ("days", days.to_string())];
        let request = Request::of(Which::Security, &BTreeMap::from(given)).unwrap();
        let mut found = make::security(&self.trail, kept, &request, deadline())?;
        found.header.generated_at.clear();
        Ok(found)
    }

    /// What is found with what was kept, which is what is found without.
    fn check(&self, end: i64) -> Anomalies {
        for (end, days) in [(end, 7), (end - 3 * DAY, 30)] {
            let found = self.security(end, days, Some(&self.kept)).unwrap();
            assert_eq!(found, self.security(end, days, None).unwrap());
            assert!(found.first_seen_addresses.addresses.is_some());
        }
        let found = self.ask(end, Some(&self.kept)).unwrap();
        assert_eq!(found, self.ask(end, None).unwrap());
        found
    }
}

#[test]
fn what_was_kept_and_what_came_since_are_what_is_counted_from_nothing() {
    let mut world = World::quiet(21, SMALL);
    world.incidents();
    // By arrival: some come late, by minutes or by weeks, and some have a time that is to come.
    let mut arrived: Vec<(i64, Record)> = world
        .records
        .into_iter()
        .map(|record| {
            let late = match world.chance.u32(0..100) {
                0 => world.chance.i64(0..30 * DAY),
                1..9 => world.chance.i64(-2 * HOUR..2 * HOUR),
                _ => 0,
            };
            (record.at + late, record)
        })
        .collect();
    arrived.sort_by_key(|(at, _)| *at);
    let up_to = |end: i64| arrived.partition_point(|(at, _)| *at <= end);
    let records: Vec<Record> = arrived.iter().map(|(_, record)| record.clone()).collect();

    let directory = tempfile::tempdir().unwrap();
    let mut house = House::new(directory.path());
    // From one midnight to the next, and into the next day.
    let midnight = NOW - NOW.rem_euclid(DAY);
    let ends = [1, 5, 6, 14, 23, 24, 25, 30].map(|hour| midnight - DAY + hour * HOUR);
    let mut written = 0;
    let mut most = 0;
    for end in ends {
        let to = up_to(end).max(written + 40);
        // All but the last hundred are indexed.
        house.write(&records[written..(to - 100).max(written)]);
        house.index();
        house.write(&records[(to - 100).max(written)..to]);
        written = to;
        most = house.check(end).anomalies.total.max(most);
        // Again, and with nothing new in between.
        house.check(end);
        house.index();
        house.check(end + 1);
    }
    assert!(most > 10, "{most}");
    // An earlier end, and another beginning, are not gone on with.
    house.check(ends[4]);
    house.check(ends[0]);
    // Nor is what was counted with another read model.
    std::fs::remove_file(&house.model).unwrap();
    house.index();
    house.check(ends[1]);
}

#[test]
fn what_was_counted_is_not_counted_again() {
    let world = World::quiet(22, Size { users: 60, ..SMALL });
    let directory = tempfile::tempdir().unwrap();
    let mut house = House::new(directory.path());
    house.write(&world.records);
    house.index();
    let found = house.check(NOW);
    assert!(found.header.records > 0);
    // Without what it was counted from it can only be known from what was kept.
    let model = Connection::open(&house.model).unwrap();
    assert!(model.execute("DELETE FROM facts", []).unwrap() > 0);
    assert_eq!(house.ask(NOW, Some(&house.kept)).unwrap(), found);
    assert!(house.ask(NOW, None).is_err());
    // A count that failed leaves nothing behind.
    assert!(house.ask(NOW - DAY, Some(&house.kept)).is_err());
    assert!(house.ask(NOW, Some(&house.kept)).is_err());
}

#[test]
fn where_the_index_fell_behind_what_was_kept_is_not_gone_on_with() {
    let world = World::quiet(26, SMALL);
    let directory = tempfile::tempdir().unwrap();
    let mut house = House::new(directory.path());
    // More than an answer reads of what the index has not reached.
    let (first, last) = world.records.split_at(world.records.len() - 20_500);
    house.write(first);
    house.index();
    house.check(NOW);
    house.write(last);
    let found = house.check(NOW);
    assert!(!make::prepare(&house.trail, &house.kept, deadline()).unwrap());
    house.index();
    assert_eq!(house.check(NOW), found);
}

#[test]
fn a_backup_of_the_read_model_is_not_gone_on_with() {
    let world = World::quiet(24, Size { users: 60, ..SMALL });
    let directory = tempfile::tempdir().unwrap();
    let mut house = House::new(directory.path());
    let (first, last) = world.records.split_at(world.records.len() - 3_000);
    house.write(first);
    house.index();
    // Whole as it is: nobody has it open.
    let (backup, wal) = (directory.path().join("backup.db"), directory.path().join("model.db-wal"));
    assert!(!std::fs::metadata(&wal).is_ok_and(|wal| wal.len() > 0));
    std::fs::copy(&house.model, &backup).unwrap();
    house.write(last);
    house.index();
    house.check(NOW);
    // It has the same key, and lacks what was taken of the other.
    let _ = std::fs::remove_file(wal);
    std::fs::rename(backup, &house.model).unwrap();
    house.check(NOW);
    house.index();
    house.check(NOW);
}

#[test]
fn of_a_trail_with_too_many_texts_nothing_is_kept_and_the_answers_are_the_same() {
    let world = World::quiet(25, Size { users: 60, ..SMALL });
    let directory = tempfile::tempdir().unwrap();
    let mut house = House::new(directory.path());
    house.kept = Kept::with_most(100);
    house.write(&world.records);
    house.index();
    for _ in 0..2 {
        house.check(NOW);
        assert!(!make::prepare(&house.trail, &house.kept, deadline()).unwrap());
    }
    Connection::open(&house.model).unwrap().execute("DELETE FROM facts", []).unwrap();
    assert!(house.ask(NOW, Some(&house.kept)).is_err());
}

#[test]
fn the_standing_question_is_ready_when_it_was_prepared() {
    let mut world = World::quiet(23, Size { users: 60, ..SMALL });
    let now = i64::try_from(time::OffsetDateTime::now_utc().unix_timestamp_nanos() / 1000).unwrap();
    world.records.iter_mut().for_each(|record| record.at += now - NOW);
    let directory = tempfile::tempdir().unwrap();
    let mut house = House::new(directory.path());
    house.write(&world.records);
    let prepare = || make::prepare(&house.trail, &house.kept, deadline()).unwrap();
    assert!(!prepare());
    house.index();
    assert!(prepare());
    Connection::open(&house.model).unwrap().execute("DELETE FROM facts", []).unwrap();
    let request = Request::of(Which::Anomalies, &BTreeMap::new()).unwrap();
    let found = make::anomalies(&house.trail, Some(&house.kept), &request, deadline()).unwrap();
    assert!(found.header.records > 100, "{found:?}");
}
