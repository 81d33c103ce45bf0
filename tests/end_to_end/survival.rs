//! Values that panic or log while they are formatted, forks, and the ends of threads and processes.

use std::{
    fmt,
    path::Path,
    process::Command,
    time::{Duration, Instant},
};

use serde_json::json;
use tempfile::TempDir;
use tests::{Process, Recorded};

/// Runs the probe in a fresh directory.
fn probe(mode: &str, how: &str) -> (TempDir, Process) {
    let directory = tempfile::tempdir().unwrap();
    let process = run(directory.path(), mode, how);
    (directory, process)
}

fn run(directory: &Path, mode: &str, how: &str) -> Process {
    Process::run_well(Command::new(env!("CARGO_BIN_EXE_probe")).arg(mode).arg(directory).arg(how))
}

fn read(directory: &TempDir) -> Recorded {
    Recorded::read(&directory.path().join("audit.log"))
}

fn messages(recorded: &Recorded) -> Vec<&str> {
    recorded.events().iter().map(|record| record["message"].as_str().unwrap()).collect()
}

struct Panics;

impl fmt::Debug for Panics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("half")?;
        panic!("on purpose");
    }
}

#[test]
fn a_debug_that_panics_costs_its_value_and_nothing_else() {
    let recorded = Recorded::from(|| {
        tracing::info!(target: "audit", before = 1, value = ?Panics, user_id = "u-1", after = 2, "hello");
        tracing::info!(target: "audit", user_id = ?Panics, "in a member");
        let span = tracing::info_span!("request", user_id = "u-1", tenant = ?Panics);
        span.in_scope(|| tracing::info!(target: "audit", "in a span"));
        tracing::info!(target: "audit", "the next");
    });
    let record = recorded.saying("hello");
    assert_eq!(record["user_id"], "u-1");
    let value = record["details"]["value"].as_str().unwrap();
    assert!(value.contains("panicked") && !value.contains("half"), "{value}");
    assert_eq!((&record["details"]["before"], &record["details"]["after"]), (&json!(1), &json!(2)));
    let marked = recorded.saying("in a member")["user_id"].as_str().unwrap();
    assert!(marked.contains("panicked"), "{marked}");
    assert_eq!(recorded.saying("in a span")["user_id"], "u-1");
    assert_eq!(recorded.saying("the next")["seq"], 5);
    assert!(recorded.stats.unwrap().dropped.is_empty());
}

#[test]
fn a_valuable_value_that_panics_costs_its_value_and_nothing_else() {
    struct Visited;
    impl valuable::Valuable for Visited {
        fn as_value(&self) -> valuable::Value<'_> {
            valuable::Value::Listable(self)
        }
        fn visit(&self, visit: &mut dyn valuable::Visit) {
            visit.visit_value(valuable::Value::U8(1));
            panic!("on purpose");
        }
    }
    impl valuable::Listable for Visited {
        fn size_hint(&self) -> (usize, Option<usize>) {
            (1, None)
        }
    }
    let recorded = Recorded::from(|| {
        tracing::info!(target: "audit", value = audit_layer::val(&Visited), after = 2, "hello");
        tracing::info!(target: "audit", value = audit_layer::val(&[1]), "the next");
    });
    let details = &recorded.saying("hello")["details"];
    assert!(details["value"].as_str().unwrap().contains("panicked"), "{details}");
    assert_eq!(details["after"], 2);
    assert_eq!(recorded.saying("the next")["details"], json!({"value": [1]}));
}

#[test]
fn a_panicking_value_in_an_event_of_a_destructor_that_unwinds_does_not_abort() {
    struct Farewell;
    impl Drop for Farewell {
        fn drop(&mut self) {
            tracing::info!(target: "audit", value = ?Panics, "farewell");
        }
    }
    let recorded = Recorded::from(|| {
        let _ = std::panic::catch_unwind(|| {
            let _farewell = Farewell;
            panic!("on purpose");
        });
    });
    assert_eq!(messages(&recorded), ["farewell"]);
}

#[test]
fn a_debug_that_emits_audit_events_loses_none_and_mixes_none() {
    let (directory, process) = probe("nested-events", "");
    assert_eq!(process.stdout, "", "nothing was dropped");
    let recorded = read(&directory);
    // Of the outer span, of the outer event, of the late value of the audit span.
    assert_eq!(messages(&recorded), ["inner", "inner", "outer", "inner", "work"]);
    let outer = recorded.saying("outer");
    assert_eq!(outer["user_id"], "outer");
    assert_eq!(outer["tenant"], "talkative");
    assert_eq!(outer["details"], json!({"value": "talkative", "after": 1}));
    assert!(outer.get("request_id").is_none());
    for inner in recorded.events().iter().filter(|record| record["message"] == "inner") {
        assert_eq!(inner["user_id"], "inner");
        assert_eq!(inner["request_id"], "inner");
        assert_eq!(inner["details"], json!({"list": [1]}));
    }
    assert_eq!(recorded.saying("work")["details"], json!({"value": "talkative"}));
}

#[test]
fn a_debug_that_emits_itself_for_ever_is_bounded_and_counted() {
    let (directory, process) = probe("endless-nesting", "");
    let number = |prefix: &str| -> usize {
        let line = process.stdout.lines().find_map(|line| line.strip_prefix(prefix));
        line.unwrap_or_else(|| panic!("{prefix}: {}", process.stdout)).trim().parse().unwrap()
    };
    assert!((1..=16).contains(&number("deepest")), "{}", process.stdout);
    assert_eq!(number("dropped reentrancy"), 2, "one for each time");
    let recorded = read(&directory);
    assert_eq!(recorded.saying("first")["details"]["value"], "level 1");
    assert_eq!(recorded.saying("second")["details"]["value"], "level 1");
    assert_eq!(recorded.events().len(), 2 * number("deepest"));
    let told: u64 = recorded
        .of_type("system.audit_gap")
        .iter()
        .map(|gap| {
            assert_eq!(gap["details"]["cause"], "reentrancy");
            gap["details"]["count"].as_u64().unwrap()
        })
        .sum();
    assert_eq!(told, 2, "the trail tells how many are missing");
}

#[test]
fn the_child_of_a_fork_leaves_the_parents_trail_alone() {
    for how in ["exit", "return"] {
        let (directory, process) = probe("fork", how);
        let recorded = read(&directory);
        assert_eq!(messages(&recorded), ["before", "after"], "{how}");
        assert_eq!(recorded.of_type("system.startup").len(), 1, "{how}");
        assert_eq!(recorded.of_type("system.shutdown").len(), 1, "{how}");
        assert!(!process.stdout.contains("dropped"), "the parent dropped none: {}", process.stdout);
        if how == "return" {
            assert!(process.stdout.contains("the child returns"), "{}", process.stdout);
        }
    }
}

#[test]
fn the_child_of_a_fork_does_not_give_up_the_parents_lock() {
    let (directory, process) = probe("fork", "return");
    let streams: Vec<_> = process.stdout.lines().filter(|line| line.contains('@')).collect();
    assert_eq!(streams.len(), 2, "{}", process.stdout);
    assert_ne!(streams[0], streams[1], "another process took the stream of a live one");
    let other = Recorded::read(&directory.path().join("audit#2.log"));
    assert_eq!(messages(&other), ["of another process"]);
    assert_eq!(messages(&read(&directory)), ["before", "after"]);
}

#[test]
fn a_child_that_outlives_its_parent_does_not_keep_the_stream() {
    let (directory, process) = probe("fork", "survivor");
    let mut lines = process.stdout.lines();
    let (stream, child) = (lines.next().unwrap(), lines.next().unwrap());
    assert!(Path::new("/proc").join(child).exists(), "the child lives");
    let next = run(directory.path(), "write", "");
    let _ = Command::new("kill").arg(child).status();
    assert_eq!(next.stdout.lines().next(), Some(stream), "the successor goes on with the stream");
    assert_eq!(messages(&read(&directory)), ["before", "of another process"]);
}

#[test]
fn a_child_can_record_with_a_layer_of_its_own() {
    let (directory, _) = probe("fork", "builds");
    assert_eq!(messages(&read(&directory)), ["before", "after"]);
    let own = Recorded::read(&directory.path().join("child/audit.log"));
    assert_eq!(messages(&own), ["of the child's own layer"]);
}

#[test]
fn a_fork_at_any_moment_leaves_no_child_hanging() {
    let started = Instant::now();
    let (directory, _) = probe("fork", "busy");
    assert!(started.elapsed() < Duration::from_secs(60));
    assert!(messages(&read(&directory)).iter().all(|message| *message == "of a thread"));
}

#[test]
fn events_of_a_threads_last_destructors_are_recorded() {
    let (directory, process) = probe("thread-end", "");
    assert_eq!(process.stdout, "", "nothing was dropped");
    let recorded = read(&directory);
    let mut said = messages(&recorded);
    said.sort_unstable();
    assert_eq!(said, ["of the thread", "registered after", "registered before", "the only one"]);
}

#[test]
fn events_after_the_shutdown_are_told_on_standard_error_and_harm_nobody() {
    let (directory, process) = probe("after-shutdown", "");
    assert_eq!(process.stdout, "went on\n");
    assert!(process.stderr.contains("dropped: shutdown"), "{}", process.stderr);
    let recorded = read(&directory);
    assert_eq!(messages(&recorded), ["before"]);
    assert_eq!(recorded.records.last().unwrap()["event_type"], "system.shutdown");
}
