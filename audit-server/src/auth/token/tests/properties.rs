//! Nothing panics, and nothing that was not signed as it is gets in.

use std::sync::LazyLock;

use proptest::{collection, prelude::*};
use serde_json::Value;

use super::support::{
    Signer, all_kinds, claims, ed25519, encode, p256, rsa_a, secret, settings, with_secret,
};
use crate::auth::token::{Checked, TokenSettings, Tokens, jwks::KeySet};

static TOKENS: LazyLock<Tokens> = LazyLock::new(all_kinds);
static TENANTS: LazyLock<Tokens> = LazyLock::new(|| {
    with_secret(TokenSettings { tenant_claim: Some("a.b".to_owned()), ..settings() })
});
static GOOD: LazyLock<Vec<String>> = LazyLock::new(|| {
    let signers: [(Signer, &str); 4] =
        [(secret(), "any"), (rsa_a(), "rsa"), (p256(), "p256"), (ed25519(), "ed25519")];
    signers.iter().map(|(signer, id)| signer.token(id, &claims())).collect()
});

fn lets_in(token: &str) -> bool {
    matches!(TOKENS.now(token), Checked::Valid(_))
}

fn json() -> impl Strategy<Value = Value> {
    let names = prop_oneof![
        "iss|aud|sub|exp|nbf|iat|role|alg|kid|typ|crit|a|b|keys|kty|n|e|x|y",
        "\\PC{0,4}"
    ];
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        "[a-zA-Z0-9_-]{0,8}|HS256|RSA|JWT|admin".prop_map(Value::from),
        ".{0,8}".prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 32, 6, move |inner| {
        prop_oneof![
            collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            collection::hash_map(names.clone(), inner, 0..8)
                .prop_map(|members| members.into_iter().collect()),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_text_of_any_kind_gets_nobody_in(text in ".{0,200}", parts in "[A-Za-z0-9_.-]{0,200}") {
        prop_assert!(!lets_in(&text));
        prop_assert!(!lets_in(&parts));
    }

    #[test]
    fn a_token_with_one_byte_altered_gets_nobody_in(
        which in 0_usize..4, at in any::<prop::sample::Index>(), byte in 0_u8..128,
    ) {
        let good = &GOOD[which];
        prop_assert!(lets_in(good));
        let mut altered = good.clone().into_bytes();
        let at = at.index(altered.len());
        prop_assume!(altered[at] != byte);
        altered[at] = byte;
        prop_assert!(!lets_in(std::str::from_utf8(&altered).unwrap()));
    }

    #[test]
    fn a_token_that_is_cut_or_continued_gets_nobody_in(
        which in 0_usize..4, at in any::<prop::sample::Index>(), more in "[A-Za-z0-9_.=-]{1,8}",
    ) {
        let good = &GOOD[which];
        let at = at.index(good.len());
        prop_assert!(!lets_in(&good[..at]));
        let continued = format!("{good}{more}");
        prop_assert!(!lets_in(&continued));
        let inserted = format!("{}{more}{}", &good[..at], &good[at..]);
        prop_assert!(!lets_in(&inserted));
    }

    #[test]
    fn parts_of_different_tokens_get_nobody_in(a in 0_usize..4, b in 0_usize..4, c in 0_usize..4) {
        let part = |which: usize, at| GOOD[which].split('.').nth(at).unwrap();
        let mixed = format!("{}.{}.{}", part(a, 0), part(b, 1), part(c, 2));
        prop_assert_eq!(lets_in(&mixed), GOOD.contains(&mixed));
    }

    #[test]
    fn any_header_and_any_claims_are_read_without_panic(header in json(), claims in json()) {
        let token = secret().token_of(&header.to_string(), &claims.to_string());
        prop_assert!(!lets_in(&token));
        let token = secret().token_of(r#"{"alg":"HS256"}"#, &claims.to_string());
        prop_assert!(!lets_in(&token));
        prop_assert!(!matches!(TENANTS.now(&token), Checked::Valid(_)));
        let unsigned = format!("{}.{}.", encode(header.to_string()), encode(claims.to_string()));
        prop_assert!(!lets_in(&unsigned));
    }

    #[test]
    fn claims_that_are_good_but_for_one_get_in_only_if_that_one_is_good(
        name in "iss|aud|sub|exp|nbf|iat|role", value in json(),
    ) {
        let mut claims = claims();
        claims[&name] = value.clone();
        if let Checked::Valid(info) = TOKENS.now(&secret().token("", &claims)) {
            let good = match name.as_str() {
                "sub" => value == *info.subject,
                "exp" | "nbf" | "iat" => value.is_number(),
                "role" => value.to_string().contains(info.role.name()),
                _ => false,
            };
            prop_assert!(good, "{} {}", name, value);
        }
    }

    #[test]
    fn any_set_of_keys_is_read_without_panic(document in json(), bytes in collection::vec(any::<u8>(), 0..64)) {
        let _ = KeySet::read(document.to_string().as_bytes());
        let _ = KeySet::read(format!(r#"{{"keys":[{document}]}}"#).as_bytes());
        let _ = KeySet::read(&bytes);
    }
}
