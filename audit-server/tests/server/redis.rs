//! The recent view.

use audit_layer::record::Member;

use super::support::{Fixture, Process, Redis, Trail, closed_port, event};

fn with_redis(redis: &Redis) -> (Fixture, Trail) {
    let url = redis.url();
    Fixture::with_trail(|config| config.redis_url = Some(url.parse().unwrap()))
}

#[test]
fn the_recent_view_is_newest_first_by_category_and_filter() {
    let redis = Redis::start();
    let (fixture, mut trail) = with_redis(&redis);
    for at in 0..20 {
        let kind = ["auth.login", "auth.failed", "data.read"][at % 3];
        let line = trail.seal(event(kind, i64::try_from(at).unwrap()).set(Member::UserId, "u-1"));
        redis.push(&line.text);
    }
    let seqs = |path: &str| -> Vec<u64> {
        let page = fixture.get(path).ok();
        let records = page["records"].as_array().unwrap();
        records.iter().map(|record| record["seq"].as_u64().unwrap()).collect()
    };
    assert_eq!(seqs("/audit/redis"), (1..=20).rev().collect::<Vec<_>>());
    assert_eq!(seqs("/audit/redis?category=data"), [18, 15, 12, 9, 6, 3]);
    assert_eq!(seqs("/audit/redis?event_type=auth.failed&limit=2"), [20, 17]);
    assert_eq!(seqs("/audit/redis?category=nothing"), [] as [u64; 0]);
    assert!(seqs("/audit/redis?user_id=u-2").is_empty());
    let walked = fixture.walk("/audit/redis?limit=3", || {});
    assert_eq!(walked.len(), 20);
}

#[test]
fn a_walk_through_redis_meets_each_record_once_while_others_are_pushed() {
    let redis = Redis::start();
    let (fixture, mut trail) = with_redis(&redis);
    // Longer than what is read at once, many in one microsecond, and late ones at the head.
    for at in 0..1_300 {
        redis.push(&trail.seal(event("auth.login", at * 7_919 % 101)).text);
    }
    let mut late = 0;
    let walked = fixture.walk("/audit/redis?limit=400", || {
        late += 1;
        redis.push(&trail.seal(event("auth.login", 1_000 + late)).text);
    });
    let mut seqs: Vec<u64> = walked.iter().map(|record| record["seq"].as_u64().unwrap()).collect();
    seqs.sort_unstable();
    assert_eq!(seqs, (1..=1_300).collect::<Vec<_>>());
}

#[test]
fn what_is_no_record_is_left_out_and_the_page_says_so() {
    let redis = Redis::start();
    let (fixture, mut trail) = with_redis(&redis);
    redis.push(&trail.seal(event("auth.login", 1)).text);
    redis.push_to("audit:logs:auth", "{\"not\":\"a record\"}");
    let page = fixture.get("/audit/redis").ok();
    assert_eq!(page["records"].as_array().unwrap().len(), 1);
    assert_eq!(page["truncated"], true);
}

#[test]
fn lists_of_large_items_are_read_in_bounded_memory_and_the_page_says_so() {
    let redis = Redis::start();
    let directory = tempfile::tempdir().unwrap();
    let mut trail = Trail::create(&directory.path().join("audit.db"));
    let large: &str = "x".repeat(4 * 1024 * 1024).leak();
    let small = trail.seal(event("auth.login", 1)).text;
    let large = trail.seal(event("auth.login", 2).set(Member::Message, large)).text;
    for _ in 0..50 {
        redis.push(&large);
    }
    redis.push(&small);
    let server = Process::start(directory.path(), &[("REDIS_URL", &redis.url())]);
    let before = server.peak_memory();
    // Of the large ones nothing is kept: what is bounded here is what is read.
    let path = "/audit/redis?end_date=2026-11-21T00:00:00.000001Z";
    let page = server.get(path).ok();
    let grown = server.peak_memory() - before;
    assert!(grown < 128 * 1024 * 1024, "200 MiB of items took {grown} bytes");
    assert_eq!(page["records"].as_array().unwrap().len(), 1);
    assert_eq!(page["truncated"], true);
}

#[test]
fn the_database_that_the_url_names_is_the_one_that_is_read() {
    let redis = Redis::start();
    let directory = tempfile::tempdir().unwrap();
    let mut trail = Trail::create(&directory.path().join("audit.db"));
    let url = format!("{}/5", redis.url());
    let client = redis::Client::open(&*url).unwrap();
    let line = trail.seal(event("auth.login", 1)).text;
    let mut push = redis::cmd("LPUSH");
    push.arg("audit:logs:auth").arg(&*line).exec(&mut client.get_connection().unwrap()).unwrap();
    let server = Process::start(directory.path(), &[("REDIS_URL", &url)]);
    let page = server.get("/audit/redis");
    page.ok();
    assert!(page.body.contains(&*line), "{}", page.body);
}

#[test]
fn redis_that_is_down_or_absent_is_a_503_and_one_that_returns_is_read_again() {
    let mut redis = Redis::start();
    let (fixture, mut trail) = with_redis(&redis);
    let line = trail.seal(event("auth.login", 1)).text;
    redis.push(&line);
    fixture.get("/audit/redis").ok();
    redis.stop();
    let problem = fixture.get("/audit/redis").problem(503);
    assert_eq!(problem["type"], "/problems/redis-unavailable");
    assert_eq!(fixture.get("/health/detail").json()["redis"]["state"], "unavailable");
    redis.restart();
    redis.push(&line);
    assert_eq!(fixture.get("/audit/redis").ok()["records"].as_array().unwrap().len(), 1);
    // Nobody asked while it was away: the connection that lay idle is dead now.
    redis.restart();
    assert!(fixture.get("/audit/redis").ok()["records"].as_array().unwrap().is_empty());

    let (without, _trail) = Fixture::with_trail(|_| {});
    let problem = without.get("/audit/redis").problem(503);
    assert_eq!(problem["type"], "/problems/redis-disabled");
    let nobody = format!("redis://127.0.0.1:{}", closed_port());
    let (deaf, _trail) = Fixture::with_trail(|config| {
        config.redis_url = Some(nobody.parse().unwrap());
        config.redis_log_enabled = false;
    });
    assert_eq!(deaf.get("/audit/redis").problem(503)["type"], "/problems/redis-disabled");
}
