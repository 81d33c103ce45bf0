//! The text of a key: `ak_<id>_<secret>`.

use std::{fmt, str::FromStr};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use sha2::{Digest, Sha256};

use super::KeyIdInvalid;

const PREFIX: &str = "ak_";
const ID_CHARS: &[u8; 32] = b"abcdefghijkmnpqrstuvwxyz23456789";
const ID_LEN: usize = 8;
const SECRET_BYTES: usize = 32;

/// The public part of a key: names it in lists, in logs and when it is revoked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyId(Box<str>);

impl KeyId {
    /// The id of the key that a person names: by its id, or by the whole key.
    ///
    /// # Errors
    /// [`KeyIdInvalid`] when it is neither.
    pub fn named(id_or_key: &str) -> Result<Self, KeyIdInvalid> {
        let whole = || id_or_key.parse().map(|key: SecretKeyText| key.id());
        id_or_key.parse().or_else(|()| whole()).map_err(|()| KeyIdInvalid)
    }

    /// The eight characters.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for KeyId {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let valid = text.len() == ID_LEN && text.bytes().all(|b| ID_CHARS.contains(&b));
        if valid { Ok(Self(text.into())) } else { Err(()) }
    }
}

/// A whole key. It is printed only where [`SecretKeyText::expose`] is written out.
#[derive(Clone, PartialEq, Eq)]
pub struct SecretKeyText(Box<str>);

impl SecretKeyText {
    /// Makes a key from the system's random numbers.
    pub(super) fn generate() -> Result<Self, getrandom::Error> {
        let mut random = [0; ID_LEN + SECRET_BYTES];
        getrandom::fill(&mut random)?;
        let (id, secret) = random.split_at(ID_LEN);
        let mut text = PREFIX.to_owned();
        // 32 characters divide 256, so that each is as likely as any other.
        text.extend(id.iter().map(|byte| char::from(ID_CHARS[usize::from(byte % 32)])));
        text.push('_');
        text.push_str(&URL_SAFE_NO_PAD.encode(secret));
        Ok(Self(text.into()))
    }

    /// The key itself, to hand it to its owner or to send it.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// The public part.
    pub(super) fn id(&self) -> KeyId {
        KeyId(self.0.get(PREFIX.len()..PREFIX.len() + ID_LEN).unwrap_or_default().into())
    }

    /// What is stored of it.
    pub(super) fn hash(&self) -> [u8; 32] {
        Sha256::digest(self.0.as_bytes()).into()
    }
}

impl fmt::Debug for SecretKeyText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SecretKeyText({})", self.id())
    }
}

impl FromStr for SecretKeyText {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let (id, secret) =
            text.strip_prefix(PREFIX).and_then(|rest| rest.split_once('_')).ok_or(())?;
        let _: KeyId = id.parse()?;
        let secret = URL_SAFE_NO_PAD.decode(secret).map_err(drop)?;
        if secret.len() == SECRET_BYTES { Ok(Self(text.into())) } else { Err(()) }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_key_has_an_id_and_hides_its_secret() {
        let key = SecretKeyText::generate().unwrap();
        assert_eq!(key.expose().parse(), Ok(key.clone()));
        assert_eq!(format!("{key:?}"), format!("SecretKeyText({})", key.id()));
        assert_eq!(key.expose().len(), 3 + 8 + 1 + 43);
    }

    #[test]
    fn what_is_no_key_is_refused() {
        let key = SecretKeyText::generate().unwrap();
        let key = key.expose();
        for bad in ["", "ak_", &key[1..], &key[..54], &format!("{key}A"), &key.replace("ak_", "ak")]
        {
            assert!(bad.parse::<SecretKeyText>().is_err(), "{bad}");
        }
    }
}
