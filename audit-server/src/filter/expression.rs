//! The expression language of `filter=`, in the style of [AIP-160].
//!
//! ```text
//! expression = sequence { "AND" sequence }
//! sequence   = factor { factor }
//! factor     = term { "OR" term }
//! term       = { "NOT" | "-" } ( "(" expression ")" | condition )
//! condition  = name operator value | value
//! ```
//!
//! # `OR` binds tighter than `AND`
//! So AIP-160 has it: `a AND b OR c` is `a AND (b OR c)`, the other way round than in SQL. What
//! stands side by side must all hold, as with `AND`. We keep to it, for whoever knows the language
//! from elsewhere, and whoever is in doubt writes parentheses.
//!
//! # Where we are stricter
//! A filter of a trail that means something else than it says is worse than none. So `and` and `or`
//! in small letters are refused rather than searched for as words; a name must be a member; a value
//! of a closed set must be in it; `*` stands at the end or not at all.
//!
//! # What it may cost
//! The text comes from whoever has a key. [`MAX_BYTES`], [`MAX_DEPTH`] and [`MAX_CONDITIONS`] bound
//! the reading and every use of what was read; a chain of `NOT` is a loop, not a recursion.
//!
//! [AIP-160]: https://google.aip.dev/160

mod grammar;
mod meaning;
mod print;
mod token;

#[cfg(test)]
mod read_back;
#[cfg(test)]
mod tests;

use winnow::{
    error::ParserError,
    stream::{LocatingSlice, Location, Stateful},
};

pub(crate) use self::print::printed;
use super::Filter;

/// The longest expression in bytes.
pub(crate) const MAX_BYTES: usize = 4096;

/// How deep parentheses and negations may be nested. The parser of the term index, which is asked with as
/// many parentheses, has room for a hundred symbols: three a level.
const MAX_DEPTH: usize = 24;

/// The most conditions; a comparison of severities counts as many as it takes in.
const MAX_CONDITIONS: usize = 64;

/// Why an expression cannot be read, and where.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("at column {column}: {reason}")]
pub(crate) struct InvalidExpression {
    /// The character at which reading stopped, from 1.
    pub(crate) column: usize,
    /// What was expected there.
    pub(crate) reason: String,
}

/// Reads an expression.
///
/// # Errors
/// [`InvalidExpression`] says where it stops being one, and what was expected.
pub(crate) fn expression(text: &str) -> Result<Filter, InvalidExpression> {
    let read = if text.len() > MAX_BYTES {
        let reason = format!("it is longer than {MAX_BYTES} bytes");
        Err(Fault { at: text.floor_char_boundary(MAX_BYTES), reason })
    } else {
        grammar::whole(&mut Input { input: LocatingSlice::new(text), state: Spent::default() })
    };
    read.map_err(|Fault { at, reason }| {
        let before = text.get(..at).unwrap_or(text);
        InvalidExpression { column: before.chars().count() + 1, reason }
    })
}

/// The text that is left, and what the part that was read has spent.
type Input<'t> = Stateful<LocatingSlice<&'t str>, Spent>;

type Read<T> = winnow::ModalResult<T, Fault>;

/// What is bounded.
#[derive(Debug, Clone, Copy, Default)]
struct Spent {
    depth: usize,
    conditions: usize,
}

/// What is wrong at which byte.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Fault {
    at: usize,
    reason: String,
}

impl Fault {
    /// An end to all reading: another way to read it would hide the mistake.
    fn cut(at: usize, reason: impl Into<String>) -> winnow::error::ErrMode<Self> {
        winnow::error::ErrMode::Cut(Self { at, reason: reason.into() })
    }
}

impl ParserError<Input<'_>> for Fault {
    type Inner = Self;

    fn from_input(input: &Input<'_>) -> Self {
        Self { at: input.current_token_start(), reason: String::new() }
    }

    fn into_inner(self) -> Result<Self, Self> {
        Ok(self)
    }
}
