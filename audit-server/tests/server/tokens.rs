//! Tokens of an identity provider, over HTTP: what they open, and that attacks with them open nothing.

use std::{
    fs::{self, Permissions},
    os::unix::fs::PermissionsExt,
    time::{SystemTime, UNIX_EPOCH},
};

use audit_layer::record::Member;
use audit_server::{Config, Server};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use ring::{
    hmac,
    signature::{Ed25519KeyPair, KeyPair},
};
use rusqlite::{Connection, OpenFlags};
use serde_json::{Value, json};

use super::{
    long_lines,
    support::{Answer, Fixture, config_in, event},
};

const SECRET: &[u8] = b"0123456789abcdef0123456789abcdef";
const ISSUER: &str = "https://id.example.com/";

fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    since.as_secs().try_into().unwrap()
}

fn claims() -> Value {
    json!({
        "iss": ISSUER, "aud": "audit-server", "sub": "ann@example.com", "exp": now() + 300,
        "groups": {"audit": ["staff", "readers"]}, "tenant": "*",
    })
}

fn with(name: &str, value: impl Into<Value>) -> Value {
    let mut claims = claims();
    claims[name] = value.into();
    claims
}

fn encode(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

fn of_header(header: &Value, claims: &Value, sign: impl Fn(&[u8]) -> Vec<u8>) -> String {
    let signed = format!("{}.{}", encode(header.to_string()), encode(claims.to_string()));
    format!("{signed}.{}", encode(sign(signed.as_bytes())))
}

fn mac(secret: &[u8]) -> impl Fn(&[u8]) -> Vec<u8> {
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret);
    move |message| hmac::sign(&key, message).as_ref().to_vec()
}

fn hs256(claims: &Value) -> String {
    of_header(&json!({"alg": "HS256", "typ": "JWT"}), claims, mac(SECRET))
}

/// The pair of which the JWKS has the public half.
fn ed25519() -> Ed25519KeyPair {
    Ed25519KeyPair::from_seed_unchecked(&[7; 32]).unwrap()
}

fn eddsa(claims: &Value, kid: &str) -> String {
    let sign = |message: &[u8]| ed25519().sign(message).as_ref().to_vec();
    of_header(&json!({"alg": "EdDSA", "kid": kid}), claims, sign)
}

/// Accepts both kinds, and records what is asked.
fn accepting(config: &mut Config) {
    let secret = config.db.with_file_name("jwt-secret");
    fs::write(&secret, SECRET).unwrap();
    fs::set_permissions(&secret, Permissions::from_mode(0o600)).unwrap();
    let jwks = config.db.with_file_name("jwks.json");
    let x = encode(ed25519().public_key());
    let key = json!({"kty": "OKP", "crv": "Ed25519", "kid": "one", "use": "sig", "x": x});
    fs::write(&jwks, json!({"keys": [key]}).to_string()).unwrap();
    config.jwt_issuer = Some(ISSUER.to_owned());
    config.jwt_audience = Some("audit-server".to_owned());
    config.jwt_secret_file = Some(secret);
    config.jwt_jwks = Some(jwks.display().to_string());
    config.jwt_role_claim = Some("groups.audit".to_owned());
    config.jwt_roles = Some("staff=viewer,readers=auditor,chiefs=admin".to_owned());
    config.jwt_tenant_claim = Some("tenant".to_owned());
    config.journal = Some(config.db.with_file_name("journal"));
}

fn ask(fixture: &Fixture, path: &str, token: &str) -> Answer {
    fixture.server.send("GET", path, &[("authorization", &format!("Bearer {token}"))])
}

#[test]
fn a_token_opens_what_its_role_and_tenant_may() {
    let (mut fixture, mut trail) = Fixture::with_trail(accepting);
    trail.write(event("data.read", 0).set(Member::Tenant, "acme"));
    trail.write(event("data.read", 1).set(Member::Tenant, "globex"));
    for token in [hs256(&claims()), eddsa(&claims(), "one")] {
        assert_eq!(
            ask(&fixture, "/audit/logs?event_type=data.read", &token).ok()["records"][1]["tenant"],
            "acme"
        );
        ask(&fixture, "/audit/anomalies", &token).ok();
        ask(&fixture, "/audit/keys", &token).problem(403);
    }
    let viewer = hs256(&with("groups", json!({"audit": "staff"})));
    ask(&fixture, "/audit/logs", &viewer).ok();
    ask(&fixture, "/audit/anomalies", &viewer).problem(403);
    let admin = hs256(&with("groups", json!({"audit": ["chiefs"]})));
    ask(&fixture, "/audit/keys", &admin).ok();
    let of_acme = eddsa(&with("tenant", "acme"), "one");
    let page = ask(&fixture, "/audit/logs?event_type=data.read", &of_acme);
    assert_eq!(page.ok()["records"].as_array().unwrap().len(), 1);
    assert!(!page.body.contains("globex"));
    ask(&fixture, "/health/detail", &of_acme).problem(403);

    // Who it was stands in the trail, and what let them in does not.
    let path = fixture.directory.path().join("audit.db");
    fixture.server.begin_stop();
    fixture.server.wait();
    let trail = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY).unwrap();
    let sql = "SELECT record FROM audit_logs WHERE stream LIKE 'audit-server@%'";
    let mut statement = trail.prepare(sql).unwrap();
    let lines = statement.query_map([], |row| row.get::<_, String>(0)).unwrap();
    let lines: Vec<String> = lines.map(Result::unwrap).collect();
    let by_ann = lines.iter().filter(|line| line.contains(r#""user_id":"ann@example.com""#));
    assert!(by_ann.clone().count() >= 9, "{lines:#?}");
    assert!(by_ann.clone().any(|line| line.contains(r#""tenant":"acme""#)));
    let all = lines.concat();
    for token in [&viewer, &admin, &of_acme] {
        assert!(token.split('.').all(|part| !all.contains(part)));
    }
}

#[test]
fn attacks_with_tokens_open_nothing_and_are_not_told_what_was_wrong() {
    let (mut fixture, _trail) = Fixture::with_trail(accepting);
    let header = |alg: &str| json!({"alg": alg, "kid": "one"});
    let public = ed25519().public_key().as_ref().to_vec();
    let nothing = |_: &[u8]| Vec::new();
    let good = hs256(&claims());
    let (signed, _) = good.rsplit_once('.').unwrap();
    let long = |kib: usize| format!("{signed}.{}", "A".repeat(kib * 1024));
    let attacks = [
        ("none", of_header(&json!({"alg": "none"}), &claims(), nothing)),
        ("None", of_header(&json!({"alg": "nOnE"}), &claims(), nothing)),
        ("none, signed", of_header(&json!({"alg": "none"}), &claims(), mac(SECRET))),
        ("no signature", format!("{signed}.")),
        ("confusion with the public key", of_header(&header("HS256"), &claims(), mac(&public))),
        (
            "confusion with its text",
            of_header(&header("HS256"), &claims(), mac(encode(&public).as_bytes())),
        ),
        ("another algorithm", of_header(&header("RS256"), &claims(), mac(SECRET))),
        ("another kid", eddsa(&claims(), "two")),
        ("a path as kid", eddsa(&claims(), "../jwt-secret")),
        ("expired", hs256(&with("exp", now() - 60))),
        ("never expires", hs256(&with("exp", Value::Null))),
        ("a text as exp", hs256(&with("exp", (now() + 300).to_string()))),
        ("not yet", hs256(&with("nbf", now() + 3_600))),
        ("from the future", hs256(&with("iat", now() + 3_600))),
        ("another audience", hs256(&with("aud", "other"))),
        ("no audience", hs256(&with("aud", Value::Null))),
        ("another issuer", hs256(&with("iss", "https://id.example.com"))),
        ("another secret", of_header(&json!({"alg": "HS256"}), &claims(), mac(b"x"))),
        ("no role", hs256(&with("groups", json!({"audit": []})))),
        ("a role of its own", hs256(&with("groups", json!({"audit": ["admin"]})))),
        ("no tenant", hs256(&with("tenant", Value::Null))),
        ("an admin of one tenant", {
            let mut claims = with("tenant", "acme");
            claims["groups"] = json!({"audit": "chiefs"});
            hs256(&claims)
        }),
        ("nobody", hs256(&with("sub", ""))),
        ("20 KiB", long(20)),
        ("four parts", format!("{good}.x")),
        ("two parts", signed.to_owned()),
        ("dots", "..".to_owned()),
    ];
    let refused = ask(&fixture, "/audit/logs", "x.y.z");
    for (name, token) in &attacks {
        let answer = ask(&fixture, "/audit/logs", token);
        assert_eq!((answer.status, &answer.body), (401, &refused.body), "{name}");
    }
    let megabyte = format!("authorization: Bearer {}", long(1024));
    let answer = long_lines::ask(&mut long_lines::plain(&fixture), &megabyte);
    assert_eq!(answer, (401, refused.body));
    let bearer = format!("Bearer {good}");
    for headers in [
        &[("authorization", &*bearer), ("authorization", &bearer)][..],
        &[("authorization", &bearer), ("authorization", "Bearer x.y.z")],
        &[("authorization", &bearer), ("x-api-key", &fixture.key)],
        &[("x-api-key", &good)],
        &[("authorization", &format!("Basic {good}"))],
    ] {
        fixture.server.send("GET", "/audit/logs", headers).problem(401);
    }
    // In no other place than the header is a token looked for.
    for path in ["/audit/logs?access_token=", "/audit/logs?token="] {
        let answer = fixture.server.send("GET", &format!("{path}{good}"), &[]);
        answer.problem(401);
    }
    ask(&fixture, "/audit/logs", &good).ok();

    // No text of any stands in a file of the server.
    fixture.server.begin_stop();
    fixture.server.wait();
    let mut found = Vec::new();
    for entry in walk(fixture.directory.path()) {
        let bytes = fs::read(&entry).unwrap();
        for (name, token) in &attacks {
            let parts = token.split('.').filter(|part| part.len() > 40);
            for part in parts {
                let part = &part.as_bytes()[..40];
                if bytes.windows(part.len()).any(|window| window == part) {
                    found.push((entry.clone(), name));
                }
            }
        }
    }
    assert!(found.is_empty(), "{found:?}");
}

fn walk(directory: &std::path::Path) -> Vec<std::path::PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { files.extend(walk(&path)) } else { files.push(path) }
    }
    files
}

#[test]
fn tokens_are_accepted_only_where_it_is_said_whose() {
    let (fixture, _trail) = Fixture::with_trail(|_| {});
    ask(&fixture, "/audit/logs", &hs256(&claims())).problem(401);

    let runtime = tokio::runtime::Runtime::new().unwrap();
    let refused = |change: &dyn Fn(&mut Config)| {
        let directory = tempfile::tempdir().unwrap();
        let mut config = config_in(directory.path());
        accepting(&mut config);
        config.journal = None;
        change(&mut config);
        let bound = runtime.block_on(Server::bind(config));
        bound.err().map(|error| error.to_string()).unwrap_or_default()
    };
    assert_eq!(refused(&|_| {}), "");
    for (change, said) in [
        ((&|it: &mut Config| it.jwt_issuer = None) as &dyn Fn(&mut Config), "jwt_audience"),
        (&|it| it.jwt_audience = None, "jwt_audience"),
        (&|it| (it.jwt_secret_file, it.jwt_jwks) = (None, None), "jwt_secret_file"),
        (&|it| it.jwt_secret_file = Some("/nonexistent".into()), "/nonexistent"),
        (&|it| it.jwt_jwks = Some("http://id.example.com/jwks".to_owned()), "jwt_jwks"),
        (&|it| it.jwt_roles = Some("a=root".to_owned()), "viewer, auditor and admin"),
        (&|it| fs::write(it.jwt_secret_file.as_ref().unwrap(), "short").unwrap(), "jwt-secret"),
        (
            &|it| {
                let secret = it.jwt_secret_file.as_ref().unwrap();
                fs::set_permissions(secret, Permissions::from_mode(0o644)).unwrap();
            },
            "jwt-secret",
        ),
    ] {
        let error = refused(change);
        assert!(error.contains(said), "{said}: {error}");
    }
}
