//! Connections to a database that may be restored at any time.
//!
//! All connections of the pool read the same files. Before each use these are held against what the
//! path names now; when they differ, those that lie idle are closed, and the next is opened only
//! when those in use have come back. That wait is needed: within a process SQLite shares one index
//! of the write-ahead log among all connections to an inode, so a connection that was opened
//! meanwhile would read the new log by the old index. It is short, since each use has a deadline.
//!
//! The pool has no bound of its own; [`super::Readers`] bounds those who take from it.

use std::{
    io,
    path::Path,
    sync::{Condvar, Mutex, MutexGuard, PoisonError},
};

use rusqlite::Connection;

use super::{Deadline, file_identity::DatabaseFiles};

#[derive(Debug, Default)]
pub(crate) struct Pool {
    shared: Mutex<Shared>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct Shared {
    /// What the connections read; `None` before the first was asked for.
    files: Option<DatabaseFiles>,
    idle: Vec<Connection>,
    in_use: usize,
    /// How often the files were replaced.
    replaced: u64,
}

impl Pool {
    /// The right to a connection to the files that the path names now. `None` when the deadline
    /// passes while connections to other files are in use.
    ///
    /// # Errors
    /// Those of [`DatabaseFiles::of`].
    pub(crate) fn lease(&self, path: &Path, deadline: Deadline) -> io::Result<Option<Lease<'_>>> {
        let mut shared = self.lock();
        loop {
            // What lies idle would keep a file that was deleted on the disk.
            let found = DatabaseFiles::of(path).inspect_err(|_| shared.idle.clear())?;
            if shared.files == Some(found) {
                break;
            }
            shared.idle.clear();
            if shared.in_use == 0 {
                shared.files = Some(found);
                shared.replaced += 1;
                break;
            }
            if deadline.passed() {
                return Ok(None);
            }
            let waited = self.changed.wait_timeout(shared, deadline.remaining());
            shared = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        shared.in_use += 1;
        let connection = shared.idle.pop();
        Ok(Some(Lease { pool: self, connection, replaced: shared.replaced }))
    }

    fn lock(&self) -> MutexGuard<'_, Shared> {
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The right to a connection, until it is dropped.
#[derive(Debug)]
pub(crate) struct Lease<'p> {
    pool: &'p Pool,
    /// `None` until one is opened, and when it is not fit to be used again.
    pub(crate) connection: Option<Connection>,
    /// How often the files of the pool were replaced until then.
    pub(crate) replaced: u64,
}

impl Lease<'_> {
    /// Takes note of the log and index that the first read of a new connection may have made.
    pub(crate) fn opened(&self, path: &Path) {
        let mut shared = self.pool.lock();
        if let (Some(before), Ok(now)) = (shared.files, DatabaseFiles::of(path))
            && before.became(&now)
        {
            shared.files = Some(now);
            self.pool.changed.notify_all();
        }
    }
}

impl Drop for Lease<'_> {
    fn drop(&mut self) {
        let mut shared = self.pool.lock();
        shared.in_use -= 1;
        shared.idle.extend(self.connection.take());
        self.pool.changed.notify_all();
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::{fs, time::Duration};

    use super::*;

    #[test]
    fn a_lease_tells_that_the_files_were_replaced_since_another() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("model.db");
        let pool = Pool::default();
        let replaced = || {
            pool.lease(&path, Deadline::after(Duration::from_secs(60))).unwrap().unwrap().replaced
        };
        fs::write(&path, "").unwrap();
        let first = replaced();
        assert_eq!(replaced(), first);
        let other = directory.path().join("backup.db");
        fs::write(&other, "").unwrap();
        fs::rename(&other, &path).unwrap();
        assert_ne!(replaced(), first);
    }
}
