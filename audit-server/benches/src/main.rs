//! `query-bench`: makes a trail of millions of records, and asks it.

mod run;

use std::{error::Error, path::PathBuf, process::ExitCode, time::Instant};

use clap::{Args, Parser, Subcommand};
use query_bench::{
    generator::{Seed, Shape},
    load,
};

/// What questions to a trail of millions of records cost.
#[derive(Debug, Parser)]
#[command(name = "query-bench")]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Write the records of a seed to a new trail.
    Generate(GenerateArgs),
    /// Ask a server over such a trail, while a service writes to it, and print what it took.
    Run(run::RunArgs),
    /// The service that writes; started by `run`.
    #[command(hide = true)]
    Writer(run::writer::WriterArgs),
}

#[derive(Debug, Args)]
struct GenerateArgs {
    /// How many records.
    #[arg(long, default_value_t = 10_000_000)]
    records: u64,
    /// Where chance begins.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// The new database.
    #[arg(long, value_name = "FILE")]
    db: PathBuf,
}

fn main() -> ExitCode {
    let done = match Cli::parse().command {
        Command::Generate(args) => generate(&args),
        Command::Run(args) => run::run(&args),
        Command::Writer(args) => run::writer::write(&args),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("query-bench: {error}");
            ExitCode::FAILURE
        }
    }
}

fn generate(args: &GenerateArgs) -> Result<(), Box<dyn Error>> {
    let begun = Instant::now();
    let rate = |records: u64| records as f64 / begun.elapsed().as_secs_f64();
    if let Some(directory) = args.db.parent() {
        std::fs::create_dir_all(directory)?;
    }
    load::load(&args.db, Seed(args.seed), Shape::of(args.records), |written| {
        if written.is_multiple_of(1_000_000) {
            eprintln!("{written} records, {:.0} a second", rate(written));
        }
    })?;
    let bytes = std::fs::metadata(&args.db)?.len();
    println!(
        "{} records in {:.1} s, {:.0} a second; {:.0} MB, {:.0} bytes a record",
        args.records,
        begun.elapsed().as_secs_f64(),
        rate(args.records),
        bytes as f64 / 1e6,
        bytes as f64 / args.records as f64
    );
    Ok(())
}
