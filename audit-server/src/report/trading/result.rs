//! The report as it stands in JSON.

use poem_openapi::Object;
use serde::Serialize;

use crate::report::{Header, Top};

/// What agents decided, what became of it, and which risks were taken. Times are in UTC; quantities, prices
/// and money are exact decimals.
#[derive(Debug, Clone, PartialEq, Serialize, Object)]
pub(crate) struct TradingReport {
    /// What the report is about.
    pub(crate) header: Header,
    /// Whose records it is of; `null` when it is of all.
    pub(crate) user_id: Option<String>,
    /// All of it.
    pub(crate) totals: TradeVolumes,
    /// The 100 agents with most records; of equals those with the least names. `null` when there are more
    /// than 100000.
    pub(crate) by_agent: Option<Top<NamedVolumes>>,
    /// The same by symbol.
    pub(crate) by_symbol: Option<Top<NamedVolumes>>,
    /// The same by side.
    pub(crate) by_side: Option<Top<NamedVolumes>>,
    /// The same by agent, symbol and side.
    pub(crate) by_agent_symbol_side: Option<Top<TradedVolumes>>,
    /// Whether there are more than 256 currencies: then no notionals are added and no largest trades are
    /// listed.
    pub(crate) too_many_currencies: bool,
    /// What became of orders; `null` when there are more than 2000000.
    pub(crate) orders: Option<OrderFigures>,
    /// Steps without a `correlation_id`, which belong to no order that is known.
    pub(crate) without_correlation: Uncorrelated,
    /// How certain agents were in `agent.decision`.
    pub(crate) agent_decisions: ConfidenceReport,
    /// How certain agents were in `trade.decision`.
    pub(crate) trade_decisions: ConfidenceReport,
    /// `risk.*`.
    pub(crate) risk: RiskReport,
    /// The largest executed trades of each currency.
    pub(crate) largest_trades: Vec<LargestTrades>,
}

/// `trade.decision`, `trade.executed` and `trade.cancelled`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Object)]
pub(crate) struct TradeVolumes {
    /// `trade.decision`
    pub(crate) decisions: TradeVolume,
    /// `trade.executed`
    pub(crate) executions: TradeVolume,
    /// `trade.cancelled`
    pub(crate) cancellations: TradeVolume,
}

/// How many, and how much.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Object)]
pub(crate) struct TradeVolume {
    /// How many that did not fail.
    pub(crate) count: u64,
    /// How many whose status is `failure`, `denied` or `error`: they are in no other figure.
    pub(crate) failed: u64,
    /// The sum of their quantities.
    pub(crate) quantity: String,
    /// How many of them say no quantity that can be read, or one of more than 38 digits.
    pub(crate) without_quantity: u64,
    /// The sums of their notionals by currency, in the order of the currencies' names. A notional is quantity
    /// times price, or the amount when one of these is not said.
    pub(crate) notionals: Vec<Money>,
    /// How many of them say no notional that can be read, or one of more than 38 digits.
    pub(crate) without_notional: u64,
}

/// Money of one currency.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Object)]
pub(crate) struct Money {
    /// The currency; `null` of records that name none.
    pub(crate) currency: Option<String>,
    /// How much.
    pub(crate) amount: String,
}

/// How much of an agent, a symbol or a side.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Object)]
pub(crate) struct NamedVolumes {
    /// The agent, symbol or side; `null` for records that name none.
    pub(crate) name: Option<String>,
    /// How much.
    pub(crate) volumes: TradeVolumes,
}

/// How much of an agent on one side of a symbol.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Object)]
pub(crate) struct TradedVolumes {
    /// The agent; `null` for records that name none.
    pub(crate) agent: Option<String>,
    /// The symbol; `null` for records that name none.
    pub(crate) symbol: Option<String>,
    /// The side; `null` for records that name none.
    pub(crate) side: Option<String>,
    /// How much.
    pub(crate) volumes: TradeVolumes,
}

/// What became of orders: all steps with one `correlation_id` that did not fail.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Object)]
pub(crate) struct OrderFigures {
    /// Orders with a decision: those executed, cancelled and open together.
    pub(crate) decided: u64,
    /// Of these, those with an execution.
    pub(crate) executed: u64,
    /// Of these, those with a cancellation and no execution.
    pub(crate) cancelled: u64,
    /// Of these, those with neither, so far.
    pub(crate) open: u64,
    /// Executed ones of those decided, with four digits; `null` when none was decided.
    pub(crate) execution_ratio: Option<String>,
    /// Orders with an execution and no decision in the window.
    pub(crate) executed_without_decision: u64,
    /// Orders with a cancellation, and neither decision nor execution in the window.
    pub(crate) cancelled_without_decision: u64,
    /// Orders whose first execution is before their first decision.
    pub(crate) executed_before_decision: u64,
    /// From the first decision to the first execution; `null` when no order has both.
    pub(crate) delay: Option<Delay>,
}

/// From decision to execution, in microseconds: each is the delay of an order, none is interpolated.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Object)]
#[oai(rename = "ExecutionDelay")]
pub(crate) struct Delay {
    /// The shortest; negative when an execution was before its decision.
    pub(crate) min_us: i64,
    /// The median.
    pub(crate) median_us: i64,
    /// Nine of ten are not longer.
    pub(crate) p90_us: i64,
    /// 99 of 100 are not longer.
    pub(crate) p99_us: i64,
    /// The longest.
    pub(crate) max_us: i64,
}

/// Steps without a `correlation_id`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Object)]
#[oai(rename = "UncorrelatedSteps")]
pub(crate) struct Uncorrelated {
    /// How many decisions.
    pub(crate) decisions: u64,
    /// How many executions.
    pub(crate) executions: u64,
    /// How many cancellations.
    pub(crate) cancellations: u64,
}

/// How certain agents were.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Object)]
pub(crate) struct ConfidenceReport {
    /// Over all; `null` when no record says it.
    pub(crate) overall: Option<ConfidenceFigures>,
    /// The 100 agents that said it most often; of equals those with the least names. `null` when there are
    /// more than 100000.
    pub(crate) by_agent: Option<Top<AgentConfidence>>,
    /// How many records say no confidence that can be read.
    pub(crate) without_confidence: u64,
}

/// How certain an agent was.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Object)]
pub(crate) struct AgentConfidence {
    /// The agent; `null` for records that name none.
    pub(crate) agent: Option<String>,
    /// How certain.
    pub(crate) confidence: ConfidenceFigures,
}

/// Confidences, as exact decimals.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Object)]
pub(crate) struct ConfidenceFigures {
    /// How many.
    pub(crate) count: u64,
    /// The least.
    pub(crate) min: String,
    /// The median, the lower of two; `null` when there are more than 2000000 in all.
    pub(crate) median: Option<String>,
    /// The mean, rounded to four digits.
    pub(crate) mean: String,
    /// The greatest.
    pub(crate) max: String,
}

/// `risk.*`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Object)]
pub(crate) struct RiskReport {
    /// How many.
    pub(crate) count: u64,
    /// All types, most frequent first.
    pub(crate) by_event_type: Vec<RiskType>,
    /// The 100 most frequent of an agent; of equals those with the least names. `null` when there are
    /// more than 100000.
    pub(crate) by_event_type_and_agent: Option<Top<AgentRisk>>,
    /// `risk.override`, the latest 50.
    pub(crate) overrides: Top<RiskOverride>,
}

/// A type of risk events.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Object)]
pub(crate) struct RiskType {
    /// The event type.
    pub(crate) event_type: String,
    /// How many.
    pub(crate) count: u64,
    /// How many of these have the status `failure`, `denied` or `error`.
    pub(crate) failed: u64,
}

/// A type of risk events of an agent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Object)]
pub(crate) struct AgentRisk {
    /// The event type.
    pub(crate) event_type: String,
    /// The agent; `null` for records that name none.
    pub(crate) agent: Option<String>,
    /// How many.
    pub(crate) count: u64,
    /// How many of these have the status `failure`, `denied` or `error`.
    pub(crate) failed: u64,
}

/// A limit that someone set aside.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Object)]
pub(crate) struct RiskOverride {
    /// The `id` of the record.
    pub(crate) id: String,
    /// When.
    pub(crate) timestamp: String,
    /// Who, when the record says so.
    pub(crate) user: Option<String>,
    /// Which agent, when the record says so.
    pub(crate) agent: Option<String>,
    /// Of what, when the record says so.
    pub(crate) symbol: Option<String>,
}

/// The largest trades of a currency.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Object)]
pub(crate) struct LargestTrades {
    /// The currency; `null` of records that name none.
    pub(crate) currency: Option<String>,
    /// The 20 with the greatest notional; of equals those with the least `id`. In all are those that say a
    /// notional.
    pub(crate) trades: Top<LargeTrade>,
}

/// An executed trade.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Object)]
pub(crate) struct LargeTrade {
    /// The `id` of the record.
    pub(crate) id: String,
    /// When.
    pub(crate) timestamp: String,
    /// Which agent, when the record says so.
    pub(crate) agent: Option<String>,
    /// Of what, when the record says so.
    pub(crate) symbol: Option<String>,
    /// `buy` or `sell`, when the record says so.
    pub(crate) side: Option<String>,
    /// How much, when the record says so.
    pub(crate) quantity: Option<String>,
    /// For how much each, when the record says so.
    pub(crate) price: Option<String>,
    /// For how much in all.
    pub(crate) notional: String,
}
