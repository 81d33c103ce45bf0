//! `audit-server export`: the trail, or a part of it, as a file.

mod bar;
mod destination;
mod recover;

use std::{io, path::PathBuf, process::ExitCode, sync::Arc};

use clap::Args;

pub(super) use self::destination::{UnusableFile, write_whole};
use self::{bar::Bar, destination::Destination};
use super::{
    ended,
    filters::FilterArgs,
    query::{log_warnings, open_keyring},
    recorded::Recorder,
};
use crate::{
    Config, DEFAULT_DEADLINE, Error,
    export::{Assembly, Compression, Format, Ledger, Manifest, Part, Request, Status, Walk},
    filter::Opener,
    query::{Sight, Trail},
    read_model::ReadModel,
    self_audit::Command,
    store::{DatabaseStore, Deadline, Lines},
};

/// How often a page that cannot be had in time is asked for again.
const TRIES: u32 = 15;

/// Write all that matches to a file.
///
/// All conditions must hold; without any, the whole trail is exported, as it stands at the start, in
/// the order in which the database received it. The file appears under its name when it is whole;
/// until then it is FILE.part. FILE.manifest.json tells what it has.
///
///   audit-server export 'category = "auth"' --start 2026-11-01 --output auth.ndjson
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub(super) struct ExportArgs {
    #[command(flatten)]
    filters: FilterArgs,
    /// The trail, the SQLite database that the application writes [env: AUDIT_DB] [default: audit.db].
    #[arg(long, value_name = "FILE")]
    db: Option<String>,
    /// Where what is read is recorded until the trail has it, or off [env: AUDIT_SERVER_JOURNAL] [default: audit-server-journal beside the trail].
    #[arg(long, value_name = "DIRECTORY")]
    journal: Option<String>,
    /// Find what was sealed by what it says: with the keys of --keyring. What is sealed stays so in the file.
    #[arg(long)]
    decrypt: bool,
    /// The keys of the host, for --decrypt [env: AUDIT_KEYRING].
    #[arg(long, value_name = "FILE")]
    keyring: Option<String>,
    /// Read settings from this TOML file; flags and the environment win over it.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// The form of the file.
    #[arg(long, value_enum, default_value_t = Format::Ndjson)]
    format: Format,
    /// How to compress it.
    #[arg(long, value_enum, default_value = "none")]
    compression: Compression,
    /// The file to write; - is standard output.
    #[arg(long, short, value_name = "FILE")]
    output: PathBuf,
    /// The most records.
    #[arg(long, value_name = "NUMBER")]
    limit: Option<String>,
    /// Go on after the record with this id.
    #[arg(long, value_name = "ID")]
    after: Option<String>,
    /// Go on where an earlier export ended that asked the same; its manifest has it.
    #[arg(long, value_name = "CURSOR", conflicts_with = "after")]
    cursor: Option<String>,
    /// Go on with the FILE.part of an export that was interrupted.
    #[arg(long, conflicts_with = "force")]
    resume: bool,
    /// Replace what is there.
    #[arg(long)]
    force: bool,
}

/// Why there is no file.
#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error(transparent)]
    Export(#[from] Error),
    #[error(transparent)]
    File(#[from] UnusableFile),
    #[error("cannot write the records")]
    Output(#[source] io::Error),
    #[error("the export ended early; --resume goes on with what was written")]
    Interrupted(#[source] Error),
}

/// Writes what the arguments ask for.
pub(super) fn run(args: &ExportArgs) -> ExitCode {
    log_warnings();
    match export(args) {
        // Whoever reads has seen enough.
        Err(Failure::Output(error)) if error.kind() == io::ErrorKind::BrokenPipe => {
            ExitCode::SUCCESS
        }
        done => ended(done),
    }
}

fn export(args: &ExportArgs) -> Result<(), Failure> {
    let given = [
        ("db", args.db.clone()),
        ("journal", args.journal.clone()),
        ("keyring", args.keyring.clone()),
    ];
    let flags = given.into_iter().filter_map(|(key, text)| Some((key, text?))).collect();
    let config = Config::load(args.config.as_deref(), flags).map_err(Error::from)?;
    let sight = if args.decrypt {
        Sight::default().opening(Arc::new(Opener::new(open_keyring(&config)?)))
    } else {
        Sight::default()
    };
    let request = args.request(&sight).map_err(|error| args.by_flag(error))?;
    let recorder = Recorder::of_reading(&config);
    let mut reading = recorder.reading(Command::Export, request.canonical.clone());
    let model = config.read_model.map(ReadModel::new);
    let trail = Trail::new(Arc::new(DatabaseStore::new(config.db)), model);
    let deadline = || Deadline::after(DEFAULT_DEADLINE);
    let walk = Walk::begin(&trail, &request, deadline()).map_err(|error| args.by_flag(error))?;

    let opened = Destination::open(args, &request, &trail, walk)?;
    let (mut destination, mut walk, already) = (opened.destination, opened.walk, opened.already);
    let ledger = Ledger::open(request.clone(), &walk)?;
    ledger.take_over(already.totals.clone(), &already.streams);
    let mut assembly = Assembly::going_on(&request, already.totals).map_err(Error::internal)?;
    let bar = Bar::new(&ledger);
    let mut write = |part: &Part| {
        destination.write(&part.bytes).map_err(Failure::Output)?;
        ledger.hand_over(part);
        bar.show(&ledger, part.totals.records);
        reading.gave_out(part.totals.records);
        Ok::<_, Failure>(())
    };
    while !walk.is_done() {
        let lines = page(&walk, &trail).map_err(|error| match args.is_to_stdout() {
            true => Failure::Export(error),
            false => Failure::Interrupted(error),
        })?;
        walk.advance(&lines);
        write(&assembly.add(lines).map_err(Failure::Output)?)?;
    }
    write(&assembly.end().map_err(Failure::Output)?)?;
    bar.clear();
    ledger.end(Status::Complete);
    let manifest = text(&ledger.manifest()).map_err(Error::internal)?;
    destination.finish(&manifest)?;
    reading.done();
    Ok(())
}

/// The next page. A machine that is busy gets several times.
fn page(walk: &Walk, trail: &Trail) -> Result<Lines, Error> {
    let mut tries = 0;
    loop {
        match walk.page(trail, Deadline::after(DEFAULT_DEADLINE)) {
            Err(Error::QueryTimeout(_)) if tries < TRIES => tries += 1,
            page => return page,
        }
    }
}

fn text(manifest: &Manifest) -> serde_json::Result<String> {
    serde_json::to_string_pretty(manifest).map(|text| text + "\n")
}

impl ExportArgs {
    fn is_to_stdout(&self) -> bool {
        self.output.as_os_str() == "-"
    }

    fn request(&self, sight: &Sight) -> Result<Request, Error> {
        let own = [
            ("limit", self.limit.as_deref()),
            ("after", self.after.as_deref()),
            ("cursor", self.cursor.as_deref()),
        ];
        let own = own.into_iter().filter_map(|(name, value)| Some((name, value?)));
        let form = [("format", self.format.word()), ("compression", self.compression.word())];
        Request::read_as(&self.filters.query_string(own.chain(form)), sight)
    }

    fn by_flag(&self, error: Error) -> Error {
        let others = [
            ("limit", self.limit.as_ref()),
            ("after", self.after.as_ref()),
            ("cursor", self.cursor.as_ref()),
        ];
        self.filters.by_flag(error, &others)
    }
}
