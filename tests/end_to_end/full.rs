//! A journal that can take no more, because its disk is full or its bound is reached: what each policy
//! does, and that nothing accepted is lost.
//!
//! Each disk is really full, and another process really locks the database.

use std::{os::unix::process::ExitStatusExt, path::PathBuf, process::Command, time::Duration};

use serde_json::Value;
use tests::{
    service::Service,
    small_disk::SmallDisk,
    trail_files::{LockedDatabase, Trail, eventually},
};

/// Events that are more than a journal of 2 MiB holds, and their size.
const FLOOD: &str = "emit 6000 1000";
const EVENTS: u64 = 6000;

/// Why the journal can take no more.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Fault {
    /// Its own disk is full, while the database is locked.
    Journal,
    /// The same where the file system keeps nothing that it preallocates.
    WrittenJournal,
    /// The disk of a sink is full, until the journal is at its bound.
    Database,
    File,
    /// All are on one disk, and it is full.
    Everything,
    /// The database is locked until the journal is at its bound.
    Locked,
}

/// A service with such a fault.
struct Scene {
    fault: Fault,
    home: tempfile::TempDir,
    disk: SmallDisk,
    lock: Option<LockedDatabase>,
    policy: &'static [(&'static str, &'static str)],
}

impl Scene {
    fn new(fault: Fault, policy: &'static [(&'static str, &'static str)]) -> Self {
        let disk = match fault {
            // Room for two segments of 512 KiB, far from the journal's bound.
            Fault::Journal => SmallDisk::new(1400),
            Fault::WrittenJournal => SmallDisk::overlay(1400),
            _ => SmallDisk::new(64 << 10),
        };
        Self { fault, home: tempfile::tempdir().unwrap(), disk, lock: None, policy }
    }

    fn is_on_disk(&self, what: Fault) -> bool {
        let journal = [Fault::Journal, Fault::WrittenJournal];
        self.fault == what
            || self.fault == Fault::Everything
            || journal.contains(&what) && journal.contains(&self.fault)
    }

    /// Where something is, as the service sees it.
    fn place(&self, what: Fault, name: &str) -> PathBuf {
        if self.is_on_disk(what) { self.disk.path() } else { self.home.path().to_owned() }
            .join(name)
    }

    fn command(&self) -> Command {
        let mut command = self.disk.command(env!("CARGO_BIN_EXE_service"));
        command
            .env("AUDIT_SERVICE", "full")
            .env("AUDIT_JOURNAL", self.place(Fault::Journal, "journal"))
            .env("AUDIT_DB", self.place(Fault::Database, "audit.db"))
            .env("LOGGING_FILE", self.place(Fault::File, "audit.log"))
            .env("LOGGING_MAX_SIZE_MB", "1000")
            .env("AUDIT_JOURNAL_MAX_MB", "2")
            .env("AUDIT_FLUSH_INTERVAL", "20ms")
            .envs(self.policy.iter().copied());
        command
    }

    fn start(&self) -> Service {
        Service::start(&mut self.command())
    }

    fn breaks(&mut self) {
        if self.fault != Fault::Locked {
            self.disk.fill();
        }
        if matches!(self.fault, Fault::Locked | Fault::Journal | Fault::WrittenJournal) {
            self.lock = Some(LockedDatabase::at(&self.home.path().join("audit.db")));
        }
    }

    fn is_mended(&mut self) {
        self.disk.free();
        self.lock = None;
    }

    /// What file and database hold.
    fn trail(&self) -> Trail {
        let files = [
            (Fault::Database, "audit.db"),
            (Fault::Database, "audit.db-wal"),
            (Fault::File, "audit.log"),
        ];
        for (what, name) in files {
            if self.is_on_disk(what) {
                std::fs::copy(self.disk.from_outside().join(name), self.home.path().join(name))
                    .unwrap();
            }
        }
        Trail::verified(self.home.path())
    }
}

fn dropped(stats: &Value) -> u64 {
    stats["dropped"].as_object().unwrap().values().map(|count| count.as_u64().unwrap()).sum()
}

/// Whether it says what is wrong.
fn is_red(fault: Fault, stats: &Value) -> bool {
    let trouble = stats["trouble"].as_str().unwrap_or_default();
    let error = |sink: &str| stats["sinks"][sink]["last_error"].as_str().unwrap_or_default();
    let says = match fault {
        Fault::Journal | Fault::WrittenJournal => trouble.contains("No space left"),
        Fault::Database | Fault::Everything => error("sqlite").contains("full; make room"),
        Fault::File => error("file").contains("No space left"),
        Fault::Locked => error("sqlite").contains("locked"),
    };
    says && stats["healthy"] == false
}

/// Nobody waits; what there is no room for is counted, and told when there is.
fn drops(fault: Fault, policy: &'static [(&'static str, &'static str)], cause: &str) {
    let mut scene = Scene::new(fault, policy);
    let mut service = scene.start();
    service.ask("emit 10 10");
    service.ask_well("flush 60000");
    scene.breaks();
    service.ask(FLOOD);
    let mut stats = Value::Null;
    eventually("it says what is wrong", || {
        stats = service.ask("stats");
        is_red(fault, &stats)
    });
    assert_eq!(stats["dropped"].as_object().unwrap().len(), 1, "{stats}");
    let count = stats["dropped"][cause].as_u64().expect("of that cause");
    let error = service.ask_in_vain("commit 60000");
    assert!(error.starts_with(&format!("{count} events were dropped")), "{error}");
    // What was accepted is durable all the same.
    service.ask_well("commit 60000");

    scene.is_mended();
    service.ask_well("flush 60000");
    let accepted = service.ask("stats")["accepted"].as_u64().unwrap();
    eventually("there is room again", || {
        service.ask("emit 1 10");
        service.ask("stats")["accepted"].as_u64().unwrap() > accepted
    });
    let emitted = service.ask("emit 100 10")["last"].as_u64().unwrap();
    let count = dropped(&service.ask("stats"));
    service.end();
    let trail = scene.trail();
    assert_eq!(trail.told_dropped(cause), count);
    assert_eq!(trail.numbers().len() as u64 + count, emitted);
}

/// The caller waits, and nothing is lost.
fn blocks(fault: Fault, policy: &'static [(&'static str, &'static str)]) {
    let mut scene = Scene::new(fault, policy);
    let mut service = scene.start();
    scene.breaks();
    service.tell(FLOOD);
    let early = service.answer(Duration::from_millis(1000));
    assert!(early.is_none(), "the caller does not wait: {early:?}");
    scene.is_mended();
    assert_eq!(service.answer(Duration::from_secs(100)).unwrap()["last"], EVENTS);
    let stats = service.ask("stats");
    assert_eq!(dropped(&stats), 0, "{stats}");
    eventually("all is well again", || service.ask("stats")["healthy"] == true);
    service.end();
    let trail = scene.trail();
    assert_eq!(trail.numbers(), (1..=EVENTS).collect::<Vec<_>>());
    assert!(trail.of_type("system.audit_gap").is_empty());
}

/// The process ends rather than go on unrecorded, and what it had accepted is delivered later.
fn aborts(fault: Fault) {
    let policy = &[("AUDIT_BLOCK_TIMEOUT", "100ms"), ("AUDIT_ON_FAILURE", "abort")];
    let mut scene = Scene::new(fault, policy);
    let mut service = scene.start();
    scene.breaks();
    service.tell(FLOOD);
    // Its input stays open until it ends by itself.
    eventually("it is aborted", || service.has_ended());
    let ended = service.ended();
    const SIGABRT: i32 = 6;
    assert_eq!(ended.status.signal(), Some(SIGABRT), "{ended:?}");
    assert!(ended.stderr.contains("the failure policy is abort"), "{ended:?}");
    scene.is_mended();
    scene.start().end();
    let numbers = scene.trail().numbers();
    assert_eq!(numbers, (1..=numbers.len() as u64).collect::<Vec<_>>());
    assert!(!numbers.is_empty());
}

fn every_policy(fault: Fault) {
    const PATIENT: (&str, &str) = ("AUDIT_BLOCK_TIMEOUT", "100s");
    const IMPATIENT: (&str, &str) = ("AUDIT_BLOCK_TIMEOUT", "100ms");
    std::thread::scope(|scope| {
        scope.spawn(|| drops(fault, &[("AUDIT_OVERFLOW", "drop"), PATIENT], "overflow"));
        scope.spawn(|| blocks(fault, &[PATIENT]));
        scope.spawn(|| drops(fault, &[IMPATIENT], "failure"));
        scope.spawn(|| blocks(fault, &[IMPATIENT, ("AUDIT_ON_FAILURE", "block")]));
        scope.spawn(|| aborts(fault));
    });
}

#[test]
fn a_full_disk_under_the_journal_is_met_by_the_policy_and_never_by_a_signal() {
    every_policy(Fault::Journal);
}

#[test]
fn a_full_disk_that_preallocates_nothing_is_met_by_the_policy() {
    every_policy(Fault::WrittenJournal);
}

#[test]
fn a_full_disk_under_the_database_is_met_by_the_policy() {
    every_policy(Fault::Database);
}

#[test]
fn a_full_disk_under_the_file_is_met_by_the_policy() {
    every_policy(Fault::File);
}

#[test]
fn a_full_disk_under_everything_is_met_by_the_policy() {
    every_policy(Fault::Everything);
}

#[test]
fn a_journal_at_its_bound_is_met_by_the_policy() {
    every_policy(Fault::Locked);
}

#[test]
fn the_journals_are_written_as_their_file_systems_allow() {
    for (fault, mode) in [(Fault::Journal, "Mapped"), (Fault::WrittenJournal, "Written")] {
        assert_eq!(Scene::new(fault, &[]).start().ask("stats")["mode"], mode);
    }
}

#[test]
fn what_was_dropped_is_told_also_by_a_process_that_ends_before_there_is_room() {
    let mut scene = Scene::new(Fault::Journal, &[("AUDIT_OVERFLOW", "drop")]);
    let mut service = scene.start();
    scene.breaks();
    service.ask(FLOOD);
    let count = dropped(&service.ask("stats"));
    assert!(count > 0);
    let error = service.ask_in_vain("shutdown 8000");
    assert!(error.contains("sqlite"), "{error}");
    assert!(service.ended().status.success());
    scene.is_mended();
    scene.start().end();
    let trail = scene.trail();
    assert_eq!(trail.told_dropped("overflow"), count);
    assert_eq!(trail.numbers().len() as u64 + count, EVENTS);
}

#[test]
fn a_journal_without_preallocation_is_well_again_when_it_takes_an_event() {
    let scene = Scene::new(Fault::WrittenJournal, &[("AUDIT_OVERFLOW", "drop")]);
    let mut service = scene.start();
    scene.disk.fill();
    service.ask("emit 20 1000");
    let stats = service.ask("stats");
    assert!(dropped(&stats) > 0 && !stats["trouble"].is_null(), "{stats}");
    scene.disk.free();
    service.ask("emit 1 10");
    assert!(service.ask("stats")["trouble"].is_null());
    service.end();
}

#[test]
fn a_process_that_is_killed_on_a_full_disk_loses_nothing_that_it_accepted() {
    for fault in [Fault::Journal, Fault::WrittenJournal, Fault::Everything] {
        let mut scene = Scene::new(fault, &[("AUDIT_OVERFLOW", "drop")]);
        let mut service = scene.start();
        scene.breaks();
        service.ask(FLOOD);
        let accepted = service.ask("stats")["accepted"].as_u64().unwrap();
        drop(service);
        scene.is_mended();
        scene.start().end();
        assert_eq!(scene.trail().numbers().len() as u64, accepted, "{fault:?}");
    }
}

#[test]
fn a_start_on_a_full_disk_says_which_path_has_no_room() {
    for (fault, name) in [
        (Fault::Journal, "journal"),
        (Fault::WrittenJournal, "journal"),
        (Fault::Database, "audit.db"),
        (Fault::Everything, "journal"),
    ] {
        let scene = Scene::new(fault, &[]);
        scene.disk.fill();
        let Err(ended) = Service::try_start(&mut scene.command()) else {
            panic!("{fault:?}: it comes up");
        };
        assert_eq!(ended.status.code(), Some(1), "{ended:?}");
        let path = scene.disk.path().join(name);
        assert!(ended.stderr.contains(path.to_str().unwrap()), "{ended:?}");
        assert!(
            ended.stderr.contains("No space left") || ended.stderr.contains("full"),
            "{ended:?}"
        );
        assert!(ended.stderr.contains("make room"), "it says what to do: {ended:?}");
        // Once there is room it starts as if nothing had been.
        scene.disk.free();
        scene.start().end();
        scene.trail();
    }
}

#[test]
fn a_log_file_on_a_full_disk_does_not_keep_a_service_from_its_start() {
    let mut scene = Scene::new(Fault::File, &[]);
    scene.breaks();
    let mut service = scene.start();
    service.ask("emit 10 1000");
    eventually("the file is said to fail", || {
        service.ask("stats")["sinks"]["file"]["healthy"] == false
    });
    scene.is_mended();
    service.end();
    assert_eq!(scene.trail().numbers(), (1..=10).collect::<Vec<_>>());
}
