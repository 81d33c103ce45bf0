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
            let read = move |deadline| shared.database.snapshot(deadline)?.newest();
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
        let snapshot = shared.database.snapshot(deadline)?;
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
