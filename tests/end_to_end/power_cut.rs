//! What was promised is kept when the power fails.
//!
//! The disk is one that loses what was not synced; the client, who was given receipts, is outside.

use std::{
    collections::{BTreeMap, HashMap},
    io::Read,
    path::PathBuf,
    process::{Command, Stdio},
    time::Duration,
};

use fastrand::Rng;
use serde_json::Value;
use tests::{
    disk::{Disk, Unsynced},
    programs::audit_server,
    trail_files::{database_lines, files_with_backups, lines, parse, verify_with_python},
};

/// How often the power fails before the trail is looked at.
const CUTS: u64 = 8;

/// What the client was told.
#[derive(Debug, Default)]
struct Promised {
    receipts: Vec<String>,
    /// The last event that was said to be durable, by its kind and the run.
    last: HashMap<(&'static str, u64), u64>,
}

impl Promised {
    fn hear(&mut self, said: &str) {
        // A line that was cut off was not said.
        let whole = said.rfind('\n').map_or("", |end| &said[..end]);
        for line in whole.lines() {
            let words: Vec<&str> = line.split(' ').collect();
            let number = |at: usize| words[at].parse::<u64>().unwrap();
            match words[0] {
                "receipt" => {
                    self.receipts.push(words[3].to_owned());
                    self.last.insert(("committed", number(1)), number(2));
                }
                "returned" => drop(self.last.insert(("returned", number(1)), number(2))),
                other => assert_eq!(other, "ready"),
            }
        }
    }

    fn events(&self) -> u64 {
        self.last.values().sum()
    }
}

fn committer(disk: &Disk, run: u64, how: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_committer"));
    command.arg(disk.path()).args([&run.to_string(), how]);
    command
}

/// Runs the service until the power fails; returns what its client heard.
fn run_until_power_fails(disk: &Disk, run: u64, how: &str, time: Duration) -> String {
    let mut command = committer(disk, run, how);
    let mut child = disk.attach(&mut command).stdout(Stdio::piped()).spawn().unwrap();
    let mut stdout = child.stdout.take().unwrap();
    let client = std::thread::spawn(move || {
        let mut said = Vec::new();
        stdout.read_to_end(&mut said).unwrap();
        String::from_utf8(said).unwrap()
    });
    std::thread::sleep(time);
    assert!(child.try_wait().unwrap().is_none(), "run {run} ended by itself");
    child.kill().unwrap();
    child.wait().unwrap();
    client.join().unwrap()
}

/// The numbers of the events in the order of the trail, by kind and run.
fn recorded(records: &[Value]) -> BTreeMap<(&str, u64), Vec<u64>> {
    let mut recorded: BTreeMap<_, Vec<_>> = BTreeMap::new();
    for details in records.iter().map(|record| &record["details"]) {
        if let (Some(kind), Some(run)) = (details["kind"].as_str(), details["run"].as_u64()) {
            recorded.entry((kind, run)).or_default().push(details["number"].as_u64().unwrap());
        }
    }
    recorded
}

fn judge(disk: &Disk, how: &str, promised: &Promised) {
    let log = disk.path().join("log/audit.log");
    let files = files_with_backups(&log);
    verify_with_python(&files).unwrap();
    let all: Vec<String> = files.iter().flat_map(lines).collect();
    let database = disk.path().join("db/audit.db");
    let mut paths: Vec<PathBuf> = vec![log];
    if how != "file-only" {
        let rows = database_lines(&database);
        let differ = all.iter().zip(&rows).position(|(line, row)| line != row);
        assert!(
            differ.is_none() && all.len() == rows.len(),
            "the sinks differ at line {differ:?} of {} and {}: {:?}",
            all.len(),
            rows.len(),
            differ.map(|at| (&all[at], &rows[at]))
        );
        paths.push(database);
    }
    let mut verify = audit_server();
    verify.arg("verify").args(paths);
    for receipt in &promised.receipts {
        verify.args(["--receipt", receipt]);
    }
    let verified = verify.output().unwrap();
    assert_eq!(verified.status.code(), Some(0), "{verified:?}");

    let records = parse(&all);
    let lines: HashMap<String, &Value> = records
        .iter()
        .map(|record| (format!("{}:{}", record["stream"].as_str().unwrap(), record["seq"]), record))
        .collect();
    assert_eq!(lines.len(), records.len(), "a number is there twice");
    for receipt in &promised.receipts {
        let (place, hash) = receipt.rsplit_once(':').unwrap();
        assert_eq!(lines[place]["hash"], hash, "{place}");
    }
    let recorded = recorded(&records);
    for ((kind, run), last) in &promised.last {
        let numbers = recorded.get(&(*kind, *run)).map_or(&[][..], Vec::as_slice);
        let there = numbers.iter().filter(|number| *number <= last).count() as u64;
        assert_eq!(there, *last, "{kind} events of run {run}");
    }
    for ((kind, run), numbers) in &recorded {
        assert!(numbers.is_sorted_by(|a, b| a < b), "{kind} events of run {run}: each once");
    }
}

/// Cuts the power again and again, at the start of the service too, and judges in the end.
fn cut_again_and_again(how: &str, unsynced: Unsynced, seed: u64) {
    let mut chance = Rng::with_seed(seed);
    let disk = Disk::new();
    let mut promised = Promised::default();
    for run in 1..=CUTS {
        let time = if run % 4 == 0 { 0..40 } else { 40..250 };
        let time = Duration::from_millis(chance.u64(time));
        promised.hear(&run_until_power_fails(&disk, run, how, time));
        disk.cut_power(unsynced, &mut chance);
    }
    println!("{how} {unsynced:?} {seed}: {} events were promised", promised.events());
    assert!(promised.events() > 50 && promised.receipts.len() > 5, "{promised:?}");
    let next = committer(&disk, 0, how).output().unwrap();
    assert!(next.status.success(), "{next:?}");
    judge(&disk, how, &promised);
}

fn several_times(how: &str) {
    for seed in 0..2 {
        for unsynced in [Unsynced::Lost, Unsynced::ByChance] {
            cut_again_and_again(how, unsynced, seed);
        }
    }
}

/// The file has nothing then, and the database more than a new sink is given.
#[test]
fn a_file_that_was_never_synced_gets_back_what_the_database_has() {
    let disk = Disk::new();
    let mut promised = Promised::default();
    promised.hear(&run_until_power_fails(&disk, 1, "flood", Duration::from_millis(1500)));
    disk.cut_power(Unsynced::Lost, &mut Rng::with_seed(0));
    assert_eq!(lines(disk.path().join("log/audit.log")).len(), 0);
    let had = database_lines(disk.path().join("db/audit.db")).len();
    assert!(had > 10_000, "{had}");
    assert!(committer(&disk, 0, "flood").status().unwrap().success());
    judge(&disk, "flood", &promised);
}

#[test]
fn what_was_promised_survives_a_power_cut_when_the_sinks_are_ahead_of_the_journal() {
    several_times("sinks-ahead");
}

#[test]
fn what_was_promised_survives_a_power_cut_when_the_journal_is_ahead_of_the_sinks() {
    several_times("journal-ahead");
}

#[test]
fn what_was_promised_survives_a_power_cut_when_the_journal_and_a_file_are_all_there_is() {
    several_times("file-only");
}
