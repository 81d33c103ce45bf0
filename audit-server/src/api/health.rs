//! Whether the server can answer: in a word for anyone, in detail for those who have a key.
//!
//! The database is asked by readers of their own. Were they those of the queries, a server that is
//! merely busy would look ill, and whoever restarts what looks ill would make it worse.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use audit_layer::record::format_timestamp;
use poem_openapi::{Enum, Object, payload::Json};

use super::{State, problem::Problem, schema::SourceState};
use crate::{
    Error,
    read_model::Follower,
    self_audit::{Recording, SelfAudit},
    store::{Deadline, StreamHead},
};

/// How long an answer of `/health` is repeated: it needs no key, and must not be a way to keep the
/// readers busy.
const REPEATED_FOR: Duration = Duration::from_secs(1);

/// The most streams that the detail lists.
const MAX_STREAMS: u32 = 1_000;

/// The server can answer.
#[derive(Object)]
pub(super) struct Health {
    /// `ok`.
    status: String,
}

pub(super) async fn check(state: &Arc<State>) -> Result<Json<Health>, Problem> {
    // Held across the read, so that those who ask at once share one.
    let mut last = state.health.lock().await;
    let healthy = match *last {
        Some((at, healthy)) if at.elapsed() < REPEATED_FOR => healthy,
        _ => {
            let shared = state.clone();
            let read = move |deadline| shared.trail.database().snapshot(deadline)?.newest();
            let healthy = state.health_readers.run(read).await.is_ok();
            *last = Some((Instant::now(), healthy));
            healthy
        }
    };
    if healthy { Ok(Json(Health { status: "ok".to_owned() })) } else { Err(Problem::unhealthy()) }
}

/// How the server and its sources are.
#[derive(Object)]
pub(super) struct Detail {
    /// `ok` when the database can be read, `unavailable` when not.
    status: SourceState,
    /// The version of the server.
    version: String,
    /// Seconds since the server started.
    uptime_seconds: u64,
    database: DatabaseDetail,
    redis: RedisDetail,
    read_model: ReadModelDetail,
    /// Whether what is asked of the server is recorded in the trail.
    recording: RecordingState,
}

/// Whether what is asked of the server is recorded.
#[derive(Enum)]
#[oai(rename_all = "snake_case")]
pub(super) enum RecordingState {
    /// It is.
    Ok,
    /// There is no trail yet, or it cannot be written: what is to be recorded waits.
    Waiting,
    /// Some of it was lost since the server was started.
    Lossy,
    /// The server was told not to.
    Disabled,
}

impl From<Option<Recording>> for RecordingState {
    fn from(recording: Option<Recording>) -> Self {
        match recording {
            Some(Recording::Ok) => Self::Ok,
            Some(Recording::Waiting) => Self::Waiting,
            Some(Recording::Lossy) => Self::Lossy,
            None => Self::Disabled,
        }
    }
}

/// What the server derives from the trail, to find records in it.
#[derive(Object)]
pub(super) struct ReadModelDetail {
    state: ReadModelState,
    /// The number of the last record, in the order of arrival, that the model has; 0 when it has none.
    arrival: i64,
    /// The records of the trail, in the order of arrival, that the model had not taken in when it
    /// was looked at last. Answers have them all the same.
    lag_records: u64,
    /// Seconds since the model last had every record; `null` when it never had since the start.
    lag_seconds: Option<f64>,
    /// Why the model does not go on, when it does not.
    trouble: Option<String>,
    /// Streams that became shorter, or whose last record was changed, the latest first; 100 at most.
    /// Any calls for `audit-server verify` with a receipt or a backup.
    alarms: Vec<Alarm>,
    /// Whether there are more than 10000 streams: those behind them, by name, are not watched for it.
    has_unwatched_streams: bool,
}

/// What happened to a stream.
#[derive(Object)]
pub(super) struct Alarm {
    /// When it was seen.
    at: String,
    /// The stream.
    stream: String,
    /// What was seen.
    finding: String,
}

/// Whether the read model has what the trail has.
#[derive(Enum)]
#[oai(rename_all = "snake_case")]
pub(super) enum ReadModelState {
    /// It had every record when the trail was looked at last.
    Current,
    /// It is being made, or behind.
    Behind,
    /// It cannot go on: `trouble` says why. Questions are answered by reading the trail.
    Failed,
    /// The server was started without it.
    Disabled,
}

fn read_model(state: &State) -> ReadModelDetail {
    let Some(progress) = state.follower.as_ref().map(Follower::progress) else {
        return ReadModelDetail {
            state: ReadModelState::Disabled,
            arrival: 0,
            lag_records: 0,
            lag_seconds: None,
            trouble: None,
            alarms: vec![],
            has_unwatched_streams: false,
        };
    };
    let lag_records = progress.newest.saturating_sub(progress.indexed).max(0).unsigned_abs();
    let state = match progress.complete_at {
        _ if progress.trouble.is_some() => ReadModelState::Failed,
        Some(_) if lag_records == 0 => ReadModelState::Current,
        _ => ReadModelState::Behind,
    };
    ReadModelDetail {
        state,
        arrival: progress.indexed,
        lag_records,
        lag_seconds: progress.complete_at.map(|at| at.elapsed().as_secs_f64()),
        trouble: progress.trouble,
        alarms: progress
            .alarms
            .into_iter()
            .map(|alarm| Alarm {
                at: format_timestamp(alarm.at),
                stream: alarm.stream,
                finding: alarm.finding,
            })
            .collect(),
        has_unwatched_streams: progress.has_unwatched_streams,
    }
}

/// The trail of record.
#[derive(Object)]
pub(super) struct DatabaseDetail {
    state: DatabaseState,
    /// The latest timestamp in the trail; `null` when it is empty or cannot be read.
    newest_record: Option<String>,
    /// How far the trail has got in each stream, by name; 1000 at most.
    streams: Vec<Stream>,
    /// Whether there are more streams than are listed.
    streams_truncated: bool,
}

/// Whether the trail can be read.
#[derive(Enum)]
#[oai(rename_all = "snake_case")]
pub(super) enum DatabaseState {
    /// It was read.
    Ok,
    /// There is none yet.
    Missing,
    /// The file is something else.
    Foreign,
    /// It is of a later version than this server reads.
    Newer,
    /// It cannot be read now; the log says why.
    Unreadable,
}

/// The head of a stream.
#[derive(Object)]
pub(super) struct Stream {
    /// Its name.
    stream: String,
    /// The number of its last record.
    seq: i64,
    /// The hash of that record.
    hash: String,
}

/// The recent view.
#[derive(Object)]
pub(super) struct RedisDetail {
    state: SourceState,
}

pub(super) async fn detail(state: Arc<State>) -> Detail {
    let shared = state.clone();
    let read = move |deadline: Deadline| {
        let snapshot = shared.trail.database().snapshot(deadline)?;
        Ok((snapshot.newest()?, snapshot.heads(MAX_STREAMS + 1)?))
    };
    let (database, redis) = tokio::join!(state.health_readers.run(read), ping(&state));
    let (status, database) = match database {
        Ok((newest, heads)) => (SourceState::Ok, of_database(newest, heads)),
        Err(error) => {
            tracing::warn!(%error, "the database cannot be read");
            (SourceState::Unavailable, unreadable(&error))
        }
    };
    Detail {
        status,
        version: env!("CARGO_PKG_VERSION").to_owned(),
        uptime_seconds: state.started.elapsed().as_secs(),
        database,
        redis: RedisDetail { state: redis },
        read_model: read_model(&state),
        recording: state.own.as_ref().map(SelfAudit::recording).into(),
    }
}

async fn ping(state: &Arc<State>) -> SourceState {
    if state.redis.is_none() {
        return SourceState::Disabled;
    }
    let shared = state.clone();
    let ping = move |_| shared.redis.as_ref().map_or(Ok(()), |redis| redis.ping());
    match state.redis_readers.run(ping).await {
        Ok(()) => SourceState::Ok,
        Err(_) => SourceState::Unavailable,
    }
}

fn of_database(newest: Option<i64>, heads: Vec<StreamHead>) -> DatabaseDetail {
    let listed = MAX_STREAMS as usize;
    DatabaseDetail {
        state: DatabaseState::Ok,
        newest_record: newest.map(format_timestamp),
        streams_truncated: heads.len() > listed,
        streams: heads
            .into_iter()
            .take(listed)
            .map(|StreamHead { stream, seq, hash }| Stream { stream, seq, hash })
            .collect(),
    }
}

fn unreadable(error: &Error) -> DatabaseDetail {
    let state = match error {
        Error::DatabaseMissing(_) => DatabaseState::Missing,
        Error::DatabaseForeign(_) => DatabaseState::Foreign,
        Error::DatabaseNewer(_) => DatabaseState::Newer,
        _ => DatabaseState::Unreadable,
    };
    DatabaseDetail { state, newest_record: None, streams: vec![], streams_truncated: false }
}
