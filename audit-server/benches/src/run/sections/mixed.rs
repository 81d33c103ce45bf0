//! Everything at once: pages for many clients while two exports run and the writer writes.

use std::{
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::Duration,
};

use super::{
    super::{
        Outcome,
        client::Client,
        figures::{Figures, millis},
        measure::{Depth, Enough, many},
        memory::MemoryWatch,
        questions::QUESTIONS,
        server::Server,
        values::Values,
        wal::WalWatch,
        writer::{Commits, Writer},
    },
    download::Download,
    tell_commits,
};

/// How many exports a server lets run when nothing else is said.
const EXPORTS: usize = 2;
/// How long a server lets a question take when nothing else is said.
const PATIENCE: Duration = Duration::from_secs(2);
/// What is asked meanwhile, as people would.
const ASKED: [&str; 5] =
    ["user_id, frequent", "status=failure", "category", "details.symbol", "word, common"];

/// Pages for so many seconds, and prints what became of all.
pub(in super::super) fn mixed(
    server: &Server,
    clients: &[Client],
    (values, seconds): (&Values, u64),
    writer: &mut Writer,
    (quiet, wal): (Commits, &WalWatch),
) -> Outcome<()> {
    writer.commits()?;
    let (before, memory) = (wal.longest(), MemoryWatch::start(server));
    let stop = AtomicBool::new(false);
    let questions: Vec<_> = QUESTIONS.iter().filter(|it| ASKED.contains(&it.name)).collect();
    let each = Duration::from_secs(seconds).div_f64(questions.len().max(1) as f64);
    let enough = Enough { answers: usize::MAX, time: each };
    let (mut pages, mut taken, mut failed) = (Figures::default(), Download::default(), Vec::new());
    let mut values = values.draws(0);
    thread::scope(|scope| {
        let exports: Vec<_> =
            (0..EXPORTS).map(|_| scope.spawn(|| one_after_the_other(server, &stop))).collect();
        for question in questions {
            pages.add(many(clients, question, Depth::Deep, &mut values, enough));
        }
        stop.store(true, Ordering::Relaxed);
        for export in exports {
            match export.join() {
                Ok(Ok(some)) => taken.add(some),
                Ok(Err(error)) => failed.push(error),
                Err(_) => failed.push("it panicked".to_owned()),
            }
        }
    });
    let slow = pages.times.iter().filter(|took| **took > PATIENCE).count();
    println!(
        "mixed: {} clients paging: {} pages, {:.0} a second, p50 {} ms, p99 {} ms, {slow} above {} s, {} \
         truncated, {} errors",
        clients.len(),
        pages.times.len(),
        pages.times.len() as f64 / seconds.max(1) as f64,
        millis(pages.percentile(50)),
        millis(pages.percentile(99)),
        PATIENCE.as_secs(),
        pages.truncated,
        pages.errors,
    );
    if let Some(error) = &pages.first_error {
        println!("  such as: {error}");
    }
    println!(
        "mixed: {EXPORTS} exports: {} records, {:.0} records/s each; {} failed",
        taken.records,
        taken.records_a_second(),
        failed.len()
    );
    failed.iter().for_each(|error| println!("  such as: {error}"));
    memory.tell("mixed", None);
    tell_commits("mixed (target 1.5)", writer.commits()?, quiet);
    let mib = |bytes: u64| bytes as f64 / 1_048_576.0;
    println!(
        "mixed: longest write-ahead log: {:.1} MiB before, {:.1} now (target 64)",
        mib(before),
        mib(wal.longest())
    );
    Ok(())
}

/// Takes exports until it is told to stop.
fn one_after_the_other(server: &Server, stop: &AtomicBool) -> Result<Download, String> {
    let mut all = Download::default();
    while !stop.load(Ordering::Relaxed) {
        let (taken, _) = Download::take(server, stop).map_err(|error| error.to_string())?;
        all.add(taken);
    }
    Ok(all)
}
