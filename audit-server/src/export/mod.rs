//! Exports: the answer to a question as one file, however large.
//!
//! # From one moment
//! An export has every record that matches and had arrived when it began, in the order of arrival.
//! That order alone can be walked in pages and still be that of one moment: records are never
//! changed, and what arrives later gets a higher number. So each page is read in a short snapshot
//! of its own, and an export of an hour does not keep the writer from tidying its log. That the
//! trail was not exchanged for another meanwhile is looked at with each page.
//!
//! # In constant memory
//! A page is about [`PAGE_BYTES`] of lines; [`Assembly`] turns it into a [`Part`], formatted,
//! hashed and compressed, of which a few are on their way at a time. The compressor is flushed with
//! each part, so that of a file that broke off everything can be read up to the last part that
//! came.
//!
//! # What was handed over
//! A [`Ledger`] counts a part when it is handed over, not when it is made: at any time its
//! [`Manifest`] is true of the bytes that have left. Whether they arrived only the other side
//! knows, which is why who was cut off goes on after the last record that it has, and not where the
//! ledger stands.

mod assembly;
mod compression;
pub(crate) mod csv;
mod error;
mod format;
mod ledger;
mod manifest;
mod request;
mod walk;

pub(crate) use assembly::{Assembly, Measure, Part, Totals};
pub(crate) use compression::Compression;
pub use error::{ExportNotFound, ExportsBusy, TrailReplaced};
pub(crate) use format::Format;
pub(crate) use ledger::Ledger;
pub(crate) use manifest::{MAX_STREAMS, Manifest, Status};
pub(crate) use request::{PARAMETERS, Request};
pub(crate) use walk::Walk;

/// Bytes of lines that are read at once: two milliseconds' worth.
pub(crate) const PAGE_BYTES: usize = 1024 * 1024;
