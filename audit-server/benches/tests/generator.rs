//! The generator against what can be read from its lines, by a reader of its own.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::collections::{BTreeMap, HashMap};

use query_bench::{
    generator::{Expected, Generator, STREAMS, SUM_PLACES, Seed, Shape, Traded},
    load::Chains,
};
use serde_json::Value;

fn lines(seed: u64, records: u64) -> (Vec<String>, Expected) {
    let mut generator = Generator::new(Seed(seed), Shape::of(records));
    let mut chains = Chains::default();
    let lines = generator.by_ref().map(|event| chains.seal(&event).text.into()).collect();
    (lines, generator.into_expected())
}

fn text<'v>(value: &'v Value, name: &str) -> &'v str {
    value[name].as_str().unwrap_or("")
}

/// A decimal string as a whole number of the smallest unit that a sum knows.
fn scaled(text: &str) -> i128 {
    let (whole, rest) = text.split_once('.').unwrap_or((text, ""));
    let places = SUM_PLACES as usize;
    format!("{whole}{rest:0<places$}").parse().unwrap()
}

/// Microseconds of the timestamps that stand in the lines, compared with each other only.
fn micros(record: &Value) -> i64 {
    audit_layer::record::parse_timestamp(text(record, "timestamp")).unwrap()
}

#[test]
fn the_same_seed_gives_the_same_bytes_and_another_one_others() {
    assert!(lines(1, 5_000) == lines(1, 5_000));
    let (one, other) = (lines(1, 500).0, lines(2, 500).0);
    assert!(one.iter().zip(&other).all(|(one, other)| one != other));
}

#[test]
fn the_books_agree_with_a_count_of_the_lines() {
    let (lines, expected) = lines(1, 20_000);
    let mut counted = Expected::default();
    let mut by_kind: BTreeMap<(String, String, String), u64> = BTreeMap::new();
    let mut trades: BTreeMap<(String, String, String), Traded> = BTreeMap::new();
    let mut risk: BTreeMap<String, u64> = BTreeMap::new();
    let mut moments: HashMap<String, [Option<i64>; 2]> = HashMap::new();
    for line in &lines {
        let record: Value = serde_json::from_str(line).unwrap();
        let (event_type, details) = (text(&record, "event_type"), &record["details"]);
        let user = || text(&record, "user_id").to_owned();
        let kind = (event_type, text(&record, "status"), text(&record, "severity"));
        *by_kind.entry((kind.0.into(), kind.1.into(), kind.2.into())).or_default() += 1;
        *counted.by_hour.entry(micros(&record).div_euclid(3_600_000_000)).or_default() += 1;
        match event_type {
            "auth.failed" => {
                *counted.failed_by_user.entry(user()).or_default() += 1;
                let address = text(&record, "ip_address").to_owned();
                *counted.failed_by_address.entry(address).or_default() += 1;
            }
            "auth.permission_denied" => {
                *counted.denied_by_user.entry(user()).or_default() += 1;
            }
            "trade.cancelled" => counted.cancelled += 1,
            "trade.decision" => {
                moments.entry(text(&record, "correlation_id").into()).or_default()[0] =
                    Some(micros(&record));
            }
            "trade.executed" => {
                moments.entry(text(&record, "correlation_id").into()).or_default()[1] =
                    Some(micros(&record));
                let of = |name: &str| text(details, name).to_owned();
                let traded = trades.entry((of("agent"), of("symbol"), of("side"))).or_default();
                traded.count += 1;
                traded.quantity += scaled(text(details, "quantity"));
                // What the line says of the product, not the product of what it says.
                traded.notional += scaled(text(details, "amount"));
            }
            _ if event_type.starts_with("risk.") => {
                *risk.entry(event_type.to_owned()).or_default() += 1;
            }
            _ => {}
        }
    }
    let kinds = expected.by_kind.iter().map(|((event_type, status, severity), count)| {
        ((event_type.to_string(), status.to_string(), severity.to_string()), *count)
    });
    assert_eq!(by_kind, kinds.collect());
    assert_eq!(counted.by_hour, expected.by_hour);
    assert_eq!(counted.failed_by_user, expected.failed_by_user);
    assert_eq!(counted.failed_by_address, expected.failed_by_address);
    assert_eq!(counted.denied_by_user, expected.denied_by_user);
    assert_eq!(counted.cancelled, expected.cancelled);
    let booked = expected.trades.iter().map(|((agent, symbol, side), traded)| {
        ((agent.clone(), symbol.clone(), (*side).to_owned()), *traded)
    });
    assert_eq!(trades, booked.collect());
    let booked = expected.risk.iter().map(|(kind, count)| ((*kind).to_owned(), *count));
    assert_eq!(risk, booked.collect());
    let pairs: BTreeMap<String, i64> = moments
        .into_iter()
        .filter_map(|(trade, moments)| Some((trade, moments[1]? - moments[0]?)))
        .collect();
    assert_eq!(pairs, expected.delays().collect());
    assert!(pairs.len() > 500 && pairs.values().all(|delay| *delay > 0));
    assert_eq!(expected.records, 20_000);
}

#[test]
fn each_stream_is_one_chain_without_a_gap() {
    let mut last: HashMap<String, (u64, String)> = HashMap::new();
    for line in lines(3, 5_000).0 {
        let record: Value = serde_json::from_str(&line).unwrap();
        let before = last.entry(text(&record, "stream").to_owned());
        let (seq, hash) = before.or_insert_with(|| (0, "0".repeat(64)));
        assert_eq!(record["seq"], *seq + 1);
        assert_eq!(record["prev_hash"], **hash);
        (*seq, *hash) = (*seq + 1, text(&record, "hash").to_owned());
    }
    assert_eq!(last.len(), STREAMS.len());
}

#[test]
fn records_are_as_long_as_those_of_a_service_and_end_when_they_should() {
    let (lines, expected) = lines(1, 200_000);
    let bytes: usize = lines.iter().map(String::len).sum();
    let average = bytes / lines.len();
    assert!((450..=650).contains(&average), "{average} bytes");
    let members: usize = lines
        .iter()
        .step_by(97)
        .map(|line| serde_json::from_str::<Value>(line).unwrap().as_object().unwrap().len())
        .sum();
    let members = members as f64 / lines.iter().step_by(97).count() as f64;
    // Fourteen of them every record has.
    assert!((18.0..=22.0).contains(&members), "{members} members");
    let shape = Shape::of(200_000);
    let last = *expected.by_hour.keys().next_back().unwrap();
    let hours = last - shape.end / 3_600_000_000;
    assert!((-24..=24).contains(&hours), "ends {hours} hours from the end");
    let late = expected.late * 10_000 / expected.records;
    assert!((5..=60).contains(&late), "{late} of ten thousand are late");
    let failed: u64 = expected.failed_by_user.values().sum();
    let logins = expected.by_kind.iter().filter(|((kind, ..), _)| *kind == "auth.login");
    let logins: u64 = logins.map(|(_, count)| count).sum();
    assert!(failed * 100 > logins * 3, "{failed} of {logins} logins fail");
    assert!(failed * 100 < logins * 20, "{failed} of {logins} logins fail");
}

#[test]
fn an_executed_trade_is_never_a_failure_though_both_are_common() {
    let (_, expected) = lines(1, 50_000);
    let count = |event_type: Option<&str>, status: Option<&str>| -> u64 {
        let those = expected.by_kind.iter().filter(|((kind, found, _), _)| {
            event_type.is_none_or(|wanted| wanted == *kind)
                && status.is_none_or(|wanted| wanted == *found)
        });
        those.map(|(_, count)| count).sum()
    };
    assert!(count(Some("trade.executed"), None) > 1_000);
    assert!(count(None, Some("failure")) > 400);
    assert_eq!(count(Some("trade.executed"), Some("failure")), 0);
}

#[test]
fn nobody_lives_where_passwords_are_guessed() {
    let (lines, expected) = lines(1, 200_000);
    assert!(expected.episodes.len() >= 3, "{:?}", expected.episodes);
    for episode in expected.episodes.values() {
        assert_eq!(expected.failed_by_address[&episode.address], episode.attempts);
        assert!(episode.attempts >= 40 && episode.last - episode.first < 3_600_000_000);
        let there = format!("\"ip_address\":\"{}\"", episode.address);
        for line in lines.iter().filter(|line| line.contains(&there)) {
            let record: Value = serde_json::from_str(line).unwrap();
            let event_type = text(&record, "event_type");
            assert!(event_type == "auth.failed" || event_type.starts_with("security."), "{line}");
        }
    }
}
