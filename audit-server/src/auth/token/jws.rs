//! The compact form of a signed token (RFC 7515): `HEADER.CLAIMS.SIGNATURE`, each in base64url.
//!
//! Nothing of the claims is looked at before the signature was found right, and only four things of the
//! header ever are: `alg`, `kid`, `typ` and whether there is a `crit`. Members that bring or name a key of
//! their own (`jwk`, `jku`, `x5u`, `x5c`) have no effect: keys come from the settings.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::{Map, Value};

use super::{Refused, algorithm::Algorithm, json};

/// The longest token that is read. Those of identity providers have one to three kilobytes.
pub(super) const MAX_TOKEN_BYTES: usize = 8 * 1024;

/// A token in its parts.
pub(super) struct Token<'a> {
    /// What it says that it is signed with. It chooses among the keys, and never how one of them is used.
    pub(super) algorithm: Algorithm,
    /// The id of the key.
    pub(super) key_id: Option<String>,
    /// What is signed.
    pub(super) signed: &'a [u8],
    /// The signature.
    pub(super) signature: Vec<u8>,
    claims: &'a str,
}

impl<'a> Token<'a> {
    pub(super) fn read(text: &'a str) -> Result<Self, Refused> {
        if text.len() > MAX_TOKEN_BYTES {
            return Err(Refused::TooLong);
        }
        let (signed, signature) = text.rsplit_once('.').ok_or(Refused::Malformed)?;
        let (header, claims) = signed.split_once('.').ok_or(Refused::Malformed)?;
        if claims.contains('.') {
            return Err(Refused::Malformed);
        }
        let header = object(header)?;
        if header.contains_key("crit") {
            return Err(Refused::Critical);
        }
        if !header.get("typ").is_none_or(is_jwt) {
            return Err(Refused::Type);
        }
        let algorithm = header.get("alg").and_then(Value::as_str).and_then(Algorithm::named);
        let key_id = match header.get("kid") {
            None => None,
            Some(Value::String(id)) => Some(id.clone()),
            Some(_) => return Err(Refused::Malformed),
        };
        Ok(Self {
            algorithm: algorithm.ok_or(Refused::Algorithm)?,
            key_id,
            signed: signed.as_bytes(),
            signature: decode(signature)?,
            claims,
        })
    }

    /// What it claims; to be asked for once the signature was found right.
    pub(super) fn claims(&self) -> Result<Map<String, Value>, Refused> {
        object(self.claims)
    }
}

/// Whether `typ` is that of an access token (RFC 9068) or of tokens at large.
fn is_jwt(typ: &Value) -> bool {
    let Some(typ) = typ.as_str().map(str::to_ascii_lowercase) else { return false };
    matches!(typ.strip_prefix("application/").unwrap_or(&typ), "jwt" | "at+jwt")
}

fn object(part: &str) -> Result<Map<String, Value>, Refused> {
    json::object(&decode(part)?).map_err(|_| Refused::Malformed)
}

/// Without padding, and with the bits zero that stand for nothing: a token has one spelling.
fn decode(part: &str) -> Result<Vec<u8>, Refused> {
    URL_SAFE_NO_PAD.decode(part).map_err(|_| Refused::Malformed)
}
