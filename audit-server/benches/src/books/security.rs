//! The security report.

use std::{collections::BTreeMap, error::Error};

use audit_layer::record::{format_timestamp, parse_timestamp};
use serde_json::{Value, json};

use super::{
    Ask, Span,
    asked::{HOUR, report},
    comparison::{Comparison, header, items},
};
use crate::generator::{Episode, Expected};

const PATH: &str = "/audit/reports/security";
/// How many subjects a list of this report has.
const MOST: usize = 50;
/// What only few may do, as far as the house does it.
const PRIVILEGED: [&str; 2] = ["risk.override", "data.export"];

pub(super) fn hold(
    expected: &Expected,
    span: Span,
    ask: &Ask<'_>,
) -> Result<Comparison, Box<dyn Error>> {
    let mut it = Comparison::new("security report");
    let said = ask(&span.report(PATH, &[]))?;
    it.same("records", expected.records, &header(&said)?["records"]);
    it.same("damaged", 0, &said["header"]["damaged"]);
    kinds(&mut it, expected, &said);
    logins(&mut it, expected, &said);
    hours(&mut it, expected, span, &said);
    episodes(&mut it, expected, &said, ask)?;
    Ok(it)
}

/// Events by something of their kind.
pub(super) fn by<'e>(
    expected: &'e Expected,
    name: impl Fn(&'static str, &'static str, &'static str) -> &'e str,
) -> BTreeMap<String, u64> {
    let mut counts = BTreeMap::new();
    for ((event_type, status, severity), count) in &expected.by_kind {
        let name = name(event_type, status, severity.as_str());
        *counts.entry(name.to_owned()).or_default() += count;
    }
    counts
}

/// How many events are of that type, and how many of these did not succeed.
pub(super) fn of_type(expected: &Expected, wanted: &str) -> (u64, u64) {
    let kinds = expected.by_kind.iter().filter(|((event_type, ..), _)| *event_type == wanted);
    kinds.fold((0, 0), |(all, failed), ((_, status, _), count)| {
        let is_failed = matches!(*status, "failure" | "denied" | "error");
        (all + count, failed + if is_failed { *count } else { 0 })
    })
}

fn kinds(it: &mut Comparison, expected: &Expected, said: &Value) {
    let types = by(expected, |event_type, _, _| event_type);
    it.counts("by event type", &types, &said["by_event_type"]["items"], ["event_type", "count"]);
    let severities = by(expected, |_, _, severity| severity);
    it.counts("by severity", &severities, &said["by_severity"], ["severity", "count"]);
    let statuses = by(expected, |_, status, _| status);
    it.counts("by status", &statuses, &said["by_status"]["items"], ["status", "count"]);
    for (member, event_type) in [
        ("lockouts", "security.account_locked"),
        ("rate_limits", "security.rate_limited"),
        ("blocked", "security.ip_blocked"),
        ("whitelist_violations", "security.ip_whitelist_violation"),
    ] {
        it.same(event_type, of_type(expected, event_type).0, &said[member]["count"]);
    }
    let privileged = &said["privileged_actions"];
    let is_privileged = |name: &str| name.starts_with("admin.") || PRIVILEGED.contains(&name);
    let few = types.keys().filter(|name| is_privileged(name));
    let few: Vec<_> = few.map(|name| (name.clone(), of_type(expected, name))).collect();
    let all = few.iter().map(|(name, (all, _))| (name.clone(), *all)).collect();
    let failed = few.iter().map(|(name, (_, failed))| (name.clone(), *failed)).collect();
    let actions = &privileged["by_event_type"]["items"];
    it.same("privileged", few.iter().map(|(_, (all, _))| all).sum::<u64>(), &privileged["count"]);
    it.counts("privileged", &all, actions, ["event_type", "count"]);
    it.counts("privileged, failed", &failed, actions, ["event_type", "failed"]);
}

fn logins(it: &mut Comparison, expected: &Expected, said: &Value) {
    let failed = &said["failed_logins"];
    it.same("failed logins", of_type(expected, "auth.failed").0, &failed["count"]);
    it.same("failed logins of nobody", 0, &failed["without_user"]);
    it.same("failed logins from nowhere", 0, &failed["without_address"]);
    let mut top = |figure, books, list: &Value, name| {
        it.greatest(figure, books, (list, &list["total"], MOST), [name, "count"]);
    };
    top("failed logins by user", &expected.failed_by_user, &failed["by_user"], "name");
    top("failed logins by address", &expected.failed_by_address, &failed["by_address"], "name");
    let denied = &said["permission_denials"];
    top("denied by user", &expected.denied_by_user, &denied["by_user"], "user");
    it.same("denied", expected.denied_by_user.values().sum::<u64>(), &denied["count"]);
}

fn hours(it: &mut Comparison, expected: &Expected, span: Span, said: &Value) {
    let hourly = items(&said["hourly"]);
    for hour in hourly {
        let begins = hour["hour"].as_str().unwrap_or_default();
        let at = parse_timestamp(begins).map(|at| at.div_euclid(HOUR)).unwrap_or(i64::MIN);
        let books = expected.by_hour.get(&at).copied().unwrap_or(0);
        it.same(&format!("hour {begins}"), books, &hour["records"]);
    }
    let sum = |name: &str| hourly.iter().filter_map(|hour| hour[name].as_u64()).sum::<u64>();
    it.same("all hours", expected.records, &json!(sum("records")));
    let failed = of_type(expected, "auth.failed").0;
    it.same("failed logins of all hours", failed, &json!(sum("failed_logins")));
    let security = by(expected, |event_type, _, _| event_type);
    let security = security.iter().filter(|(name, _)| name.starts_with("security."));
    let security: u64 = security.map(|(_, count)| count).sum();
    it.same("security events of all hours", security, &json!(sum("security_events")));
    it.same("hours", span.days() * 24, &json!(hourly.len()));
}

/// Each episode is in the report of the day that ends with it: in that of the whole time the list may
/// be full of greater ones.
fn episodes(
    it: &mut Comparison,
    expected: &Expected,
    whole: &Value,
    ask: &Ask<'_>,
) -> Result<(), Box<dyn Error>> {
    let least = whole["thresholds"]["brute_force_attempts"].as_u64();
    let least = least.ok_or("a security report without thresholds")?;
    let guessed: Vec<&Episode> =
        expected.episodes.values().filter(|episode| episode.attempts >= least).collect();
    let said_of = |episode: &Episode| {
        json!([
            episode.address,
            episode.attempts,
            format_timestamp(episode.first),
            format_timestamp(episode.last)
        ])
    };
    let known: Vec<Value> = guessed.iter().map(|episode| said_of(episode)).collect();
    let told = |report: &Value| -> Vec<Value> {
        let of_addresses = items(&report["brute_force"]["episodes"]).iter();
        let of_addresses = of_addresses.filter(|episode| episode["member"] == "ip_address");
        let figures = ["subject", "attempts", "first", "last"];
        of_addresses.map(|episode| figures.map(|name| episode[name].clone()).into()).collect()
    };
    // Where nobody lives, only those who guess are.
    for episode in told(whole) {
        let address = episode[0].as_str().unwrap_or_default();
        if address.starts_with("192.168.") {
            it.holds(known.contains(&episode), || format!("no such episode: {episode}"));
        }
    }
    for episode in guessed {
        let day = ask(&report(PATH, 1, episode.last, &[]))?;
        let (wanted, found) = (said_of(episode), told(&day));
        it.holds(found.contains(&wanted), || format!("episode {wanted} is not in {found:?}"));
    }
    Ok(())
}
