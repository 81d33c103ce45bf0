//! What lies beside the evidence, or in it, and must not keep it from being read.

use std::{
    fs,
    os::unix::fs::{PermissionsExt, symlink},
    path::{Path, PathBuf},
    process::Command,
};

use audit_layer::record::{Hash, Line};
use audit_server::verify::{Cause, Unreadable, Verifier};

use super::{
    cause,
    fixture::{STREAM, chain, database, text, write},
    only_break, verify,
};

fn fifo(path: &Path) {
    assert!(Command::new("mkfifo").arg(path).status().unwrap().success());
}

/// Lays something at the path that can't be read.
type Hindrance = fn(&Path);

const HINDRANCES: [Hindrance; 4] = [
    |path| symlink(path, path).unwrap(),
    |path| symlink(path.with_file_name("nowhere"), path).unwrap(),
    fifo,
    |path| fs::create_dir(path).unwrap(),
];

fn in_a_directory(lines: &[Line], hinder: impl FnOnce(&Path), check: impl FnOnce(&Path)) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("audit.log");
    write(&path, lines);
    hinder(&path);
    check(&path);
}

fn broken() -> Vec<Line> {
    let mut lines = chain(STREAM, 9);
    lines.remove(5);
    lines
}

#[test]
fn a_backup_that_can_not_be_read_does_not_hide_a_break() {
    for hindrance in HINDRANCES {
        let hinder = |path: &Path| hindrance(&path.with_extension("log.9"));
        in_a_directory(&broken(), hinder, |path| {
            let outcome = verify(path);
            assert_eq!(cause(&outcome), Cause::Missing(6, 6));
            assert_eq!(outcome.unreadable().count(), 1);
        });
        in_a_directory(&chain(STREAM, 9), hinder, |path| {
            let outcome = verify(path);
            assert_eq!(outcome.exit_code(), 2, "{outcome:#?}");
            assert_eq!(outcome.paths[0].records(), 9);
            let (_, why) = outcome.unreadable().next().unwrap();
            assert!(why.to_string().contains("audit.log.9"), "{why}");
        });
    }
}

#[test]
fn a_backup_without_permission_does_not_hide_a_break() {
    let hinder = |path: &Path| {
        let backup = path.with_extension("log.9");
        fs::write(&backup, "").unwrap();
        fs::set_permissions(&backup, fs::Permissions::from_mode(0o000)).unwrap();
    };
    // Whoever may read everything reads this too, and finds it empty.
    in_a_directory(&broken(), hinder, |path| {
        assert_eq!(cause(&verify(path)), Cause::Missing(6, 6));
    });
}

#[test]
fn a_live_file_that_can_not_be_read_does_not_hide_a_break_in_its_backups() {
    for hindrance in HINDRANCES {
        let hinder = |path: &Path| {
            fs::rename(path, path.with_extension("log.1")).unwrap();
            hindrance(path);
        };
        in_a_directory(&broken(), hinder, |path| {
            let outcome = verify(path);
            assert_eq!(cause(&outcome), Cause::Missing(6, 6));
            assert_eq!(outcome.unreadable().count(), 1);
        });
        in_a_directory(&chain(STREAM, 9), hinder, |path| assert_eq!(verify(path).exit_code(), 2));
    }
}

#[test]
fn what_lies_beside_a_database_is_not_waited_for_and_does_not_hide_a_break() {
    let kinds: [Hindrance; 2] = [fifo, |path| fs::create_dir(path).unwrap()];
    for suffix in ["-journal", "-wal", "-shm"] {
        for hindrance in kinds {
            let directory = tempfile::tempdir().unwrap();
            for (name, lines) in [("whole.db", chain(STREAM, 9)), ("broken.db", broken())] {
                let path = directory.path().join(name);
                database(&path, &lines).close().unwrap();
                let beside = PathBuf::from(format!("{}{suffix}", path.display()));
                let _ = fs::remove_file(&beside);
                hindrance(&beside);
                let outcome = verify(&path);
                let (_, why) = outcome.unreadable().next().unwrap();
                assert!(why.to_string().contains(suffix), "{why}");
                if name == "broken.db" {
                    assert_eq!(cause(&outcome), Cause::Missing(6, 6));
                } else {
                    assert_eq!(outcome.exit_code(), 2, "{outcome:#?}");
                }
            }
        }
    }
}

fn sealed(object: &str) -> Line {
    let open = object.strip_suffix('}').unwrap();
    let hash = Hash::of(object.as_bytes());
    Line { text: format!("{open},\"hash\":\"{hash}\"}}").into(), hash }
}

/// The record as a later version might write it: with a member that we don't know, and without one
/// that we do.
fn later(line: &Line, version: u64) -> Line {
    let object = line.text.split(",\"hash\"").next().unwrap().replace("\"level\":\"INFO\",", "");
    sealed(&format!("{}}}", object.replace("\"v\":1", &format!("\"v\":{version},\"zone\":\"x\""))))
}

#[test]
fn a_sealed_line_of_a_later_version_does_not_hide_a_break() {
    let foreign = sealed("{\"v\":3}");
    for lines in [[vec![foreign.clone()], broken()].concat(), [broken(), vec![foreign]].concat()] {
        in_a_directory(
            &lines,
            |_| {},
            |path| {
                let outcome = verify(path);
                assert_eq!(cause(&outcome), Cause::Missing(6, 6));
                assert_eq!(outcome.paths[0].unreadable, Some(Unreadable::NewerRecord(3)));
            },
        );
    }
}

#[test]
fn a_line_that_claims_a_later_version_and_is_not_sealed_is_a_break() {
    for claim in ["{\"v\":3}", "{\"hash3\":\"0\",\"v\":3}"] {
        let bytes = [format!("{claim}\n").as_bytes(), &text(&chain(STREAM, 3))].concat();
        in_a_directory(
            &[],
            |path| fs::write(path, bytes).unwrap(),
            |path| {
                let outcome = verify(path);
                assert!(matches!(cause(&outcome), Cause::NotARecord(_)), "{outcome:#?}");
                assert_eq!(outcome.paths[0].streams[0].records, 3);
            },
        );
    }
}

#[test]
fn records_of_a_later_version_are_followed_as_far_as_they_are_links() {
    let mut lines = chain(STREAM, 3);
    lines[2] = later(&lines[2], 2);
    let after = super::fixture::chain_from(STREAM, 4, lines[2].hash, 3);
    lines.extend(after);
    in_a_directory(
        &lines,
        |_| {},
        |path| {
            let outcome = verify(path);
            assert_eq!(outcome.exit_code(), 2, "{outcome:#?}");
            assert_eq!(outcome.paths[0].unreadable, Some(Unreadable::NewerRecord(2)));
            assert_eq!(outcome.paths[0].records(), 6);
        },
    );
    lines.remove(3);
    in_a_directory(
        &lines,
        |_| {},
        |path| {
            assert_eq!(cause(&verify(path)), Cause::Missing(4, 4));
        },
    );
    // In a database, whose cursor is at such a record.
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("audit.db");
    database(&path, &lines[..3]).close().unwrap();
    let outcome = verify(&path);
    assert_eq!(outcome.exit_code(), 2, "{outcome:#?}");
}

#[test]
fn a_receipt_for_a_file_of_which_nothing_is_left_is_a_break() {
    let lines = chain(STREAM, 3);
    let receipt = format!("{STREAM}:3:{}", lines[2].hash).parse().unwrap();
    let verifier = Verifier::new().receipt(receipt);
    let mangled = String::from_utf8(text(&lines)).unwrap().replace("\"hash\"", "\"hush\"");
    in_a_directory(
        &lines,
        |path| fs::write(path, mangled).unwrap(),
        |path| {
            assert_eq!(verify(path).exit_code(), 2);
            assert!(matches!(cause(&verifier.verify(&[path])), Cause::StreamAbsent(_)));
        },
    );
    // Emptied, and something unreadable laid beside it.
    let hinder = |path: &Path| fs::create_dir(path.with_extension("log.9")).unwrap();
    in_a_directory(&[], hinder, |path| {
        assert!(matches!(cause(&verifier.verify(&[path])), Cause::StreamAbsent(_)));
    });
}

#[test]
fn a_tail_of_zero_bytes_is_torn_and_no_break() {
    let lines = chain(STREAM, 4);
    let (whole, bytes) = (text(&lines[..3]), text(&lines));
    for end in [whole.len(), whole.len() + 1, whole.len() + 300, bytes.len() - 1] {
        for zeros in [1, 4096, 3 << 20] {
            let torn = [&bytes[..end], &vec![0; zeros]].concat();
            in_a_directory(
                &[],
                |path| fs::write(path, torn).unwrap(),
                |path| {
                    let outcome = verify(path);
                    assert!(outcome.is_intact(), "{end} {zeros}: {outcome:#?}");
                    let there = if end == bytes.len() - 1 { 4 } else { 3 };
                    assert_eq!(outcome.paths[0].records(), there);
                    assert_eq!(outcome.paths[0].notices.len(), 1);
                },
            );
        }
    }
}

#[test]
fn zero_bytes_before_something_else_are_no_torn_tail() {
    for (zeros, after) in [(1, &b"x"[..]), (3 << 20, b"x"), (5, b"\n"), (3 << 20, b"\n")] {
        let bytes = [&text(&chain(STREAM, 3))[..], &vec![0; zeros], after].concat();
        in_a_directory(
            &[],
            |path| fs::write(path, bytes).unwrap(),
            |path| {
                only_break(&verify(path));
            },
        );
    }
}
