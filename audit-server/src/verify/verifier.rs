//! Verifies paths, one after the other, and then against each other.

use std::{
    fs::{self, File},
    io::{self, Read},
    path::Path,
};

use super::{
    Break, Cause, Outcome, PathKind, PathReport, Receipt, ReceiptReport, Unreadable, agreement,
    database, file, trail::Trail,
};

/// Verifies trails, and that they hold what receipts say.
///
/// ```
/// use audit_server::verify::Verifier;
///
/// let outcome = Verifier::new().verify(&["no/such/audit.log"]);
/// assert_eq!(outcome.exit_code(), 2);
/// ```
#[derive(Debug, Clone, Default)]
pub struct Verifier {
    receipts: Vec<Receipt>,
}

impl Verifier {
    /// A verifier that has no receipts.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a receipt that the paths must hold. May be called repeatedly.
    #[must_use]
    pub fn receipt(mut self, receipt: Receipt) -> Self {
        self.receipts.push(receipt);
        self
    }

    /// Verifies files (each with its rotated backups) and databases. Blocks until all is read: about
    /// a second for a million records.
    #[must_use]
    pub fn verify<P: AsRef<Path>>(&self, paths: &[P]) -> Outcome {
        let mut reports: Vec<_> =
            paths.iter().map(|path| verify_path(path.as_ref(), &self.receipts)).collect();
        let mut breaks = agreement::compare(&mut reports);
        let all_readable = reports.iter().all(|report| report.unreadable.is_none());
        let mut receipts = Vec::new();
        for receipt in &self.receipts {
            let results: Vec<_> = reports
                .iter()
                .flat_map(|report| {
                    let result = report.receipts.iter().find(|(held, _)| held == receipt);
                    result.map(|(_, result)| (report.path.clone(), *result))
                })
                .collect();
            // A path that could not be read may well hold the stream.
            if results.is_empty() && all_readable {
                breaks.push(Break {
                    path: reports.first().map(|report| report.path.clone()).unwrap_or_default(),
                    stream: Some(receipt.stream.clone()),
                    seq: Some(receipt.seq),
                    place: None,
                    cause: Cause::StreamAbsent(Box::new(receipt.clone())),
                });
            }
            receipts.push(ReceiptReport { receipt: receipt.clone(), results });
        }
        Outcome { paths: reports, receipts, breaks }
    }
}

fn verify_path(path: &Path, receipts: &[Receipt]) -> PathReport {
    match is_database(path) {
        Ok(true) => database::verify(path, receipts),
        Ok(false) => file::verify(path, receipts),
        Err(error) => Trail::new(path, receipts).finish(PathKind::Unknown, false, Some(error)),
    }
}

fn is_database(path: &Path) -> Result<bool, Unreadable> {
    let unreadable = |error: io::Error| Unreadable::Io(error.to_string());
    match fs::metadata(path) {
        // Asked before it is opened: to open a pipe may wait for ever.
        Ok(about) if !about.is_file() => return Err(Unreadable::NotAFile),
        Ok(_) => {}
        Err(error) if error.kind() == io::ErrorKind::NotFound && file::has_backups(path) => {
            return Ok(false);
        }
        Err(error) => return Err(unreadable(error)),
    }
    let mut beginning = Vec::with_capacity(database::MAGIC.len());
    File::open(path)
        .and_then(|file| file.take(database::MAGIC.len() as u64).read_to_end(&mut beginning))
        .map_err(unreadable)?;
    Ok(beginning == database::MAGIC)
}
