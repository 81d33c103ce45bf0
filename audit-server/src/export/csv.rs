//! Records for spreadsheets, RFC 4180.
//!
//! A cell that begins like a formula is one to a spreadsheet, and whoever causes an event chooses
//! parts of its text: `=HYPERLINK(…)` in a user name would run on the desk of the auditor. An
//! apostrophe before it makes it a text. A number keeps its minus sign.

use std::{borrow::Cow, collections::BTreeMap, io};

use audit_layer::record::Member;
use serde_json::value::RawValue;

use crate::filter::Decimal;

/// The members of the envelope in the order of a line.
pub(crate) fn columns() -> impl Iterator<Item = &'static str> {
    Member::ALL.iter().map(|member| member.name()).chain(["hash"])
}

/// The rows of a file: first the names of the members, then a record each.
#[derive(Debug)]
pub(crate) struct Rows {
    headed: bool,
    shown: fn(&str) -> Cow<'_, str>,
}

impl Rows {
    /// A new file, or the rest of one that has its names already.
    pub(crate) fn new(headed: bool) -> Self {
        Self { headed, shown: |text| text.into() }
    }

    /// With cells changed so that a terminal only shows them.
    pub(crate) fn shown_by(self, shown: fn(&str) -> Cow<'_, str>) -> Self {
        Self { shown, ..self }
    }

    /// Adds the rows of these lines; before the first of all, the names.
    ///
    /// # Errors
    /// When a row cannot be written, as none into memory.
    pub(crate) fn add<'l>(
        &mut self,
        lines: impl Iterator<Item = &'l str>,
        out: impl io::Write,
    ) -> io::Result<()> {
        let mut rows = csv::Writer::from_writer(out);
        if !self.headed {
            self.headed = true;
            rows.write_record(columns()).map_err(written)?;
        }
        for line in lines {
            let members: BTreeMap<Cow<'_, str>, &RawValue> =
                serde_json::from_str(line).unwrap_or_default();
            for name in columns() {
                let text = text_of(members.get(name).map_or("", |value| value.get()));
                let text = (self.shown)(&text);
                rows.write_field(harmless(&text).as_bytes()).map_err(written)?;
            }
            rows.write_record(None::<&[u8]>).map_err(written)?;
        }
        rows.flush()
    }
}

/// Of a string its characters, of anything else its JSON.
fn text_of(value: &str) -> Cow<'_, str> {
    let inside = value.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
    match inside {
        None => value.into(),
        Some(inside) if !inside.contains('\\') => inside.into(),
        Some(_) => serde_json::from_str::<String>(value).map_or(value.into(), Cow::from),
    }
}

/// What went wrong with the file itself, so that a closed pipe is known as one.
fn written(error: csv::Error) -> io::Error {
    match error.into_kind() {
        csv::ErrorKind::Io(error) => error,
        other => io::Error::other(format!("{other:?}")),
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
