//! The keys that a layer seals and hashes with, kept in memory while they are in use.
//!
//! A key must not be used once it was erased, by whatever process. SQLite counts what others commit to the file, and
//! `PRAGMA data_version` asks for that: it is asked before anything of a subject is sealed, and what is in memory is dropped when
//! it has changed. The keys of the host cannot be erased, only replaced; for these it is asked once a
//! second.
//!
//! That takes 4 µs, as much as to seal a short value does (`what_a_key_costs`); a key of the host 0.05 µs.
//!
//! Rejected: to read the counter from the file without SQLite. It is a system call in place of five, but whoever closes a file drops
//! all locks that the process has on it, those of SQLite too. To keep a read transaction open until the event is in the journal, so that no
//! erasure comes between: the event would be erased all the same, a moment later.

use std::{
    collections::HashMap,
    path::Path,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use super::{Key, Keyring, KeyringError, Purpose, sealing};
use crate::{Error, locked};

/// How many keys of subjects are in memory at most.
const MAX_SUBJECTS: usize = 1024;
/// How often the file is looked at for other keys of the host.
const LOOK: Duration = Duration::from_secs(1);

/// A keyring in use.
#[derive(Debug)]
pub(crate) struct Keys {
    keyring: Keyring,
    known: Mutex<Known>,
}

#[derive(Debug)]
struct Known {
    version: i64,
    looked: Instant,
    hash: Arc<Key>,
    seal: Arc<Key>,
    names: Key,
    /// By the HMAC of their names, and when they were used last.
    subjects: HashMap<[u8; 32], (Arc<Key>, u64)>,
    uses: u64,
}

/// A key to hash with.
#[derive(Debug, Clone)]
pub(crate) struct HashingKey(Arc<Key>);

impl HashingKey {
    /// The mark in the place of a value of that text.
    pub(crate) fn mark(&self, text: &str) -> String {
        self.0.hash_mark(text.as_bytes())
    }
}

/// A key to seal with.
#[derive(Debug, Clone)]
pub(crate) struct SealingKey(Arc<Key>);

impl SealingKey {
    /// The mark in the place of a value; none when the system gives no random bytes.
    pub(crate) fn seal(
        &self,
        place: &sealing::Place<'_>,
        path: &str,
        json: &[u8],
    ) -> Option<String> {
        sealing::seal(&self.0, place, path, json)
    }
}

impl Keys {
    pub(crate) fn open(path: &Path) -> Result<Self, Error> {
        Ok(Self::new(Keyring::open(path)?)?)
    }

    fn new(keyring: Keyring) -> Result<Self, KeyringError> {
        let known = Known {
            // Before the keys: what changes between is looked at again.
            version: keyring.data_version()?,
            looked: Instant::now(),
            hash: Arc::new(keyring.in_use(Purpose::Hash)?),
            seal: Arc::new(keyring.in_use(Purpose::Seal)?),
            names: keyring.names_key()?,
            subjects: HashMap::new(),
            uses: 0,
        };
        Ok(Self { keyring, known: Mutex::new(known) })
    }

    /// The key to hash with.
    pub(crate) fn hashing(&self) -> Result<HashingKey, KeyringError> {
        let mut known = locked(&self.known);
        self.look_at_times(&mut known)?;
        Ok(HashingKey(Arc::clone(&known.hash)))
    }

    /// The key to seal with what concerns that subject, or nobody.
    pub(crate) fn sealing(&self, subject: Option<&str>) -> Result<SealingKey, KeyringError> {
        let mut known = locked(&self.known);
        let Some(subject) = subject else {
            self.look_at_times(&mut known)?;
            return Ok(SealingKey(Arc::clone(&known.seal)));
        };
        self.look(&mut known)?;
        let known = &mut *known;
        let subject = known.names.hmac(subject.as_bytes());
        known.uses += 1;
        if let Some((key, used)) = known.subjects.get_mut(&subject) {
            *used = known.uses;
            return Ok(SealingKey(Arc::clone(key)));
        }
        let key = Arc::new(self.keyring.subject_key(&subject)?);
        if known.subjects.len() >= MAX_SUBJECTS
            && let Some(oldest) =
                known.subjects.iter().min_by_key(|(_, (_, used))| *used).map(|(name, _)| *name)
        {
            known.subjects.remove(&oldest);
        }
        known.subjects.insert(subject, (Arc::clone(&key), known.uses));
        Ok(SealingKey(key))
    }

    /// Drops what was erased from memory, also when nothing is sealed.
    pub(crate) fn forget_erased(&self) -> Result<(), KeyringError> {
        self.look(&mut locked(&self.known))
    }

    fn look_at_times(&self, known: &mut Known) -> Result<(), KeyringError> {
        if known.looked.elapsed() < LOOK { Ok(()) } else { self.look(known) }
    }

    /// Makes sure that the keys in memory are those in the file.
    fn look(&self, known: &mut Known) -> Result<(), KeyringError> {
        let version = self.keyring.data_version()?;
        if version != known.version {
            known.subjects.clear();
            known.hash = Arc::new(self.keyring.in_use(Purpose::Hash)?);
            known.seal = Arc::new(self.keyring.in_use(Purpose::Seal)?);
            known.version = version;
        }
        known.looked = Instant::now();
        Ok(())
    }
}

#[cfg(test)]
mod tests;
