//! From the text of a query string to a [`Query`] that cannot be wrong.

use std::str::FromStr;

use super::{
    Cursor, DEFAULT_LIMIT, Filter, ForbiddenValue, InvalidValue, MAX_LIMIT, PARAMETERS, Parameter,
    RepeatedParameter, UnknownParameter,
    cursor::{Fingerprint, fingerprint},
    date,
    parameters::Kind,
};
use crate::{
    Error,
    store::{Order, Position, Scan, Table, TimeRange},
};

/// The most event types that one query names.
const MAX_EVENT_TYPES: usize = 64;

/// What is looked at. A cursor of one view is no cursor of another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum View {
    /// A table of the database.
    Database(Table),
    /// The lists in Redis.
    Redis,
    /// Both, merged.
    Combined,
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
    /// The highest arrival in the database when the walk came to the microsecond of `after`.
    pub(super) met: i64,
    question: Fingerprint,
}

impl Query {
    /// Reads the query string of a request, without its `?`.
    ///
    /// # Errors
    /// [`UnknownParameter`], [`RepeatedParameter`], [`InvalidValue`], [`ForbiddenValue`].
    pub(crate) fn read(view: View, query_string: &str) -> Result<Self, Error> {
        let mut pairs = Vec::new();
        for (name, value) in form_urlencoded::parse(query_string.as_bytes()) {
            let parameter = known(&name)?;
            let repeats = matches!(parameter.kind, Kind::Texts);
            if !repeats && pairs.iter().any(|(given, _)| *given == parameter.name) {
                return Err(RepeatedParameter { name: parameter.name }.into());
            }
            pairs.push((parameter.name, value));
        }
        let mut query = Self {
            view,
            filter: Filter::default(),
            range: TimeRange::ALL,
            order: Order::Desc,
            limit: DEFAULT_LIMIT,
            after: None,
            met: 0,
            question: Fingerprint::default(),
        };
        for (name, value) in &pairs {
            query.set(name, value)?;
        }
        if query.range.from > query.range.to {
            let reason = "it lies after end_date".to_owned();
            return Err(InvalidValue { name: "start_date", reason }.into());
        }
        if query.order != Order::Desc && !matches!(view, View::Database(_)) {
            let reason = "Redis is read newest first: order=desc, or leave it out";
            return Err(ForbiddenValue { name: "order", reason }.into());
        }
        query.question = query.fingerprint();
        if let Some((name, text)) = pairs.iter().find(|(name, _)| *name == "cursor") {
            let cursor = Cursor::decode(text, query.question)
                .map_err(|cause| InvalidValue { name, reason: cause.to_string() })?;
            (query.after, query.met) = (Some(cursor.position), cursor.met);
        }
        Ok(query)
    }

    fn set(&mut self, name: &'static str, value: &str) -> Result<(), InvalidValue> {
        let filter = &mut self.filter;
        match name {
            "event_type" => {
                filter.event_types.push(value_of(name, value)?);
                if filter.event_types.len() > MAX_EVENT_TYPES {
                    let reason = format!("more than {MAX_EVENT_TYPES} are too many");
                    return Err(InvalidValue { name, reason });
                }
            }
            "category" => {
                let is_part = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_';
                if !value.bytes().all(is_part) {
                    let reason = "it is the part of an event type before its first dot, in lower \
                                  case; wildcards are for event_type";
                    return Err(InvalidValue { name, reason: reason.to_owned() });
                }
                filter.category = Some(value_of(name, value)?);
            }
            "severity" => filter.severity = Some(value_of(name, value)?),
            "level" => {
                let level = value.to_ascii_uppercase();
                one_of(name, &level, &["TRACE", "DEBUG", "INFO", "WARN", "ERROR"])?;
                filter.level = Some(value_of(name, &level)?);
            }
            "status" => filter.status = Some(value_of(name, value)?),
            "action" => filter.action = Some(value_of(name, value)?),
            "user_id" => filter.user_id = Some(value_of(name, value)?),
            "username" => filter.username = Some(value_of(name, value)?),
            "ip_address" => filter.ip_address = Some(value_of(name, value)?),
            "request_id" => filter.request_id = Some(value_of(name, value)?),
            "correlation_id" => filter.correlation_id = Some(value_of(name, value)?),
            "session_id" => filter.session_id = Some(value_of(name, value)?),
            "resource" => filter.resource = Some(value_of(name, value)?),
            "tenant" => filter.tenant = Some(value_of(name, value)?),
            "data_classification" => filter.data_classification = Some(value_of(name, value)?),
            "regulation" => filter.regulation = Some(value_of(name, value)?),
            "start_date" => {
                self.range.from =
                    date::start(value).map_err(|reason| InvalidValue { name, reason })?;
            }
            "end_date" => {
                self.range.to = date::end(value).map_err(|reason| InvalidValue { name, reason })?;
            }
            "order" => {
                self.order = match one_of(name, value, &["desc", "asc", "arrival"])? {
                    "desc" => Order::Desc,
                    "asc" => Order::Asc,
                    _ => Order::Arrival,
                };
            }
            "limit" => {
                self.limit =
                    value.parse().ok().filter(|limit| (1..=MAX_LIMIT).contains(limit)).ok_or_else(
                        || InvalidValue {
                            name,
                            reason: format!("it is an integer from 1 to {MAX_LIMIT}"),
                        },
                    )?;
            }
            // Read last, when the question is known that it must belong to.
            _ => {}
        }
        Ok(())
    }

    /// A hash of what decides which records a walk meets. Taken from the values that were read,
    /// not from their text: `level=info` and `level=INFO` are one question.
    fn fingerprint(&self) -> Fingerprint {
        let mut filter = self.filter.clone();
        filter.event_types.sort_unstable();
        filter.event_types.dedup();
        fingerprint(format!("{:?}", (self.view, filter, self.range, self.order)).as_bytes())
    }

    pub(super) fn table(&self) -> Table {
        match self.view {
            View::Database(table) => table,
            View::Redis | View::Combined => Table::Logs,
        }
    }

    pub(super) fn scan(&self) -> Scan<'_> {
        Scan {
            table: self.table(),
            order: self.order,
            range: self.range,
            after: self.after.clone(),
            limit: self.limit,
            predicate: &self.filter,
        }
    }

    pub(super) fn cursor(&self, position: Position, met: i64) -> String {
        Cursor { position, met, question: self.question }.encode()
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

fn known(name: &str) -> Result<&'static Parameter, Error> {
    PARAMETERS.iter().find(|parameter| parameter.name == name).ok_or_else(|| unknown(name))
}

fn unknown(name: &str) -> Error {
    UnknownParameter { name: name.chars().take(64).collect() }.into()
}

fn value_of<T: FromStr<Err = String>>(name: &'static str, value: &str) -> Result<T, InvalidValue> {
    value.parse().map_err(|reason| InvalidValue { name, reason })
}

fn one_of<'v>(name: &'static str, value: &'v str, words: &[&str]) -> Result<&'v str, InvalidValue> {
    if words.contains(&value) {
        Ok(value)
    } else {
        Err(InvalidValue { name, reason: format!("it is one of {}", words.join(", ")) })
    }
}
