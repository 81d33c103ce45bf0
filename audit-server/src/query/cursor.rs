//! The cursor: where the next page begins, and for which question.
//!
//! Opaque to clients, base64url of a version, a position, how much of the database was met, a
//! fingerprint of the question that it belongs to and a checksum. It is no secret and grants nothing: a cursor made up by hand only
//! points elsewhere in records that its sender may read anyway, so it is not signed. The checksum
//! tells a damaged one from one that was made for another question.
//!
//! An arrival number says how many records the trail has, which is not for everybody: see [`super::Sight`]. Then
//! the whole is encrypted, behind a random nonce.

use std::fmt;

use audit_layer::record::{Hash, StreamName};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use chacha20poly1305::{KeyInit, XChaCha20Poly1305, XNonce, aead::Aead};

use crate::store::{Place, Position};

const VERSION: u8 = 2;
const CHECK_LEN: usize = 8;
const DATABASE: u8 = 0;
const REDIS: u8 = 1;

/// A hash of everything that decides which records a walk meets, and in which order.
pub(crate) type Fingerprint = [u8; 8];

/// The key for cursors of those who are not to know how many records there are.
pub(crate) struct CursorKey([u8; 32]);

impl CursorKey {
    pub(crate) fn new(key: [u8; 32]) -> Self {
        Self(key)
    }

    fn cipher(&self) -> XChaCha20Poly1305 {
        XChaCha20Poly1305::new(&self.0.into())
    }
}

impl fmt::Debug for CursorKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CursorKey")
    }
}

/// How many bytes the nonce of an encrypted cursor has.
const NONCE_LEN: usize = 24;

/// Where a walk goes on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Cursor {
    /// After this place.
    pub(crate) position: Position,
    /// How much of the database the walk has met; 0 where only the database is walked.
    pub(crate) met: i64,
    /// The question that it belongs to.
    pub(crate) question: Fingerprint,
}

/// Why a cursor is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum InvalidCursor {
    /// It was cut, changed, or never was one.
    #[error("it is not a cursor that this server gave out, or was damaged on its way")]
    Damaged,
    /// It is whole, and for something else.
    #[error("it belongs to another query: keep every parameter but limit as it was")]
    OtherQuery,
}

/// The longest text of a cursor: that of the longest stream name.
pub(crate) const MAX_CURSOR_CHARS: usize = 512;

impl Cursor {
    /// The text that a page carries, encrypted when there is a key.
    #[must_use]
    pub(crate) fn encode(&self, key: Option<&CursorKey>) -> String {
        let bytes = self.bytes();
        match key {
            Some(key) => URL_SAFE_NO_PAD.encode(encrypted(&bytes, key)),
            None => URL_SAFE_NO_PAD.encode(bytes),
        }
    }

    fn bytes(&self) -> Vec<u8> {
        let mut bytes = vec![VERSION];
        bytes.extend_from_slice(&self.question);
        bytes.extend_from_slice(&self.met.to_be_bytes());
        bytes.extend_from_slice(&self.position.timestamp.to_be_bytes());
        match &self.position.place {
            Place::Database { arrival } => {
                bytes.push(DATABASE);
                bytes.extend_from_slice(&arrival.to_be_bytes());
            }
            Place::Redis { stream, seq } => {
                bytes.push(REDIS);
                bytes.extend_from_slice(&seq.to_be_bytes());
                bytes.extend_from_slice(stream.as_bytes());
            }
        }
        let check = checksum(&bytes);
        bytes.extend_from_slice(&check);
        bytes
    }

    /// Reads a cursor that must belong to `question`.
    ///
    /// # Errors
    /// [`InvalidCursor`].
    pub(crate) fn decode(
        text: &str,
        question: Fingerprint,
        key: Option<&CursorKey>,
    ) -> Result<Self, InvalidCursor> {
        let cursor = Self::read(text, key).ok_or(InvalidCursor::Damaged)?;
        if cursor.question == question { Ok(cursor) } else { Err(InvalidCursor::OtherQuery) }
    }

    fn read(text: &str, key: Option<&CursorKey>) -> Option<Self> {
        if text.len() > MAX_CURSOR_CHARS {
            return None;
        }
        let bytes = URL_SAFE_NO_PAD.decode(text).ok()?;
        let bytes = match key {
            Some(key) => {
                let (nonce, sealed) = bytes.split_at_checked(NONCE_LEN)?;
                key.cipher().decrypt(XNonce::from_slice(nonce), sealed).ok()?
            }
            None => bytes,
        };
        let (body, check) = bytes.split_at_checked(bytes.len().checked_sub(CHECK_LEN)?)?;
        if checksum(body) != check {
            return None;
        }
        let (&[version], rest) = body.split_first_chunk()?;
        let (&question, rest) = rest.split_first_chunk()?;
        let (&met, rest) = rest.split_first_chunk()?;
        let (&timestamp, rest) = rest.split_first_chunk()?;
        let (&[kind], rest) = rest.split_first_chunk()?;
        let (&number, stream) = rest.split_first_chunk()?;
        let place = match (version, kind) {
            (VERSION, DATABASE) if stream.is_empty() => {
                Place::Database { arrival: i64::from_be_bytes(number) }
            }
            (VERSION, REDIS) => {
                let stream: StreamName = std::str::from_utf8(stream).ok()?.parse().ok()?;
                Place::Redis { stream: stream.as_str().into(), seq: u64::from_be_bytes(number) }
            }
            _ => return None,
        };
        let position = Position { timestamp: i64::from_be_bytes(timestamp), place };
        Some(Self { position, met: i64::from_be_bytes(met), question })
    }
}

fn encrypted(bytes: &[u8], key: &CursorKey) -> Vec<u8> {
    let mut nonce = [0; NONCE_LEN];
    let random = getrandom::fill(&mut nonce);
    let sealed = key.cipher().encrypt(XNonce::from_slice(&nonce), bytes);
    match (random, sealed) {
        (Ok(()), Ok(sealed)) => [&nonce[..], &sealed].concat(),
        // One that leads nowhere tells nothing either.
        _ => {
            tracing::error!("a cursor could not be encrypted, and leads nowhere");
            Vec::new()
        }
    }
}

fn checksum(bytes: &[u8]) -> [u8; CHECK_LEN] {
    fingerprint(bytes)
}

/// The first bytes of the SHA-256.
pub(super) fn fingerprint(bytes: &[u8]) -> Fingerprint {
    let [a, b, c, d, e, f, g, h, ..] = *Hash::of(bytes).as_bytes();
    [a, b, c, d, e, f, g, h]
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn cursors() -> [Cursor; 2] {
        let place = Place::Redis { stream: "pay@web-1~k3x9q2".into(), seq: u64::MAX };
        [Place::Database { arrival: i64::MIN }, place].map(|place| Cursor {
            position: Position { timestamp: -1, place },
            met: i64::MAX,
            question: *b"question",
        })
    }

    #[test]
    fn a_cursor_is_read_back() {
        for cursor in cursors() {
            for key in [None, Some(CursorKey::new([1; 32]))] {
                let text = cursor.encode(key.as_ref());
                assert!(text.len() <= MAX_CURSOR_CHARS);
                let read = Cursor::decode(&text, *b"question", key.as_ref());
                assert_eq!(read, Ok(cursor.clone()));
            }
        }
    }

    #[test]
    fn an_encrypted_cursor_tells_nothing_and_is_read_with_its_key_alone() {
        let [cursor, _] = cursors();
        let keys = [CursorKey::new([1; 32]), CursorKey::new([2; 32])];
        let texts = [(); 2].map(|()| cursor.encode(Some(&keys[0])));
        assert_ne!(texts[0], texts[1]);
        for key in [None, Some(&keys[1])] {
            assert_eq!(Cursor::decode(&texts[0], *b"question", key), Err(InvalidCursor::Damaged));
        }
        let plain = cursor.encode(None);
        let read = Cursor::decode(&plain, *b"question", Some(&keys[0]));
        assert_eq!(read, Err(InvalidCursor::Damaged));
    }

    #[test]
    fn a_cursor_with_any_character_changed_or_cut_is_damaged() {
        let key = CursorKey::new([1; 32]);
        let all = cursors()
            .into_iter()
            .flat_map(|cursor| [None, Some(&key)].map(|key| (cursor.encode(key), key)));
        for (text, key) in all {
            for at in 0..text.len() {
                let mut changed = text.clone().into_bytes();
                changed[at] = if changed[at] == b'A' { b'B' } else { b'A' };
                let changed = String::from_utf8(changed).unwrap();
                let read = Cursor::decode(&changed, *b"question", key);
                assert_eq!(read, Err(InvalidCursor::Damaged), "{at}");
                let read = Cursor::decode(&text[..at], *b"question", key);
                assert_eq!(read, Err(InvalidCursor::Damaged), "{at}");
            }
        }
    }

    #[test]
    fn a_cursor_of_another_query_is_refused_as_such() {
        let [cursor, _] = cursors();
        let read = Cursor::decode(&cursor.encode(None), *b"elsewise", None);
        assert_eq!(read, Err(InvalidCursor::OtherQuery));
    }

    fn keys() -> impl Strategy<Value = Option<[u8; 32]>> {
        proptest::option::of(any::<[u8; 32]>())
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2_000))]

        #[test]
        fn any_position_is_read_back(
            arrival: i64, timestamp: i64, met: i64, question: [u8; 8], key in keys(),
        ) {
            let position = Position { timestamp, place: Place::Database { arrival } };
            let cursor = Cursor { position, met, question };
            let key = key.map(CursorKey::new);
            let read = Cursor::decode(&cursor.encode(key.as_ref()), question, key.as_ref());
            prop_assert_eq!(read, Ok(cursor));
        }

        #[test]
        fn no_text_and_no_bytes_make_it_panic_or_are_a_cursor(
            text: String, bytes: Vec<u8>, key in keys(),
        ) {
            let key = key.map(CursorKey::new);
            for text in [text, URL_SAFE_NO_PAD.encode(bytes)] {
                let read = Cursor::decode(&text, *b"question", key.as_ref());
                prop_assert_eq!(read, Err(InvalidCursor::Damaged));
            }
        }

        #[test]
        fn bytes_behind_a_good_checksum_are_no_panic(mut bytes: Vec<u8>) {
            bytes.insert(0, VERSION);
            bytes.extend_from_slice(&checksum(&bytes));
            let _ = Cursor::decode(&URL_SAFE_NO_PAD.encode(bytes), *b"question", None);
        }
    }
}
