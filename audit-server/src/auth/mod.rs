//! Who may ask: admin keys.
//!
//! A key is 32 random bytes, shown once, when it is made. Kept are its SHA-256, an id, a name and
//! two dates, in a small database of the server's own. Rejected: argon2, which protects passwords
//! that people choose and costs 18 ms a check; 256 random bits need no such help. Rejected: a cache
//! of keys, since a look-up takes microseconds and a key that was revoked must not live on.

mod credentials;
mod error;
mod key;
mod store;

pub(crate) use credentials::presented;
pub use error::{
    KeyFileMissing, KeyFileUnusable, KeyIdInvalid, KeyNameInvalid, KeyUnknown, WrongKey,
};
pub use key::{KeyId, SecretKeyText};
pub use store::{KeyInfo, KeyStore};
