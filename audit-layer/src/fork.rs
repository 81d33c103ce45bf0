//! Which process a layer belongs to.
//!
//! A forked child has the parent's queue and none of its threads: what it puts in is never taken
//! out, and its destructors would wait for threads that do not exist. It may build a layer of its
//! own, so it is the layer that remembers its process. `getpid` is a system call and measured
//! 86 ns, a third of what an event may cost; a page that holds the process id and that the kernel
//! wipes in a child (`MADV_WIPEONFORK`, Linux 4.14) tells the same for a load. Where there is no
//! such page the process id is asked for.

#![allow(unsafe_code, reason = "the page is mapped and shared with the kernel's fork")]

use std::sync::{
    OnceLock,
    atomic::{AtomicU32, Ordering::Relaxed},
};

/// The process id, or 0 in a child that has not written its own.
static PAGE: OnceLock<Option<&'static AtomicU32>> = OnceLock::new();

/// The process that has a layer's threads.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Owner(u32);

impl Owner {
    /// The current process.
    pub(crate) fn this_process() -> Self {
        let id = std::process::id();
        if let Some(page) = PAGE.get_or_init(wiped_page) {
            page.store(id, Relaxed);
        }
        Self(id)
    }

    /// Whether the current process was forked from the owner.
    #[inline]
    pub(crate) fn is_elsewhere(self) -> bool {
        let current = match PAGE.get() {
            Some(Some(page)) => page.load(Relaxed),
            _ => std::process::id(),
        };
        current != self.0
    }
}

#[cfg(target_os = "linux")]
fn wiped_page() -> Option<&'static AtomicU32> {
    use rustix::mm::{Advice, MapFlags, ProtFlags, madvise, mmap_anonymous};
    let length = rustix::param::page_size();
    // SAFETY: a fresh anonymous mapping at an address of the kernel's choice aliases nothing.
    let page = unsafe {
        mmap_anonymous(
            std::ptr::null_mut(),
            length,
            ProtFlags::READ | ProtFlags::WRITE,
            MapFlags::PRIVATE,
        )
    }
    .ok()?;
    // SAFETY: the advice covers exactly the mapping made above, and changes it only in a child.
    let advised = unsafe { madvise(page, length, Advice::LinuxWipeOnFork) };
    if advised.is_err() {
        // SAFETY: nothing refers to the mapping yet.
        let _ = unsafe { rustix::mm::munmap(page, length) };
        return None;
    }
    // SAFETY: the page is mapped for the life of the process, zeroed, aligned for any integer, and
    // from here on reached only through this atomic.
    Some(unsafe { AtomicU32::from_ptr(page.cast::<u32>()) })
}

#[cfg(not(target_os = "linux"))]
fn wiped_page() -> Option<&'static AtomicU32> {
    None
}
