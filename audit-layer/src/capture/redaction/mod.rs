//! Secrets are taken out while an event is encoded, before the journal sees it.
//!
//! A value is a secret when its *name* says so: the name of a field, of a member in a struct, a map or a
//! JSON object at any depth, wherever it is written. What a name means is decided by [`names`]; where
//! names are in a text, by [`text`]. And whatever its name, what shows by itself that it is one is taken out
//! of the text around it, by [`values`].
//!
//! - *Fields* are decided once for each callsite, by its plan; whole numbers, when they are recorded.
//! - *Everything else* is looked for in the finished frame, in one place: whatever way a value came,
//!   by `Display`, `Debug`, `valuable`, as an error or as bytes, from the event or from a span around it, it
//!   is in there. A text without a `{` has no names, and a short one no secret that shows by itself.
//!
//! Rejected: to look at each value as it is visited. Six short searches cost more than a long one, and
//! spans, errors and panics would each need a hook of their own.
//!
//! `true`, `false` and `null` tell no secret, and are left: `has_password` is of use in an audit.

mod cards;
mod names;
#[cfg(test)]
mod statistics;
mod text;
mod values;

pub(crate) use names::is_secret;
pub(crate) use text::REDACTED;

use crate::{
    journal::frame::{self, Captured, Entries, HEADER, Key, RawEntry},
    record::{Member, Value},
};

/// What a layer takes out.
#[derive(Debug, Clone)]
pub(crate) struct Rules {
    /// What its name says to be a secret.
    pub(crate) names: bool,
    /// What shows by itself to be one.
    pub(crate) values: bool,
}

impl Default for Rules {
    fn default() -> Self {
        Self { names: true, values: true }
    }
}

impl Rules {
    /// Whether a whole number is a secret by itself.
    #[inline]
    pub(crate) fn hide_number(&self, value: impl TryInto<u128>) -> bool {
        self.values && value.try_into().is_ok_and(cards::is_number)
    }

    /// Takes the secrets out of a frame.
    #[inline]
    pub(crate) fn redact(&self, bytes: &mut Vec<u8>) {
        let values = bytes.get(HEADER..).unwrap_or_default();
        let has_names = || {
            memchr::memchr(b'{', values)
                .is_some_and(|at| text::may_name_secret(values.get(at..).unwrap_or_default()))
        };
        let has_values = || frame::texts(values).any(values::are_in);
        if self.names && has_names() || self.values && has_values() {
            self.rewrite(bytes);
        }
    }

    #[cold]
    fn rewrite(&self, bytes: &mut Vec<u8>) {
        if !frame::entries(bytes).any(|entry| self.without_secrets(&entry).is_some()) {
            return;
        }
        let mut out = bytes.get(..HEADER).unwrap_or_default().to_vec();
        let mut entries = Entries::new(&mut out);
        for entry in frame::entries(bytes) {
            match self.without_secrets(&entry) {
                Some(redacted) => entries.with_value(&entry, &redacted),
                None => entries.copy(&entry),
            }
        }
        *bytes = out;
    }

    /// The text of an entry without its secrets; none when it has none.
    fn without_secrets(&self, entry: &RawEntry<'_>) -> Option<String> {
        let text = text_of(&entry.value)?;
        let unnamed = if self.names { text::redact(text) } else { None };
        if !self.values || is_trace(entry.key, text) {
            return unnamed;
        }
        let is_json = matches!(entry.value, Captured::Json(_));
        values::redact(unnamed.as_deref().unwrap_or(text), is_json).or(unnamed)
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
