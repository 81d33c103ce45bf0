//! Why tokens cannot be checked at all, and why one of them is refused.

use std::fmt;

/// Tokens cannot be checked as it was set. The message names the setting, the file or the URL.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TokensUnusable {
    /// A setting is missing or makes no sense.
    #[error("tokens: {setting} {reason}")]
    Setting {
        /// Which one.
        setting: &'static str,
        /// What it should be.
        reason: &'static str,
    },
    /// The keys that tokens are checked with cannot be had.
    #[error("tokens cannot be checked with {at}: {reason}")]
    Keys {
        /// The file or the URL.
        at: String,
        /// What is wrong, and what to do.
        reason: &'static str,
        /// What the system, the network or the reader of JSON said.
        source: Option<Box<dyn std::error::Error + Send + Sync>>,
    },
}

impl TokensUnusable {
    pub(super) fn keys(at: impl fmt::Display, reason: &'static str) -> Self {
        Self::Keys { at: at.to_string(), reason, source: None }
    }

    pub(super) fn because(
        at: impl fmt::Display,
        reason: &'static str,
        source: impl Into<Box<dyn std::error::Error + Send + Sync>>,
    ) -> Self {
        Self::Keys { at: at.to_string(), reason, source: Some(source.into()) }
    }

    /// What lies beneath it, for a log.
    pub(super) fn cause(&self) -> Option<String> {
        std::error::Error::source(self).map(ToString::to_string)
    }
}

/// Why a token is refused. It goes to the operator's log at most, never to a client: whoever tries tokens
/// is not told how near they are. It says nothing of what is in the token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Refused {
    /// It is longer than any that is read.
    #[error("the token is longer than 8 KiB")]
    TooLong,
    /// It is not three parts of base64url, or these are no JSON objects with each member once.
    #[error("the token is malformed")]
    Malformed,
    /// Its header says that it is something else.
    #[error("the token is of another type than JWT")]
    Type,
    /// Its header has extensions that must be understood.
    #[error("the token has critical extensions, and none is known here")]
    Critical,
    /// Its algorithm is none of those that there are keys for, or not that of its key.
    #[error("the token's algorithm is not accepted, or not that of its key")]
    Algorithm,
    /// It names no key, and there are several.
    #[error("the token names no key, and there are several")]
    NoKeyNamed,
    /// Its signature is not that of the key.
    #[error("the token's signature is wrong")]
    Signature,
    /// A claim is missing or of a wrong type.
    #[error("a claim of the token is missing or of a wrong type")]
    Claims,
    /// It has expired.
    #[error("the token has expired")]
    Expired,
    /// It is not valid yet, or issued in the future.
    #[error("the token is not valid yet; do the clocks agree?")]
    NotYet,
    /// Somebody else issued it.
    #[error("the token is of another issuer")]
    Issuer,
    /// It is for somebody else.
    #[error("the token is for another audience")]
    Audience,
    /// It names nobody, or nobody that could be written down.
    #[error("the token's subject is missing or cannot be used")]
    Subject,
    /// It has no role that is known.
    #[error("the token has no role that is known here")]
    Role,
    /// It has no tenant, or none that could be one.
    #[error("the token's tenant is missing or cannot be used")]
    Tenant,
    /// It is of one tenant and of the role that manages keys, which open all tenants.
    #[error("the token would make an administrator of one tenant, and keys open all tenants")]
    AdminOfTenant,
}
