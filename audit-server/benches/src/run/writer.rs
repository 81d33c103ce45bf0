//! The writer: a service that records all the while, and what its commits cost it.
//!
//! A process of its own, as in a house: the layer with its journal, its SQLite sink on the trail that
//! is asked. It prints a line of figures whenever it reads one, and ends with its input.

use std::{
    io::{BufRead, BufReader, Write},
    path::{Path, PathBuf},
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use audit_layer::{AuditGuard, AuditLayer};
use clap::Args;
use query_bench::generator::{Seed, Shape, World};
use tracing_subscriber::prelude::*;

use super::{Outcome, figures::Figures};

/// How often an event is committed.
const COMMIT_EVERY: Duration = Duration::from_millis(20);
/// After so many events it is looked whether to go on.
const MOST_AT_ONCE: u64 = 1000;
const LONG: Duration = Duration::from_secs(60);

#[derive(Debug, Args)]
pub(crate) struct WriterArgs {
    #[arg(long)]
    db: PathBuf,
    #[arg(long)]
    journal: PathBuf,
    /// Events a second.
    #[arg(long)]
    rate: u64,
    /// Of whom and what they are: the same as in the trail, since names that are new to a read model
    /// would make it another one with each run.
    #[arg(long)]
    seed: u64,
}

/// The process itself.
pub(crate) fn write(args: &WriterArgs) -> Outcome<()> {
    let (layer, audit) = AuditLayer::builder()
        .service("query-bench")
        .journal(&args.journal)
        // When it records as fast as it can, the sink's pace is to be met soon.
        .journal_max_mb(64)
        .sqlite(&args.db)
        .flush_interval(Duration::from_millis(200))
        .build()?;
    tracing_subscriber::registry().with(layer).init();
    let (stop, written) = (AtomicBool::new(false), AtomicU64::new(0));
    let commits = Mutex::new(Figures::default());
    thread::scope(|scope| -> Outcome<()> {
        scope.spawn(|| record(args, &stop, &written));
        scope.spawn(|| commit(&audit, &stop, &commits));
        let asked = std::io::stdin().lock().lines().try_for_each(|line| -> Outcome<()> {
            line?;
            let taken = std::mem::take(&mut *locked(&commits));
            let micros = |percent| taken.percentile(percent).map_or(0, |time| time.as_micros());
            let (median, worst) = (micros(50), micros(99));
            let (count, errors) = (taken.times.len(), taken.errors);
            println!("{} {count} {errors} {median} {worst}", written.load(Ordering::Relaxed));
            Ok(std::io::stdout().flush()?)
        });
        stop.store(true, Ordering::Relaxed);
        asked
    })?;
    Ok(audit.shutdown(LONG)?)
}

fn locked<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// So many events a second, in small heaps.
fn record(args: &WriterArgs, stop: &AtomicBool, written: &AtomicU64) {
    let (rate, world) = (args.rate, World::new(Seed(args.seed), &Shape::of(0)));
    let mut chance = fastrand::Rng::with_seed(0);
    let begun = Instant::now();
    while !stop.load(Ordering::Relaxed) {
        let due = u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX) * rate / 1000;
        let begins = written.load(Ordering::Relaxed);
        for _ in begins..due.min(begins + MOST_AT_ONCE) {
            event(&world, &mut chance);
            written.fetch_add(1, Ordering::Relaxed);
        }
        if due > begins + MOST_AT_ONCE {
            continue;
        }
        thread::sleep(Duration::from_millis(5));
    }
}

fn event(world: &World, chance: &mut fastrand::Rng) {
    // The square makes the first ones the frequent ones.
    let skewed = |chance: &mut fastrand::Rng, length: usize| {
        let drawn = chance.f64();
        ((drawn * drawn) * length as f64) as usize
    };
    let Some(user) = world.users.get(skewed(chance, world.users.len())) else { return };
    let request = format!("r-{:010x}", chance.u64(..) >> 24);
    match chance.u8(0..10) {
        0..5 => tracing::info!(
            target: "audit", event_type = "api.response", status = "success", user_id = user.id,
            request_id = request, ip_address = "10.0.0.7", duration_us = chance.u64(500..90_000),
            route = "GET /orders", code = 200, "GET /orders answered"
        ),
        5..7 => tracing::info!(
            target: "audit", event_type = "data.read", action = "read", status = "success",
            user_id = user.id, request_id = request, data_classification = "internal",
            resource = format!("/orders/{}", chance.u32(1..50_000)), "Order read"
        ),
        7 => tracing::warn!(
            target: "audit", event_type = "auth.failed", action = "login", status = "failure",
            user_id = user.id, request_id = request, ip_address = "10.0.0.7",
            reason = "wrong password", "User login failed"
        ),
        _ => {
            let Some(symbol) = world.symbols.get(skewed(chance, world.symbols.len())) else {
                return;
            };
            tracing::info!(
                target: "audit", event_type = "trade.executed", status = "success",
                correlation_id = request, user_id = "agent-00", agent = "momentum-0",
                symbol = symbol.name, side = "buy", quantity = "10", price = "12.50",
                amount = "125.00", currency = "EUR", "Order executed"
            );
        }
    }
}

/// An event and its commit, as one who tells a client that it is done.
fn commit(audit: &AuditGuard, stop: &AtomicBool, commits: &Mutex<Figures>) {
    while !stop.load(Ordering::Relaxed) {
        let begun = Instant::now();
        tracing::info!(
            target: "audit", event_type = "admin.action", action = "maintain", status = "success",
            user_id = "u-00003", "Committed"
        );
        let done = audit.commit(LONG);
        let took = begun.elapsed();
        let mut figures = locked(commits);
        match done {
            Ok(_) => figures.times.push(took),
            Err(_) => figures.errors += 1,
        }
        drop(figures);
        thread::sleep(COMMIT_EVERY.saturating_sub(took));
    }
}

/// The process as the one sees it that measures.
#[derive(Debug)]
pub(crate) struct Writer {
    process: Child,
    asks: Option<ChildStdin>,
    answers: BufReader<ChildStdout>,
}

/// What commits took since they were asked for before.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Commits {
    /// Events that were recorded in all.
    pub(crate) written: u64,
    pub(crate) count: u64,
    pub(crate) errors: u64,
    pub(crate) median: Duration,
    pub(crate) p99: Duration,
}

impl Writer {
    pub(crate) fn start(db: &Path, directory: &Path, rate: u64, seed: u64) -> Outcome<Self> {
        let mut process = Command::new(std::env::current_exe()?)
            .arg("writer")
            .arg("--db")
            .arg(db)
            .arg("--journal")
            .arg(directory.join("journal"))
            .args(["--rate", &rate.to_string(), "--seed", &seed.to_string()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let (asks, answers) = (process.stdin.take(), process.stdout.take());
        let answers = BufReader::new(answers.ok_or("the writer has no output")?);
        Ok(Self { process, asks, answers })
    }

    /// The commits since the last call.
    pub(crate) fn commits(&mut self) -> Outcome<Commits> {
        self.asks.as_mut().ok_or("the writer was ended")?.write_all(b"\n")?;
        let mut line = String::new();
        self.answers.read_line(&mut line)?;
        let numbers: Vec<u64> = line.split_whitespace().filter_map(|n| n.parse().ok()).collect();
        let [written, count, errors, median, p99] = numbers[..] else {
            return Err("the writer has ended".into());
        };
        let (median, p99) = (Duration::from_micros(median), Duration::from_micros(p99));
        Ok(Commits { written, count, errors, median, p99 })
    }

    /// Lets it write what it still has.
    pub(crate) fn end(mut self) -> Outcome<()> {
        self.asks = None;
        match self.process.wait()?.success() {
            true => Ok(()),
            false => Err("the writer did not end in good order".into()),
        }
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.asks = None;
        let _ = self.process.wait();
    }
}
