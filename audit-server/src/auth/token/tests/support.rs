//! Keys to sign tokens with, and what accepts them.

use std::{
    fs,
    io::Write,
    os::unix::fs::{OpenOptionsExt, PermissionsExt},
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use base64::{
    Engine,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use ring::{
    hmac, rand,
    rsa::PublicKeyComponents,
    signature::{
        ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair, RSA_PKCS1_SHA256,
        RsaKeyPair,
    },
};
use serde_json::{Value, json};

use crate::auth::token::{
    Checked, DEFAULT_ROLE_CLAIM, JwksSource, Refused, RoleNames, TokenInfo, TokenSettings, Tokens,
};

pub(super) const SECRET: &str = "0123456789abcdef0123456789abcdef";
pub(super) const ISSUER: &str = "https://id.example.com/";
pub(super) const AUDIENCE: &str = "audit-server";
/// The time at which tokens are checked, unless a test says another.
pub(super) const NOW: i64 = 1_800_000_000;

pub(super) fn time(seconds: i64) -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(seconds.try_into().unwrap())
}

/// A key to sign with.
pub(super) enum Signer {
    Secret(Vec<u8>),
    Rsa(RsaKeyPair),
    P256(EcdsaKeyPair),
    Ed25519(Ed25519KeyPair),
}

pub(super) fn secret() -> Signer {
    Signer::Secret(SECRET.into())
}

pub(super) fn rsa_a() -> Signer {
    Signer::Rsa(RsaKeyPair::from_pkcs8(&der(include_str!("fixtures/rsa-a.pem"))).unwrap())
}

pub(super) fn rsa_b() -> Signer {
    Signer::Rsa(RsaKeyPair::from_pkcs8(&der(include_str!("fixtures/rsa-b.pem"))).unwrap())
}

pub(super) fn p256() -> Signer {
    let (der, random) = (der(include_str!("fixtures/p256-a.pem")), rand::SystemRandom::new());
    let key = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &der, &random);
    Signer::P256(key.unwrap())
}

pub(super) fn ed25519() -> Signer {
    let der = der(include_str!("fixtures/ed25519-a.pem"));
    Signer::Ed25519(Ed25519KeyPair::from_pkcs8_maybe_unchecked(&der).unwrap())
}

pub(super) fn der(pem: &str) -> Vec<u8> {
    STANDARD.decode(pem.lines().filter(|line| !line.starts_with('-')).collect::<String>()).unwrap()
}

impl Signer {
    pub(super) fn algorithm(&self) -> &'static str {
        match self {
            Self::Secret(_) => "HS256",
            Self::Rsa(_) => "RS256",
            Self::P256(_) => "ES256",
            Self::Ed25519(_) => "EdDSA",
        }
    }

    pub(super) fn sign(&self, message: &[u8]) -> Vec<u8> {
        let random = rand::SystemRandom::new();
        match self {
            Self::Secret(secret) => {
                let key = hmac::Key::new(hmac::HMAC_SHA256, secret);
                hmac::sign(&key, message).as_ref().to_vec()
            }
            Self::Rsa(key) => {
                let mut signature = vec![0; key.public().modulus_len()];
                key.sign(&RSA_PKCS1_SHA256, &random, message, &mut signature).unwrap();
                signature
            }
            Self::P256(key) => key.sign(&random, message).unwrap().as_ref().to_vec(),
            Self::Ed25519(key) => key.sign(message).as_ref().to_vec(),
        }
    }

    /// A token of those texts, whatever they are.
    pub(super) fn token_of(&self, header: &str, claims: &str) -> String {
        let signed = format!("{}.{}", encode(header), encode(claims));
        format!("{signed}.{}", encode(self.sign(signed.as_bytes())))
    }

    /// A token with those claims, under that name of the key.
    pub(super) fn token(&self, id: &str, claims: &Value) -> String {
        self.token_of(&json!({"alg": self.algorithm(), "kid": id}).to_string(), &claims.to_string())
    }

    /// The public half.
    pub(super) fn jwk(&self, id: &str) -> Value {
        match self {
            Self::Secret(_) => panic!("a secret has no public half"),
            Self::Rsa(key) => {
                let key = PublicKeyComponents::<Vec<u8>>::from(key.public());
                let (n, e) = (encode(key.n), encode(key.e));
                json!({"kty": "RSA", "kid": id, "use": "sig", "n": n, "e": e})
            }
            Self::P256(key) => {
                let (x, y) = key.public_key().as_ref()[1..].split_at(32);
                json!({"kty": "EC", "crv": "P-256", "kid": id, "x": encode(x), "y": encode(y)})
            }
            Self::Ed25519(key) => {
                let x = encode(key.public_key());
                json!({"kty": "OKP", "crv": "Ed25519", "kid": id, "x": x, "alg": "EdDSA"})
            }
        }
    }
}

pub(super) fn encode(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// Claims that are accepted.
pub(super) fn claims() -> Value {
    json!({
        "iss": ISSUER, "aud": AUDIENCE, "sub": "somebody", "role": "auditor",
        "exp": NOW + 300, "nbf": NOW - 1, "iat": NOW - 1,
    })
}

pub(super) fn claims_with(name: &str, value: impl Into<Value>) -> Value {
    let mut claims = claims();
    claims[name] = value.into();
    claims
}

pub(super) fn claims_without(name: &str) -> Value {
    let mut claims = claims();
    claims.as_object_mut().unwrap().remove(name).unwrap();
    claims
}

pub(super) fn settings() -> TokenSettings {
    TokenSettings {
        issuer: ISSUER.to_owned(),
        audience: AUDIENCE.to_owned(),
        secret_file: None,
        jwks: None,
        role_claim: DEFAULT_ROLE_CLAIM.to_owned(),
        roles: RoleNames::default(),
        tenant_claim: None,
    }
}

/// A directory with keys in files.
pub(super) struct Files(tempfile::TempDir);

impl Files {
    pub(super) fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// Puts a file in the place of the one that was there, by renaming it.
    pub(super) fn put(&self, name: &str, content: impl AsRef<[u8]>, mode: u32) -> PathBuf {
        let (new, path) = (self.path("new"), self.path(name));
        let mut options = fs::OpenOptions::new();
        let mut file = options.write(true).create_new(true).mode(0o600).open(&new).unwrap();
        file.write_all(content.as_ref()).unwrap();
        set_mode(&new, mode);
        fs::rename(new, &path).unwrap();
        path
    }

    pub(super) fn secret(&self) -> PathBuf {
        self.put("secret", format!("{SECRET}\n"), 0o600)
    }

    pub(super) fn jwks(&self, keys: &[Value]) -> PathBuf {
        self.put("jwks.json", jwks(keys), 0o644)
    }
}

pub(super) fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

pub(super) fn jwks(keys: &[Value]) -> String {
    json!({ "keys": keys }).to_string()
}

/// What accepts tokens of the secret, and of three public keys.
pub(super) fn all_kinds() -> Tokens {
    let files = Files::new();
    let keys = [rsa_a().jwk("rsa"), p256().jwk("p256"), ed25519().jwk("ed25519")];
    let jwks = Some(JwksSource::File(files.jwks(&keys)));
    Tokens::open(&TokenSettings { secret_file: Some(files.secret()), jwks, ..settings() }).unwrap()
}

/// What accepts tokens of the secret, as it is set.
pub(super) fn with_secret(settings: TokenSettings) -> Tokens {
    let files = Files::new();
    Tokens::open(&TokenSettings { secret_file: Some(files.secret()), ..settings }).unwrap()
}

impl Tokens {
    pub(super) fn now(&self, token: &str) -> Checked {
        self.check(token, time(NOW))
    }
}

impl Checked {
    pub(super) fn valid(self) -> TokenInfo {
        match self {
            Self::Valid(info) => info,
            other => panic!("{other:?}"),
        }
    }

    pub(super) fn refused(self) -> Refused {
        match self {
            Self::Wrong(refused) => refused,
            other => panic!("{other:?}"),
        }
    }
}

/// What is logged, at any level, while that runs.
pub(super) fn logged(run: impl FnOnce()) -> String {
    #[derive(Clone, Default)]
    struct Log(Arc<Mutex<Vec<u8>>>);

    impl Write for Log {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap_or_else(PoisonError::into_inner).write(bytes)
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    let log = Log::default();
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::TRACE)
        .with_ansi(false)
        .with_writer(move || writer.clone())
        .finish();
    tracing::subscriber::with_default(subscriber, run);
    String::from_utf8(log.0.lock().unwrap_or_else(PoisonError::into_inner).clone()).unwrap()
}
