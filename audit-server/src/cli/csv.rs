//! Records for spreadsheets, as an export has them, and harmless to a terminal.

use std::io::{self, Write};

use super::{output::Printer, safe::shown};
use crate::{StoredLine, export::csv::Rows};

pub(super) struct Csv(Rows);

impl Csv {
    pub(super) fn new(to_terminal: bool) -> Self {
        let rows = Rows::new(false);
        Self(if to_terminal { rows.shown_by(shown) } else { rows })
    }
}

impl Printer for Csv {
    fn print(&mut self, records: &[StoredLine], out: &mut dyn Write) -> io::Result<()> {
        self.0.add(records.iter().map(StoredLine::as_str), out)
    }
}
