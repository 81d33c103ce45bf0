//! Everything that the trail has, through HTTP into this process.

use std::sync::atomic::AtomicBool;

use super::{
    super::{
        Outcome,
        client::Client,
        memory::MemoryWatch,
        server::Server,
        writer::{Commits, Writer},
    },
    download::Download,
    tell_commits,
};

/// Takes one export, and tells how fast it came, what memory it took of the server, and what it was to
/// the writer.
pub(in super::super) fn export(
    server: &Server,
    client: &Client,
    writer: &mut Writer,
    quiet: Commits,
) -> Outcome<()> {
    writer.commits()?;
    let memory = MemoryWatch::start(server);
    let (taken, id) = Download::take(server, &AtomicBool::new(false))?;
    println!(
        "export: {} records, {:.1} MB in {:.1} s: {:.0} records/s (target 300000), {:.1} MB/s; the \
         manifest {}",
        taken.records,
        taken.bytes as f64 / 1e6,
        taken.took.as_secs_f64(),
        taken.records_a_second(),
        taken.bytes as f64 / 1e6 / taken.took.as_secs_f64(),
        taken.held(client, &id)?,
    );
    memory.tell("export", Some(32));
    tell_commits("export", writer.commits()?, quiet);
    Ok(())
}
