//! A database whose tables, indexes and triggers are not those that the layer made.

use std::{fs, path::PathBuf};

use audit_server::verify::{Cause, Outcome, Place, Verifier};
use rusqlite::Connection;
use tempfile::TempDir;

use super::{
    cause,
    command::run_with,
    fixture::{STREAM, chain, chain_from, database, insert, record, write},
    only_break, verify,
};

fn altered(sql: &str) -> (TempDir, PathBuf) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("audit.db");
    let db = database(&path, &chain(STREAM, 16));
    db.pragma_update(None, "foreign_keys", false).unwrap();
    db.execute_batch(sql).unwrap();
    db.close().unwrap();
    (directory, path)
}

fn verify_altered(sql: &str) -> Outcome {
    let (_directory, path) = altered(sql);
    verify(&path)
}

#[test]
fn what_was_altered_or_added_is_a_break_that_names_it() {
    for (sql, name) in [
        (
            "DROP TRIGGER audit_logs_keep_delete;
             CREATE TRIGGER audit_logs_keep_delete BEFORE DELETE ON audit_logs BEGIN SELECT 1; END",
            "trigger audit_logs_keep_delete",
        ),
        (
            "CREATE TRIGGER more AFTER INSERT ON audit_logs
             BEGIN DELETE FROM audit_cursors WHERE seq = new.seq; END",
            "trigger more",
        ),
        ("CREATE VIEW logs AS SELECT * FROM audit_logs", "view logs"),
        ("CREATE TABLE more (x)", "table more"),
        ("ALTER TABLE audit_logs ADD COLUMN more TEXT", "table audit_logs"),
        ("DROP TABLE security_events", "table security_events"),
        ("DROP INDEX audit_logs_id", "index audit_logs_id"),
        (
            "DROP INDEX audit_logs_id; CREATE INDEX audit_logs_id ON audit_logs (id) WHERE seq > 5",
            "index audit_logs_id",
        ),
        ("CREATE INDEX more ON audit_cursors (seq)", "index more"),
    ] {
        let outcome = verify_altered(sql);
        assert_eq!(outcome.exit_code(), 1, "{sql}: {outcome:#?}");
        assert!(outcome.breaks().any(|found| found.to_string().contains(name)), "{outcome:#?}");
    }
}

#[test]
fn indexes_for_queries_of_ones_own_are_noticed_and_no_break() {
    let outcome = verify_altered("CREATE INDEX mine ON audit_logs (event_type) WHERE seq > 5");
    assert!(outcome.is_intact(), "{outcome:#?}");
    assert_eq!(outcome.paths[0].notices.len(), 1);
    assert!(outcome.paths[0].notices[0].contains("index mine"), "{outcome:#?}");
}

#[test]
fn the_indexes_that_the_layer_makes_on_request_and_what_sqlite_keeps_are_as_expected() {
    let outcome = verify_altered(audit_layer::FULL_INDEXES);
    assert!(outcome.is_intact() && outcome.paths[0].notices.is_empty(), "{outcome:#?}");
    let outcome = verify_altered("ANALYZE");
    assert!(outcome.is_intact() && outcome.paths[0].notices.is_empty(), "{outcome:#?}");
}

#[test]
fn a_view_in_the_place_of_a_table_is_not_read() {
    let endless = "CREATE VIEW audit_logs AS
         WITH RECURSIVE n(arrival) AS (SELECT 1 UNION ALL SELECT arrival + 1 FROM n)
         SELECT arrival, '' AS stream, 1 AS seq, '' AS id, 1 AS timestamp, '' AS event_type,
                '' AS record FROM n";
    let outcome = verify_altered(&format!("DROP TABLE audit_logs; {endless}"));
    assert_eq!(outcome.exit_code(), 1);
    assert_eq!(outcome.paths[0].records(), 0);
    assert!(outcome.breaks().any(|found| found.to_string().contains("view audit_logs")));
}

#[test]
fn arrivals_that_are_text_are_a_break_and_no_endless_loop() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("audit.db");
    let db = database(&path, &[]);
    db.pragma_update(None, "foreign_keys", false).unwrap();
    db.execute_batch(
        "DROP TABLE audit_logs;
         CREATE TABLE audit_logs (arrival TEXT, stream, seq, id, timestamp, event_type, record)",
    )
    .unwrap();
    insert(&db, &chain(STREAM, 16_384));
    db.execute_batch("UPDATE audit_logs SET arrival = 'x' || arrival").unwrap();
    db.close().unwrap();
    assert_eq!(verify(&path).exit_code(), 1);
}

#[test]
fn rows_out_of_the_order_of_arrival_are_found() {
    for table in ["audit_logs", "security_events"] {
        let (_directory, path) = altered("");
        let db = Connection::open(&path).unwrap();
        let size: u32 = db.query_row("PRAGMA page_size", [], |row| row.get(0)).unwrap();
        let root: u32 = db
            .query_row("SELECT rootpage FROM sqlite_schema WHERE name = ?1", [table], |row| {
                row.get(0)
            })
            .unwrap();
        db.close().unwrap();
        let mut bytes = fs::read(&path).unwrap();
        // From the root down to its first leaf, on which the first two cells change places.
        let (root, size) = (root as usize, size as usize);
        let mut page = (root - 1) * size;
        while bytes[page] == 5 {
            let cell = page + usize::from(bytes[page + 12]) * 256 + usize::from(bytes[page + 13]);
            let child: [u8; 4] = bytes[cell..cell + 4].try_into().unwrap();
            page = (u32::from_be_bytes(child) as usize - 1) * size;
        }
        assert_eq!(bytes[page], 13);
        bytes[page + 8..page + 12].rotate_left(2);
        fs::write(&path, &bytes).unwrap();
        let outcome = verify(&path);
        let found = outcome.breaks().map(|found| found.cause.clone()).collect::<Vec<_>>();
        assert!(
            matches!(&found[..], [.., Cause::Damaged(why)] if why.contains(table)),
            "{outcome:#?}"
        );
    }
}

/// Writes behind an index's back: it lacks what was written.
fn behind_the_back_of(index: &str, db: Connection, write: impl FnOnce(&Connection)) {
    let path = db.path().unwrap().to_owned();
    let whole: (String, String, String, String, i64) = db
        .query_row("SELECT * FROM sqlite_schema WHERE name = ?1", [index], |row| {
            Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(4)?, row.get(3)?))
        })
        .unwrap();
    db.execute_batch("PRAGMA writable_schema = ON").unwrap();
    db.execute("DELETE FROM sqlite_schema WHERE name = ?1", [index]).unwrap();
    db.execute_batch("PRAGMA writable_schema = RESET").unwrap();
    write(&db);
    db.execute_batch("PRAGMA writable_schema = ON").unwrap();
    db.execute(
        "INSERT INTO sqlite_schema (type, name, tbl_name, sql, rootpage) VALUES (?, ?, ?, ?, ?)",
        whole,
    )
    .unwrap();
    db.close().unwrap();
    assert!(fs::exists(path).unwrap());
}

#[test]
fn an_index_that_differs_from_its_table_is_found_on_request() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("audit.db");
    let lines = chain(STREAM, 16);
    behind_the_back_of("audit_logs_id", database(&path, &lines[..12]), |db| {
        insert(db, &lines[12..]);
    });
    assert!(verify(&path).is_intact());
    let (_, out) = run_with(&[path.to_str().unwrap()]);
    assert!(out.contains("indexes not checked, --indexes does"), "{out}");
    let (exit, out) = run_with(&[path.to_str().unwrap(), "--indexes"]);
    assert!(exit.contains('1') && out.contains("audit_logs_id"), "{out}");
    let (_directory, sound) = altered(audit_layer::FULL_INDEXES);
    let (exit, out) = run_with(&[sound.to_str().unwrap(), "--indexes"]);
    assert!(exit.contains('0') && !out.contains("not checked"), "{out}");
}

#[test]
fn a_comparison_with_another_path_does_not_rest_on_an_index() {
    let directory = tempfile::tempdir().unwrap();
    let (file, path) = (directory.path().join("audit.log"), directory.path().join("audit.db"));
    let lines = chain(STREAM, 20);
    write(&file, &lines[..12]);
    let forged = record(STREAM, 8, lines[6].hash, "forged");
    let rest = chain_from(STREAM, 9, forged.hash, 12);
    behind_the_back_of("audit_logs_stream_seq", database(&path, &lines[..7]), |db| {
        insert(db, &[forged]);
        insert(db, &rest);
    });
    let outcome = Verifier::new().verify(&[&file, &path]);
    assert!(matches!(cause(&outcome), Cause::Disagrees(_)), "{outcome:#?}");

    // An index that leads to another record's row: the two paths hold the same nevertheless.
    let path = directory.path().join("other.db");
    let db = database(&path, &lines);
    let swap = "UPDATE audit_logs SET seq = CASE seq WHEN 12 THEN 99 WHEN 99 THEN 12 ELSE seq END";
    db.execute_batch("DROP TRIGGER audit_logs_keep_update").unwrap();
    db.execute_batch(&format!("{swap} WHERE seq = 12")).unwrap();
    db.execute_batch("UPDATE audit_logs SET seq = 12 WHERE arrival = 13").unwrap();
    behind_the_back_of("audit_logs_stream_seq", db, |db| {
        db.execute_batch("UPDATE audit_logs SET seq = arrival").unwrap();
    });
    let outcome = Verifier::new().verify(&[&file, &path]);
    assert!(outcome.is_intact(), "{outcome:#?}");
}

#[test]
fn names_in_the_file_reach_no_terminal_as_they_are() {
    let name = "red\u{1b}[31m";
    let (_directory, view) = altered(&format!("CREATE VIEW \"{name}\" AS SELECT 1"));
    let (_other, broken) = altered(&format!(
        "CREATE INDEX \"{name}\" ON audit_logs (seq);
         PRAGMA writable_schema = ON;
         UPDATE sqlite_schema SET sql = 'CREATE INDEX nonsense' WHERE name = '{name}'"
    ));
    let (_third, index) = altered(&format!("CREATE INDEX \"{name}\" ON audit_logs (seq)"));
    for path in [view, broken, index] {
        let (_, out) = run_with(&[path.to_str().unwrap()]);
        assert!(!out.contains('\u{1b}') && out.contains("red\\u{1b}[31m"), "{out:?}");
    }
}

#[test]
fn a_timestamp_beyond_the_last_year_is_a_break_and_no_panic() {
    let (_directory, path) = altered("");
    let lines = chain(STREAM, 16);
    let object = lines[15].text.split(",\"hash\"").next().unwrap();
    let time = object.split("\"timestamp\":\"").nth(1).unwrap().split('"').next().unwrap();
    let object = object.replace(time, "9999-12-31T23:59:59.999999-01:00");
    let hash = audit_layer::record::Hash::of(format!("{object}}}").as_bytes()).to_string();
    let db = Connection::open(&path).unwrap();
    db.execute_batch("DROP TRIGGER audit_logs_keep_update").unwrap();
    let forged = format!("{object},\"hash\":\"{hash}\"}}");
    db.execute("UPDATE audit_logs SET record = ?1 WHERE seq = 16", [forged]).unwrap();
    db.execute("UPDATE audit_cursors SET hash = ?1", [hash]).unwrap();
    db.close().unwrap();
    let found = only_break(&verify(&path));
    assert_eq!(found.cause, Cause::Column("audit_logs", "timestamp"));
    assert_eq!(found.place, Some(Place::Row { arrival: 16 }));
}
