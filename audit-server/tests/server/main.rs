//! The server, started in this process on a free port over a real SQLite file and, where Redis is
//! concerned, a real `redis-server`.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on fails")]

mod allow_list;
mod auth;
mod combined;
mod cors;
mod cursors;
mod document;
mod exports;
mod failures;
mod filters;
mod limits;
mod lockout;
mod long_lines;
mod pages;
mod proxies;
mod rate_limits;
mod raw;
mod read_model;
mod redis;
mod reports;
mod roles;
mod sealed;
mod self_audit;
mod slow;
mod stats;
mod support;
mod tenants;
mod tls;
mod tokens;
