//! What a browser lets pages of other origins read.

use super::support::{Answer, Fixture};

const GRAFANA: &str = "https://grafana.example.org";

fn read_by(origins: &[&str]) -> Fixture {
    let fixture = Fixture::start(|config| {
        config.cors_origins = origins.iter().map(|&origin| origin.to_owned()).collect();
    });
    drop(fixture.create_trail());
    fixture
}

fn ask(fixture: &Fixture, path: &str, origin: &str) -> Answer {
    fixture.server.send("GET", path, &[("x-api-key", &fixture.key), ("origin", origin)])
}

/// As a browser asks before it sends a key; it has none itself.
fn preflight(fixture: &Fixture, path: &str, origin: &str) -> Answer {
    let headers = [
        ("origin", origin),
        ("access-control-request-method", "POST"),
        ("access-control-request-headers", "x-api-key"),
    ];
    fixture.server.send("OPTIONS", path, &headers)
}

fn allowed(answer: &Answer) -> Option<&str> {
    assert_eq!(answer.header("access-control-allow-credentials"), None);
    answer.header("access-control-allow-origin")
}

#[test]
fn by_default_no_page_of_another_origin_reads_anything() {
    let fixture = read_by(&[]);
    let answer = ask(&fixture, "/audit/logs", GRAFANA);
    assert_eq!((answer.status, allowed(&answer), answer.header("vary")), (200, None, None));
    let asked = preflight(&fixture, "/audit/logs", GRAFANA);
    assert_eq!(allowed(&asked), None);
    asked.problem(405);
}

#[test]
fn pages_of_listed_origins_read_all_answers_and_may_send_a_key() {
    let fixture = read_by(&["http://localhost:3000", GRAFANA]);
    for (path, status) in [("/audit/logs", 200), ("/audit/logs?nonsense=1", 400), ("/nothing", 404)]
    {
        let answer = ask(&fixture, path, GRAFANA);
        assert_eq!((answer.status, allowed(&answer)), (status, Some(GRAFANA)), "{path}");
        assert!(answer.header("vary").unwrap().contains("Origin"));
        assert!(
            answer.header("access-control-expose-headers").unwrap().contains("Audit-Export-Id")
        );
    }
    // That an origin is listed is no key.
    let refused = fixture.server.send("GET", "/audit/logs", &[("origin", GRAFANA)]);
    assert_eq!(allowed(&refused), Some(GRAFANA));
    refused.problem(401);
    for path in ["/audit/export", "/api/audit/logs", "/audit/keys/ubevyf8p"] {
        let asked = preflight(&fixture, path, "http://localhost:3000");
        assert_eq!((asked.status, allowed(&asked)), (204, Some("http://localhost:3000")), "{path}");
        assert_eq!(asked.header("access-control-allow-methods"), Some("GET, POST, DELETE"));
        let headers = asked.header("access-control-allow-headers").unwrap().to_lowercase();
        assert!(headers.contains("authorization") && headers.contains("x-api-key"), "{headers}");
        assert_eq!(asked.body, "");
    }
    // What is no such question is answered as ever.
    let plain = fixture.server.send("OPTIONS", "/audit/logs", &[("origin", GRAFANA)]);
    plain.problem(405);
}

#[test]
fn an_origin_is_listed_to_the_letter_or_not_at_all() {
    let fixture = read_by(&[GRAFANA, "*"]);
    for other in [
        "https://grafana.example.org.evil.example",
        "https://evil-grafana.example.org",
        "http://grafana.example.org",
        "https://grafana.example.org:8443",
        "https://grafana.example.org/",
        "https://example.org",
        "null",
    ] {
        let answer = ask(&fixture, "/audit/logs", other);
        assert_eq!(allowed(&answer), None, "{other}");
        // Also to who has not been told may what is kept not be given.
        assert!(answer.header("vary").unwrap().contains("Origin"), "{other}");
        assert_eq!(allowed(&preflight(&fixture, "/audit/logs", other)), None, "{other}");
    }
}

#[test]
fn who_may_not_ask_is_told_nothing_by_a_preflight() {
    let fixture = Fixture::start(|config| {
        config.cors_origins = vec![GRAFANA.to_owned()];
        config.allow_from = "10.0.0.0/8".parse().unwrap();
    });
    preflight(&fixture, "/audit/logs", GRAFANA).problem(403);
}
