//! How many records a second a verification reads on one core.
//!
//! ```text
//! cargo run --release -p audit-server --example verify_bench -- [RECORDS] [DIRECTORY]
//! ```
//! Writes a file and a database of RECORDS (a million) records of some 600 bytes to DIRECTORY (a
//! temporary one), unless they are there already, and verifies each three times. On Linux the time
//! that the processor worked is stated as well: on a machine that others use too, only that tells
//! what a core can do.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a benchmark")]

#[path = "../tests/verify/fixture.rs"]
mod fixture;

use std::{env, fs, path::PathBuf, time::Instant};

use audit_layer::record::Hash;
use audit_server::verify::Verifier;

fn main() {
    let mut args = env::args().skip(1);
    let records: u64 = args.next().map_or(1_000_000, |count| count.parse().expect("a number"));
    let temporary = tempfile::tempdir().unwrap();
    let directory = args.next().map_or_else(|| temporary.path().to_owned(), PathBuf::from);
    let (file, db) = (directory.join("audit.log"), directory.join("audit.db"));
    if !file.exists() || !db.exists() {
        let connection = fixture::database(&db, &[]);
        connection.pragma_update(None, "synchronous", "OFF").unwrap();
        let mut out = fs::File::create(&file).map(std::io::BufWriter::new).unwrap();
        let (mut next, mut prev) = (1, Hash::ZERO);
        while next <= records {
            let lines =
                fixture::chain_from(fixture::STREAM, next, prev, 10_000.min(records + 1 - next));
            fixture::insert(&connection, &lines);
            std::io::Write::write_all(&mut out, &fixture::text(&lines)).unwrap();
            next += lines.len() as u64;
            prev = lines.last().unwrap().hash;
        }
        std::io::Write::flush(&mut out).unwrap();
        connection.close().unwrap();
    }
    let bytes = fs::metadata(&file).unwrap().len();
    println!("{records} records, {} bytes each", bytes / records);
    for path in [&file, &db] {
        for _ in 0..3 {
            let (start, worked) = (Instant::now(), processor_seconds());
            let outcome = Verifier::new().verify(&[path]);
            let seconds = start.elapsed().as_secs_f64();
            assert!(outcome.is_intact(), "{outcome:#?}");
            assert_eq!(outcome.paths[0].records(), records);
            let name = path.file_name().unwrap().to_string_lossy();
            print!("{name}: {seconds:.2} s, {:.0} records/s", records as f64 / seconds);
            if let (Some(before), Some(after)) = (worked, processor_seconds()) {
                let worked = after - before;
                print!(
                    "; {worked:.2} s of a core, {:.0} records/s a core",
                    records as f64 / worked
                );
            }
            println!();
        }
    }
}

/// How long this thread has run, from Linux's scheduler.
fn processor_seconds() -> Option<f64> {
    let text = fs::read_to_string("/proc/thread-self/schedstat").ok()?;
    text.split(' ').next()?.parse::<f64>().ok().map(|nanoseconds| nanoseconds / 1e9)
}
