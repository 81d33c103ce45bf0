//! `query-bench run`: every question, by one client and by many, while a service writes.
//!
//! In this order, so that one figure does not stand in the way of another: commits while nobody
//! asks; then all questions over HTTP, with the writer at work, and commits meanwhile; reports, an
//! export, and pages beside exports, in the same way ([`sections`]); then, with a trail of its own, how a
//! server follows a writer that writes as fast as it can; and at last, without server and writer, the
//! same questions in SQL, which so get the machine for themselves. With `--check`, what
//! reports say is held against the generator's books before anything else.
//!
//! A question that is slow is not asked as often as one that is fast: after `--seconds` it is
//! enough, and the table says how often it was asked. A page that the server cut short for want of
//! time (`truncated`) is counted as an answer and told of in a column of its own: its time is that
//! of the server's patience and says nothing of the question's cost.

mod client;
mod figures;
mod measure;
mod memory;
mod questions;
mod sections;
mod server;
mod table;
mod values;
mod wal;
pub(crate) mod writer;
mod yardstick;

use std::{
    error::Error,
    path::{Path, PathBuf},
    thread,
    time::{Duration, Instant},
};

use clap::Args;
use query_bench::generator::Seed;

use client::Client;
use figures::{Figures, millis};
use measure::{Depth, Enough};
use memory::{Memory, MemoryWatch};
use questions::{QUESTIONS, Question};
use server::Server;
use table::Row;
use values::Values;
use wal::WalWatch;
use writer::{Commits, Writer};
use yardstick::Yardstick;

type Outcome<T> = Result<T, Box<dyn Error>>;

/// How long commits are measured while nobody asks: long enough for fifteen that are slower than the p99 of
/// these, which others are held against.
const QUIET: Duration = Duration::from_secs(30);

#[derive(Debug, Args)]
pub(crate) struct RunArgs {
    /// The trail, as `generate` made it. The writer adds to it.
    #[arg(long, value_name = "FILE")]
    db: PathBuf,
    /// The seed that the trail was generated from.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Ask this server, which must read the same trail, and start none.
    #[arg(long, value_name = "URL", requires = "key")]
    server: Option<String>,
    /// Its key.
    #[arg(long)]
    key: Option<String>,
    /// The program that is started [default: audit-server beside this one].
    #[arg(long, value_name = "FILE")]
    program: Option<PathBuf>,
    /// One more argument for `audit-server serve`, such as --server-arg=--readers=8.
    #[arg(long = "server-arg", value_name = "ARGUMENT")]
    server_arguments: Vec<String>,
    /// Clients at once, where there are many.
    #[arg(long, default_value_t = 64)]
    clients: usize,
    /// Answers of one client to a question.
    #[arg(long, default_value_t = 100)]
    requests: usize,
    /// The most seconds for a question, for one client and again for many.
    #[arg(long, default_value_t = 5)]
    seconds: u64,
    /// Events a second that the writer adds.
    #[arg(long, default_value_t = 1000)]
    rate: u64,
    /// Only questions and reports whose name has this in it.
    #[arg(long, default_value = "")]
    only: String,
    /// How often each report is asked for.
    #[arg(long, default_value_t = 10)]
    reports: usize,
    /// Seconds of pages beside exports; with 0 there are no exports at all.
    #[arg(long, default_value_t = 10)]
    mixed_seconds: u64,
    /// Seconds of a writer that writes as fast as it can to a trail of its own; with 0 none.
    #[arg(long, default_value_t = 15)]
    pace_seconds: u64,
    /// First live through the generated history again, and hold what reports say against it.
    #[arg(long)]
    check: bool,
    /// Leave out the SQL.
    #[arg(long)]
    no_sql: bool,
}

/// Runs the benchmark and prints its table.
pub(crate) fn run(args: &RunArgs) -> Outcome<()> {
    let values = Values::sample(&args.db, args.seed)?;
    // The server is started elsewhere.
    let db = args.db.canonicalize()?;
    let directory = beside(&db);
    std::fs::create_dir_all(&directory)?;
    let started = Instant::now();
    let server = match (&args.server, &args.key) {
        (Some(url), Some(key)) => Server::running(url, key),
        _ => Server::start(&program(args)?, &db, &directory, &args.server_arguments)?,
    };
    let client = Client::new(&server.url, &server.key);
    sections::read_model(&client, started, &directory)?;
    if args.check {
        sections::hold(&client, &db, Seed(args.seed), values.generated)?;
    }
    let wal = WalWatch::start(&db);
    let mut writer = Writer::start(&db, &directory, args.rate, args.seed)?;
    // What recovery and the first batches cost is not of interest.
    thread::sleep(Duration::from_secs(2));
    writer.commits()?;
    thread::sleep(QUIET);
    let quiet = writer.commits()?;
    let clients: Vec<_> =
        (0..args.clients).map(|_| Client::of_many(&server.url, &server.key)).collect();
    let asked = QUESTIONS.iter().flat_map(|question| Depth::ALL.map(|depth| (question, depth)));
    let mut rows = Vec::new();
    for (number, (question, depth)) in (0..).zip(asked) {
        if question.name.contains(&args.only) {
            let draws = values.draws(number);
            rows.push(ask(args, &client, &clients, question, depth, draws));
        }
    }
    let loaded = writer.commits()?;
    let memory = MemoryWatch::start(&server);
    sections::reports(&client, args.reports, &args.only);
    memory.tell("reports", None);
    sections::tell_commits("reports", writer.commits()?, quiet);
    sections::freshness(&client, &db)?;
    if args.mixed_seconds > 0 {
        sections::export(&server, &client, &mut writer, quiet)?;
        let asked = (&values, args.mixed_seconds);
        sections::mixed(&server, &clients, asked, &mut writer, (quiet, &wal))?;
    }
    sections::read_model_lag(&client)?;
    drop(memory);
    let memory = server.process().and_then(Memory::of).map(|memory| memory.peak);
    writer.end()?;
    drop(server);
    if args.pace_seconds > 0 && args.server.is_none() {
        sections::pace(&program(args)?, &directory, args.pace_seconds, args.seed)?;
    }
    if !args.no_sql {
        measure_sql(args, &mut rows)?;
    }
    table::print(&rows);
    println!("\nrecords: {} generated", values.generated);
    print_end(&rows, [quiet, loaded], wal.longest(), memory);
    Ok(())
}

/// The server that is started.
fn program(args: &RunArgs) -> Outcome<PathBuf> {
    let program = args.program.clone().map_or_else(server::beside_this, Ok)?;
    let whole = program.canonicalize();
    Ok(whole.map_err(|error| format!("{}: {error}; build it first", program.display()))?)
}

/// Where the server's keys and the writer's journal are kept between runs.
fn beside(db: &Path) -> PathBuf {
    let mut directory = db.as_os_str().to_owned();
    directory.push(".run");
    directory.into()
}

fn ask(
    args: &RunArgs,
    client: &Client,
    clients: &[Client],
    question: &'static Question,
    depth: Depth,
    draws: Values,
) -> Row {
    let time = Duration::from_secs(args.seconds);
    let enough = Enough { answers: args.requests.max(1), time };
    let mut values = draws.clone();
    let alone = measure::one(client, question, depth, &mut values, enough);
    let each = Enough { answers: args.requests.div_ceil(4).max(1), time };
    let begun = Instant::now();
    let crowd = measure::many(clients, question, depth, &mut values, each);
    let crowd_took = begun.elapsed();
    eprintln!("{}, {}: {} ms", question.name, depth.name(), millis(alone.percentile(50)));
    Row { question, depth, draws, alone, crowd, crowd_took, sql: None }
}

/// Asks in SQL what the one client was asked, from the first question on, and at most as often: a
/// median of other questions would be no yardstick.
fn measure_sql(args: &RunArgs, rows: &mut [Row]) -> Outcome<()> {
    let yardstick = Yardstick::open(&args.db)?;
    for row in rows {
        let answers = row.alone.times.len().clamp(1, 20);
        let enough = Enough { answers, time: Duration::from_secs(args.seconds) };
        let mut values = row.draws.clone();
        row.sql = Some(yardstick.measure(row.question, row.depth, &mut values, enough)?);
        eprintln!("{}, {}: by hand done", row.question.name, row.depth.name());
    }
    Ok(())
}

fn print_end(rows: &[Row], [quiet, loaded]: [Commits; 2], wal: u64, memory: Option<u64>) {
    let of = |one: fn(&Figures) -> usize| -> usize {
        rows.iter().map(|row| one(&row.alone) + one(&row.crowd)).sum()
    };
    for (when, commits) in [("quiet", quiet), ("asked", loaded)] {
        println!(
            "commit, {when}: p50 {} ms, p99 {} ms of {} commits, {} failed",
            millis(Some(commits.median)),
            millis(Some(commits.p99)),
            commits.count,
            commits.errors
        );
    }
    println!("written meanwhile: {}", loaded.written);
    println!("longest write-ahead log: {:.1} MB", wal as f64 / 1e6);
    if let Some(memory) = memory {
        println!("memory of the server at most: {:.1} MB", memory as f64 / 1e6);
    }
    println!("answers: {}, truncated: {}", of(|f| f.times.len()), of(|f| f.truncated));
    println!("errors: {}", of(|f| f.errors));
    let first = rows.iter().flat_map(|row| [&row.alone, &row.crowd]);
    for error in first.filter_map(|figures| figures.first_error.as_ref()).take(3) {
        println!("  such as: {error}");
    }
}
