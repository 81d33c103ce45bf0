//! Records as a busy house would leave them, and what the benchmark of queries makes of them.
//!
//! [`generator`] lives through ninety days of a trading house, the same ones for the same seed, and
//! keeps its own books while it does: what a report over the records has to say is known without
//! reading a single one. [`load`] writes them to a trail, and [`books`] holds what a server says of that
//! against what is known.

pub mod books;
pub mod generator;
pub mod load;
