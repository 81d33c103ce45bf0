use super::*;

fn keyring() -> (tempfile::TempDir, Keyring, Keys) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("keyring.db");
    let keyring = Keyring::init(&path).unwrap();
    let keys = Keys::open(&path).unwrap();
    (directory, keyring, keys)
}

impl Keys {
    fn subject(&self, name: &str) -> Arc<Key> {
        self.sealing(Some(name)).unwrap().0
    }
}

#[test]
fn a_key_that_another_erased_is_not_used_again_nor_kept() {
    let (_directory, keyring, keys) = keyring();
    let first = keys.subject("p-17");
    let other = keys.subject("p-18");
    assert_eq!(keys.subject("p-17").id(), first.id());
    keyring.erase_subject("p-17").unwrap();
    let second = keys.subject("p-17");
    assert_ne!(second.id(), first.id());
    assert_eq!(keys.subject("p-18").id(), other.id());
    // Nor does it stay in memory when nothing is sealed.
    keyring.erase_subject("p-17").unwrap();
    let weak = Arc::downgrade(&second);
    drop(second);
    assert!(weak.upgrade().is_some());
    keys.forget_erased().unwrap();
    assert!(weak.upgrade().is_none());
}

#[test]
fn a_key_that_was_rotated_is_replaced_within_a_second() {
    let (_directory, keyring, keys) = keyring();
    let (seal, hash) = (keys.sealing(None).unwrap(), keys.hashing().unwrap());
    keyring.rotate(Purpose::Seal).unwrap();
    keyring.rotate(Purpose::Hash).unwrap();
    std::thread::sleep(LOOK);
    assert_ne!(keys.sealing(None).unwrap().0.id(), seal.0.id());
    assert_ne!(keys.hashing().unwrap().mark("x"), hash.mark("x"));
}

#[test]
fn memory_holds_so_many_subjects_and_those_used_last() {
    let (_directory, _keyring, keys) = keyring();
    // Straight into the cache: to make a thousand keys takes a thousand syncs.
    let key = keys.subject("first");
    {
        let mut known = locked(&keys.known);
        for number in 1..MAX_SUBJECTS {
            let name = [u8::try_from(number % 256).unwrap(); 32];
            let mut name = name;
            name[0] = u8::try_from(number / 256).unwrap();
            known.subjects.insert(name, (Arc::clone(&key), 0));
        }
        assert_eq!(known.subjects.len(), MAX_SUBJECTS);
    }
    keys.subject("one more");
    let known = locked(&keys.known);
    assert_eq!(known.subjects.len(), MAX_SUBJECTS);
    assert!(known.subjects.contains_key(&known.names.hmac(b"first")));
    assert!(known.subjects.contains_key(&known.names.hmac(b"one more")));
}

/// What it costs: `cargo test --release -p audit-layer --lib what_a_key_costs -- --ignored --nocapture`.
#[test]
#[ignore = "a measurement"]
fn what_a_key_costs() {
    let (_directory, _keyring, keys) = keyring();
    let time = |what: &str, each: &mut dyn FnMut()| {
        each();
        let start = Instant::now();
        const TIMES: u32 = 20_000;
        (0..TIMES).for_each(|_| each());
        println!("{what}: {:?}", start.elapsed() / TIMES);
    };
    let place = sealing::Place { stream: "payments@web-1~k3x9q2", id: "0193", tenant: "t" };
    let json = br#""DE89370400440532013000""#;
    time("a key of the host", &mut || drop(keys.sealing(None).unwrap()));
    time("a key of a subject", &mut || drop(keys.sealing(Some("p-17")).unwrap()));
    time("data_version", &mut || {
        keys.keyring.data_version().unwrap();
    });
    let key = keys.sealing(None).unwrap();
    time("to seal", &mut || drop(key.seal(&place, "/details/iban", json).unwrap()));
    let hashing = keys.hashing().unwrap();
    time("to hash", &mut || drop(hashing.mark("DE89370400440532013000")));
}
