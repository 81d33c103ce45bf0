//! What applications sealed: found and shown in clear to those who may decrypt, recorded, and gone once a person is erased.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    thread,
    time::{Duration, Instant},
};

use audit_layer::{
    AuditLayer,
    keyring::{Keyring, Purpose},
    sealed,
};
use audit_server::{Config, NewKey, Role};
use rusqlite::Connection;
use serde_json::{Value, json};
use tracing_subscriber::layer::SubscriberExt;

use super::{
    self_audit::own,
    support::{Answer, Fixture, Running, config_in},
};

/// A server with the keyring of the host, over what an application recorded of these people.
struct House {
    fixture: Fixture,
    auditor: String,
    viewer: String,
}

impl House {
    fn new(people: &[&str], change: impl FnOnce(&mut Config)) -> Self {
        let fixture = Fixture::start(|config| {
            let keyring = config.db.with_file_name("keyring.db");
            Keyring::init(&keyring).unwrap();
            record(&config.db, people);
            config.keyring = Some(keyring);
            config.journal = Some(config.db.with_file_name("server-journal"));
            change(config);
        });
        let key = |role| {
            let new = NewKey::new("of a test", role);
            fixture.keys.make(&new).unwrap().1.expose().to_owned()
        };
        let (auditor, viewer) = (key(Role::Auditor), key(Role::Viewer));
        Self { fixture, auditor, viewer }
    }

    fn directory(&self) -> &Path {
        self.fixture.directory.path()
    }

    fn keyring(&self) -> Keyring {
        Keyring::open(self.directory().join("keyring.db")).unwrap()
    }

    fn ask(&self, path: &str, key: &str) -> Answer {
        self.fixture.server.send("GET", path, &[("x-api-key", key)])
    }

    /// The details of the records that the auditor is shown, newest first.
    fn details(&self, query: &str) -> Vec<Value> {
        details(
            &self.ask(&format!("/audit/logs?tenant!=acme&event_type=data.*{query}"), &self.auditor),
        )
    }

    /// Waits until the index has every record.
    fn indexed(&self) {
        let trail = Connection::open(self.directory().join("audit.db")).unwrap();
        let newest = "SELECT max(arrival) FROM audit_logs";
        let newest: i64 = trail.query_row(newest, [], |row| row.get(0)).unwrap();
        let begun = Instant::now();
        loop {
            let health = self.ask("/health/detail", &self.fixture.key);
            let model = &health.ok()["read_model"];
            if model["state"] == "current" && model["arrival"].as_i64().unwrap() >= newest {
                return;
            }
            assert!(begun.elapsed() < Duration::from_secs(60), "{}", health.body);
            thread::sleep(Duration::from_millis(50));
        }
    }

    /// The records of what was decrypted, once there are so many.
    fn decrypted(&self, count: usize) -> Vec<Value> {
        let begun = Instant::now();
        loop {
            let mut records = own(&self.directory().join("audit.db"));
            records.retain(|record| record["event_type"] == "data.secret_access");
            if records.len() >= count {
                return records;
            }
            assert!(begun.elapsed() < Duration::from_secs(60), "{records:#?}");
            thread::sleep(Duration::from_millis(50));
        }
    }
}

/// Records an address of each person, sealed with the key of that person; a card that two may share, sealed with the key of
/// the host; and an address of nobody in particular, in clear.
fn record(trail: &Path, people: &[&str]) {
    let (layer, audit) = AuditLayer::builder()
        .service("shop")
        .journal(trail.with_file_name("journal"))
        .sqlite(trail)
        .keyring(trail.with_file_name("keyring.db"))
        .build()
        .unwrap();
    let subscriber = tracing_subscriber::registry().with(layer);
    tracing::subscriber::with_default(subscriber, || {
        for person in people {
            let address = format!("{person}@example.com");
            let card =
                BTreeMap::from([("number", vec!["4711"]), ("holders", vec![*person, "shop"])]);
            tracing::info!(
                target: "audit",
                event_type = "data.create",
                email = sealed(&address),
                plan = "small",
                regulatory_flags.data_subject = *person,
                "An account"
            );
            tracing::info!(
                target: "audit",
                event_type = "data.delete",
                tenant = "acme",
                email = sealed(&address),
                regulatory_flags.data_subject = *person,
                "An account of a tenant"
            );
            tracing::info!(
                target: "audit",
                event_type = "data.update",
                card = sealed(&card),
                "A card"
            );
        }
        tracing::info!(target: "audit", event_type = "data.read", email = "shop@example.com", "Ours");
    });
    audit.shutdown(Duration::from_secs(30)).unwrap();
}

fn details(page: &Answer) -> Vec<Value> {
    page.ok()["records"].as_array().unwrap().iter().map(|it| it["details"].clone()).collect()
}

fn files(directory: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { found.extend(files(&path)) } else { found.push(path) }
    }
    found
}

/// The files that have these bytes.
fn with(directory: &Path, bytes: &[u8]) -> Vec<PathBuf> {
    let has = |path: &PathBuf| {
        let content = fs::read(path).unwrap_or_default();
        content.windows(bytes.len()).any(|window| window == bytes)
    };
    files(directory).into_iter().filter(has).collect()
}

fn hex(text: &str) -> String {
    text.split_once(':').unwrap().1.to_owned()
}

/// With an index and without one the answers are the same.
fn both(test: impl Fn(House)) {
    let people = ["ann", "bob", "cyd"];
    let house = House::new(&people, |_| {});
    house.indexed();
    test(house);
    test(House::new(&people, |config| config.read_model = None));
}

#[test]
fn who_may_decrypt_finds_what_is_sealed_by_what_it_says() {
    both(|house| {
        let ann = json!({"email": "ann@example.com", "plan": "small"});
        assert_eq!(house.details("&details.email=ann@example.com"), std::slice::from_ref(&ann));
        assert_eq!(house.details("&details.email=ann@example.com&details.plan=small"), [ann]);
        assert_eq!(house.details("&details.email=ann@example.co"), [] as [Value; 0]);
        assert_eq!(house.details("&details.mail=ann@example.com"), [] as [Value; 0]);
        // What is in clear beside it, too.
        let ours = [json!({"email": "shop@example.com"})];
        assert_eq!(house.details("&details.email=shop@example.com"), ours);
        // Within what was sealed as a whole, of one of several, and of several people at once.
        let card =
            |person: &str| json!({"card": {"number": ["4711"], "holders": [person, "shop"]}});
        assert_eq!(house.details("&details.card.holders=bob"), [card("bob")]);
        let all = ["cyd", "bob", "ann"].map(card);
        assert_eq!(house.details("&details.card.number=4711"), all);
        assert_eq!(house.details("&filter=details.card.holders%3D%22shop%22"), all);
        // Negation: a record without it is one of those.
        let others = house.details("&details.email!=ann@example.com&event_type=data.create");
        let clear: Vec<_> = others.iter().map(|it| it["email"].clone()).collect();
        assert!(!clear.contains(&json!("ann@example.com")), "{others:?}");
        assert_eq!(others.len(), 6, "{others:?}");
        let count = house.ask("/audit/stats?details.card.number=4711", &house.auditor).ok();
        assert_eq!(count["records"], 3, "{count}");
        let expression = "&filter=details.email%3D%22ann@example.com%22%20OR%20details.email%3D%22bob@example.com%22";
        assert_eq!(house.details(expression).len(), 2);
    });
}

#[test]
fn others_find_the_marks_and_nothing_in_them() {
    both(|house| {
        let asked = |query: &str| {
            house.ask(&format!("/audit/logs?tenant!=acme&event_type=data.*{query}"), &house.viewer)
        };
        assert_eq!(details(&asked("&details.email=ann@example.com")), [] as [Value; 0]);
        let found = details(&asked("&details.email=[sealed]"));
        assert_eq!(found.len(), 3);
        assert!(found.iter().all(|it| it["email"]["$sealed"]["c"].is_string()), "{found:?}");
        // What a mark consists of is no text of the record.
        let key = found[0]["email"]["$sealed"]["k"].as_str().unwrap();
        assert_eq!(details(&asked(&format!("&q={key}"))), [] as [Value; 0]);
        assert_eq!(details(&asked(&format!("&details.email.$sealed.k={key}"))), [] as [Value; 0]);
    });
}

#[test]
fn each_decryption_is_recorded_and_what_was_looked_for_is_not_told_in_clear() {
    let house = House::new(&["ann", "bob"], |_| {});
    house.indexed();
    house.details("&details.email=ann@example.com&limit=5");
    house.details("&filter=details.email%3D%22bob@example.com%22");
    let all = house.ask("/audit/logs?event_type=data.create", &house.auditor).ok();
    // A page without any, one that nobody may open, and a refused question are none.
    house.details("&details.plan=large");
    details(&house.ask("/audit/logs", &house.viewer));
    house.ask("/audit/logs?details.email=eve@example.com&nonsense=1", &house.auditor).problem(400);
    let id = all["records"][1]["id"].as_str().unwrap();
    house.ask(&format!("/audit/logs/{id}"), &house.auditor).ok();

    let told = house.decrypted(4);
    let told: Vec<_> = told.iter().map(|it| &it["details"]).collect();
    let counts = |name: &str| told.iter().map(|it| it[name].clone()).collect::<Vec<_>>();
    assert_eq!(counts("values"), [1, 1, 2, 1]);
    assert_eq!(counts("members"), ["details.email"; 4]);
    assert_eq!(counts("ids")[3], id);
    assert!(counts("ids")[2].as_str().unwrap().contains(id));

    let records = own(&house.directory().join("audit.db"));
    let queries: Vec<_> =
        records.iter().filter_map(|record| record["details"]["query"].as_str()).collect();
    let marks: Vec<_> = queries
        .iter()
        .filter_map(|query| query.split_once("asked%3A").map(|(_, rest)| &rest[..16]))
        .collect();
    let [ann, bob, _, eve] = marks.as_slice() else { panic!("{queries:#?}") };
    assert!(ann != bob && bob != eve && eve != ann, "{queries:#?}");
    assert!(queries.iter().any(|query| query.ends_with(&format!("{ann}&limit=5"))), "{queries:#?}");
    // Nobody who has the keyring can try what it was.
    let stored = house.keyring().hash_marks("ann@example.com").unwrap().remove(0);
    assert_eq!(
        with(house.directory(), hex(&stored.replacen(':', "", 1)).as_bytes()),
        [] as [PathBuf; 0]
    );
    assert_eq!(with(house.directory(), b"ann@example"), [] as [PathBuf; 0]);
    assert_eq!(with(house.directory(), b"bob@example"), [] as [PathBuf; 0]);
    assert_eq!(with(house.directory(), b"eve@example"), [] as [PathBuf; 0]);
}

#[test]
fn an_export_keeps_the_marks() {
    let house = House::new(&["ann"], |_| {});
    let tenant = Some("acme".parse().unwrap());
    let of_tenant = NewKey { tenant, ..NewKey::new("of a tenant", Role::Auditor) };
    let of_tenant = house.fixture.keys.make(&of_tenant).unwrap().1.expose().to_owned();
    for (key, event_type) in [(&house.auditor, "data.create"), (&of_tenant, "data.delete")] {
        let headers = [("x-api-key", &**key), ("content-length", "0")];
        let question = format!("event_type={event_type}&details.email=ann@example.com");
        let page = house.ask(&format!("/audit/logs?{question}"), key);
        assert_eq!(details(&page)[0]["email"], "ann@example.com");
        let path = format!("/audit/export?format=ndjson&{question}");
        let export = house.fixture.server.send("POST", &path, &headers);
        assert_eq!((export.status, export.body.lines().count()), (200, 1), "{}", export.body);
        assert!(
            export.body.contains("$sealed") && !export.body.contains("ann@"),
            "{}",
            export.body
        );
    }
}

#[test]
fn after_an_erasure_nothing_is_read_or_found_and_no_token_is_left() {
    let house = House::new(&["ann", "bob"], |_| {});
    house.indexed();
    let keyring = house.keyring();
    let token = |person: &str| {
        let address = format!("{person}@example.com");
        hex(&keyring.index_token("details.email", &address).unwrap())
    };
    let model = || with(house.directory(), token("ann").as_bytes());
    // The keys of the two, as they stand in the keyring: the newest is of the one who came last.
    let secrets = {
        let file = Connection::open(house.directory().join("keyring.db")).unwrap();
        let newest = "SELECT key FROM secrets ORDER BY number DESC LIMIT 2";
        let mut statement = file.prepare(newest).unwrap();
        let secrets = statement.query_map([], |row| row.get::<_, Vec<u8>>(0)).unwrap();
        secrets.map(Result::unwrap).collect::<Vec<_>>()
    };
    let [of_bob, of_ann] = secrets.as_slice() else { panic!("two people, two keys") };
    assert!(!with(house.directory(), of_ann).is_empty());
    assert!(!model().is_empty(), "the test looks for what was there");
    assert_eq!(house.details("&details.email=ann@example.com").len(), 1);

    // By another process, as it were.
    assert_eq!(house.keyring().erase_subject("ann").unwrap().keys.len(), 1);
    assert_eq!(house.details("&details.email=ann@example.com"), [] as [Value; 0]);
    let begun = Instant::now();
    while !model().is_empty() {
        assert!(begun.elapsed() < Duration::from_secs(60), "{:?}", model());
        thread::sleep(Duration::from_millis(50));
    }
    let shown = house.details("&event_type=data.create");
    let emails: Vec<_> =
        shown.iter().filter(|it| it["plan"] == "small").map(|it| it["email"].clone()).collect();
    assert_eq!(emails, ["bob@example.com", "[erased]"]);
    assert_eq!(house.details("&details.email=bob@example.com").len(), 1);
    assert!(!with(house.directory(), token("bob").as_bytes()).is_empty());
    assert_eq!(with(house.directory(), b"ann@example"), [] as [PathBuf; 0]);
    assert_eq!(with(house.directory(), of_ann), [] as [PathBuf; 0]);
    assert!(!with(house.directory(), of_bob).is_empty());
    // What comes later of the same person has another key, and is found.
    record(&house.directory().join("audit.db"), &["ann"]);
    house.indexed();
    assert_eq!(house.details("&details.email=ann@example.com").len(), 1);
}

#[test]
fn a_keyring_that_comes_later_finds_what_was_sealed_before() {
    let house = House::new(&["ann"], |config| config.keyring = None);
    house.indexed();
    assert_eq!(house.details("&details.email=ann@example.com"), [] as [Value; 0]);
    let mut config = config_in(house.directory());
    config.keyring = Some(house.directory().join("keyring.db"));
    let mut again = house;
    again.fixture.server.begin_stop();
    again.fixture.server.wait();
    again.fixture.server = Running::start(config);
    again.indexed();
    assert_eq!(again.details("&details.email=ann@example.com").len(), 1);
}

#[test]
fn without_its_keyring_the_server_gives_no_answer_that_lacks_records() {
    let house = House::new(&["ann"], |_| {});
    house.indexed();
    let path = house.directory().join("keyring.db");
    let moved = house.directory().join("elsewhere.db");
    fs::rename(&path, &moved).unwrap();
    let query = "/audit/logs?event_type=data.create&details.email=ann@example.com";
    let problem = house.ask(query, &house.auditor).problem(503);
    assert_eq!(problem["type"], "/problems/keyring-unreadable", "{problem}");
    assert!(!problem.to_string().contains("keyring.db"), "{problem}");
    // Whoever sees no values needs none.
    assert_eq!(
        details(
            &house.ask("/audit/logs?event_type=data.create&details.email=[sealed]", &house.viewer)
        )
        .len(),
        1
    );
    fs::rename(&moved, &path).unwrap();
    assert_eq!(house.details("&details.email=ann@example.com").len(), 1);
}

#[test]
fn what_another_keyring_made_of_the_index_leads_nobody() {
    let mut house = House::new(&["ann"], |_| {});
    house.indexed();
    let at = |name: &str| house.fixture.directory.path().join(name);
    let (path, own) = (at("keyring.db"), at("own.db"));
    let mut restart = || {
        house.fixture.server.begin_stop();
        house.fixture.server.wait();
        let mut config = config_in(house.fixture.directory.path());
        config.keyring = Some(path.clone());
        house.fixture.server = Running::start(config);
        house.indexed();
        let found = house.details("&details.email=ann@example.com").len();
        let others = house.details("&event_type=data.create&details.email!=ann@example.com");
        // The model has the tokens of this keyring and of no other.
        let token = house.keyring().index_token("details.email", "ann@example.com").unwrap();
        let is_indexed = !with(house.directory(), hex(&token).as_bytes()).is_empty();
        (found, others.iter().filter(|it| it["plan"] == "small").count(), is_indexed)
    };
    assert_eq!(restart(), (1, 0, true));
    // Lost, and made anew: nothing can be opened. Then it is put back.
    fs::rename(&path, &own).unwrap();
    Keyring::init(&path).unwrap();
    assert_eq!(restart(), (0, 1, false));
    fs::rename(&own, &path).unwrap();
    assert_eq!(restart(), (1, 0, true));
    // With a key for tokens that was made anew, too.
    Keyring::open(&path).unwrap().rotate(Purpose::Index).unwrap();
    assert_eq!(restart(), (1, 0, true));
}

#[test]
fn of_many_values_in_a_record_each_is_found() {
    let house = House::new(&[], |config| {
        let (layer, audit) = AuditLayer::builder()
            .service("shop")
            .journal(config.db.with_file_name("journal"))
            .sqlite(&config.db)
            .keyring(config.db.with_file_name("keyring.db"))
            .build()
            .unwrap();
        let subscriber = tracing_subscriber::registry().with(layer);
        tracing::subscriber::with_default(subscriber, || {
            // More than the index has of one record.
            for range in [0..1_500_u32, 5_000..5_010] {
                let numbers: Vec<u32> = range.collect();
                tracing::info!(target: "audit", event_type = "data.create", n = sealed(&numbers), "Many");
            }
        });
        audit.shutdown(Duration::from_secs(30)).unwrap();
    });
    house.indexed();
    for number in [0, 999, 1_499, 5_003] {
        assert_eq!(house.details(&format!("&details.n={number}")).len(), 1, "{number}");
        // The other, and the one in clear.
        assert_eq!(house.details(&format!("&details.n!={number}")).len(), 2);
    }
    assert_eq!(house.details("&details.n=1500"), [] as [Value; 0]);
    let many = "&details.n!=1".repeat(65);
    let problem = house.ask(&format!("/audit/logs?limit=1{many}"), &house.auditor).problem(400);
    assert_eq!(problem["parameter"], "details", "{problem}");
}

#[test]
fn where_the_keyring_is_is_told_to_nobody() {
    let house = House::new(&["ann"], |_| {});
    house.indexed();
    fs::rename(house.directory().join("keyring.db"), house.directory().join("gone.db")).unwrap();
    let begun = Instant::now();
    loop {
        let health = house.ask("/health/detail", &house.viewer);
        let model = health.ok()["read_model"].to_string();
        if model.contains("keyring") {
            assert!(!model.contains("keyring.db") && !model.contains("/tmp"), "{model}");
            return;
        }
        assert!(begun.elapsed() < Duration::from_secs(60), "{model}");
        thread::sleep(Duration::from_millis(50));
    }
}
