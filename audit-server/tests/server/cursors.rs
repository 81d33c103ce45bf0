//! What becomes of a cursor that is not what it was.

use super::support::{Fixture, event};

fn first_cursor(fixture: &Fixture, path: &str) -> String {
    fixture.get(path).ok()["next_cursor"].as_str().unwrap().to_owned()
}

#[test]
fn a_cursor_is_refused_by_any_query_but_its_own() {
    let (fixture, mut trail) = Fixture::with_trail(|_| {});
    trail.write_all((0..20).map(|at| event("auth.login", at)));
    let cursor = first_cursor(&fixture, "/audit/logs?limit=2&category=auth&severity=info");
    for good in [
        "/audit/logs?limit=2&category=auth&severity=info",
        "/audit/logs?severity=info&category=auth&limit=9",
        "/api/audit/logs?severity=info&category=auth",
    ] {
        fixture.get(&format!("{good}&cursor={cursor}")).ok();
    }
    for other in [
        "/audit/logs?limit=2",
        "/audit/logs?limit=2&category=auth",
        "/audit/logs?limit=2&category=auth&severity=warning",
        "/audit/logs?limit=2&category=auth&severity=info&order=asc",
        "/audit/logs?limit=2&category=auth&severity=info&end_date=2026-11-21",
        "/audit/security-events?limit=2&category=auth&severity=info",
        "/audit/redis?limit=2&category=auth&severity=info",
        "/audit/combined?limit=2&category=auth&severity=info",
    ] {
        let problem = fixture.get(&format!("{other}&cursor={cursor}")).problem(400);
        assert_eq!(problem["parameter"], "cursor", "{other}");
    }
}

#[test]
fn a_damaged_cursor_is_refused_by_name() {
    let (fixture, mut trail) = Fixture::with_trail(|_| {});
    trail.write_all((0..20).map(|at| event("auth.login", at)));
    let cursor = first_cursor(&fixture, "/audit/logs?limit=2");
    let mut bent = cursor.clone().into_bytes();
    bent[12] ^= 1;
    let bent = String::from_utf8(bent).unwrap();
    for bad in [&*bent, &cursor[1..], &cursor[..cursor.len() - 1], &"A".repeat(4_000)] {
        let problem = fixture.get(&format!("/audit/logs?limit=2&cursor={bad}")).problem(400);
        assert_eq!(problem["parameter"], "cursor", "{bad}");
    }
}
