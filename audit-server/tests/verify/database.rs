use std::{fs, path::PathBuf};

use audit_server::verify::{Cause, Place, Unreadable};
use rusqlite::Connection;
use tempfile::TempDir;

use super::{
    cause,
    fixture::{OTHER, STREAM, chain, database, disarm, insert, interleave, record, rotated},
    only_break, verify,
};

struct Tampered {
    _directory: TempDir,
    path: PathBuf,
    db: Connection,
}

/// A database of sixteen records, without its triggers.
fn disarmed() -> Tampered {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("audit.db");
    let db = database(&path, &chain(STREAM, 16));
    disarm(&db);
    Tampered { _directory: directory, path, db }
}

fn cause_after(sql: &str) -> Cause {
    let tampered = disarmed();
    assert_eq!(verify(&tampered.path).exit_code(), 0);
    tampered.db.execute_batch(sql).unwrap();
    cause(&verify(&tampered.path))
}

#[test]
fn an_untouched_database_is_intact_with_its_log_and_without() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("audit.db");
    let db = database(&path, &interleave(&chain(STREAM, 40), &chain(OTHER, 40)));
    // All of it is still in the write-ahead log.
    assert!(fs::metadata(directory.path().join("audit.db-wal")).unwrap().len() > 0);
    let outcome = verify(&path);
    assert!(outcome.is_intact(), "{outcome:#?}");
    assert!(outcome.paths[0].notices.is_empty());
    assert_eq!(outcome.paths[0].streams.len(), 2);
    assert_eq!(outcome.paths[0].records(), 80);
    db.close().unwrap();
    assert!(verify(&path).is_intact());
}

#[test]
fn more_records_than_one_transaction_reads_are_intact() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("audit.db");
    // Two chunks to the record, then one more.
    for count in [32_768, 32_769] {
        let _ = fs::remove_file(&path);
        database(&path, &chain(STREAM, count)).close().unwrap();
        let outcome = verify(&path);
        assert!(outcome.is_intact(), "{outcome:#?}");
        assert_eq!(outcome.paths[0].records(), count);
    }
}

#[test]
fn dropped_triggers_are_noticed() {
    let outcome = verify(&disarmed().path);
    assert!(outcome.is_intact());
    assert_eq!(outcome.paths[0].notices.len(), 6, "{:?}", outcome.paths[0].notices);
}

#[test]
fn one_changed_byte_is_found_wherever_it_is() {
    let tampered = disarmed();
    let (path, db) = (&tampered.path, &tampered.db);
    let original: String =
        db.query_row("SELECT record FROM audit_logs WHERE seq = 5", [], |row| row.get(0)).unwrap();
    let change = |bytes: &[u8]| {
        db.execute("UPDATE audit_logs SET record = CAST(?1 AS TEXT) WHERE seq = 5", [bytes])
            .unwrap();
    };
    for at in 0..original.len() {
        for flip in [1, 0x20, 0x80] {
            let mut bytes = original.clone().into_bytes();
            bytes[at] ^= flip;
            change(&bytes);
            let outcome = verify(path);
            assert_eq!(outcome.exit_code(), 1, "byte {at} flipped by {flip:#x}: {outcome:#?}");
        }
    }
    change(original.as_bytes());
    assert!(verify(path).is_intact());
}

#[test]
fn a_changed_record_is_reported_with_stream_seq_and_row() {
    let tampered = disarmed();
    let (path, db) = (&tampered.path, &tampered.db);
    db.execute_batch(
        "UPDATE audit_logs SET record = replace(record, 'success', 'failure') WHERE seq = 7",
    )
    .unwrap();
    let found = only_break(&verify(path));
    assert_eq!((found.seq, found.place), (Some(7), Some(Place::Row { arrival: 7 })));
    assert_eq!((found.cause, found.stream.unwrap().as_str()), (Cause::Changed, STREAM));
}

#[test]
fn a_deleted_row_is_a_missing_record() {
    let delete = |seq| {
        format!(
            "DELETE FROM security_events WHERE arrival = {seq}; \
             DELETE FROM financial_audit_logs WHERE arrival = {seq}; \
             DELETE FROM audit_logs WHERE seq = {seq}"
        )
    };
    assert_eq!(cause_after(&delete(6)), Cause::Missing(6, 6));
}

#[test]
fn two_rows_that_changed_places_are_found() {
    // Rows 3 and 7 are of a kind that has no row in a side table.
    let swap = "UPDATE audit_logs SET arrival = 99 WHERE arrival = 3; \
                UPDATE audit_logs SET arrival = 3 WHERE arrival = 7; \
                UPDATE audit_logs SET arrival = 7 WHERE arrival = 99";
    assert_eq!(cause_after(swap), Cause::Missing(3, 6));
    let swap = "UPDATE audit_logs SET record = (SELECT record FROM audit_logs WHERE seq = 7) WHERE seq = 3";
    assert_eq!(cause_after(swap), Cause::Column("audit_logs", "seq"));
}

#[test]
fn an_inserted_row_with_a_valid_hash_is_found() {
    let tampered = disarmed();
    let (path, db) = (&tampered.path, &tampered.db);
    let lines = chain(STREAM, 16);
    db.execute_batch("DELETE FROM audit_logs WHERE seq = 3").unwrap();
    let forged = record(STREAM, 3, lines[1].hash, "forged");
    insert(db, &[forged]);
    db.execute_batch("UPDATE audit_logs SET arrival = 3 WHERE seq = 3").unwrap();
    db.execute("UPDATE audit_cursors SET seq = 16, hash = ?1", [lines[15].hash.to_string()])
        .unwrap();
    let found = only_break(&verify(path));
    assert_eq!((found.seq, found.cause), (Some(4), Cause::Unlinked));
}

#[test]
fn a_cut_tail_is_found_through_the_cursor() {
    let cut = "DELETE FROM security_events WHERE arrival > 12; \
               DELETE FROM financial_audit_logs WHERE arrival > 12; \
               DELETE FROM audit_logs WHERE arrival > 12";
    assert_eq!(cause_after(cut), Cause::CursorAhead(16));
    let empty =
        "DELETE FROM security_events; DELETE FROM financial_audit_logs; DELETE FROM audit_logs";
    assert_eq!(cause_after(empty), Cause::CursorAhead(16));
}

#[test]
fn a_cursor_that_is_not_at_the_last_record_is_found() {
    assert_eq!(cause_after("UPDATE audit_cursors SET seq = 15"), Cause::CursorBehind(Some(15)));
    assert_eq!(cause_after("UPDATE audit_cursors SET seq = -1"), Cause::CursorBehind(Some(0)));
    assert_eq!(cause_after("DELETE FROM audit_cursors"), Cause::CursorBehind(None));
    let other = "UPDATE audit_cursors SET hash = replace(hash, substr(hash, 1, 4), '0000')";
    assert_eq!(cause_after(other), Cause::CursorHash);
}

#[test]
fn a_late_start_that_the_trail_explains_is_no_break() {
    let tampered = disarmed();
    let (path, db) = (&tampered.path, &tampered.db);
    insert(db, &rotated(&chain(STREAM, 16), 5, "sqlite")[12..]);
    db.execute_batch(
        "DELETE FROM security_events WHERE arrival < 5; \
         DELETE FROM financial_audit_logs WHERE arrival < 5; \
         DELETE FROM audit_logs WHERE arrival < 5",
    )
    .unwrap();
    let outcome = verify(path);
    assert!(outcome.is_intact(), "{outcome:#?}");
    assert_eq!(outcome.paths[0].streams[0].first, 5);
}

#[test]
fn every_altered_column_is_found() {
    for (table, row, columns) in [
        ("audit_logs", 5, "stream seq id timestamp event_type"),
        // Row 4 is a login, row 10 was denied, row 5 is a transaction.
        (
            "security_events",
            4,
            "timestamp event_type severity status user_id username ip_address resource",
        ),
        (
            "security_events",
            10,
            "timestamp event_type severity status user_id username ip_address resource",
        ),
        (
            "financial_audit_logs",
            5,
            "timestamp event_type status user_id correlation_id amount currency symbol side quantity price",
        ),
    ] {
        let tampered = disarmed();
        let (path, db) = (&tampered.path, &tampered.db);
        for column in columns.split(' ') {
            let old: rusqlite::types::Value = db
                .query_row(
                    &format!("SELECT {column} FROM {table} WHERE arrival = {row}"),
                    [],
                    |r| r.get(0),
                )
                .unwrap();
            let update = format!("UPDATE {table} SET {column} = ?1 WHERE arrival = {row}");
            db.execute(&update, [987_654]).unwrap();
            let found = only_break(&verify(path));
            let (table_found, column_found) = match found.cause {
                Cause::Column(table, column) => (table, column),
                other => panic!("{table}.{column}: {other:?}"),
            };
            assert_eq!((table_found, column_found), (table, column));
            assert_eq!(
                (found.seq, found.place),
                (Some(row), Some(Place::Row { arrival: row as i64 }))
            );
            db.execute(&update, [old]).unwrap();
        }
        assert!(verify(path).is_intact());
    }
}

#[test]
fn a_column_made_null_or_filled_is_found() {
    assert_eq!(
        cause_after("UPDATE security_events SET ip_address = NULL WHERE arrival = 4"),
        Cause::Column("security_events", "ip_address")
    );
    assert_eq!(
        cause_after("UPDATE financial_audit_logs SET side = '' WHERE arrival = 5"),
        Cause::Column("financial_audit_logs", "side")
    );
}

#[test]
fn a_deleted_row_of_a_side_table_is_found() {
    assert_eq!(
        cause_after("DELETE FROM security_events WHERE arrival = 8"),
        Cause::RowMissing("security_events")
    );
    assert_eq!(
        cause_after("DELETE FROM financial_audit_logs WHERE arrival = 9"),
        Cause::RowMissing("financial_audit_logs")
    );
}

#[test]
fn a_row_of_a_side_table_without_its_record_is_found() {
    for arrival in [-3, 0, 3, 99] {
        let move_one = format!(
            "INSERT INTO security_events (arrival, timestamp, event_type, severity) \
             VALUES ({arrival}, 1, 'auth.login', 'info')"
        );
        assert_eq!(cause_after(&move_one), Cause::RowUnexpected("security_events"), "{arrival}");
    }
}

#[test]
fn a_row_that_is_longer_than_any_record_is_found_and_not_read() {
    assert_eq!(
        cause_after("UPDATE audit_logs SET record = hex(zeroblob(600000)) WHERE seq = 3"),
        Cause::TooLong
    );
    let huge = "UPDATE audit_logs SET record = hex(zeroblob(6000000)) WHERE seq = 3";
    assert!(matches!(cause_after(huge), Cause::Damaged(_)));
}

#[test]
fn other_databases_are_not_judged() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("other.db");
    let db = Connection::open(&path).unwrap();
    db.execute_batch("CREATE TABLE t (x)").unwrap();
    let unreadable = || {
        let outcome = verify(&path);
        assert_eq!(outcome.exit_code(), 2, "{outcome:#?}");
        outcome.paths[0].unreadable.clone().unwrap()
    };
    assert!(matches!(unreadable(), Unreadable::OtherDatabase(0, 1_096_107_092)));
    db.pragma_update(None, "application_id", 1_096_107_092).unwrap();
    assert!(matches!(unreadable(), Unreadable::Database(_)));
    db.pragma_update(None, "user_version", 2).unwrap();
    assert_eq!(unreadable(), Unreadable::NewerSchema(2, 1));
    // What claims to be a trail is judged as one.
    db.pragma_update(None, "user_version", 1).unwrap();
    assert_eq!(verify(&path).exit_code(), 1);
    drop(db);
    fs::write(&path, b"SQLite format 3\0 and then something else").unwrap();
    assert!(matches!(unreadable(), Unreadable::Database(_)));
}

#[test]
fn a_damaged_page_is_a_break() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("audit.db");
    database(&path, &chain(STREAM, 300)).close().unwrap();
    let mut bytes = fs::read(&path).unwrap();
    let record = bytes.windows(9).rposition(|window| window == b"\"seq\":150").unwrap();
    let page = record / 4096 * 4096;
    bytes[page..page + 4096].fill(0xff);
    fs::write(&path, &bytes).unwrap();
    assert!(matches!(cause(&verify(&path)), Cause::Damaged(_)));
}

#[test]
fn a_verification_leaves_the_database_as_it_was() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("audit.db");
    database(&path, &chain(STREAM, 30)).close().unwrap();
    let before = fs::read(&path).unwrap();
    assert!(verify(&path).is_intact());
    assert!(fs::read(&path).unwrap() == before);
}

#[test]
fn a_database_beside_which_nothing_can_be_made_is_read_as_an_immutable_file() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("audit.db");
    database(&path, &chain(STREAM, 9)).close().unwrap();
    // A link to itself in the place of the log's index keeps SQLite out, whoever runs this test; a
    // read-only directory would not keep out root.
    let index = directory.path().join("audit.db-shm");
    let _ = fs::remove_file(&index);
    std::os::unix::fs::symlink(&index, &index).unwrap();
    let usual = Connection::open(&path).unwrap();
    assert!(
        usual.query_row("SELECT count(*) FROM audit_logs", [], |row| row.get::<_, i64>(0)).is_err()
    );
    drop(usual);
    let outcome = verify(&path);
    assert!(outcome.is_intact(), "{outcome:#?}");
    assert_eq!(outcome.paths[0].records(), 9);

    // A log that is not read may hold records: then the file alone is not the database.
    fs::write(directory.path().join("audit.db-wal"), [7; 32]).unwrap();
    assert_eq!(verify(&path).exit_code(), 2);
}
