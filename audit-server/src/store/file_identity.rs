//! Whether a path still names the file that was opened.

use std::{
    io,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
};

/// The device and inode of a file. An open connection goes on reading a file that was deleted or
/// replaced; comparing this before use costs a `stat`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct FileIdentity {
    device: u64,
    inode: u64,
}

impl FileIdentity {
    /// The file that the path names now.
    ///
    /// # Errors
    /// What the system says, and [`io::ErrorKind::InvalidInput`] for anything but a regular file:
    /// to open a FIFO or a device may wait for ever.
    pub(crate) fn of(path: &Path) -> io::Result<Self> {
        let metadata = std::fs::metadata(path)?;
        if !metadata.is_file() {
            let reason = "it is not a regular file";
            return Err(io::Error::new(io::ErrorKind::InvalidInput, reason));
        }
        Ok(Self { device: metadata.dev(), inode: metadata.ino() })
    }
}

/// The files that together are a database: itself, its write-ahead log and the index of that.
/// Whoever restores a database may write into the file that is there and delete the other two; a
/// connection that was open goes on reading those, and sees nothing that came after.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct DatabaseFiles {
    database: FileIdentity,
    log: Option<FileIdentity>,
    index: Option<FileIdentity>,
}

impl DatabaseFiles {
    /// What the path names now.
    ///
    /// # Errors
    /// Those of [`FileIdentity::of`]; that the other two are absent is none.
    pub(super) fn of(path: &Path) -> io::Result<Self> {
        let beside = |suffix: &str| {
            let mut name = path.as_os_str().to_owned();
            name.push(suffix);
            match FileIdentity::of(&PathBuf::from(name)) {
                Ok(file) => Ok(Some(file)),
                Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
                Err(error) => Err(error),
            }
        };
        let database = FileIdentity::of(path)?;
        Ok(Self { database, log: beside("-wal")?, index: beside("-shm")? })
    }

    /// Whether these are the same, or became `later` by an open that made what was absent.
    pub(super) fn became(&self, later: &Self) -> bool {
        let same = |now: Option<FileIdentity>, later| now.is_none() || now == later;
        self.database == later.database
            && same(self.log, later.log)
            && same(self.index, later.index)
    }
}
