//! Who asks too often, and keys that somebody guesses at.

use std::time::Instant;

use audit_server::{NewKey, Role};
use serde_json::Value;

use super::{
    self_audit::own,
    support::{Answer, Fixture},
};

fn limited(credential: Option<&str>, address: Option<&str>) -> Fixture {
    let fixture = Fixture::start(|config| {
        config.rate_limit = credential.map(|rate| rate.parse().unwrap());
        config.rate_limit_address = address.map(|rate| rate.parse().unwrap());
        config.trusted_proxies = "127.0.0.1".parse().unwrap();
        config.journal = Some(config.db.with_file_name("journal"));
    });
    drop(fixture.create_trail());
    fixture
}

fn ask(fixture: &Fixture, path: &str, key: &str, from: &str) -> Answer {
    fixture.server.send("GET", path, &[("x-api-key", key), ("x-forwarded-for", from)])
}

/// Asks so often, and sees that the burst was let in, with what the time has given back, and the others told when
/// to come back. Gives how many these were.
fn assert_lets_in(burst: usize, ask: impl FnMut(usize) -> Answer) -> u64 {
    let begun = Instant::now();
    let answers: Vec<_> = (0..20).map(ask).collect();
    let given_back = usize::try_from(begun.elapsed().as_secs()).unwrap() + 1;
    let (good, bad): (Vec<_>, Vec<_>) = answers.iter().partition(|answer| answer.status == 200);
    assert!((burst..=burst + given_back).contains(&good.len()), "{} in {given_back} s", good.len());
    for answer in &bad {
        assert_eq!(answer.problem(429)["type"], "/problems/too-many-requests");
        let seconds: u64 = answer.header("retry-after").unwrap().parse().unwrap();
        assert_eq!(seconds, 1);
    }
    bad.len() as u64
}

/// What the server's stream tells of a kind, when the server has ended.
fn told(fixture: Fixture, kind: &str) -> Vec<Value> {
    let Fixture { directory, server, .. } = fixture;
    drop(server);
    let mut records = own(&directory.path().join("audit.db"));
    records.retain(|record| record["event_type"] == kind);
    records
}

#[test]
fn a_credential_that_asks_too_often_is_told_to_wait_wherever_it_asks_from() {
    let fixture = limited(Some("1:5"), None);
    let (_, other) = fixture.keys.make(&NewKey::new("other", Role::Viewer)).unwrap();
    let refused = assert_lets_in(5, |at| {
        ask(&fixture, "/health/detail", &fixture.key, &format!("203.0.113.{at}"))
    });
    // Each credential for itself, and what needs none not at all.
    assert_eq!(ask(&fixture, "/health/detail", other.expose(), "203.0.113.1").status, 200);
    assert_eq!(ask(&fixture, "/health", &fixture.key, "203.0.113.1").status, 200);
    let admin = fixture.keys.list().unwrap().remove(0);
    let records = told(fixture, "security.rate_limited");
    assert_eq!(records.len(), 2, "once, and the others by their number: {records:#?}");
    assert!(records.iter().all(|record| record["user_id"] == admin.id.as_str()));
    assert_eq!(records[0]["username"], "tests");
    assert_eq!(records[0]["resource"], "/health/detail");
    assert_eq!(records[1]["details"]["count"], refused - 1);
}

#[test]
fn an_address_that_asks_too_often_is_told_to_wait_whatever_it_asks_for() {
    let fixture = limited(None, Some("1:6"));
    let paths = ["/health", "/docs", "/openapi.json", "/health/detail"];
    assert_lets_in(6, |at| ask(&fixture, paths[at % 4], &fixture.key, "203.0.113.9"));
    // Before a key is looked at: no failure is counted.
    let more: Vec<_> =
        (0..5).map(|_| ask(&fixture, "/audit/logs", "ak_nobody", "203.0.113.9").status).collect();
    assert!(more.contains(&429), "{more:?}");
    assert_eq!(ask(&fixture, "/health/detail", &fixture.key, "203.0.113.8").status, 200);
    let records = told(fixture, "security.rate_limited");
    assert_eq!(records.len(), 2, "{records:#?}");
    assert!(records.iter().all(|record| record["ip_address"] == "203.0.113.9"));
    assert!(records.iter().all(|record| record["user_id"].is_null()));
}

#[test]
fn by_default_a_walk_through_pages_is_not_slowed() {
    let fixture = Fixture::start(|config| {
        config.rate_limit = audit_server::Config::default().rate_limit;
        config.rate_limit_address = audit_server::Config::default().rate_limit_address;
    });
    drop(fixture.create_trail());
    for _ in 0..500 {
        fixture.get("/audit/logs").ok();
    }
}

#[test]
fn a_key_that_is_guessed_at_from_many_addresses_is_locked_but_for_its_holder() {
    let fixture = Fixture::start(|config| {
        config.lockout_after = 5;
        config.trusted_proxies = "127.0.0.1".parse().unwrap();
        config.journal = Some(config.db.with_file_name("journal"));
    });
    drop(fixture.create_trail());
    let id = fixture.keys.list().unwrap().remove(0).id;
    let guess = |id: &str, number: u32| {
        // What is no base64 names no key.
        let guess = format!("ak_{id}_{number:042}0");
        ask(&fixture, "/audit/logs", &guess, &format!("203.0.113.{number}"))
    };
    for number in 1..=5 {
        guess(id.as_str(), number).problem(401);
        guess("abcdefgh", number + 100).problem(401);
    }
    for number in 6..=8 {
        let locked = guess(id.as_str(), number);
        assert_eq!(locked.problem(429)["type"], "/problems/locked-out");
        let seconds: u64 = locked.header("retry-after").unwrap().parse().unwrap();
        assert!((1..=900).contains(&seconds), "{seconds}");
        // Whoever has the secret goes on, from the same address, too.
        ask(&fixture, "/audit/logs", &fixture.key, &format!("203.0.113.{number}")).ok();
        // Whether there is a key of that id is told to nobody.
        guess("abcdefgh", number + 100).problem(429);
    }
    // Other keys from there are as before.
    guess("hgfedcba", 9).problem(401);
    let records = told(fixture, "security.account_locked");
    assert_eq!(records.len(), 1, "{records:#?}");
    assert_eq!(records[0]["user_id"], id.as_str());
    assert_eq!(records[0]["username"], "tests");
    assert_eq!(records[0]["ip_address"], "203.0.113.5");
}
