//! Where a set of public keys is fetched from.

use std::{fmt, net::IpAddr, str::FromStr};

use ureq::http::{Uri, uri::Scheme};

use super::TokensUnusable;

/// A URL over which nobody can slip in keys of their own: of `https`, or of `http` on this host.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct JwksUrl(Uri);

impl JwksUrl {
    pub(super) fn uri(&self) -> &Uri {
        &self.0
    }

    /// Whether it stays on this host.
    pub(super) fn is_plain(&self) -> bool {
        self.0.scheme() == Some(&Scheme::HTTP)
    }
}

/// Without its query, which is where some have a key.
impl fmt::Display for JwksUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (scheme, host) = (self.0.scheme_str(), self.0.authority());
        let host = host.map_or("", |host| host.as_str());
        write!(f, "{}://{host}{}", scheme.unwrap_or_default(), self.0.path())
    }
}

impl fmt::Debug for JwksUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "JwksUrl({self})")
    }
}

impl FromStr for JwksUrl {
    type Err = TokensUnusable;

    fn from_str(text: &str) -> Result<Self, TokensUnusable> {
        let refuse = |reason| TokensUnusable::Setting { setting: "jwt_jwks", reason };
        let url: Uri = text.parse().map_err(|_| refuse("is no URL"))?;
        let host = url.host().filter(|host| !host.is_empty());
        let host = host.ok_or_else(|| refuse("is a URL without a host"))?;
        if url.authority().is_some_and(|authority| authority.as_str().contains('@')) {
            return Err(refuse("is a URL with a user or a password, and must not have any"));
        }
        let plain_is_safe = || {
            let address = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
            host.eq_ignore_ascii_case("localhost") || address.is_ok_and(|it| it.is_loopback())
        };
        let scheme = url.scheme();
        if scheme == Some(&Scheme::HTTPS) || scheme == Some(&Scheme::HTTP) && plain_is_safe() {
            Ok(Self(url))
        } else {
            Err(refuse("is fetched over https; over http from this host only"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_come_over_https_or_from_this_host() {
        for good in [
            "https://id.example.com/jwks",
            "https://id.example.com:8443/realms/a/protocol/openid-connect/certs",
            "HTTPS://id.example.com",
            "http://localhost:8080/jwks",
            "http://127.0.0.1/jwks",
            "http://[::1]:8080/jwks",
        ] {
            assert!(good.parse::<JwksUrl>().is_ok(), "{good}");
        }
        for bad in [
            "",
            "/jwks.json",
            "https://",
            "https:///jwks",
            "http://id.example.com/jwks",
            "http://localhost.example.com/jwks",
            "http://127.0.0.1.example.com/jwks",
            "http://localhost@example.com/jwks",
            "https://user:password@id.example.com/jwks",
            "http://10.0.0.1/jwks",
            "http://[::ffff:10.0.0.1]/jwks",
            "file:///etc/jwks",
            "ftp://localhost/jwks",
        ] {
            assert!(bad.parse::<JwksUrl>().is_err(), "{bad}");
        }
    }

    #[test]
    fn a_query_is_not_shown() {
        let url: JwksUrl = "https://id.example.com:8443/keys?code=hunter2".parse().unwrap();
        assert_eq!(url.to_string(), "https://id.example.com:8443/keys");
        assert!(!format!("{url:?}").contains("hunter2"));
    }
}
