//! Reading what a layer wrote, with none of its code.

use std::{
    path::{Path, PathBuf},
    process::Command,
    time::{Duration, Instant},
};

use serde_json::Value;

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
