//! A file that is read again when it has changed.
//!
//! It is looked at when its content is asked for, once a second at most: no thread, and no notification,
//! which misses what is mounted anew (the secrets and config maps of Kubernetes). A new file that is broken
//! leaves the old content in place and is complained of once; so does one that is gone. Replace files by
//! renaming a complete one over them: whoever writes into one in place is read half-way.

use std::{
    fmt,
    fs::{self, File, Metadata},
    io::{self, Read},
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use zeroize::Zeroizing;

use super::TokensUnusable;

const LOOK_EVERY: Duration = Duration::from_secs(1);

/// A file and what was last read from it.
pub(super) struct Watched<T> {
    path: PathBuf,
    read: fn(&Path) -> Result<T, TokensUnusable>,
    last: Mutex<Last<T>>,
}

struct Last<T> {
    content: Arc<T>,
    /// The file as it was when it was last read, well or not.
    stamp: Option<Stamp>,
    looked: Instant,
}

impl<T> Watched<T> {
    /// Reads the file.
    pub(super) fn open(
        path: &Path,
        read: fn(&Path) -> Result<T, TokensUnusable>,
        at: Instant,
    ) -> Result<Self, TokensUnusable> {
        let stamp = Stamp::of(path);
        let content = Arc::new(read(path)?);
        let last = Mutex::new(Last { content, stamp, looked: at });
        Ok(Self { path: path.to_owned(), read, last })
    }

    /// What is in it.
    pub(super) fn content(&self, at: Instant) -> Arc<T> {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        if at.saturating_duration_since(last.looked) >= LOOK_EVERY {
            last.looked = at;
            let stamp = Stamp::of(&self.path);
            if stamp != last.stamp {
                last.stamp = stamp;
                match (self.read)(&self.path) {
                    Ok(content) => {
                        last.content = Arc::new(content);
                        tracing::info!(file = %self.path.display(), "tokens: read again");
                    }
                    Err(error) => {
                        let cause = error.cause();
                        tracing::error!(%error, cause, "tokens: what was read before stays in use");
                    }
                }
            }
        }
        Arc::clone(&last.content)
    }
}

impl<T> fmt::Debug for Watched<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Watched").field("path", &self.path).finish_non_exhaustive()
    }
}

/// By what it is known whether a file has changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Stamp {
    file: (u64, u64),
    length: u64,
    written: (i64, i64),
    changed: (i64, i64),
}

impl Stamp {
    fn of(path: &Path) -> Option<Self> {
        let file = fs::metadata(path).ok()?;
        Some(Self {
            file: (file.dev(), file.ino()),
            length: file.len(),
            written: (file.mtime(), file.mtime_nsec()),
            changed: (file.ctime(), file.ctime_nsec()),
        })
    }
}

/// The bytes of a regular file that has that many at most, and what the system knows of it. They are wiped
/// when they are dropped.
pub(super) fn read(
    path: &Path,
    most: usize,
) -> Result<(Zeroizing<Vec<u8>>, Metadata), TokensUnusable> {
    let at = path.display();
    let failed = |error: io::Error| TokensUnusable::because(&at, "the file cannot be read", error);
    // Before it is opened: to open a FIFO may wait for ever.
    if !fs::metadata(path).map_err(failed)?.is_file() {
        return Err(TokensUnusable::keys(&at, "it is not a regular file"));
    }
    let mut file = File::open(path).map_err(failed)?;
    let metadata = file.metadata().map_err(failed)?;
    // All at once, so that no part of a secret stays behind where a vector has grown.
    let mut bytes = Zeroizing::new(vec![0; most + 1]);
    let mut length = 0;
    while let Some(rest) = bytes.get_mut(length..).filter(|rest| !rest.is_empty()) {
        match file.read(rest) {
            Ok(0) => break,
            Ok(read) => length += read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(failed(error)),
        }
    }
    if length > most {
        return Err(TokensUnusable::keys(&at, "the file is too long"));
    }
    bytes.truncate(length);
    Ok((bytes, metadata))
}
