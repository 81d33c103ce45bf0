//! Verifies paths, one after the other, and then against each other.

use std::{fs, io::Read, path::Path};

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
    indexes: bool,
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

    /// Also holds the indexes of databases against their tables, which takes as long as all the
    /// rest, in one transaction.
    #[must_use]
    pub fn indexes(mut self, indexes: bool) -> Self {
        self.indexes = indexes;
        self
    }

    /// Verifies files (each with its rotated backups) and databases. Blocks until all is read: about
    /// a second for a million records.
    #[must_use]
    pub fn verify<P: AsRef<Path>>(&self, paths: &[P]) -> Outcome {
        let mut reports: Vec<_> =
            paths.iter().map(|path| self.verify_path(path.as_ref())).collect();
        let mut breaks = agreement::compare(&mut reports);
        let conclusive = reports.iter().all(PathReport::is_conclusive);
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
            if results.is_empty() && conclusive {
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

    fn verify_path(&self, path: &Path) -> PathReport {
        match is_database(path) {
            Ok(true) => database::verify(path, &self.receipts, self.indexes),
            Ok(false) => file::verify(path, &self.receipts),
            Err(error) => {
                let mut trail = Trail::new(path, PathKind::Unknown, &self.receipts);
                trail.could_not_read(error);
                trail.finish(false)
            }
        }
    }
}

fn is_database(path: &Path) -> Result<bool, Unreadable> {
    let mut beginning = Vec::with_capacity(database::MAGIC.len());
    let read = file::open(path)
        .and_then(|file| file.take(database::MAGIC.len() as u64).read_to_end(&mut beginning));
    match read {
        Ok(_) => Ok(beginning == database::MAGIC),
        // Whatever keeps the live file from being read, its backups are no less evidence.
        Err(_) if file::has_backups(path) => Ok(false),
        Err(error) => match fs::metadata(path) {
            Ok(about) if !about.is_file() => Err(Unreadable::NotAFile),
            _ => Err(Unreadable::Io(error.to_string())),
        },
    }
}
