//! Keys over HTTP, for those who may make them.
//!
//! What is asked for stands in the query string, as everywhere: it has no secret. The key itself is in the
//! body of the one answer that makes it, which no cache keeps.

use std::{collections::BTreeMap, time::Duration};

use poem_openapi::Object;

use crate::{
    Error,
    auth::{
        KeyInfo, KeyNameInvalid, MAX_NETWORKS_BYTES, MAX_TENANT_BYTES, NewKey, Role, SecretKeyText,
    },
    query::{ForbiddenValue, InvalidValue, Kind, Parameter, RepeatedParameter, UnknownParameter},
};

/// The most days that a key lasts.
const MAX_DAYS: u32 = 3_650;
/// The most hours that a key lasts beside the one in its place.
const MAX_HOURS: u32 = 24 * 30;
/// What cannot be left out.
pub(super) const REQUIRED: &str = "name";

const LIFETIME: Parameter = Parameter {
    name: "days",
    description: "After how many days the key is worth nothing any more; never when absent.",
    example: "90",
    kind: Kind::Within { most: MAX_DAYS },
};

/// What a key that is made takes.
pub(super) const MAKE: &[Parameter] = &[
    Parameter {
        name: REQUIRED,
        description: "Whose key it is, or what for.",
        example: "grafana",
        kind: Kind::Name { max_chars: 100 },
    },
    Parameter {
        name: "role",
        description: "What it may do: `viewer` when absent.",
        example: "auditor",
        kind: Kind::Word(&["viewer", "auditor", "admin"]),
    },
    Parameter {
        name: "tenant",
        description: "Whose records it sees: those with exactly this `tenant`, and no figure about others; all when absent. Such a key is no `admin`'s.",
        example: "acme",
        kind: Kind::Name { max_chars: MAX_TENANT_BYTES },
    },
    LIFETIME,
    Parameter {
        name: "networks",
        description: "From where it may be used, in CIDR notation, separated by commas; from anywhere when absent.",
        example: "10.0.0.0/8,2001:db8::7",
        kind: Kind::Language { max_bytes: MAX_NETWORKS_BYTES },
    },
];

/// What a key that is made anew takes.
pub(super) const ROTATE: &[Parameter] = &[
    LIFETIME,
    Parameter {
        name: "grace_hours",
        description: "How many hours the old key is worth something yet; none when absent.",
        example: "24",
        kind: Kind::Within { most: MAX_HOURS },
    },
];

/// A key, without its secret.
#[derive(Debug, Object)]
pub(super) struct Key {
    /// Its public part: the eight characters after `ak_`.
    id: String,
    /// Whose key it is, or what for.
    name: String,
    /// What it may do: `viewer`, `auditor` or `admin`.
    role: String,
    /// Whose records it sees; `null` when all.
    tenant: Option<String>,
    /// When it was made.
    created: String,
    /// From when on it is worth nothing; `null` when that is never.
    expires: Option<String>,
    /// From where it may be used, in CIDR notation; empty when from anywhere.
    networks: Vec<String>,
    /// When it was revoked; `null` when it was not.
    revoked: Option<String>,
}

impl From<KeyInfo> for Key {
    fn from(info: KeyInfo) -> Self {
        let KeyInfo { id, name, role, tenant, created, expires, networks, revoked } = info;
        let networks = networks.iter().map(|network| network.to_string()).collect();
        let (id, role) = (id.as_str().to_owned(), role.name().to_owned());
        let tenant = tenant.map(|tenant| tenant.to_string());
        Self { id, name, role, tenant, created, expires, networks, revoked }
    }
}

/// All keys.
#[derive(Debug, Object)]
pub(super) struct KeyList {
    /// Oldest first, also those that were revoked and those that have expired.
    keys: Vec<Key>,
}

impl From<Vec<KeyInfo>> for KeyList {
    fn from(keys: Vec<KeyInfo>) -> Self {
        Self { keys: keys.into_iter().map(Key::from).collect() }
    }
}

/// A key that was made.
#[derive(Object)]
pub(super) struct MadeKey {
    /// What is known of it from now on.
    about: Key,
    /// The key itself. It is shown this once.
    key: String,
}

impl From<(KeyInfo, SecretKeyText)> for MadeKey {
    fn from((info, key): (KeyInfo, SecretKeyText)) -> Self {
        Self { about: info.into(), key: key.expose().to_owned() }
    }
}

/// Reads what is asked for of a new key.
pub(super) fn new_key(query_string: &str) -> Result<NewKey, Error> {
    let asked = Asked::read(query_string, MAKE)?;
    let name = asked.get(REQUIRED).ok_or(KeyNameInvalid)?;
    let role = asked.parse("role")?.unwrap_or(Role::Viewer);
    let networks = asked.parse("networks")?.unwrap_or_default();
    let tenant = asked.parse("tenant")?;
    Ok(NewKey { networks, tenant, lifetime: asked.days()?, ..NewKey::new(name, role) })
}

/// How long a key lasts that is made anew, and how long the old one does.
pub(super) fn rotation(query_string: &str) -> Result<(Option<Duration>, Duration), Error> {
    let asked = Asked::read(query_string, ROTATE)?;
    let grace = asked.whole("grace_hours", MAX_HOURS)?.unwrap_or_default();
    Ok((asked.days()?, Duration::from_secs(u64::from(grace) * 3_600)))
}

/// A key does not take from itself what it asks with.
pub(super) const OWN_KEY: ForbiddenValue = ForbiddenValue {
    name: "key",
    reason: "a key does not revoke itself: rotate it, or revoke it with another",
};

struct Asked(BTreeMap<String, String>);

impl Asked {
    fn read(query_string: &str, parameters: &[Parameter]) -> Result<Self, Error> {
        let mut asked = BTreeMap::new();
        for (name, value) in form_urlencoded::parse(query_string.as_bytes()).into_owned() {
            if !parameters.iter().any(|known| known.name == name) {
                let name = name.chars().take(64).collect();
                return Err(UnknownParameter { name }.into());
            }
            if asked.insert(name.clone(), value).is_some() {
                return Err(RepeatedParameter { name }.into());
            }
        }
        Ok(Self(asked))
    }

    fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    fn parse<T: std::str::FromStr<Err: ToString>>(&self, name: &str) -> Result<Option<T>, Error> {
        let read = |text: &str| {
            // What is there and empty says nothing that could be meant.
            let read = if text.is_empty() { Err("it is empty".to_owned()) } else { Ok(text) };
            read.and_then(|text| text.parse().map_err(|error: T::Err| error.to_string()))
        };
        let invalid = |reason| InvalidValue { name: name.to_owned(), reason };
        Ok(self.get(name).map(read).transpose().map_err(invalid)?)
    }

    fn whole(&self, name: &str, most: u32) -> Result<Option<u32>, Error> {
        let Some(text) = self.get(name) else { return Ok(None) };
        let number = text.parse().ok().filter(|number| (1..=most).contains(number));
        let reason = format!("it is an integer from 1 to {most}");
        Ok(Some(number.ok_or(InvalidValue { name: name.to_owned(), reason })?))
    }

    fn days(&self) -> Result<Option<Duration>, Error> {
        let days = self.whole(LIFETIME.name, MAX_DAYS)?;
        Ok(days.map(|days| Duration::from_secs(u64::from(days) * 86_400)))
    }
}
