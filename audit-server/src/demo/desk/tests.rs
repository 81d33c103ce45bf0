#![allow(clippy::unwrap_used)]

use std::collections::{BTreeMap, BTreeSet};

use audit_layer::event_type as types;
use serde_json::Value;
use time::macros::datetime;

use super::*;
use crate::demo::testing::{Line, Trail, assert_chained};

/// Lets a desk take so many steps, a minute apart, and gives its records.
fn desk_records(seed: u64, steps: u32) -> Vec<Line> {
    let trail = Trail::open();
    trail.record(|| {
        let mut desk = Desk::new(seed);
        let mut now = datetime!(2026-03-02 09:00 UTC);
        for step in 0..steps {
            let shift = match step % 50 {
                0..44 => Shift::Open,
                44..48 => Shift::Evening,
                _ => Shift::Weekend,
            };
            audit_layer::imported_from(now.into(), || desk.step(now, shift));
            now += Duration::milliseconds(400);
        }
    });
    let mut lines = trail.close();
    assert_chained(&lines);
    lines.retain(|line| line.category() != "system");
    lines
}

/// What the desk alone decides of a record.
fn told(line: &Line) -> Value {
    let mut value = line.value.clone();
    for own in ["id", "stream", "seq", "prev_hash", "hash", "observed_at"] {
        value.as_object_mut().unwrap().remove(own);
    }
    value
}

#[test]
fn equal_seeds_make_equal_desks_and_others_do_not() {
    let told = |seed| desk_records(seed, 500).iter().map(told).collect::<Vec<_>>();
    let first = told(7);
    assert_eq!(first, told(7));
    assert_ne!(first, told(8));
}

#[test]
fn each_step_emits_exactly_one_record() {
    for steps in [1, 2, 777] {
        assert_eq!(desk_records(3, steps).len(), steps as usize);
    }
}

#[test]
fn everything_that_a_desk_should_show_happens() {
    let lines = desk_records(8600, 8000);
    let seen: BTreeSet<_> = lines.iter().map(Line::event_type).collect();
    let wanted = [
        types::AUTH_LOGIN,
        types::AUTH_LOGOUT,
        types::AUTH_FAILED,
        types::AUTH_MFA,
        types::AUTH_TOKEN_ISSUED,
        types::AUTH_TOKEN_REFRESHED,
        types::AUTH_PASSWORD_RESET,
        types::AUTH_PERMISSION_DENIED,
        types::SECURITY_RATE_LIMITED,
        types::SECURITY_IP_BLOCKED,
        types::SECURITY_ACCOUNT_LOCKED,
        types::SECURITY_ACCOUNT_UNLOCKED,
        types::SECURITY_INTRUSION,
        types::DATA_ACCESS,
        types::DATA_READ,
        types::DATA_UPDATE,
        types::DATA_EXPORT,
        types::DATA_SECRET_ACCESS,
        types::ADMIN_ACTION,
        types::ADMIN_ROLE_CHANGED,
        types::ADMIN_CONFIG_CHANGED,
        types::FINANCIAL_TRANSACTION,
        types::FINANCIAL_TRANSFER,
        types::FINANCIAL_DEPOSIT,
        types::FINANCIAL_WITHDRAWAL,
        types::FINANCIAL_REFUND,
        types::TRADE_DECISION,
        types::TRADE_EXECUTED,
        types::TRADE_CANCELLED,
        types::RISK_LIMIT_TRIGGERED,
        types::RISK_OVERRIDE,
        types::RISK_ALERT,
        types::API_REQUEST,
        types::API_RESPONSE,
        types::API_ERROR,
        types::AGENT_SIGNAL,
        types::AGENT_CALL,
        types::ERROR_EXCEPTION,
    ];
    let missing: Vec<_> = wanted.iter().filter(|wanted| !seen.contains(*wanted)).collect();
    assert!(missing.is_empty(), "never seen: {missing:?}");
    let deciders: BTreeSet<_> = lines
        .iter()
        .filter(|line| line.event_type() == types::TRADE_DECISION)
        .filter_map(|line| line.get("username"))
        .filter(|name| name.ends_with("-agent"))
        .collect();
    assert_eq!(deciders, BTreeSet::from(["arbitrage-agent", "momentum-agent"]));
}

#[test]
fn every_amount_is_a_decimal_string_and_no_number_has_a_fraction() {
    const MONEY: [&str; 5] = ["amount", "price", "fee", "limit", "exposure"];
    fn check(name: &str, value: &Value, seen: &mut BTreeSet<String>) {
        match value {
            Value::Object(members) => members.iter().for_each(|(name, v)| check(name, v, seen)),
            Value::Number(number) => {
                assert!(!number.is_f64() && !MONEY.contains(&name), "{name} {number}");
            }
            Value::String(text) if MONEY.contains(&name) => {
                let (units, cents) = text.split_once('.').unwrap();
                assert!(units.parse::<u64>().is_ok() && cents.len() == 2, "{name} {text}");
                assert!(cents.bytes().all(|digit| digit.is_ascii_digit()), "{name} {text}");
                seen.insert(name.to_owned());
            }
            _ => assert!(!MONEY.contains(&name), "{name} {value}"),
        }
    }
    let mut seen = BTreeSet::new();
    for line in desk_records(5, 3000) {
        check("", &line.value, &mut seen);
    }
    assert_eq!(seen, MONEY.map(str::to_owned).into());
}

#[test]
fn a_correlation_id_leads_from_the_decision_over_the_execution_to_the_money() {
    let mut chains: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let mut amounts: BTreeMap<(String, String), Value> = BTreeMap::new();
    for line in desk_records(11, 3000) {
        if let Some(id) = line.get("correlation_id") {
            chains.entry(id.to_owned()).or_default().push(line.event_type().to_owned());
            if let Some(amount) = line.detail("amount") {
                amounts.insert((id.to_owned(), line.event_type().to_owned()), amount.clone());
            }
        }
    }
    let whole = [types::TRADE_DECISION, types::TRADE_EXECUTED, types::FINANCIAL_TRANSACTION];
    assert!(chains.values().filter(|chain| *chain == &whole).count() > 100);
    for ((id, event_type), amount) in &amounts {
        if event_type == types::FINANCIAL_TRANSACTION {
            assert_eq!(amounts.get(&(id.clone(), types::TRADE_EXECUTED.to_owned())), Some(amount));
        }
    }
    // Nothing is executed that a hard limit has stopped or nobody has decided.
    for chain in chains.values().filter(|chain| chain.iter().any(|t| t == types::TRADE_EXECUTED)) {
        assert!(chain.iter().any(|t| t == types::TRADE_DECISION), "{chain:?}");
        if chain.iter().any(|t| t == types::RISK_LIMIT_TRIGGERED) {
            assert!(chain.iter().any(|t| t == types::RISK_OVERRIDE), "{chain:?}");
        }
    }
}

#[test]
fn trades_carry_their_flags_their_order_and_who_asked() {
    let lines = desk_records(13, 2000);
    let trades: Vec<_> = lines.iter().filter(|line| line.category() == "trade").collect();
    assert!(trades.len() > 300);
    for line in trades {
        assert_eq!(
            line.value["regulatory_flags"],
            serde_json::json!({"MIFID2": true, "SOX": true})
        );
        for member in ["user_id", "username", "ip_address", "request_id", "correlation_id"] {
            assert!(line.get(member).is_some(), "{member}: {}", line.text);
        }
        let by_hand = line.get("username").unwrap().starts_with("trader-");
        assert_eq!(by_hand, line.get("session_id").is_some(), "{}", line.text);
        if line.event_type() == types::TRADE_DECISION {
            let order = line.detail("order").unwrap();
            assert_eq!(order["symbol"], *line.detail("symbol").unwrap());
            assert_eq!(order["amount"], *line.detail("amount").unwrap());
        }
    }
}

#[test]
fn a_breach_of_the_hard_limit_is_critical() {
    let lines = desk_records(17, 4000);
    let breaches: Vec<_> = lines
        .iter()
        .filter(|line| line.detail("limit_name").is_some_and(|name| name == "order_hard_limit"))
        .collect();
    assert!(!breaches.is_empty());
    for line in breaches {
        assert_eq!((line.get("severity"), line.get("status")), (Some("critical"), Some("denied")));
    }
}

#[test]
fn every_address_is_from_a_range_set_aside_for_documentation() {
    for line in desk_records(19, 3000) {
        let ip = line.get("ip_address").unwrap();
        let documented = ["192.0.2.", "198.51.100.", "203.0.113."];
        assert!(documented.iter().any(|range| ip.starts_with(range)), "{ip}");
    }
}

#[test]
fn a_desk_that_cannot_keep_up_holds_a_bounded_number_of_steps() {
    let trail = Trail::open();
    trail.record(|| {
        let mut desk = Desk::new(1);
        let now = datetime!(2026-03-02 09:00 UTC);
        // The clock stands still: nothing that is left for later ever becomes due.
        for _ in 0..20_000 {
            desk.step(now, Shift::Open);
        }
        // A step may leave a hundred for later, and the next ones do those first.
        assert!(desk.pending.len() <= MAX_PENDING + 128, "{}", desk.pending.len());
    });
}
