//! Tokens: a key as a word that FTS5 takes for one, and short.
//!
//! A key such as `request_id` with its 36 characters is hashed to 60 bits under a key of the model's
//! own. Two keys of one token find each other's records, which are then read and found to be wrong:
//! with a billion keys one such pair is to be expected, and nobody can make one up without the key.

use std::hash::Hasher;

use siphasher::sip::SipHasher24;

/// Sixteen bytes by which one model hashes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct HashKey(pub(super) [u8; 16]);

const ALPHABET: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";

/// What begins a token that is no word.
pub(super) const MARK: char = '=';

/// The token of records that cannot be read, which any question may concern.
pub(super) const DAMAGED: &str = "=damaged";

impl HashKey {
    /// Writes the token of the key to the end of `out`; of a name alone when there is no text.
    pub(super) fn push_token(self, out: &mut String, name: &str, text: Option<&str>) {
        let mut hash = self.hash(name, text);
        out.push(MARK);
        for _ in 0..12 {
            out.push(char::from(ALPHABET[(hash & 31) as usize]));
            hash >>= 5;
        }
    }

    fn hash(self, name: &str, text: Option<&str>) -> u64 {
        let mut hasher = SipHasher24::new_with_key(&self.0);
        hasher.write(name.as_bytes());
        // No name and no text has this byte, which UTF-8 does not know.
        if let Some(text) = text {
            hasher.write_u8(0xff);
            hasher.write(text.as_bytes());
        }
        hasher.finish()
    }

    /// A hash of a stored line.
    pub(super) fn of_line(self, line: &str) -> i64 {
        self.hash(line, None).cast_signed()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_that_differ_in_name_or_text_have_tokens_of_their_own() {
        let key = HashKey(*b"0123456789abcdef");
        let keys = [("a", Some("b")), ("a", Some("")), ("a", None), ("ab", None), ("", Some("ab"))];
        let tokens: std::collections::BTreeSet<String> = keys
            .iter()
            .map(|(name, text)| {
                let mut token = String::new();
                key.push_token(&mut token, name, *text);
                token
            })
            .collect();
        assert_eq!(tokens.len(), keys.len());
        assert!(tokens.iter().all(|token| token.len() == 13 && token.starts_with('=')));
    }
}
