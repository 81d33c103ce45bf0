//! The `audit-server` command.

fn main() {}
