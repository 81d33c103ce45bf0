//! What was sealed in a record, in clear.

use std::fmt::Write;

use serde::Deserialize;
use serde_json::Value;

use super::{
    Keyring, KeyringError, Lookup,
    sealing::{Place, Sealed},
};
use crate::record::push_name;

/// A sealed value of a record.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Opened {
    /// Where it stands: a JSON pointer (RFC 6901), such as `/details/customer/iban`.
    pub path: String,
    /// The name of its key, as it stands there.
    pub key_id: String,
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
struct Members {
    v: u64,
    stream: String,
    id: String,
    #[serde(default)]
    tenant: String,
    #[serde(default)]
    details: Value,
    #[serde(default)]
    regulatory_flags: Value,
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
pub fn open_sealed(line: &str, keyring: &Keyring) -> Result<Vec<Opened>, OpenError> {
    if !line.contains(r#""$sealed""#) {
        return Ok(Vec::new());
    }
    let record: Members = serde_json::from_str(line)?;
    let mut opened = Vec::new();
    let place = Place { stream: &record.stream, id: &record.id, tenant: &record.tenant };
    let mut open = |path: &str, mark: &Value| -> Result<(), KeyringError> {
        let text = |name| mark.get(name).and_then(Value::as_str).unwrap_or_default();
        let content = match Sealed::read(text("k"), text("n"), text("c")) {
            None => Content::Damaged,
            Some(sealed) => match keyring.key(&sealed.key)? {
                Lookup::Erased { at } => Content::Erased { at },
                Lookup::Unknown => Content::UnknownKey,
                Lookup::Found(key) => sealed
                    .open(&key, record.v, &place, path)
                    .map_or(Content::Damaged, Content::Clear),
            },
        };
        opened.push(Opened { path: path.to_owned(), key_id: text("k").to_owned(), content });
        Ok(())
    };
    let mut path = String::new();
    for (name, value) in
        [("details", &record.details), ("regulatory_flags", &record.regulatory_flags)]
    {
        path.push('/');
        path.push_str(name);
        walk(value, &mut path, &mut open)?;
        path.clear();
    }
    Ok(opened)
}

/// Calls `open` with each mark in a value. The parser bounds how deep it is.
fn walk<E>(
    value: &Value,
    path: &mut String,
    open: &mut impl FnMut(&str, &Value) -> Result<(), E>,
) -> Result<(), E> {
    let length = path.len();
    match value {
        Value::Object(members) => {
            if let Some(mark) = members.get("$sealed").filter(|_| members.len() == 1) {
                return open(path, mark);
            }
            for (name, value) in members {
                push_name(path, name);
                walk(value, path, open)?;
                path.truncate(length);
            }
        }
        Value::Array(items) => {
            for (at, item) in items.iter().enumerate() {
                // Writing into a string does not fail.
                let _ = write!(path, "/{at}");
                walk(item, path, open)?;
                path.truncate(length);
            }
        }
        _ => {}
    }
    Ok(())
}
