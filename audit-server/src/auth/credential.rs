//! Who was let in, whatever it was that let them in.

use super::{KeyId, KeyInfo, Role, Tenant, TokenInfo, WrongKey};

/// A credential that was found to be valid.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Credential {
    /// The id of the key, or whom a token is about.
    pub(crate) id: Box<str>,
    /// What people know it by.
    pub(crate) name: Box<str>,
    pub(crate) role: Role,
    /// Whose records it sees; all when there is none.
    pub(crate) tenant: Option<Tenant>,
    /// The key, when it is one.
    pub(crate) key: Option<KeyId>,
}

impl From<KeyInfo> for Credential {
    fn from(info: KeyInfo) -> Self {
        let KeyInfo { id, name, role, tenant, .. } = info;
        Self { id: id.as_str().into(), name: name.into(), role, tenant, key: Some(id) }
    }
}

impl TryFrom<TokenInfo> for Credential {
    type Error = WrongKey;

    /// # Errors
    /// When its tenant cannot be one.
    fn try_from(info: TokenInfo) -> Result<Self, WrongKey> {
        let TokenInfo { subject, role, tenant, .. } = info;
        let tenant = tenant.map(|tenant| tenant.parse()).transpose().map_err(|_| WrongKey)?;
        let id: Box<str> = subject.into();
        Ok(Self { name: id.clone(), id, role, tenant, key: None })
    }
}
