//! Who is let in.

use std::{os::unix::fs::PermissionsExt, path::Path, process::Command};

use serde_json::Value;

use super::support::{Answer, Fixture, event};

const NO_ID: &str = "0193509c-3a5f-7cc1-8b5e-2f1f6f0a9d11";

/// Every guarded path of the document with its method, below both prefixes.
fn guarded() -> Vec<(String, String)> {
    let document: Value = serde_json::from_str(&audit_server::openapi_document()).unwrap();
    let paths = document["paths"].as_object().unwrap();
    let canonical: Vec<(String, String)> = paths
        .iter()
        .filter(|(path, _)| *path != "/health")
        .flat_map(|(path, operations)| {
            let methods = operations.as_object().unwrap().keys();
            methods.map(|method| {
                (method.to_uppercase(), path.replace("{id}", NO_ID).replace("{key}", "zzzzzzzz"))
            })
        })
        .collect();
    assert!(canonical.len() >= 7, "{canonical:?}");
    let aliases = canonical
        .iter()
        .filter(|(_, path)| path.starts_with("/audit/"))
        .map(|(method, path)| (method.clone(), format!("/api{path}")));
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

    for (method, path) in guarded() {
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
            let headers = [&headers[..], &[("content-length", "0")]].concat();
            refused(&fixture.server.send(&method, &path, &headers));
        }
        for headers in [
            vec![("authorization", &*good)],
            vec![("x-api-key", &*fixture.key)],
            vec![("authorization", &*good), ("x-api-key", &*fixture.key)],
        ] {
            let headers = [&headers[..], &[("content-length", "0")]].concat();
            let status = fixture.server.send(&method, &path, &headers).status;
            // A key that is made needs a name.
            assert!(matches!(status, 200 | 400 | 404 | 503), "{path}: {status}");
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

/// Runs `audit-server keys` there; gives whether it succeeded and all that it printed.
fn command(directory: &Path, arguments: &[&str]) -> (bool, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_audit-server"))
        .arg("keys")
        .args(arguments)
        .current_dir(directory)
        .env_clear()
        .output()
        .unwrap();
    let printed = [output.stdout, output.stderr].concat();
    (output.status.success(), String::from_utf8(printed).unwrap())
}

#[test]
fn a_whole_key_is_revoked_by_its_id_and_never_printed() {
    let directory = tempfile::tempdir().unwrap();
    let keys = audit_server::KeyStore::open(directory.path().join("audit-keys.db")).unwrap();
    let (info, key) = keys.create("leaked").unwrap();
    let secret = &key.expose()["ak_".len() + 8..];
    let (_, other) = keys.create("other").unwrap();
    // A wrong key must not be shown either: it is somebody's secret with a slip in it.
    let broken = format!("{}!", other.expose());
    for bad in [&*broken, &other.expose()[..40], "hunter2"] {
        let (done, printed) = command(directory.path(), &["revoke", bad]);
        assert!(!done && !printed.contains(bad), "{printed}");
        assert!(printed.contains("keys list"), "{printed}");
    }
    let (done, printed) = command(directory.path(), &["revoke", key.expose()]);
    assert!(done && printed.contains(info.id.as_str()), "{printed}");
    assert!(!printed.contains(secret), "{printed}");
    let revoked = keys.list().unwrap().into_iter().filter(|key| key.revoked.is_some());
    assert_eq!(revoked.map(|key| key.name).collect::<Vec<_>>(), ["leaked"]);
    let (done, printed) = command(directory.path(), &["revoke", "zzzzzzzz"]);
    assert!(!done && printed.contains("zzzzzzzz"), "{printed}");
}

#[test]
fn a_misspelt_variable_is_an_error_of_the_command() {
    let directory = tempfile::tempdir().unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_audit-server"))
        .args(["keys", "create", "--name", "n"])
        .current_dir(directory.path())
        .env_clear()
        .env("AUDIT_SERVER_KEY", "other.db")
        .output()
        .unwrap();
    let printed = String::from_utf8(output.stderr).unwrap();
    assert!(!output.status.success(), "{printed}");
    assert!(printed.contains("AUDIT_SERVER_KEY:") && printed.contains("AUDIT_SERVER_KEYS"));
}

#[test]
fn only_making_a_key_makes_the_file_of_keys() {
    let directory = tempfile::tempdir().unwrap();
    let typo = directory.path().join("typo.db");
    for arguments in [&["list"][..], &["revoke", "zzzzzzzz"]] {
        let (done, printed) =
            command(directory.path(), &[&["--keys", "typo.db"], arguments].concat());
        assert!(!done && printed.contains("typo.db"), "{printed}");
        assert!(!typo.exists(), "{arguments:?} made it");
    }
    std::fs::write(&typo, "").unwrap();
    std::fs::set_permissions(&typo, std::fs::Permissions::from_mode(0o600)).unwrap();
    assert!(!command(directory.path(), &["--keys", "typo.db", "list"]).0);
    assert_eq!(std::fs::metadata(&typo).unwrap().len(), 0, "keys were put into another's file");
    assert!(command(directory.path(), &["--keys", "typo.db", "create", "--name", "n"]).0);
    assert!(command(directory.path(), &["--keys", "typo.db", "list"]).0);
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
    let fixture = Fixture::start(|_| {});
    let path = fixture.directory.path().join("audit-keys.db");
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    let bytes = std::fs::read(&path).unwrap();
    let secret = &fixture.key.as_bytes()[12..];
    assert!(!bytes.windows(secret.len()).any(|window| window == secret));
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o640)).unwrap();
    assert!(audit_server::KeyStore::open(&path).is_err(), "others may read it");
}
