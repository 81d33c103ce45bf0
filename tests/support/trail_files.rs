//! Reading what a layer wrote, with none of its code.

use std::{
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use serde_json::Value;

use crate::programs::audit_server;

/// The lines of a log file.
pub fn lines(path: impl AsRef<Path>) -> Vec<String> {
    let path = path.as_ref();
    let text =
        std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    text.lines().map(str::to_owned).collect()
}

/// The lines of a log file and its backups, oldest first.
pub fn lines_with_backups(path: impl AsRef<Path>) -> Vec<String> {
    files_with_backups(path.as_ref()).iter().flat_map(lines).collect()
}

/// A log file and its backups, oldest first.
pub fn files_with_backups(path: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for number in 1.. {
        let backup = PathBuf::from(format!("{}.{number}", path.display()));
        if !backup.exists() {
            break;
        }
        files.insert(0, backup);
    }
    files.push(path.to_path_buf());
    files
}

pub fn parse(lines: &[String]) -> Vec<Value> {
    lines.iter().map(|line| serde_json::from_str(line).expect("a line is JSON")).collect()
}

/// The records of one event type.
pub fn of_type<'r>(records: &'r [Value], event_type: &str) -> Vec<&'r Value> {
    records.iter().filter(|record| record["event_type"] == event_type).collect()
}

/// Every line of the database, in the order of arrival.
pub fn database_lines(path: impl AsRef<Path>) -> Vec<String> {
    let db = rusqlite::Connection::open_with_flags(
        path.as_ref(),
        rusqlite::OpenFlags::SQLITE_OPEN_READ_ONLY,
    )
    .expect("the database opens");
    let mut query = db.prepare("SELECT record FROM audit_logs ORDER BY arrival").expect("SQL");
    let rows = query.query_map([], |row| row.get(0)).expect("rows");
    rows.collect::<Result<_, _>>().expect("text")
}

/// Checks hashes, links and numbers of lines with Python's hashlib; returns what it says.
pub fn verify_with_python(files: &[PathBuf]) -> Result<String, String> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("support/verify_chain.py");
    let output = Command::new("python3")
        .arg(script)
        .args(files)
        .output()
        .expect("python3 cannot be started; install it: apt-get install python3");
    let said = String::from_utf8_lossy(&output.stdout).into_owned()
        + &String::from_utf8_lossy(&output.stderr);
    if output.status.success() { Ok(said) } else { Err(said) }
}

/// Waits until `what` holds; panics with its name when it does not within a generous time.
pub fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let until = Instant::now() + Duration::from_secs(90);
    while !holds() {
        assert!(Instant::now() < until, "never happened: {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// A trail in a file and a database, both of which were verified.
pub struct Trail(Vec<Value>);

impl Trail {
    /// Reads the trail of a directory: the file and the database hold the same, and two verifiers find
    /// its chain intact.
    pub fn verified(dir: &Path) -> Self {
        let log = dir.join("audit.log");
        let file = lines(&log);
        assert!(database_lines(dir.join("audit.db")) == file, "the sinks differ");
        verify_with_python(std::slice::from_ref(&log)).unwrap();
        let verified = audit_server().arg("verify").arg(&log).output().unwrap();
        assert_eq!(verified.status.code(), Some(0), "{verified:?}");
        Self(parse(&file))
    }

    /// The records of one event type.
    pub fn of_type(&self, event_type: &str) -> Vec<&Value> {
        of_type(&self.0, event_type)
    }

    /// The numbers of the events of a `bin/service.rs`: each is there once, in order.
    pub fn numbers(&self) -> Vec<u64> {
        let number = |record: &Value| record["details"]["number"].as_u64().unwrap();
        let numbers: Vec<_> = self.of_type("data.read").into_iter().map(number).collect();
        assert!(numbers.is_sorted_by(|a, b| a < b), "in order, each once");
        numbers
    }

    /// How many events the trail says were dropped, all for that reason.
    pub fn told_dropped(&self, cause: &str) -> u64 {
        let gaps = self.of_type("system.audit_gap");
        assert!(gaps.iter().all(|gap| gap["details"]["cause"] == cause), "{gaps:#?}");
        gaps.iter().map(|gap| gap["details"]["count"].as_u64().unwrap()).sum()
    }
}

/// A database that another process keeps from being written to, until this is dropped.
pub struct LockedDatabase(Child);

impl LockedDatabase {
    pub fn at(path: &Path) -> Self {
        let script = "import sqlite3, sys\n\
            db = sqlite3.connect(sys.argv[1], timeout=60, isolation_level=None)\n\
            db.execute('BEGIN IMMEDIATE')\n\
            print('locked', flush=True)\n\
            sys.stdin.read()";
        let mut child = Command::new("python3")
            .args(["-c", script])
            .arg(path)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("python3 cannot be started; install it: apt-get install python3");
        let mut said = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut said).unwrap();
        assert_eq!(said, "locked\n");
        Self(child)
    }
}

impl Drop for LockedDatabase {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
