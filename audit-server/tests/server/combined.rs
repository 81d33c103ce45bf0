//! The database and Redis as one view.

use serde_json::{Value, json};

use super::support::{Fixture, Redis, Trail, event};

fn with_redis(redis: &Redis) -> (Fixture, Trail) {
    let url = redis.url();
    Fixture::with_trail(|config| config.redis_url = Some(url.parse().unwrap()))
}

fn found(page: &Value) -> Vec<(u64, Value)> {
    let records = page["records"].as_array().unwrap();
    let found_in = page["found_in"].as_array().unwrap();
    assert_eq!(records.len(), found_in.len());
    let seqs = records.iter().map(|record| record["seq"].as_u64().unwrap());
    seqs.zip(found_in.iter().cloned()).collect()
}

#[test]
fn each_record_comes_once_with_where_it_was_found() {
    let redis = Redis::start();
    let (fixture, mut trail) = with_redis(&redis);
    let lines: Vec<_> = (1..=6).map(|at| trail.seal(event("auth.login", at)).text).collect();
    for stored in [0, 1, 2, 4] {
        trail.store(&lines[stored]);
    }
    for pushed in [2, 3, 4, 5] {
        redis.push(&lines[pushed]);
    }
    let answer = fixture.get("/audit/combined");
    let page = answer.ok();
    let (both, database, redis_only) =
        (json!(["database", "redis"]), json!(["database"]), json!(["redis"]));
    assert_eq!(
        found(&page),
        [
            (6, redis_only.clone()),
            (5, both.clone()),
            (4, redis_only),
            (3, both),
            (2, database.clone()),
            (1, database),
        ]
    );
    assert_eq!(page["sources"], json!({"database": "ok", "redis": "ok"}));
    for line in lines {
        assert!(answer.body.contains(&*line), "not byte for byte");
    }
}

#[test]
fn a_walk_through_both_meets_each_record_once() {
    let redis = Redis::start();
    let (fixture, mut trail) = with_redis(&redis);
    let mut pushed_only = Vec::new();
    // Five in each microsecond; some in the database alone, some in Redis alone, some in both.
    for at in 0..300 {
        let line = trail.seal(event("auth.login", at / 5)).text;
        if at % 3 != 0 {
            trail.store(&line);
        }
        if at % 3 != 1 {
            redis.push(&line);
        }
        if at % 3 == 0 {
            pushed_only.push(line);
        }
    }
    // While the walk goes on, what was in Redis alone arrives in the database.
    let mut walked = Vec::new();
    let mut cursor = String::new();
    loop {
        let page = fixture.get(&format!("/audit/combined?limit=7{cursor}")).ok();
        walked.extend(page["records"].as_array().unwrap().iter().cloned());
        let Some(next) = page["next_cursor"].as_str() else { break };
        cursor = format!("&cursor={next}");
        if let Some(line) = pushed_only.pop() {
            trail.store(&line);
        }
    }
    let times: Vec<_> =
        walked.iter().map(|r| r["timestamp"].as_str().unwrap().to_owned()).collect();
    assert!(times.is_sorted_by(|a, b| a >= b));
    let mut seqs: Vec<u64> = walked.iter().map(|r| r["seq"].as_u64().unwrap()).collect();
    seqs.sort_unstable();
    assert_eq!(seqs, (1..=300).collect::<Vec<_>>());
}

#[test]
fn a_record_that_differs_in_redis_is_shown_as_such() {
    let redis = Redis::start();
    let (fixture, mut trail) = with_redis(&redis);
    let line = trail.write(event("auth.login", 1));
    redis.push(&line.replace("\"INFO\"", "\"WARN\""));
    let page = fixture.get("/audit/combined").ok();
    assert_eq!(found(&page), [(1, json!(["database", "redis_differs"]))]);
    assert_eq!(page["records"][0]["level"], "INFO");
}

#[test]
fn without_redis_the_page_comes_from_the_database_and_says_so() {
    let mut redis = Redis::start();
    let (fixture, mut trail) = with_redis(&redis);
    trail.write(event("auth.login", 1));
    redis.stop();
    let page = fixture.get("/audit/combined").ok();
    assert_eq!(found(&page), [(1, json!(["database"]))]);
    assert_eq!(page["sources"]["redis"], "unavailable");

    let (without, mut trail) = Fixture::with_trail(|_| {});
    trail.write(event("auth.login", 1));
    let page = without.get("/audit/combined").ok();
    assert_eq!(page["sources"], json!({"database": "ok", "redis": "disabled"}));
}
