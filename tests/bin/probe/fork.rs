//! Children of a fork, of a process that records.

#![allow(unsafe_code, reason = "fork is what is tried")]

use std::{
    path::Path,
    sync::atomic::{AtomicBool, Ordering::Relaxed},
    time::{Duration, Instant},
};

use audit_layer::{AuditGuard, DropCause, Overflow};
use tracing_subscriber::prelude::*;

/// Returns `None` in the child, its process id in the parent.
fn fork() -> Option<libc::pid_t> {
    // SAFETY: the child only does what is tried here: it emits events, and ends.
    match unsafe { libc::fork() } {
        0 => None,
        child if child > 0 => Some(child),
        _ => panic!("no fork: {}", std::io::Error::last_os_error()),
    }
}

/// Ends the child without a destructor.
fn leave(code: i32) -> ! {
    // SAFETY: it takes no pointer and does not return.
    unsafe { libc::_exit(code) }
}

/// Waits for a child and panics when it failed; kills one that hangs.
fn wait(child: libc::pid_t) {
    let deadline = Instant::now() + crate::PATIENCE / 2;
    loop {
        let mut status = 0;
        // SAFETY: `status` is valid for the write.
        let ended = unsafe { libc::waitpid(child, &raw mut status, libc::WNOHANG) };
        assert!(ended >= 0, "no such child: {}", std::io::Error::last_os_error());
        if ended == child {
            let well = libc::WIFEXITED(status) && libc::WEXITSTATUS(status) == 0;
            return assert!(well, "the child ended with status {status:#x}");
        }
        if Instant::now() > deadline {
            // SAFETY: it takes no pointer; the child is ours and was not reaped.
            unsafe { libc::kill(child, libc::SIGKILL) };
            panic!("the child hangs");
        }
        std::thread::sleep(Duration::from_millis(1));
    }
}

pub(crate) fn run(directory: &Path, how: &str) {
    if how == "busy" {
        return busy(directory);
    }
    let database = directory.join("audit.db");
    let guard = crate::install(crate::builder(directory).sqlite(database));
    println!("{}", guard.stream().unwrap());
    tracing::info!(target: "audit", "before");
    // Not flushed: what is in the queue now is in the child's copy of it too.
    let Some(child) = fork() else { return child_does(how, directory, guard) };
    if how == "survivor" {
        println!("{child}");
        return crate::end(guard);
    }
    wait(child);
    tracing::info!(target: "audit", "after");
    if how == "return" {
        // The child is gone, with its destructors. Does the lock still keep others off?
        let other = std::process::Command::new(std::env::current_exe().unwrap())
            .args(["write".as_ref(), directory.as_os_str()])
            .output()
            .unwrap();
        print!("{}", String::from_utf8_lossy(&other.stdout));
    }
    crate::end(guard);
}

fn child_does(how: &str, directory: &Path, guard: AuditGuard) {
    match how {
        "exit" => {
            for _ in 0..1000 {
                tracing::info!(target: "audit", "in the child");
            }
            let _span = tracing::info_span!(target: "audit", "span of the child").entered();
            let stats = guard.stats();
            let counted = stats.dropped.get(&DropCause::Forked) == Some(&1000);
            let refused = guard.flush(crate::PATIENCE).is_err();
            leave(if counted && refused && !stats.worker_alive { 0 } else { 7 });
        }
        // Everything is dropped on the way out of `main`, and the standard library's own
        // destructors run.
        "return" => {
            tracing::info!(target: "audit", "in the child");
            drop(guard);
            println!("the child returns");
        }
        "builds" => {
            let own = directory.join("child");
            let (layer, own_guard) = crate::builder(&own).build().unwrap();
            let subscriber = tracing_subscriber::registry().with(layer);
            tracing::subscriber::with_default(subscriber, || {
                own_guard.verify_installed().unwrap();
                tracing::info!(target: "audit", "of the child's own layer");
            });
            tracing::info!(target: "audit", "of the parent's layer in the child");
            let counted = guard.stats().dropped.get(&DropCause::Forked) == Some(&1);
            own_guard.flush(crate::PATIENCE).unwrap();
            let alive = own_guard.stats().worker_alive && own_guard.stats().dropped.is_empty();
            own_guard.shutdown(crate::PATIENCE).unwrap();
            leave(if counted && alive { 0 } else { 7 });
        }
        // Outlives the parent, and closes the pipes so that nobody waits for it.
        "survivor" => {
            for descriptor in 0..3 {
                // SAFETY: it takes no pointer; nothing below uses the standard streams.
                unsafe { libc::close(descriptor) };
            }
            std::thread::sleep(crate::PATIENCE);
            leave(0);
        }
        other => panic!("no child {other:?}"),
    }
}

/// Forks again and again while threads emit, and so hold whatever lock there is.
fn busy(directory: &Path) {
    static STOP: AtomicBool = AtomicBool::new(false);
    // A journal that is nearly always full, so that drops are counted all the time; a file that holds
    // whatever gets through on however slow a machine.
    let builder = crate::builder(directory).journal_max_mb(2).overflow(Overflow::Drop);
    let guard = crate::install(builder.file_rotation(1 << 32, 1));
    let threads: Vec<_> = (0..3)
        .map(|_| {
            std::thread::spawn(|| {
                while !STOP.load(Relaxed) {
                    tracing::info!(target: "audit", "of a thread");
                }
            })
        })
        .collect();
    for _ in 0..300 {
        match fork() {
            Some(child) => wait(child),
            None => {
                tracing::info!(target: "audit", "in the child");
                leave(0);
            }
        }
    }
    STOP.store(true, Relaxed);
    for thread in threads {
        thread.join().unwrap();
    }
    crate::end(guard);
}
