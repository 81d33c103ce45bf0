//! Questions: what is asked, in which order, from where on.
//!
//! [`Query::read`] turns the text of a query string into a [`crate::filter::Filter`] and what
//! stands beside it, by way of one table of parameters that is also the documentation.

mod asked;
mod builder;
mod combined;
mod cursor;
mod error;
mod export;
mod masked;
mod page;
mod parameters;
mod parse;
mod records;
mod sight;
mod study;
mod trail;

pub(crate) use asked::condition_of;
pub use builder::{AuditQuery, AuditStore, DEFAULT_DEADLINE, OrderByTime};
pub(crate) use combined::{CombinedPage, FoundIn, combined, read_redis};
use cursor::Cursor;
pub(crate) use cursor::{CursorKey, MAX_CURSOR_CHARS};
pub use error::{ForbiddenValue, InvalidValue, RepeatedParameter, UnknownParameter};
pub(crate) use page::{Page, page, trail_page};
pub(crate) use parameters::{Kind, PARAMETERS, Parameter};
pub(crate) use parse::{MAX_EVENT_TYPES, Query, View, example_cursor, refuse_parameters};
pub use records::{Records, StoredLine};
pub(crate) use sight::Sight;
pub(crate) use study::Study;
pub(crate) use trail::{Trail, View as TrailView};

/// Records of a page when `limit` is not given.
pub(crate) const DEFAULT_LIMIT: usize = 100;

/// The most records of a page.
pub(crate) const MAX_LIMIT: usize = 1_000;
