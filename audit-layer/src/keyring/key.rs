//! A key, what it is called and what it is for.

use std::{fmt, str::FromStr};

use hmac::{Hmac, Mac};
use sha2::Sha256;
use zeroize::Zeroizing;

/// What a key is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Purpose {
    /// Marks `hmac:…`.
    Hash,
    /// Marks `$sealed`.
    Seal,
    /// The tokens by which sealed values are found.
    Index,
}

impl Purpose {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Hash, Self::Seal, Self::Index];

    /// The word for it: `hash`, `seal` or `index`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Hash => "hash",
            Self::Seal => "seal",
            Self::Index => "index",
        }
    }
}

impl FromStr for Purpose {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let known = Self::ALL.into_iter().find(|purpose| purpose.as_str() == text);
        known.ok_or_else(|| format!("a key is for hash, seal or index, not {text:?}"))
    }
}

/// The name of a key: letters and digits of which none is taken for another.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct KeyId(Box<str>);

impl KeyId {
    /// How long one is.
    pub const LENGTH: usize = 10;
    /// Thirty-two of them, as in Crockford's base 32.
    const ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";

    /// One that nobody has, most likely: there are 2^50.
    pub(super) fn random() -> Result<Self, getrandom::Error> {
        let mut bytes = [0; Self::LENGTH];
        getrandom::fill(&mut bytes)?;
        let letter = |byte: u8| char::from(Self::ALPHABET[usize::from(byte & 31)]);
        Ok(Self(bytes.into_iter().map(letter).collect::<String>().into()))
    }

    /// The name as text.
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

/// Text that is not the name of a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the id of a key is ten lower-case letters and digits, without i, l, o and u")]
pub struct InvalidKeyId;

impl FromStr for KeyId {
    type Err = InvalidKeyId;

    fn from_str(text: &str) -> Result<Self, InvalidKeyId> {
        let is_id =
            text.len() == Self::LENGTH && text.bytes().all(|byte| Self::ALPHABET.contains(&byte));
        if is_id { Ok(Self(text.into())) } else { Err(InvalidKeyId) }
    }
}

/// The bytes of a key, which are wiped when it is dropped.
pub(super) type Secret = Zeroizing<[u8; 32]>;

/// A key. What it is made of is shown to nobody, in `Debug` neither.
pub struct Key {
    pub(super) id: KeyId,
    pub(super) secret: Secret,
}

impl Key {
    /// Its name.
    #[must_use]
    pub fn id(&self) -> &KeyId {
        &self.id
    }

    /// HMAC-SHA256 under it.
    pub(super) fn hmac(&self, message: &[u8]) -> [u8; 32] {
        // A key shorter than a block is one with zeros behind it (RFC 2104).
        let mut block = Zeroizing::new([0; 64]);
        let (key, _) = block.split_at_mut(self.secret.len());
        key.copy_from_slice(&*self.secret);
        let mut mac = Hmac::<Sha256>::new((&*block).into());
        mac.update(message);
        mac.finalize().into_bytes().into()
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Key").field("id", &self.id).finish_non_exhaustive()
    }
}

/// What is known of a key, without what it is made of.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct KeyInfo {
    /// Its name, which is in the marks that were made with it.
    pub id: KeyId,
    /// What it is for.
    pub purpose: Purpose,
    /// When it was made: UTC, RFC 3339.
    pub created: String,
    /// From when on another one was used in its place. What it sealed it still opens.
    pub retired: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_shows_its_name_only() {
        let key = Key { id: KeyId::random().unwrap(), secret: Zeroizing::new([0xab; 32]) };
        let shown = format!("{key:?}");
        assert!(shown.contains(key.id().as_str()), "{shown}");
        assert!(!shown.contains("ab, ") && !shown.contains("171"), "{shown}");
    }

    #[test]
    fn an_id_is_ten_letters_and_digits_that_are_not_taken_for_each_other() {
        for _ in 0..1000 {
            let id = KeyId::random().unwrap();
            assert_eq!(id.as_str().parse(), Ok(id.clone()), "{id}");
        }
        for bad in ["", "0123456789a", "012345678", "0123456i89", "0123456O89", "012345678é"] {
            assert_eq!(bad.parse::<KeyId>(), Err(InvalidKeyId), "{bad}");
        }
    }

    #[test]
    fn the_hmac_is_that_of_rfc_4231() {
        // Test case 3 has a key of 20 bytes, which a longer one with zeros behind it is the same as.
        let mut secret = [0; 32];
        secret[..20].fill(0xaa);
        let key = Key { id: KeyId::random().unwrap(), secret: Zeroizing::new(secret) };
        assert_eq!(
            hex::encode(key.hmac(&[0xdd; 50])),
            "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe"
        );
    }
}
