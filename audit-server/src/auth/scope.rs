//! What a credential may do.
//!
//! A *scope* is one kind of thing to do, and each endpoint asks for one; a *role* is a set of scopes
//! that people know by name. A credential has a role, and endpoints know of scopes alone: so what a
//! role may do is decided in one place, and no endpoint asks who somebody is.

use std::{fmt, str::FromStr};

/// One kind of thing to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Scope {
    /// `audit:read`: pages, single records and charts, and how the server is.
    Read = 1,
    /// `audit:report`: reports and anomalies.
    Report = 1 << 1,
    /// `audit:export`: exports; and to see the details of restricted records, which an export has.
    Export = 1 << 2,
    /// `audit:verify`: whether the trail is whole.
    Verify = 1 << 3,
    /// `audit:decrypt`: sealed values in clear.
    Decrypt = 1 << 4,
    /// `audit:admin`: keys.
    Admin = 1 << 5,
}

impl Scope {
    /// Its name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Read => "audit:read",
            Self::Report => "audit:report",
            Self::Export => "audit:export",
            Self::Verify => "audit:verify",
            Self::Decrypt => "audit:decrypt",
            Self::Admin => "audit:admin",
        }
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// What people know a set of scopes by. Each may do what those before it may.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Role {
    /// Pages and charts, with the details of restricted records masked.
    Viewer,
    /// Everything that can be read: reports, exports and whether the trail is whole, too.
    Auditor,
    /// Keys, too.
    Admin,
}

impl Role {
    /// All of them, from the one that may do least.
    pub const ALL: [Self; 3] = [Self::Viewer, Self::Auditor, Self::Admin];

    /// Its name, as it is stored and written.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Viewer => "viewer",
            Self::Auditor => "auditor",
            Self::Admin => "admin",
        }
    }

    /// Whether it may do that.
    #[must_use]
    pub fn may(self, scope: Scope) -> bool {
        match scope {
            Scope::Read => true,
            Scope::Report | Scope::Export | Scope::Verify | Scope::Decrypt => self >= Self::Auditor,
            Scope::Admin => self >= Self::Admin,
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Role {
    type Err = RoleUnknown;

    fn from_str(text: &str) -> Result<Self, RoleUnknown> {
        Self::ALL.into_iter().find(|role| role.name() == text).ok_or(RoleUnknown)
    }
}

/// There is no such role.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a role is viewer, auditor or admin")]
pub struct RoleUnknown;
