//! The parts that tests are made of.

pub(crate) mod process;
pub(crate) mod trail;
