//! The question of an export: the whole of an answer at once, in the order of arrival.

use audit_layer::record::Record;

use super::{Cursor, Query};
use crate::{
    Error,
    filter::{Filter, TimeRange},
    store::{Place, Position, Scan},
};

impl Query {
    /// After which arrival it begins, and which is the last that it is about. No last one: what is
    /// there when it is asked.
    pub(crate) fn bounds(&self) -> (i64, Option<i64>) {
        let after = self.after.as_ref().map_or(0, |position| match position.place {
            Place::Database { arrival } => arrival,
            Place::Redis { .. } => 0,
        });
        (after, (self.met > 0).then_some(self.met))
    }

    /// Whether who asks sees every record.
    pub(crate) fn sees_all(&self) -> bool {
        !self.sight.is_of_tenant()
    }

    /// Whether who asks sees the record of this line.
    pub(crate) fn sees(&self, line: &str) -> bool {
        self.sees_all() || Record::parse(line).is_ok_and(|record| self.sight.sees(&record))
    }

    /// Whether everything could be opened that had to be, to find it.
    ///
    /// # Errors
    /// When the keyring could not be read.
    pub(crate) fn check(&self) -> Result<(), Error> {
        self.sight.check()
    }

    /// Whether it says where to go on.
    pub(crate) fn goes_on(&self) -> bool {
        self.after.is_some()
    }

    /// The most records that it asks for.
    pub(crate) fn most(&self) -> u64 {
        u64::try_from(self.limit).unwrap_or(u64::MAX)
    }

    /// The time that it asks for, when it asks for nothing else.
    pub(crate) fn time_alone(&self) -> Option<TimeRange> {
        (self.filter == Filter::ANY).then_some(self.range)
    }

    /// The scan that goes on after an arrival.
    pub(crate) fn scan_after(&self, arrival: i64, limit: usize) -> Scan<'_> {
        let after = Some(at(arrival));
        Scan { after, limit, ..self.scan() }
    }

    /// The cursor that goes on after an arrival, up to another, or to whatever is there then.
    pub(crate) fn cursor_after(&self, arrival: i64, until: Option<i64>) -> String {
        let met = until.unwrap_or_default();
        Cursor { position: at(arrival), met, question: self.question }
            .encode(self.sight.cursor_key())
    }
}

fn at(arrival: i64) -> Position {
    Position { timestamp: 0, place: Place::Database { arrival } }
}
