//! What is known to be tried against tokens: each is refused, for the reason that it should be, at once,
//! and leaves nothing of the token anywhere.

use std::time::Instant;

use serde_json::json;

use super::support::{
    ISSUER, NOW, Signer, all_kinds, claims, claims_with, claims_without, ed25519, encode, logged,
    p256, rsa_a, rsa_b, secret, settings, with_secret,
};
use crate::auth::token::{Checked, Refused, TokenSettings};

/// The attacks, each with what becomes of it.
fn attacks() -> Vec<(&'static str, String, Checked)> {
    let claims = claims();
    let text = claims.to_string();
    let of =
        |header: &str, signature: &str| format!("{}.{}.{signature}", encode(header), encode(&text));
    let none = |alg: &str| of(&json!({"alg": alg, "typ": "JWT"}).to_string(), "");
    let jwk = rsa_a().jwk("rsa");
    let as_secret = |secret: Vec<u8>| Signer::Secret(secret).token("rsa", &claims);
    let pem = format!(
        "-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----\n",
        encode(jwk["n"].as_str().unwrap())
    );
    let good = secret().token("any", &claims);
    let (signed, signature) = good.rsplit_once('.').unwrap();
    let signed_by = |signer: Signer, header: &str| signer.token_of(header, &text);
    let refused = Checked::Wrong;
    vec![
        ("none", none("none"), refused(Refused::Algorithm)),
        ("None", none("None"), refused(Refused::Algorithm)),
        ("nOnE", none("nOnE"), refused(Refused::Algorithm)),
        ("no algorithm", of("{}", ""), refused(Refused::Algorithm)),
        ("an algorithm that is a number", of(r#"{"alg":0}"#, ""), refused(Refused::Algorithm)),
        ("none with a signature", of(r#"{"alg":"none"}"#, signature), refused(Refused::Algorithm)),
        ("HS256 without a signature", of(r#"{"alg":"HS256"}"#, ""), refused(Refused::Signature)),
        ("two parts", signed.to_owned(), refused(Refused::Malformed)),
        ("four parts", format!("{good}.{signature}"), refused(Refused::Malformed)),
        (
            "four parts, all signed",
            {
                let signed = format!("{signed}.e30");
                format!("{signed}.{}", encode(secret().sign(signed.as_bytes())))
            },
            refused(Refused::Malformed),
        ),
        ("four parts, the last empty", format!("{good}."), refused(Refused::Malformed)),
        ("five parts, as if encrypted", format!("{good}.e30.e30"), refused(Refused::Malformed)),
        (
            "the public modulus as the secret",
            { as_secret(jwk["n"].as_str().unwrap().into()) },
            refused(Refused::Signature),
        ),
        (
            "the public JWK as the secret",
            as_secret(jwk.to_string().into()),
            refused(Refused::Signature),
        ),
        ("the public key in PEM as the secret", as_secret(pem.into()), refused(Refused::Signature)),
        ("an empty secret", as_secret(vec![]), refused(Refused::Signature)),
        (
            "the key of RSA for ES256",
            { signed_by(rsa_a(), r#"{"alg":"ES256","kid":"rsa"}"#) },
            refused(Refused::Algorithm),
        ),
        (
            "PS256",
            signed_by(rsa_a(), r#"{"alg":"PS256","kid":"rsa"}"#),
            refused(Refused::Algorithm),
        ),
        ("HS512", signed_by(secret(), r#"{"alg":"HS512"}"#), refused(Refused::Algorithm)),
        ("hs256", signed_by(secret(), r#"{"alg":"hs256"}"#), refused(Refused::Algorithm)),
        ("another key of RSA", rsa_b().token("rsa", &claims), refused(Refused::Signature)),
        (
            "a key under another's name",
            p256().token("ed25519", &claims),
            refused(Refused::Algorithm),
        ),
        ("a key that is unknown", rsa_b().token("rsa-b", &claims), Checked::UnknownKey),
        ("a key that is a path", rsa_b().token("../../dev/null", &claims), Checked::UnknownKey),
        ("a key that is SQL", rsa_b().token("rsa' OR 1=1 --", &claims), Checked::UnknownKey),
        ("no key named", signed_by(rsa_a(), r#"{"alg":"RS256"}"#), refused(Refused::NoKeyNamed)),
        (
            "a key named by an array",
            { signed_by(rsa_a(), r#"{"alg":"RS256","kid":["rsa"]}"#) },
            refused(Refused::Malformed),
        ),
        (
            "a key that it brings",
            {
                let own = rsa_b().jwk("rsa");
                signed_by(rsa_b(), &json!({"alg": "RS256", "kid": "rsa", "jwk": own}).to_string())
            },
            refused(Refused::Signature),
        ),
        (
            "a URL of keys that it brings",
            { signed_by(rsa_b(), r#"{"alg":"RS256","kid":"b","jku":"http://127.0.0.1:1/"}"#) },
            Checked::UnknownKey,
        ),
        (
            "ECDSA of zeros",
            { of(r#"{"alg":"ES256","kid":"p256"}"#, &encode([0; 64])) },
            refused(Refused::Signature),
        ),
        (
            "Ed25519 of zeros",
            { of(r#"{"alg":"EdDSA","kid":"ed25519"}"#, &encode([0; 64])) },
            refused(Refused::Signature),
        ),
        (
            "RSA of zeros",
            { of(r#"{"alg":"RS256","kid":"rsa"}"#, &encode([0; 256])) },
            refused(Refused::Signature),
        ),
        (
            "RSA of one",
            { of(r#"{"alg":"RS256","kid":"rsa"}"#, &encode([vec![0; 255], vec![1]].concat())) },
            refused(Refused::Signature),
        ),
        (
            "critical extensions",
            { signed_by(secret(), r#"{"alg":"HS256","crit":["b64"],"b64":false}"#) },
            refused(Refused::Critical),
        ),
        (
            "no critical extensions",
            { signed_by(secret(), r#"{"alg":"HS256","crit":[]}"#) },
            refused(Refused::Critical),
        ),
        (
            "another type",
            signed_by(secret(), r#"{"alg":"HS256","typ":"dpop+jwt"}"#),
            refused(Refused::Type),
        ),
        (
            "a type that is none",
            signed_by(secret(), r#"{"alg":"HS256","typ":null}"#),
            refused(Refused::Type),
        ),
        (
            "two algorithms",
            { signed_by(secret(), r#"{"alg":"none","alg":"HS256"}"#) },
            refused(Refused::Malformed),
        ),
        (
            "two names of a key",
            { signed_by(rsa_a(), r#"{"alg":"RS256","kid":"p256","kid":"rsa"}"#) },
            refused(Refused::Malformed),
        ),
        (
            "two roles",
            {
                let twice = text.replacen('{', r#"{"role":"admin","#, 1);
                secret().token_of(r#"{"alg":"HS256"}"#, &twice)
            },
            refused(Refused::Malformed),
        ),
        (
            "two members elsewhere",
            {
                let twice = text.replacen('{', r#"{"x":[{"y":1,"\u0079":2}],"#, 1);
                secret().token_of(r#"{"alg":"HS256"}"#, &twice)
            },
            refused(Refused::Malformed),
        ),
        ("expired", secret().token("", &claims_with("exp", NOW - 30)), refused(Refused::Expired)),
        (
            "expiry as a text",
            { secret().token("", &claims_with("exp", (NOW + 300).to_string())) },
            refused(Refused::Claims),
        ),
        ("no expiry", secret().token("", &claims_without("exp")), refused(Refused::Claims)),
        (
            "not yet valid",
            secret().token("", &claims_with("nbf", NOW + 31)),
            refused(Refused::NotYet),
        ),
        (
            "not yet valid, as a text",
            secret().token("", &claims_with("nbf", "0")),
            refused(Refused::Claims),
        ),
        (
            "issued in the future",
            secret().token("", &claims_with("iat", NOW + 31)),
            refused(Refused::NotYet),
        ),
        (
            "another audience",
            secret().token("", &claims_with("aud", "billing")),
            refused(Refused::Audience),
        ),
        ("no audience", secret().token("", &claims_without("aud")), refused(Refused::Audience)),
        (
            "another issuer",
            { secret().token("", &claims_with("iss", ISSUER.trim_end_matches('/'))) },
            refused(Refused::Issuer),
        ),
        (
            "claims that are no object",
            { secret().token_of(r#"{"alg":"HS256"}"#, &format!("[{text}]")) },
            refused(Refused::Malformed),
        ),
        ("a megabyte", "e".repeat(1 << 20), refused(Refused::TooLong)),
        (
            "a megabyte that is signed",
            { secret().token("", &claims_with("x", "x".repeat(1 << 20))) },
            refused(Refused::TooLong),
        ),
        ("a megabyte of dots", ".".repeat(1 << 20), refused(Refused::TooLong)),
        ("as long as may be, of dots", ".".repeat(8192), refused(Refused::Malformed)),
        (
            "as long as may be, of brackets",
            { format!("{}.e30.e30", encode("[".repeat(6100))) },
            refused(Refused::Malformed),
        ),
        (
            "as long as may be, of members",
            {
                let members: Vec<_> = (0..700).map(|at| format!(r#""{at}":0"#)).collect();
                format!("{}.e30.e30", encode(format!("{{{}}}", members.join(","))))
            },
            refused(Refused::Algorithm),
        ),
        ("padding", format!("{good}="), refused(Refused::Malformed)),
        ("base64 with + and /", format!("{signed}.++//"), refused(Refused::Malformed)),
        ("a space before it", format!(" {good}"), refused(Refused::Malformed)),
        ("a line end after it", format!("{good}\n"), refused(Refused::Malformed)),
        ("a NUL after it", format!("{good}\0"), refused(Refused::Malformed)),
        ("another spelling of the signature", respelled(&good), refused(Refused::Malformed)),
        ("not ASCII", format!("é{good}"), refused(Refused::Malformed)),
        ("nothing", String::new(), refused(Refused::Malformed)),
        ("two dots", "..".to_owned(), refused(Refused::Malformed)),
        ("empty objects", "e30.e30.e30".to_owned(), refused(Refused::Algorithm)),
    ]
}

/// The same bytes of the signature, in a text that differs in bits that stand for nothing.
fn respelled(token: &str) -> String {
    let alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let last = token.chars().last().unwrap();
    let at = alphabet.find(last).unwrap();
    assert_eq!(at % 4, 0, "32 bytes leave two bits over");
    format!("{}{}", &token[..token.len() - 1], &alphabet[at + 1..at + 2])
}

#[test]
fn each_attack_is_refused_for_its_own_reason() {
    let tokens = all_kinds();
    for (name, token, becomes) in attacks() {
        assert_eq!(tokens.now(&token), becomes, "{name}");
    }
}

#[test]
fn no_attack_is_slow() {
    const TIMES: u32 = 20;
    let (tokens, attacks) = (all_kinds(), attacks());
    for (name, token, _) in &attacks {
        let begin = Instant::now();
        for _ in 0..TIMES {
            tokens.now(token);
        }
        let each = begin.elapsed() / TIMES;
        assert!(each.as_millis() < 10, "{name}: {each:?}");
    }
}

#[test]
fn nothing_of_a_token_is_logged_or_printed() {
    let tokens = all_kinds();
    let good = rsa_a().token("rsa", &claims());
    let mut printed = String::new();
    let log = logged(|| {
        for (_, token, _) in attacks() {
            printed += &format!("{:?}", tokens.now(&token));
        }
        printed += &format!("{:?}", tokens.now(&good));
        tracing::info!("the end");
    });
    assert!(log.contains("the end"));
    let (header_and_claims, signature) = good.rsplit_once('.').unwrap();
    let (header, claims) = header_and_claims.split_once('.').unwrap();
    for output in [log, printed, format!("{tokens:?}")] {
        for part in [header, claims, signature, "somebody", "rsa-b", "eyJ", super::support::SECRET]
        {
            assert!(!output.contains(part), "{part} in {output}");
        }
    }
}

#[test]
fn without_a_secret_or_without_public_keys_tokens_of_that_kind_are_refused() {
    let files = super::support::Files::new();
    let jwks = crate::auth::token::JwksSource::File(files.jwks(&[rsa_a().jwk("rsa")]));
    let public = TokenSettings { jwks: Some(jwks), ..settings() };
    let public = crate::auth::token::Tokens::open(&public).unwrap();
    let n = rsa_a().jwk("")["n"].as_str().unwrap().to_owned();
    for token in
        [secret().token("rsa", &claims()), Signer::Secret(n.into()).token("rsa", &claims())]
    {
        assert_eq!(public.now(&token).refused(), Refused::Algorithm);
    }
    let secret_alone = with_secret(settings());
    for signer in [rsa_a(), p256(), ed25519()] {
        assert_eq!(secret_alone.now(&signer.token("rsa", &claims())).refused(), Refused::Algorithm);
    }
}
