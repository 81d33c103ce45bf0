//! The read model: kept up beside the trail, thrown away, and watching.

use std::{
    collections::BTreeMap,
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::{Duration, Instant},
};

use audit_layer::record::{Member, Severity};
use serde_json::Value;

use super::support::{Event, Fixture, Running, Trail, config_in, event};

const PATIENCE: Duration = Duration::from_secs(120);

/// Some hundred records that differ in what can be asked for.
fn events(from: i64, count: i64) -> impl Iterator<Item = Event> {
    (from..from + count).map(|n| {
        let types = ["auth.login", "data.read", "trade.executed", "auth.failed"];
        let users = ["u-1", "u-2", "u-3", "u-4", "u-5"];
        let user = users[usize::try_from(n.rem_euclid(5)).unwrap()];
        // Not quite in the order of time.
        event(types[usize::try_from(n.rem_euclid(4)).unwrap()], (n + n * 7 % 5) * 1_000)
            .set(Member::UserId, user)
            .set(Member::Status, if n % 3 == 0 { "failure" } else { "success" })
            .set(Member::Message, if n % 10 == 0 { "the tenth" } else { "another one" })
            .with(|draft| {
                if n % 7 == 0 {
                    draft.severity = Severity::Error;
                }
            })
    })
}

fn read_model(fixture: &Fixture) -> Value {
    let answer = fixture.get("/health/detail");
    assert_eq!(answer.status, 200);
    serde_json::from_str::<Value>(&answer.body).unwrap()["read_model"].clone()
}

/// Waits until the model is as told.
fn until(fixture: &Fixture, wanted: impl Fn(&Value) -> bool) -> Value {
    let start = Instant::now();
    loop {
        let found = read_model(fixture);
        if wanted(&found) {
            return found;
        }
        assert!(start.elapsed() < PATIENCE, "{found}");
        thread::sleep(Duration::from_millis(20));
    }
}

/// Whether the model has that many records, and there are no more.
fn has(count: i64) -> impl Fn(&Value) -> bool {
    move |model| model["state"] == "current" && model["arrival"] == count
}

const QUESTIONS: &[&str] = &[
    "user_id=u-3",
    "user_id=u-3&status=failure",
    "status!=success&event_type=auth.*",
    "severity=error&order=asc",
    "q=tenth",
    "q=%22another+one%22&user_id=u-1&order=arrival",
    "filter=user_id+%3D+%22u-2%22+OR+severity+%3D+%22error%22",
    "user_id=nobody",
];

fn answers(fixture: &Fixture) -> Vec<Vec<Value>> {
    QUESTIONS
        .iter()
        .flat_map(|question| {
            ["logs", "security-events", "combined"]
                .map(|view| format!("/audit/{view}?limit=70&{question}"))
        })
        .filter(|path| !(path.contains("combined") && path.contains("order=")))
        .map(|path| fixture.walk(&path, || ()))
        .collect()
}

#[test]
fn answers_are_the_same_with_the_model_behind_it_and_without_it() {
    let (fixture, mut trail) = Fixture::with_trail(|_| {});
    trail.write_all(events(0, 1_000));
    until(&fixture, has(1_000));
    // What the model has not seen yet is found all the same.
    trail.write_all(events(1_000, 500));
    let behind = answers(&fixture);
    until(&fixture, has(1_500));
    let current = answers(&fixture);

    let mut config = config_in(fixture.directory.path());
    config.read_model = None;
    let without = Fixture { server: Running::start(config), ..fixture };
    assert_eq!(read_model(&without)["state"], "disabled");
    let walked = answers(&without);
    for (at, expected) in walked.iter().enumerate() {
        assert_eq!(behind[at].len(), expected.len(), "behind, {at}");
        assert!(behind[at] == *expected && current[at] == *expected, "{at}");
    }
    assert!(walked.iter().filter(|records| records.len() > 70).count() > 8);
}

#[test]
fn a_walk_meets_each_record_that_was_there_exactly_once_while_others_arrive() {
    let (fixture, mut trail) = Fixture::with_trail(|_| {});
    trail.write_all(events(0, 3_000));
    until(&fixture, has(3_000));
    for order in ["desc", "asc", "arrival"] {
        for question in ["status=success", "q=another", "filter=NOT+user_id%3Du-1"] {
            let path = format!("/audit/logs?limit=100&order={order}&{question}");
            let before = fixture.walk(&path, || ());
            assert!(before.len() > 1_000, "{path}");
            let mut n = 100_000;
            let met = fixture.walk(&path, || {
                // Newer, older, and in the midst; more than a thousand a second at the pace of a walk.
                if n < 103_000 {
                    trail.write_all(events(n, 20).chain(events(n % 3_000, 10)));
                    n += 20;
                }
            });
            let mut times: BTreeMap<&str, u32> = BTreeMap::new();
            for record in &met {
                *times.entry(record["id"].as_str().unwrap()).or_default() += 1;
            }
            assert!(times.values().all(|times| *times == 1), "{path}: a record came twice");
            for record in &before {
                let id = record["id"].as_str().unwrap();
                assert!(times.contains_key(id), "{path}: {id} was passed over");
            }
        }
    }
}

#[test]
fn what_matches_is_counted_exactly_or_about() {
    let (fixture, mut trail) = Fixture::with_trail(|_| {});
    trail.write_all(events(0, 1_000));
    until(&fixture, has(1_000));
    trail.write_all(events(1_000, 50));
    let count = |question: &str| {
        fixture.get(&format!("/audit/logs?limit=1&{question}")).ok()["count"].clone()
    };
    for (question, value) in
        [("user_id=u-1", 210), ("q=tenth", 105), ("q=%22the+tenth%22", 105), ("order=asc", 1_050)]
    {
        let exact = count(&format!("{question}&count=exact"));
        assert_eq!(exact, serde_json::json!({"value": value, "is": "exact"}), "{question}");
        let estimate = count(&format!("{question}&count=estimate"));
        assert_eq!(estimate["value"], value, "{question}");
    }
    let of_message = "filter=message%3D%22the+tenth%22";
    assert_eq!(count(&format!("{of_message}&count=exact"))["value"], 105);
    assert_eq!(count(&format!("{of_message}&count=estimate"))["is"], "estimate");
    assert_eq!(count("user_id=u-1"), Value::Null);
    for view in ["redis", "combined"] {
        let problem = fixture.get(&format!("/audit/{view}?count=exact")).problem(400);
        assert_eq!(problem["parameter"], "count");
    }
}

#[test]
fn the_order_of_arrival_has_what_comes_late() {
    let (fixture, mut trail) = Fixture::with_trail(|_| {});
    trail.write_all(events(10_000, 300));
    until(&fixture, has(300));
    let path = "/audit/logs?order=arrival&limit=50&user_id=u-2";
    let mut cursor = String::new();
    let mut met = 0;
    let mut page = || {
        let page = fixture.get(&format!("{path}{cursor}")).ok();
        cursor = format!("&cursor={}", page["next_cursor"].as_str().unwrap());
        page["records"].as_array().unwrap().len()
    };
    while met < 60 {
        met += page();
    }
    assert_eq!((met, page()), (60, 0));
    // A day before all others: recovered, or imported.
    trail.write_all(events(-80_000_000, 100));
    assert_eq!(page(), 20);
    until(&fixture, has(400));
    assert_eq!(page(), 0);
}

/// Takes the last records off the trail, as one would who can write to it.
fn cut(trail: &Trail, count: u32) {
    delete(trail, count);
    trail.execute(
        "UPDATE audit_cursors SET seq = (SELECT max(seq) FROM audit_logs),
             hash = (SELECT substr(record, -66, 64) FROM audit_logs ORDER BY seq DESC LIMIT 1);",
    );
}

/// The same, without a care for what the trail says of itself.
fn delete(trail: &Trail, count: u32) {
    trail.execute(&format!(
        "DROP TRIGGER audit_logs_keep_delete; DROP TRIGGER security_events_keep_delete;
         DROP TRIGGER financial_audit_logs_keep_delete;
         CREATE TEMP TABLE gone AS SELECT arrival FROM audit_logs ORDER BY arrival DESC LIMIT {count};
         DELETE FROM security_events WHERE arrival IN gone;
         DELETE FROM financial_audit_logs WHERE arrival IN gone;
         DELETE FROM audit_logs WHERE arrival IN gone;"
    ));
}

#[test]
fn a_stream_that_becomes_shorter_raises_an_alarm_that_stays() {
    let (mut fixture, mut trail) = Fixture::with_trail(|_| {});
    trail.write_all(events(0, 200));
    let model = until(&fixture, has(200));
    assert_eq!(model["alarms"].as_array().unwrap().len(), 0);
    cut(&trail, 7);

    let model = until(&fixture, |model| model["alarms"] != serde_json::json!([]));
    let alarm = &model["alarms"][0];
    assert_eq!(alarm["stream"], super::support::STREAM);
    assert_eq!(alarm["finding"], "the stream had 200 records and ends at 193");
    // It is in the trail, for those who read that alone.
    let start = Instant::now();
    let told = loop {
        let told = fixture.walk("/audit/logs?event_type=security.intrusion", || ());
        if !told.is_empty() {
            break told;
        }
        assert!(start.elapsed() < PATIENCE);
        thread::sleep(Duration::from_millis(50));
    };
    assert_eq!(told.len(), 1);
    assert_eq!(told[0]["resource"], super::support::STREAM);
    assert_eq!(told[0]["severity"], "critical");
    assert_eq!(told[0]["details"]["finding"], alarm["finding"]);

    fixture.server.begin_stop();
    fixture.server.wait();
    fixture.server = Running::start(config_in(fixture.directory.path()));
    until(&fixture, |model| model["state"] == "current");
    thread::sleep(Duration::from_secs(2));
    assert_eq!(read_model(&fixture)["alarms"], model["alarms"], "kept, and not raised again");
}

#[test]
fn a_head_that_was_changed_raises_an_alarm() {
    let (fixture, mut trail) = Fixture::with_trail(|_| {});
    trail.write_all(events(0, 50));
    until(&fixture, has(50));
    trail.execute(
        "DROP TRIGGER audit_logs_keep_update;
         UPDATE audit_logs SET record = replace(record, 'success', 'failure') WHERE seq = 50;",
    );
    trail.write_all(events(60, 5));
    let model = until(&fixture, |model| model["alarms"] != serde_json::json!([]));
    let finding = model["alarms"][0]["finding"].as_str().unwrap();
    assert!(finding.starts_with("record 50, once the last of the stream with hash "), "{finding}");
    assert!(finding.ends_with(", was changed"), "{finding}");
}

#[test]
fn records_that_are_gone_raise_an_alarm_though_the_trail_says_that_it_has_them() {
    let (fixture, mut trail) = Fixture::with_trail(|_| {});
    trail.write_all(events(0, 50));
    until(&fixture, has(50));
    delete(&trail, 3);
    let model = until(&fixture, |model| model["alarms"] != serde_json::json!([]));
    assert_eq!(
        model["alarms"][0]["finding"], "record 50, once the last of the stream, is gone",
        "{model}"
    );
}

#[test]
fn a_line_that_is_no_text_stops_nothing_and_is_told_of() {
    let (fixture, mut trail) = Fixture::with_trail(|_| {});
    trail.write_all(events(0, 50));
    until(&fixture, has(50));
    trail.execute(
        "DROP TRIGGER audit_logs_keep_update;
         UPDATE audit_logs SET record = CAST(x'ff' AS TEXT) WHERE seq = 50;",
    );
    let model = until(&fixture, |model| model["alarms"] != serde_json::json!([]));
    let finding = model["alarms"][0]["finding"].as_str().unwrap();
    assert!(finding.ends_with(", was changed"), "{finding}");
    trail.write_all(events(60, 5));
    // With the alarm's own records.
    until(&fixture, |model| model["state"] == "current" && model["arrival"].as_i64() > Some(56));
    let page = fixture.get("/audit/logs?user_id=u-5").ok();
    assert_eq!(page["truncated_by"], serde_json::json!(["damaged_record"]));
}

#[test]
fn a_model_that_is_deleted_is_made_again() {
    let (fixture, mut trail) = Fixture::with_trail(|_| {});
    trail.write_all(events(0, 100));
    until(&fixture, has(100));
    let path = fixture.directory.path().join("audit-read-model.db");
    for suffix in ["", "-wal", "-shm", "-lock"] {
        let _ = std::fs::remove_file(format!("{}{suffix}", path.display()));
    }
    assert_eq!(fixture.walk("/audit/logs?user_id=u-1", || ()).len(), 20);
    trail.write_all(events(100, 100));
    until(&fixture, has(200));
    assert!(path.exists());
    assert_eq!(fixture.walk("/audit/logs?user_id=u-1", || ()).len(), 40);
}

#[test]
fn another_trail_at_the_same_path_is_indexed_anew() {
    let (fixture, mut trail) = Fixture::with_trail(|_| {});
    trail.write_all(events(0, 300));
    until(&fixture, has(300));
    drop(trail);
    for suffix in ["", "-wal", "-shm"] {
        let _ = std::fs::remove_file(fixture.directory.path().join(format!("audit.db{suffix}")));
    }
    let mut trail = fixture.create_trail();
    trail.write_all(events(5_000, 400));
    // No answer is led by what was another's.
    assert_eq!(fixture.walk("/audit/logs?user_id=u-1", || ()).len(), 80);
    until(&fixture, |model| {
        model["state"] == "current" && model["alarms"] != serde_json::json!([])
    });
    assert_eq!(fixture.walk("/audit/logs?user_id=u-1", || ()).len(), 80);
}

#[test]
fn a_file_that_is_no_read_model_is_left_alone_and_told_of() {
    for content in ["not a database", ""] {
        let path = |fixture: &Fixture| fixture.directory.path().join("other.db");
        let fixture = Fixture::start(|config| {
            let path = config.db.with_file_name("other.db");
            if content.is_empty() {
                let other = rusqlite::Connection::open(&path).unwrap();
                other.execute_batch("CREATE TABLE mine (x); INSERT INTO mine VALUES (1);").unwrap();
            } else {
                std::fs::write(&path, content).unwrap();
            }
            config.read_model = Some(path);
        });
        let before = std::fs::read(path(&fixture)).unwrap();
        let mut trail = fixture.create_trail();
        trail.write_all(events(0, 100));
        let model = until(&fixture, |model| model["state"] == "failed");
        let trouble = model["trouble"].as_str().unwrap();
        assert!(trouble.contains("other.db cannot be used as a read model"), "{trouble}");
        assert_eq!(fixture.walk("/audit/logs?user_id=u-1", || ()).len(), 20);
        assert_eq!(std::fs::read(path(&fixture)).unwrap(), before);
    }
}

#[test]
fn two_servers_share_a_model_that_one_of_them_keeps() {
    let (fixture, mut trail) = Fixture::with_trail(|_| {});
    trail.write_all(events(0, 100));
    until(&fixture, has(100));
    let mut second = Fixture {
        server: Running::start(config_in(fixture.directory.path())),
        directory: tempfile::tempdir().unwrap(),
        keys: audit_server::KeyStore::open(fixture.directory.path().join("audit-keys.db")).unwrap(),
        key: fixture.key.clone(),
    };
    let model = until(&second, |model| model["state"] == "failed");
    let trouble = model["trouble"].as_str().unwrap();
    assert!(trouble.ends_with("another process keeps this read model"), "{trouble}");
    let stop = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            while !stop.load(Ordering::Relaxed) {
                let met = second.walk("/audit/logs?limit=7&user_id=u-1", || ()).len();
                assert!(met >= 20 && met.is_multiple_of(20), "{met}");
            }
        });
        for n in 1..6 {
            trail.write_all(events(n * 100, 100));
            thread::sleep(Duration::from_millis(100));
        }
        stop.store(true, Ordering::Relaxed);
    });
    // The second takes over when the first is gone.
    let Fixture { directory: _directory, mut server, .. } = fixture;
    server.begin_stop();
    server.wait();
    until(&second, has(600));
    second.server.begin_stop();
}
