//! Credentials of one tenant: whatever they ask, at every endpoint of the OpenAPI document, the answer says nothing of
//! others, not even how many records these have.
//!
//! What is said of others cannot be listed, so it is shown otherwise: two trails have the same records of one tenant, and
//! of others one has a few and one has many. To the tenant's credentials the two answer the same.

use std::{collections::BTreeSet, thread, time::Duration};

use audit_layer::record::{Member, Value as Scalar};
use audit_server::{Config, NewKey, Role};
use serde_json::Value;
use uuid::Uuid;

use super::support::{Answer, Event, Fixture, Redis, event};

const HOUR: i64 = 3_600_000_000;
/// How many days before [`super::support::DAY`] the records begin.
const DAYS: i64 = 40;
/// Stands in each record that is not the tenant's.
const OTHER: &str = "globex";

/// What a tenant's records are of one hour.
fn of_hour(hour: i64, tenant: &'static str, users: [&'static str; 2]) -> Vec<Event> {
    let at = (hour - DAYS * 24) * HOUR;
    let new = |event_type, micros| {
        let event = event(event_type, at + micros).set(Member::Tenant, tenant);
        event.set(Member::UserId, users[usize::from(hour % 5 == 0)])
    };
    let mut events = vec![
        new("auth.failed", 1).set(Member::Status, "failure").set(Member::IpAddress, "192.0.2.1"),
        new("auth.login", 2).set(Member::Status, "success").set(Member::IpAddress, "192.0.2.1"),
        new("data.read", 3).set(Member::Resource, "/accounts/1").with(|draft| {
            draft.details.push(("account".into(), Scalar::Str(users[0])));
        }),
        new("trade.executed", 4).set(Member::CorrelationId, "c-1").with(|draft| {
            for (name, value) in [("symbol", users[0]), ("quantity", "3"), ("price", "1.5")] {
                draft.details.push((name.into(), Scalar::Str(value)));
            }
        }),
    ];
    if hour % 7 == 0 {
        events.push(new("data.read", 5).set(Member::DataClassification, "restricted"));
    }
    events
}

/// A server over a trail with the tenant's records and, of others, those of so many per hour.
fn house(others: usize, change: impl FnOnce(&mut Config), redis: &Redis) -> Fixture {
    let (fixture, mut trail) = Fixture::with_trail(|config| {
        config.redis_url = Some(redis.url().parse().unwrap());
        change(config);
    });
    let mut own = 0;
    let mut lines = Vec::new();
    let mut number = |mut event: Event| {
        own += 1;
        event.draft.id = Uuid::from_u128(0x0193_0000_0000_7000_8000_0000_0000_0000 + own);
        event
    };
    for hour in -48..DAYS * 24 + 48 {
        let mut of_this = Vec::new();
        for _ in 0..others {
            of_this.extend(of_hour(hour, OTHER, ["globex-1", "globex-2"]));
        }
        // Of the service itself, without a tenant.
        of_this.push(event("system.heartbeat", (hour - DAYS * 24) * HOUR));
        if (0..DAYS * 24).contains(&hour) {
            of_this.extend(of_hour(hour, "acme", ["u-1", "u-2"]).into_iter().map(&mut number));
        }
        lines.extend(trail.write_all(of_this));
    }
    // Nobody knows whose these were.
    for number in 0..others {
        let sql = format!(
            "INSERT INTO audit_logs (stream, seq, id, timestamp, event_type, record)
             VALUES ('gone@x~aaaaaa', {}, 'x{number}', {}, 'data.read', 'no record')",
            number + 1,
            super::support::DAY - HOUR,
        );
        trail.execute(&sql);
    }
    // As many of the tenant's in both.
    let own: Vec<_> = lines.iter().filter(|line| line.contains(r#""tenant":"acme""#)).collect();
    let other = lines.iter().rev().take(40 * others).rev();
    for line in own.iter().rev().take(40).rev().copied().chain(other) {
        redis.push(line);
    }
    fixture
}

fn key(fixture: &Fixture, role: Role) -> String {
    let tenant = Some("acme".parse().unwrap());
    let new = NewKey { tenant, ..NewKey::new("of acme", role) };
    fixture.keys.make(&new).unwrap().1.expose().to_owned()
}

fn ask(fixture: &Fixture, method: &str, path: &str, key: &str) -> Answer {
    fixture.server.send(method, path, &[("x-api-key", key), ("content-length", "0")])
}

/// What is asked at each endpoint. One that is added must be added here.
fn questions(method: &str, path: &str) -> Vec<String> {
    let own = "01930000-0000-7000-8000-000000000001";
    let with = |queries: &[&str]| queries.iter().map(|query| format!("{path}{query}")).collect();
    let pages = [
        "?limit=7",
        "?limit=1000&start_date=2026-11-19",
        "?limit=1000&end_date=2026-10-13",
        "?tenant=globex",
        "?tenant!=acme",
        "?filter=tenant=%22globex%22%20OR%20user_id=%22u-1%22",
        "?filter=NOT%20tenant=%22acme%22",
        "?user_id=globex-1",
        "?q=globex",
        "?status=failure&user_id=u-2",
        "?event_type=data.*&details.account=u-1",
        "?seq=1",
        "?seq%3E=1000",
        "?seq!=7",
        "?filter=seq%20%3E%201000",
        "?filter=user_id=%22u-1%22%20AND%20NOT%20seq%20%3C%205",
        "?prev_hash!=0",
        "?limit=0",
        "?cursor=AAAA",
    ];
    let stored = [
        "?limit=5&count=exact",
        "?limit=5&count=estimate",
        "?limit=1&count=estimate&status=failure",
        "?limit=50&order=asc",
        "?limit=50&order=arrival",
        "?stream=payments@web-1~k3x9q2&limit=3",
    ];
    match (method, path) {
        ("GET", "/audit/logs" | "/audit/security-events" | "/audit/financial") => {
            with(&[&pages[..], &stored].concat())
        }
        ("GET", "/audit/redis" | "/audit/combined") => with(&pages),
        ("GET", "/audit/logs/{id}") => {
            let ids = [own, "0193509c-3a5f-7cc1-8b5e-000000000001"];
            ids.map(|id| format!("/audit/logs/{id}")).to_vec()
        }
        ("GET", "/audit/stats") => with(&[
            "?interval=week",
            "?top=tenant,user_id,event_type,status,stream,details.account,data_classification",
            "?top=user_id&status=failure",
            "?top=seq",
            "?top=prev_hash",
            "?seq%3E=5",
            "?start_date=1900-01-01&end_date=2200-01-01",
            "?end_date=2026-10-13&interval=hour",
            "?tenant=globex",
        ]),
        ("GET", "/audit/reports/security") => {
            with(&["?days=7&end_date=2026-11-20", "?days=90&end_date=2026-11-25"])
        }
        ("GET", "/audit/reports/trading") => with(&[
            "?days=60&end_date=2026-11-25",
            "?days=60&end_date=2026-11-25&user_id=globex-1",
            "?days=60&end_date=2026-11-25&user_id=u-1",
        ]),
        ("GET", "/audit/anomalies") => {
            with(&["?end_date=2026-11-20", "?end_date=2026-11-22&lookback_days=3&threshold=1"])
        }
        ("GET", "/audit/reports/compliance") => with(&["", "?regulations=SOX&end_date=2026-11-20"]),
        ("POST", "/audit/export") => with(&[
            "?format=ndjson",
            "?format=json&status=failure",
            "?format=csv&limit=100",
            "?format=ndjson&tenant=globex",
            "?after=01930000-0000-7000-8000-000000000001&limit=10",
            "?after=0193509c-3a5f-7cc1-8b5e-000000000001",
            "?after=0193509c-3a5f-7cc1-8b5e-00000000ffff",
            "?seq%3E=5",
        ]),
        ("GET", "/audit/exports/{id}") => vec![path.replace("{id}", own)],
        ("GET", "/health" | "/health/detail" | "/audit/keys") | ("POST", "/audit/keys") => {
            vec![path.to_owned()]
        }
        ("DELETE" | "POST", "/audit/keys/{key}" | "/audit/keys/{key}/rotate") => {
            vec![path.replace("{key}", "zzzzzzzz")]
        }
        other => panic!("nothing is asked of {other:?}: a tenant might see others there"),
    }
}

/// The answer without what is another one each time.
fn told(answer: &Answer) -> String {
    fn settle(value: &mut Value) {
        match value {
            Value::Object(members) => {
                for (name, value) in members {
                    let varies = ["generated_at", "started", "ended", "next_cursor", "cursor"];
                    if varies.contains(&&**name) && !value.is_null() {
                        *value = Value::Bool(true);
                    }
                    settle(value);
                }
            }
            Value::Array(items) => items.iter_mut().for_each(settle),
            _ => {}
        }
    }
    let body = match serde_json::from_str::<Value>(&answer.body) {
        Ok(mut value) => {
            settle(&mut value);
            value.to_string()
        }
        Err(_) => answer.body.clone(),
    };
    format!("{} {body}", answer.status)
}

fn documented() -> BTreeSet<(String, String)> {
    let document: Value = serde_json::from_str(&audit_server::openapi_document()).unwrap();
    let paths = document["paths"].as_object().unwrap();
    let all = paths.iter().flat_map(|(path, operations)| {
        let methods = operations.as_object().unwrap().keys();
        methods.map(|method| (method.to_uppercase(), path.clone()))
    });
    all.collect()
}

/// Waits until the index has all of the trail.
fn caught_up(fixture: &Fixture) {
    for _ in 0..600 {
        let detail = fixture.get("/health/detail").ok();
        let model = &detail["read_model"];
        if model["lag_records"] == 0 && model["state"] == "current" {
            return;
        }
        thread::sleep(Duration::from_millis(100));
    }
    panic!("the index does not catch up: {}", fixture.get("/health/detail").body);
}

fn nothing_is_told_of_others(change: impl Fn(&mut Config), indexed: bool) {
    let redis = [Redis::start(), Redis::start()];
    let (few, many) = (house(1, &change, &redis[0]), house(9, &change, &redis[1]));
    if indexed {
        caught_up(&few);
        caught_up(&many);
    }
    for role in [Role::Viewer, Role::Auditor] {
        let (few_key, many_key) = (key(&few, role), key(&many, role));
        for (method, path) in documented() {
            let mut good = 0;
            for question in questions(&method, &path) {
                let of_few = ask(&few, &method, &question, &few_key);
                let of_many = ask(&many, &method, &question, &many_key);
                let status = of_many.status;
                let about = format!("{role} {method} {question}");
                assert_eq!(told(&of_few), told(&of_many), "{about}");
                // But for what was asked: a problem may name it.
                let asked = ["tenant=globex", "user_id=globex-1", r#""user_id":"globex-1""#];
                let without = |body: String, asked: &&str| body.replace(asked, "");
                let body = asked.iter().fold(of_many.body, without);
                assert!(!body.contains(OTHER), "{about}: {body}");
                assert!(!body.contains("0193509c"), "an id of others: {about}");
                good += usize::from(status == 200);
            }
            let whole = matches!(&*path, "/health/detail" | "/audit/reports/compliance");
            let not_for_role = path.starts_with("/audit/keys")
                || role == Role::Viewer
                    && !matches!(&*path, "/audit/stats" | "/audit/redis" | "/audit/combined")
                    && ["/audit/reports", "/audit/anomalies", "/audit/export"]
                        .iter()
                        .any(|begin| path.starts_with(begin));
            let expected = !(whole || not_for_role || path == "/audit/exports/{id}");
            assert_eq!(good > 0, expected, "{role} {method} {path}");
        }
    }

    // The manifest of an export, for its tenant and for nobody of another.
    let (own, other) = (key(&many, Role::Auditor), {
        let tenant = Some(OTHER.parse().unwrap());
        let new = NewKey { tenant, ..NewKey::new("of another", Role::Auditor) };
        many.keys.make(&new).unwrap().1.expose().to_owned()
    });
    let export = |key: &str| {
        let answer = ask(&many, "POST", "/audit/export?status=failure", key);
        assert_eq!(answer.status, 200);
        (format!("/audit/exports/{}", answer.header("audit-export-id").unwrap()), answer.body)
    };
    let (manifest, body) = export(&own);
    let told = ask(&many, "GET", &manifest, &own).ok();
    assert_eq!(told["records"].as_u64(), Some(body.lines().count() as u64));
    assert_eq!((told["streams"].as_array().map(Vec::len), &told["damaged"]), (Some(0), &0.into()));
    ask(&many, "GET", &manifest, &other).problem(404);
    ask(&many, "GET", &export(&other).0, &own).problem(404);
    ask(&many, "GET", &export(&many.key).0, &own).problem(404);
    assert_eq!(ask(&many, "GET", &manifest, &many.key).status, 200);
    // It goes on where it ended, for its tenant alone.
    let cursor = told["cursor"].as_str().unwrap();
    let on = format!("/audit/export?status=failure&cursor={cursor}");
    assert_eq!(ask(&many, "POST", &on, &own).body, "");
    ask(&many, "POST", &on, &other).problem(400);
    ask(&many, "POST", &on, &many.key).problem(400);
}

#[test]
fn nothing_is_told_of_others_from_the_index() {
    nothing_is_told_of_others(|_| {}, true);
}

#[test]
fn nothing_is_told_of_others_without_an_index() {
    nothing_is_told_of_others(|config| config.read_model = None, false);
}

#[test]
fn a_tenant_walks_through_all_that_is_its_own() {
    let redis = Redis::start();
    let house = house(2, |_| {}, &redis);
    caught_up(&house);
    let key = key(&house, Role::Auditor);
    let expected = ask(&house, "GET", "/audit/stats", &key).ok()["records"].as_u64().unwrap();
    assert!(expected > 3_800, "{expected}");
    for order in ["asc", "desc", "arrival"] {
        let (mut ids, mut cursor) = (BTreeSet::new(), String::new());
        loop {
            let path = format!("/audit/logs?limit=1000&order={order}{cursor}");
            let page = ask(&house, "GET", &path, &key).ok();
            let records = page["records"].as_array().unwrap();
            for record in records {
                assert_eq!((&record["tenant"], &record["seq"]), (&"acme".into(), &0.into()));
                assert!(ids.insert(record["id"].as_str().unwrap().to_owned()));
            }
            match page["next_cursor"].as_str() {
                Some(next) if !records.is_empty() => cursor = format!("&cursor={next}"),
                _ => break,
            }
            assert!(ids.len() as u64 <= expected);
        }
        assert_eq!(ids.len() as u64, expected, "{order}");
    }
}

#[test]
fn a_copy_in_redis_shows_no_record_of_another_tenant() {
    let redis = Redis::start();
    let (fixture, mut trail) = Fixture::with_trail(|config| {
        config.redis_url = Some(redis.url().parse().unwrap());
    });
    let line = trail.write(event("data.read", 1).set(Member::Tenant, OTHER));
    trail.write(event("data.read", 2).set(Member::Tenant, "acme"));
    // Whoever writes to Redis claims that it is acme's.
    redis.push(&line.replace(OTHER, "acme"));
    let page = ask(&fixture, "GET", "/audit/combined", &key(&fixture, Role::Auditor));
    assert_eq!(page.ok()["records"].as_array().unwrap().len(), 1, "{}", page.body);
    assert!(!page.body.contains(OTHER));
}

#[test]
fn keys_of_a_tenant_are_made_listed_and_rotated_and_none_is_an_admins() {
    let (fixture, mut trail) = Fixture::with_trail(|_| {});
    trail.write(event("data.read", 1).set(Member::Tenant, OTHER));
    trail.write(event("data.read", 2).set(Member::Tenant, "acme"));
    let admin = |method: &str, path: &str| ask(&fixture, method, path, &fixture.key);
    let made = admin("POST", "/audit/keys?name=a&role=auditor&tenant=acme").ok();
    assert_eq!(made["about"]["tenant"], "acme");
    let id = made["about"]["id"].as_str().unwrap();
    let rotated = admin("POST", &format!("/audit/keys/{id}/rotate")).ok();
    assert_eq!(rotated["about"]["tenant"], "acme");
    let page = ask(&fixture, "GET", "/audit/logs", rotated["key"].as_str().unwrap()).ok();
    assert_eq!(page["records"].as_array().unwrap().len(), 1);
    for bad in ["admin&tenant=acme", "viewer&tenant=", "viewer&tenant=*", "viewer&tenant=a%0Ab"] {
        let problem = admin("POST", &format!("/audit/keys?name=a&role={bad}")).problem(400);
        assert_eq!(problem["parameter"], "tenant", "{problem}");
    }
    let list = admin("GET", "/audit/keys").ok();
    assert_eq!(list["keys"][0]["tenant"], Value::Null);
    assert_eq!(list["keys"][2]["tenant"], "acme");
}
