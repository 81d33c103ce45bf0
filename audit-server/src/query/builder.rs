//! Questions from Rust, without a server between.
//!
//! What a builder collects goes the way of a request: every value is read as the parameter of its
//! name, and is refused with the same error. So there is one set of rules, and a cursor that the
//! HTTP API gave out goes on here and the other way round.

use std::{
    fmt::Display,
    path::PathBuf,
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use audit_layer::{
    keyring::Keyring,
    record::{Classification, Severity, format_timestamp},
};

use super::{
    InvalidValue, Query, Records, Sight, Trail, View,
    asked::{Asked, Relation},
    trail_page,
};
use crate::{
    Error,
    filter::{Comparison, Field, Opener},
    read_model::{Counting, ReadModel},
    store::{DatabaseStore, Deadline, Table},
};

/// The longest that [`AuditQuery::execute`] takes when [`AuditQuery::deadline`] says nothing else.
pub const DEFAULT_DEADLINE: Duration = Duration::from_secs(2);

/// A trail: the SQLite database that `audit-layer` writes. It is read and never written.
#[derive(Debug)]
pub struct AuditStore {
    trail: Trail,
    keyring: Option<Arc<Keyring>>,
}

impl AuditStore {
    /// Names the trail. Nothing is opened before a query is executed, which then says what is
    /// wrong; the file may appear, be moved or be restored meanwhile. Its connections are kept for
    /// later queries: open a trail once and share it.
    #[must_use]
    pub fn open(path: impl Into<PathBuf>) -> Self {
        Self { trail: Trail::new(Arc::new(DatabaseStore::new(path)), None), keyring: None }
    }

    /// Lets queries be led by the read model that a server keeps at that path. Without it, or when
    /// it cannot be read, the trail is walked, and the answers are the same. Default: none.
    #[must_use]
    pub fn read_model(self, path: impl Into<PathBuf>) -> Self {
        Self { trail: self.trail.led_by(ReadModel::new(path)), ..self }
    }

    /// Opens what was sealed with the keys of this keyring: it stands in the records in clear, those that are erased as
    /// `[erased]`, and is found by what it says, by equality. Default: none, and the marks stand there.
    ///
    /// Nobody records that it was read: whoever calls this does.
    #[must_use]
    pub fn keyring(self, keyring: Arc<Keyring>) -> Self {
        Self { keyring: Some(keyring), ..self }
    }
}

/// Which end of time comes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum OrderByTime {
    /// Oldest first.
    Ascending,
    /// Newest first.
    Descending,
}

/// A question about a trail: every condition that is set must hold. Without any it asks for the
/// newest 100 records.
///
/// Mistakes are told of by [`execute`](Self::execute), with the name that the parameter has in the
/// HTTP API. A condition that is set twice is one of them, but for event types and negations.
///
/// ```no_run
/// use std::time::{Duration, SystemTime};
///
/// use audit_layer::record::Severity;
/// use audit_server::{AuditQuery, AuditStore, OrderByTime::Descending};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let trail = AuditStore::open("var/audit/audit.db");
/// let now = SystemTime::now();
/// let query = AuditQuery::new(&trail)
///     .time_range(now - Duration::from_secs(86_400), now)
///     .event_types(["auth.*"])
///     .user("u-1")
///     .severity(Severity::Warning)
///     .order_by_time(Descending)
///     .limit(100);
/// let mut page = query.clone().execute()?;
/// loop {
///     for line in &page.records {
///         let record = line.parse()?;
///         println!("{} {}", record.timestamp, record.event_type);
///     }
///     let Some(cursor) = page.next_cursor else { break };
///     page = query.clone().cursor(cursor).execute()?;
/// }
/// # Ok(()) }
/// ```
#[derive(Debug, Clone)]
#[must_use = "a query does nothing until it is executed"]
pub struct AuditQuery<'s> {
    store: &'s AuditStore,
    given: Vec<Given>,
    deadline: Duration,
}

#[derive(Debug, Clone)]
enum Given {
    /// As in a query string.
    Parameter { name: String, value: String },
    /// A name that may have any characters, also those of operators.
    Condition { name: String, relation: Relation, value: String },
}

/// Methods that set the parameter of the HTTP API.
macro_rules! texts {
    ($($(#[$doc:meta])* $method:ident = $name:literal),+ $(,)?) => {
        $(
            $(#[$doc])*
            pub fn $method(self, text: impl Into<String>) -> Self {
                self.parameter($name, text)
            }
        )+
    };
}

impl<'s> AuditQuery<'s> {
    /// Asks that trail.
    pub fn new(store: &'s AuditStore) -> Self {
        Self { store, given: Vec::new(), deadline: DEFAULT_DEADLINE }
    }

    texts! {
        /// Only records of this category, the part of the event type before the first dot.
        category = "category",
        /// Only records of this level, `TRACE` to `ERROR`, in upper or lower case.
        level = "level",
        /// Only records with this status.
        status = "status",
        /// Only records of this action.
        action = "action",
        /// Only records of the user with this id.
        user = "user_id",
        /// Only records of the user of this name.
        username = "username",
        /// Only records of requests from this address.
        ip_address = "ip_address",
        /// Only records of this request.
        request_id = "request_id",
        /// Only records of this business transaction.
        correlation_id = "correlation_id",
        /// Only records of this session.
        session_id = "session_id",
        /// Only records of this distributed trace.
        trace_id = "trace_id",
        /// Only records of this span of a trace.
        span_id = "span_id",
        /// Only records of this stream, the gapless sequence of one writer.
        stream = "stream",
        /// Only records whose event had this target.
        logger = "logger",
        /// Only records of the call at this `file:line`.
        source = "source",
        /// Only records that acted upon this.
        resource = "resource",
        /// Only records of this tenant.
        tenant = "tenant",
        /// Only records whose `regulatory_flags` have this member, and not as `false` or `null`.
        regulation = "regulation",
        /// Full text: only records whose message and `details` have all of these words,
        /// `"phrases"` and `beginnings*`, in upper or lower case.
        matching_text = "q",
        /// Only records for which this expression holds, as `filter=` of the HTTP API takes it:
        /// `details.amount > 1000 AND NOT user_id = "svc"`. It is one more condition beside the
        /// others, and says what no method here says.
        filter = "filter",
        /// Goes on where a page ended: its `next_cursor`. Everything else but the limit and the
        /// deadline must be set as it was for that page.
        cursor = "cursor",
    }

    /// Only records between these times, both of them included. Takes [`SystemTime`] and what turns
    /// into one, as the times of the crates `time` and `chrono` do; a record's time is in
    /// microseconds. Times beyond the years 0 to 9999 are taken for the ends of those.
    pub fn time_range(self, from: impl Into<SystemTime>, to: impl Into<SystemTime>) -> Self {
        // What is finer than a microsecond must not let a record in that lies outside.
        let from = from.into();
        let from = floor_micros(from.checked_add(Duration::from_nanos(999)).unwrap_or(from));
        self.parameter("start_date", format_timestamp(from))
            .parameter("end_date", format_timestamp(floor_micros(to.into())))
    }

    /// Only records of any of these event types; `auth.*` is all that begin so.
    pub fn event_types<T: Into<String>>(self, types: impl IntoIterator<Item = T>) -> Self {
        types.into_iter().fold(self, |query, name| query.parameter("event_type", name))
    }

    /// Only records at least as grave as this.
    pub fn severity(self, least: Severity) -> Self {
        self.parameter("severity", least.as_str())
    }

    /// Only records that concern data of exactly this classification.
    pub fn data_classification(self, classification: Classification) -> Self {
        self.parameter("data_classification", classification.as_str())
    }

    /// Only records of work that took so long at least, in whole microseconds.
    pub fn duration_at_least(self, least: Duration) -> Self {
        self.condition("duration_us", Relation::Compares(Comparison::AtLeast), least.as_micros())
    }

    /// Only records of work that took so long at most, in whole microseconds.
    pub fn duration_at_most(self, most: Duration) -> Self {
        self.condition("duration_us", Relation::Compares(Comparison::AtMost), most.as_micros())
    }

    /// Only records with this leaf of `details`. Nested names are joined with dots; of an array any
    /// item may match.
    pub fn details(self, name: impl Display, value: impl Display) -> Self {
        self.condition(format!("details.{name}"), Relation::Is, value)
    }

    /// Only records where this leaf of `details` is a number, also one in a string, of at least
    /// this. Compared as decimals, exactly: write money as text, as in `"1250.00"`.
    pub fn details_at_least(self, name: impl Display, number: impl Display) -> Self {
        let relation = Relation::Compares(Comparison::AtLeast);
        self.condition(format!("details.{name}"), relation, number)
    }

    /// Only records where this leaf of `details` is a number of at most this.
    pub fn details_at_most(self, name: impl Display, number: impl Display) -> Self {
        let relation = Relation::Compares(Comparison::AtMost);
        self.condition(format!("details.{name}"), relation, number)
    }

    /// Only records where this is not so: `not("status", "success")`. The name is that of a member,
    /// `details.<name>` or `regulatory_flags.<name>`. A record without it is one of those; may be
    /// repeated.
    pub fn not(self, name: impl Into<String>, value: impl Display) -> Self {
        self.condition(name, Relation::IsNot, value)
    }

    /// In the order of time; the default is newest first.
    pub fn order_by_time(self, order: OrderByTime) -> Self {
        self.parameter(
            "order",
            match order {
                OrderByTime::Ascending => "asc",
                OrderByTime::Descending => "desc",
            },
        )
    }

    /// Counts the records that match in all, as far as the deadline allows. Default: they are not
    /// counted.
    pub fn count(self, counting: Counting) -> Self {
        self.parameter("count", counting.as_str())
    }

    /// In the order in which the database received the records, which can be followed: there always
    /// is a next cursor, and it leads on to what arrives later.
    pub fn order_by_arrival(self) -> Self {
        self.parameter("order", "arrival")
    }

    /// The most records of a page, 1 to 1000. Default: 100.
    pub fn limit(self, records: usize) -> Self {
        self.parameter("limit", records.to_string())
    }

    /// The longest that the query may take. Default: [`DEFAULT_DEADLINE`]. A page that is cut
    /// short by it is `truncated`, and its cursor goes on from there.
    pub fn deadline(mut self, time: Duration) -> Self {
        self.deadline = time;
        self
    }

    /// Any parameter of the HTTP API.
    pub(crate) fn parameter(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.given.push(Given::Parameter { name: name.into(), value: value.into() });
        self
    }

    fn condition(
        mut self,
        name: impl Into<String>,
        relation: Relation,
        value: impl Display,
    ) -> Self {
        let value = value.to_string();
        self.given.push(Given::Condition { name: name.into(), relation, value });
        self
    }

    /// Reads one page. Blocks, for as long as the deadline allows: in async code it belongs into
    /// `spawn_blocking`.
    ///
    /// # Errors
    /// [`Error::InvalidValue`] and its like when the question cannot be read,
    /// [`Error::DatabaseMissing`] and its like when the trail cannot, [`Error::QueryTimeout`] when
    /// the deadline passes before a single record was looked at.
    pub fn execute(self) -> Result<Records, Error> {
        let asked = self.given.iter().map(Given::asked);
        let sight = match &self.store.keyring {
            Some(keyring) => Sight::default().opening(Arc::new(Opener::new(keyring.clone()))),
            None => Sight::default(),
        };
        let query = Query::of(View::Database(Table::Logs), asked, &sight)?;
        let page = trail_page(&self.store.trail, &query, Deadline::after(self.deadline))?;
        sight.check()?;
        let shown = sight.opener().and_then(Opener::take_shown);
        Ok(Records { shown, ..page.into() })
    }
}

impl Given {
    fn asked(&self) -> Result<Asked<'_>, Error> {
        match self {
            Self::Parameter { name, value } => Asked::read(name, value),
            Self::Condition { name, relation, value } => {
                let field: Field = name.parse().map_err(|reason| InvalidValue {
                    name: name.chars().take(64).collect(),
                    reason,
                })?;
                Ok(Asked::Condition { field, relation: *relation, value })
            }
        }
    }
}

fn floor_micros(time: SystemTime) -> i64 {
    let micros = match time.duration_since(UNIX_EPOCH) {
        Ok(since) => i128::try_from(since.as_micros()),
        Err(before) => i128::try_from(before.duration().as_nanos().div_ceil(1000)).map(|n| -n),
    };
    micros.ok().and_then(|micros| i64::try_from(micros).ok()).unwrap_or(i64::MAX)
}
