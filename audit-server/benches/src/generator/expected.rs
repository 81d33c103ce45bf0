//! What the records must say when they are counted: the generator's own books.
//!
//! They are kept from what the house did, not from what its records say: a [`Fact`] goes beside each
//! event and never through a line, a database or a reader. So a report that agrees with them did
//! not make the mistake that its reader made.

use std::collections::BTreeMap;

use audit_layer::record::Severity;

use super::{
    decimal::Decimal,
    event::{Event, Text},
};

/// What a report wants to know of an event, beside what every event has.
#[derive(Debug, Clone, Default)]
pub(crate) enum Fact {
    #[default]
    None,
    /// With the number of the episode of guessed passwords, when it is one of that.
    FailedLogin {
        user: Text,
        address: Text,
        episode: Option<u64>,
    },
    Denied {
        user: Text,
    },
    Risk,
    Decided {
        trade: u64,
    },
    Executed(Box<Trade>),
    Cancelled,
}

/// A trade that was executed.
#[derive(Debug, Clone)]
pub(crate) struct Trade {
    pub(crate) number: u64,
    pub(crate) agent: Text,
    pub(crate) symbol: Text,
    pub(crate) side: &'static str,
    pub(crate) quantity: Decimal,
    pub(crate) price: Decimal,
}

/// Someone tried one password after the other.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Episode {
    /// From there, and nobody else was ever there.
    pub address: String,
    /// How many `auth.failed`.
    pub attempts: u64,
    /// When it began, in microseconds since the Unix epoch.
    pub first: i64,
    /// When it ended.
    pub last: i64,
}

/// Of one kind of trades: how many, and sums in units of [`super::SUM_PLACES`] decimal places.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Traded {
    /// How many.
    pub count: u64,
    /// The sum of the quantities.
    pub quantity: i128,
    /// The sum of the products of quantity and price.
    pub notional: i128,
}

/// Agent, symbol and side of trades.
pub type TradeKind = (String, String, &'static str);

/// The figures over all events that arrived.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Expected {
    /// How many events.
    pub records: u64,
    /// Events by type, status (`""` for none) and severity.
    pub by_kind: BTreeMap<(&'static str, &'static str, Severity), u64>,
    /// Events by the hour in which they happened, counted from the Unix epoch.
    pub by_hour: BTreeMap<i64, u64>,
    /// `auth.failed` by user.
    pub failed_by_user: BTreeMap<String, u64>,
    /// `auth.failed` by address.
    pub failed_by_address: BTreeMap<String, u64>,
    /// `auth.permission_denied` by user.
    pub denied_by_user: BTreeMap<String, u64>,
    /// Who guessed passwords.
    pub episodes: BTreeMap<u64, Episode>,
    /// `trade.executed` by agent, symbol and side.
    pub trades: BTreeMap<TradeKind, Traded>,
    /// `risk.*` by type.
    pub risk: BTreeMap<&'static str, u64>,
    /// `trade.cancelled`.
    pub cancelled: u64,
    /// Events that arrived more than a minute after they happened.
    pub late: u64,
    /// When each trade was decided and executed, by its number.
    moments: BTreeMap<u64, (Option<i64>, Option<i64>)>,
}

impl Expected {
    /// Takes in an event that arrived, in microseconds since the Unix epoch.
    pub(crate) fn count(&mut self, event: &Event, arrived: i64) {
        self.records += 1;
        let kind = (event.event_type, event.status, event.severity);
        *self.by_kind.entry(kind).or_default() += 1;
        *self.by_hour.entry(event.timestamp.div_euclid(3_600_000_000)).or_default() += 1;
        self.late += u64::from(arrived - event.timestamp > 60_000_000);
        match &event.fact {
            Fact::None => {}
            Fact::FailedLogin { user, address, episode } => {
                if let Some(number) = episode {
                    let episode = self.episodes.entry(*number).or_default();
                    if episode.attempts == 0 {
                        (episode.address, episode.first) = (address.to_string(), event.timestamp);
                    }
                    (episode.attempts, episode.last) = (episode.attempts + 1, event.timestamp);
                }
                *self.failed_by_user.entry(user.to_string()).or_default() += 1;
                *self.failed_by_address.entry(address.to_string()).or_default() += 1;
            }
            Fact::Denied { user } => {
                *self.denied_by_user.entry(user.to_string()).or_default() += 1;
            }
            Fact::Risk => *self.risk.entry(event.event_type).or_default() += 1,
            Fact::Decided { trade } => {
                self.moments.entry(*trade).or_default().0 = Some(event.timestamp);
            }
            Fact::Cancelled => self.cancelled += 1,
            Fact::Executed(trade) => {
                self.moments.entry(trade.number).or_default().1 = Some(event.timestamp);
                let kind = (trade.agent.to_string(), trade.symbol.to_string(), trade.side);
                let traded = self.trades.entry(kind).or_default();
                traded.count += 1;
                traded.quantity += trade.quantity.scaled();
                traded.notional += trade.quantity.times(trade.price).scaled();
            }
        }
    }

    /// Of each trade whose decision and execution both arrived: its `correlation_id`, and the
    /// microseconds between the two.
    pub fn delays(&self) -> impl Iterator<Item = (String, i64)> {
        self.moments.iter().filter_map(|(number, moments)| {
            let (Some(decided), Some(executed)) = *moments else { return None };
            Some((correlation(*number), executed - decided))
        })
    }
}

/// The `correlation_id` of a trade.
pub(crate) fn correlation(number: u64) -> String {
    format!("trade-{number:08}")
}
