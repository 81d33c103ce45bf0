//! End-to-end tests: real files, a real redis-server, real processes.

mod dashboards;
mod delivery;
mod demo;
mod policies;
mod processes;
mod quickstart;
mod redis;
mod rotation;
