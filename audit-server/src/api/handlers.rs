//! The endpoints.

use std::sync::Arc;

use poem::{FromRequest, Request, RequestBody};
use poem_openapi::{OpenApi, param::Path, payload::Json};
use uuid::Uuid;

use super::{
    State,
    caller::Caller,
    export::{self, ExportResponse, Wishes},
    health,
    keys::{self, KeyList, MadeKey},
    page::{self, Ready},
    problem::Problem,
    report::{self, Accepted},
    schema::{self, SourceState},
};
use crate::{
    Error,
    auth::{KeyId, KeyIdInvalid, KeyInfo},
    export::Manifest,
    query::{self, Query, View},
    report::{
        Which, anomalies::Anomalies, compliance::Compliance, security::SecurityReport,
        trading::TradingReport,
    },
    self_audit::KeyChange,
    stats::{self, Stats},
    store::{MAX_BATCH_BYTES, MAX_READING_BYTES, Reading, RecordNotFound, RedisDisabled, Table},
};

/// Room for what a page of one store takes.
const PAGE_BYTES: usize = MAX_BATCH_BYTES;

/// Room for a page of both, and for what was read of Redis while it waits for the database.
const COMBINED_BYTES: usize = MAX_BATCH_BYTES + MAX_READING_BYTES;

pub(super) struct Api {
    pub(super) state: Arc<State>,
}

/// The query string of the request, unread: [`Query::read`] reads it, so that every mistake in it
/// is named in one way.
pub(super) struct QueryString(String);

impl<'a> FromRequest<'a> for QueryString {
    async fn from_request(request: &'a Request, _: &mut RequestBody) -> poem::Result<Self> {
        Ok(Self(request.uri().query().unwrap_or_default().to_owned()))
    }
}

#[OpenApi]
impl Api {
    /// Records of every kind
    #[oai(path = "/audit/logs", method = "get", operation_id = "logs")]
    async fn logs(
        &self,
        query: QueryString,
        caller: Caller,
    ) -> Result<Ready<schema::Page>, Problem> {
        self.table(Table::Logs, &query, &caller).await
    }

    /// One record
    ///
    /// The stored line, byte for byte, but for the mask of a viewer, and for `seq`, `prev_hash` and `hash`, which are zeros
    /// for credentials of one tenant.
    #[oai(path = "/audit/logs/:id", method = "get", operation_id = "log")]
    async fn log(
        &self,
        /// The `id` of the record.
        id: Path<String>,
        query: QueryString,
        caller: Caller,
    ) -> Result<Ready<schema::Record>, Problem> {
        query::refuse_parameters(&query.0)?;
        let id = Uuid::try_parse(&id).map_err(|_| Problem::invalid_id())?.hyphenated().to_string();
        let room = self.state.in_flight.reserve(PAGE_BYTES).await?;
        let state = self.state.clone();
        let read = move |deadline| {
            let found = state.trail.database().snapshot(deadline)?.line_of(&id);
            match found {
                // Nobody knows whose it was.
                Err(Error::DamagedRecord(_)) if caller.sight.is_of_tenant() => {
                    Err(RecordNotFound.into())
                }
                found => Ok(caller.sight.shown_if_seen(found?).ok_or(RecordNotFound)?),
            }
        };
        Ok(page::record(self.state.database_readers.run(read).await?, room))
    }

    /// Security events
    ///
    /// Records of the categories auth, security and admin, and every record whose status is
    /// `denied`.
    #[oai(path = "/audit/security-events", method = "get", operation_id = "security_events")]
    async fn security_events(
        &self,
        query: QueryString,
        caller: Caller,
    ) -> Result<Ready<schema::Page>, Problem> {
        self.table(Table::Security, &query, &caller).await
    }

    /// Financial records
    ///
    /// Records of the categories financial, trade and risk.
    #[oai(path = "/audit/financial", method = "get", operation_id = "financial")]
    async fn financial(
        &self,
        query: QueryString,
        caller: Caller,
    ) -> Result<Ready<schema::Page>, Problem> {
        self.table(Table::Financial, &query, &caller).await
    }

    /// The recent records in Redis
    ///
    /// Newest first, of all categories or of the one that is asked for.
    #[oai(path = "/audit/redis", method = "get", operation_id = "redis")]
    async fn redis(
        &self,
        query: QueryString,
        caller: Caller,
    ) -> Result<Ready<schema::Page>, Problem> {
        let query = Query::read_as(View::Redis, &query.0, &caller.sight)?;
        let room = self.state.in_flight.reserve(PAGE_BYTES).await?;
        let state = self.state.clone();
        let read = move |deadline| {
            let redis = state.redis.as_ref().ok_or(RedisDisabled)?;
            query::page(redis, &query, deadline)
        };
        Ok(page::page(&self.state.redis_readers.run(read).await?, room))
    }

    /// The database and Redis as one
    ///
    /// Newest first, each record once, with where it was found. When Redis does not answer the page
    /// comes from the database, and `sources` says so.
    #[oai(path = "/audit/combined", method = "get", operation_id = "combined")]
    async fn combined(
        &self,
        query: QueryString,
        caller: Caller,
    ) -> Result<Ready<schema::CombinedPage>, Problem> {
        let query = Query::read_as(View::Combined, &query.0, &caller.sight)?;
        let query = Arc::new(query);
        let room = self.state.in_flight.reserve(COMBINED_BYTES).await?;
        let (reading, redis) = self.read_redis(query.clone()).await;
        let state = self.state.clone();
        let read = move |deadline| query::combined(&state.trail, &reading, &query, deadline);
        Ok(page::combined(&self.state.database_readers.run(read).await?, redis, room))
    }

    /// Who tried to get in, and what was refused
    ///
    /// Counts of all records; failed logins, guessed passwords, lockouts, denials, privileged actions
    /// and addresses that were new; an hourly series.
    #[oai(path = "/audit/reports/security", method = "get", operation_id = "security_report")]
    async fn security_report(
        &self,
        query: QueryString,
        accepted: Accepted,
        caller: Caller,
    ) -> Result<report::Answer<SecurityReport>, Problem> {
        report::answer(&self.state, Which::Security, &query.0, &accepted, caller).await
    }

    /// What was decided, executed and cancelled
    ///
    /// By agent, symbol and side, with exact volumes; delays from decision to execution; risk and
    /// overrides; the largest trades.
    #[oai(path = "/audit/reports/trading", method = "get", operation_id = "trading_report")]
    async fn trading_report(
        &self,
        query: QueryString,
        accepted: Accepted,
        caller: Caller,
    ) -> Result<report::Answer<TradingReport>, Problem> {
        report::answer(&self.state, Which::Trading, &query.0, &accepted, caller).await
    }

    /// What the records show for regulations
    ///
    /// Control by control: what it demands, the query that is its evidence, and whether it is met.
    /// No data is never a pass.
    #[oai(path = "/audit/reports/compliance", method = "get", operation_id = "compliance_report")]
    async fn compliance_report(
        &self,
        query: QueryString,
        accepted: Accepted,
        caller: Caller,
    ) -> Result<report::Answer<Compliance>, Problem> {
        report::answer(&self.state, Which::Compliance, &query.0, &accepted, caller).await
    }

    /// What is not as it was
    ///
    /// Held against what was usual before, each with what was seen, what was expected, and the query
    /// that shows its records.
    #[oai(path = "/audit/anomalies", method = "get", operation_id = "anomalies")]
    async fn anomalies(
        &self,
        query: QueryString,
        accepted: Accepted,
        caller: Caller,
    ) -> Result<report::Answer<Anomalies>, Problem> {
        report::answer(&self.state, Which::Anomalies, &query.0, &accepted, caller).await
    }

    /// Figures for charts
    ///
    /// How many records match, over time by category, and the most frequent values of members.
    #[oai(path = "/audit/stats", method = "get", operation_id = "stats")]
    async fn stats(&self, query: QueryString, caller: Caller) -> Result<Json<Stats>, Problem> {
        let request = stats::Request::read_as(&query.0, &caller.sight)?;
        let state = self.state.clone();
        let compute = move |deadline| stats::stats(&state.trail, &request, deadline);
        Ok(Json(self.state.report_readers.run(compute).await?))
    }

    /// Everything that matches, as a file
    ///
    /// Every record that matches and had arrived when the export began, in the order of arrival.
    /// The body is sent as it is read; what it is to have, and what of it has been sent, is told at
    /// `/audit/exports/{id}`, and behind the body in the trailers to a request with `TE: trailers`.
    ///
    /// A body that does not end, because the client was cut off or the server failed, is gone on
    /// with by `after`: drop what stands behind the last complete record, and ask again with the
    /// same filters and the `id` of that record. A part that was asked for so is a file of its own,
    /// in CSV with the names of the columns.
    #[oai(path = "/audit/export", method = "post", operation_id = "export")]
    async fn export(
        &self,
        query: QueryString,
        wishes: Wishes,
        caller: Caller,
    ) -> Result<ExportResponse, Problem> {
        export::begin(&self.state, &query.0, &wishes, caller).await
    }

    /// What an export has sent
    ///
    /// Of the last 1000 exports, until the server stops.
    #[oai(path = "/audit/exports/:id", method = "get", operation_id = "export_manifest")]
    async fn export_manifest(
        &self,
        /// The `Audit-Export-Id` of the response.
        id: Path<String>,
        query: QueryString,
        caller: Caller,
    ) -> Result<Json<Manifest>, Problem> {
        query::refuse_parameters(&query.0)?;
        let id = Uuid::try_parse(&id).map_err(|_| Problem::invalid_id())?;
        Ok(Json(self.state.exports.find(id, &caller.credential)?.manifest()))
    }

    /// All keys, without their secrets
    #[oai(path = "/audit/keys", method = "get", operation_id = "keys")]
    async fn keys(&self, query: QueryString) -> Result<Json<KeyList>, Problem> {
        query::refuse_parameters(&query.0)?;
        let state = self.state.clone();
        let list = move |_| state.keys.list();
        Ok(Json(self.state.key_readers.run(list).await?.into()))
    }

    /// Make a key
    ///
    /// The answer has the key itself, this once.
    #[oai(path = "/audit/keys", method = "post", operation_id = "make_key")]
    async fn make_key(&self, query: QueryString, caller: Caller) -> Result<Json<MadeKey>, Problem> {
        let new = keys::new_key(&query.0)?;
        let state = self.state.clone();
        let make = move |_| {
            let made = state.keys.make(&new)?;
            record_key(&state, KeyChange::Made, &made.0, &caller);
            Ok(made)
        };
        Ok(Json(self.state.key_readers.run(make).await?.into()))
    }

    /// Make a key in the place of another
    ///
    /// With the name, the role and the networks of the old one, which is worth something yet for as
    /// long as is asked for. The answer has the new key itself, this once.
    #[oai(path = "/audit/keys/:key/rotate", method = "post", operation_id = "rotate_key")]
    async fn rotate_key(
        &self,
        /// The `id` of the key.
        key: Path<String>,
        query: QueryString,
        caller: Caller,
    ) -> Result<Json<MadeKey>, Problem> {
        let (lifetime, grace) = keys::rotation(&query.0)?;
        let id: KeyId = key.parse().map_err(|()| Error::from(KeyIdInvalid))?;
        let state = self.state.clone();
        let rotate = move |_| {
            let made = state.keys.rotate(&id, lifetime, grace)?;
            record_key(&state, KeyChange::Rotated(id), &made.0, &caller);
            Ok(made)
        };
        Ok(Json(self.state.key_readers.run(rotate).await?.into()))
    }

    /// Revoke a key
    ///
    /// It is worth nothing from the next request on. To revoke it again changes nothing.
    #[oai(path = "/audit/keys/:key", method = "delete", operation_id = "revoke_key")]
    async fn revoke_key(
        &self,
        /// The `id` of the key.
        key: Path<String>,
        query: QueryString,
        caller: Caller,
    ) -> Result<Json<keys::Key>, Problem> {
        query::refuse_parameters(&query.0)?;
        let id: KeyId = key.parse().map_err(|()| Error::from(KeyIdInvalid))?;
        if Some(&id) == caller.credential.key.as_ref() {
            return Err(Error::from(keys::OWN_KEY).into());
        }
        let state = self.state.clone();
        let revoke = move |_| {
            let revoked = state.keys.revoke(id.as_str())?;
            record_key(&state, KeyChange::Revoked, &revoked, &caller);
            Ok(revoked)
        };
        Ok(Json(self.state.key_readers.run(revoke).await?.into()))
    }

    /// Whether the server can answer
    ///
    /// Needs no key and tells nothing else.
    #[oai(path = "/health", method = "get", operation_id = "health")]
    async fn health(&self) -> Result<Json<health::Health>, Problem> {
        health::check(&self.state).await
    }

    /// How the server and its sources are
    #[oai(path = "/health/detail", method = "get", operation_id = "health_detail")]
    async fn health_detail(&self, query: QueryString) -> Result<Json<health::Detail>, Problem> {
        query::refuse_parameters(&query.0)?;
        Ok(Json(health::detail(self.state.clone()).await))
    }
}

/// Records a change of a key, right where it was made: who asked for it may be gone by then.
fn record_key(state: &State, change: KeyChange, key: &KeyInfo, caller: &Caller) {
    if let Some(own) = &state.own {
        own.key(change, key, &caller.credential, caller.asked.from);
    }
}

impl Api {
    async fn table(
        &self,
        table: Table,
        query: &QueryString,
        caller: &Caller,
    ) -> Result<Ready<schema::Page>, Problem> {
        let query = Query::read_as(View::Database(table), &query.0, &caller.sight)?;
        let room = self.state.in_flight.reserve(PAGE_BYTES).await?;
        let state = self.state.clone();
        let read = move |deadline| query::trail_page(&state.trail, &query, deadline);
        Ok(page::page(&self.state.database_readers.run(read).await?, room))
    }

    /// What Redis holds, or nothing when it cannot be read, for whatever reason: the records are in
    /// the database too, and one odd item in Redis must not keep them from who asks.
    async fn read_redis(&self, query: Arc<Query>) -> (Reading, SourceState) {
        if self.state.redis.is_none() {
            return (Reading::default(), SourceState::Disabled);
        }
        let state = self.state.clone();
        let read = move |deadline| match &state.redis {
            Some(redis) => query::read_redis(redis, &query, deadline),
            None => Ok(Reading::default()),
        };
        match self.state.redis_readers.run(read).await {
            Ok(reading) => (reading, SourceState::Ok),
            Err(error) => {
                let cause = std::error::Error::source(&error).map(ToString::to_string);
                tracing::warn!(%error, cause, "answering from the database alone");
                (Reading::default(), SourceState::Unavailable)
            }
        }
    }
}
