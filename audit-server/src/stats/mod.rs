//! Figures for charts: how many records there were, when, of which categories, and which values are
//! the most frequent, under any filter.
//!
//! Times, categories, users and addresses are counted from facts (see [`crate::fact`]); other members
//! by the bitmaps of the read model, where a name has few values. Of names with many values each
//! record would have to be read: the newest are, as far as the time allows, and the answer says how
//! many those were.

mod histogram;
mod interval;
mod request;
mod top;

use audit_layer::record::format_timestamp;
use poem_openapi::Object;
use serde::Serialize;

pub(crate) use request::{DEFAULT_VALUES, MAX_TOP, MAX_VALUES, PARAMETERS, Request};

use self::{histogram::Histogram, interval::Interval};
use crate::{
    Error, InvalidValue,
    filter::TimeRange,
    query::{Study, Trail},
    read_model::Column,
    store::Deadline,
};

/// The most buckets of a histogram.
pub(crate) const MAX_BUCKETS: i64 = 10_000;

/// How many records match, over time and by value.
#[derive(Debug, Clone, PartialEq, Serialize, Object)]
pub(crate) struct Stats {
    /// The first moment of the time that the figures are about, UTC: `start_date`, or the first record
    /// of the trail. Of more than 190 years only what has records, unless `interval` is given.
    pub(crate) from: String,
    /// Its last moment, UTC: `end_date`, or the last record of the trail.
    pub(crate) to: String,
    /// The length of a bucket: `minute`, `hour`, `day` or `week`.
    pub(crate) interval: String,
    /// How many records match.
    pub(crate) records: u64,
    /// Stored lines that were met and are no records. Credentials of one tenant are told of none: nobody knows
    /// whose they were.
    pub(crate) damaged: u64,
    /// The categories of the records, the most frequent first. Beyond 100 there are others, which
    /// are counted together in the last, whose name is empty.
    pub(crate) categories: Vec<CategoryCount>,
    /// The histogram, oldest first, with every bucket of the time, also where nothing happened.
    pub(crate) buckets: Vec<Bucket>,
    /// The most frequent values of each member that `top` names.
    pub(crate) top: Vec<TopValues>,
}

/// How many records a category has.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Object)]
pub(crate) struct CategoryCount {
    /// The category.
    pub(crate) category: String,
    /// How many records.
    pub(crate) records: u64,
}

/// A bucket of the histogram.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Object)]
#[oai(rename = "StatsBucket")]
pub(crate) struct Bucket {
    /// When it begins, UTC.
    pub(crate) start: String,
    /// How many records.
    pub(crate) records: u64,
    /// How many of each category, in the order of `categories`.
    pub(crate) by_category: Vec<u64>,
}

/// The most frequent values of a member.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Object)]
pub(crate) struct TopValues {
    /// Its name.
    pub(crate) member: String,
    /// The values, the most frequent first.
    pub(crate) values: Vec<ValueCount>,
    /// How many different values there are among the records that were counted.
    pub(crate) distinct: u64,
    /// How many of the records that were counted have none.
    pub(crate) absent: u64,
    /// How many records were counted: all that match, or the newest of them that time allowed for.
    pub(crate) counted: u64,
    /// Whether all were.
    pub(crate) complete: bool,
}

/// How many records have a value.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Object)]
#[oai(rename = "StatsValue")]
pub(crate) struct ValueCount {
    /// The value as a text; of one of more than 1024 bytes the beginning and `…`.
    pub(crate) value: String,
    /// How many records.
    pub(crate) records: u64,
}

/// Computes what is asked for.
///
/// # Errors
/// When the trail cannot be read, time runs out before everything is counted, or the histogram would
/// have too many buckets.
pub(crate) fn stats(trail: &Trail, request: &Request, deadline: Deadline) -> Result<Stats, Error> {
    let mut study = trail.study(deadline)?;
    let mut range = bounds(&study, request)?;
    if request.interval.is_none() && Interval::fitting(range).count(range) > MAX_BUCKETS {
        // Of two centuries and more, those that have records.
        range = within_extent(&study, request, range)?;
    }
    let interval = request.interval.unwrap_or_else(|| Interval::fitting(range));
    let buckets = interval.count(range);
    if buckets > MAX_BUCKETS {
        let reason = format!(
            "that would be {buckets} buckets, and there are {MAX_BUCKETS} at most: choose a longer \
             interval or less time"
        );
        return Err(InvalidValue { name: "interval".to_owned(), reason }.into());
    }
    let mut histogram = Histogram::new(interval, range, request.top.iter().map(top::Source::of));
    let columns = histogram.columns();
    let met = study.fold(range, &request.filter, &columns, &mut histogram)?;
    let tops = top::tops(&study, range, request, (&histogram, met.records))?;
    let (categories, buckets) = histogram.finish();
    study.in_time(Stats {
        from: format_timestamp(range.from),
        to: format_timestamp(range.to),
        interval: interval.as_str().to_owned(),
        records: met.records,
        damaged: if request.sight.is_of_tenant() { 0 } else { met.damaged },
        categories,
        buckets,
        top: tops,
    })
}

/// The time that is asked for; where it is open, as far as there are records.
fn bounds(study: &Study<'_>, request: &Request) -> Result<TimeRange, Error> {
    let range = request.range;
    let extent = study.extent(&request.sight)?.unwrap_or((0, 0));
    let from = if range.from == i64::MIN { extent.0.min(range.to) } else { range.from };
    let to = if range.to == i64::MAX { extent.1.max(from) } else { range.to };
    Ok(TimeRange { from, to })
}

/// Of that time the part between the first record and the last.
fn within_extent(
    study: &Study<'_>,
    request: &Request,
    range: TimeRange,
) -> Result<TimeRange, Error> {
    let extent = study.extent(&request.sight)?;
    let both = extent.map(|(from, to)| range.and(TimeRange { from, to }));
    // Where there is nothing, a moment shows it.
    let nothing = TimeRange { from: range.from, to: range.from };
    Ok(both.filter(|both| both.from <= both.to).unwrap_or(nothing))
}

/// Columns without repetition.
fn distinct(mut columns: Vec<Column>) -> Vec<Column> {
    columns.sort_unstable();
    columns.dedup();
    columns
}
