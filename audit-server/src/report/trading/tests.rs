//! The figures of a whole report, made a second time from the lines themselves: so it is one file, however
//! long.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet},
};

use bigdecimal::{BigDecimal, RoundingMode, num_bigint::Sign};
use proptest::prelude::*;
use serde_json::{Map, Value, json};

use super::*;
use crate::{
    fact::{Legend, testing::Lines},
    report::{
        Top,
        completeness::{assert_complete, header},
    },
};

const SECOND: i64 = 1_000_000;
const ALL: TimeRange = TimeRange { from: 0, to: 1_000_000 * SECOND };

fn report_of(lines: &Lines, range: TimeRange, size: usize, mut trading: Trading) -> TradingReport {
    let mut legend = Legend::default();
    lines.fold(range, size, &mut legend, &mut trading);
    let mut texts = lines.texts(&legend);
    trading.finish(&legend, &mut texts, header())
}

fn report(lines: &Lines, range: TimeRange, size: usize) -> TradingReport {
    report_of(lines, range, size, Trading::new(range, None))
}

/// A record as the test sees it: its details as they stand in the line.
#[derive(Debug, Clone)]
struct Seen {
    at: i64,
    id: String,
    event_type: String,
    failed: bool,
    user: Option<String>,
    correlation: Option<String>,
    details: Map<String, Value>,
}

fn seen(lines: &Lines, range: TimeRange) -> Vec<Seen> {
    let mut all = Vec::new();
    for (at, record) in lines.all() {
        let text = |text: &Option<std::borrow::Cow<'_, str>>| text.as_deref().map(str::to_owned);
        let details = record.details.map(|details| serde_json::from_str(details.get()).unwrap());
        all.push(Seen {
            at,
            id: record.id.to_string(),
            event_type: record.event_type.to_string(),
            failed: ["failure", "denied", "error"]
                .contains(&text(&record.status).unwrap_or_default().as_str()),
            user: text(&record.user_id),
            correlation: text(&record.correlation_id),
            details: details.unwrap_or_default(),
        });
    }
    all.retain(|seen| range.contains(seen.at));
    all
}

impl Seen {
    fn word(&self, name: &str) -> Option<String> {
        self.details.get(name).map(|value| value.as_str().unwrap().to_owned())
    }

    fn agent(&self) -> Option<String> {
        self.word("agent").or(self.user.clone())
    }

    fn number(&self, name: &str) -> Option<BigDecimal> {
        let text = match self.details.get(name)? {
            Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        text.parse().ok()
    }

    fn notional(&self) -> Option<BigDecimal> {
        match (self.number("quantity"), self.number("price")) {
            (Some(quantity), Some(price)) => Some(quantity * price),
            _ => self.number("amount"),
        }
    }
}

fn plain(number: &BigDecimal) -> String {
    if number.sign() == Sign::NoSign {
        return "0".to_owned();
    }
    number.normalized().to_plain_string()
}

fn volume(all: &[&Seen], event_type: &str) -> TradeVolume {
    let those: Vec<_> = all.iter().filter(|seen| seen.event_type == event_type).collect();
    let good: Vec<_> = those.iter().filter(|seen| !seen.failed).collect();
    let mut notionals = BTreeMap::<Option<String>, BigDecimal>::new();
    for seen in &good {
        if let Some(notional) = seen.notional() {
            *notionals.entry(seen.word("currency")).or_default() += notional;
        }
    }
    let quantity: BigDecimal = good.iter().filter_map(|seen| seen.number("quantity")).sum();
    TradeVolume {
        count: good.len() as u64,
        failed: (those.len() - good.len()) as u64,
        quantity: plain(&quantity),
        without_quantity: good.iter().filter(|seen| seen.number("quantity").is_none()).count()
            as u64,
        notionals: notionals
            .into_iter()
            .map(|(currency, amount)| Money { currency, amount: plain(&amount) })
            .collect(),
        without_notional: good.iter().filter(|seen| seen.notional().is_none()).count() as u64,
    }
}

fn volumes(all: &[&Seen]) -> TradeVolumes {
    TradeVolumes {
        decisions: volume(all, "trade.decision"),
        executions: volume(all, "trade.executed"),
        cancellations: volume(all, "trade.cancelled"),
    }
}

fn is_step(seen: &Seen) -> bool {
    ["trade.decision", "trade.executed", "trade.cancelled"].contains(&seen.event_type.as_str())
}

fn grouped<K: Ord>(all: &[Seen], key: impl Fn(&Seen) -> K) -> Vec<(K, TradeVolumes)> {
    let mut groups = BTreeMap::<K, Vec<&Seen>>::new();
    for seen in all.iter().filter(|seen| is_step(seen)) {
        groups.entry(key(seen)).or_default().push(seen);
    }
    let mut groups: Vec<_> = groups.into_iter().collect();
    groups.sort_by_key(|(_, group)| Reverse(group.len()));
    groups.into_iter().map(|(key, group)| (key, volumes(&group))).collect()
}

fn by_name(all: &[Seen], key: impl Fn(&Seen) -> Option<String>) -> Option<Top<NamedVolumes>> {
    let groups = grouped(all, key);
    let total = groups.len() as u64;
    let items = groups.into_iter().take(100).map(|(name, volumes)| NamedVolumes { name, volumes });
    Some(Top { items: items.collect(), total })
}

fn orders(all: &[Seen]) -> OrderFigures {
    let correlations: BTreeSet<&String> =
        all.iter().filter_map(|seen| seen.correlation.as_ref()).collect();
    let mut figures = OrderFigures::default();
    let mut delays = Vec::new();
    for correlation in correlations {
        let first = |event_type: &str| {
            let those = all.iter().filter(|seen| {
                seen.correlation.as_ref() == Some(correlation)
                    && seen.event_type == event_type
                    && !seen.failed
            });
            those.map(|seen| seen.at).min()
        };
        let cancelled = first("trade.cancelled").is_some();
        match (first("trade.decision"), first("trade.executed")) {
            (Some(decided), Some(executed)) => {
                figures.executed += 1;
                figures.executed_before_decision += u64::from(executed < decided);
                delays.push(executed - decided);
            }
            (Some(_), None) if cancelled => figures.cancelled += 1,
            (Some(_), None) => figures.open += 1,
            (None, Some(_)) => figures.executed_without_decision += 1,
            (None, None) => figures.cancelled_without_decision += u64::from(cancelled),
        }
    }
    figures.decided = figures.executed + figures.cancelled + figures.open;
    if figures.decided > 0 {
        let ratio = BigDecimal::from(figures.executed) / BigDecimal::from(figures.decided);
        let ratio = ratio.with_scale_round(4, RoundingMode::HalfUp);
        figures.execution_ratio = Some(ratio.to_plain_string());
    }
    delays.sort_unstable();
    // The least value of which at least so many percent of all are not above.
    let percentile = |percent: usize| {
        let enough = |value: &&i64| {
            let below = delays.iter().filter(|delay| delay <= value).count();
            below * 100 >= percent * delays.len()
        };
        *delays.iter().find(enough).unwrap()
    };
    figures.delay = (!delays.is_empty()).then(|| Delay {
        min_us: delays[0],
        median_us: percentile(50),
        p90_us: percentile(90),
        p99_us: percentile(99),
        max_us: delays[delays.len() - 1],
    });
    figures
}

fn confidence_figures(all: &[&Seen]) -> Option<ConfidenceFigures> {
    let mut values: Vec<BigDecimal> =
        all.iter().filter_map(|seen| seen.number("confidence")).collect();
    values.sort();
    let sum: BigDecimal = values.iter().sum();
    let mean = sum / BigDecimal::from((values.len() as u64).max(1));
    Some(ConfidenceFigures {
        count: values.len() as u64,
        min: plain(values.first()?),
        median: Some(plain(&values[(values.len() - 1) / 2])),
        mean: mean.with_scale_round(4, RoundingMode::HalfUp).to_plain_string(),
        max: plain(values.last()?),
    })
}

fn confidence(all: &[Seen], event_type: &str) -> ConfidenceReport {
    let those: Vec<&Seen> = all.iter().filter(|seen| seen.event_type == event_type).collect();
    let mut groups = BTreeMap::<Option<String>, Vec<&Seen>>::new();
    let said = || those.iter().filter(|seen| seen.number("confidence").is_some());
    said().for_each(|seen| groups.entry(seen.agent()).or_default().push(seen));
    let mut groups: Vec<_> = groups.into_iter().collect();
    groups.sort_by_key(|(_, group)| Reverse(group.len()));
    let total = groups.len() as u64;
    let items = groups.into_iter().map(|(agent, group)| AgentConfidence {
        agent,
        confidence: confidence_figures(&group).unwrap(),
    });
    ConfidenceReport {
        overall: confidence_figures(&those),
        by_agent: Some(Top { items: items.collect(), total }),
        without_confidence: (those.len() - said().count()) as u64,
    }
}

fn risk(all: &[Seen]) -> RiskReport {
    let those = || all.iter().filter(|seen| seen.event_type.starts_with("risk."));
    let mut types = BTreeMap::<String, (u64, u64)>::new();
    let mut agents = BTreeMap::<(String, Option<String>), (u64, u64)>::new();
    for seen in those() {
        for counts in [
            types.entry(seen.event_type.clone()).or_default(),
            agents.entry((seen.event_type.clone(), seen.agent())).or_default(),
        ] {
            *counts = (counts.0 + 1, counts.1 + u64::from(seen.failed));
        }
    }
    let mut by_event_type: Vec<RiskType> = types
        .into_iter()
        .map(|(event_type, (count, failed))| RiskType { event_type, count, failed })
        .collect();
    by_event_type.sort_by_key(|item| Reverse(item.count));
    let mut by_agent: Vec<AgentRisk> = agents
        .into_iter()
        .map(|((event_type, agent), (count, failed))| AgentRisk {
            event_type,
            agent,
            count,
            failed,
        })
        .collect();
    by_agent.sort_by_key(|item| Reverse(item.count));
    let total = by_agent.len() as u64;
    let mut overrides: Vec<&Seen> =
        those().filter(|seen| seen.event_type == "risk.override").collect();
    overrides.sort_by_key(|seen| (Reverse(seen.at), seen.id.clone()));
    let overridden = overrides.len() as u64;
    let items = overrides.into_iter().take(50).map(|seen| RiskOverride {
        id: seen.id.clone(),
        timestamp: audit_layer::record::format_timestamp(seen.at),
        user: seen.user.clone(),
        agent: seen.agent(),
        symbol: seen.word("symbol"),
    });
    RiskReport {
        count: those().count() as u64,
        by_event_type,
        by_event_type_and_agent: Some(Top { items: by_agent, total }),
        overrides: Top { items: items.collect(), total: overridden },
    }
}

fn largest(all: &[Seen]) -> Vec<LargestTrades> {
    let mut currencies = BTreeMap::<Option<String>, Vec<&Seen>>::new();
    for seen in all.iter().filter(|seen| seen.event_type == "trade.executed" && !seen.failed) {
        if seen.notional().is_some() {
            currencies.entry(seen.word("currency")).or_default().push(seen);
        }
    }
    let of = |(currency, mut trades): (_, Vec<&Seen>)| {
        trades.sort_by_key(|seen| (Reverse(seen.notional()), seen.id.clone()));
        let total = trades.len() as u64;
        let items = trades.into_iter().take(20).map(|seen| LargeTrade {
            id: seen.id.clone(),
            timestamp: audit_layer::record::format_timestamp(seen.at),
            agent: seen.agent(),
            symbol: seen.word("symbol"),
            side: seen.word("side"),
            quantity: seen.number("quantity").map(|number| plain(&number)),
            price: seen.number("price").map(|number| plain(&number)),
            notional: plain(&seen.notional().unwrap()),
        });
        LargestTrades { currency, trades: Top { items: items.collect(), total } }
    };
    currencies.into_iter().map(of).collect()
}

fn naive(lines: &Lines, range: TimeRange) -> TradingReport {
    let all = seen(lines, range);
    let steps: Vec<&Seen> = all.iter().filter(|seen| is_step(seen)).collect();
    let uncorrelated = |event_type: &str| {
        let those = steps.iter().filter(|seen| seen.event_type == event_type && !seen.failed);
        those.filter(|seen| seen.correlation.is_none()).count() as u64
    };
    let all_three = grouped(&all, |seen| (seen.agent(), seen.word("symbol"), seen.word("side")));
    let total = all_three.len() as u64;
    let items = all_three
        .into_iter()
        .take(100)
        .map(|((agent, symbol, side), volumes)| TradedVolumes { agent, symbol, side, volumes });
    TradingReport {
        header: header(),
        user_id: None,
        totals: volumes(&steps),
        by_agent: by_name(&all, Seen::agent),
        by_symbol: by_name(&all, |seen| seen.word("symbol")),
        by_side: by_name(&all, |seen| seen.word("side")),
        by_agent_symbol_side: Some(Top { items: items.collect(), total }),
        too_many_currencies: false,
        orders: Some(orders(&all)),
        without_correlation: Uncorrelated {
            decisions: uncorrelated("trade.decision"),
            executions: uncorrelated("trade.executed"),
            cancellations: uncorrelated("trade.cancelled"),
        },
        agent_decisions: confidence(&all, "agent.decision"),
        trade_decisions: confidence(&all, "trade.decision"),
        risk: risk(&all),
        largest_trades: largest(&all),
    }
}

fn number() -> impl Strategy<Value = Option<Value>> {
    prop_oneof![
        1 => Just(None),
        1 => Just(Some(json!("much"))),
        1 => Just(Some(json!("9999999999999999999"))),
        2 => (0_u32..100).prop_map(|number| Some(json!(number))),
        2 => "-?[0-9]{1,6}(\\.[0-9]{1,6})?".prop_map(|text| Some(json!(text))),
    ]
}

fn word(words: &'static [&'static str]) -> impl Strategy<Value = Option<Value>> {
    prop::sample::select(words).prop_map(|word| (!word.is_empty()).then(|| json!(word)))
}

/// Event type, time in seconds, and members.
type Made = (&'static str, i64, Value);

fn made() -> impl Strategy<Value = Made> {
    let event_type = prop::sample::select(vec![
        "trade.decision",
        "trade.executed",
        "trade.cancelled",
        "agent.decision",
        "risk.alert",
        "risk.override",
        "data.read",
        "financial.deposit",
    ]);
    let words = (
        word(&["", "momentum", "arbitrage"]),
        word(&["", "ACME", "QUUX"]),
        word(&["", "buy", "sell"]),
        word(&["", "EUR", "USD"]),
    );
    let numbers = (number(), number(), number(), number());
    let members = (
        word(&["", "success", "success", "denied", "failure", "error", "pending"]),
        word(&["", "u-1", "u-2"]),
        word(&["", "o-1", "o-2", "o-3", "o-4", "o-5", "o-6", "o-7"]),
        word(&["info", "warning"]),
    );
    (event_type, 0_i64..200, words, numbers, members).prop_map(
        |(event_type, at, words, numbers, members)| {
            let (agent, symbol, side, currency) = words;
            let (quantity, price, amount, confidence) = numbers;
            let (status, user, correlation, severity) = members;
            let set = |named: [(&str, Option<Value>); 8]| -> Map<String, Value> {
                let said = named.into_iter().filter_map(|(name, value)| Some((name, value?)));
                said.map(|(name, value)| (name.to_owned(), value)).collect()
            };
            let details = set([
                ("agent", agent),
                ("symbol", symbol),
                ("side", side),
                ("currency", currency),
                ("quantity", quantity),
                ("price", price),
                ("amount", amount),
                ("confidence", confidence),
            ]);
            let members = set([
                ("status", status),
                ("user_id", user),
                ("correlation_id", correlation),
                ("severity", severity),
                ("details", Some(Value::Object(details))),
                ("a", None),
                ("b", None),
                ("c", None),
            ]);
            (event_type, at, Value::Object(members))
        },
    )
}

fn lines(made: &[Made]) -> Lines {
    let mut lines = Lines::default();
    for (event_type, at, members) in made {
        lines.push(at * SECOND, event_type, members.clone());
    }
    lines
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(192))]

    #[test]
    fn the_figures_are_those_that_the_records_give(
        made in prop::collection::vec(made(), 0..120), from in 0_i64..60, size in 1_usize..40,
        parts in 0_usize..9)
    {
        let lines = lines(&made);
        let range = TimeRange { from: from * SECOND, to: 180 * SECOND };
        let mut trading = Trading::new(range, None);
        trading.most_parts = parts;
        prop_assert_eq!(report_of(&lines, range, size, trading), naive(&lines, range));
    }

    #[test]
    fn bounds_leave_the_same_out_whatever_the_calls(
        made in prop::collection::vec(made(), 0..120), size in 1_usize..20, most in 0_usize..6)
    {
        let lines = lines(&made);
        let bounded = |size| {
            report_of(&lines, ALL, size, Trading::with_most(ALL, None, most, most, most))
        };
        prop_assert_eq!(bounded(size), bounded(1000));
    }
}

fn trade(event_type: &str, at: i64, correlation: &str, details: impl Into<Value>) -> Made {
    let details = details.into();
    let event_type = ["trade.decision", "trade.executed", "trade.cancelled"]
        .into_iter()
        .find(|known| *known == event_type)
        .unwrap();
    (event_type, at, json!({ "correlation_id": correlation, "details": details }))
}

#[test]
fn sums_are_exact_beyond_the_integers_of_the_machine() {
    let large = json!({ "quantity": "1", "price": "99999999999999999999999999999999999999" });
    let made: Vec<Made> =
        (0..5).map(|at| trade("trade.executed", at, "o-1", large.clone())).collect();
    let executions = report(&lines(&made), ALL, 2).totals.executions;
    let amount = "499999999999999999999999999999999999995".to_owned();
    assert_eq!(executions.notionals, [Money { currency: None, amount }]);
    assert_eq!(executions.quantity, "5");
}

#[test]
fn currencies_are_never_added_to_each_other() {
    let of = |currency: &str, amount: &str| json!({ "currency": currency, "amount": amount });
    let made = [
        trade("trade.executed", 1, "o-1", of("USD", "1.10")),
        trade("trade.executed", 2, "o-2", of("EUR", "2.20")),
        trade("trade.executed", 3, "o-3", json!({ "amount": "4.40" })),
        trade("trade.executed", 4, "o-4", of("EUR", "0.05")),
    ];
    let report = report(&lines(&made), ALL, 1);
    let money = |currency: Option<&str>, amount: &str| Money {
        currency: currency.map(str::to_owned),
        amount: amount.to_owned(),
    };
    let expected = [money(None, "4.4"), money(Some("EUR"), "2.25"), money(Some("USD"), "1.1")];
    assert_eq!(report.totals.executions.notionals, expected);
    assert_eq!(report.totals.executions.without_quantity, 4);
    assert_eq!(report.largest_trades.len(), 3);
}

#[test]
fn an_order_is_paired_however_late_its_decision_arrives() {
    let nothing = || json!({});
    let made = [
        trade("trade.executed", 50, "late", nothing()),
        trade("trade.executed", 7, "early", nothing()),
        trade("trade.executed", 90, "late", nothing()),
        trade("trade.decision", 10, "late", nothing()),
        trade("trade.decision", 30, "late", nothing()),
        trade("trade.decision", 9, "early", nothing()),
        trade("trade.decision", 11, "open", nothing()),
        trade("trade.cancelled", 12, "dropped", nothing()),
        trade("trade.decision", 11, "dropped", nothing()),
    ];
    for size in [1, 2, 9] {
        let orders = report(&lines(&made), ALL, size).orders.unwrap();
        let counts = [orders.decided, orders.executed, orders.cancelled, orders.open];
        assert_eq!(counts, [4, 2, 1, 1]);
        assert_eq!(orders.executed_before_decision, 1);
        assert_eq!(orders.execution_ratio.as_deref(), Some("0.5000"));
        let delay = orders.delay.unwrap();
        assert_eq!((delay.min_us, delay.max_us), (-2 * SECOND, 40 * SECOND));
    }
}

#[test]
fn a_step_that_failed_adds_nothing_to_what_was_traded() {
    let mut failed = trade("trade.executed", 1, "o-1", json!({ "quantity": 5, "amount": "7" }));
    failed.2["status"] = json!("error");
    let report = report(&lines(&[failed]), ALL, 1);
    let executions = report.totals.executions;
    assert_eq!((executions.count, executions.failed, &*executions.quantity), (0, 1, "0"));
    assert!(executions.notionals.is_empty() && report.largest_trades.is_empty());
    assert_eq!(report.orders, Some(OrderFigures::default()));
}

#[test]
fn what_is_too_much_is_left_out_wholly_and_told() {
    let of = |at: i64| {
        let details = json!({ "currency": format!("C{at}"), "amount": "1", "confidence": "0.5" });
        trade("trade.decision", at, &format!("o-{at}"), details)
    };
    let made: Vec<Made> = (0..3).map(of).collect();
    let with =
        |most| report_of(&lines(&made), ALL, 2, Trading::with_most(ALL, None, 9, most, most));
    let enough = with(3);
    assert!(!enough.too_many_currencies);
    assert_eq!(enough.totals.decisions.notionals.len(), 3);
    assert_eq!(enough.orders.unwrap().open, 3);
    let few = with(2);
    assert!(few.too_many_currencies && few.totals.decisions.notionals.is_empty());
    assert_eq!((few.orders, few.totals.decisions.count), (None, 3));
    let figures = few.trade_decisions.overall.unwrap();
    assert_eq!((figures.median, &*figures.mean), (None, "0.5000"));
    assert_eq!(enough.trade_decisions.overall.unwrap().median.as_deref(), Some("0.5"));
}

#[test]
fn of_equal_trades_those_with_the_least_id_are_listed() {
    let made: Vec<Made> =
        (0..30).map(|at| trade("trade.executed", 30 - at, "o", json!({ "amount": 1 }))).collect();
    let report = report(&lines(&made), ALL, 4);
    let ids: Vec<&str> =
        report.largest_trades[0].trades.items.iter().map(|trade| &*trade.id).collect();
    let mut expected: Vec<String> = (1..=30).map(|number| format!("id-{number}")).collect();
    expected.sort();
    assert_eq!(ids, expected[..20]);
    assert_eq!(report.largest_trades[0].trades.total, 30);
}

#[test]
fn the_document_has_whatever_the_json_has() {
    let details = json!({
        "agent": "momentum", "symbol": "ACME", "side": "buy", "currency": "EUR", "quantity": "17",
        "price": "3.25", "confidence": "0.625",
    });
    let types = ["agent.decision", "trade.decision", "trade.executed", "trade.cancelled"];
    let types = types.into_iter().chain(["risk.alert", "risk.override"]);
    let made: Vec<Made> = types
        .zip(31..)
        .map(|(event_type, at)| {
            let members = json!({
                "correlation_id": "o-1", "user_id": "u-1", "details": details, "status": "success",
            });
            (event_type, at, members)
        })
        .collect();
    let lines = lines(&made);
    let report = report_of(&lines, ALL, 2, Trading::new(ALL, Some("u-1".to_owned())));
    assert_complete(&report, &report.document());
}
