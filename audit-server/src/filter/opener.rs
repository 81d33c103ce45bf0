//! What applications sealed, in clear, for those who may see it.
//!
//! A value that was sealed ([`audit_layer::sealed`]) stands in its record as a mark, `{"$sealed":{…}}`, which the keys of the host
//! open. To conditions the mark is a leaf whose text is `[sealed]`, so that whoever may not open it can find out where one is.
//! Whoever may is shown what it says, and finds it by that, by equality: see [`Opener::is_in`]. Where a
//! person was erased it reads [`ERASED`].
//!
//! Exports keep the marks, whoever makes them: a file is out of reach, and of what was erased nothing must be left in
//! one.
//!
//! # What the trail tells of it
//! Each answer with opened values makes a record of its own, with the members and the ids of the records. What somebody looked
//! for is not told in clear there.
//!
//! # When the keyring fails
//! To find nothing because nothing could be opened would be a wrong answer. So an opener remembers that it failed, and
//! [`Opener::check`] has the last word on each answer.

use std::{
    borrow::Cow,
    collections::BTreeSet,
    mem,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use audit_layer::{
    keyring::{Content, Keyring, KeyringError, Opened, open_sealed_in},
    record::Record,
};
use serde_json::value::RawValue;

use super::leaves;
use crate::Error;

/// What an erased one reads.
const ERASED: &str = r#""[erased]""#;

/// The most members whose names are told.
const MOST_NAMES: usize = 32;

/// The most records whose ids are told.
const MOST_IDS: usize = 100;

/// Opens what is sealed for one who asks, once.
#[derive(Debug)]
pub(crate) struct Opener {
    keyring: Arc<Keyring>,
    tally: Mutex<Tally>,
}

#[derive(Debug, Default)]
struct Tally {
    shown: Shown,
    failure: Option<Arc<KeyringError>>,
    /// What is sealed in the record that was looked at last.
    last: Option<Leaves>,
}

/// What is sealed in a record: names and texts.
#[derive(Debug)]
struct Leaves {
    of: [String; 5],
    leaves: Vec<(String, String)>,
}

/// All that decides what is sealed in it.
fn parts<'r>(record: &'r Record<'_>) -> [&'r str; 5] {
    let object = |object: Option<&'r RawValue>| object.map(RawValue::get).unwrap_or_default();
    [
        &record.stream,
        &record.id,
        record.tenant.as_deref().unwrap_or_default(),
        object(record.details),
        object(record.regulatory_flags),
    ]
}

impl Leaves {
    fn of(record: &Record<'_>, keyring: &Keyring) -> Result<Self, KeyringError> {
        let mut leaves = Vec::new();
        clear_leaves(record, keyring, |name, text, _| leaves.push((name.into(), text.into())))?;
        Ok(Self { of: parts(record).map(str::to_owned), leaves })
    }

    fn are_of(&self, record: &Record<'_>) -> bool {
        self.of == parts(record)
    }

    fn have(&self, name: &str, text: &str) -> bool {
        self.leaves.iter().any(|(leaf, said)| leaf == name && said == text)
    }
}

/// What was shown in clear.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Shown {
    /// How many values.
    pub(crate) values: u64,
    /// In how many records.
    pub(crate) records: u64,
    /// Of which members: the first of them, in order.
    pub(crate) members: BTreeSet<String>,
    /// The ids of the first of these records.
    pub(crate) ids: Vec<String>,
}

impl Shown {
    /// The names of the members, with a blank between two.
    pub(crate) fn members(&self) -> String {
        self.members.iter().map(String::as_str).collect::<Vec<_>>().join(" ")
    }
}

impl Opener {
    pub(crate) fn new(keyring: Arc<Keyring>) -> Self {
        Self { keyring, tally: Mutex::default() }
    }

    pub(crate) fn keyring(&self) -> &Keyring {
        &self.keyring
    }

    /// Whether a sealed value of the record has this text under this name. After a failure nothing is opened any more.
    pub(crate) fn is_in(&self, record: &Record<'_>, name: &str, wanted: &str) -> bool {
        let is_sealed = |object: Option<&RawValue>| object.is_some_and(|it| has_mark(it.get()));
        if !is_sealed(record.details) && !is_sealed(record.regulatory_flags) {
            return false;
        }
        let mut tally = self.tally();
        if tally.failure.is_some() {
            return false;
        }
        // Several conditions are held against one record after the other.
        let last = tally.last.take().filter(|last| last.are_of(record));
        match last.map_or_else(|| Leaves::of(record, &self.keyring), Ok) {
            Ok(leaves) => tally.last.insert(leaves).have(name, wanted),
            Err(failure) => {
                drop(tally);
                self.failed(failure);
                false
            }
        }
    }

    /// The line with what its marks say, and a note of that. It is no longer the line that the hash is of. Marks that
    /// nobody here can open stay.
    pub(crate) fn opened(&self, line: Box<str>) -> Box<str> {
        if !has_mark(&line) || self.has_failed() {
            return line;
        }
        let Ok(record) = Record::parse(&line) else { return line };
        let opened = match open_sealed_in(&record, &self.keyring) {
            Ok(opened) => opened,
            Err(failure) => {
                self.failed(failure);
                return line;
            }
        };
        let mut shown = String::with_capacity(line.len());
        let mut at = 0;
        let mut values: u64 = 0;
        let mut tally = self.tally();
        for Opened { mark, content, name, .. } in &opened {
            let clear = match content {
                Content::Clear(json) => json,
                Content::Erased { .. } => ERASED,
                _ => continue,
            };
            // It is a part of the line, so that its address says where.
            let from = mark.as_ptr().addr().saturating_sub(line.as_ptr().addr());
            let Some(before) = line.get(at..from) else { continue };
            shown.push_str(before);
            shown.push_str(clear);
            at = from + mark.len();
            if matches!(content, Content::Clear(_)) {
                values += 1;
                if tally.shown.members.len() < MOST_NAMES {
                    tally.shown.members.insert(name.clone());
                }
            }
        }
        if values > 0 {
            tally.shown.values += values;
            tally.shown.records += 1;
            if tally.shown.ids.len() < MOST_IDS {
                tally.shown.ids.push(record.id.clone().into_owned());
            }
        }
        drop(tally);
        shown.push_str(line.get(at..).unwrap_or_default());
        shown.into()
    }

    /// What was shown since this was asked last; none when nothing was.
    pub(crate) fn take_shown(&self) -> Option<Shown> {
        Some(mem::take(&mut self.tally().shown)).filter(|shown| shown.values > 0)
    }

    /// Whether everything could be opened that had to be, ever.
    ///
    /// # Errors
    /// When the keyring could not be read.
    pub(crate) fn check(&self) -> Result<(), Error> {
        let mut tally = self.tally();
        // What was in clear is kept no longer than it is looked at.
        tally.last = None;
        match &tally.failure {
            Some(failure) => Err(Error::Keyring(failure.clone())),
            None => Ok(()),
        }
    }

    /// Notes that the keyring could not be read.
    pub(crate) fn failed(&self, failure: KeyringError) {
        self.tally().failure.get_or_insert_with(|| Arc::new(failure));
    }

    /// Whether it could not.
    pub(crate) fn has_failed(&self) -> bool {
        self.tally().failure.is_some()
    }

    fn tally(&self) -> MutexGuard<'_, Tally> {
        self.tally.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether there is a mark in it.
fn has_mark(text: &str) -> bool {
    text.contains(r#""$sealed""#)
}

/// Gives each leaf of what is sealed in the record and can be opened: the name under which it would stand, its text, and the
/// name of its key.
///
/// # Errors
/// When the keyring cannot be read.
pub(crate) fn clear_leaves(
    record: &Record<'_>,
    keyring: &Keyring,
    mut visit: impl FnMut(&str, &str, &str),
) -> Result<(), KeyringError> {
    for Opened { name, content, key_id, .. } in open_sealed_in(record, keyring)? {
        let Content::Clear(json) = content else { continue };
        let Ok(value) = serde_json::from_str::<&RawValue>(&json) else { continue };
        leaves(value, |path, leaf| {
            let name = match path {
                "" => Cow::Borrowed(&*name),
                path => format!("{name}.{path}").into(),
            };
            visit(&name, leaf.text, &key_id);
        });
    }
    Ok(())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_is_told_each_time_and_nothing_is_opened_after_it() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("keyring.db");
        let opener = Opener::new(Arc::new(Keyring::init(&path).unwrap()));
        let mark =
            format!(r#"{{"$sealed":{{"c":"AAAA","k":"0123456789","n":"{}"}}}}"#, "A".repeat(32));
        let zeros = "0".repeat(64);
        let line = format!(
            r#"{{"category":"data","details":{{"a":{mark}}},"event_type":"data.read","id":"i","level":"INFO","logger":"audit","prev_hash":"{zeros}","seq":1,"severity":"info","stream":"s@h~k3x9q2","timestamp":"t","v":1,"hash":"{zeros}"}}"#
        );
        let record = Record::parse(&line).unwrap();
        // A key that is not there is no failure.
        assert!(!opener.is_in(&record, "details.a", "x"));
        assert_eq!(*opener.opened(line.clone().into()), line);
        assert!(opener.check().is_ok());

        std::fs::rename(&path, directory.path().join("away.db")).unwrap();
        // What was opened last is not kept beyond the check.
        assert!(!opener.is_in(&record, "details.a", "x") && opener.has_failed());
        assert!(opener.check().is_err() && opener.check().is_err());
        std::fs::rename(directory.path().join("away.db"), &path).unwrap();
        assert!(!opener.is_in(&record, "details.a", "x"));
        assert_eq!(*opener.opened(line.clone().into()), line);
        assert!(opener.check().is_err(), "an answer that lacks something does not become whole");
        assert_eq!(opener.take_shown(), None);
    }
}
