//! What is measured beside questions, each in a file: it is called at its time in [`super::run`], and
//! prints its lines.

mod download;
mod export;
mod held;
mod mixed;
mod pace;
mod read_model;
mod reports;

pub(super) use export::export;
pub(super) use held::hold;
pub(super) use mixed::mixed;
pub(super) use pace::pace;
pub(super) use read_model::{freshness, read_model, read_model_lag};
pub(super) use reports::reports;

use super::{figures::millis, writer::Commits};

/// Says how long commits took in a phase, beside those while nobody asked.
pub(super) fn tell_commits(of: &str, commits: Commits, quiet: Commits) {
    let ratio = commits.p99.as_secs_f64() / quiet.p99.as_secs_f64().max(f64::MIN_POSITIVE);
    println!(
        "{of}: commits: p50 {} ms, p99 {} ms of {}, {} failed; p99 is {ratio:.2} times the quiet one",
        millis(Some(commits.median)),
        millis(Some(commits.p99)),
        commits.count,
        commits.errors,
    );
}
