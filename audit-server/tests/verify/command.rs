use std::process::ExitCode;

use audit_server::verify::{VerifyArgs, run};
use clap::Parser;
use serde_json::Value;

use super::fixture::{STREAM, chain, rotated, write};

#[derive(Debug, Parser)]
struct Cli {
    #[command(flatten)]
    args: VerifyArgs,
}

pub(crate) fn run_with(args: &[&str]) -> (String, String) {
    let cli = Cli::try_parse_from([&["verify"], args].concat()).unwrap();
    let mut out = Vec::new();
    let code = run(&cli.args, &mut out);
    (format!("{code:?}"), String::from_utf8(out).unwrap())
}

fn code(code: u8) -> String {
    format!("{:?}", ExitCode::from(code))
}

#[test]
fn people_read_a_table_and_a_verdict() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("audit.log");
    let mut lines = chain(STREAM, 9);
    let left = rotated(&lines, 3, "file");
    write(&path, &left);
    let head = format!("{STREAM}:10:{}", left[7].hash);
    let name = path.to_str().unwrap();
    let (exit, out) = run_with(&[name, "--receipt", &head]);
    assert_eq!(exit, code(0), "{out}");
    assert!(out.ends_with("\nintact\n"), "{out}");
    assert!(out.contains("starts at seq 3, earlier rotated away"), "{out}");
    assert!(out.contains(&format!("receipt to keep: {head}")), "{out}");
    assert!(out.contains("confirmed"), "{out}");

    lines.remove(5);
    write(&path, &lines);
    let (exit, out) = run_with(&[name]);
    assert_eq!(exit, code(1));
    let verdict = format!(
        "BROKEN: {name}: {STREAM} seq 7 at {name} line 6 – the record before it, seq 6, is missing\n"
    );
    assert!(out.ends_with(&verdict), "{out}");

    let (exit, out) = run_with(&["/no/such/file"]);
    assert_eq!(exit, code(2));
    assert!(out.starts_with("COULD NOT READ: /no/such/file: "), "{out}");
}

#[test]
fn programs_read_one_json_object() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("audit.log");
    let mut lines = chain(STREAM, 9);
    lines.remove(5);
    write(&path, &lines);
    let (exit, out) = run_with(&["--json", path.to_str().unwrap()]);
    assert_eq!(exit, code(1));
    let report: Value = serde_json::from_str(&out).unwrap();
    assert_eq!(report["outcome"], "broken");
    assert_eq!(report["exit_code"], 1);
    assert_eq!(report["breaks"][0]["seq"], 7);
    assert_eq!(report["breaks"][0]["line"], 6);
    let stream = &report["paths"][0]["streams"][0];
    assert_eq!(stream["head_hash"], lines[4].hash.to_string());
    assert_eq!((&stream["first_seq"], &stream["last_seq"]), (&1.into(), &5.into()));
}

#[test]
fn bad_arguments_exit_with_2() {
    for args in
        [&["verify"][..], &["verify", "x", "--receipt", "nonsense"], &["verify", "--what", "x"]]
    {
        let error = Cli::try_parse_from(args).unwrap_err();
        assert_eq!(error.exit_code(), 2, "{error}");
    }
}
