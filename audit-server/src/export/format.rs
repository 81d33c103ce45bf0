//! The forms that a file may have.
//!
//! A record is a line in each of them, so that what broke off can be read up to its last line; in
//! CSV a quoted cell may hold line breaks.

use std::{fmt, io};

use super::csv::Rows;

/// The form of an export.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub(crate) enum Format {
    /// A record a line, byte for byte as it is stored.
    #[default]
    Ndjson,
    /// One array of the stored records.
    Json,
    /// A record a row, for spreadsheets.
    Csv,
}

impl Format {
    pub(crate) const WORDS: &'static [&'static str] = &["ndjson", "json", "csv"];

    pub(crate) fn of_word(word: &str) -> Option<Self> {
        Some(match word {
            "ndjson" => Self::Ndjson,
            "json" => Self::Json,
            "csv" => Self::Csv,
            _ => return None,
        })
    }

    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Ndjson => "ndjson",
            Self::Json => "json",
            Self::Csv => "csv",
        }
    }

    pub(crate) fn content_type(self) -> &'static str {
        match self {
            Self::Ndjson => "application/x-ndjson",
            Self::Json => "application/json",
            Self::Csv => "text/csv; charset=utf-8",
        }
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

/// Puts lines into a form.
#[derive(Debug)]
pub(super) enum Formatter {
    Ndjson,
    /// Whether the array has been opened, and an item is in it.
    Json {
        opened: bool,
    },
    Csv(Rows),
}

impl Formatter {
    /// A new file, or the rest of one that has a record already.
    pub(super) fn new(format: Format, goes_on: bool) -> Self {
        match format {
            Format::Ndjson => Self::Ndjson,
            Format::Json => Self::Json { opened: goes_on },
            Format::Csv => Self::Csv(Rows::new(goes_on)),
        }
    }

    /// The bytes of these lines, each of which ends in a line break.
    ///
    /// # Errors
    /// When they cannot be put into rows.
    pub(super) fn part(&mut self, lines: Vec<u8>) -> io::Result<Vec<u8>> {
        Ok(match self {
            Self::Ndjson => lines,
            Self::Json { opened } => {
                let mut out = Vec::with_capacity(lines.len() + lines.len() / 64 + 16);
                for line in lines.split_inclusive(|byte| *byte == b'\n') {
                    out.extend_from_slice(if *opened { b",\n" } else { b"[\n" });
                    *opened = true;
                    out.extend_from_slice(line.strip_suffix(b"\n").unwrap_or(line));
                }
                out
            }
            Self::Csv(rows) => {
                let mut out = Vec::with_capacity(lines.len());
                let lines = std::str::from_utf8(&lines).map_err(io::Error::other)?;
                rows.add(lines.lines(), &mut out)?;
                out
            }
        })
    }

    /// What ends the file.
    ///
    /// # Errors
    /// As [`Self::part`].
    pub(super) fn end(&mut self) -> io::Result<Vec<u8>> {
        Ok(match self {
            Self::Ndjson => Vec::new(),
            Self::Json { opened: true } => b"\n]\n".to_vec(),
            Self::Json { opened: false } => b"[]\n".to_vec(),
            Self::Csv(rows) => {
                let mut out = Vec::new();
                rows.add(std::iter::empty(), &mut out)?;
                out
            }
        })
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn an_array_is_json_however_many_parts_it_is_made_of() {
        for parts in [&[][..], &["", ""], &["{\"a\":1}\n"], &["{\"a\":1}\n{\"a\":2}\n", "", "{}\n"]]
        {
            let mut formatter = Formatter::new(Format::Json, false);
            let mut out = Vec::new();
            for part in parts {
                out.extend(formatter.part(part.as_bytes().to_vec()).unwrap());
            }
            out.extend(formatter.end().unwrap());
            let read: Vec<serde_json::Value> = serde_json::from_slice(&out).unwrap();
            let lines = parts.concat();
            assert_eq!(read.len(), lines.lines().count());
            assert!(out.ends_with(b"]\n"));
        }
    }
}
