//! What claims let in.

use serde_json::{Value, json};

use super::support::{
    AUDIENCE, NOW, claims, claims_with, claims_without, secret, settings, time, with_secret,
};
use crate::auth::{
    Role,
    token::{Checked, Refused, TokenInfo, TokenSettings, Tokens},
};

fn check(tokens: &Tokens, claims: &Value) -> Result<TokenInfo, Refused> {
    match tokens.now(&secret().token("", claims)) {
        Checked::Valid(info) => Ok(info),
        Checked::Wrong(refused) => Err(refused),
        Checked::UnknownKey => panic!("there is one secret"),
    }
}

#[test]
fn a_token_lets_in_who_it_names() {
    let tokens = with_secret(settings());
    let expected = TokenInfo {
        subject: "somebody".to_owned(),
        role: Role::Auditor,
        tenant: None,
        expires: NOW + 300,
    };
    assert_eq!(check(&tokens, &claims()), Ok(expected));
}

#[test]
fn clocks_may_differ_by_half_a_minute() {
    let tokens = with_secret(settings());
    let with = |name, value: Value| check(&tokens, &claims_with(name, value)).map(drop);
    assert_eq!(with("exp", json!(NOW - 29)), Ok(()));
    assert_eq!(with("exp", json!(NOW - 30)), Err(Refused::Expired));
    assert_eq!(with("exp", json!(NOW as f64 - 29.5)), Ok(()));
    assert_eq!(with("nbf", json!(NOW + 30)), Ok(()));
    assert_eq!(with("nbf", json!(NOW as f64 + 30.5)), Err(Refused::NotYet));
    assert_eq!(with("iat", json!(NOW + 30)), Ok(()));
    assert_eq!(with("iat", json!(NOW + 31)), Err(Refused::NotYet));
    assert_eq!(with("exp", json!(-1)), Err(Refused::Expired));
    assert_eq!(with("exp", json!(1e300)), Ok(()));
    assert_eq!(check(&tokens, &claims_without("nbf")).map(drop), Ok(()));
    assert_eq!(check(&tokens, &claims_without("iat")).map(drop), Ok(()));
    let token = secret().token("", &claims());
    assert_eq!(tokens.check(&token, time(0)).refused(), Refused::NotYet);
    assert_eq!(tokens.check(&token, time(NOW + 330)).refused(), Refused::Expired);
}

#[test]
fn a_claim_of_a_wrong_type_is_not_taken_for_absent() {
    let tokens = with_secret(settings());
    for name in ["exp", "nbf", "iat"] {
        for wrong in [json!("1"), json!(null), json!([NOW]), json!({}), json!(true)] {
            let claims = claims_with(name, wrong.clone());
            assert_eq!(check(&tokens, &claims), Err(Refused::Claims), "{name} {wrong}");
        }
    }
    for wrong in [json!([1, AUDIENCE]), json!(1), json!(null), json!({}), json!([[AUDIENCE]])] {
        assert_eq!(check(&tokens, &claims_with("aud", wrong.clone())), Err(Refused::Claims));
        assert_eq!(check(&tokens, &claims_with("role", wrong)), Err(Refused::Claims));
    }
    assert_eq!(check(&tokens, &claims_with("iss", 1)), Err(Refused::Issuer));
    assert_eq!(
        check(&tokens, &claims_with("iss", json!(["https://id.example.com/"]))),
        Err(Refused::Issuer)
    );
    assert_eq!(check(&tokens, &claims_with("sub", 1)), Err(Refused::Subject));
    // A number that no float holds.
    let huge = claims().to_string().replace(&(NOW + 300).to_string(), "1e999");
    assert!(huge.contains("1e999"));
    let token = secret().token_of(r#"{"alg":"HS256"}"#, &huge);
    assert!(matches!(tokens.now(&token).refused(), Refused::Malformed | Refused::Claims));
}

#[test]
fn one_audience_of_several_is_enough_and_a_part_of_its_name_is_not() {
    let tokens = with_secret(settings());
    let with = |aud: Value| check(&tokens, &claims_with("aud", aud)).map(drop);
    assert_eq!(with(json!(["billing", AUDIENCE])), Ok(()));
    for other in [json!([]), json!(["billing"]), json!("audit-server2"), json!("audit"), json!("")]
    {
        assert_eq!(with(other), Err(Refused::Audience));
    }
}

#[test]
fn a_subject_can_be_written_down() {
    let tokens = with_secret(settings());
    let with = |sub: &str| check(&tokens, &claims_with("sub", sub)).map(|info| info.subject);
    assert_eq!(with(&"é".repeat(128)), Ok("é".repeat(128)));
    for bad in ["", &"x".repeat(257), "a\nb", "a\u{0}", "\u{85}"] {
        assert_eq!(with(bad), Err(Refused::Subject));
    }
    assert_eq!(check(&tokens, &claims_without("sub")), Err(Refused::Subject));
}

#[test]
fn the_role_comes_from_the_claim_that_is_set() {
    let tokens = with_secret(TokenSettings {
        role_claim: "realm_access.roles".to_owned(),
        roles: "staff=viewer,audit-team=auditor".parse().unwrap(),
        ..settings()
    });
    let with =
        |access: Value| check(&tokens, &claims_with("realm_access", access)).map(|info| info.role);
    assert_eq!(with(json!({"roles": ["staff", "audit-team", "x"]})), Ok(Role::Auditor));
    assert_eq!(with(json!({"roles": "staff"})), Ok(Role::Viewer));
    for none in [json!({"roles": ["admin"]}), json!({"roles": []}), json!({}), json!("staff")] {
        assert_eq!(with(none), Err(Refused::Role));
    }
    assert_eq!(check(&tokens, &claims()), Err(Refused::Role));
}

#[test]
fn a_tenant_is_required_once_its_claim_is_set() {
    let tokens = with_secret(TokenSettings { tenant_claim: Some("org".to_owned()), ..settings() });
    let with = |org: Value| check(&tokens, &claims_with("org", org)).map(|info| info.tenant);
    assert_eq!(with(json!("acme")), Ok(Some("acme".to_owned())));
    assert_eq!(with(json!("*")), Ok(None));
    assert_eq!(with(json!("**")), Ok(Some("**".to_owned())));
    assert_eq!(with(json!("x".repeat(128))).unwrap().unwrap().len(), 128);
    for bad in
        [json!(""), json!("x".repeat(129)), json!("a\tb"), json!(1), json!(["acme"]), json!(null)]
    {
        assert_eq!(with(bad), Err(Refused::Tenant));
    }
    assert_eq!(check(&tokens, &claims()), Err(Refused::Tenant));
}

#[test]
fn nobody_administers_one_tenant() {
    let tokens = with_secret(TokenSettings { tenant_claim: Some("org".to_owned()), ..settings() });
    let with = |org: &str, roles: &[&str]| {
        let mut claims = claims_with("org", org);
        claims["role"] = json!(roles);
        check(&tokens, &claims).map(|info| info.role)
    };
    assert_eq!(with("acme", &["viewer", "auditor"]), Ok(Role::Auditor));
    assert_eq!(with("acme", &["viewer", "admin"]), Err(Refused::AdminOfTenant));
    assert_eq!(with("*", &["admin"]), Ok(Role::Admin));
    let all = with_secret(settings());
    assert_eq!(check(&all, &claims_with("role", "admin")).map(|info| info.role), Ok(Role::Admin));
}

#[test]
fn settings_that_are_missing_are_named() {
    let open = |settings: TokenSettings| Tokens::open(&settings).unwrap_err().to_string();
    assert!(open(settings()).contains("jwt_secret_file"));
    let files = super::support::Files::new();
    let with = || TokenSettings { secret_file: Some(files.secret()), ..settings() };
    assert!(Tokens::open(&with()).is_ok());
    assert!(open(TokenSettings { issuer: String::new(), ..with() }).contains("jwt_issuer"));
    assert!(open(TokenSettings { audience: String::new(), ..with() }).contains("jwt_audience"));
    assert!(
        open(TokenSettings { role_claim: "a..b".to_owned(), ..with() }).contains("jwt_role_claim")
    );
    let tenant_claim = Some(String::new());
    assert!(open(TokenSettings { tenant_claim, ..with() }).contains("jwt_tenant_claim"));
}
