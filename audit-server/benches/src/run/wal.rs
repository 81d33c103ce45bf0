//! How long the write-ahead log of the trail gets: readers that never let go hold it back.

use std::{
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

/// Looks at the log twenty times a second.
#[derive(Debug)]
pub(crate) struct WalWatch {
    longest: Arc<AtomicU64>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl WalWatch {
    pub(crate) fn start(db: &Path) -> Self {
        let (longest, stop) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicBool::new(false)));
        let mut log = db.as_os_str().to_owned();
        log.push("-wal");
        let log = PathBuf::from(log);
        let (seen, told) = (Arc::clone(&longest), Arc::clone(&stop));
        let thread = thread::spawn(move || {
            while !told.load(Ordering::Relaxed) {
                let bytes = std::fs::metadata(&log).map_or(0, |about| about.len());
                seen.fetch_max(bytes, Ordering::Relaxed);
                thread::sleep(Duration::from_millis(50));
            }
        });
        Self { longest, stop, thread: Some(thread) }
    }

    /// The most bytes that it had.
    pub(crate) fn longest(&self) -> u64 {
        self.longest.load(Ordering::Relaxed)
    }
}

impl Drop for WalWatch {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
