//! Records for spreadsheets, RFC 4180.
//!
//! A cell that begins like a formula is one to a spreadsheet, and whoever causes an event chooses
//! parts of its text: `=HYPERLINK(…)` in a user name would run on the desk of the auditor. An
//! apostrophe before it makes it a text. A number keeps its minus sign.

use std::{
    borrow::Cow,
    collections::BTreeMap,
    io::{self, Write},
};

use audit_layer::record::Member;
use serde_json::value::RawValue;

use super::{output::Printer, safe::shown};
use crate::{StoredLine, filter::Decimal};

pub(super) struct Csv {
    headed: bool,
    to_terminal: bool,
}

impl Csv {
    pub(super) fn new(to_terminal: bool) -> Self {
        Self { headed: false, to_terminal }
    }
}

/// The members of the envelope in the order of a line.
fn columns() -> impl Iterator<Item = &'static str> {
    Member::ALL.iter().map(|member| member.name()).chain(["hash"])
}

impl Printer for Csv {
    fn print(&mut self, records: &[StoredLine], out: &mut dyn Write) -> io::Result<()> {
        let mut rows = csv::Writer::from_writer(out);
        if !self.headed {
            self.headed = true;
            rows.write_record(columns()).map_err(written)?;
        }
        for record in records {
            let members: BTreeMap<Cow<'_, str>, &RawValue> =
                serde_json::from_str(record.as_str()).unwrap_or_default();
            for name in columns() {
                let value = members.get(name).map_or("", |value| value.get());
                // Of a string its characters, of anything else its JSON.
                let text = match serde_json::from_str::<String>(value) {
                    Ok(text) => Cow::from(text),
                    Err(_) => value.into(),
                };
                let text = if self.to_terminal { shown(&text) } else { text };
                rows.write_field(harmless(&text).as_bytes()).map_err(written)?;
            }
            rows.write_record(None::<&[u8]>).map_err(written)?;
        }
        rows.flush()
    }
}

/// The text as a cell that is no formula.
fn harmless(text: &str) -> Cow<'_, str> {
    let begins_formula = text.starts_with([
        '=', '+', '-', '@', '\t', '\r', '\n', // and their wide forms
        '＝', '＋', '－', '＠',
    ]);
    if begins_formula && (text.starts_with('+') || Decimal::read(text).is_none()) {
        format!("'{text}").into()
    } else {
        text.into()
    }
}

/// What went wrong with the file itself, so that a closed pipe is known as one.
fn written(error: csv::Error) -> io::Error {
    match error.into_kind() {
        csv::ErrorKind::Io(error) => error,
        other => io::Error::other(format!("{other:?}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cell_that_begins_like_a_formula_is_made_a_text_and_a_number_is_not() {
        for text in
            ["=1+1", "+1", "-", "-1+1", "-a", "@x", "\tx", "\rx", "\nx", "＝1", "-1e", "--1"]
        {
            assert_eq!(harmless(text), format!("'{text}"), "{text:?}");
        }
        for text in ["", "-12.5", "-1", "-0.10", "-1e5", "1+1", "a=b", " =1", "'=1", "{\"a\":1}"] {
            assert_eq!(harmless(text), text, "{text:?}");
        }
    }
}
