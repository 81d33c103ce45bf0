//! The `audit-server` command.

use clap::{Parser, Subcommand};

#[derive(Parser)]
#[command(version, about)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    Verify(audit_server::verify::VerifyArgs),
}

fn main() -> std::process::ExitCode {
    match Cli::parse().command {
        Command::Verify(args) => audit_server::verify::run(&args, &mut std::io::stdout().lock()),
    }
}
