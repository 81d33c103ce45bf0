//! `audit-server report`: what the trail says of a stretch of time, without a server.

mod chart;
mod grid;
mod make;
mod text;
mod wrap;

use std::{
    io::{self, Write},
    path::{Path, PathBuf},
    process::ExitCode,
};

use clap::{Args, Subcommand, ValueEnum, builder::NonEmptyStringValueParser};

use self::make::{asked_of, make};
use super::{
    ended,
    export::{UnusableFile, write_whole},
    output::{Color, Target},
    query::log_warnings,
    recorded::Recorder,
    safe::shown_json,
};
use crate::{
    Config, Error,
    report::{MAX_DAYS, Made, html_page},
    self_audit::Command,
};

/// Report on the last days of the trail.
///
///   audit-server report security --days 7 --output html --to security.html
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub(super) struct ReportArgs {
    #[command(subcommand)]
    question: Question,
    /// The trail, the SQLite database that the application writes [env: AUDIT_DB] [default: audit.db].
    #[arg(long, value_name = "FILE", global = true)]
    db: Option<String>,
    /// What a server derived from the trail to find records, or off [env: AUDIT_SERVER_READ_MODEL] [default: audit-read-model.db].
    #[arg(long, value_name = "FILE", global = true)]
    read_model: Option<String>,
    /// Where what is read is recorded until the trail has it, or off [env: AUDIT_SERVER_JOURNAL] [default: audit-server-journal beside the trail].
    #[arg(long, value_name = "DIRECTORY", global = true)]
    journal: Option<String>,
    /// Read settings from this TOML file; flags and the environment win over it.
    #[arg(long, value_name = "FILE", global = true)]
    config: Option<PathBuf>,
    /// Report on the days up to then, a date or RFC 3339 [default: now].
    #[arg(long, value_name = "TIME", global = true)]
    end: Option<String>,
    /// The longest that it may take [env: AUDIT_SERVER_REPORT_TIMEOUT] [default: 30s].
    #[arg(long, value_name = "TIME", global = true)]
    report_timeout: Option<String>,
    /// The form of the report.
    #[arg(long, value_enum, default_value_t = Form::Text, global = true)]
    output: Form,
    /// Write it to this file and not to standard output; - is standard output.
    #[arg(long, value_name = "FILE", global = true)]
    to: Option<PathBuf>,
    /// Replace what is there.
    #[arg(long, global = true)]
    force: bool,
    /// Whether to colour the text; auto asks the terminal and NO_COLOR.
    #[arg(long, value_enum, default_value_t = Color::Auto, global = true)]
    color: Color,
}

/// Which report.
#[derive(Debug, Clone, PartialEq, Eq, Subcommand)]
enum Question {
    /// Logins, refusals, lockouts and intrusions.
    Security {
        /// How many days, up to now.
        #[arg(long, value_name = "NUMBER", default_value_t = 7, value_parser = days())]
        days: u32,
    },
    /// Trades, volumes and risk limits.
    Trading {
        /// How many days, up to now.
        #[arg(long, value_name = "NUMBER", default_value_t = 30, value_parser = days())]
        days: u32,
        /// Only of the user with this id.
        #[arg(long, value_name = "ID", value_parser = NonEmptyStringValueParser::new())]
        user: Option<String>,
    },
    /// What was recorded for regulations, and whether the trail is whole.
    Compliance {
        /// How many days, up to now.
        #[arg(long, value_name = "NUMBER", default_value_t = 90, value_parser = days())]
        days: u32,
        /// Only these regulations, such as SOX,GDPR [default: all].
        #[arg(
            long,
            value_name = "NAMES",
            value_delimiter = ',',
            value_parser = NonEmptyStringValueParser::new()
        )]
        regulations: Vec<String>,
    },
    /// What is unlike the 84 days before.
    Anomalies {
        /// In how many days, up to now.
        #[arg(long, visible_alias = "days", value_name = "NUMBER", default_value_t = 7, value_parser = days())]
        lookback_days: u32,
        /// From how many robust standard deviations on something is told of [default: 3].
        #[arg(long, value_name = "NUMBER")]
        threshold: Option<String>,
    },
}

fn days() -> clap::builder::RangedI64ValueParser<u32> {
    clap::value_parser!(u32).range(1..=i64::from(MAX_DAYS))
}

/// What a report is printed as.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Form {
    /// Headings and tables, as wide as the terminal.
    Text,
    /// As the HTTP API answers.
    Json,
    /// A page to read in a browser or to print, one file that loads nothing.
    Html,
}

/// Why there is no report.
#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error(transparent)]
    Report(#[from] Error),
    #[error(transparent)]
    File(#[from] UnusableFile),
    #[error("cannot write the report")]
    Output(#[source] io::Error),
}

/// Prints what the arguments ask for.
pub(super) fn run(args: &ReportArgs) -> ExitCode {
    log_warnings();
    match report(args) {
        // Whoever reads has seen enough.
        Err(Failure::Output(error)) if error.kind() == io::ErrorKind::BrokenPipe => {
            ExitCode::SUCCESS
        }
        done => ended(done),
    }
}

fn report(args: &ReportArgs) -> Result<(), Failure> {
    let file = args.to.as_deref().filter(|file| file.as_os_str() != "-");
    // Before the work, which may be long.
    if let Some(file) = file {
        refuse(file, args.force)?;
    }
    let given = [
        ("db", args.db.clone()),
        ("read_model", args.read_model.clone()),
        ("report_timeout", args.report_timeout.clone()),
        ("journal", args.journal.clone()),
    ];
    let flags = given.into_iter().filter_map(|(key, text)| Some((key, text?))).collect();
    let config = Config::load(args.config.as_deref(), flags).map_err(Error::from)?;
    let recorder = Recorder::of_reading(&config);
    let reading = recorder.reading(Command::Report, asked_of(args));
    let made = make(args, config)?;
    let target = match file {
        Some(_) => Target { terminal: None, colored: args.color == Color::Always },
        None => Target::stdout(args.color),
    };
    let bytes = args.output.bytes(&made, target)?;
    match file {
        Some(file) => write_whole(file, &bytes)?,
        None => {
            let mut out = io::stdout().lock();
            out.write_all(&bytes).and_then(|()| out.flush()).map_err(Failure::Output)?;
        }
    }
    reading.done();
    Ok(())
}

/// Refuses to write where something is that was not to be replaced, or that is no file.
fn refuse(file: &Path, force: bool) -> Result<(), UnusableFile> {
    match file.symlink_metadata() {
        Ok(_) if !force => Err(UnusableFile::new(file, "it exists; --force replaces it")),
        Ok(about) if !about.is_file() => Err(UnusableFile::new(file, "it is no regular file")),
        _ => Ok(()),
    }
}

impl Form {
    fn bytes(self, made: &Made, target: Target) -> Result<Vec<u8>, Failure> {
        let mut bytes = Vec::new();
        match self {
            Self::Text => {
                text::print(&made.document, target, &mut bytes).map_err(Failure::Output)?;
            }
            Self::Html => bytes.extend_from_slice(html_page(&made.document)?.as_bytes()),
            Self::Json => {
                for line in made.json.lines() {
                    // A program gets the text; a terminal what means the same and does nothing.
                    match target.terminal {
                        Some(_) => bytes.extend_from_slice(shown_json(line).as_bytes()),
                        None => bytes.extend_from_slice(line.as_bytes()),
                    }
                    bytes.push(b'\n');
                }
            }
        }
        Ok(bytes)
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::{
        cli::{Cli, Command},
        report::{Document, testing},
    };

    fn args(line: &str) -> Result<ReportArgs, clap::Error> {
        let words = ["audit-server", "report"].into_iter().chain(line.split(' '));
        match Cli::try_parse_from(words)?.command {
            Command::Report(args) => Ok(*args),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn each_report_has_the_days_that_fit_it() {
        for (line, expected) in [
            ("security", Question::Security { days: 7 }),
            ("trading", Question::Trading { days: 30, user: None }),
            (
                "trading --user u-1 --days 1",
                Question::Trading { days: 1, user: Some("u-1".into()) },
            ),
            ("compliance", Question::Compliance { days: 90, regulations: vec![] }),
            (
                "compliance --regulations SOX,GDPR --regulations MiFID",
                Question::Compliance {
                    days: 90,
                    regulations: ["SOX", "GDPR", "MiFID"].map(str::to_owned).to_vec(),
                },
            ),
            ("anomalies", Question::Anomalies { lookback_days: 7, threshold: None }),
            (
                "anomalies --threshold 3.5 --lookback-days 28",
                Question::Anomalies { lookback_days: 28, threshold: Some("3.5".into()) },
            ),
        ] {
            assert_eq!(args(line).unwrap().question, expected, "{line}");
        }
    }

    #[test]
    fn what_no_report_can_be_about_is_refused() {
        for line in [
            "risk",
            "security --days 0",
            "security --days 367",
            "security --user u-1",
            "trading --user=",
            "compliance --regulations SOX,,GDPR",
            "anomalies --lookback-days 0",
            "security --output pdf",
        ] {
            assert!(args(line).is_err(), "{line}");
        }
    }

    #[test]
    fn the_other_flags_stand_before_or_behind_the_name() {
        for line in ["--db a.db --output json security", "security --db a.db --output json"] {
            let args = args(line).unwrap();
            assert_eq!((args.db.as_deref(), args.output), (Some("a.db"), Form::Json), "{line}");
        }
    }

    #[test]
    fn what_is_there_is_replaced_only_when_that_was_asked_for() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("report.html");
        assert!(refuse(&file, false).is_ok());
        std::fs::write(&file, "kept").unwrap();
        assert!(refuse(&file, false).is_err());
        assert!(refuse(&file, true).is_ok());
        assert!(refuse(directory.path(), true).is_err());
    }

    fn printed(form: Form, terminal: Option<usize>) -> String {
        let json = "{\n  \"user\": \"\u{202e}\u{9b}\"\n}".to_owned();
        let made = Made { json, document: Document::new(testing::EVIL) };
        let target = Target { terminal, colored: false };
        String::from_utf8(form.bytes(&made, target).unwrap()).unwrap()
    }

    #[test]
    fn json_is_the_answer_and_on_a_terminal_means_the_same() {
        assert_eq!(printed(Form::Json, None), "{\n  \"user\": \"\u{202e}\u{9b}\"\n}\n");
        let safe = printed(Form::Json, Some(80));
        assert_eq!(safe, "{\n  \"user\": \"\\u202e\\u009b\"\n}\n");
        let read = |text: &str| serde_json::from_str::<serde_json::Value>(text).unwrap();
        assert_eq!(read(&safe), read(&printed(Form::Json, None)));
    }

    #[test]
    fn the_page_is_the_one_of_the_http_api() {
        assert_eq!(printed(Form::Html, None), html_page(&Document::new(testing::EVIL)).unwrap());
    }
}
