//! The read model: how long it takes to be made, and to have what was just committed.

use std::{
    path::Path,
    thread,
    time::{Duration, Instant},
};

use rusqlite::{Connection, OpenFlags};
use serde::Deserialize;

use super::super::{
    Outcome,
    client::Client,
    figures::{Figures, millis},
};

/// How long a read model may take to be made.
const PATIENCE: Duration = Duration::from_secs(3600);

/// What the server says of itself, as far as it matters here.
#[derive(Debug, Deserialize)]
struct Health {
    read_model: Option<ReadModel>,
}

#[derive(Debug, Deserialize)]
pub(super) struct ReadModel {
    state: String,
    pub(super) arrival: i64,
    pub(super) lag_records: u64,
    trouble: Option<String>,
}

/// How the read model is; none when the server has none.
pub(super) fn model(client: &Client) -> Outcome<Option<ReadModel>> {
    let (_, body) = client.get("/health/detail")?;
    Ok(serde_json::from_str::<Health>(&body)?.read_model)
}

/// Waits until the read model has caught up with the trail, and tells how long that took and how
/// large it is. It is kept for the next run; to measure how it is made, delete it.
pub(in super::super) fn read_model(
    client: &Client,
    started: Instant,
    directory: &Path,
) -> Outcome<()> {
    let mut most = 0;
    loop {
        let Some(model) = model(client)? else {
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
pub(in super::super) fn read_model_lag(client: &Client) -> Outcome<()> {
    if let Some(model) = model(client)? {
        println!("read model at the end: {}, {} records behind", model.state, model.lag_records);
    }
    Ok(())
}

/// How often it is looked at how long the model takes to have what was committed.
const LOOKS: usize = 40;

/// How long it takes from a commit of the writer until the model has it, and how far the model is
/// behind meanwhile.
pub(in super::super) fn freshness(client: &Client, db: &Path) -> Outcome<()> {
    if model(client)?.is_none_or(|model| model.state == "disabled") {
        return Ok(());
    }
    let trail = Connection::open_with_flags(db, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
    let newest = || -> Outcome<i64> {
        let mut query = trail.prepare_cached("SELECT max(arrival) FROM audit_logs")?;
        Ok(query.query_row([], |row| row.get(0))?)
    };
    let (mut figures, mut lags) = (Figures::default(), Vec::new());
    for _ in 0..LOOKS {
        let before = newest()?;
        let waited = Instant::now();
        let arrival = loop {
            let arrival = newest()?;
            if arrival > before {
                break arrival;
            }
            if waited.elapsed() > Duration::from_secs(10) {
                return Err("the writer writes nothing".into());
            }
            thread::sleep(Duration::from_millis(1));
        };
        let committed = Instant::now();
        loop {
            let Some(model) = model(client)? else { break };
            lags.push(model.lag_records);
            if model.arrival >= arrival {
                figures.page(committed.elapsed(), 0, false);
                break;
            }
            if committed.elapsed() > Duration::from_secs(10) {
                figures.errors += 1;
                break;
            }
            thread::sleep(Duration::from_millis(2));
        }
    }
    lags.sort_unstable();
    println!(
        "read model: has a commit after {} ms (median), {} ms (at most of {}), {} never; records \
         behind when it looked: {} (median), {} (at most)",
        millis(figures.percentile(50)),
        millis(figures.percentile(100)),
        figures.times.len(),
        figures.errors,
        lags.get(lags.len() / 2).copied().unwrap_or(0),
        lags.last().copied().unwrap_or(0),
    );
    Ok(())
}
