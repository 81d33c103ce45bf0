//! From lines to the bytes of a file.

use std::io;

use sha2::{Digest, Sha256};

use super::{Request, compression::Compressor, format::Formatter};
use crate::store::{Lines, Ranges};

/// A part of a file, ready to be handed over.
#[derive(Debug)]
pub(crate) struct Part {
    /// The bytes; there may be none.
    pub(crate) bytes: Vec<u8>,
    /// What the file has when it has this part.
    pub(crate) totals: Totals,
    /// The streams of the records in it.
    pub(crate) streams: Ranges,
}

/// What a file has.
#[derive(Debug, Clone, Default)]
pub(crate) struct Totals {
    /// The records in it.
    pub(crate) records: u64,
    /// The lines that were left out, since they are no records.
    pub(crate) damaged: u64,
    /// Its bytes before compression, and their hash.
    pub(crate) content: Measure,
    /// Its bytes, and their hash.
    pub(crate) sent: Measure,
    /// Everything up to this arrival is in it.
    pub(crate) place: i64,
}

/// A number of bytes, and their hash.
#[derive(Debug, Clone, Default)]
pub(crate) struct Measure {
    pub(crate) bytes: u64,
    hash: Sha256,
}

impl Measure {
    /// Takes in more bytes.
    pub(crate) fn update(&mut self, bytes: &[u8]) {
        self.bytes += bytes.len() as u64;
        self.hash.update(bytes);
    }

    /// The hash of all bytes so far.
    pub(crate) fn sha256(&self) -> [u8; 32] {
        self.hash.clone().finalize().into()
    }
}

/// Makes one file.
pub(crate) struct Assembly {
    formatter: Formatter,
    compressor: Compressor,
    is_compressed: bool,
    totals: Totals,
}

impl Assembly {
    /// A new file that begins after an arrival.
    ///
    /// # Errors
    /// When the compressor has no memory.
    pub(crate) fn new(request: &Request, place: i64) -> io::Result<Self> {
        Self::going_on(request, Totals { place, ..Totals::default() })
    }

    /// The rest of a file that is not compressed.
    ///
    /// # Errors
    /// As [`Self::new`].
    pub(crate) fn going_on(request: &Request, totals: Totals) -> io::Result<Self> {
        let compression = request.compression.unwrap_or_default();
        Ok(Self {
            formatter: Formatter::new(request.format, totals.records > 0),
            compressor: Compressor::new(compression)?,
            is_compressed: compression.suffix() != "",
            totals,
        })
    }

    /// The next part.
    ///
    /// # Errors
    /// When compressing fails.
    pub(crate) fn add(&mut self, lines: Lines) -> io::Result<Part> {
        self.totals.records += lines.records;
        self.totals.damaged += lines.damaged;
        self.totals.place = lines.examined;
        let content = match lines.records {
            0 => Vec::new(),
            _ => self.formatter.part(lines.text)?,
        };
        self.totals.content.update(&content);
        let bytes = self.compressor.part(content)?;
        Ok(self.measured(bytes, lines.streams))
    }

    /// The last part.
    ///
    /// # Errors
    /// When compressing fails.
    pub(crate) fn end(mut self) -> io::Result<Part> {
        let content = self.formatter.end()?;
        self.totals.content.update(&content);
        let compressor = std::mem::replace(&mut self.compressor, Compressor::None);
        let bytes = compressor.end(content)?;
        Ok(self.measured(bytes, Ranges::new()))
    }

    fn measured(&mut self, bytes: Vec<u8>, streams: Ranges) -> Part {
        if self.is_compressed {
            self.totals.sent.update(&bytes);
        } else {
            self.totals.sent = self.totals.content.clone();
        }
        Part { bytes, totals: self.totals.clone(), streams }
    }
}
