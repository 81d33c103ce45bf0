//! Settings as they are told in the trail.

use std::{fmt::Display, path::Path};

use super::Config;

/// What a setting is that is not set.
const NONE: &str = "none";

fn optional(value: Option<impl Display>) -> String {
    value.map_or_else(|| NONE.to_owned(), |value| value.to_string())
}

fn path(value: Option<&impl AsRef<Path>>) -> String {
    optional(value.map(|path| path.as_ref().display().to_string()))
}

/// The URL without its query, which is where some have a key, and not at all with a user.
fn place_of_keys(place: &str) -> &str {
    let place = place.split(['?', '#']).next().unwrap_or_default();
    if place.contains('@') { "[hidden]" } else { place }
}

impl Config {
    /// Each setting, by its key in a file, and what it is. Of the URL of Redis the address alone: no secret is among
    /// them.
    pub(crate) fn told(&self) -> Vec<(&'static str, String)> {
        // In full, so that one that is added is not forgotten here.
        let Self {
            listen,
            db,
            keys,
            read_model,
            journal,
            keyring,
            jwt_issuer,
            jwt_audience,
            jwt_secret_file,
            jwt_jwks,
            jwt_role_claim,
            jwt_roles,
            jwt_tenant_claim,
            redis_url,
            redis_log_enabled,
            redis_log_db,
            query_timeout,
            report_timeout,
            readers,
            max_exports,
            rate_limit,
            rate_limit_address,
            lockout_after,
            trusted_proxies,
            allow_from,
            tls_cert,
            tls_key,
            tls_client_ca,
            plain_http,
            cors_origins,
            max_connections,
            header_timeout,
            shutdown_timeout,
            nice,
            log,
        } = self;
        let time = |time| humantime::format_duration(time).to_string();
        vec![
            ("listen", listen.to_string()),
            ("db", path(Some(db))),
            ("keys", path(Some(keys))),
            ("read_model", path(read_model.as_ref())),
            ("journal", path(journal.as_ref())),
            ("keyring", path(keyring.as_ref())),
            ("jwt_issuer", optional(jwt_issuer.as_ref())),
            ("jwt_audience", optional(jwt_audience.as_ref())),
            ("jwt_secret_file", path(jwt_secret_file.as_ref())),
            ("jwt_jwks", optional(jwt_jwks.as_deref().map(place_of_keys))),
            ("jwt_role_claim", optional(jwt_role_claim.as_ref())),
            ("jwt_roles", optional(jwt_roles.as_ref())),
            ("jwt_tenant_claim", optional(jwt_tenant_claim.as_ref())),
            ("redis_url", optional(redis_url.as_ref().map(|url| format!("{url:?}")))),
            ("redis_log_enabled", redis_log_enabled.to_string()),
            ("redis_log_db", optional(redis_log_db.as_ref())),
            ("query_timeout", time(*query_timeout)),
            ("report_timeout", time(*report_timeout)),
            ("readers", readers.to_string()),
            ("max_exports", max_exports.to_string()),
            ("rate_limit", optional(rate_limit.as_ref())),
            ("rate_limit_address", optional(rate_limit_address.as_ref())),
            ("lockout_after", lockout_after.to_string()),
            ("trusted_proxies", trusted_proxies.to_string()),
            ("allow_from", allow_from.to_string()),
            ("tls_cert", path(tls_cert.as_ref())),
            ("tls_key", path(tls_key.as_ref())),
            ("tls_client_ca", path(tls_client_ca.as_ref())),
            ("plain_http", plain_http.to_string()),
            ("cors_origins", cors_origins.join(",")),
            ("max_connections", max_connections.to_string()),
            ("header_timeout", time(*header_timeout)),
            ("shutdown_timeout", time(*shutdown_timeout)),
            ("nice", nice.to_string()),
            ("log", log.to_string()),
        ]
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::config::SETTINGS;

    #[test]
    fn each_setting_is_told_and_no_password_is() {
        let redis_url = Some("redis://user:hunter2@cache.example.org/3".parse().unwrap());
        let jwt_jwks = Some("https://id.example.org/keys?api_key=hunter2#hunter2".to_owned());
        let told = Config { redis_url, jwt_jwks, ..Config::default() }.told();
        let names: BTreeSet<_> = told.iter().map(|(name, _)| *name).collect();
        assert_eq!(names, SETTINGS.iter().map(|(key, _)| *key).collect());
        assert_eq!(names.len(), told.len());
        assert!(!format!("{told:?}").contains("hunter2"), "{told:?}");
        assert_eq!(place_of_keys("https://user:hunter2@id.example.org/keys"), "[hidden]");
        for place in ["cache.example.org", "https://id.example.org/keys\""] {
            assert!(format!("{told:?}").contains(place), "{told:?}");
        }
    }
}
