//! What is called a secret by its name reaches no file, no Redis and no output, however it comes in.

use std::{collections::BTreeMap, error::Error, fmt, fs, path::Path, time::Duration};

use audit_layer::{AuditLayer, val};
use serde_json::{Value, json};
use tests::{Recorded, redis_server::RedisServer, trail_files::eventually};
use tracing::field::Empty;
use tracing_subscriber::prelude::*;
use valuable::Valuable;

/// The beginning of every secret here.
const SECRET: &str = "s3cr3t";
/// The beginning of what stands beside them.
const ORDINARY: &str = "0rdinary";

#[derive(Debug, Clone, Valuable)]
struct Login {
    name: String,
    password: String,
    cards: Vec<Card>,
    headers: BTreeMap<String, String>,
}

#[derive(Debug, Clone, Valuable)]
struct Card {
    holder: String,
    card_number: String,
    pin: Option<u32>,
}

#[derive(Debug)]
struct Refused(Login);

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "refused {:?}", self.0)
    }
}

impl Error for Refused {}

#[derive(Debug)]
struct Failed(Refused);

impl fmt::Display for Failed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("failed")
    }
}

impl Error for Failed {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&self.0)
    }
}

/// Numbers secrets, so that one that was found tells which way it took.
#[derive(Default)]
struct Plant(u32);

impl Plant {
    fn secret(&mut self) -> String {
        self.0 += 1;
        format!("{SECRET}-{:02}", self.0)
    }

    fn login(&mut self) -> Login {
        Login {
            name: format!("{ORDINARY}-name"),
            password: self.secret(),
            cards: vec![Card {
                holder: format!("{ORDINARY}-holder"),
                card_number: self.secret(),
                pin: Some(7_351_913),
            }],
            headers: BTreeMap::from([
                ("Authorization".to_owned(), format!("Bearer {}", self.secret())),
                ("Accept".to_owned(), format!("{ORDINARY}-header")),
            ]),
        }
    }

    fn json(&mut self) -> String {
        json!({"user": {"apiKey": self.secret(), "name": format!("{ORDINARY}-json")}}).to_string()
    }
}

/// Emits events with a secret in every way that a value can take; how many secrets there are.
fn emit() -> u32 {
    let mut plant = Plant::default();
    let mut secret = || plant.secret();
    tracing::info!(
        target: "audit",
        event_type = "auth.login",
        password = secret(),
        borrowed.token = secret().as_str(),
        details.api_key = %secret(),
        details.http.cookie = ?secret(),
        "X-Api-Key" = format_args!("{}", secret()),
        pin = 7_351_913_u64,
        ssn = Some(secret()),
        private_key = secret().as_bytes(),
        client_secret = val(&secret()),
        authorization = ?vec![secret()],
        plain = format!("{ORDINARY}-field"),
        "a login"
    );
    let login = plant.login();
    tracing::info!(target: "audit", event_type = "auth.login", debug = ?login, "a login");
    tracing::info!(target: "audit", event_type = "auth.login", "a login of {:?}", plant.login());
    tracing::info!(target: "audit", event_type = "auth.login", pretty = format!("{:#?}", plant.login()));
    tracing::info!(target: "audit", event_type = "auth.login", login = val(&plant.login()));
    tracing::info!(target: "audit", event_type = "auth.login", details = plant.json());
    tracing::info!(target: "audit", event_type = "auth.login", body = plant.json(), "{}", plant.json());
    let within = json!({"body": plant.json(), "n": 1}).to_string();
    tracing::info!(target: "audit", event_type = "auth.login", within);
    tracing::info!(target: "audit", event_type = "auth.login", bytes = plant.json().as_bytes());
    tracing::info!(target: "audit", event_type = "auth.login", user_id = plant.json());
    let refused = Refused(plant.login());
    tracing::error!(target: "audit", event_type = "error.exception", error = &refused as &(dyn Error + 'static));
    let failed = Failed(Refused(plant.login()));
    tracing::error!(target: "audit", event_type = "error.exception", error = &failed as &(dyn Error + 'static));
    // A value that is cut, within the secret.
    let long = json!({"name": ORDINARY, "password": plant.secret().repeat(20_000)}).to_string();
    tracing::info!(target: "audit", event_type = "auth.login", long);

    let span = tracing::info_span!(
        target: "audit", "session", token = plant.secret(), session_id = plant.json(), later = Empty, password = Empty
    );
    span.in_scope(|| {
        span.record("later", plant.json());
        span.record("password", plant.secret());
        tracing::info!(target: "audit", event_type = "auth.login", "within a span");
    });
    drop(span);
    let message = format!("cannot go on: {:?}", plant.login());
    let _ = std::panic::catch_unwind(move || panic!("{message}"));
    plant.0
}

/// All files below, with their names.
fn files(directory: &Path) -> Vec<(String, Vec<u8>)> {
    let mut found = Vec::new();
    for entry in fs::read_dir(directory).unwrap().map(Result::unwrap) {
        let path = entry.path();
        if path.is_dir() {
            found.extend(files(&path));
        } else {
            found.push((path.display().to_string(), fs::read(path).unwrap()));
        }
    }
    found
}

fn holds(bytes: &[u8], text: &str) -> bool {
    memchr::memmem::find(bytes, text.as_bytes()).is_some()
}

#[test]
fn what_is_called_a_secret_is_nowhere_whichever_way_it_came() {
    let redis = RedisServer::start();
    let dir = tempfile::tempdir().unwrap();
    let (layer, audit) = AuditLayer::builder()
        .service("payments")
        .file(dir.path().join("audit.log"))
        .sqlite(dir.path().join("audit.db"))
        .redis(redis.url())
        .build()
        .unwrap();
    audit.record_panics();
    let planted =
        tracing::subscriber::with_default(tracing_subscriber::registry().with(layer), emit);
    assert!(planted >= 40, "{planted}");
    eventually("all is delivered", || audit.stats().sinks.iter().all(|sink| sink.lag == 0));
    // While the journal has what was delivered.
    let mut places = files(dir.path());
    for name in ["audit.log", "audit.db", "journal"] {
        let here = places.iter().filter(|(path, _)| path.contains(name));
        let found = here.clone().any(|(_, bytes)| holds(bytes, ORDINARY));
        assert!(
            found,
            "nothing at all is in {name}: {:?}",
            here.map(|(path, _)| path).collect::<Vec<_>>()
        );
    }
    audit.shutdown(Duration::from_secs(60)).unwrap();
    places.extend(files(dir.path()));
    for category in ["auth", "error"] {
        let list = redis.list(category);
        assert!(!list.is_empty());
        places.push((format!("redis {category}"), list.join("\n").into_bytes()));
    }
    for (place, bytes) in &places {
        for number in 1..=planted {
            let secret = format!("{SECRET}-{number:02}");
            assert!(!holds(bytes, &secret), "{secret} is in {place}");
        }
        assert!(!holds(bytes, SECRET) && !holds(bytes, "7351913"), "a part is in {place}");
    }
    let lines = fs::read_to_string(dir.path().join("audit.log")).unwrap();
    for ordinary in ["field", "name", "holder", "header", "json"] {
        assert!(lines.contains(&format!("{ORDINARY}-{ordinary}")), "{ordinary}");
    }
}

#[test]
fn what_was_taken_out_leaves_a_mark_in_its_place() {
    let details = |emit: &dyn Fn()| Recorded::one(emit)["details"].clone();
    let login = || Plant::default().login();
    assert_eq!(
        details(&|| tracing::info!(
            target: "audit", password = "x", has_password = true, pin = 1, token_count = 3, token = Empty
        )),
        json!({"password": "[redacted]", "has_password": true, "pin": "[redacted]", "token_count": 3})
    );
    let nested = json!({
        "name": "0rdinary-name", "password": "[redacted]",
        "cards": [{"holder": "0rdinary-holder", "card_number": "[redacted]", "pin": "[redacted]"}],
        "headers": {"Accept": "0rdinary-header", "Authorization": "[redacted]"},
    });
    assert_eq!(
        details(&|| tracing::info!(target: "audit", login = val(&login()))),
        json!({"login": nested})
    );
    let json = serde_json::to_string(&json!({"a": {"pwd": "x"}, "b": [1, {"c": 2}]})).unwrap();
    assert_eq!(
        details(&|| tracing::info!(target: "audit", details = json)),
        json!({"a": {"pwd": "[redacted]"}, "b": [1, {"c": 2}]})
    );
    let record = Recorded::one(|| tracing::info!(target: "audit", "{:?}", login()));
    let Value::String(message) = &record["message"] else { panic!("{record}") };
    assert!(
        message.contains(r#"password: "[redacted]", cards: [Card { holder: "0rdinary-holder""#),
        "{message}"
    );
}
