//! Secrets are taken out while an event is encoded, before the journal sees it.
//!
//! A value is a secret when its *name* says so: the name of a field, of a member in a struct, a map or a
//! JSON object at any depth, wherever it is written. What a name means is decided by [`names`]; where
//! names are in a text, by [`text`].
//!
//! - *Fields* are decided once for each callsite, by its plan.
//! - *Everything else* is looked for in the finished frame, in one place: whatever way a value came,
//!   by `Display`, `Debug`, `valuable`, as an error or as bytes, from the event or from a span around it, it
//!   is in there. A frame without a `{` has no names, and one search for that byte is all it costs; in others the
//!   last letters before each `:` and `=` mostly tell.
//!
//! Rejected: to look at each value as it is visited. Six short searches cost more than a long one, and
//! spans, errors and panics would each need a hook of their own.
//!
//! `true`, `false` and `null` tell no secret, and are left: `has_password` is of use in an audit.

mod names;
mod text;

pub(crate) use names::is_secret;
pub(crate) use text::REDACTED;

use crate::{
    journal::frame::{self, Captured, Entries, HEADER},
    record::Value,
};

/// Takes out what names inside the values of a frame call a secret.
#[inline]
pub(crate) fn frame(bytes: &mut Vec<u8>) {
    let values = bytes.get(HEADER..).unwrap_or_default();
    if let Some(at) = memchr::memchr(b'{', values)
        && text::may_name_secret(values.get(at..).unwrap_or_default())
    {
        redact(bytes);
    }
}

#[cold]
fn redact(bytes: &mut Vec<u8>) {
    let is_touched =
        frame::entries(bytes).any(|entry| text_of(&entry.value).and_then(text::redact).is_some());
    if !is_touched {
        return;
    }
    let mut out = bytes.get(..HEADER).unwrap_or_default().to_vec();
    let mut entries = Entries::new(&mut out);
    for entry in frame::entries(bytes) {
        match text_of(&entry.value).and_then(text::redact) {
            Some(redacted) => entries.with_value(&entry, &redacted),
            None => entries.copy(&entry),
        }
    }
    *bytes = out;
}

/// The value as a text that may have names in it.
fn text_of<'v>(value: &Captured<'v>) -> Option<&'v str> {
    match value {
        Captured::Json(text) | Captured::Plain(Value::Str(text)) => Some(text),
        Captured::Plain(Value::Bytes(bytes)) => str::from_utf8(bytes).ok(),
        Captured::Plain(_) => None,
    }
}
