//! A stream that starts later than seq 1: what explains it, and what doesn't.

use std::{fs, path::Path};

use audit_layer::record::{Line, Value};
use audit_server::verify::{Outcome, Verifier};

use super::{
    fixture::{OTHER, STREAM, chain, chain_from, database, told, write},
    only_break, verify,
};

const UNEXPLAINED: &str = "seq 1 to 4 are not here, and nothing in the trail says why";

fn trimmed<'a>(sink: &'a str, stream: &'a str, last: u64) -> Vec<(&'a str, Value<'a>)> {
    vec![
        ("last_seq", Value::U64(last)),
        ("last_stream", Value::Str(stream)),
        ("reason", Value::Str("rotation")),
        ("sink", Value::Str(sink)),
    ]
}

fn gap<'a>(cause: &'a str, sink: &'a str, first: u64, last: u64) -> Vec<(&'a str, Value<'a>)> {
    vec![
        ("cause", Value::Str(cause)),
        ("first_seq", Value::U64(first)),
        ("last_seq", Value::U64(last)),
        ("sink", Value::Str(sink)),
    ]
}

/// Ten records without the first four, and one that tells why, in its place.
fn late(kind: &str, details: &[(&str, Value<'_>)]) -> Vec<Line> {
    let mut lines = chain(STREAM, 10);
    lines.drain(..4);
    lines.push(told(STREAM, 11, lines[5].hash, kind, details));
    lines.extend(chain_from(STREAM, 12, lines[6].hash, 2));
    lines
}

fn in_a_file(lines: &[Line]) -> Outcome {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("audit.log");
    write(&path, lines);
    verify(&path)
}

fn in_a_database(lines: &[Line]) -> Outcome {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("audit.db");
    database(&path, lines).close().unwrap();
    verify(&path)
}

fn assert_unexplained(outcome: &Outcome) {
    let found = only_break(outcome);
    assert_eq!(found.seq, Some(5));
    assert!(found.to_string().ends_with(UNEXPLAINED), "{found}");
    // All that is there was followed nevertheless.
    assert!(outcome.paths[0].streams[0].records >= 6);
}

#[test]
fn deleted_oldest_records_are_a_break() {
    let lines = &chain(STREAM, 10)[4..];
    assert_unexplained(&in_a_file(lines));
    assert_unexplained(&in_a_database(lines));
}

#[test]
fn one_missing_record_is_said_in_the_singular() {
    let found = only_break(&in_a_file(&chain(STREAM, 3)[1..])).to_string();
    assert!(found.ends_with("seq 1 is not here, and nothing in the trail says why"), "{found}");
}

#[test]
fn what_the_trail_tells_of_its_sink_explains_a_late_start() {
    for (kind, of) in [
        ("system.audit_trimmed", &(|sink| trimmed(sink, STREAM, 4)) as &dyn Fn(_) -> Vec<_>),
        ("system.audit_gap", &|sink| gap("sink_new", sink, 1, 4)),
        ("system.audit_gap", &|sink| gap("sink_behind", sink, 1, 4)),
    ] {
        let outcome = in_a_file(&late(kind, &of("file")));
        assert!(outcome.is_intact(), "{outcome:#?}");
        assert_eq!(outcome.paths[0].streams[0].first, 5);
        let outcome = in_a_database(&late(kind, &of("sqlite")));
        assert!(outcome.is_intact(), "{outcome:#?}");
        // What happened to one sink says nothing of another.
        assert_unexplained(&in_a_file(&late(kind, &of("sqlite"))));
        assert_unexplained(&in_a_database(&late(kind, &of("file"))));
    }
}

#[test]
fn what_tells_of_something_else_explains_nothing() {
    for (kind, details) in [
        ("system.audit_trimmed", trimmed("file", STREAM, 3)),
        ("system.audit_trimmed", trimmed("file", OTHER, 4)),
        ("system.audit_trimmed", trimmed("redis", STREAM, 4)),
        ("system.audit_trimmed", vec![("sink", Value::Str("file"))]),
        ("system.audit_gap", gap("sink_behind", "file", 1, 3)),
        // This one tells of a gap that begins later than the trail has to explain.
        ("system.audit_gap", gap("sink_behind", "file", 3, 4)),
        ("system.audit_gap", gap("queue_full", "file", 1, 4)),
        ("system.audit_recovered", trimmed("file", STREAM, 4)),
        ("system.audit_gap", trimmed("file", STREAM, 4)),
    ] {
        assert_unexplained(&in_a_file(&late(kind, &details)));
    }
}

#[test]
fn a_gap_after_what_was_rotated_away_explains_as_well() {
    let mut lines = chain(STREAM, 10);
    lines.drain(..4);
    let trimmed =
        told(STREAM, 11, lines[5].hash, "system.audit_trimmed", &trimmed("file", STREAM, 2));
    let gap = told(STREAM, 12, trimmed.hash, "system.audit_gap", &gap("sink_behind", "file", 3, 4));
    lines.extend([trimmed, gap]);
    assert!(in_a_file(&lines).is_intact());
}

#[test]
fn an_explanation_behind_a_break_is_not_believed() {
    let mut lines = late("system.audit_trimmed", &trimmed("file", STREAM, 4));
    lines.remove(3);
    let outcome = in_a_file(&lines);
    assert_eq!(outcome.exit_code(), 1);
    assert!(only_break(&outcome).to_string().ends_with("seq 8, is missing"));
}

#[test]
fn the_stream_that_came_after_may_tell_of_the_one_before() {
    let ended = chain(STREAM, 10);
    let mut lines = ended[4..].to_vec();
    lines.extend(chain(OTHER, 2));
    let hash = lines[7].hash;
    lines.push(told(OTHER, 3, hash, "system.audit_trimmed", &trimmed("file", STREAM, 4)));
    let outcome = in_a_file(&lines);
    assert!(outcome.is_intact(), "{outcome:#?}");
    // A stream that goes on tells for itself: whoever writes beside it is not believed.
    lines.extend(chain_from(STREAM, 11, ended[9].hash, 1));
    assert_unexplained(&in_a_file(&lines));
}

#[test]
fn a_backup_verified_alone_says_what_it_can_not_explain() {
    let directory = tempfile::tempdir().unwrap();
    let at = |name: &str| directory.path().join(name);
    let lines = chain(STREAM, 10);
    write(&at("audit.log"), &lines[7..]);
    write(&at("audit.log.1"), &lines[4..7]);
    let outcome = verify(&at("audit.log.1"));
    assert!(outcome.is_intact(), "{outcome:#?}");
    assert_eq!(printed(&at("audit.log.1")).matches("starts at seq 5").count(), 1);
    assert!(printed(&at("audit.log.1")).contains("one backup can't tell why"));
    assert_unexplained(&verify(&at("audit.log")));
}

#[test]
fn a_start_that_a_live_file_could_not_explain_is_not_judged_without_it() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("audit.log");
    write(&directory.path().join("audit.log.1"), &chain(STREAM, 10)[4..]);
    assert_eq!(verify(&path).exit_code(), 2);
}

#[test]
fn the_reason_is_told_where_it_is_known() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("audit.log");
    let mut removed = trimmed("file", STREAM, 4);
    removed[2].1 = Value::Str("removed");
    for (kind, details, expected) in [
        (
            "system.audit_trimmed",
            trimmed("file", STREAM, 4),
            "starts at seq 5, earlier rotated away\n",
        ),
        ("system.audit_trimmed", removed, "starts at seq 5, earlier removed\n"),
        (
            "system.audit_gap",
            gap("sink_new", "file", 1, 4),
            "starts at seq 5, this sink began later\n",
        ),
    ] {
        write(&path, &late(kind, &details));
        let out = printed(&path);
        assert!(out.contains(expected), "{out}");
    }
    fs::remove_file(&path).unwrap();
}

#[test]
fn a_receipt_that_nothing_covers_is_not_confirmed_by_silence() {
    let directory = tempfile::tempdir().unwrap();
    let (file, db) = (directory.path().join("audit.log"), directory.path().join("audit.db"));
    let all = chain(STREAM, 10);
    write(&file, &late("system.audit_trimmed", &trimmed("file", STREAM, 4)));
    let receipt = format!("{STREAM}:3:{}", all[2].hash).parse().unwrap();
    let verifier = Verifier::new().receipt(receipt);
    let outcome = verifier.verify(&[&file]);
    assert_eq!(outcome.exit_code(), 2, "{outcome:#?}");
    assert!(outcome.breaks().next().is_none());
    // Another path that holds the record confirms it.
    database(&db, &all).close().unwrap();
    assert!(verifier.verify(&[&file, &db]).is_intact());
}

fn printed(path: &Path) -> String {
    super::command::run_with(&[path.to_str().unwrap()]).1
}
