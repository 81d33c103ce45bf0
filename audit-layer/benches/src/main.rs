//! What `audit-layer` costs beside its peers, all measured in one run on one machine.
//!
//! ```text
//! cargo run --release --manifest-path audit-layer/benches/Cargo.toml [-- callsite|redaction|file|sqlite|redis|commit|recovery|memory]
//! ```
//! Each measurement is a process of its own, with the subject as the global subscriber, as a service
//! has it. Times vary with the machine; the ratios are what to read.

mod callsite;
mod commit;
mod file;
mod memory;
mod recovery;
mod redaction;
mod redis;
mod report;
mod sqlite;
mod subject;

use std::process::Command;

use report::Outcome;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["measure", what, rest @ ..] => print!("{}", measure(what, rest)),
        [] => {
            for part in
                ["callsite", "redaction", "file", "sqlite", "redis", "commit", "recovery", "memory"]
            {
                run(part);
            }
        }
        parts => parts.iter().for_each(|part| run(part)),
    }
}

fn run(part: &str) {
    match part {
        "callsite" => callsite::report(),
        "redaction" => redaction::report(),
        "file" => file::report(),
        "sqlite" => sqlite::report(),
        "redis" => redis::report(),
        "commit" => commit::report(),
        "recovery" => recovery::report(),
        "memory" => memory::report(),
        other => eprintln!("there is no benchmark {other:?}"),
    }
    println!();
}

fn measure(what: &str, arguments: &[&str]) -> Outcome {
    match what {
        "callsite" => callsite::measure(arguments),
        "redaction" => redaction::measure(arguments),
        "file" => file::measure(arguments),
        "sqlite" => sqlite::measure(arguments),
        "redis" => redis::measure(arguments),
        "commit" => commit::measure(arguments),
        "recovery" => recovery::measure(arguments),
        "memory" => memory::measure(arguments),
        other => panic!("there is no measurement {other:?}"),
    }
}

/// Measures in a process of its own.
fn in_child(arguments: &[&str]) -> Outcome {
    let program = std::env::current_exe().expect("the path of this program");
    let output = Command::new(program).arg("measure").args(arguments).output().expect("a child");
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    Outcome::parse(&String::from_utf8_lossy(&output.stdout))
}
