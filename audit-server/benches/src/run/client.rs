//! One client of the server, on one connection that is kept open.

use std::time::{Duration, Instant};

use serde::Deserialize;
use serde_json::value::RawValue;

use super::{Outcome, questions::Asked};

/// Records of a page.
pub(crate) const LIMIT: usize = 100;

/// Asks, and takes the time.
#[derive(Debug)]
pub(crate) struct Client {
    agent: ureq::Agent,
    base: String,
    key: String,
}

/// A page as far as it matters here.
#[derive(Debug, Deserialize)]
struct Body<'b> {
    #[serde(borrow)]
    records: Vec<&'b RawValue>,
    next_cursor: Option<String>,
    truncated: bool,
}

/// A page that was answered.
#[derive(Debug)]
pub(crate) struct Page {
    pub(crate) took: Duration,
    pub(crate) records: usize,
    pub(crate) next: Option<String>,
    pub(crate) truncated: bool,
}

impl Client {
    pub(crate) fn new(base: &str, key: &str) -> Self {
        let agent = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .timeout_global(Some(Duration::from_secs(60)))
            .proxy(None)
            .build()
            .into();
        Self { agent, base: base.trim_end_matches('/').to_owned(), key: key.to_owned() }
    }

    /// The body of an answer with status 200. The time is until its last byte.
    pub(crate) fn get(&self, path: &str) -> Outcome<(Duration, String)> {
        let begun = Instant::now();
        let mut response =
            self.agent.get(format!("{}{path}", self.base)).header("x-api-key", &self.key).call()?;
        let limit = 256 * 1024 * 1024;
        let body = response.body_mut().with_config().limit(limit).read_to_string()?;
        let took = begun.elapsed();
        match response.status().as_u16() {
            200 => Ok((took, body)),
            status => {
                Err(format!("{status} {}", body.chars().take(200).collect::<String>()).into())
            }
        }
    }

    /// A page of the answer: the one at `cursor`, up to `until` in time.
    pub(crate) fn page(
        &self,
        asked: &Asked,
        until: Option<i64>,
        cursor: Option<&str>,
    ) -> Outcome<Page> {
        let mut query = form_urlencoded::Serializer::new(String::from("/audit/logs?"));
        query.append_pair("limit", &LIMIT.to_string()).extend_pairs(&asked.parameters);
        if let Some(until) = until {
            query.append_pair("end_date", &audit_layer::record::format_timestamp(until));
        }
        if let Some(cursor) = cursor {
            query.append_pair("cursor", cursor);
        }
        let (took, body) = self.get(&query.finish())?;
        let body: Body<'_> = serde_json::from_str(&body)?;
        let (next, truncated) = (body.next_cursor, body.truncated);
        Ok(Page { took, records: body.records.len(), next, truncated })
    }
}
