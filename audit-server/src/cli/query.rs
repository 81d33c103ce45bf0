//! `audit-server query`: the filters of the HTTP API on a trail, without a server.

use std::{
    io::{self, BufWriter, Write},
    path::PathBuf,
    process::ExitCode,
    sync::Arc,
    time::{Duration, Instant},
};

use audit_layer::keyring::Keyring;
use clap::Args;
use tracing_subscriber::{Layer, layer::SubscriberExt, util::SubscriberInitExt};

use super::{
    filters::FilterArgs,
    output::{Color, Output, Target},
    recorded::Recorder,
    report,
};
use crate::{
    AuditQuery, AuditStore, Config, DEFAULT_DEADLINE, Error, InvalidConfig, query::MAX_LIMIT,
    self_audit::Command,
};

/// How long a query may take without `--all`.
const DEFAULT_TIMEOUT: Duration = Duration::from_secs(30);

/// Search the trail.
///
/// All conditions must hold. An expression is what `filter=` of the HTTP API takes:
///
///   audit-server query 'event_type = "auth.*" AND status != "success"' --start 2026-11-21
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub(super) struct QueryArgs {
    #[command(flatten)]
    filters: FilterArgs,
    /// The trail, the SQLite database that the application writes [env: AUDIT_DB] [default: audit.db].
    #[arg(long, value_name = "FILE")]
    db: Option<String>,
    /// What a server derived from the trail to find records, or off [env: AUDIT_SERVER_READ_MODEL] [default: audit-read-model.db].
    #[arg(long, value_name = "FILE")]
    read_model: Option<String>,
    /// Where what is read is recorded until the trail has it, or off [env: AUDIT_SERVER_JOURNAL] [default: audit-server-journal beside the trail].
    #[arg(long, value_name = "DIRECTORY")]
    journal: Option<String>,
    /// Show what was sealed in clear, and find it by what it says: with the keys of --keyring.
    #[arg(long)]
    decrypt: bool,
    /// The keys of the host, for --decrypt [env: AUDIT_KEYRING].
    #[arg(long, value_name = "FILE")]
    keyring: Option<String>,
    /// Read settings from this TOML file; flags and the environment win over it.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// desc, newest first; asc, oldest first; or arrival, as the database received them
    /// [default: desc].
    #[arg(long, value_name = "ORDER")]
    order: Option<String>,
    /// The most records to print.
    #[arg(long, value_name = "NUMBER", default_value_t = 100, value_parser = clap::value_parser!(u64).range(1..))]
    limit: u64,
    /// Print all that there are.
    #[arg(long, conflicts_with = "limit")]
    all: bool,
    /// Go on where an earlier query ended that asked the same.
    #[arg(long, value_name = "CURSOR")]
    cursor: Option<String>,
    /// The longest that it may take [default: 30s, and no end with --all].
    #[arg(long, value_name = "TIME", value_parser = humantime::parse_duration)]
    timeout: Option<Duration>,
    /// How to print [default: table on a terminal, jsonl elsewhere and with --decrypt].
    #[arg(long, value_enum)]
    output: Option<Output>,
    /// Whether to colour the table; auto asks the terminal and NO_COLOR.
    #[arg(long, value_enum, default_value_t = Color::Auto)]
    color: Color,
}

/// Why there is no answer, or only a part of it.
#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error(transparent)]
    Query(#[from] Error),
    #[error("cannot write the records")]
    Output(#[source] io::Error),
}

/// Why printing ended.
enum End {
    /// There are no more.
    All,
    /// There are no more yet.
    ForNow,
    /// As many are printed as were asked for.
    Limit,
    /// It took as long as it may.
    Time,
}

/// Prints what the arguments ask for.
pub(super) fn run(args: &QueryArgs) -> ExitCode {
    log_warnings();
    match walk(args) {
        Ok(()) => ExitCode::SUCCESS,
        // Whoever reads has seen enough.
        Err(Failure::Output(error)) if error.kind() == io::ErrorKind::BrokenPipe => {
            ExitCode::SUCCESS
        }
        Err(failure) => {
            report(&failure);
            ExitCode::FAILURE
        }
    }
}

/// A line of the trail that cannot be read is left out of the answer, and told of here.
pub(super) fn log_warnings() {
    let log = tracing_subscriber::fmt::layer()
        .with_writer(io::stderr)
        .with_target(false)
        .without_time()
        .with_ansi(false)
        .with_filter(tracing::level_filters::LevelFilter::WARN);
    let _ = tracing_subscriber::registry().with(log).try_init();
}

fn walk(args: &QueryArgs) -> Result<(), Failure> {
    let given = [
        ("db", args.db.clone()),
        ("read_model", args.read_model.clone()),
        ("journal", args.journal.clone()),
        ("keyring", args.keyring.clone()),
    ];
    let flags = given.into_iter().filter_map(|(key, text)| Some((key, text?))).collect();
    let config = Config::load(args.config.as_deref(), flags).map_err(Error::from)?;
    let recorder = Recorder::of_reading(&config);
    let mut store = AuditStore::open(config.db.clone());
    if let Some(model) = config.read_model.clone() {
        store = store.read_model(model);
    }
    if args.decrypt {
        if args.output == Some(Output::Table) {
            let reason = "the table has no details to show: --output jsonl or csv".to_owned();
            return Err(Error::from(InvalidConfig { name: "--decrypt".to_owned(), reason }).into());
        }
        store = store.keyring(open_keyring(&config)?);
    }
    let query = args.question(&store);

    let most = if args.all { u64::MAX } else { args.limit };
    let timeout = args.timeout.or_else(|| (!args.all).then_some(DEFAULT_TIMEOUT));
    let until = timeout.and_then(|timeout| Instant::now().checked_add(timeout));
    let left = || until.map(|until| until.saturating_duration_since(Instant::now()));

    let target = Target::stdout(args.color);
    let output = args.output.unwrap_or(if target.terminal.is_some() && !args.decrypt {
        Output::Table
    } else {
        Output::Jsonl
    });
    let mut printer = output.printer(target);
    let mut out = BufWriter::new(io::stdout().lock());

    let mut printed = 0;
    let mut reading = recorder.reading(Command::Query, args.asked());
    let mut cursor = args.cursor.clone();
    let mut gone_on = false;
    let end = loop {
        let room = usize::try_from(most - printed).unwrap_or(MAX_LIMIT).min(MAX_LIMIT);
        // A long read would keep the writer from tidying its log: many short ones do not.
        let deadline = left().map_or(DEFAULT_DEADLINE, |left| left.min(DEFAULT_DEADLINE));
        let mut page = query.clone().limit(room).deadline(deadline);
        if let Some(cursor) = &cursor {
            page = page.cursor(cursor);
        }
        let mut page = match page.execute() {
            Err(Error::QueryTimeout(_)) if gone_on && left() == Some(Duration::ZERO) => {
                break End::Time;
            }
            page => page.map_err(|error| args.by_flag(error))?,
        };
        if let Some(shown) = page.shown.take() {
            reading.opened(shown);
        }
        printer
            .print(&page.records, &mut out)
            .and_then(|()| out.flush())
            .map_err(Failure::Output)?;
        printed += page.records.len() as u64;
        reading.gave_out(printed);
        let Some(next) = page.next_cursor else { break End::All };
        (cursor, gone_on) = (Some(next), true);
        // Only the order of arrival has a next page behind the last record.
        if page.records.len() < room && !page.truncated {
            break End::ForNow;
        }
        if printed >= most {
            break End::Limit;
        }
        if left() == Some(Duration::ZERO) {
            break End::Time;
        }
    };
    reading.done();
    let on = format!("--cursor {}", cursor.unwrap_or_default());
    match end {
        End::All if printed == 0 && output == Output::Table => tell(format_args!("no records")),
        End::All => {}
        End::ForNow => tell(format_args!("{on} goes on with what arrives from now on")),
        End::Limit => tell(format_args!("{printed} records, there may be more: {on} goes on")),
        End::Time => tell(format_args!("time is up after {printed} records: {on} goes on")),
    }
    Ok(())
}

/// The keyring, for `--decrypt`.
pub(super) fn open_keyring(config: &Config) -> Result<Arc<Keyring>, Error> {
    let missing = || InvalidConfig {
        name: "--keyring".to_owned(),
        reason: "--decrypt needs it: name the keyring, or set AUDIT_KEYRING".to_owned(),
    };
    let path = config.keyring.clone().ok_or_else(missing)?;
    Ok(Arc::new(Keyring::open(path)?))
}

pub(super) fn tell(line: std::fmt::Arguments<'_>) {
    let _ = writeln!(io::stderr(), "audit-server: {line}");
}

impl QueryArgs {
    fn question<'s>(&self, store: &'s AuditStore) -> AuditQuery<'s> {
        let mut query = AuditQuery::new(store);
        for (name, value) in self.filters.parameters() {
            query = query.parameter(name, value);
        }
        match &self.order {
            Some(order) => query.parameter("order", order),
            None => query,
        }
    }

    /// What is asked, as a query string would have it.
    fn asked(&self) -> String {
        let order = self.order.as_deref().map(|order| ("order", order));
        self.filters.query_string(order)
    }

    /// The error with the name of the flag, when a flag was the mistake.
    fn by_flag(&self, error: Error) -> Error {
        let flags = [("order", self.order.as_ref()), ("cursor", self.cursor.as_ref())];
        self.filters.by_flag(error, &flags)
    }
}
