//! Places for the figures of what the server does not have yet. Each is called at its time in
//! [`super::run`], with the writer at work; it measures by the same client and prints its lines.

use std::{
    path::Path,
    thread,
    time::{Duration, Instant},
};

use serde::Deserialize;

use super::{Outcome, client::Client};

/// How long a read model may take to be made.
const PATIENCE: Duration = Duration::from_secs(3600);

/// What the server says of itself, as far as it matters here.
#[derive(Debug, Deserialize)]
struct Health {
    read_model: Option<ReadModel>,
}

#[derive(Debug, Deserialize)]
struct ReadModel {
    state: String,
    lag_records: u64,
    trouble: Option<String>,
}

fn model(client: &Client) -> Outcome<Option<ReadModel>> {
    let (_, body) = client.get("/health/detail")?;
    Ok(serde_json::from_str::<Health>(&body)?.read_model)
}

/// Waits until the read model has caught up with the trail, and tells how long that took and how
/// large it is. It is kept for the next run; to measure how it is made, delete it.
pub(super) fn read_model(client: &Client, started: Instant, directory: &Path) -> Outcome<()> {
    let mut most = 0;
    loop {
        let Some(model) = model(client)? else {
            not_built("the read model");
            return Ok(());
        };
        most = most.max(model.lag_records);
        match &*model.state {
            "behind" if started.elapsed() < PATIENCE => thread::sleep(Duration::from_millis(100)),
            "current" => break,
            state => {
                let trouble = model.trouble.as_deref().unwrap_or("no trouble told");
                println!("read model: {state}, {} records behind, {trouble}", model.lag_records);
                return Ok(());
            }
        }
    }
    let took = started.elapsed().as_secs_f64();
    let bytes: u64 = std::fs::read_dir(directory)?
        .filter_map(Result::ok)
        .filter(|entry| entry.file_name().to_string_lossy().contains("read-model"))
        .filter_map(|entry| entry.metadata().ok())
        .map(|about| about.len())
        .sum();
    println!(
        "read model: caught up in {took:.1} s, from {most} records behind; {:.1} MB",
        bytes as f64 / 1e6
    );
    Ok(())
}

/// How far the read model is behind the writer, after all questions.
pub(super) fn read_model_lag(client: &Client) -> Outcome<()> {
    if let Some(model) = model(client)? {
        println!("read model at the end: {}, {} records behind", model.state, model.lag_records);
    }
    Ok(())
}

/// Every report over the whole history and over a day, its figures held against those of
/// [`query_bench::generator::Expected`].
pub(super) fn reports(_client: &Client) {
    not_built("reports");
}

/// The search for anomalies: whether it finds the seeded episodes of guessed passwords, and how long
/// it takes.
pub(super) fn anomalies(_client: &Client) {
    not_built("anomalies");
}

/// Counts and histograms, over the whole history and under a filter.
pub(super) fn stats(_client: &Client) {
    not_built("stats");
}

/// An export of the whole trail: bytes a second, and what it does to the writer's commits.
pub(super) fn export(_client: &Client) {
    not_built("export");
}

fn not_built(what: &str) {
    eprintln!("not measured, because it is not built: {what}");
}
