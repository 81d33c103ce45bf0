//! What reports say, held against the generator's books.

use std::path::Path;

use query_bench::{
    books::{self, Span},
    generator::{Generator, Seed, Shape, World},
};
use rusqlite::{Connection, OpenFlags};

use super::super::{Outcome, client::Client};

/// Lives through the history again, which takes about as long as it took to generate, and holds every
/// report over all of it against what is known.
pub(in super::super) fn hold(
    client: &Client,
    db: &Path,
    seed: Seed,
    generated: u64,
) -> Outcome<()> {
    let shape = Shape::of(generated);
    let mut generator = Generator::new(seed, shape);
    generator.by_ref().for_each(drop);
    let expected = generator.into_expected();
    let others = others(db, generated, Span::of(&expected)?)?;
    if others > 0 {
        println!("books: not held, because others have {others} records in that time");
        return Ok(());
    }
    let ask = |path: &str| Ok(serde_json::from_str(&client.get(path)?.1)?);
    for held in books::hold(&expected, &World::new(seed, &shape), &ask)? {
        let (what, compared) = (held.what, held.compared);
        match held.different {
            0 => println!("books: {what}: {compared} figures agree"),
            different => println!("books: {what}: {different} of {compared} figures DIFFER"),
        }
        held.differences.iter().for_each(|difference| println!("  {difference}"));
    }
    let attacks = books::attacks(&expected, &ask)?;
    println!(
        "books: attacks of the last week: {} of {} are among {} anomalies; before, they were {}",
        attacks.all - attacks.missed.len(),
        attacks.all,
        attacks.anomalies,
        if attacks.rare { "rare: all must be" } else { "usual: none has to be" }
    );
    Ok(())
}

/// How many records behind the generated ones are in that time: those of writers of earlier runs,
/// when the clock is where the history is.
fn others(db: &Path, generated: u64, span: Span) -> Outcome<u64> {
    let db = Connection::open_with_flags(db, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
    let sql = "SELECT count(*) FROM audit_logs WHERE arrival > ?1 AND timestamp BETWEEN ?2 AND ?3";
    let bounds = [generated.cast_signed(), span.from, span.to];
    let count: i64 = db.query_row(sql, bounds, |row| row.get(0))?;
    Ok(count.unsigned_abs())
}
