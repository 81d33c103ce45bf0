//! The command `audit-server export`, as a process.

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::Path,
    process::{Command, Output},
};

use audit_layer::record::Member;
use serde_json::Value;
use tempfile::TempDir;

use super::support::{Trail, event};

fn trail(records: i64) -> (TempDir, Trail, Vec<String>) {
    let directory = tempfile::tempdir().unwrap();
    let mut trail = Trail::create(&directory.path().join("audit.db"));
    let lines = trail.write_all((0..records).map(|at| {
        let event = event(if at % 2 == 0 { "auth.login" } else { "trade.executed" }, at);
        event.set(Member::Message, "one, \"two\"\nthree").set(Member::UserId, "u-1")
    }));
    (directory, trail, lines)
}

fn command(directory: &Path, args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_audit-server"));
    command.arg("export").args(args).current_dir(directory).env_clear();
    // What is read is not to change while it is looked at.
    command.env("AUDIT_SERVER_JOURNAL", "off");
    command
}

fn run(directory: &Path, args: &[&str]) -> Output {
    command(directory, args).output().unwrap()
}

/// Runs what must do well, and reads the manifest that it prints.
fn exported(directory: &Path, args: &[&str]) -> Value {
    let output = run(directory, args);
    let told = String::from_utf8(output.stderr).unwrap();
    assert_eq!((output.status.code(), &*told), (Some(0), ""), "{args:?}");
    serde_json::from_slice(&output.stdout).unwrap()
}

/// Why it fails.
fn refused(directory: &Path, args: &[&str]) -> String {
    let output = run(directory, args);
    assert_eq!(output.status.code(), Some(1), "{args:?}");
    String::from_utf8(output.stderr).unwrap()
}

fn sha256(path: &Path) -> String {
    let output = Command::new("sha256sum").arg(path).output().unwrap();
    String::from_utf8(output.stdout).unwrap()[..64].to_owned()
}

fn names(directory: &Path) -> Vec<String> {
    let entries = fs::read_dir(directory).unwrap();
    let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<_> = names.filter(|name| !name.starts_with("audit.db")).collect();
    names.sort();
    names
}

#[test]
fn a_file_has_what_is_stored_and_its_manifest_beside_it() {
    let (directory, _trail, lines) = trail(5_000);
    let at = directory.path();
    let manifest = exported(at, &["--output", "all.ndjson"]);
    assert_eq!(names(at), ["all.ndjson", "all.ndjson.manifest.json"]);
    let file = at.join("all.ndjson");
    assert_eq!(fs::read_to_string(&file).unwrap(), lines.join("\n") + "\n");
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(manifest["sha256"], sha256(&file));
    assert_eq!((&manifest["records"], &manifest["complete"]), (&5_000.into(), &true.into()));
    assert_eq!(manifest["streams"][0]["last_seq"], 5_000);
    let beside = fs::read_to_string(at.join("all.ndjson.manifest.json")).unwrap();
    assert_eq!(serde_json::from_str::<Value>(&beside).unwrap(), manifest);

    let manifest =
        exported(at, &["category = auth", "--limit", "7", "--format", "json", "-o", "some.json"]);
    let some: Vec<Value> =
        serde_json::from_slice(&fs::read(at.join("some.json")).unwrap()).unwrap();
    let expected: Vec<Value> =
        lines.iter().step_by(2).take(7).map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(some, expected);
    assert_eq!(manifest["complete"], false);
    let cursor = manifest["cursor"].as_str().unwrap();
    exported(at, &["category = auth", "--cursor", cursor, "-o", "rest.ndjson"]);
    let rest = fs::read_to_string(at.join("rest.ndjson")).unwrap();
    assert_eq!(rest.lines().count(), 2_500 - 7);
    assert_eq!(rest.lines().next().unwrap(), lines[14]);

    for (word, program, name) in [("gzip", "gzip", "all.gz"), ("zstd", "zstd", "all.zst")] {
        let manifest = exported(at, &["--compression", word, "--output", name]);
        assert_eq!(manifest["sent_sha256"], sha256(&at.join(name)));
        let plain = Command::new(program).args(["-dc", name]).current_dir(at).output().unwrap();
        assert!(plain.stdout == fs::read(&file).unwrap(), "{word}");
    }
}

#[test]
fn nothing_is_replaced_unless_it_is_asked_for() {
    let (directory, _trail, _) = trail(10);
    let at = directory.path();
    fs::write(at.join("mine"), "precious").unwrap();
    assert!(refused(at, &["--output", "mine"]).contains("--force replaces it"));
    assert_eq!(fs::read_to_string(at.join("mine")).unwrap(), "precious");
    assert_eq!(names(at), ["mine"]);
    fs::write(at.join("other.part"), "left").unwrap();
    assert!(refused(at, &["--output", "other"]).contains("--resume goes on"));
    assert_eq!(fs::read_to_string(at.join("other.part")).unwrap(), "left");
    for name in ["mine", "other"] {
        let manifest = exported(at, &["--output", name, "--force"]);
        assert_eq!(manifest["sha256"], sha256(&at.join(name)));
    }
}

#[test]
fn standard_output_gets_the_records_alone() {
    let (directory, _trail, lines) = trail(1_000);
    let output = run(directory.path(), &["--output", "-"]);
    assert_eq!(output.status.code(), Some(0));
    assert_eq!(String::from_utf8(output.stdout).unwrap(), lines.join("\n") + "\n");
    let manifest: Value = serde_json::from_slice(&output.stderr).unwrap();
    assert_eq!(manifest["records"], 1_000);
    assert_eq!(names(directory.path()), [] as [&str; 0]);
}

/// Interrupts an export when its file has so many KiB.
fn interrupted(directory: &Path, kib: u32, args: &[&str]) {
    let limited = format!("ulimit -f {}; trap '' XFSZ; exec \"$0\" export \"$@\"", kib * 2);
    let output = Command::new("sh")
        .args(["-c", &limited, env!("CARGO_BIN_EXE_audit-server")])
        .args(args)
        .current_dir(directory)
        .env("AUDIT_SERVER_JOURNAL", "off")
        .output()
        .unwrap();
    assert!(!output.status.success());
}

#[test]
fn an_interrupted_export_is_gone_on_with_wherever_it_was_cut() {
    let (directory, mut trail, _) = trail(10_000);
    let at = directory.path();
    for format in ["ndjson", "json", "csv"] {
        let args = ["--format", format, "--output", "out"];
        exported(at, &["--format", format, "--output", "whole"]);
        let whole = fs::read(at.join("whole")).unwrap();
        interrupted(at, 512, &args);
        let part = fs::read(at.join("out.part")).unwrap();
        assert!(!part.is_empty() && part.len() < whole.len(), "{}", part.len());
        assert!(whole.starts_with(&part), "{format}");
        let about = fs::read(at.join("out.part.json")).unwrap();
        // What arrives after it began is none of its.
        trail.write(event("auth.login", 0));
        let mut cuts = vec![0, 1, 2, 3, part.len(), whole.len() - 1, whole.len()];
        cuts.extend((0..12).map(|at| part.len() / 3 + at * 61));
        for cut in cuts {
            fs::write(at.join("out.part"), &whole[..cut]).unwrap();
            fs::write(at.join("out.part.json"), &about).unwrap();
            let manifest = exported(at, &[&args[..], &["--resume"]].concat());
            assert!(fs::read(at.join("out")).unwrap() == whole, "{format} cut at {cut}");
            assert_eq!(manifest["sha256"], sha256(&at.join("out")), "{format} cut at {cut}");
            assert_eq!(
                (&manifest["records"], &manifest["complete"]),
                (&10_000.into(), &true.into())
            );
            assert_eq!(manifest["streams"][0]["first_seq"], 1);
            assert_eq!(names(at), ["out", "out.manifest.json", "whole", "whole.manifest.json"]);
            fs::remove_file(at.join("out")).unwrap();
            fs::remove_file(at.join("out.manifest.json")).unwrap();
        }
        // Its middle is not trusted.
        let mut bent = part.clone();
        let line_end = bent.iter().position(|byte| *byte == b'\n').unwrap() + 1;
        bent.splice(line_end..line_end, *b"junk\n");
        fs::write(at.join("out.part"), &bent).unwrap();
        fs::write(at.join("out.part.json"), &about).unwrap();
        assert!(refused(at, &[&args[..], &["--resume"]].concat()).contains("damaged"), "{format}");
        // Nor is it gone on with as something else.
        fs::write(at.join("out.part"), &part).unwrap();
        let other =
            refused(at, &["--format", format, "--output", "out", "--resume", "--user", "u-1"]);
        assert!(other.contains("a part of another export"), "{other}");
        for name in ["out.part", "out.part.json", "whole", "whole.manifest.json"] {
            fs::remove_file(at.join(name)).unwrap();
        }
        trail = {
            drop(trail);
            for suffix in ["", "-wal", "-shm"] {
                let _ = fs::remove_file(at.join(format!("audit.db{suffix}")));
            }
            let mut trail = Trail::create(&at.join("audit.db"));
            trail.write_all((0..10_000).map(|micros| event("auth.login", micros)));
            trail
        };
    }
}

#[test]
fn lines_that_were_left_out_before_an_interruption_are_counted() {
    let directory = tempfile::tempdir().unwrap();
    let at = directory.path();
    let mut trail = Trail::create(&at.join("audit.db"));
    for (seq, records) in [(9_001, 20), (9_002, 9_978)] {
        let event = |at| event("auth.login", at).set(Member::UserId, "u-1");
        trail.write_all((0..records).map(event));
        trail.execute(&format!(
            "INSERT INTO audit_logs (stream, seq, id, timestamp, event_type, record)
             VALUES ('x', {seq}, '{seq}', 0, 'x', 'junk')"
        ));
    }
    for filter in [&[][..], &["--user", "u-1"]] {
        let args = [&["--output", "out"], filter].concat();
        interrupted(at, 512, &args);
        let output = run(at, &[&args[..], &["--resume"]].concat());
        let manifest: Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!((&manifest["records"], &manifest["damaged"]), (&9_998.into(), &2.into()));
        fs::remove_file(at.join("out")).unwrap();
        fs::remove_file(at.join("out.manifest.json")).unwrap();
    }
}

#[test]
fn a_mistake_is_told_of_by_its_flag() {
    let (directory, _trail, _) = trail(10);
    let at = directory.path();
    for (args, named) in [
        (&["--severity", "bad"][..], "--severity"),
        (&["--start", "soon"], "--start"),
        (&["--limit", "0"], "--limit"),
        (&["--after", "x"], "--after"),
        (&["--cursor", "x"], "--cursor"),
        (&["a ="], "the expression"),
    ] {
        let told = refused(at, &[args, &["--output", "out"]].concat());
        assert!(told.contains(named), "{told}");
    }
    assert!(refused(at, &["--db", "none.db", "--output", "out"]).contains("no audit trail"));
    assert_eq!(names(at), [] as [&str; 0]);
}
