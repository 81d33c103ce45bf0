//! The records that the index has not reached yet, in memory.
//!
//! Every page looks at all of them, and there are some hundreds while records arrive by the thousand. To
//! read and parse each again for every page is dear: that they are kept, parsed, for whoever asks next, until the index has
//! them, gives 64 clients 18 % more pages.
//!
//! # What is in memory and what is in the trail
//! A record never changes, but a trail can be changed, or restored in place, by whoever may write the file. What is
//! kept is thrown away after [`LIFETIME`], and at once when the last of it is not what the trail has there. So of a record
//! that was changed a page may show for a moment what it was before.
//!
//! When the index is far behind, as while it is made, nothing is kept: records are read as they stand.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use audit_layer::record::Record;
use rusqlite::{Connection, params};
use self_cell::self_cell;

use super::{reading::line_of, sealed::Identity};

/// The most records that are kept.
const MOST: i64 = 4_096;

/// The most bytes of their lines.
const MOST_BYTES: usize = 8 * 1024 * 1024;

/// How many that the index has by now are kept for those who see it as it was a moment ago.
const SLACK: usize = 512;

/// How long records are kept at most.
const LIFETIME: Duration = Duration::from_secs(1);

type MaybeRecord<'l> = Option<Record<'l>>;

self_cell!(
    struct Line {
        owner: Box<str>,
        #[covariant]
        dependent: MaybeRecord,
    }
);

/// A record of the trail, parsed.
pub(super) struct Unindexed {
    pub(super) arrival: i64,
    pub(super) timestamp: i64,
    /// None when it is no text.
    line: Option<Line>,
}

impl Unindexed {
    fn new(arrival: i64, timestamp: i64, line: Option<&str>) -> Self {
        let parsed = |line: &str| Line::new(line.into(), |line| Record::parse(line).ok());
        Self { arrival, timestamp, line: line.map(parsed) }
    }

    fn text(&self) -> Option<&str> {
        self.line.as_ref().map(|line| &**line.borrow_owner())
    }

    /// The line and what it says; none when it is no record.
    pub(super) fn record(&self) -> Option<(&str, &Record<'_>)> {
        let line = self.line.as_ref()?;
        Some((line.borrow_owner(), line.borrow_dependent().as_ref()?))
    }
}

/// Those that are kept.
#[derive(Default)]
pub(super) struct Tail(Mutex<Option<Kept>>);

impl std::fmt::Debug for Tail {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tail").finish_non_exhaustive()
    }
}

/// All records behind one arrival and up to another.
struct Kept {
    identity: Identity,
    since: Instant,
    after: i64,
    until: i64,
    bytes: usize,
    /// They were more bytes than are kept: for as long as others would be kept, nobody tries again.
    are_too_many: bool,
    records: VecDeque<Arc<Unindexed>>,
}

impl Kept {
    fn new(identity: Identity, after: i64) -> Self {
        let (since, records) = (Instant::now(), VecDeque::new());
        Self { identity, since, after, until: after, bytes: 0, are_too_many: false, records }
    }

    /// Whether it may be used by one who sees the trail up to that arrival.
    fn is_good(
        &self,
        trail: &Connection,
        identity: Identity,
        newest: i64,
    ) -> rusqlite::Result<bool> {
        if self.identity != identity || self.since.elapsed() > LIFETIME {
            return Ok(false);
        }
        match self.records.iter().rev().find(|record| record.arrival <= newest) {
            None => Ok(true),
            Some(last) => {
                let line = line_of(trail, last.arrival)?;
                Ok(line.is_some_and(|line| *line == *last.text().unwrap_or_default()))
            }
        }
    }

    /// Adds what the trail has behind the last and up to that arrival.
    fn read_on(&mut self, trail: &Connection, newest: i64) -> rusqlite::Result<()> {
        if newest <= self.until {
            return Ok(());
        }
        let mut statement = trail.prepare_cached(
            "SELECT arrival, timestamp, record FROM audit_logs
             WHERE arrival > ?1 AND arrival <= ?2 ORDER BY arrival",
        )?;
        let mut rows = statement.query(params![self.until, newest])?;
        while let Some(row) = rows.next()? {
            let line = row.get_ref(2)?.as_str().ok();
            self.bytes += line.map_or(0, str::len);
            if self.bytes > MOST_BYTES {
                self.are_too_many = true;
                self.records.clear();
                return Ok(());
            }
            self.records.push_back(Arc::new(Unindexed::new(row.get(0)?, row.get(1)?, line)));
        }
        self.until = newest;
        Ok(())
    }

    /// Forgets what the index has.
    fn trim(&mut self, indexed: i64) {
        while self.records.get(SLACK).is_some_and(|record| record.arrival <= indexed) {
            let Some(first) = self.records.pop_front() else { break };
            self.after = first.arrival;
            self.bytes -= first.text().map_or(0, str::len);
        }
    }
}

impl Tail {
    /// The records behind that arrival, up to the newest of the trail. None when they are too many to be kept.
    ///
    /// # Errors
    /// When the trail cannot be read.
    pub(super) fn after(
        &self,
        trail: &Connection,
        identity: Identity,
        indexed: i64,
        newest: i64,
    ) -> rusqlite::Result<Option<Vec<Arc<Unindexed>>>> {
        if newest <= indexed {
            return Ok(Some(Vec::new()));
        }
        if newest - indexed > MOST {
            return Ok(None);
        }
        let mut slot = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut kept = match slot.take() {
            Some(kept) if kept.after <= indexed && kept.is_good(trail, identity, newest)? => kept,
            _ => Kept::new(identity, indexed),
        };
        if !kept.are_too_many {
            // What breaks off here is not kept.
            kept.read_on(trail, newest)?;
            kept.trim(indexed);
        }
        if kept.are_too_many {
            *slot = Some(kept);
            return Ok(None);
        }
        let is_asked_for =
            |record: &&Arc<Unindexed>| (indexed + 1..=newest).contains(&record.arrival);
        let found = kept.records.iter().filter(is_asked_for).cloned().collect();
        *slot = Some(kept);
        Ok(Some(found))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::read_model::tokens::HashKey;

    const IDENTITY: Identity = Identity { key: HashKey([7; 16]), replaced: 0 };

    fn trail(records: i64) -> Connection {
        let trail = Connection::open_in_memory().unwrap();
        trail
            .execute_batch(
                "CREATE TABLE audit_logs (arrival INTEGER PRIMARY KEY, timestamp INTEGER, record TEXT)",
            )
            .unwrap();
        (1..=records).for_each(|arrival| insert(&trail, arrival));
        trail
    }

    fn insert(trail: &Connection, arrival: i64) {
        let sql = "INSERT INTO audit_logs VALUES (?1, ?1 * 10, 'line ' || ?1)";
        trail.execute(sql, [arrival]).unwrap();
    }

    fn lines(tail: &Tail, trail: &Connection, indexed: i64, newest: i64) -> Vec<String> {
        let found = tail.after(trail, IDENTITY, indexed, newest).unwrap().unwrap();
        assert!(found.iter().all(|record| record.timestamp == record.arrival * 10));
        found.iter().map(|record| record.text().unwrap_or("none").to_owned()).collect()
    }

    fn numbered(range: std::ops::RangeInclusive<i64>) -> Vec<String> {
        range.map(|arrival| format!("line {arrival}")).collect()
    }

    fn kept(tail: &Tail) -> usize {
        tail.0.lock().unwrap().as_ref().map_or(0, |kept| kept.records.len())
    }

    #[test]
    fn whoever_asks_is_given_what_lies_between_the_index_and_the_trail_as_they_see_the_two() {
        let (tail, trail) = (Tail::default(), trail(2_000));
        assert_eq!(lines(&tail, &trail, 10, 2_000), numbered(11..=2_000));
        assert_eq!(lines(&tail, &trail, 1_900, 2_000), numbered(1_901..=2_000));
        assert_eq!(kept(&tail), SLACK + 100, "the index has the others");
        // Somebody who sees an older trail, and one who sees an older index.
        assert_eq!(lines(&tail, &trail, 1_900, 1_950), numbered(1_901..=1_950));
        assert_eq!(lines(&tail, &trail, 5, 1_000), numbered(6..=1_000));
        insert(&trail, 2_001);
        assert_eq!(lines(&tail, &trail, 1_999, 2_001), numbered(2_000..=2_001));
        assert_eq!(lines(&tail, &trail, 2_001, 2_001), [] as [&str; 0]);
    }

    #[test]
    fn what_is_kept_is_not_what_was_changed_since_or_is_of_another_model() {
        let (tail, trail) = (Tail::default(), trail(20));
        assert_eq!(lines(&tail, &trail, 10, 20), numbered(11..=20));
        let change = |arrival: i64, text: &str| {
            let sql = "UPDATE audit_logs SET record = ?2 WHERE arrival = ?1";
            trail.execute(sql, params![arrival, text]).unwrap();
        };
        change(20, "another");
        change(11, "changed");
        let found = lines(&tail, &trail, 10, 20);
        assert_eq!((&*found[0], &*found[9]), ("changed", "another"));
        change(11, "again");
        let other = Identity { replaced: 1, ..IDENTITY };
        let found = tail.after(&trail, other, 10, 20).unwrap().unwrap();
        assert_eq!(found[0].text(), Some("again"));
        // Of what is no text, too.
        trail.execute("UPDATE audit_logs SET record = x'ff' WHERE arrival = 20", []).unwrap();
        assert_eq!(lines(&tail, &trail, 10, 20)[9], "none");
        change(11, "and again");
        tail.0.lock().unwrap().as_mut().unwrap().since -= 2 * LIFETIME;
        assert_eq!(lines(&tail, &trail, 10, 20)[0], "and again");
    }

    #[test]
    fn what_breaks_off_is_read_anew_and_what_is_too_much_is_not_kept() {
        let (tail, mut trail) = (Tail::default(), trail(3_000));
        assert_eq!(lines(&tail, &trail, 0, 1_000).len(), 1_000);
        trail.progress_handler(1_000, Some(|| true)).unwrap();
        assert!(tail.after(&trail, IDENTITY, 0, 3_000).is_err());
        trail.progress_handler(0, None::<fn() -> bool>).unwrap();
        assert_eq!(lines(&tail, &trail, 0, 3_000), numbered(1..=3_000));
        assert!(tail.after(&trail, IDENTITY, 0, MOST + 1).unwrap().is_none());
        let long = "x".repeat(MOST_BYTES);
        trail.execute("UPDATE audit_logs SET record = ?1 WHERE arrival = 3000", [&long]).unwrap();
        let is_kept = |indexed| tail.after(&trail, IDENTITY, indexed, 3_000).unwrap().is_some();
        tail.0.lock().unwrap().take();
        assert!(!is_kept(2_998) && !is_kept(2_999), "and not tried again at once");
        tail.0.lock().unwrap().as_mut().unwrap().since -= 2 * LIFETIME;
        assert!(is_kept(2_999), "without the line before it");
    }
}
