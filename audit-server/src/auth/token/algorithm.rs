//! What tokens are signed with.
//!
//! Signatures are checked with `ring`, which the server's TLS is built on as well. Looked at and rejected:
//! - `jsonwebtoken` with `aws_lc_rs`: a second cryptographic library beside ring, and the longer build in C.
//! - `jsonwebtoken` with `rust_crypto`: eighty crates, `rsa` among them, whose RUSTSEC-2023-0071 has no fix. It
//!   concerns private keys, of which there are none here, but it would stand in every audit of ours.
//! - `jsonwebtoken` at all: it looks at neither `crit` nor `typ` nor `iat`, gives no word on equal members, and
//!   until 10.3 took a claim of a wrong type for one that is absent (CVE-2026-25537). Header and claims would
//!   be checked by us all the same; what is left is one call of ring a kind of key, which is below.
//!
//! A key has one algorithm, by its kind alone, and is never used for another: whatever a token's header
//! says, a public key is no secret of HS256 and nothing is checked with `none`.

use std::fmt;

use ring::{
    hmac,
    signature::{
        ECDSA_P256_SHA256_FIXED, ED25519, RSA_PKCS1_2048_8192_SHA256, RsaPublicKeyComponents,
        UnparsedPublicKey,
    },
};
use zeroize::Zeroizing;

/// An algorithm that tokens may be signed with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Algorithm {
    /// HMAC with SHA-256.
    Hs256,
    /// RSASSA-PKCS1-v1_5 with SHA-256.
    Rs256,
    /// ECDSA on P-256 with SHA-256.
    Es256,
    /// EdDSA on Curve25519.
    Ed25519,
}

impl Algorithm {
    /// The one of that name: to the letter, as RFC 7518, RFC 8037 and RFC 9864 write it.
    pub(super) fn named(name: &str) -> Option<Self> {
        match name {
            "HS256" => Some(Self::Hs256),
            "RS256" => Some(Self::Rs256),
            "ES256" => Some(Self::Es256),
            // Two names of the same: the second is newer and says the curve.
            "EdDSA" | "Ed25519" => Some(Self::Ed25519),
            _ => None,
        }
    }
}

/// The secret of HS256. It is wiped when it is dropped, and never printed.
pub(super) struct Secret(Zeroizing<Vec<u8>>);

impl Secret {
    pub(super) fn new(bytes: Zeroizing<Vec<u8>>) -> Self {
        Self(bytes)
    }

    /// Whether that is the message's tag. Takes as long for any wrong one.
    pub(super) fn verifies(&self, message: &[u8], tag: &[u8]) -> bool {
        // Made anew each time, for two blocks of SHA-256: what ring would keep of it is not wiped.
        let key = hmac::Key::new(hmac::HMAC_SHA256, &self.0);
        hmac::verify(&key, message, tag).is_ok()
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
}

/// A public key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum PublicKey {
    /// RSA, 2048 to 8192 bits: modulus and exponent, big-endian, without leading zeros.
    Rsa { n: Vec<u8>, e: Vec<u8> },
    /// A point on P-256, uncompressed.
    P256(Vec<u8>),
    /// A point on Curve25519.
    Ed25519(Vec<u8>),
}

impl PublicKey {
    /// The one algorithm that it is for.
    pub(super) fn algorithm(&self) -> Algorithm {
        match self {
            Self::Rsa { .. } => Algorithm::Rs256,
            Self::P256(_) => Algorithm::Es256,
            Self::Ed25519(_) => Algorithm::Ed25519,
        }
    }

    /// Whether that is its signature of the message.
    pub(super) fn verifies(&self, message: &[u8], signature: &[u8]) -> bool {
        let verified = match self {
            Self::Rsa { n, e } => RsaPublicKeyComponents { n, e }.verify(
                &RSA_PKCS1_2048_8192_SHA256,
                message,
                signature,
            ),
            Self::P256(point) => {
                UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point).verify(message, signature)
            }
            Self::Ed25519(point) => {
                UnparsedPublicKey::new(&ED25519, point).verify(message, signature)
            }
        };
        verified.is_ok()
    }
}
