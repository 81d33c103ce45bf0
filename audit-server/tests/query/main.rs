//! Questions from Rust and from the command line, on a real trail.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on fails")]

mod builder;
mod command;
mod export;
mod keyring;
mod recorded;
mod report;
#[allow(dead_code, reason = "of the server's tests only the trail is needed here")]
#[path = "../server/support.rs"]
mod support;
