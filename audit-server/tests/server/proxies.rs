//! Whose request it is that a proxy forwards.

use audit_server::{NewKey, Role};

use super::{
    self_audit::own,
    support::{Answer, Fixture},
};

/// A server that trusts what stands at the test's own address.
fn behind_a_proxy() -> Fixture {
    Fixture::start(|config| {
        config.trusted_proxies = "127.0.0.1".parse().unwrap();
        config.journal = Some(config.db.with_file_name("journal"));
        config.lockout_after = 3;
    })
}

/// Asks with a key that opens nothing.
fn knock(fixture: &Fixture, headers: &[(&str, &str)]) -> Answer {
    let headers = [headers, &[("x-api-key", "ak_nobody")]].concat();
    fixture.server.send("GET", "/audit/logs", &headers)
}

#[test]
fn the_client_behind_a_trusted_proxy_is_locked_out_and_recorded_and_no_other() {
    let fixture = behind_a_proxy();
    drop(fixture.create_trail());
    // What the client says of itself stands to the left of what the proxy says, and changes nothing.
    for (number, status) in [(1, 401), (2, 401), (3, 401), (4, 429)] {
        let said = format!("198.51.100.{number}, 203.0.113.9");
        knock(&fixture, &[("x-forwarded-for", &said)]).problem(status);
    }
    knock(&fixture, &[("forwarded", "for=203.0.113.9;proto=https")]).problem(429);
    knock(&fixture, &[("x-forwarded-for", "203.0.113.8")]).problem(401);
    knock(&fixture, &[]).problem(401);
    let Fixture { directory, server, .. } = fixture;
    drop(server);
    let records = own(&directory.path().join("audit.db"));
    let told = |kind: &str, from: &str| {
        let of = |it: &&serde_json::Value| it["event_type"] == kind && it["ip_address"] == from;
        records.iter().filter(of).count()
    };
    assert_eq!(told("auth.failed", "203.0.113.9"), 5, "{records:#?}");
    assert_eq!(told("security.ip_blocked", "203.0.113.9"), 1);
    assert_eq!(told("auth.failed", "203.0.113.8"), 1);
    assert_eq!(told("auth.failed", "127.0.0.1"), 1);
}

#[test]
fn the_networks_of_a_key_are_those_of_the_client() {
    let asked = |trusted: &str, said: Option<&str>| {
        let fixture = Fixture::start(|config| config.trusted_proxies = trusted.parse().unwrap());
        let networks = "203.0.113.0/24".parse().unwrap();
        let new = NewKey { networks, ..NewKey::new("k", Role::Viewer) };
        let (_, key) = fixture.keys.make(&new).unwrap();
        let mut headers = vec![("x-api-key", key.expose())];
        headers.extend(said.map(|said| ("x-forwarded-for", said)));
        fixture.server.send("GET", "/health/detail", &headers).status
    };
    assert_eq!(asked("127.0.0.0/8", Some("203.0.113.9")), 200);
    assert_eq!(asked("127.0.0.0/8", Some("203.0.114.9")), 401);
    assert_eq!(asked("127.0.0.0/8", None), 401);
    // Without a proxy that is trusted anybody might say it.
    assert_eq!(asked("", Some("203.0.113.9")), 401);
    assert_eq!(asked("10.0.0.0/8", Some("203.0.113.9")), 401);
}

#[test]
fn two_headers_that_name_two_clients_are_refused_everywhere() {
    let fixture = behind_a_proxy();
    let headers = [("x-forwarded-for", "203.0.113.9"), ("forwarded", "for=203.0.113.8")];
    for path in ["/audit/logs", "/health", "/docs", "/openapi.json", "/nothing"] {
        let problem = fixture.server.send("GET", path, &headers).problem(400);
        assert_eq!(problem["type"], "/problems/contradictory-addresses", "{path}");
    }
    let headers = [("x-forwarded-for", "203.0.113.9"), ("forwarded", "proto=https")];
    assert_eq!(fixture.server.send("GET", "/docs", &headers).status, 200);
}
