//! What `audit-server verify` finds, on trails that were tampered with in every way we know.

#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs, reason = "for tests")]

mod beside;
mod command;
mod database;
mod file;
mod fixture;
mod late_start;
mod receipts;
mod schema;
mod second_opinion;
mod together;

use std::path::Path;

use audit_server::verify::{Break, Cause, Outcome, Verifier};

fn verify(path: &Path) -> Outcome {
    Verifier::new().verify(&[path])
}

/// The only break, of a trail that must have exactly one.
fn only_break(outcome: &Outcome) -> Break {
    let breaks: Vec<_> = outcome.breaks().cloned().collect();
    assert_eq!(breaks.len(), 1, "{outcome:#?}");
    assert_eq!(outcome.exit_code(), 1);
    breaks.into_iter().next().unwrap()
}

fn cause(outcome: &Outcome) -> Cause {
    only_break(outcome).cause
}
