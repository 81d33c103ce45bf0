//! A set of public keys (RFC 7517).
//!
//! Keys that are for something else, or of a kind that is not used here, are passed over, as the RFC asks:
//! an identity provider publishes all that it has. A set without any that can be used is refused as a whole,
//! so that an empty answer does not take the place of a good one.

use std::fmt;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::{Map, Value};

use super::{
    algorithm::{Algorithm, PublicKey},
    json,
};

/// The longest set that is read.
pub(super) const MAX_JWKS_BYTES: usize = 256 * 1024;
const MOST_KEYS: usize = 100;

/// The keys that tokens may be signed with.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct KeySet {
    keys: Vec<Key>,
    /// Those that are passed over: what they call themselves, and why.
    pub(super) unused: Vec<(Option<String>, &'static str)>,
}

#[derive(Debug, PartialEq, Eq)]
struct Key {
    id: Option<String>,
    key: PublicKey,
}

/// What a set has for a token.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Found<'a> {
    /// The key that it names.
    Key(&'a PublicKey),
    /// A key of that name, for another algorithm.
    OtherAlgorithm,
    /// It names none, and there are several.
    NotNamed,
    /// There is none of that name.
    Unknown,
}

impl KeySet {
    /// Reads a set.
    ///
    /// # Errors
    /// What is wrong with it.
    pub(super) fn read(document: &[u8]) -> Result<Self, &'static str> {
        if document.len() > MAX_JWKS_BYTES {
            return Err("it is longer than 256 KiB");
        }
        let document =
            json::object(document).map_err(|_| "it is no JSON object with each member once")?;
        let listed = document.get("keys").and_then(Value::as_array);
        let listed = listed.ok_or("it has no array `keys`")?;
        if listed.len() > MOST_KEYS {
            return Err("it has more than 100 keys");
        }
        let mut set = Self { keys: Vec::new(), unused: Vec::new() };
        for jwk in listed {
            let jwk = jwk.as_object().ok_or("a key in it is no object")?;
            let id = match jwk.get("kid") {
                None => None,
                Some(Value::String(id)) => Some(id.clone()),
                Some(_) => return Err("the `kid` of a key in it is no text"),
            };
            match public_key(jwk) {
                Ok(key) => set.add(Key { id, key })?,
                Err(reason) => set.unused.push((id, reason)),
            }
        }
        if set.keys.is_empty() {
            return Err(
                "it has no key to check signatures with: RSA of 2048 bits, P-256 or Ed25519",
            );
        }
        Ok(set)
    }

    fn add(&mut self, new: Key) -> Result<(), &'static str> {
        let same = |key: &Key| key.id == new.id && key.key.algorithm() == new.key.algorithm();
        if self.keys.iter().any(same) {
            return Err("two keys in it have the same `kid` and the same algorithm");
        }
        self.keys.push(new);
        Ok(())
    }

    /// Tells the operator which keys are passed over. What a key calls itself is public.
    pub(super) fn tell(&self, at: impl fmt::Display) {
        for (id, reason) in &self.unused {
            tracing::info!(%at, key = id.as_deref(), reason, "tokens: a key is not used");
        }
    }

    /// The key for a token of that algorithm that names that key, or none. A token need not name the key
    /// when there is one alone.
    pub(super) fn find(&self, algorithm: Algorithm, id: Option<&str>) -> Found<'_> {
        if id.is_none() && self.keys.len() > 1 {
            return Found::NotNamed;
        }
        let named = || self.keys.iter().filter(|key| id.is_none() || key.id.as_deref() == id);
        match named().find(|key| key.key.algorithm() == algorithm) {
            Some(key) => Found::Key(&key.key),
            None if named().next().is_some() => Found::OtherAlgorithm,
            None => Found::Unknown,
        }
    }
}

/// The key, or why it is passed over.
fn public_key(jwk: &Map<String, Value>) -> Result<PublicKey, &'static str> {
    let text = |name| jwk.get(name).map(|value| value.as_str().unwrap_or_default());
    if text("use").is_some_and(|usage| usage != "sig") {
        return Err("it is not for signatures");
    }
    let verifies = |operations: &Value| {
        operations.as_array().is_some_and(|all| all.iter().any(|it| it == "verify"))
    };
    if !jwk.get("key_ops").is_none_or(verifies) {
        return Err("it is not to check signatures with");
    }
    if jwk.contains_key("d") {
        return Err("it is a private key, and whoever has read it can sign tokens");
    }
    let point = |name| {
        let point = text(name).and_then(decode).filter(|bytes| bytes.len() == 32);
        point.ok_or("a coordinate is missing or has not 32 bytes")
    };
    let key = match (text("kty").unwrap_or_default(), text("crv").unwrap_or_default()) {
        ("RSA", _) => {
            let (n, e) = (text("n").and_then(unsigned), text("e").and_then(unsigned));
            let (n, e) = n.zip(e).ok_or("its modulus or its exponent is missing")?;
            if !(2048..=8192).contains(&bits(&n)) {
                return Err("it is an RSA key of less than 2048 or more than 8192 bits");
            }
            if !(2..=33).contains(&bits(&e)) || e.last().is_none_or(|byte| byte % 2 == 0) {
                return Err("its exponent is not one of an RSA key");
            }
            PublicKey::Rsa { n, e }
        }
        ("EC", "P-256") => PublicKey::P256([vec![4], point("x")?, point("y")?].concat()),
        ("OKP", "Ed25519") => PublicKey::Ed25519(point("x")?),
        _ => return Err("it is of a kind that is not used here"),
    };
    let agrees = |name: &str| Algorithm::named(name) == Some(key.algorithm());
    if !text("alg").is_none_or(agrees) {
        return Err("it is for an algorithm that is not used here");
    }
    Ok(key)
}

fn decode(text: &str) -> Option<Vec<u8>> {
    URL_SAFE_NO_PAD.decode(text).ok()
}

/// A number without the zeros before it, which some add although RFC 7518 has none.
fn unsigned(text: &str) -> Option<Vec<u8>> {
    let bytes = decode(text)?;
    let zeros = bytes.iter().take_while(|byte| **byte == 0).count();
    bytes.get(zeros..).filter(|bytes| !bytes.is_empty()).map(<[u8]>::to_vec)
}

/// How many bits a number has that begins with no zero.
fn bits(number: &[u8]) -> usize {
    let leading = number.first().map_or(0, |byte| byte.leading_zeros());
    number.len() * 8 - leading as usize
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(keys: &Value) -> Result<KeySet, &'static str> {
        KeySet::read(json!({"keys": keys}).to_string().as_bytes())
    }

    fn rsa(bits: usize) -> Value {
        let n = URL_SAFE_NO_PAD.encode([vec![0xff; bits / 8 - 1], vec![1]].concat());
        json!({"kty": "RSA", "kid": "r", "n": n, "e": "AQAB"})
    }

    fn with(mut jwk: Value, member: &str, value: &str) -> Value {
        jwk[member] = value.into();
        jwk
    }

    fn ed25519(id: &str) -> Value {
        json!({"kty": "OKP", "crv": "Ed25519", "kid": id, "x": URL_SAFE_NO_PAD.encode([7; 32])})
    }

    fn p256(id: &str) -> Value {
        let x = URL_SAFE_NO_PAD.encode([7; 32]);
        json!({"kty": "EC", "crv": "P-256", "kid": id, "x": x, "y": x})
    }

    #[test]
    fn keys_that_are_not_used_are_passed_over_and_say_why() {
        assert!(read(&json!([rsa(2048)])).is_ok());
        let zeros = with(rsa(2048), "n", &format!("AAAA{}", rsa(2048)["n"].as_str().unwrap()));
        assert_eq!(read(&json!([zeros])), read(&json!([rsa(2048)])));
        for unused in [
            rsa(2040),
            rsa(1024),
            rsa(8200),
            with(rsa(2048), "e", "AQ"),
            with(rsa(2048), "e", "AQAA"),
            with(rsa(2048), "e", ""),
            with(rsa(2048), "n", "AAAA"),
            with(rsa(2048), "n", "a+/="),
            with(rsa(2048), "use", "enc"),
            with(rsa(2048), "alg", "PS256"),
            with(rsa(2048), "alg", "RSA-OAEP"),
            with(rsa(2048), "alg", "HS256"),
            with(rsa(2048), "d", "AQAB"),
            with(rsa(2048), "kty", "rsa"),
            json!({"kty": "oct", "kid": "o", "k": "AQAB", "alg": "HS256"}),
            with(p256("e"), "crv", "P-384"),
            with(p256("e"), "y", "AQAB"),
            with(p256("e"), "alg", "ES384"),
            with(ed25519("e"), "crv", "X25519"),
            with(ed25519("e"), "crv", "Ed448"),
            with(ed25519("e"), "x", ""),
            json!({"kty": "OKP", "crv": "Ed25519", "key_ops": ["sign"], "x": ed25519("")["x"]}),
            json!({}),
        ] {
            let set = read(&json!([ed25519("good"), unused])).unwrap();
            assert_eq!((set.keys.len(), set.unused.len()), (1, 1), "{unused}");
            assert!(read(&json!([unused])).is_err(), "{unused}");
        }
    }

    #[test]
    fn a_key_is_found_by_its_name_and_for_its_own_algorithm_only() {
        let set = read(&json!([ed25519("a"), p256("b"), p256("a")])).unwrap();
        let found = |algorithm, id| match set.find(algorithm, id) {
            Found::Key(key) => key.algorithm() == algorithm,
            other => panic!("{other:?}"),
        };
        assert!(found(Algorithm::Ed25519, Some("a")) && found(Algorithm::Es256, Some("a")));
        let of = |algorithm, id| set.find(algorithm, id);
        assert_eq!(of(Algorithm::Ed25519, Some("b")), Found::OtherAlgorithm);
        assert_eq!(of(Algorithm::Hs256, Some("b")), Found::OtherAlgorithm);
        assert_eq!(of(Algorithm::Ed25519, Some("c")), Found::Unknown);
        assert_eq!(of(Algorithm::Ed25519, None), Found::NotNamed);
    }

    #[test]
    fn one_key_alone_need_not_be_named_but_not_by_another_name() {
        let set = read(&json!([ed25519("a")])).unwrap();
        assert!(matches!(set.find(Algorithm::Ed25519, None), Found::Key(_)));
        assert_eq!(set.find(Algorithm::Ed25519, Some("b")), Found::Unknown);
        assert_eq!(set.find(Algorithm::Es256, None), Found::OtherAlgorithm);
    }

    #[test]
    fn a_set_that_is_ambiguous_too_large_or_of_something_else_is_refused() {
        assert!(read(&json!([p256("a"), p256("a")])).is_err());
        let many = |count: usize| read(&(0..count).map(|id| p256(&id.to_string())).collect());
        assert!(many(100).is_ok() && many(101).is_err());
        for bad in ["", "{}", "[]", r#"{"keys":{}}"#, r#"{"keys":[1]}"#, r#"{"keys":[{"kid":1}]}"#]
        {
            assert!(KeySet::read(bad.as_bytes()).is_err(), "{bad}");
        }
        let padded = |length: usize| {
            let set = json!({"keys": [p256("a")]}).to_string();
            KeySet::read((set.clone() + &" ".repeat(length - set.len())).as_bytes())
        };
        assert!(padded(MAX_JWKS_BYTES).is_ok() && padded(MAX_JWKS_BYTES + 1).is_err());
    }
}
