//! What is computed of a value under a key and stands for it.
//!
//! - The *mark* of a hashed value, `hmac:<key id>:<hex>`: HMAC-SHA256 of its text. Equal values have equal marks
//!   wherever they stand, as long as the key is the same. Without the key nobody can tell by trying which of few possible values
//!   it was.
//! - The *token* of a sealed value, by which an index finds it: HMAC-SHA256 of the path of its member and its text, in
//!   the encoding of [`sealing`](super::sealing), the first half of it. That of another member is another.
//!
//! - The *posting* of a sealed value, under which an index keeps its records: the same under the key that sealed it. Where
//!   postings cannot be taken away one by one, they become meaningless with that key.
//!
//! The text of a value is what a string says, without quotes and escapes, and the canonical JSON of anything else: `"42"` and `42`
//! are the same.

use std::fmt::Write;

use super::{Key, Keyring, KeyringError, Purpose, sealing::pre_authentication_encoding};

impl Key {
    /// The mark of a value of that text.
    pub(super) fn hash_mark(&self, text: &[u8]) -> String {
        let mut mark = format!("hmac:{}:", self.id());
        push_hex(&mut mark, &self.hmac(text));
        mark
    }

    /// The token of a value under this key, if it is one for [`Purpose::Index`]: see [`Keyring::index_token`].
    #[must_use]
    pub fn index_token(&self, path: &str, text: &str) -> String {
        token(self, path, text)
    }

    /// The posting of a value that this key sealed: thirty-two hexadecimal digits. The path is whatever the index calls the
    /// member.
    #[must_use]
    pub fn index_posting(&self, path: &str, text: &str) -> String {
        let hmac = self.hmac(&pre_authentication_encoding(&["posting", path, text]));
        let (half, _) = hmac.split_at(hmac.len() / 2);
        let mut posting = String::with_capacity(2 * half.len());
        push_hex(&mut posting, half);
        posting
    }
}

impl Keyring {
    /// The marks that a value of that text may have in records: under the key in use for [`Purpose::Hash`], and under
    /// those before it.
    ///
    /// # Errors
    /// When the keyring cannot be read.
    pub fn hash_marks(&self, text: &str) -> Result<Vec<String>, KeyringError> {
        let keys = self.all(Purpose::Hash)?;
        Ok(keys.iter().map(|key| key.hash_mark(text.as_bytes())).collect())
    }

    /// What tells an index that was made with this keyring, and this key of it for [`Purpose::Index`], from any other: two
    /// names of keys.
    ///
    /// # Errors
    /// When the keyring cannot be read.
    pub fn index_identity(&self, key: &Key) -> Result<String, KeyringError> {
        Ok(format!("{}:{}", self.names_key()?.id(), key.id()))
    }

    /// The token of a sealed value under the key in use for [`Purpose::Index`]: `<key id>:<hex>`. The path is
    /// whatever the index calls the member.
    ///
    /// # Errors
    /// When the keyring cannot be read.
    pub fn index_token(&self, path: &str, text: &str) -> Result<String, KeyringError> {
        Ok(token(&self.in_use(Purpose::Index)?, path, text))
    }

    /// The tokens that the value may have in an index: under the key in use, and under those before it.
    ///
    /// # Errors
    /// When the keyring cannot be read.
    pub fn index_tokens(&self, path: &str, text: &str) -> Result<Vec<String>, KeyringError> {
        let keys = self.all(Purpose::Index)?;
        Ok(keys.iter().map(|key| token(key, path, text)).collect())
    }
}

fn token(key: &Key, path: &str, text: &str) -> String {
    let hmac = key.hmac(&pre_authentication_encoding(&[path, text]));
    let (half, _) = hmac.split_at(hmac.len() / 2);
    let mut token = format!("{}:", key.id());
    push_hex(&mut token, half);
    token
}

fn push_hex(out: &mut String, bytes: &[u8]) {
    for byte in bytes {
        // Writing into a string does not fail.
        let _ = write!(out, "{byte:02x}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_of_its_path_and_value_and_of_every_key_there_was() {
        let directory = tempfile::tempdir().unwrap();
        let keyring = Keyring::init(directory.path().join("keyring.db")).unwrap();
        let token = |path, text| keyring.index_token(path, text).unwrap();
        let first = token("details.iban", "DE89");
        assert_eq!(first, token("details.iban", "DE89"));
        assert_ne!(first, token("details.iba", "nDE89"));
        assert_ne!(first, token("details.iban", "DE88"));
        let posting = |path, text| keyring.in_use(Purpose::Seal).unwrap().index_posting(path, text);
        let before = posting("details.iban", "DE89");
        assert_eq!((before.len(), &before), (32, &posting("details.iban", "DE89")));
        assert_ne!(before, posting("details.iba", "nDE89"));
        keyring.rotate(Purpose::Seal).unwrap();
        assert_ne!(before, posting("details.iban", "DE89"));
        let identity_of = |keyring: &Keyring| {
            keyring.index_identity(&keyring.in_use(Purpose::Index).unwrap()).unwrap()
        };
        let identity = identity_of(&keyring);
        assert_eq!(identity_of(&keyring), identity);
        keyring.rotate(Purpose::Index).unwrap();
        let another = Keyring::init(directory.path().join("another.db")).unwrap();
        for other in [identity_of(&keyring), identity_of(&another)] {
            assert_ne!(other, identity);
        }
        let second = token("details.iban", "DE89");
        assert_eq!(keyring.index_tokens("details.iban", "DE89").unwrap(), [second, first]);
    }
}
