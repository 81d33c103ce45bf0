//! The fast recent view: a Redis list a category, newest first.
//!
//! ```text
//! audit:logs:<category>     the last REDIS_MAX_LOGS lines, newest first; expires after REDIS_LOG_TTL
//! audit:cursor:<stream>     "<seq>:<hash>" of the last record pushed; does not expire
//! ```
//!
//! A batch is one script that pushes only if the cursor is what this sink believes it to be. So a
//! batch that is sent again after a time-out, or that a network holds back and delivers late,
//! changes nothing: the cursor has moved on. (An unconditional transaction that came late was
//! measured to leave 200 records in a list that should hold 100.) When the cursor is somewhere
//! further, the script says where, and the sink sends only what lies behind it; when it is back where
//! it was before, Redis lost something, and is filled from the journal first.
//!
//! Best effort: a Redis that is away is tried again with growing pauses, and nobody waits for it.
//!
//! Rejected: `ConnectionManager` (reconnects, but does not send again what failed), a stream (the
//! readers want lists by category), pipelines without a script (not idempotent).

use std::{collections::BTreeMap, time::Duration};

use redis::{Client, Cmd, Connection, ConnectionLike, IntoConnectionInfo, Script};

use super::{Batch, Delivery, Sealed, Sink, SinkError, Written};
use crate::{
    Error,
    config::{DEFAULT_REDIS_DB, RedisConfig},
    record::{Hash, Head, Link, StreamName, event_type},
};

/// How long a connection or an answer is waited for.
const TIMEOUT: Duration = Duration::from_secs(2);
/// The same while the service starts, which a dead Redis must not hold up.
const START_TIMEOUT: Duration = Duration::from_millis(500);
/// How many records one call of the script pushes: Redis serves nobody else meanwhile.
const MAX_PUSH: usize = 500;

const PUSH: &str = include_str!("push.lua");

pub(crate) struct RedisSink {
    config: RedisConfig,
    client: Client,
    connection: Option<Connection>,
    script: Script,
    /// What the cursor is believed to be.
    cursor: Option<Head>,
    /// The last record that this sink was ever given.
    given: u64,
}

impl std::fmt::Debug for RedisSink {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RedisSink").field("config", &self.config).finish_non_exhaustive()
    }
}

impl From<redis::RedisError> for SinkError {
    fn from(error: redis::RedisError) -> Self {
        Self(error.to_string())
    }
}

impl RedisSink {
    /// Reads the address; does not connect.
    pub(crate) fn new(config: RedisConfig) -> Result<Self, Error> {
        let failed = |_| Error::Sink {
            sink: "redis",
            // The address may hold a password and is not repeated.
            why: "the address (REDIS_URL) cannot be read; it looks like redis://127.0.0.1:6379"
                .to_owned(),
        };
        if config.url.as_str().starts_with("rediss:") {
            let why = "the address (REDIS_URL) asks for TLS, which is not built in".to_owned();
            return Err(Error::Sink { sink: "redis", why });
        }
        let info = config.url.as_str().into_connection_info().map_err(failed)?;
        // 0 is also what an address without a number says.
        let named = Some(info.redis_settings().db()).filter(|db| *db != 0);
        let db = match (named, config.db) {
            (Some(named), Some(set)) if named != set => {
                let why = format!(
                    "the address (REDIS_URL) names database {named}, and REDIS_LOG_DB database {set}"
                );
                return Err(Error::Sink { sink: "redis", why });
            }
            (named, set) => set.or(named).unwrap_or(DEFAULT_REDIS_DB),
        };
        let settings = info.redis_settings().clone().set_db(db);
        let client = Client::open(info.set_redis_settings(settings)).map_err(failed)?;
        let script = Script::new(PUSH);
        Ok(Self { config, client, connection: None, script, cursor: None, given: 0 })
    }

    fn connect(&mut self, timeout: Duration) -> Result<&mut Connection, SinkError> {
        let connection = match self.connection.take() {
            Some(connection) if connection.is_open() => connection,
            _ => {
                let mut connection = self.client.get_connection_with_timeout(timeout)?;
                connection.set_read_timeout(Some(TIMEOUT))?;
                connection.set_write_timeout(Some(TIMEOUT))?;
                redis::cmd("SCRIPT").arg("LOAD").arg(PUSH).exec(&mut connection)?;
                connection
            }
        };
        Ok(self.connection.insert(connection))
    }

    /// The call that pushes records which follow each other, if the cursor is `expected`; else it
    /// answers where it is.
    fn call(
        &self,
        stream: &StreamName,
        records: &[Sealed<'_>],
        expected: Option<Head>,
        new: Head,
    ) -> Cmd {
        let mut lists: BTreeMap<&str, Vec<&[u8]>> = BTreeMap::new();
        for record in records {
            lists.entry(event_type::category(record.event_type())).or_default().push(record.line);
        }
        let mut call = redis::cmd("EVALSHA");
        call.arg(self.script.get_hash()).arg(lists.len() + 1).arg(cursor_key(stream));
        for category in lists.keys() {
            call.arg(list_key(category));
        }
        call.arg(expected.map(|head| cursor_text(&head)).unwrap_or_default());
        call.arg(cursor_text(&new)).arg(self.config.max_logs).arg(self.config.ttl);
        for lines in lists.values() {
            call.arg(lines.len());
        }
        for lines in lists.values() {
            call.arg(lines);
        }
        call
    }

    fn connected(&mut self) -> Result<&mut Connection, SinkError> {
        self.connection.as_mut().ok_or_else(|| SinkError("not connected".to_owned()))
    }

    /// Pushes records in one round trip, as far as the cursor is where it is believed to be. Returns how
    /// many.
    fn push_ahead(
        &mut self,
        stream: &StreamName,
        records: &[Sealed<'_>],
    ) -> Result<usize, SinkError> {
        let mut expected = self.cursor;
        let mut calls = redis::pipe();
        for part in records.chunks(MAX_PUSH) {
            let Some(last) = part.last() else { continue };
            calls.add_command(self.call(stream, part, expected, last.head));
            expected = Some(last.head);
        }
        let moved: Vec<Option<String>> = calls.query(self.connected()?)?;
        let mut pushed = 0;
        for (part, moved) in records.chunks(MAX_PUSH).zip(moved) {
            if moved.is_some() {
                break;
            }
            pushed += part.len();
            self.cursor = part.last().map(|record| record.head);
        }
        Ok(pushed)
    }

    fn write_all(
        &mut self,
        stream: &StreamName,
        records: &[Sealed<'_>],
    ) -> Result<Written, SinkError> {
        let mut total = Written::default();
        let follows = self.cursor.is_some_and(|cursor| {
            records.first().is_some_and(|first| first.seq() == cursor.seq + 1)
        });
        let pushed = if follows { self.push_ahead(stream, records)? } else { 0 };
        total.new += pushed as u64;
        for part in records.get(pushed..).unwrap_or_default().chunks(MAX_PUSH) {
            let written = self.write_part(stream, part)?;
            total.new += written.new;
            total.conflicts += written.conflicts;
            if written.behind {
                return Ok(Written { behind: true, ..total });
            }
        }
        Ok(total)
    }

    fn write_part(
        &mut self,
        stream: &StreamName,
        part: &[Sealed<'_>],
    ) -> Result<Written, SinkError> {
        let mut written = Written::default();
        let Some(last) = part.last().map(|record| record.head) else { return Ok(written) };
        // Each answer of the script moves the belief; twice is the rule, more means another writer.
        for _ in 0..5 {
            let after = self.cursor.map_or(0, |head| head.seq);
            let behind: &[Sealed<'_>] =
                part.iter().position(|record| record.seq() > after).map_or(&[], |at| &part[at..]);
            if behind.is_empty() {
                let same = |record: &Sealed<'_>| Some(record.head) == self.cursor;
                if after > self.given {
                    // The stream got further in Redis than in any other sink.
                    written.conflicts += part.len() as u64;
                } else if part.iter().any(|r| r.seq() == after) && !part.iter().any(same) {
                    written.conflicts += 1;
                }
                return Ok(written);
            }
            let call = self.call(stream, behind, self.cursor, last);
            let moved: Option<String> = call.query(self.connected()?)?;
            match moved {
                None => {
                    self.cursor = Some(last);
                    written.new = behind.len() as u64;
                    return Ok(written);
                }
                Some(there) => {
                    let there = parse_cursor(&there)?;
                    let had = std::mem::replace(&mut self.cursor, there);
                    if there.map_or(0, |head| head.seq) < had.map_or(0, |head| head.seq) {
                        // It was emptied, or came back with an older state.
                        written.behind = true;
                        return Ok(written);
                    }
                }
            }
        }
        Err(SinkError("the cursor keeps moving: another writer uses this stream".to_owned()))
    }
}

impl Sink for RedisSink {
    fn name(&self) -> &'static str {
        "redis"
    }

    fn delivery(&self) -> Delivery {
        Delivery::BestEffort
    }

    fn head(&mut self, stream: &StreamName) -> Result<Option<Head>, SinkError> {
        let key = cursor_key(stream);
        let cursor: Option<String> =
            redis::cmd("GET").arg(key).query(self.connect(START_TIMEOUT)?)?;
        self.cursor = parse_cursor(&cursor.unwrap_or_default())?;
        Ok(self.cursor)
    }

    /// Reads the lists of all categories: only at a start, and only when Redis is ahead.
    fn lines_after(
        &mut self,
        stream: &StreamName,
        after: u64,
        limit: usize,
    ) -> Result<Vec<String>, SinkError> {
        let connection = self.connect(START_TIMEOUT)?;
        let mut keys: Vec<String> = Vec::new();
        let mut cursor = 0_u64;
        loop {
            let (next, mut found): (u64, Vec<String>) = redis::cmd("SCAN")
                .arg(cursor)
                .arg("MATCH")
                .arg(list_key("*"))
                .arg("COUNT")
                .arg(1000)
                .query(connection)?;
            keys.append(&mut found);
            cursor = next;
            if cursor == 0 {
                break;
            }
        }
        keys.sort_unstable();
        keys.dedup();
        let mut lines = Vec::new();
        for key in keys {
            let list: Vec<String> =
                redis::cmd("LRANGE").arg(key).arg(0).arg(-1).query(connection)?;
            for line in list {
                if let Ok(link) = Link::parse(&line)
                    && link.stream == stream.as_str()
                    && link.seq > after
                {
                    lines.push((link.seq, line));
                }
            }
        }
        lines.sort_unstable();
        lines.truncate(limit);
        Ok(lines.into_iter().map(|(_, line)| line).collect())
    }

    fn write(&mut self, batch: &Batch) -> Result<Written, SinkError> {
        self.given = self.given.max(batch.last().map_or(0, |head| head.seq));
        self.connect(TIMEOUT)?;
        let records: Vec<_> = batch.records().collect();
        let written = self.write_all(&batch.stream, &records);
        if written.is_err() {
            // After any error the state of the connection is not known.
            self.connection = None;
        }
        written
    }
}

fn cursor_key(stream: &StreamName) -> String {
    format!("audit:cursor:{stream}")
}

fn list_key(category: &str) -> String {
    format!("audit:logs:{category}")
}

fn cursor_text(head: &Head) -> String {
    format!("{}:{}", head.seq, head.hash)
}

fn parse_cursor(text: &str) -> Result<Option<Head>, SinkError> {
    if text.is_empty() {
        return Ok(None);
    }
    text.split_once(':')
        .and_then(|(seq, hash)| {
            Some(Head { seq: seq.parse().ok()?, hash: hash.parse::<Hash>().ok()? })
        })
        .map(Some)
        .ok_or_else(|| SinkError("the cursor in Redis is not one of ours".to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_is_read_back() {
        let head = Head { seq: 7, hash: Hash::of(b"x") };
        assert_eq!(parse_cursor(&cursor_text(&head)).unwrap(), Some(head));
        assert_eq!(parse_cursor("").unwrap(), None);
        assert!(parse_cursor("7").is_err());
    }

    #[test]
    fn an_address_that_cannot_be_read_is_refused_without_repeating_it() {
        let error = RedisSink::new(RedisConfig::at("http://:secret@x")).unwrap_err().to_string();
        assert!(error.contains("redis") && !error.contains("secret"), "{error}");
        let error = RedisSink::new(RedisConfig::at("rediss://:secret@x")).unwrap_err().to_string();
        assert!(error.contains("TLS") && !error.contains("secret"), "{error}");
    }

    #[test]
    fn the_number_in_the_address_counts_and_must_not_contradict_the_setting() {
        let database = |url: &str, set| {
            let sink = RedisSink::new(RedisConfig { db: set, ..RedisConfig::at(url) })?;
            Ok::<_, Error>(sink.client.get_connection_info().redis_settings().db())
        };
        let url = "redis://127.0.0.1:6379";
        assert_eq!(database(url, None).unwrap(), DEFAULT_REDIS_DB);
        assert_eq!(database(url, Some(0)).unwrap(), 0);
        assert_eq!(database(&format!("{url}/5"), None).unwrap(), 5);
        assert_eq!(database(&format!("{url}/5"), Some(5)).unwrap(), 5);
        let error = database(&format!("{url}/5"), Some(1)).unwrap_err().to_string();
        assert!(error.contains('5') && error.contains("REDIS_LOG_DB"), "{error}");
    }
}
