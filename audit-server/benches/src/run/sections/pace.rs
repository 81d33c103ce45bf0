//! Whether the read model keeps up with a writer that writes as fast as it can, on the same machine.
//!
//! Each alone can be quicker than both together, and to be made of a trail that is there is another
//! thing than to follow one that grows. So: a trail of its own that begins empty, a service whose
//! events wait for the sink, and a server that follows it and is asked how far behind it is.

use std::{
    fs,
    path::Path,
    thread,
    time::{Duration, Instant},
};

use rusqlite::{Connection, OpenFlags};

use super::{
    super::{Outcome, client::Client, server::Server, writer::Writer},
    read_model::model,
};

/// More than any disk takes: the journal is full after some seconds, and from then on each event waits.
const AS_MANY_AS_IT_CAN: u64 = 10_000_000;
const LOOK_EVERY: Duration = Duration::from_millis(100);
/// How long it may take until what was written is followed.
const PATIENCE: Duration = Duration::from_secs(300);

/// Writes for so long, and tells how far the model was behind.
pub(in super::super) fn pace(
    program: &Path,
    directory: &Path,
    seconds: u64,
    seed: u64,
) -> Outcome<()> {
    let directory = directory.join("pace");
    match fs::remove_dir_all(&directory) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error.into()),
        _ => fs::create_dir_all(&directory)?,
    }
    let db = directory.join("audit.db");
    let writer = Writer::start(&db, &directory, AS_MANY_AS_IT_CAN, seed)?;
    let made = Instant::now();
    while !db.exists() {
        if made.elapsed() > PATIENCE {
            return Err("the writer makes no trail".into());
        }
        thread::sleep(Duration::from_millis(10));
    }
    let server = Server::start(program, &db, &directory, &[])?;
    let client = Client::new(&server.url, &server.key);
    let trail = Connection::open_with_flags(&db, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
    let (begun, mut looks) = (Instant::now(), Vec::new());
    let look = || look(&client, &trail, begun);
    while begun.elapsed() < Duration::from_secs(seconds) {
        looks.push(look()?);
        thread::sleep(LOOK_EVERY);
    }
    // What is in the journal yet is written now.
    writer.end()?;
    let ended = look()?;
    let last = loop {
        let last = look()?;
        if last.behind == 0 {
            break last;
        }
        if last.at.saturating_sub(ended.at) > PATIENCE {
            return Err("the read model does not catch up".into());
        }
        thread::sleep(Duration::from_millis(5));
    };
    drop(server);
    fs::remove_dir_all(&directory)?;
    let rate = ended.written as f64 / ended.at.as_secs_f64();
    looks.push(ended);
    let most = looks.iter().map(|look| look.behind).max().unwrap_or_default();
    println!(
        "pace: a writer as fast as it can, {:.1} s: {} records, {rate:.0} a second; the read model at \
         most {most} records behind ({:.2} s of writing), {} at the end, and none {} ms later",
        ended.at.as_secs_f64(),
        ended.written,
        most as f64 / rate,
        ended.behind,
        (last.at - ended.at).as_millis(),
    );
    let half = looks.len() / 2;
    let median = |looks: &[Look]| {
        let mut behind: Vec<u64> = looks.iter().map(|look| look.behind).collect();
        behind.sort_unstable();
        behind.get(behind.len() / 2).copied().unwrap_or_default()
    };
    let (first, second) = looks.split_at(half);
    println!(
        "pace: records behind, median of the first half {}, of the second {}",
        median(first),
        median(second)
    );
    Ok(())
}

#[derive(Debug, Clone, Copy)]
struct Look {
    at: Duration,
    /// Records in the trail.
    written: u64,
    /// Of these, not in the read model.
    behind: u64,
}

/// The trail is asked itself, and after the server: the server tells of what it has seen, and what is written
/// while it answers counts for what it lacks.
fn look(client: &Client, trail: &Connection, begun: Instant) -> Outcome<Look> {
    let model = model(client)?.ok_or("the server has no read model")?;
    let newest = "SELECT coalesce(max(arrival), 0) FROM audit_logs";
    let written: i64 = trail.prepare_cached(newest)?.query_row([], |row| row.get(0))?;
    let written = u64::try_from(written)?;
    let behind = written.saturating_sub(u64::try_from(model.arrival)?);
    Ok(Look { at: begun.elapsed(), written, behind })
}
