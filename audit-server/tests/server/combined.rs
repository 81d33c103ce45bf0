//! The database and Redis as one view.

use std::time::Duration;

use audit_layer::record::{Draft, Hash, Member};
use serde_json::{Value, json};

use super::support::{DAY, Fixture, Redis, Trail, event};

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
    // While the walk goes on, what was in Redis alone arrives in the database: of the microsecond
    // of the cursor when there is any, else the newest.
    let mut walked = Vec::new();
    let mut cursor = String::new();
    loop {
        let page = fixture.get(&format!("/audit/combined?limit=7{cursor}")).ok();
        walked.extend(page["records"].as_array().unwrap().iter().cloned());
        let Some(next) = page["next_cursor"].as_str() else { break };
        cursor = format!("&cursor={next}");
        let last = walked.last().map_or("", |record| record["timestamp"].as_str().unwrap());
        let at_cursor = pushed_only.iter().position(|line| line.contains(last));
        let arriving = at_cursor.or(pushed_only.len().checked_sub(1));
        if let Some(arriving) = arriving {
            trail.store(&pushed_only.remove(arriving));
        }
    }
    let times: Vec<_> =
        walked.iter().map(|r| r["timestamp"].as_str().unwrap().to_owned()).collect();
    assert!(times.is_sorted_by(|a, b| a >= b));
    let mut seqs: Vec<u64> = walked.iter().map(|r| r["seq"].as_u64().unwrap()).collect();
    seqs.sort_unstable();
    assert_eq!(seqs, (1..=300).collect::<Vec<_>>());
}

/// A record of one microsecond, whatever its stream.
fn at_once(stream: &'static str, seq: u64) -> String {
    let mut draft = Draft::new(stream, seq, Hash::ZERO, "auth.login", "INFO");
    draft.timestamp = DAY;
    draft.seal().text.into()
}

#[test]
fn a_record_that_arrives_behind_the_cursor_within_its_microsecond_is_met_from_redis() {
    let redis = Redis::start();
    let (fixture, trail) = with_redis(&redis);
    let (a, b) = ("aaa@web-1~k3x9q2", "bbb@web-1~k3x9q2");
    // One that was in the database before the walk, above all that the second page looks at.
    let [first, second, third, late] = [(a, 1), (a, 2), (a, 3), (b, 1)].map(|(s, n)| at_once(s, n));
    let early = at_once(b, 2);
    for line in [&first, &second, &third, &early] {
        trail.store(line);
        redis.push(line);
    }
    redis.push(&late);
    let mut walked = Vec::new();
    let mut cursor = String::new();
    let mut arrives = Some(&late);
    loop {
        let page = fixture.get(&format!("/audit/combined?limit=2{cursor}")).ok();
        let names = page["records"].as_array().unwrap().iter().map(|record| {
            (record["stream"].as_str().unwrap()[..3].to_owned(), record["seq"].as_u64().unwrap())
        });
        walked.extend(names.zip(page["found_in"].as_array().unwrap().iter().cloned()));
        if let Some(line) = arrives.take() {
            trail.store(line);
        }
        let Some(next) = page["next_cursor"].as_str() else { break };
        cursor = format!("&cursor={next}");
    }
    let both = json!(["database", "redis"]);
    let expected = [("bbb", 2), ("aaa", 3), ("aaa", 2), ("aaa", 1), ("bbb", 1)];
    let expected = expected.map(|(stream, seq)| ((stream.to_owned(), seq), both.clone()));
    assert_eq!(walked, expected);
}

#[test]
fn a_filter_that_only_the_copy_in_redis_passes_shows_the_conflict() {
    let redis = Redis::start();
    let (fixture, mut trail) = with_redis(&redis);
    let written = trail.seal(event("auth.login", 1).set(Member::UserId, "u-thief")).text;
    trail.store(&written.replace("u-thief", "u-other"));
    redis.push(&written);
    trail.write(event("auth.login", 2).set(Member::UserId, "u-third"));
    let conflict = [(1, json!(["database", "redis_differs"]))];
    let walked = fixture.walk("/audit/combined?user_id=u-thief&limit=1", || {});
    assert_eq!(walked.len(), 1);
    assert_eq!(walked[0]["user_id"], "u-other", "the record is the database's");
    for filter in ["user_id=u-thief", "end_date=2026-11-21T00:00:00.000001Z"] {
        assert_eq!(found(&fixture.get(&format!("/audit/combined?{filter}")).ok()), conflict);
    }
}

#[test]
fn a_page_that_ran_out_of_time_shows_nothing_from_beyond_where_it_stopped() {
    let redis = Redis::start();
    let (fixture, mut trail) = Fixture::with_trail(|config| {
        config.redis_url = Some(redis.url().parse().unwrap());
        config.query_timeout = Duration::from_millis(40);
    });
    let needle = |at| event("auth.login", at).set(Member::UserId, "u-needle");
    // Oldest of all and in Redis alone; between it and the newest lies more than a page examines.
    redis.push(&trail.seal(needle(-1)).text);
    trail.write(needle(0));
    trail.write_all((1..150_000).map(|at| event("auth.failed", at)));
    trail.write(needle(150_000));
    let (mut seqs, mut truncated) = (Vec::new(), 0);
    let mut cursor = String::new();
    loop {
        let answer = fixture.get(&format!("/audit/combined?user_id=u-needle{cursor}"));
        if answer.status == 503 {
            // A busy machine: the time was up before the first row.
            continue;
        }
        let page = answer.ok();
        if page["sources"]["redis"] != "ok" {
            continue;
        }
        truncated += usize::from(page["truncated"] == true);
        seqs.extend(found(&page).into_iter().map(|(seq, _)| seq));
        let Some(next) = page["next_cursor"].as_str() else { break };
        cursor = format!("&cursor={next}");
    }
    assert!(truncated > 0, "the deadline was never met");
    assert_eq!(seqs, [150_002, 2, 1]);
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
fn an_item_of_redis_that_cannot_be_read_costs_no_more_than_redis() {
    let redis = Redis::start();
    let (fixture, mut trail) = with_redis(&redis);
    let line = trail.write(event("auth.login", 1));
    // No instant of the years that a record may have.
    let odd = trail.seal(event("auth.login", 2)).text;
    redis.push(&odd.replace("2026-11-21T00:00:00.000002Z", "9999-12-31T23:59:59-01:00"));
    let answer = fixture.get("/audit/combined");
    let page = answer.ok();
    assert_eq!(found(&page), [(1, json!(["database"]))]);
    assert!(answer.body.contains(&line));
    assert!(page["sources"]["redis"] == "unavailable" || page["truncated"] == true, "{page}");
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
