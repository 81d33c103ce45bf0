use super::*;

/// As in `tests/fixtures/seal.py`, which computed the golden vectors without this code.
fn key() -> Key {
    let mut secret = Zeroizing::new([0; 32]);
    secret.iter_mut().zip(0_u8..).for_each(|(byte, number)| *byte = number);
    Key { id: "0123456789".parse().unwrap(), secret }
}

const PLACE: Place<'static> = Place {
    stream: "payments@web-1~k3x9q2",
    id: "0193a2b4-5c6d-7e8f-9a0b-1c2d3e4f5061",
    tenant: "acme",
};
const PATH: &str = "/details/customer/iban";
const JSON: &str = r#""DE89370400440532013000""#;

fn golden() -> Vec<serde_json::Value> {
    let lines = include_str!("../../../tests/fixtures/sealed.jsonl").lines();
    lines.map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn nonce() -> [u8; NONCE] {
    std::array::from_fn(|at| 0x40 + u8::try_from(at).unwrap())
}

#[test]
fn marks_are_what_another_implementation_makes() {
    let golden = golden();
    assert_eq!(golden.len(), 4);
    for vector in &golden {
        let text = |name: &str| vector[name].as_str().unwrap();
        if vector.get("hash").is_some() {
            assert_eq!(key().hash_mark(text("text").as_bytes()), text("hash"));
            continue;
        }
        let place = Place { stream: text("stream"), id: text("id"), tenant: text("tenant") };
        let mark = seal_with(&key(), nonce(), &place, text("path"), text("json").as_bytes());
        assert_eq!(mark.unwrap(), vector["mark"].to_string());
    }
}

fn read(mark: &str) -> Sealed {
    let mark: serde_json::Value = serde_json::from_str(mark).unwrap();
    let text = |name: &str| mark["$sealed"][name].as_str().unwrap();
    Sealed::read(text("k"), text("n"), text("c")).unwrap()
}

#[test]
fn a_mark_opens_where_it_was_made_and_nowhere_else() {
    let sealed = read(&seal(&key(), &PLACE, PATH, JSON.as_bytes()).unwrap());
    let open = |version, place: &Place<'_>, path| sealed.clone().open(&key(), version, place, path);
    assert_eq!(open(1, &PLACE, PATH).as_deref(), Some(JSON));
    assert_eq!(open(2, &PLACE, PATH), None);
    assert_eq!(open(1, &PLACE, "/details/customer"), None);
    for place in [
        Place { stream: "payments@web-2~k3x9q2", ..PLACE },
        Place { id: "0193a2b4-5c6d-7e8f-9a0b-1c2d3e4f5062", ..PLACE },
        Place { tenant: "", ..PLACE },
        // The same bytes, with other ends.
        Place { tenant: "", id: &format!("{}acme", PLACE.id), ..PLACE },
    ] {
        assert_eq!(open(1, &place, PATH), None, "{place:?}");
    }
    for at in 0..sealed.text.len() {
        let mut changed = sealed.clone();
        changed.text[at] ^= 1;
        assert_eq!(changed.open(&key(), 1, &PLACE, PATH), None, "{at}");
    }
    let short = Sealed { text: vec![0; TAG - 1], ..sealed };
    assert_eq!(short.open(&key(), 1, &PLACE, PATH), None);
}

#[test]
fn the_length_tells_little_and_no_two_marks_are_the_same() {
    let length = |json: &str| seal(&key(), &PLACE, PATH, json.as_bytes()).unwrap().len();
    assert_eq!(length("true"), length("false"));
    assert_eq!(length("null"), length("\"0123456789abc\""));
    assert!(length("null") < length("\"0123456789abcdef\""));
    let mark = || seal(&key(), &PLACE, PATH, JSON.as_bytes()).unwrap();
    assert_ne!(mark(), mark());
    let empty = read(&seal(&key(), &PLACE, PATH, b"").unwrap());
    assert_eq!(empty.open(&key(), 1, &PLACE, PATH).as_deref(), Some(""));
}

#[test]
fn the_encoding_of_lists_of_texts_is_that_of_paseto() {
    // Its own test vectors.
    let encoded = |parts: &[&str]| hex::encode(pre_authentication_encoding(parts));
    assert_eq!(encoded(&[]), "0000000000000000");
    assert_eq!(encoded(&[""]), "01000000000000000000000000000000");
    assert_eq!(encoded(&["test"]), "0100000000000000040000000000000074657374");
}
