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

/// How many records are read at least, when that many match.
const LEAST: u64 = 10_000;

/// The longest that more are read: with the rest of the answer a chart waits some tenths of a second.
const PATIENCE: Duration = Duration::from_millis(100);

/// The most values that are told apart while records are read, of all members together.
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

/// Counts the values of the members in the records that match.
///
/// # Errors
/// When the trail cannot be read, or time runs out before any record is.
pub(super) fn tops(
    study: &Study<'_>,
    range: TimeRange,
    request: &Request,
    (histogram, records): (&Histogram, u64),
) -> Result<Vec<TopValues>, Error> {
    let known = request
        .top
        .iter()
        .map(|field| known(study, field, range, request, (histogram, records)))
        .collect::<Result<Vec<_>, Error>>()?;
    let open = |(known, field): (&Option<TopValues>, _)| known.is_none().then_some(field);
    let open: Vec<&Field> = known.iter().zip(&request.top).filter_map(open).collect();
    let mut read = read(study, &open, range, request)?.into_iter();
    Ok(known.into_iter().filter_map(|known| known.or_else(|| read.next())).collect())
}

/// What is known without reading records; none when it is not.
fn known(
    study: &Study<'_>,
    field: &Field,
    range: TimeRange,
    request: &Request,
    (histogram, records): (&Histogram, u64),
) -> Result<Option<TopValues>, Error> {
    Ok(match Source::of(field) {
        Source::Kind(member) => Some(of_kinds(study, member, histogram, request.limit)),
        Source::Value(kind) => Some(of_values(study, kind, histogram, request.limit)),
        Source::Elsewhere => study.value_counts(field, range, &request.filter)?.map(|found| {
            let distinct = found.values.iter().filter(|(_, count)| *count > 0);
            let named = distinct.map(|(text, count)| (text.clone(), *count)).collect();
            let absent = records.saturating_sub(found.present);
            let counts = Counts { absent, counted: records, complete: true };
            ranked(field.to_string(), named, counts, request.limit)
        }),
    })
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
    let counts = Counts { absent, counted, complete: true };
    TopValues { distinct, ..ranked(kind.member().name().to_owned(), named, counts, limit) }
}

/// What records that were read have of a member.
#[derive(Default)]
struct Read {
    values: HashMap<Box<str>, u64>,
    absent: u64,
}

impl Read {
    fn take(&mut self, field: &Field, record: &Record<'_>) {
        let mut found: HashSet<Box<str>> = HashSet::new();
        field.each(record, |text| {
            if !text.is_empty() {
                found.insert(text.into());
            }
        });
        self.absent += u64::from(found.is_empty());
        found.into_iter().for_each(|text| *self.values.entry(text).or_default() += 1);
    }
}

/// Reads the newest records that match, as far as the time allows, for all of these members at once.
fn read(
    study: &Study<'_>,
    fields: &[&Field],
    range: TimeRange,
    request: &Request,
) -> Result<Vec<TopValues>, Error> {
    if fields.is_empty() {
        return Ok(Vec::new());
    }
    let half = study.deadline().remaining().mul_f64(0.5);
    let (least, more) = (Deadline::after(half), Deadline::after(half.min(PATIENCE)));
    let mut read: Vec<Read> = fields.iter().map(|_| Read::default()).collect();
    let (mut counted, mut after) = (0, None);
    let complete = loop {
        let deadline = if counted < LEAST { least } else { more };
        let distinct: usize = read.iter().map(|read| read.values.len()).sum();
        if deadline.passed() || distinct > MAX_DISTINCT {
            break false;
        }
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
            counted += 1;
            read.iter_mut().zip(fields).for_each(|(read, field)| read.take(field, &record));
        }
        after = batch.next;
        if after.is_none() {
            break true;
        }
    };
    let told = read.into_iter().zip(fields).map(|(read, field)| {
        let counts = Counts { absent: read.absent, counted, complete };
        ranked(field.to_string(), read.values.into_iter().collect(), counts, request.limit)
    });
    Ok(told.collect())
}
