//! Whose records a credential sees.
//!
//! A service with several customers sets `tenant` in its records. A credential that is bound to one sees the records
//! that have exactly this text there, and nothing that would tell how many others there are: see [`Sight`](crate::query::Sight). Records
//! without a tenant are of the service itself, and are seen by credentials that are not bound.

use std::{fmt, str::FromStr};

/// The longest name of a tenant, in bytes.
pub(crate) const MAX_TENANT_BYTES: usize = 128;

/// The name of a tenant, as its records have it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tenant(Box<str>);

impl Tenant {
    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Tenant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for Tenant {
    type Err = TenantInvalid;

    fn from_str(text: &str) -> Result<Self, TenantInvalid> {
        let is_one = !text.is_empty()
            && text.len() <= MAX_TENANT_BYTES
            && !text.chars().any(char::is_control)
            // What stands for all of them elsewhere.
            && text != "*";
        if is_one { Ok(Self(text.into())) } else { Err(TenantInvalid) }
    }
}

/// That names no tenant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a tenant has a name of 1 to 128 bytes without control characters, and it is not *")]
pub struct TenantInvalid;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tenant_has_a_name_and_no_other_stands_for_it() {
        for good in ["acme", "Acme GmbH & Co", "ü", " a", &"x".repeat(128)] {
            assert_eq!(good.parse::<Tenant>().map(|it| it.to_string()), Ok(good.to_owned()));
        }
        for bad in ["", "*", "a\nb", &"x".repeat(129)] {
            assert_eq!(bad.parse::<Tenant>(), Err(TenantInvalid), "{bad:?}");
        }
    }
}
