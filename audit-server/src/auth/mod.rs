//! Who may ask, and for what: keys with a role, and [tokens](token) of an identity provider.
//!
//! A key is 32 random bytes, shown once, when it is made. Kept are its SHA-256, an id, a name, its
//! role, the tenant whose records it sees, some dates and the networks from which it may be used, in a small database of the server's own. Rejected: argon2, which protects passwords
//! that people choose and costs 18 ms a check; 256 random bits need no such help. Rejected: a cache
//! of keys, since a look-up takes microseconds and a key that was revoked must not live on.

mod credential;
mod credentials;
mod error;
mod key;
mod lockout;
mod network;
mod scope;
mod store;
mod tenant;
mod token;

pub(crate) use credential::Credential;
pub(crate) use credentials::{Presented, TokenText, claimed, presented};
pub use error::{
    Forbidden, KeyFileMissing, KeyFileUnusable, KeyIdInvalid, KeyLifetimeInvalid, KeyNameInvalid,
    KeyUnknown, TenantAdmin, TenantBound, TooManyKeys, WrongKey,
};
pub use key::{KeyId, SecretKeyText};
pub(crate) use lockout::{Failed, LOCKED_FOR, Lockout, host};
pub(crate) use network::MAX_NETWORKS_BYTES;
pub use network::{NetworkInvalid, Networks};
pub use scope::{Role, RoleUnknown, Scope};
pub use store::{KeyInfo, KeyStore, NewKey};
pub(crate) use tenant::MAX_TENANT_BYTES;
pub use tenant::{Tenant, TenantInvalid};
pub use token::TokensUnusable;
pub(crate) use token::{
    Checked, DEFAULT_ROLE_CLAIM, JwksSource, RoleNames, TokenInfo, TokenSettings, Tokens,
};
