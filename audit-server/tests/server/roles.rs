//! Who may what: each role at each endpoint of the OpenAPI document, keys over HTTP, and what a viewer does
//! not see.

use std::{collections::BTreeSet, process::Command, thread, time::Duration};

use audit_layer::record::{Member, Value as Scalar};
use audit_server::{KeyStore, NewKey, Role};
use serde_json::Value;

use super::support::{Answer, Event, Fixture, event};

const NO_ID: &str = "0193509c-3a5f-7cc1-8b5e-2f1f6f0a9d11";
const NO_KEY: &str = "zzzzzzzz";

/// What may be asked for, by the method and the path in the document: which of [`CALLERS`] may, and which may not. Written by
/// hand: an endpoint that is added must be added here.
const MATRIX: &[(&str, &str, [bool; 5])] = {
    const ALL: [bool; 5] = [true; 5];
    const OF_WHOLE_TRAIL: [bool; 5] = [true, true, true, false, false];
    const AUDITORS: [bool; 5] = [false, true, true, false, true];
    const AUDITORS_OF_WHOLE_TRAIL: [bool; 5] = [false, true, true, false, false];
    const ADMINS: [bool; 5] = [false, false, true, false, false];
    &[
        ("GET", "/health", ALL),
        ("GET", "/health/detail", OF_WHOLE_TRAIL),
        ("GET", "/audit/logs", ALL),
        ("GET", "/audit/logs/{id}", ALL),
        ("GET", "/audit/security-events", ALL),
        ("GET", "/audit/financial", ALL),
        ("GET", "/audit/redis", ALL),
        ("GET", "/audit/combined", ALL),
        ("GET", "/audit/stats", ALL),
        ("GET", "/audit/reports/security", AUDITORS),
        ("GET", "/audit/reports/trading", AUDITORS),
        ("GET", "/audit/reports/compliance", AUDITORS_OF_WHOLE_TRAIL),
        ("GET", "/audit/anomalies", AUDITORS),
        ("POST", "/audit/export", AUDITORS),
        ("GET", "/audit/exports/{id}", AUDITORS),
        ("GET", "/audit/keys", ADMINS),
        ("POST", "/audit/keys", ADMINS),
        ("DELETE", "/audit/keys/{key}", ADMINS),
        ("POST", "/audit/keys/{key}/rotate", ADMINS),
    ]
};

/// Who asks: the role, and whether the credential is one of one tenant. An admin's cannot be.
const CALLERS: [(Role, bool); 5] = [
    (Role::Viewer, false),
    (Role::Auditor, false),
    (Role::Admin, false),
    (Role::Viewer, true),
    (Role::Auditor, true),
];

fn key_of(fixture: &Fixture, role: Role) -> String {
    let (_, key) = fixture.keys.make(&NewKey::new(role.name(), role)).unwrap();
    key.expose().to_owned()
}

fn ask(fixture: &Fixture, method: &str, path: &str, key: &str) -> Answer {
    fixture.server.send(method, path, &[("x-api-key", key), ("content-length", "0")])
}

#[test]
fn each_caller_may_at_each_endpoint_what_is_said_and_nothing_else() {
    let document: Value = serde_json::from_str(&audit_server::openapi_document()).unwrap();
    let documented: BTreeSet<(String, String)> = document["paths"]
        .as_object()
        .unwrap()
        .iter()
        .flat_map(|(path, operations)| {
            let methods = operations.as_object().unwrap().keys();
            methods.map(|method| (method.to_uppercase(), path.clone()))
        })
        .collect();
    let listed: BTreeSet<(String, String)> =
        MATRIX.iter().map(|(method, path, _)| (method.to_string(), path.to_string())).collect();
    assert_eq!(documented, listed, "the matrix has every endpoint");

    let (fixture, mut trail) = Fixture::with_trail(|_| {});
    trail.write(event("auth.login", 0));
    let keys = CALLERS.map(|(role, of_tenant)| {
        let tenant = of_tenant.then(|| "acme".parse().unwrap());
        let new = NewKey { tenant, ..NewKey::new(role.name(), role) };
        fixture.keys.make(&new).unwrap().1.expose().to_owned()
    });
    let admin_of_tenant =
        NewKey { tenant: Some("acme".parse().unwrap()), ..NewKey::new("a", Role::Admin) };
    assert!(fixture.keys.make(&admin_of_tenant).is_err());
    for (method, path, may) in MATRIX {
        let asked = path.replace("{id}", NO_ID).replace("{key}", NO_KEY);
        for prefix in ["", "/api"] {
            if !prefix.is_empty() && !path.starts_with("/audit") {
                continue;
            }
            let nobody = ask(&fixture, method, &format!("{prefix}{asked}"), "");
            let is_open = *path == "/health";
            assert_eq!(nobody.status, if is_open { 200 } else { 401 }, "{method} {prefix}{path}");
            for (((role, of_tenant), key), may) in CALLERS.iter().zip(&keys).zip(may) {
                let answer = ask(&fixture, method, &format!("{prefix}{asked}"), key);
                let of = if *of_tenant { " of a tenant" } else { "" };
                let about = format!("{role}{of} {method} {prefix}{path}: {}", answer.status);
                assert_eq!(answer.status != 403, *may, "{about}");
                if *may {
                    // 404 and 400: what stands in the path is not there, and a name is missing.
                    assert!(matches!(answer.status, 200 | 400 | 404 | 503), "{about}");
                } else {
                    answer.problem(403);
                    assert!(!answer.body.contains("ak_"), "{about}");
                }
                // Who may not must not learn either whether the question would be a good one.
                if !may {
                    ask(&fixture, method, &format!("{prefix}{asked}?nonsense=1"), key).problem(403);
                }
            }
            // Of other methods at the same address none does anything.
            for other in ["PUT", "PATCH", "DELETE", "POST", "GET"] {
                if listed.contains(&(other.to_owned(), (*path).to_owned())) {
                    continue;
                }
                let answer = ask(&fixture, other, &format!("{prefix}{asked}"), &keys[2]);
                assert_eq!(answer.status, 405, "{other} {prefix}{path}");
                assert!(answer.header("allow").unwrap().contains(method), "{other} {path}");
            }
        }
    }
}

#[test]
fn keys_are_made_listed_rotated_and_revoked_over_http() {
    let (fixture, _trail) = Fixture::with_trail(|_| {});
    let admin = |method: &str, path: &str| ask(&fixture, method, path, &fixture.key);
    let made =
        admin("POST", "/audit/keys?name=grafana&role=auditor&days=30&networks=127.0.0.0/8,::1");
    assert_eq!(made.header("cache-control"), Some("no-store"));
    let made = made.ok();
    let (first, id) = (made["key"].as_str().unwrap(), made["about"]["id"].as_str().unwrap());
    assert_eq!(made["about"]["role"], "auditor");
    assert_eq!(made["about"]["networks"][0], "127.0.0.0/8");
    assert_eq!(made["about"]["revoked"], Value::Null);
    ask(&fixture, "GET", "/audit/anomalies", first).ok();

    // Made anew, both open, until the old one is revoked.
    let rotated = admin("POST", &format!("/audit/keys/{id}/rotate?grace_hours=1")).ok();
    let second = rotated["key"].as_str().unwrap();
    assert_eq!(rotated["about"]["name"], "grafana");
    assert_eq!(rotated["about"]["role"], "auditor");
    assert_eq!(rotated["about"]["expires"], Value::Null);
    assert_eq!(rotated["about"]["networks"], made["about"]["networks"]);
    ask(&fixture, "GET", "/audit/anomalies", first).ok();
    ask(&fixture, "GET", "/audit/anomalies", second).ok();
    let revoked = admin("DELETE", &format!("/audit/keys/{id}")).ok();
    assert!(revoked["revoked"].is_string(), "{revoked}");
    ask(&fixture, "GET", "/audit/anomalies", first).problem(401);
    admin("POST", &format!("/audit/keys/{id}/rotate")).problem(404);

    // Without a grace the old one is worth nothing at once.
    let id = rotated["about"]["id"].as_str().unwrap();
    let third = admin("POST", &format!("/audit/keys/{id}/rotate")).ok();
    ask(&fixture, "GET", "/audit/logs", second).problem(401);
    ask(&fixture, "GET", "/audit/logs", third["key"].as_str().unwrap()).ok();

    let list = admin("GET", "/audit/keys");
    for key in [first, second, third["key"].as_str().unwrap(), &fixture.key] {
        assert!(!list.body.contains(&key[11..]), "a secret is listed");
    }
    let list = list.ok();
    let names: Vec<_> = list["keys"].as_array().unwrap().iter().map(|key| &key["name"]).collect();
    assert_eq!(names, ["tests", "grafana", "grafana", "grafana"]);
    // A key cannot lock out whoever holds it by mistake.
    let own = list["keys"][0]["id"].as_str().unwrap();
    assert_eq!(admin("DELETE", &format!("/audit/keys/{own}")).problem(400)["parameter"], "key");
    ask(&fixture, "GET", "/audit/logs", &fixture.key).ok();
}

#[test]
fn what_cannot_be_made_of_a_key_is_named() {
    let fixture = Fixture::start(|_| {});
    for (path, parameter) in [
        ("/audit/keys", "name"),
        ("/audit/keys?name=", "name"),
        ("/audit/keys?name=a%0Ab", "name"),
        ("/audit/keys?name=a&role=root", "role"),
        ("/audit/keys?name=a&role=", "role"),
        ("/audit/keys?name=a&days=0", "days"),
        ("/audit/keys?name=a&days=3651", "days"),
        ("/audit/keys?name=a&networks=10.0.0.0/33", "networks"),
        ("/audit/keys?name=a&networks=", "networks"),
        ("/audit/keys?name=a&name=b", "name"),
        ("/audit/keys?name=a&account=b", "account"),
        ("/audit/keys/UPPER/rotate", "key"),
        ("/audit/keys/zzzzzzzz/rotate?grace_hours=x", "grace_hours"),
    ] {
        let problem = ask(&fixture, "POST", path, &fixture.key).problem(400);
        assert_eq!(problem["parameter"], parameter, "{path}: {problem}");
    }
    ask(&fixture, "DELETE", "/audit/keys/zzzzzzzz", &fixture.key).problem(404);
    assert_eq!(fixture.keys.list().unwrap().len(), 1, "nothing was made");
}

#[test]
fn a_key_opens_from_its_networks_and_until_it_expires() {
    let fixture = Fixture::start(|_| {});
    let make = |networks: &str, lifetime| {
        let networks = networks.parse().unwrap();
        let new = NewKey { networks, lifetime, ..NewKey::new("k", Role::Viewer) };
        fixture.keys.make(&new).unwrap().1.expose().to_owned()
    };
    let of = |key: &str| ask(&fixture, "GET", "/health/detail", key).status;
    assert_eq!(of(&make("127.0.0.0/8", None)), 200);
    assert_eq!(of(&make("127.0.0.1", None)), 200);
    assert_eq!(of(&make("10.0.0.0/8,::/0", None)), 401);
    let soon = make("", Some(Duration::from_millis(1500)));
    assert_eq!(of(&soon), 200);
    thread::sleep(Duration::from_millis(1700));
    assert_eq!(of(&soon), 401);
}

#[test]
fn keys_of_an_earlier_version_may_what_they_might() {
    let fixture = Fixture::start(|_| {});
    let path = fixture.directory.path().join("old.db");
    std::fs::copy(fixture.directory.path().join("audit-keys.db"), &path).unwrap();
    let old = rusqlite::Connection::open(&path).unwrap();
    old.execute_batch(
        "ALTER TABLE keys DROP COLUMN role; ALTER TABLE keys DROP COLUMN expires;
         ALTER TABLE keys DROP COLUMN networks; ALTER TABLE keys DROP COLUMN tenant;
         DROP TABLE secrets; DROP TABLE settings; PRAGMA user_version = 1;",
    )
    .unwrap();
    drop(old);
    let keys = KeyStore::open_existing(&path).unwrap();
    let key = fixture.key.parse().unwrap();
    let info = keys.check(&key, [127, 0, 0, 1].into()).unwrap();
    assert_eq!((info.role, info.expires, &*info.name), (Role::Admin, None, "tests"));
}

#[test]
fn the_command_makes_keys_of_a_role() {
    let directory = tempfile::tempdir().unwrap();
    let command = |arguments: &[&str]| {
        let output = Command::new(env!("CARGO_BIN_EXE_audit-server"))
            .arg("keys")
            .args(arguments)
            .current_dir(directory.path())
            .env_clear()
            .output()
            .unwrap();
        let printed = [output.stdout.clone(), output.stderr].concat();
        let printed = String::from_utf8(printed).unwrap();
        let key = String::from_utf8(output.stdout).unwrap();
        (output.status.success(), key.trim().to_owned(), printed)
    };
    let (done, key, _) = command(&[
        "create",
        "--name",
        "n",
        "--role",
        "viewer",
        "--expires-in",
        "90d",
        "--networks",
        "10.0.0.0/8",
    ]);
    assert!(done);
    let (done, new, printed) = command(&["rotate", &key, "--grace", "1h"]);
    assert!(done && new != key, "{printed}");
    let (_, _, list) = command(&["list"]);
    assert_eq!(list.matches("viewer").count(), 2, "{list}");
    assert_eq!(list.matches("10.0.0.0/8").count(), 2, "{list}");
    for (bad, said) in [
        (&["create", "--name", "n", "--role", "root"][..], "viewer, auditor or admin"),
        (&["create", "--name", "n", "--networks", "here"], "10.0.0.0/8"),
        (&["create", "--name", "n", "--expires-in", "100y"], "ten years"),
        (&["create", "--name", "n", "--expires-in", "soon"], "--expires-in"),
        (&["rotate", "zzzzzzzz"], "zzzzzzzz"),
    ] {
        let (done, _, printed) = command(bad);
        assert!(!done && printed.contains(said), "{bad:?}: {printed}");
    }
}

/// A restricted record and one that is not; both have an account in their details.
fn accounts() -> Vec<Event> {
    let account = |at, classification, number| {
        event("data.read", at).set(Member::DataClassification, classification).with(|draft| {
            draft.details.push(("account".into(), Scalar::Str(number)));
        })
    };
    vec![account(0, "restricted", "DE02 9999"), account(1, "internal", "DE02 1111")]
}

#[test]
fn a_viewer_does_not_see_details_of_restricted_records_nor_finds_them_by_these() {
    let (fixture, mut trail) = Fixture::with_trail(|_| {});
    let lines = trail.write_all(accounts());
    let (viewer, auditor) = (key_of(&fixture, Role::Viewer), key_of(&fixture, Role::Auditor));
    let records = |key: &str, path: &str| {
        let answer = ask(&fixture, "GET", path, key);
        let page = answer.ok();
        (page["records"].as_array().unwrap().len(), answer.body)
    };
    for path in ["/audit/logs", "/audit/combined", "/audit/logs?data_classification=restricted"] {
        let (count, body) = records(&viewer, path);
        assert!(count >= 1 && !body.contains("9999"), "{path}: {body}");
        assert!(body.contains(r#""details":{"masked":true}"#), "{path}: {body}");
        let (seen, body) = records(&auditor, path);
        assert!(seen == count && body.contains("9999") && !body.contains("masked"), "{path}");
    }
    let id = |line: &str| {
        let record: Value = serde_json::from_str(line).unwrap();
        record["id"].as_str().unwrap().to_owned()
    };
    for (at, line) in lines.iter().enumerate() {
        let one = |key: &str| ask(&fixture, "GET", &format!("/audit/logs/{}", id(line)), key).body;
        assert_eq!(one(&auditor), **line);
        assert_eq!(one(&viewer) == **line, at == 1);
        assert!(!one(&viewer).contains("9999"));
    }
    // No question tells what stands there.
    for asked in [
        "details[account]=DE02%209999",
        "q=9999",
        "filter=details.account=%22DE02*%22",
        "filter=details.account:9999",
        "filter=NOT%20details.account=%22DE02%201111%22",
        "filter=9999%20OR%20details.account:9999",
        "details[account]!=DE02%201111",
    ] {
        let (hidden, body) = records(&viewer, &format!("/audit/logs?count=exact&{asked}"));
        let count = serde_json::from_str::<Value>(&body).unwrap()["count"]["value"].clone();
        let unrestricted = usize::from(asked.contains("DE02*"));
        assert_eq!((hidden, count.as_u64()), (unrestricted, Some(unrestricted as u64)), "{asked}");
        assert!(records(&auditor, &format!("/audit/logs?{asked}")).0 > hidden, "{asked}");
        let stats =
            ask(&fixture, "GET", &format!("/audit/stats?interval=day&{asked}"), &viewer).ok();
        assert_eq!(stats["records"], unrestricted, "{asked}: {stats}");
    }
    let top = |key: &str| ask(&fixture, "GET", "/audit/stats?top=details.account", key).body;
    assert!(top(&auditor).contains("9999"));
    assert!(top(&viewer).contains("1111") && !top(&viewer).contains("9999"), "{}", top(&viewer));
}
