//! Figures for charts.

use std::{collections::BTreeMap, error::Error};

use audit_layer::{event_type::category, record::parse_timestamp};
use serde_json::{Value, json};

use super::{
    Ask, Span,
    asked::HOUR,
    comparison::{Comparison, items},
    security::{by, of_type},
};
use crate::generator::{Expected, TradeKind};

/// The most values of a member that may be asked for.
const MOST: usize = 1_000;

pub(super) fn hold(
    expected: &Expected,
    span: Span,
    ask: &Ask<'_>,
) -> Result<Comparison, Box<dyn Error>> {
    let mut it = Comparison::new("figures");
    let limit = ("limit", &*MOST.to_string());
    let all = [("interval", "hour"), ("top", "event_type,status,severity"), limit];
    let said = ask(&span.stats(&all))?;
    it.same("records", expected.records, &said["records"]);
    it.same("damaged", 0, &said["damaged"]);
    histogram(&mut it, expected, &said);
    top(&mut it, "event_type", by(expected, |event_type, _, _| event_type), &said);
    top(&mut it, "status", by(expected, |_, status, _| status), &said);
    top(&mut it, "severity", by(expected, |_, _, severity| severity), &said);
    let asked = [("event_type", "auth.failed"), ("top", "user_id,ip_address"), limit];
    let said = ask(&span.stats(&asked))?;
    it.same("auth.failed", of_type(expected, "auth.failed").0, &said["records"]);
    top(&mut it, "user_id", expected.failed_by_user.clone(), &said);
    top(&mut it, "ip_address", expected.failed_by_address.clone(), &said);
    let asked = [("event_type", "auth.permission_denied"), ("top", "user_id"), limit];
    top(&mut it, "user_id", expected.denied_by_user.clone(), &ask(&span.stats(&asked))?);
    let names = "details.agent,details.symbol,details.side";
    let asked = [("event_type", "trade.executed"), ("top", names), limit];
    let said = ask(&span.stats(&asked))?;
    let trades: u64 = expected.trades.values().map(|traded| traded.count).sum();
    it.same("trade.executed", trades, &said["records"]);
    top(&mut it, "details.agent", executed(expected, |(agent, _, _)| agent), &said);
    top(&mut it, "details.symbol", executed(expected, |(_, symbol, _)| symbol), &said);
    top(&mut it, "details.side", executed(expected, |(_, _, side)| side), &said);
    Ok(it)
}

fn executed(
    expected: &Expected,
    name: impl for<'t> Fn(&'t TradeKind) -> &'t str,
) -> BTreeMap<String, u64> {
    let mut counts = BTreeMap::new();
    for (kind, traded) in &expected.trades {
        *counts.entry(name(kind).to_owned()).or_default() += traded.count;
    }
    counts
}

fn histogram(it: &mut Comparison, expected: &Expected, said: &Value) {
    let categories = by(expected, |event_type, _, _| category(event_type));
    it.counts("by category", &categories, &said["categories"], ["category", "records"]);
    let buckets = items(&said["buckets"]);
    for bucket in buckets {
        let start = bucket["start"].as_str().unwrap_or_default();
        let hour = parse_timestamp(start).map(|at| at.div_euclid(HOUR)).unwrap_or(i64::MIN);
        let books = expected.by_hour.get(&hour).copied().unwrap_or(0);
        it.same(&format!("hour {start}"), books, &bucket["records"]);
        let parts = items(&bucket["by_category"]).iter().filter_map(Value::as_u64).sum::<u64>();
        it.same(&format!("hour {start}, of all categories"), books, &json!(parts));
    }
    let sum: u64 = buckets.iter().filter_map(|bucket| bucket["records"].as_u64()).sum();
    it.same("all hours", expected.records, &json!(sum));
}

/// Compares the values of a member.
fn top(it: &mut Comparison, member: &str, mut books: BTreeMap<String, u64>, said: &Value) {
    let found = items(&said["top"]).iter().find(|top| top["member"] == member);
    let Some(found) = found else {
        return it.holds(false, || format!("{member} was asked for, and nothing is said of it"));
    };
    // Without a read model only the newest records may have been counted.
    it.same(&format!("all {member}"), true, &found["complete"]);
    let absent = books.remove("").unwrap_or(0);
    it.same(&format!("without {member}"), absent, &found["absent"]);
    let list = (&found["values"], &found["distinct"], MOST);
    it.greatest(member, &books, list, ["value", "records"]);
}
