//! One client of the server, on one connection that is kept open.

use std::time::{Duration, Instant};

use serde::Deserialize;
use serde_json::value::RawValue;

use super::{Outcome, questions::Asked};

/// Where the members behind the records begin. A cursor has no quotes in it, so that the last is it.
const END_OF_RECORDS: &str = "],\"next_cursor\":";

/// Records of a page.
pub(crate) const LIMIT: usize = 100;

/// Asks, and takes the time.
#[derive(Debug)]
pub(crate) struct Client {
    agent: ureq::Agent,
    base: String,
    key: String,
    /// Whether each page is parsed whole, and its records are counted. Of many clients on the machine
    /// of the server only the end of a page is: what they do takes time from what is measured.
    whole: bool,
}

/// A page as far as it matters here.
#[derive(Debug, Deserialize)]
struct Body<'b> {
    #[serde(borrow, default)]
    records: Vec<&'b RawValue>,
    next_cursor: Option<String>,
    truncated: bool,
}

/// A page that was answered.
#[derive(Debug)]
pub(crate) struct Page {
    pub(crate) took: Duration,
    /// None were counted when only its end was parsed.
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
        let base = base.trim_end_matches('/').to_owned();
        Self { agent, base, key: key.to_owned(), whole: true }
    }

    /// One of many: see [`Self::whole`].
    pub(crate) fn of_many(base: &str, key: &str) -> Self {
        Self { whole: false, ..Self::new(base, key) }
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
        let (took, mut body) = self.get(&query.finish())?;
        let read: Body<'_> = if self.whole {
            serde_json::from_str(&body)?
        } else {
            let end = body.rfind(END_OF_RECORDS).ok_or("a page without an end")?;
            // From the comma on, with the brace of an object in its place.
            body.replace_range(..=end + 1, "{");
            serde_json::from_str(&body)?
        };
        let (next, truncated) = (read.next_cursor, read.truncated);
        Ok(Page { took, records: read.records.len(), next, truncated })
    }
}
