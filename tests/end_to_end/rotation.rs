//! Rotation under load, and what the trail says of it.

use std::time::Duration;

use audit_layer::{
    AuditLayer,
    config::{DEFAULT_FILE_BACKUPS, DEFAULT_FILE_MAX_MB},
};
use tests::programs::audit_server;
use tests::trail_files::{
    database_lines, files_with_backups, lines_with_backups, of_type, parse, verify_with_python,
};
use tracing_subscriber::prelude::*;

const LONG: Duration = Duration::from_secs(120);

#[test]
fn with_the_default_bounds_what_rotation_removes_is_said_and_what_is_left_verifies() {
    let dir = tempfile::tempdir().unwrap();
    let log = dir.path().join("audit.log");
    let (layer, audit) = AuditLayer::builder()
        .service("payments")
        .file(&log)
        .sqlite(dir.path().join("audit.db"))
        .flush_interval(Duration::from_millis(5))
        .build()
        .unwrap();
    let document = "x".repeat(12_000);
    tracing::subscriber::with_default(tracing_subscriber::registry().with(layer), || {
        for number in 0..9000 {
            tracing::info!(target: "audit", event_type = "data.read", number, document, "read");
        }
    });
    audit.shutdown(LONG).unwrap();

    let files = files_with_backups(&log);
    assert_eq!(files.len(), 1 + DEFAULT_FILE_BACKUPS as usize);
    for file in &files {
        let length = std::fs::metadata(file).unwrap().len();
        assert!(length <= DEFAULT_FILE_MAX_MB * 1024 * 1024, "{}: {length}", file.display());
    }
    let first_left = parse(&lines_with_backups(&log)[..1])[0]["seq"].as_u64().unwrap();
    assert!(first_left > 1);
    verify_with_python(&files).unwrap();
    let verified = audit_server().arg("verify").arg(&log).output().unwrap();
    let said = String::from_utf8_lossy(&verified.stdout).into_owned();
    assert_eq!(verified.status.code(), Some(0), "{said}");
    assert!(said.contains(&format!("starts at seq {first_left}")), "{said}");

    let all = parse(&database_lines(dir.path().join("audit.db")));
    // The removed ranges follow each other from the first record to the last that is gone.
    let mut next = 1;
    for record in of_type(&all, "system.audit_trimmed") {
        assert_eq!(record["details"]["first_seq"], next);
        assert_eq!(record["details"]["reason"], "rotation");
        next = record["details"]["last_seq"].as_u64().unwrap() + 1;
    }
    assert_eq!(next, first_left);
}

#[test]
fn a_shipper_that_follows_the_file_sees_every_line_once() {
    use std::io::{BufRead, BufReader, Seek, SeekFrom};
    use std::os::unix::fs::MetadataExt;
    let dir = tempfile::tempdir().unwrap();
    let log = dir.path().join("audit.log");
    let (layer, audit) = AuditLayer::builder()
        .service("payments")
        .file(&log)
        .file_rotation(64 * 1024, 5)
        .sqlite(dir.path().join("audit.db"))
        .flush_interval(Duration::from_millis(5))
        .build()
        .unwrap();
    // Follows as shippers do: reads on in the open file until its end; when the path is another
    // file, goes on with the one that came next, which may have been renamed meanwhile itself.
    let stop = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(false));
    let shipper = std::thread::spawn({
        let (log, stop) = (log.clone(), stop.clone());
        move || {
            let mut seen = Vec::new();
            let mut file = std::fs::File::open(&log).unwrap();
            let mut at = 0;
            loop {
                let stopping = stop.load(std::sync::atomic::Ordering::SeqCst);
                file.seek(SeekFrom::Start(at)).unwrap();
                let mut reader = BufReader::new(&file);
                let mut line = String::new();
                let mut read = false;
                while reader.read_line(&mut line).unwrap() > 0 && line.ends_with('\n') {
                    at += line.len() as u64;
                    seen.push(line.trim_end().to_owned());
                    line.clear();
                    read = true;
                }
                if read {
                    continue;
                }
                let mut files = files_with_backups(&log).into_iter().rev().map(std::fs::File::open);
                let inode = file.metadata().unwrap().ino();
                let mut newer = None;
                let next = loop {
                    match files.next() {
                        Some(Ok(older)) if older.metadata().unwrap().ino() == inode => break newer,
                        Some(Ok(older)) => newer = Some(older),
                        // A rename in between: look again.
                        _ => break None,
                    }
                };
                match next {
                    Some(next) => (file, at) = (next, 0),
                    None if stopping => return seen,
                    None => {}
                }
                std::thread::sleep(Duration::from_millis(1));
            }
        }
    });
    tracing::subscriber::with_default(tracing_subscriber::registry().with(layer), || {
        for number in 0..2000 {
            tracing::info!(target: "audit", event_type = "data.read", number, "read");
            if number % 20 == 0 {
                std::thread::sleep(Duration::from_millis(4));
            }
        }
    });
    audit.shutdown(LONG).unwrap();
    stop.store(true, std::sync::atomic::Ordering::SeqCst);
    let seen = shipper.join().unwrap();
    let all = database_lines(dir.path().join("audit.db"));
    assert_eq!(seen.len(), all.len());
    assert!(seen == all, "the shipper saw other lines than the database holds");
}

#[test]
fn a_log_directory_that_was_removed_is_made_anew_and_the_trail_says_so_once() {
    let dir = tempfile::tempdir().unwrap();
    let logs = dir.path().join("logs");
    let (layer, audit) = AuditLayer::builder()
        .service("payments")
        .file(logs.join("audit.log"))
        .sqlite(dir.path().join("audit.db"))
        .flush_interval(Duration::from_millis(5))
        .build()
        .unwrap();
    tracing::subscriber::with_default(tracing_subscriber::registry().with(layer), || {
        tracing::info!(target: "audit", event_type = "data.read", "before");
        audit.flush(LONG).unwrap();
        std::fs::remove_dir_all(&logs).unwrap();
        tracing::info!(target: "audit", event_type = "data.read", "after");
        audit.flush(LONG).unwrap();
    });
    audit.shutdown(LONG).unwrap();
    let left = parse(&lines_with_backups(logs.join("audit.log")));
    assert_eq!(of_type(&left, "data.read").len(), 1);
    let all = parse(&database_lines(dir.path().join("audit.db")));
    let told = of_type(&all, "system.audit_trimmed");
    assert_eq!(told.len(), 1);
    assert_eq!(told[0]["details"]["reason"], "removed");
}

/// A layer with a file and a database in one directory, what is done between two events, and what is
/// looked at behind them, while the layer goes on.
fn with_hands_from_outside(
    between: impl FnOnce(&std::path::Path),
    behind: impl FnOnce(&std::path::Path),
) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    let (layer, audit) = AuditLayer::builder()
        .service("payments")
        .file(dir.path().join("audit.log"))
        .sqlite(dir.path().join("audit.db"))
        .flush_interval(Duration::from_millis(5))
        .build()
        .unwrap();
    tracing::subscriber::with_default(tracing_subscriber::registry().with(layer), || {
        tracing::info!(target: "audit", event_type = "data.read", "before");
        audit.flush(LONG).unwrap();
        between(dir.path());
        tracing::info!(target: "audit", event_type = "data.read", "after");
        audit.flush(LONG).unwrap();
        behind(dir.path());
    });
    audit.shutdown(LONG).unwrap();
    dir
}

#[test]
fn a_database_that_was_removed_is_made_anew_and_the_trail_says_so_once() {
    // With its log and without: a log that is left must not be taken for the new database's.
    for suffixes in [&["", "-wal", "-shm"][..], &[""]] {
        let remove = |dir: &std::path::Path| {
            for suffix in suffixes {
                std::fs::remove_file(dir.join(format!("audit.db{suffix}"))).unwrap();
            }
        };
        let dir = with_hands_from_outside(remove, |_| {});
        let database = dir.path().join("audit.db");
        let left = parse(&database_lines(&database));
        assert_eq!(of_type(&left, "data.read").len(), 1, "{left:#?}");
        let all = parse(&lines_with_backups(dir.path().join("audit.log")));
        assert_eq!(of_type(&all, "data.read").len(), 2);
        let told = of_type(&all, "system.audit_trimmed");
        assert_eq!(told.len(), 1, "{told:#?}");
        assert_eq!(told[0]["details"]["sink"], "sqlite");
        assert_eq!(told[0]["details"]["what"], "audit.db");
        assert_eq!(told[0]["details"]["reason"], "removed");
        assert_eq!(told[0]["details"]["last_seq"], left[0]["seq"].as_u64().unwrap() - 1);
        let verified = audit_server().arg("verify").arg(&database).output().unwrap();
        let said = String::from_utf8_lossy(&verified.stdout).into_owned();
        assert_eq!(verified.status.code(), Some(0), "{said}");
        assert!(said.contains(&format!("starts at seq {}", left[0]["seq"])), "{said}");
    }
}

#[test]
fn a_write_ahead_log_that_was_removed_takes_no_record_along() {
    // A reader that comes now finds no log but the one that is there now.
    let read = |dir: &std::path::Path| {
        let output = std::process::Command::new("python3")
            .args(["-c", "import sqlite3, sys; print(sqlite3.connect(sys.argv[1]).execute('SELECT count(*) FROM audit_logs').fetchone()[0])"])
            .arg(dir.join("audit.db"))
            .output()
            .unwrap();
        let count = String::from_utf8(output.stdout).unwrap();
        assert_eq!(count.trim(), "3", "startup, before and after");
    };
    let remove = |dir: &std::path::Path| std::fs::remove_file(dir.join("audit.db-wal")).unwrap();
    let dir = with_hands_from_outside(remove, read);
    let all = lines_with_backups(dir.path().join("audit.log"));
    assert!(database_lines(dir.path().join("audit.db")) == all);
    assert!(of_type(&parse(&all), "system.audit_trimmed").is_empty());
}
