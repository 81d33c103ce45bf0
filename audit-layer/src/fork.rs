//! Whether this process is the child of a fork.
//!
//! A forked child has the parent's queue and none of its threads: what it puts in is never taken
//! out, and its destructors would wait for threads that do not exist. `getpid` is a system call and
//! measured 86 ns, a third of what an event may cost; a page that the kernel wipes in the child
//! (`MADV_WIPEONFORK`, Linux 4.14) tells the same for a load. Where there is no such page the
//! process id is compared.

#![allow(unsafe_code, reason = "the page is mapped and shared with the kernel's fork")]

use std::sync::{
    OnceLock,
    atomic::{AtomicU8, Ordering::Relaxed},
};

static PARENT: OnceLock<Mark> = OnceLock::new();

enum Mark {
    #[cfg(target_os = "linux")]
    Page(&'static AtomicU8),
    Process(u32),
}

/// Takes this process for the one that has the pipeline's threads.
pub(crate) fn mark_parent() {
    let mark =
        PARENT.get_or_init(|| wiped_page().unwrap_or_else(|| Mark::Process(std::process::id())));
    let _ = mark;
}

/// Whether this process was forked from the marked one.
#[inline]
pub(crate) fn is_child() -> bool {
    match PARENT.get() {
        #[cfg(target_os = "linux")]
        Some(Mark::Page(page)) => page.load(Relaxed) == 0,
        Some(Mark::Process(id)) => *id != std::process::id(),
        None => false,
    }
}

#[cfg(target_os = "linux")]
fn wiped_page() -> Option<Mark> {
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
    // SAFETY: the page is mapped for the life of the process, zeroed, aligned for a byte, and from
    // here on reached only through this atomic.
    let mark = unsafe { AtomicU8::from_ptr(page.cast::<u8>()) };
    mark.store(1, Relaxed);
    Some(Mark::Page(mark))
}

#[cfg(not(target_os = "linux"))]
fn wiped_page() -> Option<Mark> {
    let _ = AtomicU8::new(0).load(Relaxed);
    None
}
