//! Names that survive a power cut.
//!
//! To sync a file makes its content durable and not its name: that is in the directory, which has a
//! sync of its own. So whatever makes a file that must be found again, or a directory for one, calls
//! this module before anyone relies on it.

use std::{
    fs::{DirBuilder, File},
    io,
    os::unix::fs::DirBuilderExt,
    path::Path,
    sync::atomic::{AtomicBool, Ordering::Relaxed},
};

use crate::diagnostics;

/// Makes a directory and those around it that are missing.
pub(crate) fn make_directory(path: &Path, mode: u32) -> io::Result<()> {
    if path.is_dir() {
        return Ok(());
    }
    let parent = parent_of(path);
    if parent != path {
        make_directory(parent, mode)?;
    }
    match DirBuilder::new().mode(mode).create(path) {
        // Another process made it at the same moment.
        Err(_) if path.is_dir() => {}
        result => result?,
    }
    sync_name(path)
}

/// Makes the name of a file or directory durable, or that it is gone.
pub(crate) fn sync_name(path: &Path) -> io::Result<()> {
    sync_directory(parent_of(path))
}

/// Makes every name in a directory durable. A directory that may not be read, and a file system that
/// cannot do it, are told of once and are no obstacle: the files themselves are as good as ever.
pub(crate) fn sync_directory(path: &Path) -> io::Result<()> {
    static TOLD: AtomicBool = AtomicBool::new(false);
    match File::open(path).and_then(|directory| directory.sync_all()) {
        Err(error)
            if matches!(
                error.kind(),
                io::ErrorKind::PermissionDenied
                    | io::ErrorKind::InvalidInput
                    | io::ErrorKind::Unsupported
            ) =>
        {
            if !TOLD.swap(true, Relaxed) {
                let path = path.display();
                diagnostics::warn(&format!(
                    "the names in {path} may be lost when the power fails: it cannot be synced: {error}"
                ));
            }
            Ok(())
        }
        result => result,
    }
}

/// The directory that a name is in.
pub(crate) fn parent_of(path: &Path) -> &Path {
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    parent.unwrap_or(if path.has_root() { path } else { Path::new(".") })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_is_made_with_those_around_it() {
        let dir = tempfile::tempdir().unwrap();
        let deep = dir.path().join("a/b/../c");
        make_directory(&deep, 0o700).unwrap();
        make_directory(&deep, 0o700).unwrap();
        assert!(dir.path().join("a/c").is_dir());
        assert_eq!(parent_of(Path::new("audit.log")), Path::new("."));
        assert_eq!(parent_of(Path::new("/")), Path::new("/"));
        std::fs::write(dir.path().join("file"), "").unwrap();
        assert!(make_directory(&dir.path().join("file"), 0o700).is_err());
    }
}
