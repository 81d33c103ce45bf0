//! What [`super::AuditQuery`] answers with.

use audit_layer::record::Record;

use super::Page;
use crate::{filter::Shown, read_model::Count, store::TruncatedBy};

/// A page of records.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Records {
    /// The records, in the order asked for.
    pub records: Vec<StoredLine>,
    /// The cursor of the next page, when there may be one.
    pub next_cursor: Option<String>,
    /// Whether fewer records are here than the limit allows although more may match: time or room
    /// ran out, or a stored line is no record, which `audit-server verify` tells more of.
    pub truncated: bool,
    /// Why, when it is.
    pub truncated_by: Vec<TruncatedBy>,
    /// How many records match in all, when that was asked for.
    pub count: Option<Count>,
    /// What was sealed of it and is in clear.
    pub(crate) shown: Option<Shown>,
}

impl From<Page> for Records {
    fn from(page: Page) -> Self {
        let Page { records, next_cursor, truncated, count } = page;
        Self {
            records: records.into_iter().map(StoredLine).collect(),
            next_cursor,
            truncated: truncated.any(),
            truncated_by: truncated.reasons().collect(),
            count,
            shown: None,
        }
    }
}

/// A record as it is stored, byte for byte; but for what was sealed, when the store has a keyring.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct StoredLine(Box<str>);

impl StoredLine {
    /// The line, without a line end: canonical JSON, as it was hashed.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The line itself.
    #[must_use]
    pub fn into_string(self) -> Box<str> {
        self.0
    }

    /// The members of the record.
    ///
    /// # Errors
    /// Never for a line of a page: what cannot be read is not on it.
    pub fn parse(&self) -> Result<Record<'_>, serde_json::Error> {
        Record::parse(&self.0)
    }
}
