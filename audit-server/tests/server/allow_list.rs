//! From where the server answers.

use std::net::SocketAddr;

use serde_json::Value;
use tokio::net::TcpSocket;

use super::{
    self_audit::own,
    support::{Answer, Fixture},
};

fn answering(allow_from: &str, trusted_proxies: &str) -> Fixture {
    Fixture::start(|config| {
        config.allow_from = allow_from.parse().unwrap();
        config.trusted_proxies = trusted_proxies.parse().unwrap();
        config.journal = Some(config.db.with_file_name("journal"));
        config.lockout_after = 3;
    })
}

fn ask(fixture: &Fixture, method: &str, path: &str, from: Option<&str>) -> Answer {
    let mut headers = vec![("x-api-key", &*fixture.key), ("content-length", "0")];
    headers.extend(from.map(|from| ("x-forwarded-for", from)));
    fixture.server.send(method, path, &headers)
}

#[test]
fn who_asks_from_elsewhere_is_refused_on_every_path_before_a_key_is_looked_at() {
    let fixture = answering("10.0.0.0/8,::1", "");
    drop(fixture.create_trail());
    for (method, path) in [
        ("GET", "/audit/logs"),
        ("GET", "/api/audit/logs/0193509c-3a5f-7cc1-8b5e-2f1f6f0a9d11?q=secret"),
        ("GET", "/health"),
        ("GET", "/docs"),
        ("GET", "/openapi.json"),
        ("GET", "/my-secret"),
        ("POST", "/audit/keys"),
        ("OPTIONS", "/audit/logs"),
    ] {
        let answer = ask(&fixture, method, path, None);
        assert_eq!(answer.problem(403)["type"], "/problems/address-not-allowed", "{path}");
        assert_eq!(answer.header("connection"), Some("close"), "{path}");
        assert_eq!(answer.header("x-content-type-options"), Some("nosniff"));
    }
    for _ in 0..9 {
        fixture.server.send("GET", "/audit/logs", &[("x-api-key", "ak_nobody")]).problem(403);
    }
    let Fixture { directory, server, .. } = fixture;
    drop(server);
    let records = own(&directory.path().join("audit.db"));
    assert!(
        records.iter().all(|it| it["event_type"] == "security.ip_whitelist_violation"
            && it["ip_address"] == "127.0.0.1"
            && it["status"] == "denied"),
        "{records:#?}"
    );
    // Ten by themselves and seven by their number.
    assert_eq!(records.len(), 11);
    assert_eq!(records[10]["details"]["count"], 7);
    assert_eq!(records[1]["resource"], "/audit/logs/0193509c-3a5f-7cc1-8b5e-2f1f6f0a9d11");
    assert!(!Value::from(records).to_string().contains("secret"));
}

#[test]
fn who_asks_from_the_list_is_answered_also_behind_a_proxy() {
    let fixture = answering("127.0.0.0/8", "");
    assert_eq!(ask(&fixture, "GET", "/health/detail", None).status, 200);
    // Nobody is believed who is not trusted.
    assert_eq!(ask(&fixture, "GET", "/health/detail", Some("203.0.113.9")).status, 200);

    let fixture = answering("203.0.113.0/24", "127.0.0.1");
    assert_eq!(ask(&fixture, "GET", "/health/detail", Some("203.0.113.9")).status, 200);
    let refused = ask(&fixture, "GET", "/health/detail", Some("203.0.113.9, 198.51.100.7"));
    refused.problem(403);
    assert_eq!(refused.header("connection"), None, "the proxy has others to ask for");
    // The proxy itself is not in the list.
    ask(&fixture, "GET", "/health/detail", None).problem(403);
}

/// Connections from another address of this machine that send nothing.
fn idle(to: SocketAddr, count: usize) -> Vec<std::net::TcpStream> {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let connect = |_| {
        runtime.block_on(async {
            let socket = TcpSocket::new_v4().unwrap();
            socket.bind(([127, 0, 0, 2], 0).into()).unwrap();
            socket.connect(to).await.unwrap().into_std().unwrap()
        })
    };
    (0..count).map(connect).collect()
}

#[test]
fn who_may_not_ask_takes_no_place_of_those_who_may() {
    let fixture = Fixture::start(|config| {
        config.allow_from = "127.0.0.1".parse().unwrap();
        config.journal = Some(config.db.with_file_name("journal"));
        config.max_connections = 2;
    });
    drop(fixture.create_trail());
    let held = idle(fixture.server.address, 100);
    for _ in 0..5 {
        assert_eq!(ask(&fixture, "GET", "/health/detail", None).status, 200);
    }
    drop(held);
    let Fixture { directory, server, .. } = fixture;
    drop(server);
    let records = own(&directory.path().join("audit.db"));
    let kind = "security.ip_whitelist_violation";
    let turned_away: Vec<_> = records.iter().filter(|it| it["event_type"] == kind).collect();
    assert_eq!(turned_away.len(), 1, "{records:#?}");
    assert_eq!(turned_away[0]["details"]["count"], 84);
    assert_eq!(turned_away[0]["ip_address"], "127.0.0.2");
}
