//! One page of one store.

use super::{Query, Trail};
use crate::{
    Error,
    read_model::Count,
    store::{Batch, Deadline, Store, Truncation},
};

/// Records, and how to get the next ones.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Page {
    /// Stored lines, byte for byte.
    pub(crate) records: Vec<Box<str>>,
    /// The cursor of the next page, when there may be one.
    pub(crate) next_cursor: Option<String>,
    /// Why records that belong here are missing: see [`Batch::truncated`].
    pub(crate) truncated: Truncation,
    /// How many match in all, when that was asked for.
    pub(crate) count: Option<Count>,
}

/// Answers the query from one store. Blocks.
///
/// # Errors
/// What the store fails with.
pub(crate) fn page(store: &dyn Store, query: &Query, deadline: Deadline) -> Result<Page, Error> {
    let batch = store.scan(&query.scan(), deadline)?;
    Ok(Page::new(batch, query, None))
}

/// Answers the query from the trail, and counts what matches if that is asked for. Blocks.
///
/// # Errors
/// What the trail fails with.
pub(crate) fn trail_page(trail: &Trail, query: &Query, deadline: Deadline) -> Result<Page, Error> {
    let view = trail.view(deadline)?;
    let batch = view.scan(&query.scan(), deadline)?;
    let count = match query.count {
        Some(counting) => Some(view.count(&query.scan(), counting, deadline)?),
        None => None,
    };
    Ok(Page::new(batch, query, count))
}

impl Page {
    fn new(
        Batch { rows, next, truncated, .. }: Batch,
        query: &Query,
        count: Option<Count>,
    ) -> Self {
        Self {
            records: rows.into_iter().map(|row| query.shown(row.line)).collect(),
            next_cursor: next.map(|position| query.cursor(position, 0)),
            truncated,
            count,
        }
    }
}
