//! Keys that are in files, and change.

use std::{
    fs,
    time::{Duration, Instant},
};

use super::support::{
    Files, NOW, Signer, claims, ed25519, logged, p256, rsa_a, secret, set_mode, settings, time,
};
use crate::auth::token::{Checked, JwksSource, Refused, TokenSettings, Tokens, fetch::Fetch};

fn with_secret(files: &Files) -> TokenSettings {
    TokenSettings { secret_file: Some(files.path("secret")), ..settings() }
}

fn with_jwks(files: &Files) -> TokenSettings {
    TokenSettings { jwks: Some(JwksSource::File(files.path("jwks.json"))), ..settings() }
}

/// What is opened now, and looked at again after so many milliseconds.
struct Opened(Tokens, Instant);

impl Opened {
    fn new(settings: &TokenSettings) -> Self {
        let now = Instant::now();
        Self(Tokens::open_with(settings, Fetch::default(), now).unwrap(), now)
    }

    fn after(&self, millis: u64, token: &str) -> Checked {
        self.0.check_at(token, time(NOW), self.1 + Duration::from_millis(millis))
    }
}

#[test]
fn a_new_secret_counts_within_a_second() {
    let files = Files::new();
    files.secret();
    let opened = Opened::new(&with_secret(&files));
    let old = secret().token("", &claims());
    let new = Signer::Secret([b'n'; 48].into()).token("", &claims());
    files.put("secret", [b'n'; 48], 0o600);
    opened.after(999, &old).valid();
    assert_eq!(opened.after(999, &new).refused(), Refused::Signature);
    opened.after(1000, &new).valid();
    assert_eq!(opened.after(1000, &old).refused(), Refused::Signature);
}

#[test]
fn a_file_is_not_read_again_while_it_is_the_same() {
    let files = Files::new();
    files.secret();
    let opened = Opened::new(&with_secret(&files));
    let token = secret().token("", &claims());
    let log = logged(|| {
        for second in 1..5 {
            opened.after(second * 1000, &token).valid();
        }
    });
    assert_eq!(log, "");
}

#[test]
fn a_new_set_of_keys_counts_within_a_second() {
    let files = Files::new();
    files.jwks(&[rsa_a().jwk("a")]);
    let opened = Opened::new(&with_jwks(&files));
    let (old, new) = (rsa_a().token("a", &claims()), p256().token("b", &claims()));
    opened.after(1000, &old).valid();
    assert_eq!(opened.after(1000, &new), Checked::UnknownKey);
    files.jwks(&[rsa_a().jwk("a"), p256().jwk("b")]);
    opened.after(2000, &new).valid();
    opened.after(2000, &old).valid();
    files.jwks(&[p256().jwk("b")]);
    assert_eq!(opened.after(3000, &old), Checked::UnknownKey);
    assert!(!opened.0.may_refresh() && opened.0.next_refresh().is_none());
}

#[test]
fn a_new_file_that_is_broken_leaves_the_old_keys_and_is_told_of_once() {
    let files = Files::new();
    files.jwks(&[rsa_a().jwk("a")]);
    files.secret();
    let both = TokenSettings { secret_file: Some(files.path("secret")), ..with_jwks(&files) };
    let opened = Opened::new(&both);
    let tokens = [rsa_a().token("a", &claims()), secret().token("", &claims())];
    let broken = |millis: u64| {
        logged(|| {
            for token in &tokens {
                opened.after(millis, token).valid();
                opened.after(millis + 1500, token).valid();
            }
        })
    };
    files.put("jwks.json", "{", 0o644);
    files.put("secret", "too short", 0o600);
    let log = broken(2_000);
    assert_eq!(log.matches("ERROR").count(), 2, "{log}");
    assert!(log.contains("jwks.json") && log.contains("secret") && !log.contains("too short"));
    files.put("jwks.json", r#"{"keys":[]}"#, 0o644);
    files.put("secret", [b'n'; 48], 0o644);
    set_mode(&files.path("secret"), 0o666);
    assert_eq!(broken(10_000).matches("ERROR").count(), 2);
    for name in ["jwks.json", "secret"] {
        fs::remove_file(files.path(name)).unwrap();
    }
    assert_eq!(broken(20_000).matches("ERROR").count(), 2);
    files.jwks(&[ed25519().jwk("e")]);
    opened.after(30_000, &ed25519().token("e", &claims())).valid();
    assert_eq!(opened.after(30_000, &tokens[0]), Checked::UnknownKey);
}

#[test]
fn a_secret_that_others_may_read_or_that_is_too_short_or_too_long_is_refused() {
    let files = Files::new();
    let open = |content: &[u8], mode| {
        files.put("secret", content, mode);
        Tokens::open(&with_secret(&files)).map(drop).map_err(|error| error.to_string())
    };
    for good in [&[b's'; 32][..], &[b's'; 4096], b"0123456789abcdef0123456789abcde\xff"] {
        assert_eq!(open(good, 0o600), Ok(()));
    }
    for mode in [0o644, 0o604, 0o602, 0o660, 0o606] {
        let refused = open(&[b's'; 32], mode).unwrap_err();
        assert!(refused.contains("chmod 600") && refused.contains("/secret:"), "{refused}");
    }
    for bad in [&b""[..], b"\n", &[b's'; 31], b"0123456789abcdef0123456789abcde\n", &[b's'; 4097]] {
        assert!(open(bad, 0o600).is_err());
    }
    fs::remove_file(files.path("secret")).unwrap();
    assert!(Tokens::open(&with_secret(&files)).is_err());
    fs::create_dir(files.path("secret")).unwrap();
    let refused = Tokens::open(&with_secret(&files)).unwrap_err().to_string();
    assert!(refused.contains("not a regular file"), "{refused}");
}

#[test]
fn one_line_end_after_the_secret_is_not_part_of_it() {
    let files = Files::new();
    let base = super::support::SECRET;
    for (content, is) in [
        (base.to_owned(), base.to_owned()),
        (format!("{base}\n"), base.to_owned()),
        (format!("{base}\r\n"), base.to_owned()),
        (format!("{base}\n\n"), format!("{base}\n")),
        (format!("{base} "), format!("{base} ")),
    ] {
        files.put("secret", &content, 0o600);
        let tokens = Tokens::open(&with_secret(&files)).unwrap();
        tokens.now(&Signer::Secret(is.into()).token("", &claims())).valid();
    }
}

#[test]
fn a_set_of_keys_that_others_may_write_is_refused() {
    let files = Files::new();
    let keys = super::support::jwks(&[rsa_a().jwk("a")]);
    for (mode, good) in [(0o644, true), (0o600, true), (0o664, false), (0o646, false)] {
        files.put("jwks.json", &keys, mode);
        assert_eq!(Tokens::open(&with_jwks(&files)).is_ok(), good, "{mode:o}");
    }
    files.put("jwks.json", vec![b' '; 256 * 1024 + 1], 0o644);
    let refused = Tokens::open(&with_jwks(&files)).unwrap_err().to_string();
    assert!(refused.contains("jwks.json") && refused.contains("too long"), "{refused}");
}
