//! What is asked of the figures, read from the text of a query string.

use std::collections::BTreeSet;

use super::Interval;
use crate::{
    Error,
    filter::{Field, Filter, TimeRange},
    query::{
        InvalidValue, Kind, Parameter, Query, RepeatedParameter, Sight, UnknownParameter, View,
    },
};

/// The most members whose values are counted at once.
pub(crate) const MAX_TOP: usize = 8;

/// Values of a member when `limit` is not given.
pub(crate) const DEFAULT_VALUES: usize = 10;

/// The most values of a member.
pub(crate) const MAX_VALUES: usize = 1_000;

/// The parameters beside the filters.
pub(crate) const PARAMETERS: &[Parameter] = &[
    Parameter {
        name: "interval",
        description: "The length of a bucket of the histogram, in UTC; weeks begin on Monday. When absent, the shortest that gives at most 400 of them. There are 10000 at most.",
        example: "day",
        kind: Kind::Word(Interval::WORDS),
    },
    Parameter {
        name: "top",
        description: "Also count the values of these members: names as in `filter=`, separated by commas, eight at most. Of `user_id`, `ip_address` and whatever has at most 256 values all records are counted; of others the newest ten thousand at least, as many more as the time allows for, and the answer says how many.",
        example: "user_id,status,details.symbol",
        kind: Kind::Names,
    },
    Parameter {
        name: "limit",
        description: "The most values of a member, 1 to 1000; 10 when absent.",
        example: "10",
        kind: Kind::Values,
    },
];

/// Figures of which records, and which.
#[derive(Debug, Clone)]
pub(crate) struct Request {
    pub(crate) filter: Filter,
    pub(crate) range: TimeRange,
    pub(crate) interval: Option<Interval>,
    pub(crate) top: Vec<Field>,
    pub(crate) limit: usize,
    /// What of the trail is seen by who asks.
    pub(crate) sight: Sight,
}

impl Request {
    /// Reads a query string, without its `?`, as somebody asks who sees that much.
    ///
    /// # Errors
    /// Those of [`Query::read`].
    pub(crate) fn read_as(query_string: &str, sight: &Sight) -> Result<Self, Error> {
        let (mut interval, mut top, mut limit) = (None, Vec::new(), DEFAULT_VALUES);
        let mut seen = BTreeSet::new();
        let mut of_query = form_urlencoded::Serializer::new(String::new());
        for (name, value) in form_urlencoded::parse(query_string.as_bytes()) {
            let invalid = |reason: String| InvalidValue { name: name.as_ref().to_owned(), reason };
            match &*name {
                "interval" => {
                    let known = || invalid("it is minute, hour, day or week".to_owned());
                    interval = Some(Interval::of_word(&value).ok_or_else(known)?);
                }
                "top" => {
                    for name in value.split(',') {
                        let field = name.trim().parse().map_err(invalid)?;
                        if !top.contains(&field) {
                            top.push(field);
                        }
                    }
                    if top.len() > MAX_TOP {
                        return Err(invalid(format!("more than {MAX_TOP} are too many")).into());
                    }
                }
                "limit" => {
                    let read = value.parse().ok().filter(|limit| (1..=MAX_VALUES).contains(limit));
                    let known = || invalid(format!("it is an integer from 1 to {MAX_VALUES}"));
                    limit = read.ok_or_else(known)?;
                }
                "order" | "cursor" | "count" => {
                    return Err(UnknownParameter { name: name.into_owned() }.into());
                }
                _ => {
                    of_query.append_pair(&name, &value);
                    continue;
                }
            }
            if !seen.insert(name.clone().into_owned()) {
                return Err(RepeatedParameter { name: name.into_owned() }.into());
            }
        }
        let (filter, range) = Query::read(View::Figures, &of_query.finish())?.question();
        let filter = sight.narrowed(filter, &top)?;
        Ok(Self { filter, range, interval, top, limit, sight: sight.clone() })
    }
}
