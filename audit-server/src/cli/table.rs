//! Records as a table for people.
//!
//! Pages are printed as they come, so the widths are those that the first page needs; what is longer
//! later is cut.

use std::{
    borrow::Cow,
    io::{self, Write},
};

use audit_layer::record::Record;

use super::{
    output::{Printer, Target},
    safe::{cut, shown},
};
use crate::StoredLine;

/// The columns and the most that each takes; the message takes what is left.
const COLUMNS: [(&str, usize); 7] = [
    ("TIME (UTC)", 27),
    ("SEVERITY", 8),
    ("TYPE", 32),
    ("STATUS", 12),
    ("USER", 24),
    ("IP", 39),
    ("MESSAGE", usize::MAX),
];

/// The column that is coloured.
const SEVERITY: usize = 1;

/// Blanks between two columns.
const GAP: usize = 2;

pub(super) struct Table {
    target: Target,
    /// Known from the first page on.
    widths: Option<[usize; COLUMNS.len()]>,
}

type Cells<'r> = [Cow<'r, str>; COLUMNS.len()];

impl Table {
    pub(super) fn new(target: Target) -> Self {
        Self { target, widths: None }
    }

    fn row(
        &self,
        cells: &Cells<'_>,
        widths: &[usize; COLUMNS.len()],
        out: &mut dyn Write,
    ) -> io::Result<()> {
        let end = self.target.terminal.unwrap_or(usize::MAX);
        let (mut start, mut written) = (0_usize, 0);
        for (column, (cell, width)) in cells.iter().zip(widths).enumerate() {
            let (text, taken) = cut(cell, (*width).min(end.saturating_sub(start)));
            // Blanks before a text and not after one: no line ends in them.
            if taken > 0 {
                let blanks = start.saturating_sub(written);
                write!(out, "{:blanks$}", "")?;
                match color(cell).filter(|_| column == SEVERITY && self.target.colored) {
                    Some(color) => write!(out, "{color}{text}\x1b[0m")?,
                    None => out.write_all(text.as_bytes())?,
                }
                written = start.saturating_add(taken);
            }
            start = start.saturating_add(*width).saturating_add(GAP);
        }
        out.write_all(b"\n")
    }
}

impl Printer for Table {
    fn print(&mut self, records: &[StoredLine], out: &mut dyn Write) -> io::Result<()> {
        let parsed: Vec<_> = records.iter().filter_map(|line| line.parse().ok()).collect();
        let rows: Vec<Cells<'_>> = parsed.iter().map(cells).collect();
        if rows.is_empty() {
            return Ok(());
        }
        let widths = match self.widths {
            Some(widths) => widths,
            None => {
                let heads = COLUMNS.map(|(name, _)| Cow::from(name));
                let mut widths = COLUMNS.map(|(name, _)| name.len());
                for row in &rows {
                    for ((width, cell), (_, most)) in widths.iter_mut().zip(row).zip(COLUMNS) {
                        *width = (*width).max(cut(cell, most).1);
                    }
                }
                // Whatever the first page says, later messages are as long as they are.
                widths[COLUMNS.len() - 1] = usize::MAX;
                self.widths = Some(widths);
                self.row(&heads, &widths, out)?;
                widths
            }
        };
        rows.iter().try_for_each(|row| self.row(row, &widths, out))
    }
}

fn cells<'r>(record: &'r Record<'_>) -> Cells<'r> {
    let text = |text: &'r Option<Cow<'_, str>>| shown(text.as_deref().unwrap_or_default());
    let user = if record.user_id.is_some() { &record.user_id } else { &record.username };
    [
        time(&record.timestamp),
        shown(&record.severity),
        shown(&record.event_type),
        text(&record.status),
        text(user),
        text(&record.ip_address),
        text(&record.message),
    ]
}

/// To the millisecond: `2026-11-21 19:31:14.261`.
fn time(timestamp: &str) -> Cow<'_, str> {
    match timestamp.get(..23) {
        Some(time) if timestamp.is_ascii() => {
            shown(&time.replacen('T', " ", 1)).into_owned().into()
        }
        _ => shown(timestamp),
    }
}

fn color(severity: &str) -> Option<&'static str> {
    match severity {
        "debug" => Some("\x1b[2m"),
        "info" => Some("\x1b[32m"),
        "warning" => Some("\x1b[33m"),
        "error" => Some("\x1b[31m"),
        "critical" => Some("\x1b[1;97;41m"),
        _ => None,
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn printed(target: Target, rows: &[[&str; COLUMNS.len()]]) -> String {
        let table = Table::new(target);
        let mut out = Vec::new();
        for row in rows {
            let widths = [4, 8, 6, 4, 4, 2, usize::MAX];
            table.row(&row.map(Cow::from), &widths, &mut out).unwrap();
        }
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn a_row_is_cut_to_the_terminal_and_ends_in_no_blanks() {
        let rows = [
            ["1234", "info", "a.toolong", "", "漢字", "ip", "said"],
            ["1234", "critical", "", "", "", "", ""],
        ];
        let target = |terminal| Target { terminal, colored: false };
        let wide = "1234  info      a.too…        漢字  ip  said\n1234  critical\n";
        assert_eq!(printed(target(None), &rows), wide);
        assert_eq!(printed(target(Some(80)), &rows), wide);
        let narrow = "1234  info      a.too…        漢…\n1234  critical\n";
        assert_eq!(printed(target(Some(33)), &rows), narrow);
        assert_eq!(printed(target(Some(9)), &rows), "1234  in…\n1234  cr…\n");
    }

    #[test]
    fn the_severity_alone_is_coloured() {
        let target = Target { terminal: None, colored: true };
        let rows = [["error", "error", "error", "", "", "", "info"]];
        let expected = "err…  \x1b[31merror\x1b[0m     error                   info\n";
        assert_eq!(printed(target, &rows), expected);
    }
}
