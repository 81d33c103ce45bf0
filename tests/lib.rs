//! What the end-to-end tests share.
#![allow(
    missing_docs,
    clippy::missing_panics_doc,
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test that cannot go on says so by a panic"
)]

#[path = "support/browser.rs"]
pub mod browser;
#[path = "support/demo.rs"]
pub mod demo;
#[path = "support/disk.rs"]
pub mod disk;
#[path = "support/preload.rs"]
pub mod preload;
#[path = "support/programs.rs"]
pub mod programs;
#[path = "support/redis_server.rs"]
pub mod redis_server;
#[path = "support/service.rs"]
pub mod service;
#[path = "support/small_disk.rs"]
pub mod small_disk;
mod support;
#[path = "support/trail_files.rs"]
pub mod trail_files;

pub use support::{
    process::Process,
    trail::{Recorded, Trail},
};
