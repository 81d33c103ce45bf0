//! From the text of a query string to a [`Query`] that cannot be wrong.

use std::collections::BTreeSet;

use super::{
    Cursor, DEFAULT_LIMIT, ForbiddenValue, InvalidValue, MAX_LIMIT, RepeatedParameter, Sight,
    UnknownParameter,
    asked::Asked,
    cursor::{Fingerprint, fingerprint},
};
use crate::{
    Error,
    filter::{self, EventPattern, Filter, TimeRange, date, member::one_of},
    read_model::Counting,
    store::{Order, Place, Position, Scan, Table},
};

/// The most event types that one query names.
pub(crate) const MAX_EVENT_TYPES: usize = 64;

/// What is looked at. A cursor of one view is no cursor of another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum View {
    /// A table of the database.
    Database(Table),
    /// The lists in Redis.
    Redis,
    /// Both, merged.
    Combined,
    /// All of the database, on its way into a file.
    Export,
    /// All of the database, counted.
    Figures,
}

/// A question: which records, in which order, how many, from where on.
#[derive(Debug, Clone)]
pub(crate) struct Query {
    pub(super) view: View,
    pub(super) filter: Filter,
    pub(super) range: TimeRange,
    pub(super) order: Order,
    pub(super) limit: usize,
    pub(super) after: Option<Position>,
    pub(super) count: Option<Counting>,
    /// The highest arrival in the database when the walk came to the microsecond of `after`.
    pub(super) met: i64,
    pub(super) question: Fingerprint,
    /// What of the trail is seen by who asks.
    pub(super) sight: Sight,
}

impl Query {
    /// Reads the query string of a request, without its `?`.
    ///
    /// # Errors
    /// [`UnknownParameter`], [`RepeatedParameter`], [`InvalidValue`], [`ForbiddenValue`].
    pub(crate) fn read(view: View, query_string: &str) -> Result<Self, Error> {
        Self::read_as(view, query_string, &Sight::default())
    }

    /// The same, as somebody asks who sees that much.
    ///
    /// # Errors
    /// Those of [`Self::read`].
    pub(crate) fn read_as(view: View, query_string: &str, sight: &Sight) -> Result<Self, Error> {
        let given: Vec<_> = form_urlencoded::parse(query_string.as_bytes()).collect();
        Self::of(view, given.iter().map(|(name, value)| Asked::read(name, value)), sight)
    }

    /// Puts together what is asked for.
    ///
    /// # Errors
    /// As [`Self::read`].
    pub(super) fn of<'q>(
        view: View,
        all_asked: impl IntoIterator<Item = Result<Asked<'q>, Error>>,
        sight: &Sight,
    ) -> Result<Self, Error> {
        let mut query = Self {
            view,
            filter: Filter::ANY,
            range: TimeRange::ALL,
            order: if view == View::Export { Order::Arrival } else { Order::Desc },
            limit: if view == View::Export { usize::MAX } else { DEFAULT_LIMIT },
            after: None,
            count: None,
            met: 0,
            question: Fingerprint::default(),
            sight: sight.clone(),
        };
        let mut given = BTreeSet::new();
        let mut event_types = Vec::new();
        let mut cursor = None;
        for asked in all_asked {
            let asked = asked?;
            let name = asked.name();
            if !asked.may_repeat() && !given.insert(name.clone()) {
                return Err(RepeatedParameter { name }.into());
            }
            let invalid = |reason| InvalidValue { name: name.clone(), reason };
            match asked {
                Asked::Plain { name: "event_type", value } => {
                    event_types.push(value.parse::<EventPattern>().map_err(invalid)?.into());
                }
                // Read last, when the question is known that it must belong to.
                Asked::Plain { name: "cursor", value } => cursor = Some(value),
                Asked::Plain { name, value } => query.set(name, value).map_err(invalid)?,
                Asked::Condition { field, relation, value } => {
                    let condition = relation.condition(field, value).map_err(invalid)?;
                    query.require(condition);
                }
            }
        }
        if event_types.len() > MAX_EVENT_TYPES {
            let reason = format!("more than {MAX_EVENT_TYPES} are too many");
            return Err(InvalidValue { name: "event_type".to_owned(), reason }.into());
        }
        if !event_types.is_empty() {
            query.require(Filter::Any(event_types));
        }
        if query.range.from > query.range.to {
            let reason = "it lies after the end".to_owned();
            return Err(InvalidValue { name: "start_date".to_owned(), reason }.into());
        }
        let forbidden = match (view, query.order) {
            (View::Redis | View::Combined, Order::Asc | Order::Arrival) => {
                Some("Redis is read newest first: order=desc, or leave it out")
            }
            (View::Export, Order::Asc | Order::Desc) => {
                Some("an export is in the order of arrival: order=arrival, or leave it out")
            }
            _ => None,
        };
        if let Some(reason) = forbidden {
            return Err(ForbiddenValue { name: "order", reason }.into());
        }
        if query.count.is_some() && !matches!(view, View::Database(_)) {
            let reason = match view {
                View::Export => "the manifest of an export says how many records it has",
                _ => "what Redis holds changes under the count: ask the database's own views",
            };
            return Err(ForbiddenValue { name: "count", reason }.into());
        }
        if sight.counts_exactly(&query.filter) {
            query.count = query.count.map(|_| Counting::Exact);
        }
        query.filter = sight.narrowed(query.filter, &[])?;
        query.filter.normalise();
        query.question = query.fingerprint();
        if let Some(text) = cursor {
            let cursor =
                Cursor::decode(text, query.question, sight.cursor_key()).map_err(|cause| {
                    InvalidValue { name: "cursor".to_owned(), reason: cause.to_string() }
                })?;
            (query.after, query.met) = (Some(cursor.position), cursor.met);
        }
        Ok(query)
    }

    fn require(&mut self, condition: Filter) {
        let filter = std::mem::replace(&mut self.filter, Filter::ANY);
        self.filter = filter.and(condition);
    }

    fn set(&mut self, name: &'static str, value: &str) -> Result<(), String> {
        match name {
            "regulation" => self.require(Filter::Raises(value.parse()?)),
            "q" => self.require(Filter::Says(value.parse()?)),
            "filter" => self.require(filter::expression(value).map_err(|error| error.to_string())?),
            "start_date" => self.range.from = date::start(value)?,
            "end_date" => self.range.to = date::end(value)?,
            "order" => {
                self.order = match one_of(value, &["desc", "asc", "arrival"])? {
                    "desc" => Order::Desc,
                    "asc" => Order::Asc,
                    _ => Order::Arrival,
                };
            }
            "count" => {
                self.count = Some(match one_of(value, &["exact", "estimate"])? {
                    "exact" => Counting::Exact,
                    _ => Counting::Estimate,
                });
            }
            "limit" => {
                let most = if self.view == View::Export { usize::MAX } else { MAX_LIMIT };
                let limit = value.parse().ok().filter(|limit| (1..=most).contains(limit));
                self.limit = limit.ok_or_else(|| match self.view {
                    View::Export => "it is an integer from 1".to_owned(),
                    _ => format!("it is an integer from 1 to {MAX_LIMIT}"),
                })?;
            }
            _ => unreachable!("every parameter of the table is read"),
        }
        Ok(())
    }

    /// A hash of what decides which records a walk meets. Taken from the values that were read,
    /// not from their text: `level=info` and `level=INFO` are one question.
    fn fingerprint(&self) -> Fingerprint {
        fingerprint(format!("{:?}", (self.view, &self.filter, self.range, self.order)).as_bytes())
    }

    pub(super) fn table(&self) -> Table {
        match self.view {
            View::Database(table) => table,
            View::Redis | View::Combined | View::Export | View::Figures => Table::Logs,
        }
    }

    /// The record as it is shown to who asks.
    pub(crate) fn shown(&self, line: Box<str>) -> Box<str> {
        match self.view {
            View::Export => self.sight.shown_sealed(line),
            _ => self.sight.shown(line),
        }
    }

    /// The filter and the time alone.
    pub(crate) fn question(self) -> (Filter, TimeRange) {
        (self.filter, self.range)
    }

    pub(super) fn scan(&self) -> Scan<'_> {
        let asked = self.filter.time();
        Scan {
            table: self.table(),
            order: self.order,
            range: self.range.and(asked),
            after: self.after.clone(),
            limit: self.limit,
            filter: &self.filter,
        }
    }

    pub(super) fn cursor(&self, position: Position, met: i64) -> String {
        Cursor { position, met, question: self.question }.encode(self.sight.cursor_key())
    }
}

/// Refuses any parameter, for what takes none.
///
/// # Errors
/// [`UnknownParameter`] for the first.
pub(crate) fn refuse_parameters(query_string: &str) -> Result<(), Error> {
    match form_urlencoded::parse(query_string.as_bytes()).next() {
        Some((name, _)) => Err(unknown(&name)),
        None => Ok(()),
    }
}

/// A cursor that the view takes when nothing but its page is asked for.
pub(crate) fn example_cursor(view: View) -> String {
    let place = match view {
        View::Database(_) | View::Export | View::Figures => Place::Database { arrival: 42 },
        View::Redis | View::Combined => {
            Place::Redis { stream: "payments@web-1~k3x9q2".into(), seq: 42 }
        }
    };
    // 2026-11-21T19:31:14.261845Z
    let position = Position { timestamp: 1_795_289_474_261_845, place };
    Query::read(view, "").map_or_else(|_| String::new(), |query| query.cursor(position, 42))
}

fn unknown(name: &str) -> Error {
    UnknownParameter { name: name.chars().take(64).collect() }.into()
}
