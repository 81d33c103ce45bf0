//! What the report asks of a trail.

use poem_openapi::Object;
use serde::Serialize;

use crate::{
    Error,
    filter::{Filter, TimeRange},
    query::TrailView,
    read_model::{Counted, Counting, Verdict},
    store::{Deadline, Order, QueryTimeout, Scan, Table},
};

/// Where the evidence comes from.
pub(crate) trait Evidence {
    /// How many records of that time match, exactly.
    ///
    /// # Errors
    /// When they cannot be counted, or not in time.
    fn count(&self, filter: &Filter, range: TimeRange) -> Result<u64, Error>;

    /// The lines of the newest records of that time that match, newest first, `most` at most.
    ///
    /// # Errors
    /// When they cannot be read, or not in time.
    fn newest(
        &self,
        filter: &Filter,
        range: TimeRange,
        most: usize,
    ) -> Result<Vec<Box<str>>, Error>;

    /// Whether the records of the window are those that were written.
    fn chain(&self) -> ChainVerdict;
}

/// Whether the chain of the window is intact.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Object)]
#[oai(rename = "ComplianceChain")]
pub(crate) struct ChainVerdict {
    /// Whether all that was checked is as it was written; absent when it is not known.
    pub(crate) intact: Option<bool>,
    /// How many faults were found, such as a record whose hash is not that of its line.
    pub(crate) faults: u64,
    /// How many stretches of sequence numbers are missing, and nothing says where they are.
    pub(crate) gaps: u64,
    /// How many records were checked.
    pub(crate) checked: u64,
    /// The same in a sentence, without a full stop.
    pub(crate) sentence: String,
    /// All that is known, stream by stream; absent when nobody follows the chain.
    pub(crate) verdict: Option<Verdict>,
}

/// The evidence in a trail, as it stands at one moment.
#[derive(Debug)]
pub(crate) struct TrailEvidence<'v> {
    pub(crate) view: &'v TrailView<'v>,
    pub(crate) deadline: Deadline,
    /// What is known of the chain.
    pub(crate) chain: ChainVerdict,
}

impl TrailEvidence<'_> {
    /// A single count of a small trail ends before it looks at the clock, and there are many.
    fn look_at_the_clock(&self) -> Result<(), Error> {
        if self.deadline.passed() { Err(QueryTimeout.into()) } else { Ok(()) }
    }
}

impl Evidence for TrailEvidence<'_> {
    fn count(&self, filter: &Filter, range: TimeRange) -> Result<u64, Error> {
        self.look_at_the_clock()?;
        let scan = scan(filter, range, 1);
        let count = self.view.count(&scan, Counting::Exact, self.deadline)?;
        match count.is {
            Counted::Exact => Ok(count.value),
            Counted::Estimate | Counted::AtLeast => Err(QueryTimeout.into()),
        }
    }

    fn newest(
        &self,
        filter: &Filter,
        range: TimeRange,
        most: usize,
    ) -> Result<Vec<Box<str>>, Error> {
        let mut lines = Vec::new();
        let mut after = None;
        loop {
            self.look_at_the_clock()?;
            let page = Scan { after, ..scan(filter, range, most - lines.len()) };
            let batch = self.view.scan(&page, self.deadline)?;
            lines.extend(batch.rows.into_iter().map(|row| row.line));
            if lines.len() >= most || batch.next.is_none() {
                return Ok(lines);
            }
            after = batch.next;
        }
    }

    fn chain(&self) -> ChainVerdict {
        self.chain.clone()
    }
}

fn scan(filter: &Filter, range: TimeRange, limit: usize) -> Scan<'_> {
    Scan { table: Table::Logs, order: Order::Desc, range, after: None, limit, filter }
}
