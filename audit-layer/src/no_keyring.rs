//! In the place of [`keyring`](crate::keyring) without the feature: there are no keys, and nothing is made with them.

use std::path::Path;

use crate::Error;

/// None.
#[derive(Debug)]
pub(crate) enum Keys {}

/// None.
#[derive(Debug)]
pub(crate) enum HashingKey {}

/// None.
#[derive(Debug)]
pub(crate) enum SealingKey {}

/// Where nothing is sealed.
#[derive(Debug)]
#[allow(dead_code, reason = "nothing is sealed")]
pub(crate) struct Place<'p> {
    pub(crate) stream: &'p str,
    pub(crate) id: &'p str,
    pub(crate) tenant: &'p str,
}

impl Keys {
    pub(crate) fn open(_: &Path) -> Result<Self, Error> {
        let why = "audit-layer was built without the feature \"keyring\"".to_owned();
        Err(Error::Invalid { name: "keyring", why })
    }

    pub(crate) fn hashing(&self) -> Result<HashingKey, Error> {
        match *self {}
    }

    pub(crate) fn sealing(&self, _: Option<&str>) -> Result<SealingKey, Error> {
        match *self {}
    }

    pub(crate) fn forget_erased(&self) -> Result<(), Error> {
        match *self {}
    }
}

impl HashingKey {
    pub(crate) fn mark(&self, _: &str) -> String {
        match *self {}
    }
}

impl SealingKey {
    pub(crate) fn seal(&self, _: &Place<'_>, _: &str, _: &[u8]) -> Option<String> {
        match *self {}
    }
}
