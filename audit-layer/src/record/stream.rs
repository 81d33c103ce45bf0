//! The name of a stream, and how far it has got.

use std::{fmt, str::FromStr};

use super::Hash;

/// The name of one writer's gapless sequence: `service@host~identity`.
///
/// `service` and `host` are made of ASCII letters, digits, `.`, `_` and `-`; the identity is six
/// lower-case letters and digits, chosen at random when the journal directory was made.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct StreamName(Box<str>);

/// Text that is not the name of a stream.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a stream is named service@host~identity, not {0:?}")]
pub struct InvalidStreamName(String);

impl StreamName {
    /// How many characters a service or host may have.
    pub const MAX_PART: usize = 100;

    /// Puts a name together.
    ///
    /// # Errors
    /// [`InvalidStreamName`] when a part is empty, too long, or has a character that may not be there.
    pub fn new(service: &str, host: &str, identity: &str) -> Result<Self, InvalidStreamName> {
        format!("{service}@{host}~{identity}").parse()
    }

    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The service whose stream this is.
    #[must_use]
    pub fn service(&self) -> &str {
        self.0.split('@').next().unwrap_or_default()
    }

    /// Whether `text` can be the service or host of a stream.
    #[must_use]
    pub fn is_part(text: &str) -> bool {
        (1..=Self::MAX_PART).contains(&text.len())
            && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-'))
    }
}

impl FromStr for StreamName {
    type Err = InvalidStreamName;

    fn from_str(text: &str) -> Result<Self, InvalidStreamName> {
        let valid = text.split_once('@').is_some_and(|(service, rest)| {
            rest.split_once('~').is_some_and(|(host, identity)| {
                Self::is_part(service)
                    && Self::is_part(host)
                    && identity.len() == 6
                    && identity.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit())
            })
        });
        if valid { Ok(Self(text.into())) } else { Err(InvalidStreamName(text.to_owned())) }
    }
}

impl fmt::Display for StreamName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The last record of a stream that a place holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Head {
    /// Its sequence number; 0 when there is none yet.
    pub seq: u64,
    /// Its hash; [`Hash::ZERO`] when there is none yet.
    pub hash: Hash,
}

impl Head {
    /// The head of a stream without records.
    pub const START: Self = Self { seq: 0, hash: Hash::ZERO };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stream_name_has_three_parts() {
        let name: StreamName = "payments@web-1~k3x9q2".parse().unwrap();
        assert_eq!(name.service(), "payments");
        for bad in [
            "payments",
            "pay ments@web~k3x9q2",
            "a@b~short",
            "@b~k3x9q2",
            "a@b~K3X9Q2",
            "a@b@c~k3x9q2",
        ] {
            assert!(bad.parse::<StreamName>().is_err(), "{bad}");
        }
    }
}
