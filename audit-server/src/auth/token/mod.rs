//! Tokens (JWT, RFC 7519) that somebody else issues: an identity provider, or a program that has a secret in
//! common with the server.
//!
//! A token comes in place of a key, is worth something until it expires, and is kept nowhere. HS256 is
//! checked with a secret from a file; RS256, ES256 and EdDSA with public keys from a file or a URL. Who
//! issued it and for whom, from when and until when are always checked; one claim gives the role, and
//! another, if it is set, the tenant.
//!
//! What must stay as it is:
//! - The key decides on the algorithm. A token's header chooses among the keys, and nothing else (`algorithm`).
//! - No claim is read before the signature was found right (`jws`), and none of a wrong type is taken for
//!   absent (`claims`).
//! - Nothing of a token is in a message, an error or a `Debug` output. [`Refused`] is for the log of the
//!   operator, and clients are told that it is refused.
//! - [`Tokens::check`] waits for no network, whatever the token says. What it costs is bounded by
//!   the 8 KiB that are read and one signature.
//!
//! Rejected: introspection (RFC 7662), which asks the provider at each request and stands still with it.
//! Rejected: a cache of tokens that were found good; a check takes 3 to 40 µs, and what is kept can leak.
//!
//! A token cannot be withdrawn before it expires: whoever needs that uses keys, or short lives. There is one
//! secret, so a new one ends all tokens of the old; whoever needs an overlap publishes two keys in a JWKS.

mod algorithm;
mod claim;
mod claims;
mod error;
mod fetch;
mod file;
mod json;
mod jwks;
mod jws;
mod key_files;
mod remote;
mod settings;
#[cfg(test)]
mod tests;
mod url;

use std::{
    sync::Arc,
    time::{Instant, SystemTime},
};

pub(crate) use claims::TokenInfo;
pub(crate) use error::Refused;
pub use error::TokensUnusable;
pub(crate) use settings::{DEFAULT_ROLE_CLAIM, JwksSource, RoleNames, TokenSettings};
pub(crate) use url::JwksUrl;

use self::{
    algorithm::{Algorithm, Secret},
    claims::Expected,
    fetch::Fetch,
    file::Watched,
    jwks::{Found, KeySet},
    jws::Token,
    remote::Remote,
};

/// What tokens are checked with.
#[derive(Debug)]
pub(crate) struct Tokens {
    expected: Expected,
    secret: Option<Watched<Secret>>,
    published: Option<Published>,
}

/// Where public keys come from.
#[derive(Debug)]
enum Published {
    File(Watched<KeySet>),
    Url(Remote),
}

impl Published {
    fn keys(&self, at: Instant) -> Option<Arc<KeySet>> {
        match self {
            Self::File(file) => Some(file.content(at)),
            Self::Url(remote) => remote.keys(at),
        }
    }
}

/// What became of a token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Checked {
    /// It lets somebody in.
    Valid(TokenInfo),
    /// It lets nobody in.
    Wrong(Refused),
    /// It is signed with a key that is not known, and may be known after a [`Tokens::refresh`]; until then
    /// it lets nobody in.
    UnknownKey,
}

impl Tokens {
    /// Reads what is in files. Nothing is fetched yet: a provider that is down keeps no server from starting,
    /// and the first [`next_refresh`](Self::next_refresh) is now.
    ///
    /// # Errors
    /// [`TokensUnusable`] when a setting is missing or makes no sense, or a file cannot be used.
    pub(crate) fn open(settings: &TokenSettings) -> Result<Self, TokensUnusable> {
        Self::open_with(settings, Fetch::default(), Instant::now())
    }

    fn open_with(
        settings: &TokenSettings,
        fetch: Fetch,
        at: Instant,
    ) -> Result<Self, TokensUnusable> {
        let TokenSettings { secret_file, jwks, .. } = settings;
        if secret_file.is_none() && jwks.is_none() {
            return Err(TokensUnusable::Setting {
                setting: "jwt_secret_file",
                reason: "are required: a file with a secret, a JWKS, or both",
            });
        }
        let expected = settings.expected()?;
        let secret = |path| Watched::open(path, key_files::secret, at);
        let secret = secret_file.as_deref().map(secret).transpose()?;
        let published = match jwks {
            None => None,
            Some(JwksSource::File(path)) => {
                Some(Published::File(Watched::open(path, key_files::key_set, at)?))
            }
            Some(JwksSource::Url(url)) => Some(Published::Url(Remote::new(url.clone(), fetch, at))),
        };
        Ok(Self { expected, secret, published })
    }

    /// Whom a token lets in at that time. Takes less than a millisecond, and waits for no network.
    ///
    /// [`Checked::UnknownKey`]: when [`may_refresh`](Self::may_refresh), call [`refresh`](Self::refresh) where
    /// blocking is allowed; then, either way, check once more, since somebody else may have fetched the key meanwhile.
    pub(crate) fn check(&self, token: &str, now: SystemTime) -> Checked {
        self.check_at(token, now, Instant::now())
    }

    fn check_at(&self, token: &str, now: SystemTime, at: Instant) -> Checked {
        match self.admit(token, now, at) {
            Ok(Some(info)) => Checked::Valid(info),
            Ok(None) => Checked::UnknownKey,
            Err(refused) => Checked::Wrong(refused),
        }
    }

    /// Whom it lets in; none when its key is not known.
    fn admit(
        &self,
        token: &str,
        now: SystemTime,
        at: Instant,
    ) -> Result<Option<TokenInfo>, Refused> {
        let token = Token::read(token)?;
        let verified = if token.algorithm == Algorithm::Hs256 {
            let secret = self.secret.as_ref().ok_or(Refused::Algorithm)?.content(at);
            secret.verifies(token.signed, &token.signature)
        } else {
            let published = self.published.as_ref().ok_or(Refused::Algorithm)?;
            let Some(keys) = published.keys(at) else { return Ok(None) };
            match keys.find(token.algorithm, token.key_id.as_deref()) {
                Found::Key(key) => key.verifies(token.signed, &token.signature),
                Found::OtherAlgorithm => return Err(Refused::Algorithm),
                Found::NotNamed => return Err(Refused::NoKeyNamed),
                Found::Unknown => return Ok(None),
            }
        };
        if !verified {
            return Err(Refused::Signature);
        }
        self.expected.admit(&token.claims()?, now).map(Some)
    }

    /// Whether a [`refresh`](Self::refresh) may bring a key that was not known: there is a URL, and the last
    /// fetch is ten seconds ago or under way.
    pub(crate) fn may_refresh(&self) -> bool {
        self.remote().is_some_and(|remote| remote.may_refresh(Instant::now()))
    }

    /// Fetches the keys at the URL, unless somebody just did. Blocks, for five seconds at most.
    pub(crate) fn refresh(&self) {
        if let Some(remote) = self.remote() {
            remote.refresh(Instant::now());
        }
    }

    /// When [`refresh`](Self::refresh) is to be called next, without a token that asks for it; never when
    /// there is no URL.
    pub(crate) fn next_refresh(&self) -> Option<Instant> {
        self.remote().map(Remote::next_refresh)
    }

    fn remote(&self) -> Option<&Remote> {
        match &self.published {
            Some(Published::Url(remote)) => Some(remote),
            _ => None,
        }
    }
}
