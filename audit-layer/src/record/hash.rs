//! The hash that chains records, and where it stands in a line.

use std::{fmt, str::FromStr};

use sha2::{Digest, Sha256};

const PREFIX: &[u8] = b",\"hash\":\"";
const SUFFIX: &[u8] = b"\"}";

/// The length in bytes of `,"hash":"<64 hex digits>"}`, the end of every record.
pub const HASH_SUFFIX_LEN: usize = PREFIX.len() + 64 + SUFFIX.len();

/// What a byte is worth as a lower-case hex digit; 255 when it is none.
const VALUES: [u8; 256] = {
    let mut values = [255; 256];
    let digits = b"0123456789abcdef";
    let mut value = 0;
    while value < digits.len() {
        values[digits[value] as usize] = value as u8;
        value += 1;
    }
    values
};

/// A SHA-256 value: of a record, or of the one before it.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Hash([u8; 32]);

impl Hash {
    /// The `prev_hash` of the first record of a stream.
    pub const ZERO: Self = Self([0; 32]);

    /// Hashes the canonical bytes of a record without its `hash` member.
    #[must_use]
    pub fn of(canonical: &[u8]) -> Self {
        Self(Sha256::digest(canonical).into())
    }

    /// Hashes `open` followed by a closing brace: a line whose suffix was cut.
    pub(crate) fn of_open(open: &[u8]) -> Self {
        let mut hasher = Sha256::new();
        hasher.update(open);
        hasher.update(b"}");
        Self(hasher.finalize().into())
    }

    /// Takes the raw 32 bytes.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The raw 32 bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// Writes the 64 lower-case hex digits over as many bytes.
    pub(crate) fn write_hex(&self, digits: &mut [u8]) {
        // 32 bytes always fill 64 digits.
        let _ = hex::encode_to_slice(self.0, digits);
    }

    /// Reads 64 lower-case hex digits; none when they are anything else. Each record has two hashes,
    /// and digit by digit to read them takes longer than to compute one.
    fn from_hex(digits: &[u8]) -> Option<Self> {
        let (pairs, []) = digits.as_chunks::<2>() else { return None };
        let pairs: &[[u8; 2]; 32] = pairs.try_into().ok()?;
        let mut wrong = 0;
        let bytes = pairs.map(|pair| {
            let [high, low] = pair.map(|digit| VALUES[usize::from(digit)]);
            wrong |= high | low;
            high << 4 | low
        });
        (wrong < 16).then_some(Self(bytes))
    }

    /// Appends the 64 lower-case hex digits.
    pub fn push_hex(&self, out: &mut Vec<u8>) {
        let mut digits = [0; 64];
        self.write_hex(&mut digits);
        out.extend_from_slice(&digits);
    }

    /// Turns the canonical object that begins at `start` and ends `text` into a record: cuts its
    /// closing brace and appends the `hash` member. Returns the hash.
    pub(crate) fn seal(text: &mut Vec<u8>, start: usize) -> Self {
        let hash = Self::of(text.get(start..).unwrap_or_default());
        text.pop();
        text.extend_from_slice(PREFIX);
        hash.push_hex(text);
        text.extend_from_slice(SUFFIX);
        hash
    }
}

impl fmt::Display for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for byte in self.0 {
            write!(f, "{byte:02x}")?;
        }
        Ok(())
    }
}

impl fmt::Debug for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Text that is not 64 lower-case hex digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a hash is 64 lower-case hex digits")]
pub struct InvalidHash;

impl FromStr for Hash {
    type Err = InvalidHash;

    fn from_str(text: &str) -> Result<Self, InvalidHash> {
        Self::from_hex(text.as_bytes()).ok_or(InvalidHash)
    }
}

/// Splits a record into what its hash covers and the hash that it states.
///
/// The first part lacks its closing brace; [`Hash::of`] of the first part and `}` is what an
/// intact record states. `None` when the line does not end in a `hash` member.
///
/// ```
/// use audit_layer::record::{Hash, split_hash};
/// let line = format!("{{\"v\":1,\"hash\":\"{}\"}}", Hash::of(b"{\"v\":1}"));
/// let (open, stated) = split_hash(line.as_bytes()).unwrap();
/// assert_eq!(Hash::of(&[open, b"}"].concat()), stated);
/// ```
#[must_use]
pub fn split_hash(line: &[u8]) -> Option<(&[u8], Hash)> {
    let (open, suffix) = line.split_at_checked(line.len().checked_sub(HASH_SUFFIX_LEN)?)?;
    let digits = suffix.strip_prefix(PREFIX)?.strip_suffix(SUFFIX)?;
    Some((open, Hash::from_hex(digits)?))
}

/// The hash that a record states, if it is the one that its bytes have.
#[must_use]
pub fn checked_hash(line: &[u8]) -> Option<Hash> {
    let (open, stated) = split_hash(line)?;
    (Hash::of_open(open) == stated).then_some(stated)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sealed_line_splits_into_what_was_hashed() {
        let mut line = br#"{"a":1,"v":1}"#.to_vec();
        let hash = Hash::seal(&mut line, 0);
        let (open, stated) = split_hash(&line).unwrap();
        assert_eq!(open, br#"{"a":1,"v":1"#);
        assert_eq!(stated, hash);
        assert_eq!(checked_hash(&line), Some(hash));
        line[2] = b'b';
        assert_eq!(checked_hash(&line), None);
    }

    #[test]
    fn the_hash_is_sha_256() {
        // FIPS 180-2, appendix B.1.
        assert_eq!(
            Hash::of(b"abc").to_string(),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        );
    }

    #[test]
    fn upper_case_or_short_hex_is_no_hash() {
        assert!("AB".repeat(32).parse::<Hash>().is_err());
        assert!("ab".repeat(31).parse::<Hash>().is_err());
        assert!("ab".repeat(32).parse::<Hash>().is_ok());
        let digits = "0123456789abcdef".repeat(4);
        assert_eq!(digits.parse::<Hash>().unwrap().to_string(), digits);
        for (place, byte) in (0..=255_u8).flat_map(|byte| [(62, byte), (63, byte)]) {
            let mut digits = [b'0'; 64];
            digits[place] = byte;
            let is_digit = matches!(byte, b'0'..=b'9' | b'a'..=b'f');
            assert_eq!(Hash::from_hex(&digits).is_some(), is_digit, "{byte}");
        }
    }
}
