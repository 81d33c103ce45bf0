//! The ways in which a process ends.

use std::path::Path;

struct Panics;

impl std::fmt::Debug for Panics {
    fn fmt(&self, _: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        panic!("while a value is formatted");
    }
}

pub(crate) fn run(directory: &Path, how: &str) {
    if how == "aborting-panic" {
        // What `panic = "abort"` comes to: nothing runs behind the hooks.
        std::panic::set_hook(Box::new(|_| std::process::abort()));
    }
    // No batch leaves by itself: what the sinks have, the end of the process gave them.
    let guard = crate::install(
        crate::builder(directory)
            .sqlite(directory.join("audit.db"))
            .batch_size(100_000)
            .flush_interval(crate::PATIENCE),
    );
    guard.record_panics();
    for number in 0..500 {
        tracing::info!(target: "audit", number, "accepted");
    }
    match how {
        "return" => {}
        "process-exit" => std::process::exit(3),
        "abort" => std::process::abort(),
        "signal" => {
            println!("ready");
            guard.shutdown_on_signal(crate::PATIENCE).unwrap();
            println!("shut down");
        }
        "unheeded-signal" => {
            println!("ready");
            std::thread::sleep(crate::PATIENCE);
        }
        "panic" | "aborting-panic" => panic!("out of {}", "main"),
        "panics-elsewhere" => {
            let thread = std::thread::Builder::new().name("worker-7".to_owned());
            let thread = thread.spawn(|| std::panic::panic_any(7)).unwrap();
            assert!(thread.join().is_err());
            tracing::info!(target: "audit", value = ?Panics, "with a value that panics");
            let inside = tracing::info_span!("request", user_id = ?Panics);
            inside.in_scope(|| tracing::info!(target: "audit", "in a span of such a value"));
            crate::end(guard);
        }
        other => panic!("no end {other:?}"),
    }
}
