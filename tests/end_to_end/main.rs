//! End-to-end tests: real files, a real redis-server, real processes.

mod delivery;
mod policies;
mod processes;
mod redis;
mod rotation;
