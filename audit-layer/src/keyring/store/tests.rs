use std::os::unix::fs::symlink;

use tempfile::TempDir;

use super::*;

fn directory() -> (TempDir, PathBuf) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("keyring.db");
    (directory, path)
}

fn problem<T: std::fmt::Debug>(result: Result<T, KeyringError>) -> KeyringProblem {
    result.unwrap_err().problem
}

fn found(lookup: Lookup) -> Key {
    match lookup {
        Lookup::Found(key) => key,
        other => panic!("{other:?}"),
    }
}

fn subject_key(keyring: &Keyring, subject: &str) -> Key {
    keyring.subject_key(&keyring.names_key().unwrap().hmac(subject.as_bytes())).unwrap()
}

/// All bytes of all files that are there.
fn bytes_in(directory: &Path) -> Vec<u8> {
    let files = fs::read_dir(directory).unwrap();
    files.flat_map(|file| fs::read(file.unwrap().path()).unwrap()).collect()
}

fn has(bytes: &[u8], wanted: &[u8]) -> bool {
    memchr::memmem::find(bytes, wanted).is_some()
}

#[test]
fn a_keyring_is_its_owners_alone_and_is_made_once() {
    let (_directory, path) = directory();
    assert!(matches!(problem(Keyring::open(&path)), KeyringProblem::Missing));
    let keyring = Keyring::init(&path).unwrap();
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o7777, 0o600);
    assert!(matches!(problem(Keyring::init(&path)), KeyringProblem::Exists));
    let purposes: Vec<_> = keyring.list().unwrap().iter().map(|key| key.purpose).collect();
    assert_eq!(purposes, Purpose::ALL);
    let mode = |wanted| {
        keyring
            .with(|db| Ok(db.pragma_query_value(None, wanted, |row| row.get::<_, String>(0))?))
            .unwrap()
    };
    assert_eq!(mode("journal_mode"), "delete");
    let number = |wanted| keyring.with(|db| Ok(pragma(db, wanted)?)).unwrap();
    assert_eq!((number("secure_delete"), number("synchronous")), (1, 3));

    for mode in [0o644, 0o640, 0o660, 0o604] {
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        let error = Keyring::open(&path).unwrap_err();
        assert!(matches!(error.problem, KeyringProblem::Exposed { mode: seen } if seen == mode));
        let text = error.to_string();
        assert!(text.contains("keyring.db") && text.contains("chmod 600"), "{text}");
    }
}

#[test]
fn what_is_no_keyring_is_refused_and_left_as_it_is() {
    let (directory, path) = directory();
    let at = |name: &str| directory.path().join(name);
    let foreign = Connection::open(&path).unwrap();
    foreign.execute_batch("PRAGMA journal_mode = WAL; CREATE TABLE t (x);").unwrap();
    drop(foreign);
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    let before = fs::read(&path).unwrap();
    assert!(matches!(problem(Keyring::open(&path)), KeyringProblem::Foreign));
    assert_eq!(fs::read(&path).unwrap(), before);

    let write = |name: &str, text: &str| {
        fs::write(at(name), text).unwrap();
        fs::set_permissions(at(name), fs::Permissions::from_mode(0o600)).unwrap();
    };
    write("text", &"no database. ".repeat(100));
    assert!(matches!(problem(Keyring::open(at("text"))), KeyringProblem::Database(_)));
    write("empty", "");
    assert!(matches!(problem(Keyring::open(at("empty"))), KeyringProblem::Empty));
    assert!(matches!(problem(Keyring::open(directory.path())), KeyringProblem::NoFile));
    symlink("nowhere", at("link")).unwrap();
    assert!(matches!(problem(Keyring::init(at("link"))), KeyringProblem::Exists));
    let missing = Keyring::init(at("missing/keyring.db"));
    assert!(matches!(problem(missing), KeyringProblem::Io(_)));

    let later = at("later");
    drop(Keyring::init(&later).unwrap());
    Connection::open(&later).unwrap().execute_batch("PRAGMA user_version = 99").unwrap();
    assert!(matches!(problem(Keyring::open(&later)), KeyringProblem::Newer));
}

#[test]
fn a_rotated_key_still_opens_and_another_is_in_use() {
    let (_directory, path) = directory();
    let keyring = Keyring::init(&path).unwrap();
    let subject = subject_key(&keyring, "p-17");
    for purpose in Purpose::ALL {
        let old = keyring.in_use(purpose).unwrap();
        let new = keyring.rotate(purpose).unwrap();
        assert_ne!(new.id, *old.id());
        let again = Keyring::open(&path).unwrap();
        assert_eq!(*again.in_use(purpose).unwrap().id(), new.id);
        assert_eq!(*found(again.key(old.id()).unwrap()).secret, *old.secret);
        let listed = again.list().unwrap();
        let retired: Vec<_> = listed.iter().filter(|key| key.retired.is_some()).collect();
        assert!(retired.iter().any(|key| key.id == *old.id()), "{listed:?}");
    }
    let renewed = subject_key(&keyring, "p-17");
    assert_ne!(renewed.id(), subject.id());
    // And what both sealed is erased at once.
    let erased = keyring.erase_subject("p-17").unwrap();
    assert_eq!(erased.keys, [subject.id().clone(), renewed.id().clone()]);
}

#[test]
fn an_erased_key_is_in_no_file_and_says_when_it_was() {
    let (directory, path) = directory();
    let keyring = Keyring::init(&path).unwrap();
    let subjects: Vec<_> = (0..300).map(|number| format!("person-{number}")).collect();
    let keys: Vec<_> = subjects.iter().map(|name| subject_key(&keyring, name)).collect();
    keyring.rotate(Purpose::Seal).unwrap();
    let more: Vec<_> = subjects.iter().map(|name| subject_key(&keyring, name)).collect();
    let before = bytes_in(directory.path());
    assert!(keys.iter().chain(&more).all(|key| has(&before, &*key.secret)));
    assert!(!subjects.iter().any(|name| has(&before, name.as_bytes())), "it lists nobody");

    for (at, name) in subjects.iter().enumerate().filter(|(at, _)| at % 3 > 0) {
        let erasure = keyring.erase_subject(name).unwrap();
        assert_eq!(erasure.keys, [keys[at].id().clone(), more[at].id().clone()]);
    }
    let after = bytes_in(directory.path());
    for (at, key) in keys.iter().chain(&more).enumerate() {
        let is_erased = at % subjects.len() % 3 > 0;
        assert_eq!(has(&after, &*key.secret), !is_erased, "{at}");
        assert_eq!(matches!(keyring.key(key.id()).unwrap(), Lookup::Erased { .. }), is_erased);
    }
    let people = || {
        let Subjects { known, erased } = keyring.subjects().unwrap();
        (known, erased)
    };
    assert_eq!(people(), (100, 200));
    keyring.rotate(Purpose::Seal).unwrap();
    assert_eq!(people(), (100, 200), "their keys open what they sealed");

    // A new generation, and nothing is left to erase of the old one.
    let again = subject_key(&keyring, &subjects[1]);
    assert_ne!(again.id(), more[1].id());
    assert_eq!(people(), (101, 200));
    assert_eq!(keyring.erase_subject(&subjects[1]).unwrap().keys, [again.id().clone()]);
    assert_eq!(keyring.erase_subject(&subjects[1]).unwrap().keys, []);
    assert_eq!(keyring.erase_subject("nobody").unwrap().keys, []);
    let unknown = "0123456789".parse().unwrap();
    assert!(matches!(keyring.key(&unknown).unwrap(), Lookup::Unknown));
}

#[test]
fn two_that_open_it_make_one_key_for_a_subject() {
    let (_directory, path) = directory();
    drop(Keyring::init(&path).unwrap());
    let ids: Vec<_> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..4)
            .map(|_| {
                scope.spawn(|| {
                    let keyring = Keyring::open(&path).unwrap();
                    let key = |number| subject_key(&keyring, &format!("p-{number}"));
                    (0..20).map(|number| key(number).id().clone()).collect::<Vec<_>>()
                })
            })
            .collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    assert!(ids.iter().all(|others| *others == ids[0]));
    assert_eq!(Keyring::open(&path).unwrap().subjects().unwrap().known, 20);
}

#[test]
fn a_file_that_was_replaced_is_used_no_more() {
    let (directory, path) = directory();
    let keyring = Keyring::init(&path).unwrap();
    fs::rename(&path, directory.path().join("away")).unwrap();
    assert!(matches!(problem(keyring.erase_subject("p-17")), KeyringProblem::Replaced));
    drop(Keyring::init(&path).unwrap());
    assert!(matches!(problem(keyring.list()), KeyringProblem::Replaced));
    fs::rename(directory.path().join("away"), &path).unwrap();
    keyring.erase_subject("p-17").unwrap();
}
