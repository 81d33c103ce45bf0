//! Everything that the project promises, tried against real files, servers and processes.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::needless_pass_by_value,
    reason = "a test that cannot go on says so by a panic, and takes what its callers have"
)]

mod beside_fmt;
mod clock;
mod commit;
mod context;
mod dashboards;
mod delivery;
mod demo;
mod details;
mod exits;
mod faults;
mod filter;
mod full;
mod golden;
mod imported;
mod installed;
mod members;
mod nested;
mod own_members;
mod policies;
mod power_cut;
mod processes;
mod properties;
mod quickstart;
mod recovery;
mod redis;
mod redis_faults;
mod rotation;
mod secrets;
mod spans;
mod survival;
mod swagger_ui;
mod truncation;
mod values;
