//! What fails and is not mended by waiting: a lock that is held for long, a sync, a thread.

use std::{path::Path, process::Command, time::Duration};

use tests::{
    service::Service,
    trail_files::{LockedDatabase, Trail, eventually, lines, parse},
};

/// The settings of a service whose files are all in `dir`.
fn in_directory<'c>(command: &'c mut Command, dir: &Path) -> &'c mut Command {
    command
        .env("AUDIT_SERVICE", "faults")
        .env("AUDIT_JOURNAL", dir.join("journal"))
        .env("AUDIT_DB", dir.join("audit.db"))
        .env("LOGGING_FILE", dir.join("audit.log"))
        .env("LOGGING_MAX_SIZE_MB", "1000")
        .env("AUDIT_FLUSH_INTERVAL", "20ms")
}

fn start(dir: &Path) -> Service {
    Service::start(in_directory(&mut Command::new(env!("CARGO_BIN_EXE_service")), dir))
}

/// Starts a service whose calls of one kind fail with `fault`; those that were made are in the file
/// `calls`.
fn start_with(dir: &Path, filter: &[&str], call: &str, fault: &str) -> Service {
    let mut strace = Command::new("strace");
    strace
        .args(["-f", "-qq", "-o", dir.join("calls").to_str().unwrap()])
        .args(filter)
        .args(["-e", &format!("trace={call}"), "-e", &format!("inject={call}:{fault}")])
        .arg(env!("CARGO_BIN_EXE_service"));
    Service::start(in_directory(&mut strace, dir))
}

#[test]
fn a_database_that_is_locked_for_half_a_minute_holds_up_only_itself() {
    const LOCKED: Duration = Duration::from_secs(30);
    const AT_A_TIME: u64 = 1000;
    const TIMES: u64 = 100;
    let dir = tempfile::tempdir().unwrap();
    let mut service = start(dir.path());
    service.ask_well("flush 60000");
    let before = service.ask("stats")["anonymous_kib"].as_u64().unwrap();

    let lock = LockedDatabase::at(&dir.path().join("audit.db"));
    let mut most = before;
    let mut locked_sign = false;
    for _ in 0..TIMES {
        let emitted = service.ask(&format!("emit {AT_A_TIME} 1000"));
        // A caller that waited would wait for the lock, or for the block time-out of 30 s.
        assert!(emitted["longest_ms"].as_u64().unwrap() < 10_000, "{emitted}");
        let receipt = service.ask_well("commit 10000").as_u64().unwrap();
        assert!(receipt >= emitted["last"].as_u64().unwrap());
        let stats = service.ask("stats");
        most = most.max(stats["anonymous_kib"].as_u64().unwrap());
        let error = stats["sinks"]["sqlite"]["last_error"].as_str().unwrap_or_default();
        locked_sign |= stats["healthy"] == false && error.contains("locked");
        std::thread::sleep(LOCKED / TIMES as u32);
    }
    assert!(locked_sign, "it never said that the database is locked");
    let last = TIMES * AT_A_TIME;
    let in_file = || {
        let last = parse(&lines(dir.path().join("audit.log"))[..]).pop().unwrap();
        last["details"]["number"].as_u64().unwrap_or_default()
    };
    eventually("the file has what the database waits for", || in_file() == last);
    // 100 MB were recorded.
    assert!(most - before < 50_000, "the memory grew from {before} to {most} KiB");

    drop(lock);
    service.ask_well("flush 100000");
    let stats = service.ask("stats");
    assert_eq!((&stats["healthy"], &stats["dropped"]), (&true.into(), &serde_json::json!({})));
    service.end();
    let trail = Trail::verified(dir.path());
    assert_eq!(trail.numbers(), (1..=last).collect::<Vec<_>>());
    assert!(trail.of_type("system.audit_gap").is_empty());
}

#[test]
fn a_sync_that_failed_is_never_tried_again_and_every_commit_says_so() {
    let dir = tempfile::tempdir().unwrap();
    let segment = dir.path().join("journal/00000000000000000000.journal");
    let filter = ["-P", segment.to_str().unwrap()];
    let mut service = start_with(dir.path(), &filter, "fdatasync", "error=EIO:when=2");
    service.ask("emit 10 10");
    let durable = service.ask_well("commit 60000");

    service.ask("emit 10 10");
    let error = service.ask_in_vain("commit 60000");
    for part in ["a sync of the journal failed", "Input/output error", "check the disk and restart"]
    {
        assert!(error.contains(part), "{error}");
    }
    assert!(!error.contains("defect"), "the disk's fault is not the program's: {error}");
    // The disk would not fail again; but what it lost then, nobody knows.
    for _ in 0..3 {
        service.ask("emit 10 10");
        assert_eq!(service.ask_in_vain("commit 60000"), error);
    }
    service.ask("pay");
    let stats = service.ask("stats");
    assert_eq!(stats["poisoned"], error.as_str());
    assert_eq!(stats["healthy"], false);
    assert_eq!(stats["durable_seq"], durable);
    assert_eq!(stats["late_commits"], 1);
    // Recorded all the same.
    service.ask_well("flush 60000");
    service.end();
    let calls = std::fs::read_to_string(dir.path().join("calls")).unwrap();
    assert_eq!(calls.matches("fdatasync").count(), 2, "{calls}");

    let mut service = start(dir.path());
    service.ask("emit 10 10");
    service.ask_well("commit 60000");
    assert_eq!(service.ask("stats")["healthy"], true);
    service.end();
    let trail = Trail::verified(dir.path());
    assert_eq!(trail.of_type("data.read").len(), 60);
    assert_eq!(trail.of_type("financial.transfer").len(), 1);
}

#[test]
fn a_panic_of_the_pipeline_poisons_and_the_next_start_delivers_what_came_after_it() {
    let dir = tempfile::tempdir().unwrap();
    // The standard library panics when a sleep fails in this way, and only the pipeline's two threads sleep.
    let fault = "error=EINVAL:when=40+";
    let mut service = start_with(dir.path(), &[], "clock_nanosleep", fault);
    eventually("the pipeline panics", || !service.ask("stats")["poisoned"].is_null());
    service.ask("emit 100 10");
    let stats = service.ask("stats");
    let why = stats["poisoned"].as_str().unwrap().to_owned();
    assert!(why.contains("panicked; restart the process"), "{why}");
    assert_eq!((&stats["healthy"], &stats["worker_alive"]), (&false.into(), &false.into()));
    // The journal takes them in, and nobody waits for the dead.
    assert_eq!((&stats["accepted"], &stats["dropped"]), (&100.into(), &serde_json::json!({})));
    assert_eq!(service.ask_in_vain("commit 60000"), why);
    assert_eq!(service.ask_in_vain("flush 60000"), why);
    assert_eq!(service.ask_in_vain("shutdown 1000"), why);
    let ended = service.ended();
    assert!(ended.status.success(), "{ended:?}");
    assert!(ended.stderr.contains("they are in the journal, and the next start delivers them"));

    let mut service = start(dir.path());
    service.ask_well("commit 60000");
    assert_eq!(service.ask("stats")["healthy"], true);
    service.end();
    let trail = Trail::verified(dir.path());
    assert_eq!(trail.numbers(), (1..=100).collect::<Vec<_>>());
    assert_eq!(trail.of_type("system.audit_recovered").len(), 1);
}
