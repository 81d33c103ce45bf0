//! Answers questions about an audit trail that `audit-layer` wrote.

pub mod demo;
