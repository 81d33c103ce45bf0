//! What the end-to-end tests share.

#[path = "support/programs.rs"]
pub mod programs;
#[path = "support/redis.rs"]
pub mod redis_server;
#[path = "support/trail.rs"]
pub mod trail_files;
