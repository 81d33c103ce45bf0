//! The command line of `audit-server verify`.

use std::{io::Write, path::PathBuf, process::ExitCode};

use super::{Receipt, Verifier, print};

/// Show that nothing in a trail was changed, or where it was
///
/// Exits with 0 when every path is intact, 1 when anything is broken, 2 when something could not
/// be read or a receipt not be checked; 1 wins over 2.
#[derive(Debug, Clone, clap::Args)]
pub struct VerifyArgs {
    /// A file of JSON lines (its rotated backups PATH.1, PATH.2, … are read as well) or a SQLite
    /// database
    #[arg(required = true, value_name = "PATH")]
    pub paths: Vec<PathBuf>,

    /// A record that the trail must still hold, from an earlier verification or the application;
    /// may be repeated. Finds a tail that was cut off
    #[arg(long = "receipt", value_name = "STREAM:SEQ:HASH")]
    pub receipts: Vec<Receipt>,

    /// Hold the indexes of databases against their tables as well; takes as long as all the rest,
    /// and holds a live writer's log back meanwhile
    #[arg(long)]
    pub indexes: bool,

    /// Print one JSON object instead of a table
    #[arg(long)]
    pub json: bool,
}

/// Verifies and prints what was found to `out`.
///
/// An intact trail whose report can't be printed exits with 2.
pub fn run(args: &VerifyArgs, out: &mut dyn Write) -> ExitCode {
    let verifier = Verifier::new().indexes(args.indexes);
    let verifier = args.receipts.iter().cloned().fold(verifier, Verifier::receipt);
    let outcome = verifier.verify(&args.paths);
    let printed = if args.json { print::json(&outcome, out) } else { print::table(&outcome, out) };
    match printed.and_then(|()| out.flush()) {
        Err(_) if outcome.is_intact() => ExitCode::from(2),
        _ => ExitCode::from(outcome.exit_code()),
    }
}
