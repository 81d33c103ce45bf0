//! Members of JSON that are hashed or sealed.
//!
//! Here the text is whole and was looked at before, so that it is read as JSON and written anew: each mark stands in the place of
//! a value, and the path of a sealed one is that of its place in the record. A text within it that has members of its own, JSON
//! in JSON or what `Debug` wrote, has no such places: when one of these is to be sealed, all of the text is.

use std::borrow::Cow;

use serde_json::value::RawValue;

use super::{
    Marks,
    patterns::{Fate, Names, Path},
    text::{self, Others, REDACTED},
};
use crate::record::{self, push_name};

/// The JSON of a value with marks in it; none when it cannot be read. The path has its name already.
pub(super) fn rewrite(
    names: &Names,
    path: Path,
    pointer: &str,
    json: &str,
    members: Members,
    marks: &mut dyn Marks,
) -> Option<String> {
    let raw: &RawValue = serde_json::from_str(json).ok()?;
    let pointer = pointer.to_owned();
    let mut writer = Writer { names, path, pointer, members, marks, out: String::new() };
    writer.value(raw.get(), 0)?;
    Some(writer.out)
}

/// Which members of the object itself are sealed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Members {
    /// Those whose names say so, there and within.
    Named,
    /// All that are not hashed.
    Unhashed,
    /// All.
    All,
}

struct Writer<'w> {
    names: &'w Names,
    path: Path,
    pointer: String,
    members: Members,
    marks: &'w mut dyn Marks,
    out: String,
}

impl Writer<'_> {
    fn value(&mut self, raw: &str, depth: usize) -> Option<()> {
        if depth >= record::MAX_JSON_DEPTH {
            return None;
        }
        let length = self.pointer.len();
        match raw.as_bytes().first()? {
            b'{' => {
                self.out.push('{');
                for (at, (name, value)) in record::members(raw).ok()?.into_iter().enumerate() {
                    if at > 0 {
                        self.out.push(',');
                    }
                    push_string(&mut self.out, &name);
                    self.out.push(':');
                    push_name(&mut self.pointer, &name);
                    self.member(&name, value.get(), depth)?;
                    self.pointer.truncate(length);
                }
                self.out.push('}');
            }
            b'[' => {
                let items: Vec<&RawValue> = serde_json::from_str(raw).ok()?;
                self.out.push('[');
                for (at, item) in items.iter().enumerate() {
                    if at > 0 {
                        self.out.push(',');
                    }
                    push_name(&mut self.pointer, &at.to_string());
                    self.value(item.get(), depth + 1)?;
                    self.pointer.truncate(length);
                }
                self.out.push(']');
            }
            b'"' if raw.contains('{') => self.text(raw)?,
            _ => self.out.push_str(raw),
        }
        Some(())
    }

    fn member(&mut self, name: &str, raw: &str, depth: usize) -> Option<()> {
        let fate = match (self.names.fate(&self.path, name.as_bytes()), self.members) {
            (fate, Members::Named) => fate,
            (Some(Fate::Hash), Members::Unhashed) => Some(Fate::Hash),
            (fate, _) if depth > 0 => fate,
            _ => Some(Fate::Seal),
        };
        match fate {
            Some(Fate::Seal) => self.seal(raw)?,
            Some(Fate::Hash) => self.hash(raw)?,
            // What is taken out is gone already.
            Some(Fate::Redact) | None => {
                let entered = self.path.enter(name.as_bytes());
                self.value(raw, depth + 1)?;
                self.path.leave(entered);
            }
        }
        Some(())
    }

    fn seal(&mut self, raw: &str) -> Option<()> {
        let mut json = Vec::with_capacity(raw.len());
        record::canonicalise(raw, &mut json).ok()?;
        let json = std::str::from_utf8(&json).ok()?;
        if text::is_redacted(json) {
            self.out.push_str(json);
        } else {
            let sealed = self.marks.seal(&self.pointer, json);
            self.out.push_str(&sealed);
        }
        Some(())
    }

    fn hash(&mut self, raw: &str) -> Option<()> {
        let mut json = Vec::with_capacity(raw.len());
        record::canonicalise(raw, &mut json).ok()?;
        let json = std::str::from_utf8(&json).ok()?;
        let text = record::text_of_json(json);
        if text == REDACTED || json == "null" {
            self.out.push_str(json);
        } else {
            let hashed = self.marks.hash(&text);
            self.out.push_str(&hashed);
        }
        Some(())
    }

    /// A text that may have names in it.
    fn text(&mut self, raw: &str) -> Option<()> {
        let text: Cow<'_, str> = record::text_of_json(raw);
        let read = text::read(self.names, &self.path, &text, Others::Stay);
        if read.seals {
            return self.seal(raw);
        }
        if !read.hashes {
            self.out.push_str(raw);
            return Some(());
        }
        let marks = &mut *self.marks;
        // A mark within a text has no quotes of its own.
        let mut hash = |text: &str| marks.hash(text).trim_matches('"').to_owned();
        let read = text::read(self.names, &self.path, &text, Others::Hash(&mut hash));
        push_string(&mut self.out, read.text.as_deref().unwrap_or(&text));
        Some(())
    }
}

fn push_string(out: &mut String, text: &str) {
    let mut quoted = Vec::with_capacity(text.len() + 2);
    record::push_str(&mut quoted, text);
    out.push_str(&String::from_utf8_lossy(&quoted));
}
