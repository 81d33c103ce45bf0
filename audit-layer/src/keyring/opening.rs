//! What was sealed in a record, in clear.

use std::{borrow::Cow, fmt, fmt::Write};

use serde::{
    Deserialize,
    de::{Deserializer, MapAccess, Visitor},
};
use serde_json::value::RawValue;

use super::{
    Keyring, KeyringError, Lookup,
    sealing::{Place, Sealed},
};
use crate::record::{Record, push_name};

/// How deep values are looked into: as deep as a parser of JSON goes.
const MAX_DEPTH: usize = 128;

/// A sealed value of a record.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Opened<'l> {
    /// Where it stands: a JSON pointer (RFC 6901), such as `/details/cards/0/number`.
    pub path: String,
    /// The names that lead to it, joined by dots, without places in arrays: `details.cards.number`.
    pub name: String,
    /// The name of its key, as it stands there.
    pub key_id: String,
    /// The mark, as it stands in the line: a part of it, so that its address says where.
    pub mark: &'l str,
    /// What it says.
    pub content: Content,
}

/// What a sealed value says.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Content {
    /// The canonical JSON that was sealed.
    Clear(String),
    /// Its key was erased with the subject that it concerns.
    Erased {
        /// When: UTC, RFC 3339.
        at: String,
    },
    /// The keyring has no such key: it is another host's, or a keyring that was lost.
    UnknownKey,
    /// It was changed, or moved here from another place, or is no mark of ours.
    Damaged,
}

/// Why a record cannot be opened.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// It is not the line of a record.
    #[error("not a record: {0}")]
    Record(#[from] serde_json::Error),
    /// The keyring cannot be read.
    #[error(transparent)]
    Keyring(#[from] KeyringError),
}

#[derive(Deserialize)]
struct Members<'l> {
    v: u64,
    #[serde(borrow)]
    stream: Cow<'l, str>,
    #[serde(borrow)]
    id: Cow<'l, str>,
    #[serde(borrow, default)]
    tenant: Option<Cow<'l, str>>,
    #[serde(borrow, default)]
    details: Option<&'l RawValue>,
    #[serde(borrow, default)]
    regulatory_flags: Option<&'l RawValue>,
}

/// Opens every sealed value of a record, in the order in which they stand in it.
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let directory = tempfile::tempdir()?;
/// # let path = directory.path().join("keyring.db");
/// use audit_layer::keyring::{Content, Keyring, open_sealed};
///
/// let keyring = Keyring::init(path)?;
/// let line = r#"{"details":{"iban":"DE89"},"id":"0193","stream":"a@b~c0ffee","v":1}"#;
/// for opened in open_sealed(line, &keyring)? {
///     match opened.content {
///         Content::Clear(json) => println!("{} is {json}", opened.path),
///         Content::Erased { at } => println!("{} was erased at {at}", opened.path),
///         _ => println!("{} cannot be opened", opened.path),
///     }
/// }
/// # Ok(()) }
/// ```
///
/// # Errors
/// When the line is not a record, or the keyring cannot be read.
pub fn open_sealed<'l>(line: &'l str, keyring: &Keyring) -> Result<Vec<Opened<'l>>, OpenError> {
    if !may_have_mark(line) {
        return Ok(Vec::new());
    }
    let Members { v, stream, id, tenant, details, regulatory_flags } = serde_json::from_str(line)?;
    let place = Place { stream: &stream, id: &id, tenant: tenant.as_deref().unwrap_or_default() };
    Ok(open_all(v, place, [details, regulatory_flags], keyring)?)
}

/// The same of a record that was read already.
///
/// # Errors
/// When the keyring cannot be read.
pub fn open_sealed_in<'l>(
    record: &Record<'l>,
    keyring: &Keyring,
) -> Result<Vec<Opened<'l>>, KeyringError> {
    let Record { stream, id, tenant, details, regulatory_flags, .. } = record;
    let place = Place { stream, id, tenant: tenant.as_deref().unwrap_or_default() };
    open_all(record.v, place, [*details, *regulatory_flags], keyring)
}

/// Whether a value may have a mark in it. No sink writes it in another way.
fn may_have_mark(text: &str) -> bool {
    text.contains(r#""$sealed""#)
}

fn open_all<'l>(
    version: u64,
    place: Place<'_>,
    [details, regulatory_flags]: [Option<&'l RawValue>; 2],
    keyring: &Keyring,
) -> Result<Vec<Opened<'l>>, KeyringError> {
    let mut opened = Vec::new();
    let mut open = |path: &str, name: &str, value: &'l RawValue, mark: Mark| {
        let content = match Sealed::read(&mark.k, &mark.n, &mark.c) {
            None => Content::Damaged,
            Some(sealed) => match keyring.key(&sealed.key)? {
                Lookup::Erased { at } => Content::Erased { at },
                Lookup::Unknown => Content::UnknownKey,
                Lookup::Found(key) => sealed
                    .open(&key, version, &place, path)
                    .map_or(Content::Damaged, Content::Clear),
            },
        };
        let (path, name) = (path.to_owned(), name.to_owned());
        opened.push(Opened { path, name, key_id: mark.k, mark: value.get(), content });
        Ok(())
    };
    for (name, value) in [("details", details), ("regulatory_flags", regulatory_flags)] {
        let Some(value) = value else { continue };
        let (mut path, mut names) = (format!("/{name}"), name.to_owned());
        Walk { path: &mut path, names: &mut names, depth: 0, open: &mut open }.walk(value)?;
    }
    Ok(opened)
}

/// What a mark says. Of what is none, nothing of it can be opened.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Mark {
    k: String,
    n: String,
    c: String,
}

/// The members of an object, as they stand there.
struct Object<'l>(Vec<(Cow<'l, str>, &'l RawValue)>);

impl<'de> Deserialize<'de> for Object<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Members;

        impl<'de> Visitor<'de> for Members {
            type Value = Object<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                #[derive(Deserialize)]
                struct Name<'n>(#[serde(borrow)] Cow<'n, str>);

                let mut members = Vec::new();
                while let Some((Name(name), value)) = map.next_entry()? {
                    members.push((name, value));
                }
                Ok(Object(members))
            }
        }

        deserializer.deserialize_map(Members)
    }
}

/// Calls `open` with each mark in a value.
struct Walk<'w, F> {
    path: &'w mut String,
    names: &'w mut String,
    depth: usize,
    open: &'w mut F,
}

impl<'l, F> Walk<'_, F>
where
    F: FnMut(&str, &str, &'l RawValue, Mark) -> Result<(), KeyringError>,
{
    /// Of what is no JSON, which no sink writes, there is nothing to open.
    fn walk(&mut self, value: &'l RawValue) -> Result<(), KeyringError> {
        let text = value.get();
        if self.depth > MAX_DEPTH || !may_have_mark(text) {
            return Ok(());
        }
        let (path, names) = (self.path.len(), self.names.len());
        self.depth += 1;
        if let Ok(Object(members)) = serde_json::from_str(text) {
            if let [(name, mark)] = members.as_slice()
                && name == "$sealed"
            {
                let mark = serde_json::from_str(mark.get()).unwrap_or_default();
                (self.open)(self.path, self.names, value, mark)?;
            } else {
                for (name, value) in members {
                    push_name(self.path, &name);
                    self.names.push('.');
                    self.names.push_str(&name);
                    self.walk(value)?;
                    self.path.truncate(path);
                    self.names.truncate(names);
                }
            }
        } else if let Ok(items) = serde_json::from_str::<Vec<&RawValue>>(text) {
            for (at, item) in items.into_iter().enumerate() {
                // Writing into a string does not fail.
                let _ = write!(self.path, "/{at}");
                self.walk(item)?;
                self.path.truncate(path);
            }
        }
        self.depth -= 1;
        Ok(())
    }
}
