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

mod cards;
mod names;
mod patterns;
#[cfg(test)]
mod statistics;
mod text;
mod values;

pub(crate) use patterns::Names;
pub(crate) use text::REDACTED;

use std::sync::Mutex;

use patterns::Path;

use super::role::Role;
use crate::{
    journal::frame::{self, Captured, Entries, EntryIter, Key, RawEntry},
    locked,
    record::{Member, Value},
};

/// What a layer takes out. It never changes while the layer lives.
#[derive(Debug, Clone)]
pub(crate) struct Rules {
    /// Which names are those of secrets; none when no name is.
    names: Option<&'static Named>,
    /// Whether what shows by itself to be a secret is one.
    values: bool,
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
        Self { names: names.map(known), values }
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
        if names.hide(&path, name.as_bytes()) {
            Treatment::Hide
        } else if names.keep(&path, name.as_bytes()) {
            Treatment::Keep
        } else {
            Treatment::Look
        }
    }

    /// Whether a whole number is a secret by itself.
    #[inline]
    pub(crate) fn hide_number(&self, value: impl TryInto<u128>) -> bool {
        self.values && value.try_into().is_ok_and(cards::is_number)
    }

    /// Takes the secrets out of the entries that begin there; whether there were any.
    #[inline]
    pub(crate) fn redact(&self, bytes: &mut Vec<u8>, begin: usize, roles: &[Role]) -> bool {
        let values = bytes.get(begin..).unwrap_or_default();
        let has_names = |named: &Named| {
            memchr::memchr(b'{', values).is_some_and(|at| {
                text::may_name_secret(&named.names, values.get(at..).unwrap_or_default())
            })
        };
        let has_values = || frame::texts(values).any(values::are_in);
        (self.names.is_some_and(has_names) || self.values && has_values())
            && self.rewrite(bytes, begin, roles)
    }

    #[cold]
    fn rewrite(&self, bytes: &mut Vec<u8>, begin: usize, roles: &[Role]) -> bool {
        let (before, values) = bytes.split_at_checked(begin).unwrap_or_default();
        if !EntryIter::of(values).any(|entry| self.without_secrets(&entry, roles).is_some()) {
            return false;
        }
        let mut out = before.to_vec();
        let mut entries = Entries::new(&mut out);
        for entry in EntryIter::of(values) {
            match self.without_secrets(&entry, roles) {
                Some(redacted) => entries.with_value(&entry, &redacted),
                None => entries.copy(&entry),
            }
        }
        *bytes = out;
        true
    }

    /// The text of an entry without its secrets; none when it has none.
    fn without_secrets(&self, entry: &RawEntry<'_>, roles: &[Role]) -> Option<String> {
        let text = text_of(&entry.value)?;
        let mut path = Path::default();
        let name = match entry.key {
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
        let unnamed = self.names.and_then(|Named { names, .. }| text::redact(names, &path, text));
        if !self.values || is_kept || is_trace(entry.key, text) {
            return unnamed;
        }
        let is_json = matches!(entry.value, Captured::Json(_));
        values::redact(unnamed.as_deref().unwrap_or(text), is_json).or(unnamed)
    }
}

/// What is done with the value of a field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Treatment {
    /// Its name says that it is a secret.
    Hide,
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
