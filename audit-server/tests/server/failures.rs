//! When the trail is missing, strange or slow, and when the server is asked to stop.

use std::{
    io::{Read, Write},
    net::TcpStream,
    sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed},
    thread,
    time::{Duration, Instant},
};

use super::support::{Fixture, Trail, event};

#[test]
fn the_server_starts_without_a_trail_and_reads_it_once_it_is_there() {
    let fixture = Fixture::start(|_| {});
    let answer = fixture.get("/audit/logs");
    assert_eq!(answer.problem(503)["type"], "/problems/database-missing");
    assert!(!answer.body.contains(fixture.directory.path().to_str().unwrap()), "{}", answer.body);
    let detail = fixture.get("/health/detail").json();
    assert_eq!(detail["database"]["state"], "missing");
    // An empty file is what a writer leaves between its first two steps.
    std::fs::write(fixture.directory.path().join("audit.db"), "").unwrap();
    assert_eq!(fixture.get("/audit/logs").problem(503)["type"], "/problems/database-missing");

    let line = fixture.create_trail().write(event("auth.login", 0));
    assert!(fixture.get("/audit/logs").body.contains(&line));
    let detail = fixture.get("/health/detail").json();
    assert_eq!(detail["database"]["state"], "ok");
    assert_eq!(detail["database"]["newest_record"], "2026-11-21T00:00:00.000000Z");
    assert_eq!(detail["database"]["streams"][0]["seq"], 1);
}

#[test]
fn health_is_503_without_a_trail_and_tells_nothing() {
    let fixture = Fixture::start(|_| {});
    let answer = fixture.server.send("GET", "/health", &[]);
    answer.problem(503);
    assert!(!answer.body.contains("audit.db"));
}

#[test]
fn health_is_good_while_every_reader_is_busy() {
    let (fixture, mut trail) = Fixture::with_trail(|config| {
        config.readers = 1;
        config.query_timeout = Duration::from_millis(50);
    });
    trail.write_all((0..300_000).map(|at| event("data.read", at)));
    let overloaded = AtomicUsize::new(0);
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                while !done.load(Relaxed) {
                    let answer = fixture.get("/audit/logs?user_id=nobody");
                    overloaded.fetch_add(usize::from(answer.body.contains("overloaded")), Relaxed);
                }
            });
        }
        let until = Instant::now() + Duration::from_secs(60);
        while overloaded.load(Relaxed) < 8 && Instant::now() < until {
            thread::sleep(Duration::from_millis(10));
        }
        let mut answers = Vec::new();
        for _ in 0..3 {
            answers.push(fixture.server.send("GET", "/health", &[]).status);
            answers.push(match &fixture.get("/health/detail").json()["status"] {
                status if status == "ok" => 200,
                _ => 503,
            });
            // Longer than an answer is repeated.
            thread::sleep(Duration::from_millis(1_100));
        }
        done.store(true, Relaxed);
        assert!(overloaded.load(Relaxed) > 0, "the readers were never busy");
        assert_eq!(answers, [200; 6]);
    });
}

#[test]
fn a_trail_of_a_later_version_or_another_program_is_refused() {
    let (fixture, mut trail) = Fixture::with_trail(|_| {});
    trail.write(event("auth.login", 0));
    fixture.get("/audit/logs").ok();
    let kind = || fixture.get("/audit/logs").problem(503)["type"].clone();
    trail.execute("PRAGMA user_version = 2");
    assert_eq!(kind(), "/problems/database-newer");
    trail.execute("PRAGMA user_version = 1; PRAGMA application_id = 7");
    assert_eq!(kind(), "/problems/database-foreign");
    trail.execute("PRAGMA application_id = 1096107092");
    fixture.get("/audit/logs").ok();

    // Nobody has it open, who would keep its write-ahead log.
    let (other, trail) = Fixture::with_trail(|config| config.read_model = None);
    let path = trail.path().to_owned();
    drop(trail);
    std::fs::write(path, "this is no database, and long enough to be read as one".repeat(100))
        .unwrap();
    let problem = other.get("/audit/logs").problem(503);
    assert_eq!(problem["type"], "/problems/database-foreign");
}

#[test]
fn a_trail_that_was_replaced_is_read_from_its_new_file() {
    let (fixture, mut trail) = Fixture::with_trail(|_| {});
    trail.write(event("auth.login", 0));
    fixture.get("/audit/logs").ok();
    let path = trail.path().to_owned();
    drop(trail);
    for suffix in ["", "-wal", "-shm"] {
        let _ = std::fs::remove_file(format!("{}{suffix}", path.display()));
    }
    let mut other = Trail::create(&path);
    let line = other.write(event("data.read", 7));
    assert!(fixture.get("/audit/logs").body.contains(&line));
}

#[test]
fn a_trail_that_was_restored_in_place_is_read_as_it_is_now() {
    let (fixture, mut trail) = Fixture::with_trail(|_| {});
    let first = trail.write(event("auth.login", 0));
    trail.execute("PRAGMA wal_checkpoint(TRUNCATE)");
    let path = trail.path().to_owned();
    let backup = std::fs::read(&path).unwrap();
    let second = trail.write(event("data.read", 1));
    assert!(fixture.get("/audit/logs").body.contains(&second));
    drop(trail);
    std::fs::write(&path, &backup).unwrap();
    for suffix in ["-wal", "-shm"] {
        std::fs::remove_file(format!("{}{suffix}", path.display())).unwrap();
    }
    for _ in 0..3 {
        let page = fixture.get("/audit/logs");
        assert!(page.body.contains(&first) && !page.body.contains(&second), "{}", page.body);
    }
    // The writer goes on behind the backup; what it writes is in the log that is there now.
    rusqlite::Connection::open(&path)
        .unwrap()
        .execute_batch("UPDATE audit_cursors SET hash = 'of the restored'")
        .unwrap();
    let detail = fixture.get("/health/detail").json();
    assert_eq!(detail["database"]["streams"][0]["hash"], "of the restored");
}

#[test]
fn what_is_no_file_in_the_place_of_the_trail_is_refused_and_hangs_nobody() {
    let fixture = Fixture::start(|_| {});
    let path = fixture.directory.path().join("audit.db");
    let refused = || {
        for _ in 0..6 {
            let problem = fixture.get("/audit/logs").problem(503);
            assert_eq!(problem["type"], "/problems/database-foreign");
        }
        assert_eq!(fixture.get("/health/detail").json()["database"]["state"], "foreign");
    };
    assert!(std::process::Command::new("mkfifo").arg(&path).status().unwrap().success());
    refused();
    std::fs::remove_file(&path).unwrap();
    std::fs::create_dir(&path).unwrap();
    refused();
    std::fs::remove_dir(&path).unwrap();
    std::os::unix::fs::symlink("/dev/zero", &path).unwrap();
    refused();
    std::fs::remove_file(&path).unwrap();
    let line = fixture.create_trail().write(event("auth.login", 0));
    assert!(fixture.get("/audit/logs").body.contains(&line));
}

#[test]
fn reading_changes_nothing_in_the_trail() {
    let (fixture, mut trail) = Fixture::with_trail(|_| {});
    trail.write_all((0..50).map(|at| event("auth.login", at)));
    trail.execute("PRAGMA wal_checkpoint(TRUNCATE)");
    let before = std::fs::read(trail.path()).unwrap();
    for path in ["logs?user_id=x", "security-events", "financial", "combined"] {
        fixture.get(&format!("/audit/{path}")).json();
    }
    assert!(std::fs::read(trail.path()).unwrap() == before);
}

#[test]
fn a_line_that_is_no_record_is_left_out_and_the_page_says_so() {
    let (fixture, mut trail) = Fixture::with_trail(|_| {});
    trail.write_all((0..3).map(|at| event("auth.login", at)));
    trail.execute(
        "DROP TRIGGER audit_logs_keep_update;
         UPDATE audit_logs SET record = 'nonsense' WHERE arrival = 2",
    );
    let page = fixture.get("/audit/logs").ok();
    assert_eq!(page["records"].as_array().unwrap().len(), 2);
    assert_eq!(page["truncated"], true);
    let answer = fixture.get("/audit/logs/0193509c-3a5f-7cc1-8b5e-000000000002");
    assert_eq!(answer.problem(500)["type"], "/problems/damaged-record");
}

#[test]
fn the_record_of_another_id_is_not_given_out() {
    let (fixture, mut trail) = Fixture::with_trail(|_| {});
    trail.write_all((0..3).map(|at| event("auth.login", at)));
    trail.execute(
        "DROP TRIGGER audit_logs_keep_update;
         UPDATE audit_logs SET record = (SELECT record FROM audit_logs WHERE arrival = 3)
         WHERE arrival = 2",
    );
    let answer = fixture.get("/audit/logs/0193509c-3a5f-7cc1-8b5e-000000000002");
    assert_eq!(answer.problem(500)["type"], "/problems/damaged-record");
}

#[test]
fn a_failure_of_sqlite_tells_neither_path_nor_sql() {
    let (fixture, trail) = Fixture::with_trail(|_| {});
    trail.execute("DROP TABLE security_events");
    let answer = fixture.get("/audit/security-events");
    answer.problem(503);
    for secret in ["audit.db", "SELECT", "security_events", "tmp"] {
        assert!(!answer.body.contains(secret), "{}", answer.body);
    }
}

#[test]
fn a_query_that_runs_out_of_time_says_so_and_goes_on_where_it_stopped() {
    // The read model would be too quick; see its own tests for what it does at its deadline.
    let (fixture, mut trail) = Fixture::with_trail(|config| {
        config.query_timeout = Duration::from_millis(40);
        config.read_model = None;
    });
    let needles = [3, 77_777, 149_998];
    trail.write_all((0..150_000).map(|at| {
        let event = event("data.read", at);
        if needles.contains(&at) {
            event.set(audit_layer::record::Member::UserId, "u-needle")
        } else {
            event
        }
    }));
    let (mut found, mut truncated, mut pages) = (Vec::new(), 0, 0);
    let mut cursor = String::new();
    loop {
        let answer = fixture.get(&format!("/audit/logs?user_id=u-needle{cursor}"));
        if answer.status == 503 {
            // A busy machine: the time was up before the first row.
            continue;
        }
        let page = answer.ok();
        pages += 1;
        truncated += usize::from(page["truncated"] == true);
        if page["truncated"] == true {
            assert_eq!(page["truncated_by"], serde_json::json!(["deadline"]));
        }
        found
            .extend(page["records"].as_array().unwrap().iter().map(|r| r["seq"].as_i64().unwrap()));
        let Some(next) = page["next_cursor"].as_str() else { break };
        cursor = format!("&cursor={next}");
    }
    assert_eq!(found, [149_999, 77_778, 4]);
    assert!(truncated > 0, "the deadline was never met");
    assert_eq!(truncated, pages - 1, "only the last page is whole");
}

#[test]
fn a_server_that_is_stopped_ends_what_it_has_begun() {
    // So long that what ends here was ended by the stop and by no time-out.
    let (mut fixture, mut trail) = Fixture::with_trail(|config| {
        config.shutdown_timeout = Duration::from_secs(600);
        config.header_timeout = Duration::from_secs(600);
    });
    trail.write_all((0..1_000).map(|at| event("auth.login", at)));
    let mut half = TcpStream::connect(fixture.server.address).unwrap();
    let mut idle = TcpStream::connect(fixture.server.address).unwrap();
    idle.set_read_timeout(Some(Duration::from_secs(15))).unwrap();
    idle.write_all(b"GET /health HTTP/1.1\r\nhost: x\r\n\r\n").unwrap();
    let mut byte = [0];
    idle.read_exact(&mut byte).unwrap();
    let request = format!(
        "GET /audit/logs?limit=1000 HTTP/1.1\r\nhost: x\r\nx-api-key: {}\r\n\r\n",
        fixture.key
    );
    half.set_read_timeout(Some(Duration::from_secs(15))).unwrap();
    half.write_all(request.as_bytes()).unwrap();
    // Its first byte is there: the request is running or answered when the server is stopped.
    half.read_exact(&mut byte).unwrap();
    fixture.server.begin_stop();
    let mut rest = String::new();
    half.read_to_string(&mut rest).unwrap();
    assert!(rest.ends_with("\"truncated\":false}"), "the answer was cut");
    idle.read_to_string(&mut String::new()).unwrap();
    fixture.server.wait();
    assert!(TcpStream::connect(fixture.server.address).is_err());
}

#[test]
fn a_request_that_never_ends_does_not_keep_the_server_from_stopping() {
    let (mut fixture, _trail) =
        Fixture::with_trail(|config| config.shutdown_timeout = Duration::from_millis(100));
    let mut stuck = TcpStream::connect(fixture.server.address).unwrap();
    stuck.write_all(b"GET /audit/logs HTT").unwrap();
    fixture.get("/audit/logs").ok();
    fixture.server.begin_stop();
    fixture.server.wait();
}
