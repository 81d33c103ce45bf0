//! One page of one store.

use super::Query;
use crate::{
    Error,
    store::{Batch, Deadline, Store},
};

/// Records, and how to get the next ones.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Page {
    /// Stored lines, byte for byte.
    pub(crate) records: Vec<Box<str>>,
    /// The cursor of the next page, when there may be one.
    pub(crate) next_cursor: Option<String>,
    /// Whether records that belong here are missing: see [`Batch::truncated`].
    pub(crate) truncated: bool,
}

/// Answers the query from one store. Blocks.
///
/// # Errors
/// What the store fails with.
pub(crate) fn page(store: &dyn Store, query: &Query, deadline: Deadline) -> Result<Page, Error> {
    let Batch { rows, next, truncated } = store.scan(&query.scan(), deadline)?;
    Ok(Page {
        records: rows.into_iter().map(|row| row.line).collect(),
        next_cursor: next.map(|position| query.cursor(position, 0)),
        truncated,
    })
}
