//! The `audit-server` command.

fn main() -> std::process::ExitCode {
    audit_server::cli::main()
}
