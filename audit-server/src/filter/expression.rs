//! The expression language of `filter=`.

use super::Filter;

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
pub(crate) fn expression(_text: &str) -> Result<Filter, InvalidExpression> {
    Err(InvalidExpression { column: 1, reason: "not yet".to_owned() })
}
