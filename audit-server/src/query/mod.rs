//! Questions: what is asked, in which order, from where on.
//!
//! One [`Filter`] serves the HTTP API, SQLite and Redis alike. [`Query::read`] turns the text of a
//! query string into it, by way of one table of parameters that is also the documentation.

mod combined;
mod cursor;
mod date;
mod error;
mod filter;
mod page;
mod parameters;
mod parse;
mod text;

pub(crate) use combined::{CombinedPage, FoundIn, combined, read_redis};
use cursor::Cursor;
pub use error::{ForbiddenValue, InvalidValue, RepeatedParameter, UnknownParameter};
use filter::Filter;
pub(crate) use page::{Page, page};
pub(crate) use parameters::{Kind, PARAMETERS, Parameter};
pub(crate) use parse::{Query, View, refuse_parameters};
use text::Text;

/// Records of a page when `limit` is not given.
pub(crate) const DEFAULT_LIMIT: usize = 100;

/// The most records of a page.
pub(crate) const MAX_LIMIT: usize = 1_000;
