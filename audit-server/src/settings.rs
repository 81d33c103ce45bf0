//! Which settings are others than when the server was started before: for the trail.
//!
//! What they were then stands in the server's own database, beside its keys. The first start tells nothing. A start that
//! records nothing changes nothing there but that it records nothing: the next one that does tells of that, and of all
//! that was changed since the last one that did.

use crate::{Config, Error, auth::KeyStore};

/// A setting that was changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Change {
    pub(crate) name: &'static str,
    pub(crate) before: String,
    pub(crate) now: String,
}

/// Calls `tell` with what was changed since the settings were kept last, and keeps them.
///
/// # Errors
/// When the database of keys cannot be read or written.
pub(crate) fn compare(
    keys: &KeyStore,
    config: &Config,
    mut tell: impl FnMut(Change),
) -> Result<(), Error> {
    let before = keys.settings()?;
    let mut settings = config.told();
    if config.journal.is_none() {
        if before.is_empty() {
            return Ok(());
        }
        settings.retain(|(name, _)| *name == "journal");
    } else {
        // Told before it is kept: twice is better than never.
        for (name, now) in &settings {
            if let Some(before) = before.get(*name).filter(|before| *before != now) {
                tell(Change { name, before: before.clone(), now: now.clone() });
            }
        }
    }
    settings.retain(|(name, now)| before.get(*name) != Some(now));
    keys.keep_settings(&settings)
}
