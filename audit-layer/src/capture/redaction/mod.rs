//! Secrets are taken out while an event is encoded, before the journal sees it.
//!
//! A value is a secret when its *name* says so: the name of a field, of a member in a struct, a map or a
//! JSON object at any depth, wherever it is written. What a name means is decided by [`names`]; where
//! names are in a text, by [`text`]. And whatever its name, what shows by itself that it is one is taken out
//! of the text around it, by [`values`].
//!
//! - *Fields* are decided once for each callsite, by its plan; whole numbers, when they are recorded.
//! - *Everything else* is looked for in all that an event or a span was given, once it is encoded: whatever way a
//!   value came, by `Display`, `Debug`, `valuable`, as an error or as bytes, it is in there. What a span was given is
//!   looked at when it was, not with each event inside it. A text without a `{` has no names, and a short one
//!   no secret that shows by itself.
//!
//! Rejected: to look at each value as it is visited. Six short searches cost more than a long one, and
//! spans, errors and panics would each need a hook of their own.
//!
//! `true`, `false` and `null` tell no secret, and are left: `has_password` is of use in an audit.
//!
//! What is to be hashed or sealed by its name is found here too, and marked; [`protection`](super::protection) does it, when
//! all of the event is known. What is taken out is neither hashed nor sealed: it is gone before. A field that is
//! hashed or sealed as a whole is not searched for what shows by itself to be a secret, which
//! somebody has named after all.

mod cards;
mod glance;
mod json;
mod names;
mod patterns;
#[cfg(test)]
mod statistics;
mod text;
mod values;

pub(crate) use json::Members;
pub(crate) use patterns::Names;
pub(crate) use text::REDACTED;

use std::sync::{LazyLock, Mutex};

use patterns::{Fate, Path};
use text::Others;

use super::role::Role;
use crate::{
    journal::frame::{self, Captured, Entries, EntryIter, Key, Mark, RawEntry},
    locked,
    record::{Classification, Member, Value},
    wipe::wipe,
};

/// What a layer takes out. It never changes while the layer lives.
#[derive(Debug, Clone)]
pub(crate) struct Rules {
    /// Which names are those of secrets; none when no name is.
    names: Option<&'static Named>,
    /// Whether what shows by itself to be a secret is one.
    values: bool,
    /// From which classification on all details are sealed.
    classified: Option<Classification>,
}

/// Names that have a number: layers with the same names share the plans of callsites.
#[derive(Debug)]
struct Named {
    number: u32,
    names: Names,
}

impl Default for Rules {
    fn default() -> Self {
        Self::new(Some(Names::default()), true)
    }
}

impl Rules {
    /// Rules of the same names are the same. Each that differ from all before take memory for good, as the plans do
    /// that are made by them: a process builds few layers, and few that differ.
    pub(crate) fn new(names: Option<Names>, values: bool) -> Self {
        static KNOWN: Mutex<Vec<&Named>> = Mutex::new(Vec::new());
        let known = |names| {
            let mut known = locked(&KNOWN);
            if let Some(same) = known.iter().find(|known| known.names == names) {
                return *same;
            }
            let number = u32::try_from(known.len() + 1).unwrap_or(u32::MAX);
            let new: &'static Named = Box::leak(Box::new(Named { number, names }));
            known.push(new);
            new
        };
        Self { names: names.map(known), values, classified: None }
    }

    /// Seals all details of records that are classified so, or more gravely.
    pub(crate) fn sealing_classified(self, from: Option<Classification>) -> Self {
        Self { classified: from, ..self }
    }

    /// From which classification on all details are sealed.
    #[inline]
    pub(crate) fn classified(&self) -> Option<Classification> {
        self.classified
    }

    /// The same number for all layers in which the same names are those of secrets.
    #[inline]
    pub(crate) fn number(&self) -> u32 {
        self.names.map_or(0, |named| named.number)
    }

    /// What is done with the value of a field.
    pub(crate) fn of_field(&self, role: &Role, field: &str) -> Treatment {
        let Some(Named { names, .. }) = self.names else { return Treatment::Look };
        let mut path = Path::default();
        if let Some(parent) = parent(role) {
            path.enter(parent.as_bytes());
        }
        let name = match role {
            Role::Detail(name) | Role::Flag(name) => name,
            Role::Member(_) => field,
        };
        match names.fate(&path, name.as_bytes()) {
            Some(Fate::Redact) => Treatment::Hide,
            Some(Fate::Seal) => Treatment::Mark(Mark::Seal),
            Some(Fate::Hash) => Treatment::Mark(Mark::Hash),
            None if names.keep(&path, name.as_bytes()) => Treatment::Keep,
            None => Treatment::Look,
        }
    }

    /// Whether a whole number is a secret by itself.
    #[inline]
    pub(crate) fn hide_number(&self, value: impl TryInto<u128>) -> bool {
        self.values && value.try_into().is_ok_and(cards::is_number)
    }

    /// Takes the secrets out of the entries that begin there, and marks what is to be hashed or sealed; whether there was
    /// anything.
    #[inline]
    pub(crate) fn redact(&self, bytes: &mut Vec<u8>, begin: usize, roles: &[Role]) -> bool {
        self.has_secrets(bytes.get(begin..).unwrap_or_default())
            && self.rewrite(bytes, begin, roles, || Others::Stay)
    }

    /// Takes out also what is to be hashed or sealed.
    pub(crate) fn redact_all(&self, bytes: &mut Vec<u8>, begin: usize, roles: &[Role]) {
        if self.has_secrets(bytes.get(begin..).unwrap_or_default()) {
            self.rewrite(bytes, begin, roles, || Others::Redact);
        }
    }

    #[inline]
    fn has_secrets(&self, values: &[u8]) -> bool {
        let has_names = |named: &Named| text::may_name_secret(&named.names, values);
        let has_values = || frame::texts(values).any(values::are_in);
        self.names.is_some_and(has_names) || self.values && has_values()
    }

    #[cold]
    fn rewrite(
        &self,
        bytes: &mut Vec<u8>,
        begin: usize,
        roles: &[Role],
        others: impl Fn() -> Others<'static>,
    ) -> bool {
        let (before, values) = bytes.split_at_checked(begin).unwrap_or_default();
        let is_changed = |entry| self.without_secrets(&entry, roles, others()).is_some();
        if !EntryIter::of(values).any(is_changed) {
            return false;
        }
        let mut out = before.to_vec();
        let mut entries = Entries::new(&mut out);
        for mut entry in EntryIter::of(values) {
            match self.without_secrets(&entry, roles, others()) {
                Some((redacted, mark)) => {
                    entry.mark = mark;
                    match redacted.as_deref().or(text_of(&entry.value)) {
                        Some(text) => entries.with_value(&entry, text),
                        None => entries.copy(&entry),
                    }
                }
                None => entries.copy(&entry),
            }
        }
        std::mem::swap(bytes, &mut out);
        // It may have what is to be sealed.
        wipe(&mut out);
        true
    }

    /// The text of an entry without its secrets, if it has some, and what else is to be done with it; none when all
    /// stays as it is.
    fn without_secrets(
        &self,
        entry: &RawEntry<'_>,
        roles: &[Role],
        others: Others<'_>,
    ) -> Option<(Option<String>, Mark)> {
        let text = text_of(&entry.value)?;
        let (path, is_kept) = self.path_of(entry.key, roles)?;
        let read = self
            .names
            .map(|Named { names, .. }| text::read(names, &path, text, others))
            .unwrap_or_default();
        let found = match (read.seals, read.hashes) {
            (false, false) => Mark::None,
            // Members of a text have no place of their own in the record: all of it is sealed.
            (true, _) if !is_structured(entry) => Mark::Seal,
            _ => Mark::Within,
        };
        let mark = entry.mark.max(found);
        let is_named = matches!(entry.mark, Mark::Hash | Mark::Seal);
        let mut redacted = read.text;
        if self.values && !is_kept && !is_named && !is_trace(entry.key, text) {
            let is_json = matches!(entry.value, Captured::Json(_));
            let now = redacted.as_deref().unwrap_or(text);
            redacted = values::redact(now, is_json).or(redacted);
        }
        (redacted.is_some() || mark != entry.mark).then_some((redacted, mark))
    }

    /// The names that lead to the value of an entry, its own included, and whether it is left as it is.
    fn path_of(&self, key: Key, roles: &[Role]) -> Option<(Path, bool)> {
        let mut path = Path::default();
        let name = match key {
            Key::Member(member) => member.name(),
            Key::Field(index) => match roles.get(index)? {
                role @ (Role::Detail(name) | Role::Flag(name)) => {
                    path.enter(parent(role).unwrap_or_default().as_bytes());
                    name
                }
                Role::Member(member) => member.name(),
            },
        };
        let is_kept =
            self.names.is_some_and(|Named { names, .. }| names.keep(&path, name.as_bytes()));
        path.enter(name.as_bytes());
        Some((path, is_kept))
    }

    /// The text of an entry with marks in the place of what is hashed in it; none when nothing is.
    pub(super) fn hash_in_text(
        &self,
        entry: &RawEntry<'_>,
        roles: &[Role],
        hash: &mut dyn FnMut(&str) -> String,
    ) -> Option<String> {
        let (path, _) = self.path_of(entry.key, roles)?;
        let Named { names, .. } = self.names?;
        text::read(names, &path, text_of(&entry.value)?, Others::Hash(hash)).text
    }

    /// Whether something in the text of an entry is to be sealed.
    pub(super) fn seals_in_text(&self, entry: &RawEntry<'_>, roles: &[Role]) -> bool {
        let Some((path, _)) = self.path_of(entry.key, roles) else { return false };
        let (Some(Named { names, .. }), Some(text)) = (self.names, text_of(&entry.value)) else {
            return false;
        };
        text::read(names, &path, text, Others::Stay).seals
    }

    /// Rewrites the JSON of an entry, whose place in the record the pointer is, with marks in the place of what is
    /// hashed or sealed in it; none when it cannot be read.
    pub(super) fn mark_in_json(
        &self,
        entry: &RawEntry<'_>,
        roles: &[Role],
        pointer: &str,
        members: Members,
        marks: &mut dyn Marks,
    ) -> Option<String> {
        static BUILT_IN: LazyLock<Names> = LazyLock::new(Names::default);
        let (path, _) = self.path_of(entry.key, roles)?;
        let names = self.names.map_or(&*BUILT_IN, |Named { names, .. }| names);
        json::rewrite(names, path, pointer, text_of(&entry.value)?, members, marks)
    }
}

/// What makes marks.
pub(super) trait Marks {
    /// The JSON in the place of a value that is hashed, of which this is the text.
    fn hash(&mut self, text: &str) -> String;
    /// The JSON in the place of the value at that pointer that is sealed.
    fn seal(&mut self, pointer: &str, json: &str) -> String;
}

/// Whether its members have places of their own in the record.
pub(super) fn is_structured(entry: &RawEntry<'_>) -> bool {
    match &entry.value {
        Captured::Json(_) => true,
        Captured::Plain(Value::Str(text)) => {
            matches!(entry.key, Key::Member(Member::Details | Member::RegulatoryFlags))
                && crate::record::canonicalise_object(text).is_ok()
        }
        Captured::Plain(_) => false,
    }
}

/// What is done with the value of a field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Treatment {
    /// Its name says that it is a secret.
    Hide,
    /// Its name says that it is to be hashed or sealed.
    Mark(Mark),
    /// Secrets are looked for in it.
    Look,
    /// It is exempt: what it is by itself does not matter.
    Keep,
}

/// The member of a record that a field is in.
fn parent(role: &Role) -> Option<&'static str> {
    match role {
        Role::Member(_) => None,
        Role::Detail(_) => Some(Member::Details.name()),
        Role::Flag(_) => Some(Member::RegulatoryFlags.name()),
    }
}

/// Whether it is the identifier of a trace, which is hexadecimal also when it has digits only.
fn is_trace(key: Key, text: &str) -> bool {
    matches!(key, Key::Member(Member::TraceId | Member::SpanId))
        && matches!(text.len(), 16 | 32)
        && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// The value as a text that may have secrets in it.
fn text_of<'v>(value: &Captured<'v>) -> Option<&'v str> {
    match value {
        Captured::Json(text) | Captured::Plain(Value::Str(text)) => Some(text),
        Captured::Plain(Value::Bytes(bytes)) => str::from_utf8(bytes).ok(),
        Captured::Plain(_) => None,
    }
}
