//! Through the trail, page by page.

use std::sync::Arc;

use audit_layer::record::Link;

use super::{PAGE_BYTES, Request, TrailReplaced};
use crate::{
    DEFAULT_DEADLINE, Error,
    query::{InvalidValue, Query, Trail},
    store::{Deadline, Lines, Met, Place, QueryTimeout, Snapshot, Stretch},
};

/// The fewest and the most records that are asked for at once when they are looked for.
const MIN_FOUND: usize = 64;
const MAX_FOUND: usize = 4_096;

/// One record of so many, and reading them all is faster than being led to each: an index looks at
/// tens of thousands of candidates for a page (measured: 7,000 records/s led to nine of ten records,
/// 80,000 read).
const DENSE: u64 = 4;

/// What a line is taken to have before one was seen.
const FIRST_LINE_BYTES: usize = 8 * 1024;

/// Where an export stands in the trail.
#[derive(Debug, Clone)]
pub(crate) struct Walk {
    query: Arc<Query>,
    /// Everything up to this arrival was looked at.
    place: i64,
    /// The last arrival that is looked at.
    until: i64,
    /// How many records may still come.
    left: u64,
    /// The last record that was met.
    met: Option<Met>,
    /// Bytes of a line, as far as is known.
    line_bytes: usize,
    /// Whether so many records match that reading them all is faster than being led to each.
    is_dense: bool,
}

impl Walk {
    /// Begins where the request says, and ends with the trail as it is now, or was when the export
    /// began that is gone on with.
    ///
    /// # Errors
    /// [`InvalidValue`] when the request goes on after what is not there, and when the trail cannot
    /// be read.
    pub(crate) fn begin(
        trail: &Trail,
        request: &Request,
        deadline: Deadline,
    ) -> Result<Self, Error> {
        let snapshot = trail.database().snapshot(deadline)?;
        let last = snapshot.last_arrival()?;
        let (mut place, bound) = request.query.bounds();
        let until = bound.unwrap_or(last);
        let invalid = |name: &str, reason: &str| InvalidValue {
            name: name.to_owned(),
            reason: reason.to_owned(),
        };
        if place > last || until > last {
            return Err(invalid(
                "cursor",
                "the trail has fewer records than when it was given out",
            )
            .into());
        }
        if let Some(id) = request.after {
            let id = id.hyphenated().to_string();
            let query = &request.query;
            let seen = || snapshot.line_of(&id).is_ok_and(|line| query.sees(&line));
            let seen = query.sees_all() || seen();
            place = match *snapshot.arrivals_of(&id)? {
                [arrival] if seen => arrival,
                ref found if found.is_empty() || !seen => {
                    return Err(invalid("after", "no record has this id").into());
                }
                _ => {
                    let reason = "several records have this id: go on by the cursor";
                    return Err(invalid("after", reason).into());
                }
            };
        }
        let left = request.query.most();
        Ok(Self {
            query: request.query.clone(),
            place,
            until,
            left,
            met: None,
            line_bytes: FIRST_LINE_BYTES,
            is_dense: false,
        })
    }

    /// The same walk, when so many records of it are there already, up to an arrival.
    pub(crate) fn resumed(self, place: i64, until: i64, records: u64) -> Self {
        Self { place, until, left: self.left.saturating_sub(records), ..self }
    }

    /// How many lines of a part of the trail are no records.
    ///
    /// # Errors
    /// Those of [`Walk::page`].
    pub(crate) fn damaged_until(&self, from: i64, until: i64, trail: &Trail) -> Result<u64, Error> {
        let mut walk = Self { place: from, until, ..self.clone() };
        let mut damaged = 0;
        while !walk.is_done() {
            let page = walk.page(trail, Deadline::after(DEFAULT_DEADLINE))?;
            damaged += page.damaged;
            walk.advance(&page);
        }
        Ok(damaged)
    }

    /// The next lines; there may be none although there are more to come.
    ///
    /// # Errors
    /// [`QueryTimeout`] when nothing was looked at in time, [`TrailReplaced`], and when the trail
    /// cannot be read.
    pub(crate) fn page(&self, trail: &Trail, deadline: Deadline) -> Result<Lines, Error> {
        let lines = match self.query.time_alone() {
            Some(range) => {
                let snapshot = trail.database().snapshot(deadline)?;
                self.check(&snapshot)?;
                let stretch = Stretch {
                    after: self.place,
                    until: self.until,
                    range,
                    records: self.left,
                    bytes: PAGE_BYTES,
                };
                snapshot.lines(&stretch, deadline)?
            }
            None => self.found(trail, deadline)?,
        };
        if lines.examined <= self.place && self.place < self.until {
            return Err(QueryTimeout.into());
        }
        Ok(lines)
    }

    /// Takes note that a page was taken over.
    pub(crate) fn advance(&mut self, page: &Lines) {
        let passed = u64::try_from(page.examined.saturating_sub(self.place)).unwrap_or_default();
        self.is_dense = page.records.saturating_mul(DENSE) >= passed;
        self.place = page.examined;
        self.left = self.left.saturating_sub(page.records);
        if let Some(bytes) = page.text.len().checked_div(usize::try_from(page.records).unwrap_or(0))
        {
            self.line_bytes = bytes;
        }
        if page.last.is_some() {
            self.met.clone_from(&page.last);
        }
    }

    /// Whether no page is left.
    pub(crate) fn is_done(&self) -> bool {
        self.left == 0 || self.place >= self.until
    }

    /// Where it stands, and the last arrival that it goes to.
    pub(crate) fn bounds(&self) -> (i64, i64) {
        (self.place, self.until)
    }

    fn check(&self, snapshot: &Snapshot<'_>) -> Result<(), Error> {
        match &self.met {
            Some(met) if !snapshot.still_has(met)? => Err(TrailReplaced.into()),
            _ => Ok(()),
        }
    }

    /// Lines that a filter lets pass.
    fn found(&self, trail: &Trail, deadline: Deadline) -> Result<Lines, Error> {
        let view = trail.view(deadline)?;
        self.check(&view.snapshot)?;
        // As many as a page holds. An index is asked anew for each page, so few more are dear.
        let limit = (PAGE_BYTES / self.line_bytes.max(1)).clamp(MIN_FOUND, MAX_FOUND);
        let limit = usize::try_from(self.left).unwrap_or(limit).min(limit);
        let scan = self.query.scan_after(self.place, limit);
        let batch = match self.is_dense {
            true => view.snapshot.scan(&scan, deadline)?,
            false => view.scan(&scan, deadline)?,
        };
        drop(view);
        self.query.check()?;
        let is_last = batch.rows.len() < limit && !batch.truncated.any();
        let mut lines = Lines { damaged: batch.damaged, ..Lines::default() };
        lines.text.reserve_exact(batch.rows.iter().map(|row| row.line.len() + 1).sum());
        let mut is_past = false;
        for row in batch.rows {
            let Place::Database { arrival } = row.position.place else { continue };
            if arrival > self.until {
                is_past = true;
                break;
            }
            match Link::parse(&row.line) {
                Ok(link) if !row.line.contains('\n') => {
                    let shown = match self.query.sees_all() {
                        true => None,
                        false => Some(self.query.shown(row.line.clone())),
                    };
                    let line = shown.as_ref().unwrap_or(&row.line);
                    lines.push(arrival, &link.stream, link.seq, line);
                }
                _ => lines.skip(arrival),
            }
        }
        let next = batch.next.and_then(|position| match position.place {
            Place::Database { arrival } => Some(arrival),
            Place::Redis { .. } => None,
        });
        lines.examined = match next {
            Some(next) if !is_last && !is_past => next.min(self.until),
            _ => self.until,
        };
        Ok(lines)
    }
}
