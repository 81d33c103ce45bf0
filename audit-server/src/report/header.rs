//! What stands above each report: which time it is about, and what of the trail it could see.

use std::collections::HashMap;

use audit_layer::record::format_timestamp;
use poem_openapi::Object;
use serde::Serialize;
use time::OffsetDateTime;

use super::{Block, Cell, Section, Table, Tone};
use crate::{
    Error,
    filter::TimeRange,
    query::{Sight, Study},
    read_model::Met,
};

/// A stretch of time, both ends included.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Object)]
#[oai(rename = "ReportWindow")]
pub(crate) struct Window {
    /// Its first moment, UTC.
    pub(crate) from: String,
    /// Its last moment, UTC.
    pub(crate) to: String,
    /// How many whole days it has.
    pub(crate) days: u32,
}

const DAY: i64 = 86_400_000_000;

impl Window {
    /// The last days before a moment, both in microseconds since the Unix epoch.
    pub(crate) fn before(now: i64, days: u32) -> (Self, TimeRange) {
        let from = now.saturating_sub(i64::from(days) * DAY).saturating_add(1);
        let window = Self { from: format_timestamp(from), to: format_timestamp(now), days };
        (window, TimeRange { from, to: now })
    }

    /// The same, and what is missing for the first of them to begin at midnight UTC.
    pub(crate) fn whole_days_before(now: i64, days: u32) -> (Self, TimeRange) {
        let (window, range) = Self::before(now, days);
        let from = range.from.saturating_sub(range.from.rem_euclid(DAY));
        (Self { from: format_timestamp(from), ..window }, TimeRange { from, ..range })
    }
}

/// Which report it is, of what, and what it rests on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Object)]
#[oai(rename = "ReportHeader")]
pub(crate) struct Header {
    /// Its name.
    pub(crate) report: String,
    /// When it was made, UTC.
    pub(crate) generated_at: String,
    /// What it is about.
    pub(crate) window: Window,
    /// How many records of that time it is computed from: all, but for trading those of the categories
    /// trade, risk and agent, and of the user that is asked for.
    pub(crate) records: u64,
    /// Stored lines that are no records: what they were is not known. `audit-server verify` tells more. Credentials of
    /// one tenant are told of none.
    pub(crate) damaged: u64,
    /// What of the trail is still there.
    pub(crate) retention: Retention,
}

/// What of the trail is still there. Credentials of one tenant are told the time of its earliest record, and nothing of
/// streams, which are those of all tenants.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Object)]
#[oai(rename = "Retention")]
pub(crate) struct Retention {
    /// The time of the earliest record in the trail, when there is any.
    pub(crate) first_record: Option<String>,
    /// Whether the window begins before that: what was before is not in the figures.
    pub(crate) window_begins_earlier: bool,
    /// How many records were archived or removed from the beginnings of streams, of which the first
    /// 10000 by name are looked at.
    pub(crate) archived: u64,
    /// The streams of the trail, 100 at most.
    pub(crate) streams: Vec<StreamState>,
    /// How many streams there are.
    pub(crate) stream_count: u64,
}

/// What of a stream is in the trail.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Object)]
#[oai(rename = "RetainedStream")]
pub(crate) struct StreamState {
    /// Its name.
    pub(crate) stream: String,
    /// The first record of it that is there.
    pub(crate) first_seq: u64,
    /// The last.
    pub(crate) last_seq: u64,
}

/// The most streams that a report names.
const MAX_STREAMS: u32 = 100;

/// The most streams of which it is looked at what was archived.
const MAX_EXAMINED: u32 = 10_000;

impl Retention {
    /// How many streams were not looked at for what was archived of them.
    pub(crate) fn not_looked_at(&self) -> u64 {
        self.stream_count.saturating_sub(u64::from(MAX_EXAMINED))
    }

    /// What of the trail is there, for a report of that time, to who sees that much.
    ///
    /// # Errors
    /// When the trail cannot be read.
    pub(crate) fn of(study: &Study<'_>, sight: &Sight, range: TimeRange) -> Result<Self, Error> {
        let first = study.extent(sight)?.map(|(first, _)| first);
        let window_begins_earlier = first.is_none_or(|first| range.from < first);
        let first_record = first.map(format_timestamp);
        if sight.is_of_tenant() {
            return Ok(Self { first_record, window_begins_earlier, ..Self::default() });
        }
        let snapshot = &study.view().snapshot;
        let (begins, stream_count) = snapshot.first_records(MAX_EXAMINED)?;
        let heads = snapshot.heads(MAX_EXAMINED)?;
        let last: HashMap<&str, i64> = heads.iter().map(|head| (&*head.stream, head.seq)).collect();
        let states = begins.into_iter().map(|(stream, first_seq)| {
            let last_seq = last.get(&*stream).copied().unwrap_or_default().unsigned_abs();
            // Of a stream of which nothing is left, all is gone.
            let first_seq = if first_seq == 0 { last_seq + 1 } else { first_seq };
            StreamState { stream, first_seq, last_seq }
        });
        let mut streams: Vec<StreamState> = states.collect();
        let archived = streams.iter().map(|state| state.first_seq.saturating_sub(1)).sum();
        streams.truncate(MAX_STREAMS as usize);
        Ok(Self { first_record, window_begins_earlier, archived, streams, stream_count })
    }
}

impl Header {
    /// What stands above a report.
    ///
    /// # Errors
    /// When the trail cannot be read.
    pub(crate) fn of(
        report: &str,
        study: &Study<'_>,
        sight: &Sight,
        (window, range): (Window, TimeRange),
        met: Met,
    ) -> Result<Self, Error> {
        let now = OffsetDateTime::now_utc().unix_timestamp_nanos() / 1000;
        Ok(Self {
            report: report.to_owned(),
            generated_at: format_timestamp(i64::try_from(now).unwrap_or(i64::MAX)),
            window,
            records: met.records,
            damaged: if sight.is_of_tenant() { 0 } else { met.damaged },
            retention: Retention::of(study, sight, range)?,
        })
    }

    /// The first section of each document.
    pub(crate) fn section(&self) -> Section {
        let mut pairs: Vec<(String, Cell)> = vec![
            ("from".to_owned(), self.window.from.as_str().into()),
            ("to".to_owned(), self.window.to.as_str().into()),
            ("made at".to_owned(), self.generated_at.as_str().into()),
            ("records".to_owned(), self.records.into()),
        ];
        if self.damaged > 0 {
            let text = format!("{} stored lines are no records", self.damaged);
            pairs.push(("damaged".to_owned(), Cell::toned(text, Tone::Bad)));
        }
        let retention = &self.retention;
        let first = match &retention.first_record {
            Some(first) => Cell::from(first),
            None => Cell::toned("the trail is empty", Tone::Unknown),
        };
        pairs.push(("first record of the trail".to_owned(), first));
        if retention.window_begins_earlier {
            let text = "the window begins before the first record of the trail";
            pairs.push(("not covered".to_owned(), Cell::toned(text, Tone::Bad)));
        }
        if retention.stream_count > 0 {
            pairs.push(("archived".to_owned(), retention.archived.into()));
        }
        let more = retention.not_looked_at();
        if more > 0 {
            let text = format!("{more} streams, by name behind the first {MAX_EXAMINED}");
            pairs.push(("not looked at for it".to_owned(), Cell::toned(text, Tone::Unknown)));
        }
        let mut table = Table::new(["stream", "#first", "#last"]);
        for stream in &retention.streams {
            table.push([
                stream.stream.as_str().into(),
                stream.first_seq.into(),
                stream.last_seq.into(),
            ]);
        }
        if retention.stream_count > retention.streams.len() as u64 {
            table.note =
                format!("the first {} of {}", retention.streams.len(), retention.stream_count);
        }
        Section {
            heading: "What this report is about".to_owned(),
            blocks: vec![Block::Pairs(pairs), Block::Table(table)],
        }
    }
}
