use std::{fs, os::unix::fs::symlink, path::PathBuf};

use audit_layer::record::Line;
use audit_server::verify::{Cause, MAX_LINE_BYTES, PathKind, Place, Unreadable};
use tempfile::TempDir;

use super::{
    cause,
    fixture::{OTHER, STREAM, chain, chain_from, interleave, record, rotated, text, write},
    only_break, verify,
};

fn file_of(bytes: &[u8]) -> (TempDir, PathBuf) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("audit.log");
    fs::write(&path, bytes).unwrap();
    (directory, path)
}

fn cause_in(lines: &[Line]) -> Cause {
    let (_directory, path) = file_of(&text(lines));
    cause(&verify(&path))
}

#[test]
fn an_untouched_file_is_intact_and_its_head_is_stated() {
    let lines = chain(STREAM, 20);
    let (_directory, path) = file_of(&text(&lines));
    let outcome = verify(&path);
    assert!(outcome.is_intact(), "{outcome:#?}");
    let stream = &outcome.paths[0].streams[0];
    assert_eq!((stream.records, stream.first, stream.last.seq), (20, 1, 20));
    assert_eq!(stream.receipt().unwrap().to_string(), format!("{STREAM}:20:{}", lines[19].hash));
}

#[test]
fn one_changed_byte_is_found_wherever_it_is() {
    let lines = chain(STREAM, 3);
    let original = text(&lines);
    let (_directory, path) = file_of(&original);
    for at in 0..original.len() {
        for new in
            [original[at] ^ 1, original[at] ^ 0x20, original[at] ^ 0x80, b'\n', b' ', b'"', 0]
        {
            // A zero byte in the place of the last line feed is of a power cut.
            if new == original[at] || (at == original.len() - 1 && new == 0) {
                continue;
            }
            let mut bytes = original.clone();
            bytes[at] = new;
            fs::write(&path, &bytes).unwrap();
            let outcome = verify(&path);
            assert_eq!(outcome.exit_code(), 1, "byte {at} made {new:#x}: {outcome:#?}");
        }
    }
}

#[test]
fn a_changed_byte_is_reported_with_stream_seq_line_and_file() {
    let mut lines = chain(STREAM, 5);
    lines[2].text = lines[2].text.replace("denied", "gained").into();
    let mut bytes = text(&lines);
    assert!(lines[1].text.contains("denied"));
    bytes = String::from_utf8(bytes).unwrap().replace("denied", "gained").into();
    let (_directory, path) = file_of(&bytes);
    let found = only_break(&verify(&path));
    assert_eq!(found.cause, Cause::Changed);
    assert_eq!(found.seq, Some(2));
    assert_eq!(found.stream.as_ref().unwrap().as_str(), STREAM);
    assert_eq!(found.place, Some(Place::Line { file: path.into(), line: 2 }));
}

#[test]
fn a_removed_line_is_a_missing_record() {
    let mut lines = chain(STREAM, 6);
    lines.drain(2..4);
    assert_eq!(cause_in(&lines), Cause::Missing(3, 4));
}

#[test]
fn two_swapped_lines_are_found() {
    let mut lines = chain(STREAM, 6);
    lines.swap(2, 3);
    assert_eq!(cause_in(&lines), Cause::Missing(3, 3));
}

#[test]
fn a_line_that_is_there_twice_is_found() {
    let mut lines = chain(STREAM, 4);
    lines.insert(2, lines[1].clone());
    assert_eq!(cause_in(&lines), Cause::Repeated);
}

#[test]
fn a_line_moved_to_the_end_is_found() {
    let mut lines = chain(STREAM, 4);
    lines.push(lines[1].clone());
    assert_eq!(cause_in(&lines), Cause::Backwards(4));
}

#[test]
fn a_forged_line_with_a_valid_hash_of_its_own_is_found() {
    let mut lines = chain(STREAM, 4);
    // In the place of the third, with the right predecessor: the fourth gives it away.
    lines[2] = record(STREAM, 3, lines[1].hash, "forged");
    assert_eq!(cause_in(&lines), Cause::Unlinked);
    // Between the second and the third, under the third's number.
    let mut lines = chain(STREAM, 4);
    lines.insert(2, record(STREAM, 3, lines[1].hash, "forged"));
    assert_eq!(cause_in(&lines), Cause::Repeated);
}

#[test]
fn a_cut_tail_leaves_an_intact_chain() {
    let (_directory, path) = file_of(&text(&chain(STREAM, 6)[..4]));
    assert!(verify(&path).is_intact());
}

#[test]
fn a_late_start_that_the_trail_explains_is_no_break_and_is_stated() {
    let (_directory, path) = file_of(&text(&rotated(&chain(STREAM, 6), 4, "file")));
    let outcome = verify(&path);
    assert!(outcome.is_intact());
    assert_eq!(outcome.paths[0].streams[0].first, 4);
}

#[test]
fn a_false_start_is_found() {
    let line = record(STREAM, 1, record(STREAM, 9, audit_layer::record::Hash::ZERO, "").hash, "");
    assert_eq!(cause_in(&[line]), Cause::FalseStart);
    let line = record(STREAM, 2, audit_layer::record::Hash::ZERO, "");
    assert_eq!(cause_in(&[line]), Cause::NoPredecessor);
}

#[test]
fn interleaved_streams_are_followed_one_by_one() {
    let lines = interleave(&chain(STREAM, 10), &chain(OTHER, 10));
    let (_directory, path) = file_of(&text(&lines));
    let outcome = verify(&path);
    assert!(outcome.is_intact());
    assert_eq!(outcome.paths[0].streams.len(), 2);
}

#[test]
fn each_stream_has_a_first_break_of_its_own() {
    let mut lines = interleave(&chain(STREAM, 10), &chain(OTHER, 10));
    // Seq 3 and 6 of one stream, seq 8 of the other.
    lines.remove(15);
    lines.remove(10);
    lines.remove(4);
    let (_directory, path) = file_of(&text(&lines));
    let outcome = verify(&path);
    let found: Vec<_> = outcome
        .breaks()
        .map(|b| (b.stream.clone().unwrap().to_string(), b.cause.clone()))
        .collect();
    assert_eq!(
        found,
        [(STREAM.to_owned(), Cause::Missing(3, 3)), (OTHER.to_owned(), Cause::Missing(8, 8))]
    );
}

#[test]
fn rotated_backups_are_read_oldest_first() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("audit.log");
    let lines = chain(STREAM, 130);
    for (at, part) in lines.chunks(10).rev().enumerate() {
        let name = if at == 0 { "audit.log".to_owned() } else { format!("audit.log.{at}") };
        write(&directory.path().join(name), part);
    }
    for other in ["audit.log.01", "audit.log.gz", "audit.log.1.gz", "audit.log2", "audit#2.log.1"] {
        fs::write(directory.path().join(other), "not of this trail\n").unwrap();
    }
    let outcome = verify(&path);
    assert!(outcome.is_intact(), "{outcome:#?}");
    assert_eq!(outcome.paths[0].files.len(), 13);
    assert_eq!(outcome.paths[0].streams[0].records, 130);

    fs::remove_file(directory.path().join("audit.log.7")).unwrap();
    let found = only_break(&verify(&path));
    assert_eq!(found.cause, Cause::Missing(51, 60));
    let file = directory.path().join("audit.log.6").into();
    assert_eq!(found.place, Some(Place::Line { file, line: 1 }));
}

#[test]
fn a_backup_that_just_moved_is_read_once() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("audit.log");
    write(&path, &chain(STREAM, 5));
    fs::hard_link(&path, directory.path().join("audit.log.1")).unwrap();
    let outcome = verify(&path);
    assert!(outcome.is_intact(), "{outcome:#?}");
    assert_eq!(outcome.paths[0].files.len(), 1);
}

#[test]
fn a_backup_given_by_itself_is_verified_alone_and_says_so() {
    let directory = tempfile::tempdir().unwrap();
    let lines = chain(STREAM, 20);
    write(&directory.path().join("audit.log"), &lines[15..]);
    write(&directory.path().join("audit.log.1"), &lines[10..15]);
    write(&directory.path().join("audit.log.2"), &lines[5..10]);
    let outcome = verify(&directory.path().join("audit.log.1"));
    assert!(outcome.is_intact(), "{outcome:#?}");
    let report = &outcome.paths[0];
    assert_eq!((report.kind, report.records()), (PathKind::Backup, 5));
    assert!(report.notices[0].contains("verified alone"), "{:?}", report.notices);
}

#[test]
fn a_torn_tail_of_the_live_file_is_no_break() {
    let lines = chain(STREAM, 4);
    let whole = text(&lines[..3]).len();
    let bytes = text(&lines);
    let (_directory, path) = file_of(&bytes);
    for length in whole + 1..bytes.len() - 1 {
        fs::write(&path, &bytes[..length]).unwrap();
        let outcome = verify(&path);
        assert!(outcome.is_intact(), "{length}: {outcome:#?}");
        assert_eq!(outcome.paths[0].records(), 3);
        assert!(outcome.paths[0].notices[0].contains("torn tail"));
    }
    // Only the line feed is missing: the record counts.
    fs::write(&path, &bytes[..bytes.len() - 1]).unwrap();
    let outcome = verify(&path);
    assert!(outcome.is_intact());
    assert_eq!(outcome.paths[0].records(), 4);
}

#[test]
fn a_torn_tail_of_a_backup_is_a_break() {
    let directory = tempfile::tempdir().unwrap();
    let lines = chain(STREAM, 4);
    let path = directory.path().join("audit.log");
    write(&path, &lines[2..]);
    let bytes = text(&lines[..3]);
    fs::write(directory.path().join("audit.log.1"), &bytes[..bytes.len() - 300]).unwrap();
    let outcome = verify(&path);
    assert!(matches!(cause(&outcome), Cause::NotARecord(_)));
}

#[test]
fn garbage_after_the_last_line_is_no_torn_tail() {
    for garbage in [&b"\0\0{"[..], b"{}", b"12", b"{\"a\":\x01"] {
        let (_directory, path) = file_of(&[&text(&chain(STREAM, 2))[..], garbage].concat());
        assert!(matches!(cause(&verify(&path)), Cause::NotARecord(_)), "{garbage:?}");
    }
}

#[test]
fn an_empty_line_is_found() {
    let lines = chain(STREAM, 2);
    let (_directory, path) =
        file_of(&[&text(&lines[..1]), &b"\n"[..], &text(&lines[1..])].concat());
    let found = only_break(&verify(&path));
    assert_eq!(
        (found.cause, found.place),
        (Cause::EmptyLine, Some(Place::Line { file: path.into(), line: 2 }))
    );
}

#[test]
fn an_endless_line_is_found_and_the_rest_still_followed() {
    let lines = chain(STREAM, 3);
    let long = vec![b'x'; 3 * MAX_LINE_BYTES];
    let bytes = [&text(&lines[..1])[..], &long, b"\n", &text(&lines[1..])].concat();
    let (_directory, path) = file_of(&bytes);
    let outcome = verify(&path);
    assert_eq!(cause(&outcome), Cause::TooLong);
    assert_eq!(outcome.paths[0].streams[0].records, 3);
}

#[test]
fn a_hidden_second_seq_is_found() {
    let lines = chain(STREAM, 3);
    let object = lines[1].text.split(",\"hash\"").next().unwrap();
    let forged = object.replacen('{', "{\"seq\":9,", 1);
    let hash = audit_layer::record::Hash::of(format!("{forged}}}").as_bytes());
    let bytes = [text(&lines), format!("{forged},\"hash\":\"{hash}\"}}\n").into_bytes()].concat();
    let (_directory, path) = file_of(&bytes);
    assert!(matches!(cause(&verify(&path)), Cause::NotARecord(why) if why.contains("twice")));
}

#[test]
fn what_can_not_be_read_is_told_from_what_is_broken() {
    let directory = tempfile::tempdir().unwrap();
    let at = |name: &str| directory.path().join(name);
    let why = |path: PathBuf| {
        let outcome = verify(&path);
        assert_eq!(outcome.exit_code(), 2, "{outcome:#?}");
        let (_, why) = outcome.unreadable().next().unwrap();
        why.clone()
    };
    assert!(matches!(why(at("missing.log")), Unreadable::Io(_)));
    assert_eq!(why(directory.path().to_owned()), Unreadable::NotAFile);
    fs::write(at("poem.txt"), "Shall I compare thee\nto a summer's day?\n").unwrap();
    assert_eq!(why(at("poem.txt")), Unreadable::NotATrail);
    fs::write(at("other.json"), "{\"a\":1}\n{\"a\":2}\n").unwrap();
    assert_eq!(why(at("other.json")), Unreadable::NotATrail);
    fs::write(at("binary"), [0_u8, 159, 146, 150].repeat(1 << 20)).unwrap();
    assert_eq!(why(at("binary")), Unreadable::NotATrail);
    symlink(at("nowhere"), at("dangling.log")).unwrap();
    assert!(matches!(why(at("dangling.log")), Unreadable::Io(_)));
}

#[test]
fn an_empty_file_is_intact_and_says_that_it_is_empty() {
    let (_directory, path) = file_of(b"");
    let outcome = verify(&path);
    assert!(outcome.is_intact());
    assert_eq!(outcome.paths[0].notices, ["holds no record yet"]);
}

#[test]
fn a_live_file_that_is_gone_is_not_passed_over() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("audit.log");
    write(&directory.path().join("audit.log.1"), &chain(STREAM, 3));
    let outcome = verify(&path);
    assert_eq!(outcome.exit_code(), 2);
    assert_eq!(outcome.paths[0].unreadable, Some(Unreadable::LiveFileMissing));
    assert_eq!(outcome.paths[0].records(), 3);
}

#[test]
fn a_record_of_a_later_version_is_not_judged() {
    let lines = chain(STREAM, 2);
    let object = lines[1].text.split(",\"hash\"").next().unwrap().replace("\"v\":1", "\"v\":2");
    let hash = audit_layer::record::Hash::of(format!("{object}}}").as_bytes());
    let newer = format!("{object},\"hash\":\"{hash}\"}}\n");
    let (_directory, path) = file_of(&[text(&lines[..1]), newer.into_bytes()].concat());
    let outcome = verify(&path);
    assert_eq!(outcome.exit_code(), 2);
    assert_eq!(outcome.paths[0].unreadable, Some(Unreadable::NewerRecord(2)));
}

#[test]
fn a_stream_may_go_on_after_a_start_that_is_given() {
    let lines = chain(STREAM, 3);
    let more = chain_from(STREAM, 4, lines[2].hash, 3);
    let (_directory, path) = file_of(&[text(&lines), text(&more)].concat());
    assert!(verify(&path).is_intact());
}
