//! Whose tokens are accepted, and what their claims mean.

use std::{path::PathBuf, str::FromStr};

use super::{JwksUrl, TokensUnusable, claim::ClaimPath};
use crate::auth::Role;

/// The claim that a role is looked for in when nothing else is set.
pub(crate) const DEFAULT_ROLE_CLAIM: &str = "role";

/// Whose tokens are accepted, and what their claims mean.
#[derive(Debug, Clone)]
pub(crate) struct TokenSettings {
    /// What `iss` must be, to the letter.
    pub(crate) issuer: String,
    /// What must be in `aud`.
    pub(crate) audience: String,
    /// The file with the secret of HS256; its owner's alone.
    pub(crate) secret_file: Option<PathBuf>,
    /// Where the public keys of RS256, ES256 and EdDSA are.
    pub(crate) jwks: Option<JwksSource>,
    /// The claim with the role or the roles: the name of a claim, or a path such as `realm_access.roles`.
    pub(crate) role_claim: String,
    /// What role each value of that claim stands for.
    pub(crate) roles: RoleNames,
    /// The claim with the tenant, named likewise. When there is none, every token opens all tenants.
    pub(crate) tenant_claim: Option<String>,
}

/// Where a set of public keys (RFC 7517) is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum JwksSource {
    /// In a file.
    File(PathBuf),
    /// At a URL.
    Url(JwksUrl),
}

impl FromStr for JwksSource {
    type Err = TokensUnusable;

    /// Whatever begins with a scheme is a URL, anything else a file.
    fn from_str(text: &str) -> Result<Self, TokensUnusable> {
        if text.contains("://") { text.parse().map(Self::Url) } else { Ok(Self::File(text.into())) }
    }
}

/// What role each value of the claim stands for; values that stand for none are passed over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct RoleNames(Vec<(String, Role)>);

impl RoleNames {
    /// The role that may do most of those that these values stand for.
    pub(super) fn highest<'a>(&self, values: impl Iterator<Item = &'a str>) -> Option<Role> {
        let known = |value: &str| self.0.iter().find(|(name, _)| name == value);
        values.filter_map(|value| known(value).map(|(_, role)| *role)).max()
    }
}

/// The roles by their own names.
impl Default for RoleNames {
    fn default() -> Self {
        Self(Role::ALL.map(|role| (role.name().to_owned(), role)).into())
    }
}

impl FromStr for RoleNames {
    type Err = TokensUnusable;

    /// Reads `VALUE=ROLE,…`; a value may itself have a `=` in it. What is not named stands for nothing, the
    /// roles' own names included: who maps `audit-admins` does not expect that `admin` opens as well.
    fn from_str(text: &str) -> Result<Self, TokensUnusable> {
        let invalid = |reason| TokensUnusable::Setting { setting: "jwt_roles", reason };
        let mut names: Vec<(String, Role)> = Vec::new();
        for entry in text.split(',') {
            let (value, role) =
                entry.rsplit_once('=').ok_or_else(|| invalid("are VALUE=ROLE, by commas"))?;
            let (value, role) = (value.trim(), role.trim());
            let role = role.parse().map_err(|_| invalid("are viewer, auditor and admin"))?;
            if value.is_empty() || names.iter().any(|(name, _)| name == value) {
                return Err(invalid("have each value once, and none that is empty"));
            }
            names.push((value.to_owned(), role));
        }
        Ok(Self(names))
    }
}

impl TokenSettings {
    /// What claims are held against.
    pub(super) fn expected(&self) -> Result<super::Expected, TokensUnusable> {
        let required = |setting, text: &str| {
            let reason = "is required";
            let missing = TokensUnusable::Setting { setting, reason };
            if text.is_empty() { Err(missing) } else { Ok(text.to_owned()) }
        };
        let path = |setting, text: &str| {
            let reason = "is the name of a claim, or a path of at most eight";
            ClaimPath::new(text).ok_or(TokensUnusable::Setting { setting, reason })
        };
        let tenant = self.tenant_claim.as_deref().map(|claim| path("jwt_tenant_claim", claim));
        Ok(super::Expected {
            issuer: required("jwt_issuer", &self.issuer)?,
            audience: required("jwt_audience", &self.audience)?,
            role: path("jwt_role_claim", &self.role_claim)?,
            roles: self.roles.clone(),
            tenant: tenant.transpose()?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_highest_role_that_is_known_wins() {
        let roles = RoleNames::default();
        let highest = |values: &[&str]| roles.highest(values.iter().copied());
        assert_eq!(highest(&["viewer", "auditor", "offline_access"]), Some(Role::Auditor));
        assert_eq!(highest(&["admin", "viewer"]), Some(Role::Admin));
        assert_eq!(highest(&["Admin", "admin ", ""]), None);
    }

    #[test]
    fn a_mapping_of_roles_is_all_that_counts() {
        let roles: RoleNames = "audit staff = viewer,cn=audit=auditor".parse().unwrap();
        assert_eq!(roles.highest(["audit staff"].into_iter()), Some(Role::Viewer));
        assert_eq!(roles.highest(["cn=audit"].into_iter()), Some(Role::Auditor));
        assert_eq!(roles.highest(["admin"].into_iter()), None);
        for bad in ["", "a", "a=root", "=viewer", "a=viewer,a=admin", "a=viewer,"] {
            assert!(bad.parse::<RoleNames>().is_err(), "{bad}");
        }
    }
}
