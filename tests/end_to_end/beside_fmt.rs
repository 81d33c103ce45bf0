//! Other layers see and print what they would without ours.

use std::process::Command;

use tests::Process;

fn run(audit: &str, filter: &str) -> Process {
    let directory = tempfile::tempdir().unwrap();
    Process::run_well(
        Command::new(env!("CARGO_BIN_EXE_probe"))
            .arg("beside-fmt")
            .arg(directory.path())
            .arg(format!("{audit}+{filter}")),
    )
}

/// The most verbose level that `tracing` passes on.
fn level(process: &Process) -> &str {
    process.stderr.lines().find_map(|line| line.strip_prefix("level ")).unwrap()
}

fn is_identical(filter: &str) {
    let without = run("none", filter);
    assert!(without.stdout.lines().count() > 3, "{}", without.stdout);
    for order in ["before", "after"] {
        let with = run(order, filter);
        assert_eq!(with.stdout, without.stdout, "with our layer {order} the fmt layer");
    }
}

#[test]
fn an_fmt_layer_without_a_filter_prints_the_same() {
    // Nothing asks for less than everything: the level is TRACE, with our layer and without.
    is_identical("plain");
    assert!(run("none", "plain").stdout.contains("TRACE"));
}

#[test]
fn an_fmt_layer_with_a_level_of_its_own_prints_the_same() {
    is_identical("own-level");
}

#[test]
fn an_fmt_layer_with_an_env_filter_of_its_own_prints_the_same() {
    is_identical("own-env");
}

#[test]
fn an_fmt_layer_under_a_global_level_prints_the_same() {
    is_identical("global-level");
}

#[test]
fn an_fmt_layer_under_a_global_env_filter_prints_the_same() {
    is_identical("global-env");
}

#[test]
fn our_layer_does_not_set_the_process_to_trace() {
    assert_eq!(level(&run("none", "own-level")), "warn");
    for order in ["before", "after"] {
        // Context comes from spans of level DEBUG, so that is what our layer asks for.
        assert_eq!(level(&run(order, "own-level")), "debug", "{order}");
    }
    assert_eq!(level(&run("before", "global-level")), "info");
}
