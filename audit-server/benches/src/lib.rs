//! Records as a busy house would leave them, and what the benchmark of queries makes of them.
//!
//! [`generator`] lives through ninety days of a trading house, the same ones for the same seed, and
//! keeps its own books while it does: what a report over the records has to say is known without
//! reading a single one. [`load`] writes them to a trail.

pub mod generator;
pub mod load;
