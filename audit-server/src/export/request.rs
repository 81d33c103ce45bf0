//! What an export asks for, read from the text of a query string.

use std::{collections::BTreeSet, sync::Arc};

use uuid::Uuid;

use super::{Compression, Format};
use crate::{
    Error,
    query::{ForbiddenValue, InvalidValue, Kind, Parameter, Query, RepeatedParameter, Sight, View},
};

/// The parameters of an export beside the filters.
pub(crate) const PARAMETERS: &[Parameter] = &[
    Parameter {
        name: "format",
        description: "`ndjson`, a stored record a line, byte for byte, is the default; `json` is one array of them; `csv` has a column a member of the envelope, and an apostrophe before a cell that a spreadsheet would take for a formula.",
        example: "ndjson",
        kind: Kind::Word(Format::WORDS),
    },
    Parameter {
        name: "compression",
        description: "Makes the body a compressed file, or with `none` one that is not, whatever `Accept-Encoding` says. When absent, `Accept-Encoding` decides on a `Content-Encoding`.",
        example: "none",
        kind: Kind::Word(Compression::WORDS),
    },
    Parameter {
        name: "limit",
        description: "The most records; all when absent.",
        example: "5000",
        kind: Kind::Count,
    },
    Parameter {
        name: "after",
        description: "Goes on after the record with this `id`, up to the end of the trail as it is now: for who was cut off, the last complete record that came.",
        example: "0193509c-3a5f-7cc1-8b5e-2f1f6f0a9d11",
        kind: Kind::Id,
    },
    Parameter {
        name: "cursor",
        description: "The `cursor` of an earlier export, whose filters must be the same. Of one that ended early it leads through what it had left, up to where the trail ended when that one began; of a complete one, on to what has arrived since.",
        example: "",
        kind: Kind::Cursor,
    },
];

/// What an export asks for.
#[derive(Debug, Clone)]
pub(crate) struct Request {
    pub(crate) query: Arc<Query>,
    pub(crate) format: Format,
    /// None when nothing is said of it.
    pub(crate) compression: Option<Compression>,
    /// The record to go on after.
    pub(crate) after: Option<Uuid>,
    /// The parameters as a query string, in the order of their names.
    pub(crate) canonical: String,
}

impl Request {
    /// Reads a query string, without its `?`.
    ///
    /// # Errors
    /// Those of [`Query::read`].
    pub(crate) fn read_as(query_string: &str, sight: &Sight) -> Result<Self, Error> {
        let mut given: Vec<_> = form_urlencoded::parse(query_string.as_bytes()).collect();
        let (mut format, mut compression, mut after) = (None, None, None);
        let mut seen = BTreeSet::new();
        let mut of_query = form_urlencoded::Serializer::new(String::new());
        for (name, value) in &given {
            let invalid = |reason: &str| InvalidValue {
                name: name.as_ref().to_owned(),
                reason: reason.to_owned(),
            };
            match &**name {
                "format" => {
                    let read = Format::of_word(value);
                    format = Some(read.ok_or_else(|| invalid("it is ndjson, json or csv"))?);
                }
                "compression" => {
                    let read = Compression::of_word(value);
                    compression = Some(read.ok_or_else(|| invalid("it is none, gzip or zstd"))?);
                }
                "after" => {
                    let read = Uuid::try_parse(value).ok();
                    after = Some(read.ok_or_else(|| invalid("it is the id of a record, a UUID"))?);
                }
                _ => {
                    of_query.append_pair(name, value);
                    continue;
                }
            }
            if !seen.insert(name) {
                return Err(RepeatedParameter { name: name.as_ref().to_owned() }.into());
            }
        }
        let query = Arc::new(Query::read_as(View::Export, &of_query.finish(), sight)?);
        if after.is_some() && query.goes_on() {
            let reason = "a cursor says where to go on, too: leave one of the two out";
            return Err(ForbiddenValue { name: "after", reason }.into());
        }
        given.sort();
        let canonical =
            form_urlencoded::Serializer::new(String::new()).extend_pairs(given).finish();
        let format = format.unwrap_or_default();
        Ok(Self { query, format, compression, after, canonical })
    }

    /// What a file of it is called, behind its stem.
    pub(crate) fn extension(&self) -> String {
        format!("{}{}", self.format, self.compression.unwrap_or_default().suffix())
    }
}
