//! Text to compare members with.

use std::str::FromStr;

/// A text that a member may equal: 1 to 1024 bytes without control characters.
///
/// An empty text is refused, because an absent member is not an empty one: who sends `user_id=`
/// has a bug that an empty answer would hide.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Text(Box<str>);

impl Text {
    /// The longest text in bytes.
    pub(crate) const MAX_BYTES: usize = 1024;

    /// A text of this program's own, which is known to be one.
    #[must_use]
    pub(crate) fn known(text: &str) -> Self {
        debug_assert!(text.parse::<Self>().is_ok(), "{text:?} is no text");
        Self(text.into())
    }

    /// The text.
    #[must_use]
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Text {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text.is_empty() {
            Err("an empty text matches nothing; leave the parameter out".to_owned())
        } else if text.len() > Self::MAX_BYTES {
            Err(format!("it is longer than {} bytes", Self::MAX_BYTES))
        } else if text.chars().any(char::is_control) {
            Err("it has control characters".to_owned())
        } else {
            Ok(Self(text.into()))
        }
    }
}
