//! The examples of the RFCs, which somebody else has signed.

use serde_json::{Value, json};

use super::support::{Files, claims, ed25519, p256, rsa_a, secret, settings, time};
use crate::auth::token::{
    JwksSource, Refused, TokenSettings, Tokens,
    algorithm::{PublicKey, Secret},
    jwks::{Found, KeySet},
    jws::Token,
};

/// RFC 7515, A.1.
const HS256: &str = "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ.dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
const HS256_KEY: &str =
    "AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow";
/// RFC 7515, A.2.
const RS256: &str = "eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ.cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_O8W2Fp5jujGbds9uJdbF9CUAr7t1dnZcAcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7K0GarZRmB_eSN9383LcOLn6_dO--xi12jzDwusC-eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0igcN_IoypGlUPQGe77Rw";
const RS256_N: &str = "ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yRT-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS-UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ";
/// RFC 7515, A.3.
const ES256: &str = "eyJhbGciOiJFUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ.DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q";
const ES256_X: &str = "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU";
const ES256_Y: &str = "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0";
/// RFC 8037, A.4; what it signs is no JSON.
const EDDSA: &str = "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc.hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg";
const EDDSA_X: &str = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo";

fn key(jwk: &Value, token: &Token<'_>) -> PublicKey {
    let set = KeySet::read(json!({"keys": [jwk]}).to_string().as_bytes()).unwrap();
    match set.find(token.algorithm, None) {
        Found::Key(key) => key.clone(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_signatures_of_the_rfcs_are_right_and_altered_ones_are_not() {
    let rsa = json!({"kty": "RSA", "n": RS256_N, "e": "AQAB"});
    let p256 = json!({"kty": "EC", "crv": "P-256", "x": ES256_X, "y": ES256_Y});
    let ed25519 = json!({"kty": "OKP", "crv": "Ed25519", "x": EDDSA_X});
    for (text, jwk) in [(RS256, rsa), (ES256, p256), (EDDSA, ed25519)] {
        let token = Token::read(text).unwrap();
        let key = key(&jwk, &token);
        assert!(key.verifies(token.signed, &token.signature), "{jwk}");
        assert!(!key.verifies(&token.signed[1..], &token.signature), "{jwk}");
        for cut in [0, 1, token.signature.len() - 1] {
            assert!(!key.verifies(token.signed, &token.signature[..cut]), "{jwk} {cut}");
        }
        for at in 0..token.signature.len() {
            let mut altered = token.signature.clone();
            altered[at] ^= 1;
            assert!(!key.verifies(token.signed, &altered), "{jwk} {at}");
        }
    }
}

#[test]
fn the_tag_of_the_rfc_is_right_and_cut_ones_are_not() {
    use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
    let secret = Secret::new(URL_SAFE_NO_PAD.decode(HS256_KEY).unwrap().into());
    let token = Token::read(HS256).unwrap();
    assert!(secret.verifies(token.signed, &token.signature));
    for length in 0..token.signature.len() {
        assert!(!secret.verifies(token.signed, &token.signature[..length]));
    }
    assert_eq!(token.claims().unwrap()["iss"], "joe");
    assert_eq!(format!("{secret:?}"), "Secret(..)");
}

#[test]
fn what_is_signed_and_no_json_is_refused_after_its_signature() {
    let files = Files::new();
    let jwk = json!({"kty": "OKP", "crv": "Ed25519", "x": EDDSA_X});
    let jwks = Some(JwksSource::File(files.jwks(&[jwk])));
    let tokens = Tokens::open(&TokenSettings { jwks, ..settings() }).unwrap();
    assert_eq!(tokens.check(EDDSA, time(0)).refused(), Refused::Malformed);
}

#[test]
fn tokens_of_each_kind_of_key_are_accepted() {
    let tokens = super::support::all_kinds();
    for (signer, id) in
        [(secret(), "any"), (rsa_a(), "rsa"), (p256(), "p256"), (ed25519(), "ed25519")]
    {
        assert_eq!(tokens.now(&signer.token(id, &claims())).valid().subject, "somebody");
    }
    // The name that RFC 9864 has for it.
    let token = ed25519().token_of(r#"{"alg":"Ed25519","kid":"ed25519"}"#, &claims().to_string());
    assert_eq!(tokens.now(&token).valid().subject, "somebody");
    // What others write into headers has no effect.
    let header =
        r#"{"typ":"at+JWT","alg":"ES256","kid":"p256","jku":"http://127.0.0.1:1/","x5c":["AA=="]}"#;
    let token = p256().token_of(header, &claims().to_string());
    assert_eq!(tokens.now(&token).valid().subject, "somebody");
}
