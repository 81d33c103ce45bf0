//! What is asked for: values that stand in the trail, drawn as often as they stand there.

use std::path::Path;

use query_bench::generator::{STREAMS, Seed, Shape, World};
use rusqlite::{Connection, OpenFlags, OptionalExtension};
use serde_json::Value;

use super::Outcome;

/// How many records of the trail are read to draw values from.
const SAMPLE: usize = 2_000;

/// Values of the members of records, the same ones for the same seed and trail.
#[derive(Debug, Clone)]
pub(crate) struct Values {
    chance: fastrand::Rng,
    /// How many records of the trail the generator made.
    pub(crate) generated: u64,
    records: std::sync::Arc<[Value]>,
    users: std::sync::Arc<[String]>,
    /// Microseconds since the Unix epoch, sorted.
    times: std::sync::Arc<[i64]>,
}

impl Values {
    /// Draws from the trail that was generated with that seed.
    pub(crate) fn sample(path: &Path, seed: u64) -> Outcome<Self> {
        let mut chance = fastrand::Rng::with_seed(seed);
        let db = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
        // The generator's records are the first ones; behind them is what writers of runs added.
        let generated: u64 = STREAMS.iter().try_fold(0, |sum, stream| -> Outcome<u64> {
            let sql = "SELECT seq FROM audit_cursors WHERE stream = ?1";
            let head: Option<i64> = db.query_row(sql, [stream], |row| row.get(0)).optional()?;
            Ok(sum + head.map_or(0, i64::unsigned_abs))
        })?;
        if generated == 0 {
            return Err(format!("{} was not made by `generate`", path.display()).into());
        }
        let mut query =
            db.prepare("SELECT timestamp, record FROM audit_logs WHERE arrival = ?1")?;
        let (mut records, mut times) = (Vec::new(), Vec::new());
        for _ in 0..SAMPLE {
            let (time, record): (i64, String) = query
                .query_row([chance.u64(1..=generated).cast_signed()], |row| {
                    Ok((row.get(0)?, row.get(1)?))
                })?;
            times.push(time);
            records.push(serde_json::from_str(&record)?);
        }
        times.sort_unstable();
        let world = World::new(Seed(seed), &Shape::of(0));
        let users = world.users.into_iter().map(|user| user.id).collect();
        Ok(Self { chance, generated, records: records.into(), users, times: times.into() })
    }

    /// The draws of that number, so that two can be asked the same.
    pub(crate) fn draws(&self, number: u64) -> Self {
        Self { chance: fastrand::Rng::with_seed(number), ..self.clone() }
    }

    /// Other draws from the same records.
    pub(crate) fn fork(&mut self) -> Self {
        let chance = self.chance.fork();
        Self { chance, ..self.clone() }
    }

    /// The member, or detail, of some record that has it as a text.
    pub(crate) fn of(&mut self, pointer: &str) -> String {
        self.of_record(|record| record.pointer(pointer)?.as_str().map(str::to_owned))
    }

    /// Two texts of one record.
    pub(crate) fn pair(&mut self, one: &str, other: &str) -> (String, String) {
        self.of_record(|record| {
            let text = |pointer| record.pointer(pointer)?.as_str().map(str::to_owned);
            Some((text(one)?, text(other)?))
        })
    }

    fn of_record<T: Default>(&mut self, of: impl Fn(&Value) -> Option<T>) -> T {
        let from = self.chance.usize(0..self.records.len().max(1));
        let (before, behind) = self.records.split_at(from.min(self.records.len()));
        behind.iter().chain(before).find_map(of).unwrap_or_default()
    }

    /// One of the users of these ranks, the busiest being 0.
    pub(crate) fn user(&mut self, ranks: std::ops::Range<usize>) -> String {
        let rank = self.chance.usize(ranks);
        self.users.get(rank).cloned().unwrap_or_default()
    }

    pub(crate) fn pick(&mut self, from: &[&'static str]) -> &'static str {
        from.get(self.chance.usize(0..from.len())).copied().unwrap_or_default()
    }

    pub(crate) fn number(&mut self, range: std::ops::Range<u64>) -> u64 {
        self.chance.u64(range)
    }

    /// A time in the middle third of the records.
    pub(crate) fn middle(&mut self) -> i64 {
        let third = self.times.len() / 3;
        let at = self.chance.usize(third..(third * 2).max(third + 1));
        self.times.get(at).copied().unwrap_or(i64::MAX)
    }
}
