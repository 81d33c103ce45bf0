//! What the server says of a generated trail, held against the generator's books.
//!
//! [`Expected`] was kept from what the house did, and no line, database or reader stands between. So
//! nothing here is computed as the server computes it: each figure is taken from the books, and the
//! answer must say the same, to the number. What the books do not know, such as whose the first of
//! several attempts was, is not held; of lists that are cut each item is, how many there are in all,
//! and that those shown are the greatest.
//!
//! The trail may have records of others only outside the time of the books.

mod anomalies;
mod asked;
mod comparison;
mod security;
mod stats;
mod trading;

use std::error::Error;

use serde_json::Value;

pub use anomalies::{Attacks, attacks};
pub use asked::Span;
pub use comparison::Comparison;

use crate::generator::{Expected, World};

/// Asks the server for a path with its query, and gives back the JSON of its answer.
pub type Ask<'a> = dyn Fn(&str) -> Result<Value, Box<dyn Error>> + 'a;

/// Asks a server with a read model for every report and for figures over the whole time of the books,
/// and compares them.
///
/// # Errors
/// When the server does not answer, or the books are empty or longer than a report may be.
pub fn hold(
    expected: &Expected,
    world: &World,
    ask: &Ask<'_>,
) -> Result<Vec<Comparison>, Box<dyn Error>> {
    let span = Span::of(expected)?;
    Ok(vec![
        security::hold(expected, span, ask)?,
        trading::hold(expected, world, span, ask)?,
        stats::hold(expected, span, ask)?,
    ])
}
