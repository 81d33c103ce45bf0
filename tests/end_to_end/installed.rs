//! `verify_installed` proves that audit events arrive, or names what stops them.

use std::process::Command;

use tests::{Process, Recorded};

/// What `verify_installed` said, and the messages that were recorded.
fn verify(subscriber: &str, rust_log: &str) -> (String, Vec<String>) {
    let directory = tempfile::tempdir().unwrap();
    let process = Process::run_well(
        Command::new(env!("CARGO_BIN_EXE_probe"))
            .env("RUST_LOG", rust_log)
            .arg("installed")
            .arg(directory.path())
            .arg(subscriber),
    );
    let said = process.stdout.lines().next().unwrap().to_owned();
    let recorded = Recorded::read(&directory.path().join("audit.log"));
    let messages = recorded
        .events()
        .iter()
        .map(|record| {
            assert_eq!(record["user_id"], "u-1", "the context came along");
            record["message"].as_str().unwrap().to_owned()
        })
        .collect();
    (said, messages)
}

#[track_caller]
fn passes(subscriber: &str, rust_log: &str, records: usize) {
    let (said, messages) = verify(subscriber, rust_log);
    assert_eq!(said, "Ok(())");
    // All that was emitted, and not the canary.
    assert_eq!(messages, vec!["hello"; records]);
}

#[track_caller]
fn fails(subscriber: &str, rust_log: &str, because: &[&str]) {
    let (said, messages) = verify(subscriber, rust_log);
    assert!(said.starts_with("Err("), "{said}");
    for word in because {
        assert!(said.contains(word), "{word:?} is not named: {said}");
    }
    assert!(messages.is_empty(), "it says that nothing arrives, and {messages:?} did");
}

#[test]
fn a_global_rust_log_of_warn_is_found_and_named() {
    fails("global-env", "warn", &["global filter", "RUST_LOG", "warn", "with_filter"]);
}

#[test]
fn a_global_rust_log_that_spares_another_module_is_found_too() {
    fails("global-env", "warn,other=trace", &["filter", "`audit`", "with_filter"]);
    fails("global-env", "info,audit=off", &["filter", "`audit`"]);
}

#[test]
fn a_global_rust_log_that_lets_audit_through_passes() {
    passes("global-env", "info", 100);
    passes("global-env", "warn,audit=info,probe=info", 100);
}

#[test]
fn rust_log_as_a_filter_of_the_fmt_layer_alone_passes_and_every_record_arrives() {
    passes("fmt-env", "warn", 100);
    passes("fmt-env", "off", 100);
}

#[test]
fn a_layer_that_is_installed_passes() {
    passes("alone", "", 100);
    passes("beside-fmt", "", 100);
}

#[test]
fn a_layer_that_records_errors_only_passes_without_recording_info() {
    passes("error", "", 0);
}

#[test]
fn no_subscriber_is_named() {
    fails("none", "", &["no subscriber"]);
}

#[test]
fn a_subscriber_without_the_layer_is_named() {
    fails("another", "", &["does not contain this layer"]);
    fails("another-audit-layer", "", &["does not contain this layer"]);
}

#[test]
fn a_filter_that_rejects_the_target_is_named() {
    fails("target", "", &["filter", "`audit`"]);
    fails("silencer", "", &["event_enabled"]);
    fails("around-layer", "", &["filter"]);
}

#[test]
fn a_canary_is_never_recorded() {
    let recorded = Recorded::from(|| {});
    assert!(recorded.events().is_empty());
    use tests::Trail;
    use tracing_subscriber::prelude::*;
    let trail = Trail::in_file();
    let (layer, guard) = trail.open();
    tracing::subscriber::with_default(tracing_subscriber::registry().with(layer), || {
        guard.verify_installed().unwrap();
        guard.verify_installed().unwrap();
    });
    assert!(trail.end(guard).events().is_empty());
}
