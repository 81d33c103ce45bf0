//! Our verifier against one that shares no code with it.

use std::{
    path::Path,
    process::{Command, Stdio},
};

use audit_layer::record::{Hash, Line};

use super::{
    fixture::{OTHER, STREAM, chain, interleave, record, rotated, write},
    verify,
};

fn second_opinion(path: &Path) -> i32 {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/support/verify_chain.py");
    Command::new("python3")
        .arg(script)
        .arg(path)
        .stdout(Stdio::null())
        .status()
        .unwrap_or_else(|error| panic!("python3 is needed for this test, install it: {error}"))
        .code()
        .unwrap()
}

#[test]
fn an_independent_verifier_comes_to_the_same_verdict() {
    let lines = interleave(&chain(STREAM, 8), &chain(OTHER, 8));
    let edited = |edit: &dyn Fn(&mut Vec<Line>)| {
        let mut lines = lines.clone();
        edit(&mut lines);
        lines
    };
    let replace = |lines: &mut Vec<Line>, from: &str, to: &str| {
        lines[6].text = lines[6].text.replacen(from, to, 1).into();
    };
    let cases = [
        ("intact", 0, lines.clone()),
        ("late start", 0, rotated(&chain(STREAM, 8), 4, "file")),
        ("cut tail", 0, edited(&|l| l.truncate(9))),
        ("changed value", 1, edited(&|l| replace(l, "success", "failure"))),
        ("changed number", 1, edited(&|l| replace(l, "\"seq\":4", "\"seq\":5"))),
        ("changed hash", 1, edited(&|l| replace(l, "\"hash\":\"", "\"hash\":\"0"))),
        ("removed", 1, edited(&|l| drop(l.remove(6)))),
        ("swapped", 1, edited(&|l| l.swap(4, 6))),
        ("repeated", 1, edited(&|l| l.insert(6, l[6].clone()))),
        ("replaced", 1, edited(&|l| l[6] = record(STREAM, 4, l[4].hash, "forged"))),
        ("inserted", 1, edited(&|l| l.insert(7, record(STREAM, 5, l[6].hash, "forged")))),
        ("false start", 1, edited(&|l| l[0] = record(STREAM, 1, l[1].hash, ""))),
        ("no predecessor", 1, vec![record(STREAM, 2, Hash::ZERO, "")]),
    ];
    for (name, expected, lines) in cases {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("audit.log");
        write(&path, &lines);
        let outcome = verify(&path);
        assert_eq!(i32::from(outcome.exit_code()), expected, "{name}: {outcome:#?}");
        assert_eq!(second_opinion(&path), expected, "{name}");
    }
}
