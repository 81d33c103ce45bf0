//! The command `audit-server query`, as a process.

use std::{
    fs::File,
    io::{BufRead, BufReader, Read},
    path::Path,
    process::{Command, Output, Stdio},
};

use audit_layer::record::{Member, Severity, Value};
use rustix::{
    fs::OFlags,
    pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt},
    termios::{Winsize, tcsetwinsize},
};
use tempfile::TempDir;

use super::support::{Trail, event};

const EVIL: &str = "\u{1b}[2J\u{9b}31m=1+1\u{202e}";

/// A trail of a login, a failed one, and a trade.
fn trail() -> (TempDir, Trail) {
    let directory = tempfile::tempdir().unwrap();
    let mut trail = Trail::create(&directory.path().join("audit.db"));
    let login = event("auth.login", 0).set(Member::UserId, "u-1").set(Member::Status, "success");
    trail.write(login.set(Member::Message, "Login of john, \"the\" doe"));
    let failed = event("auth.failed", 1_000_000).with(|draft| {
        draft.severity = Severity::Warning;
        draft.details = vec![("attempt".into(), Value::U64(3))];
    });
    let failed = failed.set(Member::UserId, "=cmd|' /C calc'!A0").set(Member::Status, "failure");
    trail.write(failed.set(Member::Message, EVIL).set(Member::IpAddress, "192.0.2.7"));
    let trade = event("trade.executed", 2_000_000).with(|draft| {
        draft.details = vec![("amount".into(), Value::Str("-12.50"))];
    });
    trail.write(trade.set(Member::Action, "-12.5").set(Member::Message, "Trade executed"));
    (directory, trail)
}

fn command(directory: &Path, args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_audit-server"));
    command.arg("query").args(args).current_dir(directory).env_clear();
    // What is read is not to change while it is looked at.
    command.env("AUDIT_SERVER_JOURNAL", "off");
    command
}

fn run(directory: &Path, args: &[&str]) -> Output {
    command(directory, args).output().unwrap()
}

/// What is printed by a command that must do well, and say nothing else.
fn printed(directory: &Path, args: &[&str]) -> String {
    let output = run(directory, args);
    let told = String::from_utf8(output.stderr).unwrap();
    assert_eq!((output.status.code(), &*told), (Some(0), ""), "{args:?}");
    String::from_utf8(output.stdout).unwrap()
}

fn types(lines: &str) -> Vec<String> {
    let json = |line| serde_json::from_str::<serde_json::Value>(line).unwrap();
    lines.lines().map(|line| json(line)["event_type"].as_str().unwrap().to_owned()).collect()
}

/// The command on a terminal of so many columns: what appears there.
fn on_a_terminal(
    directory: &Path,
    columns: u16,
    environment: &[(&str, &str)],
    args: &[&str],
) -> String {
    let terminal = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
    grantpt(&terminal).unwrap();
    unlockpt(&terminal).unwrap();
    let name = ptsname(&terminal, Vec::new()).unwrap();
    let flags = OFlags::RDWR | OFlags::NOCTTY;
    let other_end = rustix::fs::open(&*name, flags, rustix::fs::Mode::empty()).unwrap();
    let size = Winsize { ws_row: 24, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 };
    tcsetwinsize(&other_end, size).unwrap();
    let mut command = command(directory, args);
    command.envs(environment.iter().copied()).stdout(other_end).stderr(Stdio::null());
    let mut child = command.spawn().unwrap();
    // With it goes our own copy of the other end, so that reading comes to an end.
    drop(command);
    let mut seen = Vec::new();
    // A terminal that was hung up says so with an error, after all that was written.
    let _ = File::from(terminal).read_to_end(&mut seen);
    assert!(child.wait().unwrap().success());
    String::from_utf8(seen).unwrap().replace("\r\n", "\n")
}

#[test]
fn each_flag_is_the_filter_of_its_name() {
    let (directory, _trail) = trail();
    let all = ["trade.executed", "auth.failed", "auth.login"];
    let cases: &[(&[&str], &[&str])] = &[
        (&[], &all),
        (&["status = failure OR trade"], &all[..2]),
        (&["--filter", "status = failure OR trade"], &all[..2]),
        (&["--type", "auth.*"], &all[1..]),
        (&["--type", "auth.login", "--type", "trade.*"], &["trade.executed", "auth.login"]),
        (&["--user", "u-1"], &all[2..]),
        (&["--severity", "warning"], &all[1..2]),
        (&["--status", "success"], &all[2..]),
        (&["--text", "john doe"], &all[2..]),
        (&["--start", "2026-11-21T00:00:01Z", "--end", "2026-11-21"], &all[..2]),
        (&["--end", "2026-11-20"], &[]),
        (&["--where", "details.attempt>=3"], &all[1..2]),
        (&["--where", "details.attempt>3"], &[]),
        (&["--where", "status!=success", "--where", "status!=failure"], &all[..1]),
        (&["--where", "ip_address=192.0.2.7"], &all[1..2]),
        (&["--order", "asc"], &["auth.login", "auth.failed", "trade.executed"]),
        (&["--db", "audit.db", "--all"], &all),
    ];
    for (args, expected) in cases {
        assert_eq!(types(&printed(directory.path(), args)), *expected, "{args:?}");
    }
    let elsewhere = tempfile::tempdir().unwrap();
    let path = directory.path().join("audit.db");
    let output = command(elsewhere.path(), &[]).env("AUDIT_DB", &path).output().unwrap();
    assert_eq!(types(&String::from_utf8(output.stdout).unwrap()), all);
}

#[test]
fn lines_are_those_of_the_trail_byte_for_byte() {
    let directory = tempfile::tempdir().unwrap();
    let mut trail = Trail::create(&directory.path().join("audit.db"));
    let lines =
        trail.write_all((0..3).map(|at| event("auth.login", at).set(Member::Message, EVIL)));
    let expected: String = lines.iter().rev().map(|line| format!("{line}\n")).collect();
    assert_eq!(printed(directory.path(), &[]), expected);
    assert_eq!(printed(directory.path(), &["--output", "jsonl"]), expected);
}

#[test]
fn a_mistake_names_its_flag_and_exits_with_1() {
    let (directory, _trail) = trail();
    let elsewhere = tempfile::tempdir().unwrap();
    for (args, expected) in [
        (&["status = "][..], "the expression is malformed: at column 10: a value is expected"),
        (&["--filter", "status = "], "--filter is malformed: at column 10"),
        (&["--user", ""], "--user is malformed"),
        (&["--type", "auth"], "--type is malformed"),
        (&["--severity", "high"], "--severity is malformed"),
        (&["--start", "soon"], "--start is malformed"),
        (&["--order", "up"], "--order is malformed: it is one of desc, asc, arrival"),
        (&["--cursor", "AAAA"], "--cursor is malformed"),
        (&["--where", "details.attempt>=x"], "details.attempt>= is malformed"),
        (&["--where", "usr=x"], "there is no parameter \"usr\""),
        (&["--user", "a", "--where", "user_id=b"], "user_id may be given once only"),
        (&["--db", "no/such.db"], "no audit trail at no/such.db"),
    ] {
        let output = run(directory.path(), args);
        let told = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{args:?}: {told}");
        assert!(output.stdout.is_empty());
        assert!(told.starts_with("audit-server: ") && told.contains(expected), "{args:?}: {told}");
    }
    let output = run(elsewhere.path(), &["--output", "table"]);
    assert_eq!(output.status.code(), Some(1));
    for args in [&["--limit", "0"][..], &["--limit", "1", "--all"], &["a", "--filter", "b"]] {
        assert_eq!(run(directory.path(), args).status.code(), Some(2), "{args:?}");
    }
}

#[test]
fn a_cut_answer_says_so_and_its_cursor_goes_on_to_the_end() {
    let directory = tempfile::tempdir().unwrap();
    let mut trail = Trail::create(&directory.path().join("audit.db"));
    let mut lines = trail.write_all((0..2_500).map(|at| event("auth.login", at)));
    lines.reverse();
    let mut found = Vec::new();
    let mut args = vec!["--limit".to_owned(), "1200".to_owned()];
    for count in [1200, 1200, 100] {
        let args_now: Vec<_> = args.iter().map(String::as_str).collect();
        let output = run(directory.path(), &args_now);
        assert_eq!(output.status.code(), Some(0));
        let page = String::from_utf8(output.stdout).unwrap();
        assert_eq!(page.lines().count(), count);
        found.extend(page.lines().map(str::to_owned));
        let told = String::from_utf8(output.stderr).unwrap();
        if count == 100 {
            assert_eq!(told, "");
        } else {
            assert!(told.starts_with("audit-server: 1200 records, there may be more: "), "{told}");
            args.truncate(2);
            let cursor = told.split_once("--cursor ").unwrap().1.split(' ').next().unwrap();
            args.extend(["--cursor".to_owned(), cursor.to_owned()]);
        }
    }
    assert_eq!(found, lines);
    let all = printed(directory.path(), &["--all"]);
    assert_eq!(all.lines().collect::<Vec<_>>(), lines);
    for order in [["--order", "arrival"], ["--where", "order=arrival"]] {
        let output = run(directory.path(), &["--all", "--user", "nobody", order[0], order[1]]);
        let told = String::from_utf8(output.stderr).unwrap();
        assert!(output.stdout.is_empty() && told.contains("goes on with what arrives"), "{told}");
    }
}

#[test]
fn what_takes_too_long_is_cut_with_a_cursor() {
    let directory = tempfile::tempdir().unwrap();
    let mut trail = Trail::create(&directory.path().join("audit.db"));
    trail.write_all((0..60_000).map(|at| event("auth.login", at)));
    let output = run(directory.path(), &["--user", "nobody", "--timeout", "5ms"]);
    let told = String::from_utf8(output.stderr).unwrap();
    match output.status.code() {
        // A machine that is busy may not get anywhere in that time.
        Some(1) => assert!(told.contains("the query timed out"), "{told}"),
        code => {
            assert_eq!(code, Some(0));
            assert!(
                told.starts_with("audit-server: time is up after 0 records: --cursor "),
                "{told}"
            );
        }
    }
}

#[test]
fn a_closed_pipe_ends_it_quietly() {
    let directory = tempfile::tempdir().unwrap();
    let mut trail = Trail::create(&directory.path().join("audit.db"));
    trail.write_all((0..5_000).map(|at| event("auth.login", at)));
    for output in ["jsonl", "csv", "table"] {
        let mut command = command(directory.path(), &["--all", "--output", output]);
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut first = String::new();
        BufReader::with_capacity(16, child.stdout.take().unwrap()).read_line(&mut first).unwrap();
        let output = child.wait_with_output().unwrap();
        assert_eq!(output.status.code(), Some(0));
        assert_eq!(String::from_utf8(output.stderr).unwrap(), "");
    }
}

#[test]
fn a_terminal_gets_a_table_of_its_width_that_can_do_nothing_to_it() {
    let (directory, _trail) = trail();
    let seen = on_a_terminal(directory.path(), 70, &[], &["--order", "asc"]);
    let rows: Vec<_> = seen.lines().collect();
    let plain = |row: &str| {
        let row = row.replace("\u{1b}[32m", "").replace("\u{1b}[33m", "").replace("\u{1b}[0m", "");
        assert!(!row.contains(char::is_control) && !row.contains('\u{202e}'), "{row:?}");
        row
    };
    assert_eq!(rows.len(), 4, "{seen}");
    assert!(rows[0].starts_with("TIME (UTC)               SEVERITY  TYPE"), "{seen}");
    assert!(rows[1].contains("2026-11-21 00:00:00.000  \u{1b}[32minfo\u{1b}[0m      auth.login"));
    assert!(rows[2].contains("\u{1b}[33mwarning\u{1b}[0m"), "{seen}");
    for row in &rows {
        assert!(plain(row).chars().count() <= 70, "{row}");
    }
    assert_eq!(plain(rows[2]).chars().count(), 70);
    let wide = on_a_terminal(directory.path(), 200, &[], &[]);
    assert!(wide.contains(r"\u{1b}[2J\u{9b}31m=1+1\u{202e}"), "{wide}");
}

#[test]
fn no_color_and_the_flag_decide_about_colours() {
    let (directory, _trail) = trail();
    let colored = |environment: &[(&str, &str)], args: &[&str]| {
        on_a_terminal(directory.path(), 100, environment, args).contains("\u{1b}[3")
    };
    assert!(colored(&[], &[]) && colored(&[("NO_COLOR", "")], &[]));
    assert!(!colored(&[("NO_COLOR", "1")], &[]) && !colored(&[("TERM", "dumb")], &[]));
    assert!(!colored(&[], &["--color", "never"]));
    assert!(colored(&[("NO_COLOR", "1")], &["--color", "always"]));
    let table = printed(directory.path(), &["--output", "table"]);
    assert!(!table.contains('\u{1b}') && table.contains(r"\u{1b}[2J"), "{table}");
    let table = printed(directory.path(), &["--output", "table", "--color", "always"]);
    assert!(table.contains("\u{1b}[33mwarning\u{1b}[0m"), "{table}");
}

#[test]
fn other_forms_do_nothing_to_a_terminal_either() {
    let (directory, _trail) = trail();
    for output in ["jsonl", "csv"] {
        let seen = on_a_terminal(directory.path(), 80, &[], &["--output", output]);
        let acts = |c: char| c.is_control() && c != '\n' || c == '\u{202e}';
        assert!(!seen.contains(acts), "{seen:?}");
    }
    let seen = on_a_terminal(directory.path(), 80, &[], &["--output", "jsonl", "--user", "u-1"]);
    assert_eq!(seen, printed(directory.path(), &["--user", "u-1"]));
}

#[test]
fn a_spreadsheet_gets_every_member_and_no_formula() {
    let (directory, _trail) = trail();
    let text = printed(directory.path(), &["--output", "csv", "--order", "asc"]);
    let mut reader = csv::Reader::from_reader(text.as_bytes());
    let heads = reader.headers().unwrap().clone();
    let names: Vec<_> = Member::ALL.iter().map(|member| member.name()).chain(["hash"]).collect();
    assert_eq!(heads.iter().collect::<Vec<_>>(), names);
    let rows: Vec<_> = reader.records().map(Result::unwrap).collect();
    assert_eq!(rows.len(), 3);
    let cell = |row: usize, name: &str| {
        rows[row].get(names.iter().position(|known| *known == name).unwrap()).unwrap().to_owned()
    };
    assert_eq!(cell(0, "message"), "Login of john, \"the\" doe");
    assert_eq!((cell(0, "seq"), cell(0, "details")), ("1".to_owned(), String::new()));
    assert_eq!(cell(1, "user_id"), "'=cmd|' /C calc'!A0");
    assert_eq!((cell(1, "message"), cell(1, "details")), (EVIL.into(), "{\"attempt\":3}".into()));
    assert_eq!(
        (cell(2, "action"), cell(2, "details")),
        ("-12.5".into(), "{\"amount\":\"-12.50\"}".into())
    );
    assert_eq!(cell(2, "timestamp"), "2026-11-21T00:00:02.000000Z");
    assert_eq!(cell(2, "prev_hash"), cell(1, "hash"));
    let empty = printed(directory.path(), &["--output", "csv", "--user", "nobody"]);
    assert_eq!(empty, format!("{}\n", names.join(",")));
}
