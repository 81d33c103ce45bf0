//! The most frequent values of a member.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, HashMap, HashSet},
    time::Duration,
};

use audit_layer::record::{Member, Record};

use super::{Request, TopValues, ValueCount, histogram::Histogram};
use crate::{
    Error,
    fact::{Kind, Texts, ValueId, ValueKind},
    filter::{Field, Text, TimeRange},
    query::{MAX_LIMIT, Study},
    report::shortlist,
    store::{Deadline, Order, Scan, Table},
};

/// The longest that reading records may take, for all members together that are counted so: with the
/// rest of the answer a chart waits some tenths of a second.
const PATIENCE: Duration = Duration::from_millis(160);

/// The most values that are told apart while records are read.
const MAX_DISTINCT: usize = 1_000_000;

/// Where the values of a member are counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Source {
    /// From the kinds of facts.
    Kind(Member),
    /// From the values of facts.
    Value(ValueKind),
    /// From bitmaps, else from records.
    Elsewhere,
}

impl Source {
    pub(super) fn of(field: &Field) -> Self {
        match field {
            Field::Member(member @ (Member::EventType | Member::Status | Member::Severity)) => {
                Self::Kind(*member)
            }
            Field::Member(Member::UserId) => Self::Value(ValueKind::User),
            Field::Member(Member::IpAddress) => Self::Value(ValueKind::Address),
            _ => Self::Elsewhere,
        }
    }
}

/// Counts the values of the member in the records that match.
///
/// # Errors
/// When the trail cannot be read, or time runs out before any record is.
pub(super) fn top(
    study: &Study<'_>,
    field: &Field,
    range: TimeRange,
    request: &Request,
    (histogram, records): (&Histogram, u64),
) -> Result<TopValues, Error> {
    match Source::of(field) {
        Source::Kind(member) => Ok(of_kinds(study, member, histogram, request.limit)),
        Source::Value(kind) => Ok(of_values(study, kind, histogram, request.limit)),
        Source::Elsewhere => {
            if let Some(found) = study.value_counts(field, range, &request.filter)? {
                let distinct = found.values.iter().filter(|(_, count)| *count > 0);
                let named = distinct.map(|(text, count)| (text.clone(), *count)).collect();
                let absent = records.saturating_sub(found.present);
                let counts = Counts { absent, counted: records, complete: true };
                return Ok(ranked(field.to_string(), named, counts, request.limit));
            }
            read(study, field, range, request)
        }
    }
}

#[derive(Clone, Copy)]
struct Counts {
    absent: u64,
    counted: u64,
    complete: bool,
}

/// Puts the most frequent first; of equally frequent ones, in the order of their texts.
fn ranked(
    member: String,
    mut named: Vec<(Box<str>, u64)>,
    counts: Counts,
    limit: usize,
) -> TopValues {
    let distinct = named.len() as u64;
    named.sort_unstable_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
    named.truncate(limit);
    let value =
        |(value, records): (Box<str>, u64)| ValueCount { value: shortened(&value), records };
    let Counts { absent, counted, complete } = counts;
    let values = named.into_iter().map(value).collect();
    TopValues { member, values, distinct, absent, counted, complete }
}

/// The value, or its beginning and a mark.
fn shortened(value: &str) -> String {
    match value.get(..value.floor_char_boundary(Text::MAX_BYTES)) {
        Some(beginning) if beginning.len() < value.len() => format!("{beginning}…"),
        _ => value.to_owned(),
    }
}

fn of_kinds(study: &Study<'_>, member: Member, histogram: &Histogram, limit: usize) -> TopValues {
    let text = |kind: &Kind| match member {
        Member::Status => kind.status.clone(),
        Member::Severity => kind.severity.clone(),
        _ => kind.event_type.clone(),
    };
    let mut counts: BTreeMap<Box<str>, u64> = BTreeMap::new();
    for (kind, count) in study.legend().kinds().iter().zip(histogram.kinds()) {
        *counts.entry(text(kind)).or_default() += count;
    }
    let absent = counts.remove("").unwrap_or_default();
    let named: Vec<_> = counts.into_iter().filter(|(_, count)| *count > 0).collect();
    let counted = absent + named.iter().map(|(_, count)| count).sum::<u64>();
    let counts = Counts { absent, counted, complete: true };
    ranked(member.name().to_owned(), named, counts, limit)
}

fn of_values(study: &Study<'_>, kind: ValueKind, histogram: &Histogram, limit: usize) -> TopValues {
    let counts = histogram.values(kind);
    let absent = counts.first().copied().unwrap_or_default();
    let some: Vec<(u32, u64)> =
        (0..).zip(counts.iter().copied()).skip(1).filter(|(_, count)| *count > 0).collect();
    let counted = counts.iter().sum();
    let mut texts = study.texts();
    let hash = |id: u32| study.legend().values(kind).known(ValueId(id)).map(|(hash, _)| hash);
    let (named, distinct) = shortlist(
        some,
        limit,
        |(_, count)| Reverse(*count),
        |(id, _)| hash(*id),
        |(id, _)| texts.value(kind, ValueId(*id)),
    );
    let named = named.into_iter().map(|((_, count), text)| (text, count)).collect();
    let member = match kind {
        ValueKind::User => Member::UserId,
        ValueKind::Address => Member::IpAddress,
    };
    let counts = Counts { absent, counted, complete: true };
    TopValues { distinct, ..ranked(member.name().to_owned(), named, counts, limit) }
}

/// Reads the newest records that match, as far as the time allows.
fn read(
    study: &Study<'_>,
    field: &Field,
    range: TimeRange,
    request: &Request,
) -> Result<TopValues, Error> {
    let each = PATIENCE / u32::try_from(request.top.len()).unwrap_or(1).max(1);
    let most = study.deadline().remaining().mul_f64(0.5).min(each);
    let deadline = Deadline::after(most);
    let mut counts: HashMap<Box<str>, u64> = HashMap::new();
    let (mut absent, mut counted, mut after) = (0, 0, None);
    let complete = loop {
        let scan = Scan {
            table: Table::Logs,
            order: Order::Desc,
            range,
            after,
            limit: MAX_LIMIT,
            filter: &request.filter,
        };
        let batch = match study.view().scan(&scan, deadline) {
            Err(Error::QueryTimeout(_)) => break false,
            batch => batch?,
        };
        for row in &batch.rows {
            let Ok(record) = Record::parse(&row.line) else { continue };
            let mut found: HashSet<Box<str>> = HashSet::new();
            field.each(&record, |text| {
                if !text.is_empty() {
                    found.insert(text.into());
                }
            });
            absent += u64::from(found.is_empty());
            counted += 1;
            found.into_iter().for_each(|text| *counts.entry(text).or_default() += 1);
        }
        after = batch.next;
        if after.is_none() {
            break true;
        }
        if deadline.passed() || counts.len() > MAX_DISTINCT {
            break false;
        }
    };
    let named = counts.into_iter().collect();
    let counts = Counts { absent, counted, complete };
    Ok(ranked(field.to_string(), named, counts, request.limit))
}
