//! What memory the server takes while something goes on.
//!
//! Anonymous memory is what it holds itself. Resident memory also has pages of files that it has
//! mapped, which the system takes back when it wants them.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

use super::server::Server;

/// Bytes of memory of a process.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Memory {
    pub(crate) anonymous: u64,
    pub(crate) resident: u64,
    /// The most that was ever resident.
    pub(crate) peak: u64,
}

impl Memory {
    /// That of a process that there is.
    pub(crate) fn of(process: u32) -> Option<Self> {
        let status = std::fs::read_to_string(format!("/proc/{process}/status")).ok()?;
        let bytes = |name: &str| {
            let text = status.lines().find_map(|line| line.strip_prefix(name))?;
            let kilobytes: u64 = text.trim().strip_suffix(" kB")?.parse().ok()?;
            Some(kilobytes * 1024)
        };
        let (anonymous, resident) = (bytes("RssAnon:")?, bytes("VmRSS:")?);
        Some(Self { anonymous, resident, peak: bytes("VmHWM:")? })
    }
}

/// Looks at it twenty times a second, when the server was started here.
#[derive(Debug)]
pub(crate) struct MemoryWatch {
    process: Option<u32>,
    before: Option<Memory>,
    most: Arc<[AtomicU64; 2]>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl MemoryWatch {
    pub(crate) fn start(server: &Server) -> Self {
        let process = server.process();
        let before = process.and_then(Memory::of);
        let (most, stop) = (Arc::<[AtomicU64; 2]>::default(), Arc::new(AtomicBool::new(false)));
        let (seen, told) = (Arc::clone(&most), Arc::clone(&stop));
        let thread = thread::spawn(move || {
            while !told.load(Ordering::Relaxed) {
                if let Some(memory) = process.and_then(Memory::of) {
                    seen[0].fetch_max(memory.anonymous, Ordering::Relaxed);
                    seen[1].fetch_max(memory.resident, Ordering::Relaxed);
                }
                thread::sleep(Duration::from_millis(50));
            }
        });
        Self { process, before, most, stop, thread: Some(thread) }
    }

    /// Prints what was seen so far, beside what was before, and how many MiB more are no matter.
    pub(crate) fn tell(&self, of: &str, target: Option<u32>) {
        let Some((before, now)) = self.before.zip(self.process.and_then(Memory::of)) else {
            return;
        };
        let mib = |bytes: u64| bytes as f64 / 1_048_576.0;
        let [anonymous, resident] =
            self.most.each_ref().map(|most| mib(most.load(Ordering::Relaxed)));
        let target = target.map_or_else(String::new, |more| format!(" (target: {more} more)"));
        println!(
            "{of}: memory of the server: anonymous {:.1} MiB before, at most \
             {anonymous:.1}{target}; resident {:.1} before, at most {resident:.1}; peak {:.1} before, {:.1} now",
            mib(before.anonymous),
            mib(before.resident),
            mib(before.peak),
            mib(now.peak),
        );
    }
}

impl Drop for MemoryWatch {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
