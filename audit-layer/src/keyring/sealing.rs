//! How a value is sealed.
//!
//! ```text
//! {"$sealed":{"c":"<base64 of ciphertext and tag>","k":"<key id>","n":"<base64 of 24 random bytes>"}}
//! ```
//!
//! XChaCha20-Poly1305 over the canonical JSON of the value, so that a number comes back a number, and blanks behind it up
//! to a multiple of [`BLOCK`]: without them the length alone would tell `true` from `false`. A nonce that long may be
//! random for as many values as a host ever seals.
//!
//! The associated data binds a mark to its place: moved to another member, record or stream, or with the
//! `tenant` of its record changed, it does not open. They are the texts of
//!
//! 1. `v`, in decimal digits,
//! 2. `stream`,
//! 3. `id`, as it stands in the record,
//! 4. the path of the member, a JSON pointer (RFC 6901): `/details/customer/iban`, `/details/cards/0/number`,
//! 5. `tenant`, empty when the record has none,
//!
//! put together as PASETO does (*pre-authentication encoding*): how many there are, then each with its length before it, all
//! numbers as 64 bits, little-endian. No two lists of texts have the same encoding.
//!
//! Rejected: `seq`, which is not known before the journal has taken the event in, and `prev_hash` for the same reason:
//! what is sealed must be so by then; AES-GCM, whose nonce is too short to be random.

use base64::{Engine, engine::general_purpose::STANDARD};
use chacha20poly1305::{AeadInPlace, KeyInit, XChaCha20Poly1305};
use zeroize::Zeroizing;

use super::{Key, key::KeyId};
use crate::record::VERSION;

/// What a plaintext is filled up to a multiple of.
const BLOCK: usize = 16;
const NONCE: usize = 24;
const TAG: usize = 16;

/// The record that a value is sealed in.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Place<'p> {
    pub(crate) stream: &'p str,
    pub(crate) id: &'p str,
    pub(crate) tenant: &'p str,
}

impl Place<'_> {
    fn associated_data(&self, version: u64, path: &str) -> Vec<u8> {
        let version = version.to_string();
        pre_authentication_encoding(&[&version, self.stream, self.id, path, self.tenant])
    }
}

/// That of PASETO, version 4, section 2.2.1.
pub(super) fn pre_authentication_encoding(parts: &[&str]) -> Vec<u8> {
    let length = |length: usize| u64::try_from(length).unwrap_or(u64::MAX).to_le_bytes();
    let mut encoded = length(parts.len()).to_vec();
    for part in parts {
        encoded.extend_from_slice(&length(part.len()));
        encoded.extend_from_slice(part.as_bytes());
    }
    encoded
}

/// Seals JSON with a nonce of its own; none when the system gives no random bytes.
pub(super) fn seal(key: &Key, place: &Place<'_>, path: &str, json: &[u8]) -> Option<String> {
    let mut nonce = [0; NONCE];
    getrandom::fill(&mut nonce).ok()?;
    seal_with(key, nonce, place, path, json)
}

fn seal_with(
    key: &Key,
    nonce: [u8; NONCE],
    place: &Place<'_>,
    path: &str,
    json: &[u8],
) -> Option<String> {
    let padded = json.len().next_multiple_of(BLOCK).max(BLOCK);
    // With room for the tag: it is not copied to another place while it is plain.
    let mut buffer = Zeroizing::new(Vec::with_capacity(padded + TAG));
    buffer.extend_from_slice(json);
    buffer.resize(padded, b' ');
    let cipher = XChaCha20Poly1305::new((&*key.secret).into());
    let associated = place.associated_data(VERSION, path);
    let tag = cipher.encrypt_in_place_detached(&nonce.into(), &associated, &mut buffer).ok()?;
    buffer.extend_from_slice(&tag);
    let (id, nonce, text) = (key.id(), STANDARD.encode(nonce), STANDARD.encode(&*buffer));
    Some(format!(r#"{{"$sealed":{{"c":"{text}","k":"{id}","n":"{nonce}"}}}}"#))
}

/// A mark as it was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Sealed {
    pub(super) key: KeyId,
    nonce: [u8; NONCE],
    text: Vec<u8>,
}

impl Sealed {
    /// Reads its three members.
    pub(super) fn read(key: &str, nonce: &str, text: &str) -> Option<Self> {
        Some(Self {
            key: key.parse().ok()?,
            nonce: STANDARD.decode(nonce).ok()?.try_into().ok()?,
            text: STANDARD.decode(text).ok()?,
        })
    }

    /// The JSON that was sealed there; none when it was not, or was changed since.
    pub(super) fn open(
        mut self,
        key: &Key,
        version: u64,
        place: &Place<'_>,
        path: &str,
    ) -> Option<String> {
        let tag: [u8; TAG] =
            self.text.split_off(self.text.len().checked_sub(TAG)?).try_into().ok()?;
        let cipher = XChaCha20Poly1305::new((&*key.secret).into());
        let associated = place.associated_data(version, path);
        cipher
            .decrypt_in_place_detached(&self.nonce.into(), &associated, &mut self.text, &tag.into())
            .ok()?;
        let mut json = String::from_utf8(self.text).ok()?;
        json.truncate(json.trim_end_matches(' ').len());
        Some(json)
    }
}

#[cfg(test)]
mod tests;
