//! Pages: what they carry, and walking from one to the next.

use std::collections::BTreeSet;

use audit_layer::record::{Member, Value};

use super::support::{DAY, Fixture, event};

#[test]
fn a_page_carries_the_stored_lines_byte_for_byte() {
    let (fixture, mut trail) = Fixture::with_trail(|_| {});
    let odd = event("auth.login", 1)
        .set(Member::Message, "a \"quoted\" \\ line\u{2028}\n\u{1}é🦀</script>")
        .with(|draft| {
            draft.details = vec![
                ("n".into(), Value::F64(1e21)),
                ("u".into(), Value::U64(u64::MAX)),
                ("nested".into(), Value::Json(br#"{"a":[1,2.5,null]}"#.into())),
            ];
        });
    let odd = trail.write(odd);
    let plain = trail.write(event("auth.logout", 2));
    let page = fixture.get("/audit/logs");
    assert_eq!(
        page.body,
        format!("{{\"records\":[{plain},{odd}],\"next_cursor\":null,\"truncated\":false}}")
    );
    page.ok();
    let id = page.json()["records"][1]["id"].as_str().unwrap().to_owned();
    assert_eq!(fixture.get(&format!("/audit/logs/{id}")).body, odd);
    assert_eq!(fixture.get(&format!("/api/audit/logs/{}", id.to_uppercase())).body, odd);
}

#[test]
fn an_empty_trail_is_an_empty_page() {
    let (fixture, _trail) = Fixture::with_trail(|_| {});
    let page = fixture.get("/audit/logs");
    assert_eq!(page.body, r#"{"records":[],"next_cursor":null,"truncated":false}"#);
}

#[test]
fn an_id_that_is_unknown_is_404_and_one_that_is_none_is_400() {
    let (fixture, _trail) = Fixture::with_trail(|_| {});
    fixture.get("/audit/logs/0193509c-3a5f-7cc1-8b5e-2f1f6f0a9d11").problem(404);
    assert_eq!(fixture.get("/audit/logs/42").problem(400)["parameter"], "id");
    let extra = fixture.get("/audit/logs/0193509c-3a5f-7cc1-8b5e-2f1f6f0a9d11?x=1");
    assert_eq!(extra.problem(400)["parameter"], "x");
}

/// Times of which many are equal and none is in the order of arrival.
fn scattered(count: i64) -> impl Iterator<Item = i64> {
    (0..count).map(|at| at * 7_919 % 101)
}

#[test]
fn a_walk_in_any_order_meets_each_record_once_while_others_arrive() {
    for order in ["desc", "asc", "arrival"] {
        for filter in ["", "&event_type=auth.*"] {
            let (fixture, mut trail) = Fixture::with_trail(|_| {});
            let kinds = ["auth.login", "data.read"];
            let mut at = 0;
            let events: Vec<_> = scattered(500)
                .map(|micros| {
                    at += 1;
                    event(kinds[at % 2], micros)
                })
                .collect();
            trail.write_all(events);
            let path = format!("/audit/logs?order={order}&limit=7{filter}");
            // Newer and older ones than any; those behind the walk are not met, those before it may be.
            let mut arrived = 0;
            let records = fixture.walk(&path, || {
                if arrived < 100 {
                    trail.write(event("auth.login", 1_000 + arrived));
                    trail.write(event("auth.login", -1_000 - arrived));
                    arrived += 1;
                }
            });
            let seqs: Vec<u64> = records.iter().map(|r| r["seq"].as_u64().unwrap()).collect();
            let distinct: BTreeSet<u64> = seqs.iter().copied().collect();
            assert_eq!(distinct.len(), seqs.len(), "{path}: some came twice");
            let expected = if filter.is_empty() { 500 } else { 250 };
            let first = distinct.iter().filter(|seq| **seq <= 500).count();
            assert_eq!(first, expected, "{path}: some were left out");

            let key = |record: &serde_json::Value| {
                let time = record["timestamp"].as_str().unwrap().to_owned();
                let seq = record["seq"].as_u64().unwrap();
                if order == "arrival" { (String::new(), seq) } else { (time, seq) }
            };
            let keys: Vec<_> = records.iter().map(key).collect();
            let sorted = if order == "desc" {
                keys.is_sorted_by(|a, b| a > b)
            } else {
                keys.is_sorted_by(|a, b| a < b)
            };
            assert!(sorted, "{path}: not in order");
        }
    }
}

#[test]
fn the_last_page_says_that_nothing_is_left() {
    let (fixture, mut trail) = Fixture::with_trail(|_| {});
    trail.write_all((0..4).map(|at| event("auth.login", at)));
    let first = fixture.get("/audit/logs?limit=2").ok();
    assert!(first["next_cursor"].is_string());
    let cursor = first["next_cursor"].as_str().unwrap();
    let second = fixture.get(&format!("/audit/logs?limit=2&cursor={cursor}")).ok();
    assert_eq!(second["records"].as_array().unwrap().len(), 2);
    assert!(second["next_cursor"].is_null());
}

#[test]
fn the_order_of_arrival_can_be_followed_beyond_its_end() {
    for filter in ["", "&event_type=auth.*", "&start_date=2026-11-21&limit=3"] {
        let (fixture, mut trail) = Fixture::with_trail(|_| {});
        let path = format!("/audit/logs?order=arrival{filter}");
        let mut cursor = String::new();
        let mut seqs = Vec::new();
        for round in 0..6 {
            loop {
                let page = fixture.get(&format!("{path}{cursor}")).ok();
                let records = page["records"].as_array().unwrap();
                seqs.extend(records.iter().map(|record| record["seq"].as_u64().unwrap()));
                assert_eq!(page["truncated"], false);
                let next = page["next_cursor"].as_str().expect("there is always a way on");
                cursor = format!("&cursor={next}");
                if records.is_empty() {
                    break;
                }
            }
            // Nothing arrives before the second and the fourth round; what arrives last is passed
            // over by the filters.
            if round % 2 == 0 {
                trail.write_all((0..7).map(|at| event("auth.login", 10 - at)));
                trail.write(event("data.read", -1));
            }
        }
        let wanted = |seq: &u64| filter.is_empty() || !seq.is_multiple_of(8);
        assert_eq!(seqs, (1..=24).filter(wanted).collect::<Vec<_>>(), "{path}");
    }
}

#[test]
fn a_date_bound_holds_on_every_page() {
    let (fixture, mut trail) = Fixture::with_trail(|_| {});
    trail.write_all((-50..50).map(|hour| event("auth.login", hour * 3_600_000_000)));
    let path = "/audit/logs?start_date=2026-11-21&end_date=2026-11-21&limit=5";
    for order in ["desc", "asc", "arrival"] {
        let records = fixture.walk(&format!("{path}&order={order}"), || {});
        assert_eq!(records.len(), 24, "{order}");
        let day = |record: &serde_json::Value| {
            record["timestamp"].as_str().unwrap().starts_with("2026-11-21T")
        };
        assert!(records.iter().all(day), "{order}");
    }
    assert_eq!(DAY % 86_400_000_000, 0);
}
