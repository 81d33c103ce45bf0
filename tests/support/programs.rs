//! The programs of this workspace, built as they are now.

use std::{
    path::{Path, PathBuf},
    process::Command,
    sync::OnceLock,
};

/// The `audit-server` command.
pub fn audit_server() -> Command {
    Command::new(built().join("audit-server"))
}

/// An example of the `examples` package.
pub fn example(name: &str) -> Command {
    Command::new(built().join("examples").join(name))
}

/// The root of the repository.
pub fn repository() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
}

/// Builds what the tests run, once a process, so that no stale program is tested; returns where.
fn built() -> &'static Path {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    BUILT.get_or_init(|| {
        let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        let status = Command::new(cargo)
            .current_dir(repository())
            .args([
                "build",
                "--quiet",
                "-p",
                "audit-server",
                "-p",
                "examples",
                "--bins",
                "--examples",
            ])
            .status()
            .expect("cargo cannot be started");
        assert!(status.success(), "audit-server and the examples do not build");
        // …/target/debug/deps/<this test>
        let test = std::env::current_exe().expect("the path of this test");
        test.ancestors().nth(2).expect("a target directory").to_path_buf()
    })
}
