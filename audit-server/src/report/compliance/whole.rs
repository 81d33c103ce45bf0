//! What is judged of the trail as a whole, once for all controls.

use audit_layer::record::{Record, format_timestamp, parse_timestamp};

use super::{
    ChainVerdict, Days, Evidence, Lost,
    days::{self, DAY},
    evaluation::{Counts, Found, read},
};
use crate::{
    Error,
    filter::{Filter, TimeRange},
    report::Header,
};

/// The most `system.audit_gap` records that are read for what they count.
const MAX_GAPS_READ: usize = 1_000;

/// How far after the report was made a record counts as one of the future. The trail is looked at a
/// moment later, and clocks differ.
const FUTURE_SLACK: i64 = 60_000_000;

/// Records that tell of events which were lost. One of a sink that fell behind is none: the trail
/// has what that sink skipped.
const LOSSES: &str = r#"event_type = "system.audit_gap" AND NOT details.cause = "sink_behind""#;

const GAPS: &str = r#"event_type = "system.audit_gap""#;

const HEARTBEATS: &str = r#"event_type = "system.heartbeat""#;

/// How long a trail may be without any record and still count as one that was kept all the time.
const MONTH: i64 = 31 * DAY;

/// Where the trail begins.
#[derive(Clone, Copy)]
struct Begin {
    /// The time from which on there is no month without any record.
    reach: i64,
    /// The time of its earliest record, which may be a single one that came with a time of its own.
    first_record: i64,
}

impl Begin {
    /// Looks for it month by month, back from the moment that the report is about.
    fn of(evidence: &dyn Evidence, now: i64, first_record: i64) -> Result<Self, Error> {
        let has_any = |from: i64, to: i64| {
            Ok::<_, Error>(evidence.count(&Filter::ANY, TimeRange { from, to })? > 0)
        };
        let end = now.saturating_add(1);
        let mut reach = end;
        while reach > first_record {
            let before = reach.saturating_sub(MONTH).max(first_record);
            if !has_any(before, reach - 1)? {
                // What was found last begins somewhere in its month.
                while reach < end && !has_any(reach, reach + DAY - 1)? {
                    reach += DAY;
                }
                return Ok(Self { reach: reach.min(end), first_record });
            }
            reach = before;
        }
        Ok(Self { reach: first_record, first_record })
    }
}

/// What does not depend on the control.
pub(super) struct Whole {
    now: i64,
    begin: Option<Begin>,
    archived: u64,
    streams_not_looked_at: u64,
    pub(super) days: Days,
    pub(super) lost: Lost,
    pub(super) future: u64,
    pub(super) chain: ChainVerdict,
}

impl Whole {
    /// Looks at the whole of it.
    ///
    /// # Errors
    /// Those of the evidence.
    pub(super) fn of(counts: &Counts<'_>, header: &Header) -> Result<Self, Error> {
        let Counts { evidence, range, .. } = *counts;
        // Of a window that ended long ago, what is after it is not yet of the future.
        let made_at = parse_timestamp(&header.generated_at).unwrap_or(range.to);
        let later = TimeRange { from: made_at.saturating_add(FUTURE_SLACK + 1), to: i64::MAX };
        let now = made_at.min(range.to);
        let first = header.retention.first_record.as_deref().and_then(parse_timestamp);
        Ok(Self {
            now,
            begin: first.map(|first| Begin::of(evidence, now, first)).transpose()?,
            archived: header.retention.archived,
            streams_not_looked_at: header.retention.not_looked_at(),
            days: judge_days(evidence, TimeRange { to: now, ..range })?,
            lost: lost(counts)?,
            future: evidence.count(&Filter::ANY, later)?,
            chain: evidence.chain(),
        })
    }
}

fn judge_days(evidence: &dyn Evidence, window: TimeRange) -> Result<Days, Error> {
    let heartbeats = read(HEARTBEATS)?;
    let mut found = Days::default();
    for day in days::of(window) {
        found.judged += 1;
        let any = evidence.count(&Filter::ANY, day)?;
        if any == 0 {
            found.without_records.push(days::date(day));
        }
        if any == 0 || evidence.count(&heartbeats, day)? == 0 {
            found.without_heartbeat.push(days::date(day));
        }
    }
    Ok(found)
}

fn lost(counts: &Counts<'_>) -> Result<Lost, Error> {
    let of_lost_events = counts.of(LOSSES)?;
    let mut events = 0_u64;
    let mut told = 0;
    for line in counts.newest(LOSSES, MAX_GAPS_READ)? {
        if let Some(count) = lost_by(&line) {
            events = events.saturating_add(count);
            told += 1;
        }
    }
    Ok(Lost {
        records: counts.of(GAPS)?,
        of_lost_events,
        events,
        events_complete: told == of_lost_events,
        query: counts.query(LOSSES),
    })
}

/// How many events the record says were lost.
fn lost_by(line: &str) -> Option<u64> {
    #[derive(serde::Deserialize)]
    struct Details {
        count: u64,
    }
    let record = Record::parse(line).ok()?;
    let details: Details = serde_json::from_str(record.details?.get()).ok()?;
    Some(details.count)
}

impl Whole {
    /// Whether each day has a record.
    pub(super) fn every_day(&self) -> Found {
        missing(&self.days.without_records, self.days.judged, "record")
    }

    /// Whether each day has a heartbeat.
    pub(super) fn heartbeats(&self) -> Found {
        missing(&self.days.without_heartbeat, self.days.judged, "heartbeat")
    }

    /// Whether no record is of a time that is yet to come.
    pub(super) fn nothing_in_the_future(&self) -> Found {
        match self.future {
            0 => Found::Good("no record is of the future".to_owned()),
            count => Found::Bad(format!("records of a time that is yet to come: {count}")),
        }
    }

    /// Whether the chain is intact.
    pub(super) fn chain(&self) -> Found {
        let ChainVerdict { intact, faults, gaps, checked, sentence, .. } = &self.chain;
        let told = |or: String| if sentence.is_empty() { or } else { sentence.clone() };
        if *intact == Some(false) || *faults > 0 || *gaps > 0 {
            return Found::Bad(told(format!("the chain has {faults} faults and {gaps} gaps")));
        }
        match intact {
            Some(true) if *checked > 0 => Found::Good(told("the chain is intact".to_owned())),
            Some(_) => Found::Open("no record of the chain was checked".to_owned()),
            None => Found::Open(told("whether the chain is intact is not known".to_owned())),
        }
    }

    /// Whether no record tells of lost events.
    pub(super) fn nothing_lost(&self) -> Found {
        let Lost { of_lost_events, events, events_complete, .. } = &self.lost;
        if *of_lost_events == 0 {
            return Found::Good("no record tells of lost events".to_owned());
        }
        let at_least = if *events_complete { "" } else { "at least " };
        Found::Bad(format!(
            "{of_lost_events} records tell of {at_least}{events} events that were not recorded"
        ))
    }

    /// Whether the trail begins so many days ago, or earlier, and has records of each month since: one
    /// record of long ago keeps nothing.
    pub(super) fn goes_back(&self, days: u32, demanded: &str) -> Found {
        let Some(Begin { reach, first_record }) = self.begin else {
            return Found::Open("when the trail begins is not known".to_owned());
        };
        let age = self.now.saturating_sub(reach).max(0);
        let found = age / DAY;
        let removed = match self.archived {
            0 => "nothing was removed from its beginning".to_owned(),
            count => format!("{count} records were archived or removed from its beginning"),
        };
        let removed = match self.streams_not_looked_at {
            0 => removed,
            more => format!("{removed}, of the streams that were looked at; {more} more were not"),
        };
        let alone = if first_record < reach {
            let first = format_timestamp(first_record);
            format!(", before which a month has no record, though the first is of {first}")
        } else {
            String::new()
        };
        let words = format!("the trail goes back {found} days{alone}, and {removed}");
        if age >= i64::from(days) * DAY {
            Found::Good(words)
        } else {
            Found::Bad(format!("{demanded} are demanded: {words}"))
        }
    }
}

fn missing(days: &[String], judged: u64, what: &str) -> Found {
    match (days, judged) {
        (_, 0) => Found::Open("no day of the window is over".to_owned()),
        ([], _) => Found::Good(format!("each of {judged} days has a {what}")),
        ([only], _) => Found::Bad(format!("1 of {judged} days has no {what}: {only}")),
        ([first, .., last], _) => {
            let count = days.len();
            let from_to = format!("between {first} and {last}");
            Found::Bad(format!("{count} of {judged} days have no {what}, {from_to}"))
        }
    }
}
