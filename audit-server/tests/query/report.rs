//! The command `audit-server report`, as a process.

use std::{
    path::Path,
    process::{Command, Output},
};

use audit_layer::record::Member;
use serde_json::Value;
use tempfile::TempDir;

use super::support::{Trail, event};

const HOUR: i64 = 3_600_000_000;

const EVIL: &str = "<script>\u{1b}[2J\u{202e}";

fn trail() -> (TempDir, Trail) {
    let directory = tempfile::tempdir().unwrap();
    let mut trail = Trail::create(&directory.path().join("audit.db"));
    for n in 0..30 {
        let login = event("auth.failed", HOUR + n * 1_000_000);
        trail.write(login.set(Member::UserId, EVIL).set(Member::Status, "failure"));
    }
    (directory, trail)
}

fn run(directory: &Path, args: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_audit-server"));
    command.arg("report").args(args).current_dir(directory).env_clear();
    // What is read is not to change while it is looked at.
    command.env("AUDIT_SERVER_JOURNAL", "off");
    command.env("AUDIT_SERVER_READ_MODEL", "off").output().unwrap()
}

fn printed(directory: &Path, args: &[&str]) -> String {
    let output = run(directory, args);
    let told = String::from_utf8(output.stderr).unwrap();
    assert_eq!((output.status.code(), &*told), (Some(0), ""), "{args:?}");
    String::from_utf8(output.stdout).unwrap()
}

const REPORTS: [&str; 4] = ["security", "trading", "compliance", "anomalies"];

#[test]
fn each_report_is_printed_as_text_json_and_a_page() {
    let (directory, _trail) = trail();
    for report in REPORTS {
        let of = |output| {
            let args = [report, "--end", "2026-11-21", "--output", output];
            printed(directory.path(), &args)
        };
        let json: Value = serde_json::from_str(&of("json")).unwrap();
        assert_eq!(json["header"]["report"], report);
        assert_eq!(json["header"]["window"]["to"], "2026-11-21T23:59:59.999999Z");
        for text in [of("text"), of("html")] {
            assert!(!text.contains(EVIL), "{report}: {text}");
            assert!(text.contains("2026-11-21T23:59:59"), "{report}: {text}");
        }
        let page = of("html");
        assert!(page.starts_with("<!DOCTYPE html>") && !page.contains("<script"), "{page}");
    }
    let security = printed(directory.path(), &["security", "--end", "2026-11-21"]);
    assert!(security.contains("30"), "{security}");
}

#[test]
fn a_report_goes_into_a_file_that_is_not_there_yet() {
    let (directory, _trail) = trail();
    let args = ["security", "--output", "html", "--to", "security.html"];
    assert_eq!(printed(directory.path(), &args), "");
    let page = std::fs::read_to_string(directory.path().join("security.html")).unwrap();
    assert!(page.ends_with("</html>\n") || page.ends_with("</html>"), "{page}");
    let again = run(directory.path(), &args);
    assert!(!again.status.success());
    assert!(String::from_utf8(again.stderr).unwrap().contains("--force"));
}

#[test]
fn a_read_model_that_is_not_there_is_missed() {
    let (directory, _trail) = trail();
    let output = run(directory.path(), &["security", "--read-model", "nowhere.db"]);
    let told = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success() && told.contains("nowhere.db"), "{told}");
}

#[test]
fn what_is_wrong_with_a_question_is_said_by_name() {
    let (directory, _trail) = trail();
    for (args, told) in [
        (&["compliance", "--regulations", "BASEL"][..], "--regulations is malformed"),
        (&["anomalies", "--threshold", "0.1"], "--threshold is malformed"),
        (&["security", "--end", "tomorrow"], "--end is malformed"),
        (&["security", "--db", "nowhere.db"], "nowhere.db"),
        (&["security", "--report-timeout", "soon"], "--report-timeout"),
    ] {
        let output = run(directory.path(), args);
        let error = String::from_utf8(output.stderr).unwrap();
        assert!(!output.status.success() && error.contains(told), "{args:?}: {error}");
    }
}
