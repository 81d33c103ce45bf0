//! What is a secret, by its name or by itself, reaches no file, no Redis and no output, however it comes in.
//!
//! The file is long because the ways in are a list, and each kind of secret takes all of them.

use std::{collections::BTreeMap, error::Error, fmt, fs, path::Path, time::Duration};

use audit_layer::{AuditLayer, val};
use serde_json::{Value, json};
use tests::{Recorded, Trail, redis_server::RedisServer};
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

/// A secret of every kind: what is around it and stays, and the secret. The name in front is what makes some.
struct Kind {
    name: &'static str,
    stays: &'static str,
    secret: String,
}

/// Numbered, so that one that was found tells what it is.
fn kinds() -> Vec<Kind> {
    const NAMES: [&str; 24] = [
        "password",
        "userPassword",
        "PASSWD",
        "db_pwd",
        "passphrase",
        "api_key",
        "X-Api-Key",
        "stripeAPIKey",
        "clientSecret",
        "aws_secret_access_key",
        "access_token",
        "refreshToken",
        "jwt",
        "Authorization",
        "Set-Cookie",
        "credentials",
        "private_key",
        "signingKey",
        "cardNumber",
        "cvv",
        "otp",
        "recovery_codes",
        "ssn",
        "passcode",
    ];
    // Added by patterns.
    const ADDED: [&str; 4] = ["iban", "customerIban", "customer.birthday", "customer.street"];
    let named = NAMES.iter().chain(&ADDED).enumerate().map(|(number, name)| Kind {
        name,
        stays: "",
        secret: format!("{SECRET}-name-{number:02}"),
    });
    let jwt = |number: u32| {
        format!("eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJzM2NyM3Qi{number:02}.c2lnbmF0dXJlLW9mLWl0")
    };
    let key = |name: &str| {
        format!(
            "-----BEGIN {name}PRIVATE KEY-----\nMIIs3cr3t{}\n-----END {name}PRIVATE KEY-----",
            name.trim()
        )
    };
    let by_themselves = [
        ("Bearer ", "s3cr3t-bearer-0123456789".to_owned()),
        ("bearer ", "s3cr3t.bearer~0123456789+/==".to_owned()),
        ("BEARER ", "S3CR3T0123456789ABCDEF".to_owned()),
        ("Basic ", "czNjcjN0OnBhc3N3b3Jk".to_owned()),
        ("basic ", "czNjcjN0OnBhc3N3b3JkMg==".to_owned()),
        ("jwt=", jwt(1)),
        ("?access=", jwt(2)),
        ("", key("")),
        ("", key("RSA ")),
        ("", key("OPENSSH ")),
        ("visa ", "4539578763621486".to_owned()),
        ("visa ", "4539 1488 0343 6467".to_owned()),
        ("mastercard ", "5555-5555-5555-4444".to_owned()),
        ("mastercard ", "2223003122003222".to_owned()),
        ("amex ", "3782 822463 10005".to_owned()),
        ("discover ", "6011111111111117".to_owned()),
        ("diners ", "30569309025904".to_owned()),
        ("jcb ", "3530111333300000".to_owned()),
        ("maestro ", "6759649826438453".to_owned()),
        ("unionpay ", "6200000000000005".to_owned()),
    ];
    let by_themselves = by_themselves.map(|(stays, secret)| Kind { name: "note", stays, secret });
    named.chain(by_themselves).collect()
}

#[derive(Debug, Clone)]
struct Told(String);

impl fmt::Display for Told {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Error for Told {}

#[derive(Debug)]
struct Because(Told);

impl fmt::Display for Because {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("it failed")
    }
}

impl Error for Because {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&self.0)
    }
}

#[derive(Debug, Valuable)]
struct Held {
    customer: BTreeMap<String, String>,
    list: Vec<String>,
}

/// Sends a secret of one kind in by every way.
fn send(kind: &Kind) {
    // A value that is a secret by itself stands in the middle of a text.
    let text = match kind.name {
        "note" => format!("{ORDINARY} {}{} {ORDINARY}", kind.stays, kind.secret),
        _ => kind.secret.clone(),
    };
    let (text, name) = (text.as_str(), kind.name);
    let name = name.strip_prefix("customer.").unwrap_or(name);
    let object = json!({ "customer": { name: text, "plain": ORDINARY } });
    let json = object.to_string();
    let map: BTreeMap<_, _> = [(name.to_owned(), text.to_owned())].into();
    let held = || Held { customer: map.clone(), list: vec![json.clone()] };
    // The names of fields are known when the program is built: these are of any kind.
    tracing::info!(target: "audit", event_type = "data.read", customer = json, "{ORDINARY}");
    tracing::info!(target: "audit", event_type = "data.read", customer = %json, "{ORDINARY} {json}");
    tracing::info!(target: "audit", event_type = "data.read", customer = ?map, "{:?}", held());
    tracing::info!(target: "audit", event_type = "data.read", held = val(&held()));
    tracing::info!(target: "audit", event_type = "data.read", details = json);
    tracing::info!(target: "audit", event_type = "data.read", bytes = json.as_bytes());
    let within = json!({ "body": json }).to_string();
    tracing::info!(target: "audit", event_type = "data.read", within, user_id = json);
    let error = Because(Told(json.clone()));
    tracing::error!(target: "audit", event_type = "data.read", error = &error as &(dyn Error + 'static));
    let span = tracing::info_span!(
        target: "audit", "work", event_type = "data.read", session_id = json, request_id = Empty, late = Empty
    );
    span.in_scope(|| {
        span.record("request_id", &json);
        span.record("late", tracing::field::debug(held()));
        tracing::info!(target: "audit", event_type = "data.read", "within a span");
    });
    drop(span);
    let _ = std::panic::catch_unwind(|| panic!("{json}"));
    if kind.name != "note" {
        return;
    }
    tracing::info!(target: "audit", event_type = "data.read", text, display = %text, debug = ?text, "{text}");
    tracing::info!(target: "audit", event_type = "data.read", value = val(&text), resource = text);
    tracing::info!(target: "audit", event_type = "data.read", bytes = text.as_bytes());
    let error = Because(Told(text.to_owned()));
    tracing::error!(target: "audit", event_type = "data.read", error = &error as &(dyn Error + 'static));
    let span = tracing::info_span!(target: "audit", "work", event_type = "data.read", tenant = text, late = Empty);
    span.in_scope(|| {
        span.record("late", text);
        tracing::info!(target: "audit", event_type = "data.read", "within a span");
    });
    drop(span);
    let _ = std::panic::catch_unwind(|| panic!("{text}"));
    if let Ok(number) = kind.secret.parse::<u64>() {
        tracing::info!(target: "audit", event_type = "data.read", number, signed = number.cast_signed());
        tracing::info!(target: "audit", event_type = "data.read", wide = u128::from(number), user_id = number);
        tracing::info!(target: "audit", event_type = "data.read", list = val(&vec![number]));
        let object = json!({ "list": [number], "n": number }).to_string();
        tracing::info!(target: "audit", event_type = "data.read", details = object);
    }
}

#[test]
fn a_secret_of_every_kind_is_nowhere_whichever_way_it_came() {
    let kinds = kinds();
    assert!(kinds.len() >= 40, "{}", kinds.len());
    let redis = RedisServer::start();
    let dir = tempfile::tempdir().unwrap();
    let (layer, audit) = AuditLayer::builder()
        .service("payments")
        .file(dir.path().join("audit.log"))
        .sqlite(dir.path().join("audit.db"))
        .redis(redis.url())
        .redact("iban")
        .redact("customer.birthday")
        .redact("*.street")
        .build()
        .unwrap();
    audit.record_panics();
    tracing::subscriber::with_default(tracing_subscriber::registry().with(layer), || {
        kinds.iter().for_each(send);
    });
    audit.flush(Duration::from_secs(60)).unwrap();
    let mut places = files(dir.path());
    audit.shutdown(Duration::from_secs(60)).unwrap();
    places.extend(files(dir.path()));
    for category in ["data", "error"] {
        places.push((format!("redis {category}"), redis.list(category).join("\n").into_bytes()));
    }
    for (place, bytes) in &places {
        for Kind { secret, .. } in &kinds {
            // As it stands, with its lines escaped, and the middle of it alone.
            let lines: Vec<_> = secret.lines().map(str::to_owned).collect();
            for form in lines.iter().chain([&secret.replace(['-', ' '], "")]) {
                let is_rule = form.starts_with("-----");
                assert!(is_rule || !holds(bytes, form), "{form} is in {place}");
            }
        }
        assert!(!holds(bytes, "PRIVATE KEY"), "a key is in {place}");
    }
    for place in ["audit.log", "audit.db", "journal", "redis data", "redis error"] {
        let mut here = places.iter().filter(|(path, _)| path.contains(place));
        assert!(here.any(|(_, bytes)| holds(bytes, ORDINARY)), "nothing at all is in {place}");
    }
    let lines = fs::read_to_string(dir.path().join("audit.log")).unwrap();
    for stays in kinds.iter().map(|kind| kind.stays) {
        assert!(lines.contains(&format!("{ORDINARY} {stays}[redacted] {ORDINARY}")), "{stays}");
    }
    // What was JSON still is.
    assert!(lines.contains(r#""details":{"list":["[redacted]"],"n":"[redacted]"}"#));
}

#[test]
fn what_goes_to_standard_output_has_no_secrets_either() {
    // A process of its own, which the environment configures.
    let dir = tempfile::tempdir().unwrap();
    let output = std::process::Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "secrets::to_standard_output", "--ignored", "--nocapture"])
        .current_dir(dir.path())
        .envs([("LOGGING_ENABLED", "false"), ("AUDIT_DB", "off"), ("AUDIT_STDOUT", "true")])
        .envs([("AUDIT_REDACT", "iban,customer.birthday,*.street"), ("AUDIT_REDACT_KEEP", "pin")])
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(holds(&output.stdout, ORDINARY) && holds(&output.stdout, r#""pin":"0rdinary-pin""#));
    // The panics are printed by the standard library as well, to the other stream.
    for Kind { secret, .. } in kinds() {
        for line in secret.lines().filter(|line| !line.starts_with("-----")) {
            assert!(!holds(&output.stdout, line), "{line}");
        }
    }
}

#[test]
#[ignore = "what_goes_to_standard_output_has_no_secrets_either runs it"]
fn to_standard_output() {
    let (layer, audit) = AuditLayer::from_env().unwrap();
    audit.record_panics();
    tracing::subscriber::with_default(tracing_subscriber::registry().with(layer), || {
        kinds().iter().for_each(send);
        tracing::info!(target: "audit", pin = format!("{ORDINARY}-pin"));
    });
    audit.shutdown(Duration::from_secs(60)).unwrap();
}

#[test]
fn two_layers_of_one_process_have_rules_of_their_own() {
    let emit = || {
        for _ in 0..2 {
            tracing::info!(
                target: "audit",
                pin = "8001",
                home.iban = "DE1",
                user.email = "e",
                order = 4_111_111_111_111_111_u64,
                last_order = "4111 1111 1111 1111",
                text = r#"{"pin":1,"iban":2,"user":{"email":3},"email":4}"#,
                note = "Bearer abcdefghijklmno7"
            );
        }
    };
    let first_trail =
        Trail::in_file().with(|builder| builder.redact("iban").keep("pin").redact_values(false));
    let second_trail = Trail::in_file().with(|builder| builder.redact("user.email").keep("order"));
    let (first, first_audit) = first_trail.open();
    let (second, second_audit) = second_trail.open();
    // Both see each event, one after the other and by turns.
    let subscriber = tracing_subscriber::registry().with(first).with(second);
    tracing::subscriber::with_default(subscriber, emit);
    let records = |audit: audit_layer::AuditGuard, trail: &Trail| {
        audit.shutdown(Duration::from_secs(60)).unwrap();
        let lines = fs::read_to_string(trail.file()).unwrap();
        let records = lines.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        records.filter(|record| record["event_type"] == "audit.event").collect::<Vec<_>>()
    };
    for (records, expected) in [
        (
            records(first_audit, &first_trail),
            json!({
                "pin": "8001", "home.iban": "[redacted]", "user.email": "e", "order": 4_111_111_111_111_111_u64,
                "last_order": "4111 1111 1111 1111",
                "text": r#"{"pin":1,"iban":"[redacted]","user":{"email":3},"email":4}"#,
                "note": "Bearer abcdefghijklmno7",
            }),
        ),
        (
            records(second_audit, &second_trail),
            json!({
                "pin": "[redacted]", "home.iban": "DE1", "user.email": "[redacted]", "order": 4_111_111_111_111_111_u64,
                "last_order": "4111 1111 1111 1111",
                "text": r#"{"pin":"[redacted]","iban":2,"user":{"email":"[redacted]"},"email":4}"#,
                "note": "Bearer [redacted]",
            }),
        ),
    ] {
        assert_eq!(records.len(), 2);
        records.iter().for_each(|record| assert_eq!(record["details"], expected));
    }
}

#[test]
fn the_members_that_are_the_layers_own_are_never_taken_out() {
    const OWN: [&str; 8] = ["v", "id", "stream", "seq", "timestamp", "hash", "prev_hash", "*.id"];
    let trail = Trail::in_file()
        .with(|builder| OWN.iter().fold(builder, |builder, name| builder.redact(*name)));
    let (layer, audit) = trail.open();
    tracing::subscriber::with_default(tracing_subscriber::registry().with(layer), || {
        tracing::info!(target: "audit", seq = 7, body = r#"{"id":1}"#);
    });
    audit.shutdown(Duration::from_secs(60)).unwrap();
    // Reading holds the chain against the numbers and hashes of every record.
    let recorded = Recorded::read(&trail.file());
    let details = json!({ "seq": "[redacted]", "body": r#"{"id":"[redacted]"}"# });
    assert_eq!(recorded.events()[0]["details"], details);
}

#[test]
fn a_pattern_that_cannot_be_read_is_an_error_that_names_it() {
    let built = |change: fn(audit_layer::Builder) -> audit_layer::Builder| {
        let trail = Trail::in_file();
        let error = change(AuditLayer::builder().file(trail.file()))
            .build::<tracing_subscriber::Registry>();
        let error = error.map(drop).unwrap_err().to_string();
        assert!(!trail.file().exists(), "nothing was made");
        error
    };
    let error = built(|builder| builder.redact("fine").redact("pass*"));
    assert!(error.starts_with("redact:") && error.contains("\"pass*\""), "{error}");
    let error = built(|builder| builder.keep("a..b"));
    assert!(error.starts_with("keep:") && error.contains("\"a..b\""), "{error}");
    let error = built(|builder| {
        (0..257).fold(builder, |builder, number| builder.redact(format!("n{number}x")))
    });
    assert!(error.contains("256") && error.contains("n256x"), "{error}");
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
    audit.flush(Duration::from_secs(60)).unwrap();
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
