//! What is hashed or sealed is in clear nowhere, and comes back as what it was.
//!
//! The file is long because the ways in are a list, and each claim of an erasure needs a trail of its own.
#![cfg(all(feature = "keyring", feature = "sqlite"))]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on says so by a panic")]

use std::{
    collections::BTreeMap,
    fmt, fs,
    path::{Path, PathBuf},
    time::Duration,
};

use audit_layer::{
    AuditGuard, AuditLayer, Builder, SealClassified, hashed,
    keyring::{Content, Keyring, Purpose, open_sealed},
    sealed, val,
};
use serde_json::{Value, json};
use tempfile::TempDir;
use tracing::field::Empty;
use tracing_subscriber::prelude::*;
use valuable::Valuable;

const TIMEOUT: Duration = Duration::from_secs(60);

/// A trail and the keyring of its host.
struct Trail {
    directory: TempDir,
    keyring: Keyring,
}

impl Trail {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let keyring = Keyring::init(directory.path().join("keyring.db")).unwrap();
        Self { directory, keyring }
    }

    fn at(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn builder(&self) -> Builder {
        AuditLayer::builder()
            .service("sealing")
            .file(self.at("trail/audit.log"))
            .sqlite(self.at("trail/audit.db"))
    }

    /// Records what `emit` emits; what `look` finds before the end.
    fn record(&self, builder: Builder, emit: impl FnOnce(&AuditGuard)) {
        fs::create_dir_all(self.at("trail")).unwrap();
        let (layer, audit) = builder.build().unwrap();
        tracing::subscriber::with_default(tracing_subscriber::registry().with(layer), || {
            emit(&audit);
        });
        audit.shutdown(TIMEOUT).unwrap();
    }

    /// The lines of the events that were recorded.
    fn lines(&self) -> Vec<String> {
        let text = fs::read_to_string(self.at("trail/audit.log")).unwrap();
        let is_event = |line: &&str| !line.contains(r#""category":"system""#);
        text.lines().filter(is_event).map(str::to_owned).collect()
    }

    /// The record of the one event.
    fn one(&self) -> Value {
        let lines = self.lines();
        assert_eq!(lines.len(), 1, "{lines:#?}");
        serde_json::from_str(&lines[0]).unwrap()
    }

    fn opened(&self) -> Vec<BTreeMap<String, Value>> {
        self.lines().iter().map(|line| clear(line, &self.keyring)).collect()
    }

    /// Everything in every file but the keyring.
    fn bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        read_all(&self.at("trail"), &mut bytes);
        bytes
    }
}

fn read_all(path: &Path, into: &mut Vec<u8>) {
    for entry in fs::read_dir(path).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            read_all(&path, into);
        } else {
            into.extend(fs::read(&path).unwrap());
        }
    }
}

fn contains(bytes: &[u8], wanted: &str) -> bool {
    memchr::memmem::find(bytes, wanted.as_bytes()).is_some()
}

/// What was sealed in a record, by its path.
fn clear(line: &str, keyring: &Keyring) -> BTreeMap<String, Value> {
    let opened = open_sealed(line, keyring).unwrap();
    let clear = opened.into_iter().map(|opened| match opened.content {
        Content::Clear(json) => (opened.path, serde_json::from_str(&json).unwrap()),
        other => panic!("{}: {other:?}", opened.path),
    });
    clear.collect()
}

#[derive(Debug, Clone, Valuable)]
struct Customer {
    name: &'static str,
    iban: String,
    cards: Vec<Card>,
}

#[derive(Debug, Clone, Valuable)]
struct Card {
    holder: String,
    limit: u32,
}

/// Begins what must not be found.
const PLAIN: &str = "pl41n";

#[derive(Default)]
struct Plant(u32);

impl Plant {
    fn next(&mut self) -> String {
        self.0 += 1;
        format!("{PLAIN}-{:02}", self.0)
    }

    fn customer(&mut self) -> Customer {
        Customer {
            name: "ordinary",
            iban: self.next(),
            cards: vec![Card { holder: self.next(), limit: 7_351_913 }],
        }
    }

    fn json(&mut self) -> String {
        json!({"customer": {"iban": self.next(), "n": 1}}).to_string()
    }
}

struct Broken(String);

impl fmt::Debug for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Broken {{ iban: {:?} }}", self.0)
    }
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "broken: {self:?}")
    }
}

impl std::error::Error for Broken {}

/// Emits a value in every way it can take, most of them to be sealed or hashed by the rules below; how many there were.
fn emit() -> u32 {
    let mut plant = Plant::default();
    let mut next = || plant.next();
    tracing::info!(
        target: "audit",
        wrapped = sealed(&next()),
        asked = ?sealed(&next()),
        hash = hashed(&next()),
        iban = next(),
        borrowed.iban = next().as_str(),
        displayed_iban = %next(),
        debug_iban = ?next(),
        bytes_iban = next().as_bytes(),
        val_iban = val(&next()),
        format_iban = format_args!("{}", next()),
        email = next(),
        details.email = %next(),
        user_id = next(),
        session_id = sealed(&next()),
        resource = hashed(&next()),
        regulatory_flags.contact = sealed(&next()),
        "a message"
    );
    tracing::info!(target: "audit", wrapped = sealed(&plant.customer()), hash = hashed(&plant.customer()));
    tracing::info!(target: "audit", customer = val(&plant.customer()), list = val(&vec![plant.customer()]));
    tracing::info!(target: "audit", details = val(&plant.customer()));
    tracing::info!(target: "audit", details = sealed(&plant.customer()), regulatory_flags = sealed(&plant.customer()));
    tracing::info!(target: "audit", details = sealed(&plant.next()), user_id = sealed(&plant.customer()));
    tracing::info!(target: "audit", details = plant.json(), body = plant.json(), n = 1);
    tracing::info!(target: "audit", within = json!({"body": plant.json()}).to_string());
    tracing::info!(target: "audit", details = val(&BTreeMap::from([("body", plant.json())])));
    tracing::info!(target: "audit", debug = ?plant.customer(), pretty = format!("{:#?}", plant.customer()));
    tracing::info!(target: "audit", "of {:?}", plant.customer());
    tracing::info!(target: "audit", "of {:?} and {:?}", sealed(&plant.next()), hashed(&plant.next()));
    tracing::info!(target: "audit", list = ?[sealed(&plant.next()), sealed(&plant.next())]);
    let broken = Broken(plant.next());
    tracing::info!(target: "audit", error = &broken as &(dyn std::error::Error + 'static));
    tracing::info!(target: "audit", email = json!({"email": plant.next()}).to_string());
    tracing::info!(target: "audit", text = json!({"email": plant.next()}).to_string());
    tracing::info!(
        target: "audit",
        data_classification = "restricted",
        anything = plant.next(),
        number = 7_351_913,
        details = json!({"x": plant.next(), "email": plant.next()}).to_string(),
        severity = plant.next(),
        duration_us = plant.next(),
        event_type = format!("{} ?", plant.next()),
        hash = hashed(&plant.next()),
        "a message"
    );
    // A value that is cut.
    tracing::info!(target: "audit", iban = plant.next().repeat(20_000), wrapped = sealed(&plant.next().repeat(20_000)));

    let context = tracing::info_span!(
        "request",
        user_id = sealed(&plant.next()),
        session_id = hashed(&plant.next()),
        username = Empty
    );
    let within = tracing::info_span!(target: "audit", parent: &context, "work", iban = plant.next(), late = Empty, iban.late = Empty);
    within.in_scope(|| {
        within.record("late", sealed(&plant.next()));
        within.record("iban.late", plant.next());
        context.record("username", sealed(&plant.next()));
        tracing::info!(target: "audit", "within");
        tracing::info!(target: "audit", user_id = sealed(&plant.next()), "within");
    });
    drop((within, context));
    let message = format!("cannot go on: {:?}", plant.customer());
    let _ = std::panic::catch_unwind(move || panic!("{message}"));
    plant.0
}

#[test]
fn what_is_hashed_or_sealed_is_in_clear_in_no_file_however_it_came_in() {
    let trail = Trail::new();
    let builder = trail
        .builder()
        .keyring(trail.at("keyring.db"))
        .seal("iban")
        .seal("*.late")
        .seal("cards.*")
        .hash("email")
        .hash("user_id")
        .seal_classified(SealClassified::Restricted);
    let mut planted = 0;
    trail.record(builder, |audit| {
        audit.record_panics();
        planted = emit();
        assert_eq!(audit.stats().withheld, 0);
        // The journal still has all of it.
        let bytes = trail.bytes();
        assert!(contains(&bytes, "a message") && contains(&bytes, "$sealed"));
        let at = memchr::memmem::find(&bytes, PLAIN.as_bytes());
        assert_eq!(
            at.map(
                |at| String::from_utf8_lossy(&bytes[at.saturating_sub(40)..at + 40]).into_owned()
            ),
            None
        );
        audit.flush(TIMEOUT).unwrap();
        let bytes = trail.bytes();
        assert!(!contains(&bytes, PLAIN) && !contains(&bytes, "7351913"));
    });
    let bytes = trail.bytes();
    assert!(!contains(&bytes, PLAIN) && !contains(&bytes, "7351913"));
    // And nothing that was sealed is lost.
    let clear = serde_json::to_string(&trail.opened()).unwrap();
    let is_lost = |number: &u32| !clear.contains(&format!("{PLAIN}-{number:02}"));
    let lost: Vec<_> = (1..=planted).filter(is_lost).collect();
    // Hashed, bytes that come back as base64, wrappers within another text, and what panicked.
    let hashed = [3, 11, 12, 13, 15, 19, 20, 49, 50, 53, 57, 61];
    let (bytes, within, panicked) = ([8], [44, 45, 46, 47], [67, 68]);
    let mut expected = [&hashed[..], &bytes, &within, &panicked].concat();
    expected.sort_unstable();
    assert_eq!(lost, expected);
}

#[test]
fn a_value_comes_back_as_what_it_was_from_where_it_stood() {
    let trail = Trail::new();
    let builder = trail.builder().keyring(trail.at("keyring.db")).seal("secret_number").seal("a.b");
    let customer = Customer {
        name: "n",
        iban: "i".into(),
        cards: vec![Card { holder: "h\"".into(), limit: 7 }],
    };
    trail.record(builder, |_| {
        tracing::info!(
            target: "audit",
            text = sealed(&"te\"xt"),
            number = sealed(&42_u64),
            real = sealed(&0.1_f64),
            large = sealed(&u64::MAX),
            truth = sealed(&true),
            nothing = sealed(&None::<u8>),
            customer = sealed(&customer),
            "with/slash~" = sealed(&1_u8),
            secret_number = 7_i64,
            secret.number = 7.5,
            more.secret_number = true,
            details.secret_number2 = b"\x00\xff".as_slice(),
            user_id = sealed(&"u-1"),
            nested = val(&BTreeMap::from([("a", vec![BTreeMap::from([("b", 1), ("c", 2)])])])),
            regulatory_flags.contact = sealed(&"c"),
            ordinary = 1,
        );
    });
    let record = trail.one();
    assert_eq!(
        trail.opened()[0],
        BTreeMap::from([
            ("/details/text".to_owned(), json!("te\"xt")),
            ("/details/number".to_owned(), json!(42)),
            ("/details/real".to_owned(), json!(0.1)),
            ("/details/large".to_owned(), json!("18446744073709551615")),
            ("/details/truth".to_owned(), json!(true)),
            ("/details/nothing".to_owned(), json!(null)),
            (
                "/details/customer".to_owned(),
                json!({"name": "n", "iban": "i", "cards": [{"holder": "h\"", "limit": 7}]})
            ),
            ("/details/with~1slash~0".to_owned(), json!(1)),
            ("/details/secret_number".to_owned(), json!(7)),
            ("/details/secret.number".to_owned(), json!(7.5)),
            ("/details/more.secret_number".to_owned(), json!(true)),
            ("/details/secret_number2".to_owned(), json!("AP8=")),
            ("/details/user_id".to_owned(), json!("u-1")),
            ("/details/nested/a/0/b".to_owned(), json!(1)),
            ("/regulatory_flags/contact".to_owned(), json!("c")),
        ])
    );
    assert_eq!(record["details"]["nested"]["a"][0]["c"], 2);
    assert_eq!(record["details"]["ordinary"], 1);
    assert!(record.get("user_id").is_none());
    let mark = &record["details"]["text"]["$sealed"];
    assert_eq!(mark.as_object().unwrap().keys().collect::<Vec<_>>(), ["c", "k", "n"]);
}

#[test]
fn equal_values_have_equal_hashes_wherever_they_stand() {
    let trail = Trail::new();
    let builder = trail.builder().keyring(trail.at("keyring.db")).hash("email").hash("user_id");
    trail.record(builder, |_| {
        tracing::info!(
            target: "audit",
            user_id = "x",
            email = %"x",
            wrapped = hashed(&"x"),
            other = hashed(&"y"),
            number = hashed(&42),
            number_text = hashed(&"42"),
            bytes.email = b"x".as_slice(),
            nested = val(&BTreeMap::from([("email", "x")])),
            text = r#"{"email":"x"}"#,
            debug = ?Some(BTreeMap::from([("email", Some("x"))])),
            username = hashed(&"x"),
        );
    });
    let record = trail.one();
    let hash = &trail.keyring.hash_marks("x").unwrap()[0];
    assert!(hash.starts_with("hmac:") && hash.len() == 5 + 10 + 1 + 64, "{hash}");
    let details = &record["details"];
    for found in [
        &record["user_id"],
        &record["username"],
        &details["email"],
        &details["wrapped"],
        &details["nested"]["email"],
    ] {
        assert_eq!(found, hash);
    }
    assert_eq!(details["text"], format!(r#"{{"email":"{hash}"}}"#));
    assert_eq!(details["debug"], format!(r#"Some({{"email": "{hash}"}})"#));
    assert_eq!(details["other"], trail.keyring.hash_marks("y").unwrap()[0]);
    assert_eq!(details["number"], details["number_text"]);
    // Bytes are the base64 that they would be.
    assert_eq!(details["bytes.email"], trail.keyring.hash_marks("eA==").unwrap()[0]);
}

#[test]
fn redaction_wins_over_sealing_and_sealing_over_hashing() {
    let trail = Trail::new();
    let builder = trail
        .builder()
        .keyring(trail.at("keyring.db"))
        .redact("gone")
        .seal("gone")
        .seal("both")
        .hash("both")
        .hash("gone")
        .hash("named")
        .keep("pin")
        .seal_classified(SealClassified::Confidential);
    trail.record(builder, |_| {
        tracing::info!(
            target: "audit",
            password = sealed(&"p"),
            token = hashed(&"t"),
            gone = "g",
            nested = val(&BTreeMap::from([("gone", "g"), ("both", "b"), ("named", "n")])),
            within = sealed(&BTreeMap::from([("password", "p"), ("x", "y")])),
            both = "b",
            named = sealed(&"n"),
            card = sealed(&"4111111111111111"),
            pin = sealed(&"1234"),
        );
        tracing::info!(
            target: "audit",
            data_classification = "confidential",
            password = "p",
            named = "n",
            wrapped = hashed(&"n"),
            rest = "r",
            fake = "hmac:r",
            details = r#"{"named":"n","rest":1}"#,
        );
    });
    let lines = trail.lines();
    let first: Value = serde_json::from_str(&lines[0]).unwrap();
    for redacted in ["password", "token", "gone"] {
        assert_eq!(first["details"][redacted], "[redacted]", "{redacted}");
    }
    assert_eq!(first["details"]["nested"]["gone"], "[redacted]");
    assert_eq!(first["details"]["nested"]["named"], trail.keyring.hash_marks("n").unwrap()[0]);
    assert_eq!(
        clear(&lines[0], &trail.keyring),
        BTreeMap::from([
            ("/details/nested/both".to_owned(), json!("b")),
            ("/details/within".to_owned(), json!({"password": "[redacted]", "x": "y"})),
            ("/details/both".to_owned(), json!("b")),
            ("/details/named".to_owned(), json!("n")),
            // Who seals a card number means it.
            ("/details/card".to_owned(), json!("4111111111111111")),
            ("/details/pin".to_owned(), json!("1234")),
        ])
    );
    let second: Value = serde_json::from_str(&lines[1]).unwrap();
    assert_eq!(second["details"]["password"], "[redacted]");
    let hash = &trail.keyring.hash_marks("n").unwrap()[0];
    assert_eq!(second["details"]["wrapped"], *hash);
    assert_eq!(second["details"]["named"], *hash);
    assert_eq!(
        clear(&lines[1], &trail.keyring),
        BTreeMap::from([
            ("/details/rest".to_owned(), json!(1)),
            ("/details/fake".to_owned(), json!("hmac:r")),
        ])
    );
}

#[test]
fn the_classification_seals_all_details_and_nothing_else() {
    let trail = Trail::new();
    let builder =
        trail.builder().keyring(trail.at("keyring.db")).seal_classified(SealClassified::Restricted);
    trail.record(builder, |_| {
        for classification in ["confidential", "restricted", "public"] {
            tracing::info!(
                target: "audit",
                event_type = "data.read",
                a = 1,
                details = r#"{"b":{"c":true},"d":null}"#,
                severity = "loud",
                user_id = "u-1",
                regulatory_flags.SOX = true,
                data_classification = classification,
                "message"
            );
        }
    });
    let lines = trail.lines();
    assert_eq!(clear(&lines[0], &trail.keyring), BTreeMap::new());
    assert_eq!(clear(&lines[2], &trail.keyring), BTreeMap::new());
    assert_eq!(
        clear(&lines[1], &trail.keyring),
        BTreeMap::from([
            ("/details/a".to_owned(), json!(1)),
            ("/details/b".to_owned(), json!({"c": true})),
            ("/details/d".to_owned(), json!(null)),
            ("/details/severity".to_owned(), json!("loud")),
        ])
    );
    let record: Value = serde_json::from_str(&lines[1]).unwrap();
    assert_eq!(record["message"], "message");
    assert_eq!(record["user_id"], "u-1");
    assert_eq!(record["regulatory_flags"], json!({"SOX": true}));

    // What is graver than that is sealed, too.
    let trail = Trail::new();
    let which = SealClassified::Confidential;
    trail.record(trail.builder().keyring(trail.at("keyring.db")).seal_classified(which), |_| {
        for classification in ["internal", "confidential", "restricted"] {
            tracing::info!(target: "audit", a = 1, data_classification = classification);
        }
    });
    let sealed: Vec<_> = trail.opened().iter().map(BTreeMap::len).collect();
    assert_eq!(sealed, [0, 1, 1]);
}

#[test]
fn a_mark_is_bound_to_its_record_member_stream_and_tenant() {
    let trail = Trail::new();
    let builder = trail.builder().keyring(trail.at("keyring.db")).hash("tenant");
    trail.record(builder, |_| {
        let span = tracing::info_span!("request", tenant = "of-the-span");
        span.in_scope(|| {
            tracing::info!(target: "audit", a = sealed(&"1"));
            tracing::info!(target: "audit", a = sealed(&"2"), b = sealed(&"3"), tenant = "own");
        });
        tracing::info!(target: "audit", a = sealed(&"4"));
        let late = tracing::info_span!(target: "audit", "late", a = sealed(&"5"), tenant = Empty);
        late.in_scope(|| tracing::info!(target: "audit", a = sealed(&"6")));
        late.record("tenant", "late");
    });
    let lines = trail.lines();
    let values: Vec<_> = trail.opened().iter().map(|clear| clear["/details/a"].clone()).collect();
    assert_eq!(values, ["1", "2", "4", "6", "5"]);
    let records: Vec<Value> =
        lines.iter().map(|line| serde_json::from_str(line).unwrap()).collect();
    let tenant = |text: &str| trail.keyring.hash_marks(text).unwrap().remove(0);
    assert_eq!(records[0]["tenant"], tenant("of-the-span"));
    assert_eq!(records[1]["tenant"], tenant("own"));
    assert_eq!(records[4]["tenant"], tenant("late"));

    let damaged = |change: &dyn Fn(&mut Value)| {
        let mut record = records[1].clone();
        change(&mut record);
        let record = record.to_string();
        let opened = open_sealed(&record, &trail.keyring).unwrap();
        opened.iter().find(|opened| opened.path == "/details/a").unwrap().content
            == Content::Damaged
    };
    assert!(!damaged(&|_| {}));
    assert!(damaged(&|record| record["details"]["a"] = records[0]["details"]["a"].clone()));
    assert!(damaged(&|record| record["details"]["a"] = record["details"]["b"].clone()));
    assert!(damaged(&|record| record["stream"] = json!("sealing@elsewhere~k3x9q2")));
    assert!(damaged(&|record| record["id"] = records[0]["id"].clone()));
    assert!(damaged(&|record| record["tenant"] = records[0]["tenant"].clone()));
    assert!(damaged(&|record| drop(record.as_object_mut().unwrap().remove("tenant"))));
    assert!(damaged(&|record| record["v"] = json!(2)));
    assert!(damaged(&|record| record["details"]["a"]["$sealed"]["c"] = json!("AAAA")));
    assert!(damaged(&|record| record["details"]["a"]["$sealed"] = json!(7)));

    let other = Trail::new();
    let opened = open_sealed(&lines[1], &other.keyring).unwrap();
    assert!(opened.iter().all(|opened| opened.content == Content::UnknownKey));
}

#[test]
fn a_sealed_member_of_a_span_hides_that_of_the_spans_around_it() {
    let trail = Trail::new();
    let user = BTreeMap::from([("name", "n")]);
    trail.record(trail.builder().keyring(trail.at("keyring.db")), |_| {
        let outer = tracing::info_span!("outer", user_id = "another", session_id = "s-1");
        let inner = tracing::info_span!(parent: &outer, "inner", user_id = sealed(&user));
        inner.in_scope(|| tracing::info!(target: "audit", "within"));
        outer.in_scope(|| tracing::info!(target: "audit", user_id = sealed(&user), "within"));
    });
    for line in trail.lines() {
        let record: Value = serde_json::from_str(&line).unwrap();
        assert!(record.get("user_id").is_none(), "{line}");
        assert_eq!(record["session_id"], "s-1");
        assert_eq!(clear(&line, &trail.keyring)["/details/user_id"], json!({"name": "n"}));
    }
}

#[test]
fn what_a_killed_writer_left_in_its_journal_opens() {
    let trail = Trail::new();
    fs::create_dir_all(trail.at("trail")).unwrap();
    let kept = trail.at("kept");
    trail.record(trail.builder().keyring(trail.at("keyring.db")), |audit| {
        tracing::info!(target: "audit", a = sealed(&"1"));
        audit.commit(TIMEOUT).unwrap();
        // As it was when nothing had been delivered.
        copy(&trail.at("trail/journal"), &kept.join("journal"));
    });
    fs::remove_dir_all(trail.at("trail")).unwrap();
    copy(&kept, &trail.at("trail"));
    trail.record(trail.builder(), |_| {});
    assert_eq!(trail.opened()[0], BTreeMap::from([("/details/a".to_owned(), json!("1"))]));
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let to = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &to);
        } else {
            fs::copy(entry.path(), to).unwrap();
        }
    }
}

#[test]
fn an_erased_subject_reads_as_erased_and_others_still_open() {
    let trail = Trail::new();
    let emit = |subject: &str| {
        tracing::info!(target: "audit", a = sealed(&subject), regulatory_flags.data_subject = subject);
        let flags = json!({"data_subject": subject, "GDPR": true}).to_string();
        tracing::info!(target: "audit", a = sealed(&subject), regulatory_flags = flags);
    };
    trail.record(trail.builder().keyring(trail.at("keyring.db")), |_| {
        emit("p-17");
        emit("p-18");
        tracing::info!(target: "audit", a = sealed(&"nobody"));
        // By another process, as far as SQLite can tell.
        let other = Keyring::open(trail.at("keyring.db")).unwrap();
        assert_eq!(other.erase_subject("p-17").unwrap().keys.len(), 1);
        emit("p-17");
        emit("p-18");
    });
    let lines = trail.lines();
    let contents: Vec<_> = lines
        .iter()
        .flat_map(|line| open_sealed(line, &trail.keyring).unwrap())
        .map(|opened| (opened.key_id, opened.content))
        .collect();
    let [a, b, c, d, nobody, e, f, g, h] = contents.as_slice() else { panic!("{contents:?}") };
    assert!(matches!((&a.1, &b.1), (Content::Erased { .. }, Content::Erased { .. })));
    let opens = |(_, content): &(String, Content)| matches!(content, Content::Clear(_));
    assert!([c, d, nobody, e, f, g, h].into_iter().all(opens), "{contents:?}");
    // One key for each subject and generation, and the host's.
    assert!(a.0 == b.0 && c.0 == d.0 && d.0 == g.0 && e.0 == f.0, "{contents:?}");
    assert!(a.0 != c.0 && a.0 != e.0 && nobody.0 != a.0 && nobody.0 != c.0, "{contents:?}");
}

#[test]
fn a_rotation_leaves_what_was_sealed_readable() {
    let trail = Trail::new();
    for value in ["1", "2"] {
        trail.record(trail.builder().keyring(trail.at("keyring.db")), |_| {
            tracing::info!(target: "audit", a = sealed(&value), h = hashed(&"x"));
        });
        trail.keyring.rotate(Purpose::Seal).unwrap();
        trail.keyring.rotate(Purpose::Hash).unwrap();
    }
    let lines = trail.lines();
    let opened: Vec<_> =
        lines.iter().flat_map(|line| open_sealed(line, &trail.keyring).unwrap()).collect();
    assert_ne!(opened[0].key_id, opened[1].key_id);
    assert_eq!(opened[0].content, Content::Clear("\"1\"".to_owned()));
    assert_eq!(opened[1].content, Content::Clear("\"2\"".to_owned()));
    let hashes = trail.keyring.hash_marks("x").unwrap();
    let found: Vec<Value> =
        trail.lines().iter().map(|l| serde_json::from_str(l).unwrap()).collect();
    assert_eq!(found[0]["details"]["h"], hashes[2]);
    assert_eq!(found[1]["details"]["h"], hashes[1]);
}

#[test]
fn without_a_keyring_a_wrapped_value_is_redacted_and_counted() {
    let trail = Trail::new();
    let mut stats = None;
    trail.record(trail.builder(), |audit| {
        tracing::info!(target: "audit", a = sealed(&"pl41n"), b = hashed(&"pl41n"), user_id = hashed(&"pl41n"));
        stats = Some(audit.stats());
    });
    let stats = stats.unwrap();
    assert_eq!(stats.withheld, 3);
    assert!(!stats.is_healthy());
    let record = trail.one();
    assert_eq!(record["details"], json!({"a": "[redacted]", "b": "[redacted]"}));
    assert_eq!(record["user_id"], "[redacted]");
    assert!(!contains(&trail.bytes(), PLAIN));
}

#[test]
fn a_keyring_that_fails_while_it_is_in_use_costs_the_value_and_not_the_secret() {
    let trail = Trail::new();
    trail.record(trail.builder().keyring(trail.at("keyring.db")).seal("iban"), |audit| {
        fs::rename(trail.at("keyring.db"), trail.at("away")).unwrap();
        tracing::info!(
            target: "audit",
            iban = "pl41n",
            regulatory_flags.data_subject = "p-17",
            nested = val(&BTreeMap::from([("iban", "pl41n")])),
            n = 1
        );
        assert_eq!(audit.stats().withheld, 2);
        fs::rename(trail.at("away"), trail.at("keyring.db")).unwrap();
        tracing::info!(target: "audit", iban = "back", regulatory_flags.data_subject = "p-17");
        assert_eq!(audit.stats().withheld, 2);
    });
    let record: Value = serde_json::from_str(&trail.lines()[0]).unwrap();
    let redacted = "[redacted]";
    let expected = json!({"iban": redacted, "nested": {"iban": redacted}, "n": 1});
    assert_eq!(record["details"], expected);
    assert!(!contains(&trail.bytes(), PLAIN));
    assert_eq!(trail.opened()[1]["/details/iban"], json!("back"));
}

#[test]
fn rules_without_a_keyring_and_a_keyring_that_is_not_there_are_refused_by_name() {
    let trail = Trail::new();
    let refused = |builder: Builder| {
        let built = builder.build::<tracing_subscriber::Registry>();
        built.map(drop).unwrap_err().to_string()
    };
    for (builder, name) in [
        (trail.builder().hash("user_id"), "hash: "),
        (trail.builder().seal("iban"), "seal: "),
        (trail.builder().seal_classified(SealClassified::Restricted), "seal_classified: "),
    ] {
        let error = refused(builder);
        assert!(error.starts_with(name) && error.contains("keyring"), "{error}");
    }
    let error = refused(trail.builder().keyring(trail.at("keyring.db")).seal("i*"));
    assert!(error.starts_with("seal: \"i*\""), "{error}");
    let error = refused(trail.builder().keyring(trail.at("none.db")).seal("iban"));
    assert!(error.contains("none.db") && error.contains("Keyring::init"), "{error}");
    assert!(!trail.at("trail").exists(), "nothing was made");
}

#[test]
fn others_see_a_word_in_the_place_of_the_value() {
    for (printed, word) in [
        (format!("{:?}", sealed(&"pl41n")), "[sealed]"),
        (format!("{:?}", hashed(&"pl41n")), "[hashed]"),
        (format!("{:?}", Some(sealed(&42))), "Some([sealed])"),
        (format!("{:#?}", vec![hashed(&42)]), "[\n    [hashed],\n]"),
    ] {
        assert_eq!(printed, word);
    }
}

#[test]
fn of_a_value_within_another_text_only_the_word_is_recorded() {
    let trail = Trail::new();
    trail.record(trail.builder().keyring(trail.at("keyring.db")), |_| {
        tracing::info!(target: "audit", list = ?[sealed(&"pl41n")], "of {:?}", sealed(&"pl41n"));
    });
    let record = trail.one();
    assert_eq!(record["message"], "of [sealed]");
    assert_eq!(record["details"]["list"], "[[sealed]]");
}

#[test]
fn a_record_with_more_to_seal_than_it_has_room_for_says_so() {
    let trail = Trail::new();
    trail.record(trail.builder().keyring(trail.at("keyring.db")), |audit| {
        let control = "\u{1}".repeat(12_000);
        tracing::info!(target: "audit", a = sealed(&"first"), b = sealed(&control), c = sealed(&control), d = 1);
        let many: BTreeMap<String, u8> = (0..1400).map(|n| (format!("n{n}"), 1)).collect();
        tracing::info!(target: "audit", details = sealed(&many));
        assert_eq!(audit.stats().dropped, BTreeMap::new());
    });
    let lines = trail.lines();
    assert_eq!(lines.len(), 2);
    let record: Value = serde_json::from_str(&lines[0]).unwrap();
    assert_eq!(record["truncated"], json!(["details.c"]));
    assert_eq!(record["details"]["c"], "[redacted]");
    let clear = clear(&lines[0], &trail.keyring);
    assert_eq!(clear["/details/a"], json!("first"));
    assert_eq!(clear["/details/b"], json!("\u{1}".repeat(12_000)));
    let record: Value = serde_json::from_str(&lines[1]).unwrap();
    assert!(record.get("truncated").is_none());
    let opened = trail.opened();
    assert_eq!(opened[1]["/details/details"].as_object().unwrap().len(), 1400);
}
