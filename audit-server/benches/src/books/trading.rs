//! The trading report.

use std::{collections::BTreeMap, error::Error};

use serde_json::{Value, json};

use super::{
    Ask, Span,
    comparison::{Comparison, decimal, header, items},
    security::of_type,
};
use crate::generator::{Expected, TradeKind, Traded, World};

const PATH: &str = "/audit/reports/trading";

pub(super) fn hold(
    expected: &Expected,
    world: &World,
    span: Span,
    ask: &Ask<'_>,
) -> Result<Comparison, Box<dyn Error>> {
    let mut it = Comparison::new("trading report");
    let said = ask(&span.report(PATH, &[]))?;
    it.same("damaged", 0, &header(&said)?["damaged"]);
    let all = |_: &TradeKind| true;
    executed(&mut it, "all", sum(expected, all), &said["totals"]);
    for (step, event_type) in
        [("decisions", "trade.decision"), ("cancellations", "trade.cancelled")]
    {
        it.same(event_type, of_type(expected, event_type).0, &said["totals"][step]["count"]);
    }
    it.same("cancelled", expected.cancelled, &said["totals"]["cancellations"]["count"]);
    named(&mut it, expected, &said["by_agent"], |(agent, _, _)| agent);
    named(&mut it, expected, &said["by_symbol"], |(_, symbol, _)| symbol);
    named(&mut it, expected, &said["by_side"], |(_, _, side)| side);
    kinds(&mut it, expected, &said["by_agent_symbol_side"]);
    orders(&mut it, expected, &said["orders"]);
    risk(&mut it, expected, &said["risk"]);
    let largest = items(&said["largest_trades"]).iter().map(|of| &of["trades"]["total"]);
    let largest: u64 = largest.filter_map(Value::as_u64).sum();
    it.same("trades of which the largest are", sum(expected, all).count, &json!(largest));
    for agent in &world.agents {
        let of_agent = |kind: &TradeKind| kind.0 == agent.name;
        let said = ask(&span.report(PATH, &[("user_id", &agent.id)]))?;
        it.same("user", &*agent.id, &said["user_id"]);
        executed(&mut it, &agent.name, sum(expected, of_agent), &said["totals"]);
        kinds(&mut it, expected, &said["by_agent_symbol_side"]);
    }
    Ok(it)
}

/// All trades of those kinds.
fn sum(expected: &Expected, of: impl Fn(&TradeKind) -> bool) -> Traded {
    let trades = expected.trades.iter().filter(|(kind, _)| of(kind));
    trades.fold(Traded::default(), |sum, (_, traded)| Traded {
        count: sum.count + traded.count,
        quantity: sum.quantity + traded.quantity,
        notional: sum.notional + traded.notional,
    })
}

/// Compares what was executed.
fn executed(it: &mut Comparison, of: &str, books: Traded, volumes: &Value) {
    let said = &volumes["executions"];
    it.same(&format!("executed, {of}"), books.count, &said["count"]);
    it.same(&format!("failed, {of}"), 0, &said["failed"]);
    it.same(&format!("quantity, {of}"), decimal(books.quantity), &said["quantity"]);
    let notionals = match books.count {
        0 => json!([]),
        _ => json!([{"currency": "EUR", "amount": decimal(books.notional)}]),
    };
    it.same(&format!("notional, {of}"), notionals, &said["notionals"]);
}

/// Compares each agent, symbol or side that is shown.
fn named(
    it: &mut Comparison,
    expected: &Expected,
    said: &Value,
    name: impl Fn(&TradeKind) -> &str,
) {
    for item in items(said) {
        let wanted = item["name"].as_str().unwrap_or_default();
        let books = sum(expected, |kind| name(kind) == wanted);
        executed(it, wanted, books, &item["volumes"]);
    }
    let total = said["total"].as_u64().unwrap_or(0);
    let mut names: Vec<&str> = expected.trades.keys().map(name).collect();
    names.sort_unstable();
    names.dedup();
    // What was only decided and cancelled is in no trade of the books.
    it.holds(total >= names.len() as u64, || format!("{total} of {} names", names.len()));
}

/// Compares each agent with symbol and side that is shown.
fn kinds(it: &mut Comparison, expected: &Expected, said: &Value) {
    let by_kind: BTreeMap<[&str; 3], Traded> = expected
        .trades
        .iter()
        .map(|((agent, symbol, side), traded)| ([&**agent, &**symbol, *side], *traded))
        .collect();
    for item in items(said) {
        let kind = ["agent", "symbol", "side"].map(|name| item[name].as_str().unwrap_or_default());
        let books = by_kind.get(&kind).copied().unwrap_or_default();
        executed(it, &kind.join(" "), books, &item["volumes"]);
    }
}

fn orders(it: &mut Comparison, expected: &Expected, said: &Value) {
    let mut delays: Vec<i64> = expected.delays().map(|(_, micros)| micros).collect();
    delays.sort_unstable();
    let (decided, paired) = (of_type(expected, "trade.decision").0, delays.len() as u64);
    it.same("orders decided", decided, &said["decided"]);
    it.same("orders executed", paired, &said["executed"]);
    let executed = sum(expected, |_| true).count;
    it.same("undecided", executed - paired, &said["executed_without_decision"]);
    let number = |name: &str| said[name].as_u64().unwrap_or(u64::MAX / 4);
    let cancelled = number("cancelled") + number("cancelled_without_decision");
    it.same("orders cancelled", expected.cancelled, &json!(cancelled));
    let open = number("decided") - paired - number("cancelled");
    it.same("orders open", open, &said["open"]);
    it.same("executed before decided", 0, &said["executed_before_decision"]);
    // The first that so many of a hundred are not above.
    let at = |percent: usize| delays.get((delays.len() * percent).div_ceil(100).max(1) - 1);
    for (name, books) in [
        ("min_us", delays.first()),
        ("median_us", at(50)),
        ("p90_us", at(90)),
        ("p99_us", at(99)),
        ("max_us", delays.last()),
    ] {
        it.same(&format!("delay, {name}"), json!(books), &said["delay"][name]);
    }
}

fn risk(it: &mut Comparison, expected: &Expected, said: &Value) {
    it.same("risk", expected.risk.values().sum::<u64>(), &said["count"]);
    let all = expected.risk.iter().map(|(name, count)| ((*name).to_owned(), *count)).collect();
    it.counts("risk", &all, &said["by_event_type"], ["event_type", "count"]);
    let failed = |name: &&'static str| ((*name).to_owned(), of_type(expected, name).1);
    let failed = expected.risk.keys().map(failed).collect();
    it.counts("risk, failed", &failed, &said["by_event_type"], ["event_type", "failed"]);
    let overrides = expected.risk.get("risk.override").copied().unwrap_or(0);
    it.same("overrides", overrides, &said["overrides"]["total"]);
}
