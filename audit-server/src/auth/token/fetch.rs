//! Fetches a set of public keys.
//!
//! Whoever can answer in the provider's place signs tokens, so TLS is checked against the certificates that
//! this host trusts, with its own authorities among them (`SSL_CERT_FILE` names others). Rejected: Mozilla's
//! list compiled in, which knows no authority of a company and grows old with the binary. An answer is bounded
//! in time and length, and redirects are not followed: they may lead to where TLS does not.

use std::{sync::Arc, time::Duration};

use ureq::tls::{RootCerts, TlsConfig};

use super::{
    JwksUrl, TokensUnusable,
    jwks::{KeySet, MAX_JWKS_BYTES},
};

/// How long it may take, from looking up the host to the last byte.
pub(super) const TIMEOUT: Duration = Duration::from_secs(5);

/// How keys are fetched.
#[derive(Debug)]
pub(super) struct Fetch {
    /// Whom TLS trusts.
    pub(super) roots: RootCerts,
    /// How long it may take.
    pub(super) timeout: Duration,
}

impl Default for Fetch {
    fn default() -> Self {
        Self { roots: RootCerts::PlatformVerifier, timeout: TIMEOUT }
    }
}

impl Fetch {
    /// Fetches them. Blocks.
    pub(super) fn fetch(&self, url: &JwksUrl) -> Result<KeySet, TokensUnusable> {
        let refuse = |reason| TokensUnusable::keys(url, reason);
        let failed = |error: ureq::Error| match error {
            ureq::Error::Timeout(_) => refuse("there is no whole answer within five seconds"),
            ureq::Error::BodyExceedsLimit(_) => refuse("the answer is longer than 256 KiB"),
            error => TokensUnusable::because(url, "they cannot be fetched", error),
        };
        let mut response = self.agent(url).get(url.uri()).call().map_err(failed)?;
        match response.status().as_u16() {
            200 => {}
            300..400 => return Err(refuse("it redirects; give the address that it redirects to")),
            _ => return Err(refuse("the answer has another status than 200")),
        }
        let most = MAX_JWKS_BYTES as u64;
        let body = response.body_mut().with_config().limit(most).read_to_vec().map_err(failed)?;
        KeySet::read(&body).map_err(refuse)
    }

    /// Made anew for each fetch: there is one every ten minutes, and what the host trusts may have changed.
    fn agent(&self, url: &JwksUrl) -> ureq::Agent {
        let tls = TlsConfig::builder()
            .root_certs(self.roots.clone())
            .unversioned_rustls_crypto_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .build();
        let mut config = ureq::Agent::config_builder()
            .tls_config(tls)
            .timeout_global(Some(self.timeout))
            .http_status_as_error(false)
            .max_redirects(0)
            .user_agent("audit-server");
        if url.is_plain() {
            // What is not encrypted stays on this host, whatever HTTP_PROXY says.
            config = config.proxy(None);
        }
        config.build().into()
    }
}
