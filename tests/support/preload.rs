//! The library of faults, `preload.c`, built as it is now.

use std::{
    path::{Path, PathBuf},
    process::Command,
    sync::OnceLock,
};

/// Loads the library into a process that is to be started.
pub fn into(command: &mut Command) -> &mut Command {
    command.env("LD_PRELOAD", library())
}

fn library() -> &'static Path {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    BUILT.get_or_init(|| {
        let test = std::env::current_exe().expect("the path of this test");
        let library = test.with_file_name(format!("preload-{}.so", std::process::id()));
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("support/preload.c");
        let built = Command::new("cc")
            .args(["-shared", "-fPIC", "-O2", "-pthread", "-Wall", "-Wextra", "-Werror", "-o"])
            .args([&library, &source])
            .status()
            .expect("cc cannot be started; install it: apt-get install gcc libc6-dev");
        assert!(built.success(), "preload.c does not build");
        // One name for all, so that old ones don't pile up; whoever has the old one open keeps it.
        let shared = test.with_file_name("preload.so");
        std::fs::rename(&library, &shared).expect("the library");
        shared
    })
}
