//! Whether a path still names the file that was opened.

use std::{io, os::unix::fs::MetadataExt, path::Path};

/// The device and inode of a file. A pooled connection goes on reading a file that was deleted or
/// replaced; comparing this before use costs a `stat`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct FileIdentity {
    device: u64,
    inode: u64,
}

impl FileIdentity {
    /// The file that the path names now.
    pub(crate) fn of(path: &Path) -> io::Result<Self> {
        let metadata = std::fs::metadata(path)?;
        Ok(Self { device: metadata.dev(), inode: metadata.ino() })
    }
}
