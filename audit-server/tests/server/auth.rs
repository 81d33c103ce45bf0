//! Who is let in.

use serde_json::Value;

use super::support::{Answer, Fixture, event};

const NO_ID: &str = "0193509c-3a5f-7cc1-8b5e-2f1f6f0a9d11";

/// Every guarded path of the document, below both prefixes.
fn guarded() -> Vec<String> {
    let document: Value = serde_json::from_str(&audit_server::openapi_document()).unwrap();
    let paths = document["paths"].as_object().unwrap();
    let canonical: Vec<String> = paths
        .keys()
        .filter(|path| *path != "/health")
        .map(|path| path.replace("{id}", NO_ID))
        .collect();
    assert!(canonical.len() >= 7, "{canonical:?}");
    let aliases = canonical
        .iter()
        .filter(|path| path.starts_with("/audit/"))
        .map(|path| format!("/api{path}"));
    aliases.chain(canonical.iter().cloned()).collect()
}

fn refused(answer: &Answer) {
    answer.problem(401);
    assert_eq!(answer.header("www-authenticate"), Some("Bearer"));
}

#[test]
fn every_endpoint_but_health_refuses_whoever_has_no_valid_key() {
    let (fixture, mut trail) = Fixture::with_trail(|_| {});
    trail.write(event("auth.login", 0));
    let (revoked, revoked_key) = fixture.keys.create("revoked").unwrap();
    fixture.keys.revoke(revoked.id.as_str()).unwrap();
    let (_, other) = fixture.keys.create("other").unwrap();
    let mut wrong = fixture.key.clone();
    let last = wrong.pop().unwrap();
    wrong.push(if last == 'A' { 'E' } else { 'A' });
    let unknown = format!("ak_zzzzzzzz{}", &fixture.key[11..]);
    let bearer = |key: &str| format!("Bearer {key}");
    let good = bearer(&fixture.key);

    for path in guarded() {
        for headers in [
            vec![],
            vec![("authorization", "Bearer")],
            vec![("authorization", "Bearer nonsense")],
            vec![("authorization", &*bearer(&wrong))],
            vec![("authorization", &*bearer(&unknown))],
            vec![("authorization", &*bearer(revoked_key.expose()))],
            vec![("authorization", &*fixture.key)],
            vec![("x-api-key", &*wrong)],
            vec![("x-api-key", "")],
            vec![("authorization", &*good), ("x-api-key", other.expose())],
            vec![("authorization", "Basic YTpi"), ("x-api-key", &*fixture.key)],
        ] {
            refused(&fixture.server.send("GET", &path, &headers));
        }
        for headers in [
            vec![("authorization", &*good)],
            vec![("x-api-key", &*fixture.key)],
            vec![("authorization", &*good), ("x-api-key", &*fixture.key)],
        ] {
            let status = fixture.server.send("GET", &path, &headers).status;
            assert!(status == 200 || status == 404 || status == 503, "{path}: {status}");
        }
    }
    let health = fixture.server.send("GET", "/health", &[]);
    assert_eq!((health.status, &*health.body), (200, r#"{"status":"ok"}"#));
}

#[test]
fn a_refusal_is_not_told_from_another() {
    let (fixture, _trail) = Fixture::with_trail(|_| {});
    let (revoked, key) = fixture.keys.create("revoked").unwrap();
    fixture.keys.revoke(revoked.id.as_str()).unwrap();
    let missing = fixture.server.send("GET", "/audit/logs", &[]);
    let worthless = fixture.server.send("GET", "/audit/logs", &[("x-api-key", key.expose())]);
    assert_eq!(missing.body, worthless.body);
}

#[test]
fn a_running_server_honours_a_new_and_a_revoked_key_at_once() {
    let (fixture, _trail) = Fixture::with_trail(|_| {});
    // As the command line does: another connection to the same file.
    let path = fixture.directory.path().join("audit-keys.db");
    let keys = audit_server::KeyStore::open(&path).unwrap();
    let (info, key) = keys.create("late").unwrap();
    let ask = || fixture.server.send("GET", "/audit/logs", &[("x-api-key", key.expose())]);
    ask().ok();
    keys.revoke(info.id.as_str()).unwrap();
    refused(&ask());
    keys.revoke(info.id.as_str()).unwrap();
    assert!(keys.revoke("zzzzzzzz").is_err());
}

#[test]
fn keys_that_were_taken_away_let_nobody_in() {
    let (fixture, _trail) = Fixture::with_trail(|_| {});
    let path = fixture.directory.path().join("audit-keys.db");
    std::fs::remove_file(&path).unwrap();
    fixture.get("/audit/logs").problem(503);
    let (_, key) = audit_server::KeyStore::open(&path).unwrap().create("new").unwrap();
    refused(&fixture.get("/audit/logs"));
    fixture.server.send("GET", "/audit/logs", &[("x-api-key", key.expose())]).ok();
}

#[test]
fn the_file_of_keys_is_its_owners_and_holds_no_secret() {
    use std::os::unix::fs::PermissionsExt;
    let fixture = Fixture::start(|_| {});
    let path = fixture.directory.path().join("audit-keys.db");
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    let bytes = std::fs::read(&path).unwrap();
    let secret = &fixture.key.as_bytes()[12..];
    assert!(!bytes.windows(secret.len()).any(|window| window == secret));
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o640)).unwrap();
    assert!(audit_server::KeyStore::open(&path).is_err(), "others may read it");
}
