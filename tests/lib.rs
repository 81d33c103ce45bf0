//! What the end-to-end tests share.

#[path = "support/programs.rs"]
pub mod programs;
#[path = "support/redis_server.rs"]
pub mod redis_server;
#[path = "support/trail_files.rs"]
pub mod trail_files;
