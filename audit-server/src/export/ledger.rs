//! What was handed over of an export.

use std::{
    collections::BTreeMap,
    sync::{Mutex, MutexGuard, PoisonError},
    time::{SystemTime, UNIX_EPOCH},
};

use audit_layer::record::format_timestamp;
use uuid::Uuid;

use super::{
    MAX_STREAMS, Manifest, Part, Request, Status, Totals, Walk,
    manifest::{StreamRange, hex},
};
use crate::{Error, store::Ranges};

/// Counts the parts of one export as they are handed over.
#[derive(Debug)]
pub(crate) struct Ledger {
    id: Uuid,
    request: Request,
    until: i64,
    started: String,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    status: Status,
    ended: Option<String>,
    totals: Totals,
    streams: BTreeMap<Box<str>, (u64, u64)>,
    streams_cut: bool,
}

impl Ledger {
    /// That of an export that begins now.
    ///
    /// # Errors
    /// When the system has no random bytes.
    pub(crate) fn open(request: Request, walk: &Walk) -> Result<Self, Error> {
        let mut random = [0; 10];
        getrandom::fill(&mut random).map_err(Error::internal)?;
        let now = micros();
        let millis = u64::try_from(now / 1000).unwrap_or_default();
        let (place, until) = walk.bounds();
        let state = State {
            status: Status::Running,
            ended: None,
            totals: Totals { place, ..Totals::default() },
            streams: BTreeMap::new(),
            streams_cut: false,
        };
        Ok(Self {
            id: uuid::Builder::from_unix_timestamp_millis(millis, &random).into_uuid(),
            request,
            until,
            started: format_timestamp(now),
            state: Mutex::new(state),
        })
    }

    pub(crate) fn id(&self) -> Uuid {
        self.id
    }

    /// Takes note of a part that is handed over.
    pub(crate) fn hand_over(&self, part: &Part) {
        self.take_over(part.totals.clone(), &part.streams);
    }

    /// Takes note of what a file has already.
    pub(crate) fn take_over(&self, totals: Totals, streams: &Ranges) {
        let mut state = self.lock();
        let state = &mut *state;
        state.totals = totals;
        for (stream, (first, last)) in streams {
            let is_full = state.streams.len() >= MAX_STREAMS;
            match state.streams.get_mut(stream) {
                Some(range) => *range = (range.0.min(*first), range.1.max(*last)),
                None if !is_full => {
                    state.streams.insert(stream.clone(), (*first, *last));
                }
                None => state.streams_cut = true,
            }
        }
    }

    /// Takes note that it ended, unless it had.
    pub(crate) fn end(&self, status: Status) {
        let mut state = self.lock();
        if state.status == Status::Running {
            state.status = status;
            state.ended = Some(format_timestamp(micros()));
        }
    }

    /// The arrivals that were passed, and all that are to be.
    pub(crate) fn arrivals(&self) -> (i64, i64) {
        (self.lock().totals.place, self.until)
    }

    /// How many streams it knows; none while it runs.
    pub(crate) fn streams_kept(&self) -> Option<usize> {
        let state = self.lock();
        (state.status != Status::Running).then(|| state.streams.len())
    }

    /// What it is, and has handed over so far.
    pub(crate) fn manifest(&self) -> Manifest {
        let state = self.lock();
        let State { totals, status, .. } = &*state;
        let is_whole = totals.place >= self.until;
        // How many records a stream has is not for who sees those of one tenant.
        let shown = if self.request.query.sees_all() { usize::MAX } else { 0 };
        let streams = state.streams.iter().take(shown).map(|(stream, &(first_seq, last_seq))| {
            StreamRange { stream: stream.to_string(), first_seq, last_seq }
        });
        Manifest {
            id: self.id.to_string(),
            status: *status,
            complete: *status == Status::Complete && is_whole,
            query: self.request.canonical.clone(),
            format: self.request.format.word().to_owned(),
            compression: self.request.compression.unwrap_or_default().word().to_owned(),
            started: self.started.clone(),
            ended: state.ended.clone(),
            records: totals.records,
            damaged: if shown > 0 { totals.damaged } else { 0 },
            bytes: totals.content.bytes,
            sha256: hex(totals.content.sha256()),
            sent_bytes: totals.sent.bytes,
            sent_sha256: hex(totals.sent.sha256()),
            cursor: self
                .request
                .query
                .cursor_after(totals.place, (!is_whole).then_some(self.until)),
            streams: streams.collect(),
            streams_cut: state.streams_cut,
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn micros() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_micros()).unwrap_or(i64::MAX)
}
