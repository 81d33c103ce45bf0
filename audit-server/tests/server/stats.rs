//! Figures for charts, held against a naive count of all records.

use std::{
    collections::{BTreeMap, BTreeSet},
    thread,
    time::{Duration, Instant},
};

use audit_layer::record::{Member, Severity, Value as Scalar};
use serde_json::{Value, json};

use super::support::{Event, Fixture, Running, config_in, event};

const MINUTE: i64 = 60_000_000;

fn kept(text: String) -> &'static str {
    text.leak()
}

/// Records of some days, of which each differs from the next in several ways.
fn events(count: i64) -> impl Iterator<Item = Event> {
    (0..count).map(move |n| {
        let types = ["auth.login", "data.read", "trade.executed", "auth.failed", "api.request"];
        let n = n * 7_919 % count;
        let user = format!("u-{}", n % 37);
        let with = event(types[usize::try_from(n % 5).unwrap()], n * 3 * MINUTE)
            .set(Member::Status, if n % 3 == 0 { "failure" } else { "success" })
            .set(Member::Message, kept(format!("message {}", n % 5)))
            .set(Member::Resource, kept(format!("/accounts/{n}")));
        let with = if n % 4 == 0 { with } else { with.set(Member::UserId, kept(user)) };
        let with = if n % 6 == 0 {
            with.set(Member::IpAddress, kept(format!("10.0.0.{}", n % 11)))
        } else {
            with
        };
        with.with(|draft| {
            draft.duration_us = (n % 2 == 0).then_some(n.unsigned_abs() % 7);
            if n % 9 == 0 {
                draft.severity = Severity::Error;
            }
            if n % 5 == 2 {
                let symbol = if n % 2 == 0 { "ACME" } else { "BETA" };
                draft.details.push(("symbol".into(), Scalar::Str(symbol)));
            }
        })
    })
}

const QUESTIONS: &[&str] = &[
    "",
    "status=failure",
    "user_id=u-7",
    "category=auth&severity=error",
    "filter=user_id+%3D+%22u-3%22+OR+ip_address%3A*",
    "q=absent",
];

const TOPS: &str =
    "user_id,ip_address,event_type,status,severity,details.symbol,duration_us,message,session_id";
const MORE_TOPS: &str = "category,resource,timestamp,seq";

fn all(fixture: &Fixture, question: &str) -> Vec<Value> {
    fixture.walk(&format!("/audit/logs?limit=1000&{question}"), || ())
}

fn text(record: &Value, name: &str) -> Option<String> {
    let value = match name.strip_prefix("details.") {
        Some(leaf) => &record["details"][leaf],
        None => &record[name],
    };
    match value {
        Value::Number(number) => Some(number.to_string()),
        other => other.as_str().map(str::to_owned),
    }
}

/// What the figures must say of the values of a member.
fn top(records: &[Value], name: &str, limit: usize) -> Value {
    let mut counts: BTreeMap<String, u64> = BTreeMap::new();
    for text in records.iter().filter_map(|record| text(record, name)) {
        *counts.entry(text).or_default() += 1;
    }
    let absent = records.len() as u64 - counts.values().sum::<u64>();
    let distinct = counts.len();
    let mut order: Vec<(String, u64)> = counts.into_iter().collect();
    order.sort_by(|a, b| b.1.cmp(&a.1).then(a.0.cmp(&b.0)));
    let values: Vec<Value> = order
        .into_iter()
        .take(limit)
        .map(|(value, records)| json!({"value": value, "records": records}))
        .collect();
    json!({"member": name, "values": values, "distinct": distinct, "absent": absent,
        "counted": records.len(), "complete": true})
}

fn agree(fixture: &Fixture) {
    for question in QUESTIONS {
        let records = all(fixture, question);
        for (interval, length) in [("day", 10), ("hour", 13)] {
            let path = format!("/audit/stats?{question}&interval={interval}&top={TOPS}&limit=5");
            let path = path.replace("?&", "?").replace(",session_id", "");
            let more = path.replace(&TOPS.replace(",session_id", ""), MORE_TOPS);
            let answer = fixture.get(&path);
            assert_eq!(answer.status, 200, "{path}: {}", answer.body);
            let figures: Value = serde_json::from_str(&answer.body).unwrap();
            assert_eq!(figures["records"], records.len(), "{path}");
            let categories: Vec<&str> = figures["categories"]
                .as_array()
                .unwrap()
                .iter()
                .map(|category| category["category"].as_str().unwrap())
                .collect();
            let mut expected: BTreeMap<(String, &str), u64> = BTreeMap::new();
            for record in &records {
                let bucket = record["timestamp"].as_str().unwrap()[..length].to_owned();
                *expected.entry((bucket, record["category"].as_str().unwrap())).or_default() += 1;
            }
            let mut found = BTreeMap::new();
            let mut starts = BTreeSet::new();
            for bucket in figures["buckets"].as_array().unwrap() {
                let start = bucket["start"].as_str().unwrap();
                assert!(starts.insert(start), "{path}");
                let counts = bucket["by_category"].as_array().unwrap();
                let sum: u64 = counts.iter().map(|count| count.as_u64().unwrap()).sum();
                assert_eq!(bucket["records"], sum);
                for (category, count) in categories.iter().zip(counts) {
                    if count != 0 {
                        found.insert(
                            (start[..length].to_owned(), *category),
                            count.as_u64().unwrap(),
                        );
                    }
                }
            }
            assert_eq!(found, expected, "{path}");
            for (found, name) in figures["top"].as_array().unwrap().iter().zip(TOPS.split(',')) {
                assert_eq!(*found, top(&records, name, 5), "{path}");
            }
            let figures: Value = serde_json::from_str(&fixture.get(&more).body).unwrap();
            let tops = figures["top"].as_array().unwrap();
            assert_eq!(tops.len(), 4);
            for (found, name) in tops.iter().zip(MORE_TOPS.split(',')) {
                assert_eq!(*found, top(&records, name, 5), "{more}");
            }
        }
    }
}

fn until_indexed(fixture: &Fixture, count: i64) {
    let start = Instant::now();
    loop {
        let detail: Value = serde_json::from_str(&fixture.get("/health/detail").body).unwrap();
        if detail["read_model"]["arrival"] == count {
            return;
        }
        assert!(start.elapsed() < Duration::from_secs(120), "{detail}");
        thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn figures_equal_a_full_scan_from_the_index_its_tail_and_the_lines_alone() {
    let (fixture, mut trail) = Fixture::with_trail(|_| {});
    trail.write_all(events(2_000));
    agree(&fixture);
    until_indexed(&fixture, 2_000);
    agree(&fixture);
    trail.write_all(events(300));
    agree(&fixture);
    until_indexed(&fixture, 2_300);
    let mut config = config_in(fixture.directory.path());
    config.read_model = None;
    let without = Fixture { server: Running::start(config), ..fixture };
    agree(&without);
}

#[test]
fn a_bucket_in_which_nothing_happened_is_there() {
    let (fixture, mut trail) = Fixture::with_trail(|_| {});
    trail.write_all([event("auth.login", 0), event("auth.login", 5 * MINUTE)]);
    let answer = fixture.get("/audit/stats?interval=minute");
    let figures: Value = serde_json::from_str(&answer.body).unwrap();
    let counts: Vec<u64> = figures["buckets"]
        .as_array()
        .unwrap()
        .iter()
        .map(|bucket| bucket["records"].as_u64().unwrap())
        .collect();
    assert_eq!(counts, [1, 0, 0, 0, 0, 1]);
}

#[test]
fn what_cannot_be_counted_is_refused_by_name() {
    let (fixture, mut trail) = Fixture::with_trail(|_| {});
    trail.write_all([event("auth.login", 0)]);
    for (question, parameter) in [
        ("interval=year", "interval"),
        ("interval=minute&start_date=2020-01-01", "interval"),
        ("top=nothing", "top"),
        ("top=user_id,details", "top"),
        ("top=a,b,c,d,e,f,g,h,i", "top"),
        ("limit=0", "limit"),
        ("limit=1001", "limit"),
        ("order=asc", "order"),
        ("cursor=abc", "cursor"),
        ("top=status&top=status", "top"),
        ("nonsense=1", "nonsense"),
    ] {
        let answer = fixture.get(&format!("/audit/stats?{question}"));
        let problem: Value = serde_json::from_str(&answer.body).unwrap();
        assert_eq!((answer.status, &problem["parameter"]), (400, &parameter.into()), "{question}");
    }
}

#[test]
fn a_time_without_end_has_as_many_buckets_as_its_records_need() {
    let (fixture, mut trail) = Fixture::with_trail(|_| {});
    trail.write_all([event("auth.login", 0), event("auth.login", 5 * MINUTE)]);
    for time in [
        "start_date=0000-01-01",
        "end_date=9999-12-31",
        "start_date=0000-01-01&end_date=9999-12-31",
    ] {
        let figures = fixture.get(&format!("/audit/stats?{time}")).json();
        assert_eq!(figures["records"], 2, "{time}");
        assert!(figures["buckets"].as_array().unwrap().len() <= 400, "{time}");
    }
    let nothing = fixture.get("/audit/stats?start_date=0000-01-01&end_date=1000-01-01").json();
    assert_eq!(nothing["records"], 0);
}

#[test]
fn an_empty_trail_has_figures_of_nothing() {
    let (fixture, _trail) = Fixture::with_trail(|_| {});
    let answer = fixture.get("/audit/stats?top=user_id,details.x");
    assert_eq!(answer.status, 200, "{}", answer.body);
    let figures: Value = serde_json::from_str(&answer.body).unwrap();
    assert_eq!((&figures["records"], &figures["categories"]), (&0.into(), &json!([])));
}
