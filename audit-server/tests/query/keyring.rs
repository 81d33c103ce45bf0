//! The keyring and the erasure of a person, on the command line, and an application beside them.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Output},
    time::Duration,
};

use audit_layer::{
    AuditLayer, keyring,
    keyring::{Content, Keyring},
    sealed,
};
use rusqlite::{Connection, OpenFlags};
use serde_json::Value;
use tracing_subscriber::layer::SubscriberExt;

fn run(directory: &Path, args: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_audit-server"));
    command.args(args).current_dir(directory).env_clear().env("AUDIT_KEYRING", "keyring.db");
    command.output().unwrap()
}

fn printed(directory: &Path, args: &[&str]) -> String {
    let output = run(directory, args);
    assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

fn lines(directory: &Path, what: &str) -> Vec<String> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY;
    let trail = Connection::open_with_flags(directory.join("audit.db"), flags).unwrap();
    let sql = format!("SELECT record FROM audit_logs WHERE {what} ORDER BY arrival");
    let mut statement = trail.prepare(&sql).unwrap();
    let lines = statement.query_map([], |row| row.get::<_, String>(0)).unwrap();
    lines.map(Result::unwrap).collect()
}

/// An application that records an address of each person.
fn record(directory: &Path, people: &[&str]) {
    let (layer, audit) = AuditLayer::builder()
        .service("shop")
        .journal(directory.join("journal"))
        .sqlite(directory.join("audit.db"))
        .keyring(directory.join("keyring.db"))
        .build()
        .unwrap();
    let subscriber = tracing_subscriber::registry().with(layer);
    tracing::subscriber::with_default(subscriber, || {
        for person in people {
            let address = format!("{person}@example.com");
            tracing::info!(
                target: "audit",
                event_type = "data.create",
                email = sealed(&address),
                regulatory_flags.data_subject = *person,
                "An account"
            );
        }
    });
    audit.shutdown(Duration::from_secs(30)).unwrap();
}

/// Every file below.
fn files(directory: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { found.extend(files(&path)) } else { found.push(path) }
    }
    found
}

fn stands_in(directory: &Path, text: &str) -> Vec<PathBuf> {
    let has = |path: &PathBuf| {
        fs::read(path).unwrap().windows(text.len()).any(|window| window == text.as_bytes())
    };
    files(directory).into_iter().filter(has).collect()
}

#[test]
fn after_an_erasure_nobody_reads_what_was_sealed_and_every_hash_verifies() {
    let directory = tempfile::tempdir().unwrap();
    let at = directory.path();
    assert!(printed(at, &["keyring", "init"]).contains("is made"));
    record(at, &["ann", "bob"]);
    let read = || -> Vec<Content> {
        let keyring = Keyring::open(at.join("keyring.db")).unwrap();
        let lines = lines(at, "event_type = 'data.create'");
        let opened = lines.iter().flat_map(|line| keyring::open_sealed(line, &keyring).unwrap());
        opened.map(|opened| opened.content).collect()
    };
    let clear = |person: &str| Content::Clear(format!("\"{person}@example.com\""));
    assert_eq!(read(), [clear("ann"), clear("bob")]);
    printed(at, &["export", "--output", "old.ndjson", "--journal", "off"]);

    let said = printed(at, &["erase", "--subject", "ann", "--reason", "request 7"]);
    assert!(said.contains("1 keys in keyring.db") && !said.contains("to be done yet"), "{said}");
    let after = read();
    assert!(matches!(after[0], Content::Erased { .. }) && after[1] == clear("bob"), "{after:?}");
    // Also in an export of before.
    let keyring = Keyring::open(at.join("keyring.db")).unwrap();
    let old = fs::read_to_string(at.join("old.ndjson")).unwrap();
    let old = old.lines().find(|line| line.contains("$sealed")).unwrap();
    let opened = keyring::open_sealed(old, &keyring).unwrap();
    assert!(matches!(opened[0].content, Content::Erased { .. }));
    drop(keyring);
    // No file ever had the address, and none has the name but in the flag of the record itself.
    assert_eq!(stands_in(at, "ann@example.com"), [] as [PathBuf; 0]);
    assert!(printed(at, &["verify", "audit.db"]).contains("shop@"));

    let erased: Vec<Value> = lines(at, "event_type = 'data.erased'")
        .iter()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let of = |name: &str| erased.iter().map(|it| it["details"][name].clone()).collect::<Vec<_>>();
    assert_eq!(erased.len(), 2);
    assert_eq!(
        (&erased[0]["status"], &erased[1]["status"]),
        (&"pending".into(), &"success".into())
    );
    assert_eq!(of("reason"), ["request 7", "request 7"]);
    assert!(
        of("subject")[0].as_str().unwrap().starts_with("hmac:")
            && of("subject")[0] == of("subject")[1]
    );
    assert!(!erased.iter().any(|record| record.to_string().contains("ann")));

    // What comes later has another key, and is read until that is destroyed.
    record(at, &["ann"]);
    assert_eq!(read()[2], clear("ann"));
    let list = printed(at, &["keyring", "list"]);
    assert!(list.contains("people: 2 with a key, 1 erased"), "{list}");
    let output = run(at, &["erase", "--subject", "eve", "--reason", "request 8"]);
    assert!(!output.status.success());
    let last = lines(at, "event_type = 'data.erased'").pop().unwrap();
    assert!(last.contains(r#""status":"failure""#), "{last}");
}

#[test]
fn keys_are_made_anew_and_that_is_recorded() {
    let directory = tempfile::tempdir().unwrap();
    let at = directory.path();
    printed(at, &["keyring", "init"]);
    record(at, &["ann"]);
    let before = printed(at, &["keyring", "list"]);
    let said = printed(at, &["keyring", "rotate", "seal"]);
    let id = said.split_whitespace().next().unwrap();
    assert!(!before.contains(id) && printed(at, &["keyring", "list"]).contains(id));
    let records = lines(at, "event_type = 'admin.key_created'");
    assert!(records.iter().any(|line| line.contains(&format!("keyring/{id}"))), "{records:?}");
}

#[test]
fn what_cannot_be_done_is_said_and_nothing_is_destroyed() {
    let directory = tempfile::tempdir().unwrap();
    let at = directory.path();
    let failed = |args: &[&str]| {
        let output = run(at, args);
        assert!(!output.status.success(), "{args:?}");
        String::from_utf8(output.stderr).unwrap()
    };
    assert!(failed(&["keyring", "list"]).contains("keyring.db"));
    printed(at, &["keyring", "init"]);
    assert!(failed(&["keyring", "init"]).contains("is there already"));
    assert!(failed(&["keyring", "rotate", "all"]).contains("hash, seal or index"));
    // There is no trail, in which the erasure would be recorded.
    let erase = ["erase", "--subject", "ann", "--reason", "r"];
    assert!(failed(&erase).contains("is recorded in the trail"));
    let said = failed(&[&erase[..], &["--journal", "off"]].concat());
    assert!(said.contains("nothing was erased"), "{said}");
    for (subject, reason) in [("", "r"), ("ann", " "), ("ann", "Ann asked")] {
        let said = failed(&["erase", "--subject", subject, "--reason", reason]);
        assert!(said.contains("--reason"), "{said}");
    }
    // Once, and with what helps.
    let said = failed(&["query", "--decrypt", "--keyring", "nowhere.db"]);
    assert_eq!(said.matches("there is none").count(), 1, "{said}");
    assert!(said.contains("audit-server keyring init"), "{said}");
    assert!(failed(&["query", "--decrypt", "--output", "table"]).contains("jsonl"));
    let mut command = Command::new(env!("CARGO_BIN_EXE_audit-server"));
    let output = command.args(["keyring", "list"]).current_dir(at).env_clear().output().unwrap();
    assert!(String::from_utf8(output.stderr).unwrap().contains("AUDIT_KEYRING"));
}

#[test]
fn a_query_that_decrypts_shows_and_finds_what_is_sealed_and_is_recorded() {
    let directory = tempfile::tempdir().unwrap();
    let at = directory.path();
    printed(at, &["keyring", "init"]);
    record(at, &["ann", "bob"]);
    let accounts = ["query", "--type", "data.create", "--output", "jsonl"];
    let found = |args: &[&str]| -> Vec<Value> {
        let printed = printed(at, &[&accounts[..], args].concat());
        let records = printed.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        records.map(|mut record| record["details"]["email"].take()).collect()
    };
    let ann = ["--where", "details.email=ann@example.com"];
    for model in ["off", "audit-read-model.db"] {
        if model != "off" {
            printed(at, &["reindex"]);
        }
        let found = |args: &[&str]| found(&[args, &["--read-model", model]].concat());
        // The marks, unless it was asked for, also with AUDIT_KEYRING set.
        assert!(found(&[]).iter().all(|it| it["$sealed"]["c"].is_string()));
        assert_eq!(found(&ann), [] as [Value; 0]);
        assert_eq!(found(&["--decrypt"]), ["bob@example.com", "ann@example.com"]);
        assert_eq!(found(&[&ann[..], &["--decrypt"]].concat()), ["ann@example.com"]);
    }
    // One that another keyring was used for leads nobody past what this one opens.
    printed(at, &["keyring", "init", "--keyring", "another.db"]);
    printed(at, &["reindex", "--keyring", "another.db"]);
    assert_eq!(
        found(&[&ann[..], &["--decrypt", "--journal", "off"]].concat()),
        ["ann@example.com"]
    );
    printed(at, &["reindex"]);
    let told = lines(at, "event_type = 'data.secret_access'");
    let told: Vec<Value> =
        told.iter().map(|line| serde_json::from_str::<Value>(line).unwrap()).collect();
    let values: Vec<_> = told.iter().map(|it| it["details"]["values"].clone()).collect();
    assert_eq!(values, [2, 1, 2, 1]);
    assert!(told.iter().all(|it| it["resource"] == "audit-server query"), "{told:?}");
    assert_eq!(stands_in(at, "ann@example.com"), [] as [PathBuf; 0], "what was looked for neither");

    // An export finds it so, and keeps the mark.
    let export = |args: &[&str]| {
        let all = ["export", "--type", "data.create", "--output", "-", "--journal", "off"];
        printed(at, &[&all[..], &ann, args].concat())
    };
    let found_sealed = export(&["--decrypt"]);
    assert_eq!((export(&[]).lines().count(), found_sealed.lines().count()), (0, 1));
    assert!(found_sealed.contains("$sealed") && !found_sealed.contains("ann@"), "{found_sealed}");

    // No server runs: the command takes the tokens away itself.
    let keyring = Keyring::open(at.join("keyring.db")).unwrap();
    let token = |person: &str| {
        let address = format!("{person}@example.com");
        let token = keyring.index_token("details.email", &address).unwrap();
        token.split_once(':').unwrap().1.to_owned()
    };
    assert!(!stands_in(at, &token("ann")).is_empty() && !stands_in(at, &token("bob")).is_empty());
    printed(at, &["erase", "--subject", "ann", "--reason", "request 7"]);
    assert_eq!(stands_in(at, &token("ann")), [] as [PathBuf; 0]);
    assert!(!stands_in(at, &token("bob")).is_empty());
    assert_eq!(found(&["--decrypt"]), ["bob@example.com", "[erased]"]);
    assert_eq!(found(&[&ann[..], &["--decrypt"]].concat()), [] as [Value; 0]);

    let mut command = Command::new(env!("CARGO_BIN_EXE_audit-server"));
    let output = command.args(["query", "--decrypt"]).current_dir(at).env_clear().output().unwrap();
    assert!(String::from_utf8(output.stderr).unwrap().contains("AUDIT_KEYRING"));
}
