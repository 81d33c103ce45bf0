//! The evidence of a real trail, led by a read model and walked, against a look at every line.

use std::{path::Path, sync::Arc, time::Duration};

use audit_layer::{APPLICATION_ID, SCHEMA_VERSION};
use rusqlite::{Connection, params};

use super::{super::TrailEvidence, *};
use crate::{
    query,
    read_model::{ReadModel, reindex},
    store::{DatabaseStore, Deadline},
};

const SCHEMA: &str = include_str!("../../../../../audit-layer/src/sink/migrations/0001_trail.sql");

fn write(path: &Path, lines: &[(i64, String)]) {
    let mut writer = Connection::open(path).unwrap();
    writer.execute_batch("PRAGMA journal_mode = WAL").unwrap();
    let new = !writer.table_exists(None, "audit_logs").unwrap();
    if new {
        writer.execute_batch(SCHEMA).unwrap();
        writer.pragma_update(None, "application_id", APPLICATION_ID).unwrap();
        writer.pragma_update(None, "user_version", SCHEMA_VERSION).unwrap();
    }
    let transaction = writer.transaction().unwrap();
    for (at, line) in lines {
        let record = Record::parse(line).unwrap();
        let sql = "INSERT INTO audit_logs (stream, seq, id, timestamp, event_type, record)
                   VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
        let values = params![record.stream, record.seq, record.id, at, record.event_type, line];
        transaction.prepare_cached(sql).unwrap().execute(values).unwrap();
    }
    transaction.commit().unwrap();
}

/// Records of every kind, some of which lack something, over the window and a little before.
fn lines(count: usize) -> Trail {
    let mut random = fastrand::Rng::with_seed(11);
    let mut trail = Trail::whole();
    let kinds = everything();
    let others = [
        "system.clock_step",
        "system.audit_gap",
        "audit.event",
        "system.heartbeat",
        "security.intrusion",
        "api.error",
    ];
    let mut at = NOW - 4 * DAY;
    let step = 4 * DAY / i64::try_from(count).unwrap();
    while trail.lines.len() < count {
        at += step;
        if at > NOW {
            at = NOW - 4 * DAY;
        }
        // Nothing at all for one day, with what was there before taken away below.
        if at.div_euclid(DAY) == (NOW - 2 * DAY).div_euclid(DAY) {
            continue;
        }
        if random.u32(0..40) == 0 {
            let details = json!({"cause": "overflow", "count": random.u8(..), "sink": "x"});
            let event_type = others[random.usize(..others.len())];
            trail.push(at, event_type, json!({"status": "denied", "details": details}));
            continue;
        }
        let (event_type, mut members) = kinds[random.usize(..kinds.len())].clone();
        if random.u8(0..4) == 0 {
            let object = members.as_object_mut().unwrap();
            object.retain(|_, _| random.u8(0..3) > 0);
        }
        trail.push(at, event_type, members);
    }
    trail.without(|at, _| at.div_euclid(DAY) == (NOW - 2 * DAY).div_euclid(DAY));
    trail
}

#[test]
fn a_trail_and_its_read_model_say_what_a_look_at_every_line_says() {
    let patience = || Deadline::after(Duration::from_secs(600));
    let directory = tempfile::tempdir().unwrap();
    // More than a chunk of the model, and a tail that it has not reached.
    for (count, is_led, tail) in [(40_000, true, 300), (2_000, false, 0)] {
        let path = |name: &str| directory.path().join(format!("{count}-{name}.db"));
        let trail = lines(count);
        let (indexed, rest) = trail.lines.split_at(trail.lines.len() - tail);
        write(&path("audit"), indexed);
        let model = is_led.then(|| {
            reindex(&path("audit"), &path("model"), None, Box::new(|_| true), |_, _| {}).unwrap();
            ReadModel::new(path("model"))
        });
        write(&path("audit"), rest);

        let led = query::Trail::new(Arc::new(DatabaseStore::new(path("audit"))), model);
        let view = led.view(patience()).unwrap();
        let chain = trail.chain.clone();
        let evidence = TrailEvidence { view: &view, deadline: patience(), chain };
        let header = trail.header.clone();
        let found = compliance(&Regulation::ALL, header, trail.range, &evidence).unwrap();
        let expected = trail.report();
        for ((_, found), (_, expected)) in controls(&found).zip(controls(&expected)) {
            assert_eq!(found, expected);
        }
        assert_eq!(found, expected);
        assert_eq!(found.days.without_records, ["2026-09-19"]);
        assert!(found.lacking.len() > 10, "{:?}", found.lacking);
        assert!(found.lost.events > 0, "{:?}", found.lost);
    }
}

#[test]
fn a_count_for_which_there_is_no_time_is_an_error_and_no_figure() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("audit.db");
    let trail = Trail::whole();
    write(&path, &trail.lines);
    let asked = query::Trail::new(Arc::new(DatabaseStore::new(path)), None);
    let view = asked.view(Deadline::after(Duration::from_secs(600))).unwrap();
    let (deadline, chain) = (Deadline::after(Duration::ZERO), ChainVerdict::default());
    let evidence = TrailEvidence { view: &view, deadline, chain };
    let report = compliance(&Regulation::ALL, trail.header.clone(), trail.range, &evidence);
    assert!(matches!(report, Err(Error::QueryTimeout(_))), "{report:?}");
}

#[test]
fn what_was_made_too_late_is_an_error_and_no_report() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("audit.db");
    write(&path, &Trail::whole().lines);
    let asked = query::Trail::new(Arc::new(DatabaseStore::new(path)), None);
    let made = |time| asked.study(Deadline::after(time)).unwrap().in_time("a report");
    assert!(matches!(made(Duration::ZERO), Err(Error::QueryTimeout(_))));
    assert_eq!(made(Duration::from_secs(600)).unwrap(), "a report");
}
