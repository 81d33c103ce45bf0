//! Reports: what a trail says of a stretch of time, computed and explained.
//!
//! A report is a [`crate::fact::Fold`] that was finished: figures with the names that they have in the
//! JSON of the HTTP API. For people each becomes a [`Document`], headings and tables, of which the HTML
//! page and the terminal are two renderings; so neither can show what the other does not.
//!
//! What a list leaves out it says: each that may be cut is a [`Top`], with how many there are in all.

pub(crate) mod anomalies;
mod by_number;
mod chain;
#[cfg(test)]
pub(crate) mod completeness;
pub(crate) mod compliance;
mod document;
mod header;
mod html;
mod kept;
mod make;
mod request;
pub(crate) mod security;
mod series;
mod shortlist;
#[cfg(test)]
pub(crate) mod testing;
mod top;
pub(crate) mod trading;

pub(crate) use document::{Align, Block, Cell, Document, Section, Table, Tone};
#[cfg(test)]
pub(crate) use header::Retention;
pub(crate) use header::{Header, Window};
pub(crate) use html::{POLICY as HTML_POLICY, page as html_page};
pub(crate) use kept::Kept;
pub(crate) use make::{Made, make, prepare};
pub(crate) use request::{DEFAULT_THRESHOLD, Form, MAX_DAYS, Request, Which};
pub(crate) use series::{height, summary};
pub(crate) use shortlist::shortlist;
pub(crate) use top::Top;
