//! What the end-to-end tests share.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test that cannot go on says so by a panic"
)]

mod support;

pub use support::{process::Process, trail::{Recorded, Trail}};
