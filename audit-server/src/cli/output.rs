//! How records are printed.

use std::io::{self, Write};

use super::{csv::Csv, safe, table::Table};
use crate::StoredLine;

/// A form of output.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum Output {
    /// A table for people, cut to the width of the terminal.
    Table,
    /// A record a line, byte for byte as it is stored.
    Jsonl,
    /// A record a row, for spreadsheets.
    Csv,
}

/// Whether to colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum Color {
    /// On a terminal, unless NO_COLOR is set.
    Auto,
    Always,
    Never,
}

/// What is known of where the output goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Target {
    /// The columns of the terminal, when it is one.
    pub(super) terminal: Option<usize>,
    pub(super) colored: bool,
}

/// Prints records, page by page.
pub(super) trait Printer {
    /// Prints these.
    ///
    /// # Errors
    /// When they cannot be written.
    fn print(&mut self, records: &[StoredLine], out: &mut dyn Write) -> io::Result<()>;
}

impl Output {
    pub(super) fn printer(self, target: Target) -> Box<dyn Printer> {
        match self {
            Self::Table => Box::new(Table::new(target)),
            Self::Jsonl => Box::new(Lines { to_terminal: target.terminal.is_some() }),
            Self::Csv => Box::new(Csv::new(target.terminal.is_some())),
        }
    }
}

impl Target {
    /// Standard output, as it is now.
    pub(super) fn stdout(color: Color) -> Self {
        let stdout = io::stdout();
        let terminal = io::IsTerminal::is_terminal(&stdout).then(|| {
            rustix::termios::tcgetwinsize(&stdout)
                .map(|size| usize::from(size.ws_col))
                .ok()
                .filter(|columns| *columns > 0)
                .unwrap_or(80)
        });
        // What <https://no-color.org> asks for: set, and not to nothing.
        let refused = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty())
            || std::env::var_os("TERM").is_some_and(|value| value == "dumb");
        let colored = match color {
            Color::Always => true,
            Color::Never => false,
            Color::Auto => terminal.is_some() && !refused,
        };
        Self { terminal, colored }
    }
}

/// JSON lines.
struct Lines {
    to_terminal: bool,
}

impl Printer for Lines {
    fn print(&mut self, records: &[StoredLine], out: &mut dyn Write) -> io::Result<()> {
        for record in records {
            let line = record.as_str();
            // A program gets the bytes; a terminal what means the same and does nothing.
            match self.to_terminal {
                true => out.write_all(safe::shown_json(line).as_bytes())?,
                false => out.write_all(line.as_bytes())?,
            }
            out.write_all(b"\n")?;
        }
        Ok(())
    }
}
