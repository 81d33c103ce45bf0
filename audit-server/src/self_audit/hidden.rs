//! Texts of questions that are not told in clear.
//!
//! What somebody looked for is recorded. Where applications seal what concerns people, that would be in clear here what is
//! sealed elsewhere, and for ever. So wherever a text may be one of a detail, a mark stands for it: in conditions on
//! details, in full text, in parameters that do not exist. It is so, too, where nothing of that name is sealed, since nobody can know
//! that of all records. A cursor has a hash of the question in it and is left out.
//!
//! The mark is a hash under a key that the process makes when it begins and nobody ever sees: within a run of the
//! server the same text has the same mark, and afterwards nobody can find out by trying what it was, with the keyring neither. What was
//! found is told by the ids of records. Rejected: the keyed hash of the keyring, by which who may ask and read what is recorded of it
//! could try what stands behind hashed values, and whose key outlives the persons that are erased.

use std::{borrow::Cow, cell::Cell, hash::Hasher};

use siphasher::sip::SipHasher24;

use crate::{
    filter::{self, Field},
    query::{PARAMETERS, condition_of},
};

/// What stands for what cannot be read.
const HIDDEN: &str = "[hidden]";

/// Parameters in which no text of a detail is asked for, beside those of [`PARAMETERS`], and where there are such.
const OTHERS: &[(&str, &[&str])] = &[
    ("/audit/export", &["after", "compression", "format"]),
    ("audit-server export", &["after", "compression", "format"]),
    ("/audit/reports", &["days", "format", "regulations"]),
    ("/audit/anomalies", &["format", "lookback_days", "threshold"]),
    ("audit-server report", &["days", "format", "lookback_days", "regulations", "threshold"]),
    ("/audit/stats", &["interval"]),
    ("/audit/keys", &["days", "grace_hours", "name", "networks", "role"]),
];

/// Hides texts.
#[derive(Clone)]
pub(super) struct Hider([u8; 16]);

impl Hider {
    pub(super) fn new() -> Self {
        let mut key = [0; 16];
        if getrandom::fill(&mut key).is_err() {
            tracing::warn!(
                "the system gives no randomness: what is asked for can be guessed from its marks"
            );
        }
        Self(key)
    }

    /// The query string as it is told.
    pub(super) fn hidden(&self, place: &str, query: &str) -> String {
        let mut out = form_urlencoded::Serializer::new(String::new());
        for (name, value) in form_urlencoded::parse(query.as_bytes()) {
            let (name, value) = self.pair(place, &name, &value);
            out.append_pair(&name, &value);
        }
        out.finish()
    }

    fn pair<'p>(&self, place: &str, name: &'p str, value: &'p str) -> (Cow<'p, str>, Cow<'p, str>) {
        // An operator may stand at the end of a name, with the value behind it.
        let known = name.split(['!', '<', '>']).next().unwrap_or_default();
        match known {
            "cursor" | "q" | "filter" if name != known => (HIDDEN.into(), HIDDEN.into()),
            "cursor" => (name.into(), HIDDEN.into()),
            "q" => (name.into(), self.mark(value).into()),
            "filter" => (name.into(), self.expression(value)),
            _ if known.starts_with("details") => match condition_of(name, value) {
                Some((name, value)) if !value.is_empty() => (name.into(), self.mark(value).into()),
                _ => (HIDDEN.into(), HIDDEN.into()),
            },
            "top" if place == "/audit/stats" && are_fields(value) => (name.into(), value.into()),
            _ if is_other(place, name) || PARAMETERS.iter().any(|it| it.name == known) => {
                (name.into(), value.into())
            }
            _ => (HIDDEN.into(), HIDDEN.into()),
        }
    }

    fn expression<'e>(&self, expression: &'e str) -> Cow<'e, str> {
        let Ok(read) = filter::expression(expression) else { return HIDDEN.into() };
        let is_told = Cell::new(true);
        let told = filter::printed(&read, &|field, text| match field {
            Some(Field::Member(member)) if *member != audit_layer::record::Member::Message => {
                text.to_owned()
            }
            _ => {
                is_told.set(false);
                self.mark(text)
            }
        });
        if is_told.get() { expression.into() } else { told.into() }
    }

    fn mark(&self, text: &str) -> String {
        let mut hasher = SipHasher24::new_with_key(&self.0);
        hasher.write(text.as_bytes());
        format!("asked:{:016x}", hasher.finish())
    }
}

fn is_other(place: &str, name: &str) -> bool {
    let there = |of: &str| {
        place
            .strip_prefix(of)
            .is_some_and(|rest| !rest.starts_with(|c: char| c.is_ascii_alphabetic()))
    };
    OTHERS.iter().any(|(of, names)| there(of) && names.contains(&name))
}

/// Whether all of them are names of what records have.
fn are_fields(names: &str) -> bool {
    names.split(',').all(|name| name.parse::<Field>().is_ok())
}

impl std::fmt::Debug for Hider {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Hider")
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn no_text_of_a_detail_is_told() {
        let hider = Hider::new();
        let told_at = |place: &str, query: &str| {
            form_urlencoded::parse(hider.hidden(place, query).as_bytes())
                .map(|(name, value)| format!("{name}={value}"))
                .collect::<Vec<_>>()
                .join("&")
        };
        let told = |query: &str| told_at("/audit/logs", query);
        let (a, b) = (hider.mark("a@b.c"), hider.mark("b"));
        let number = "4111".parse::<filter::Decimal>().unwrap().to_string();
        assert!(a != b && a != Hider::new().mark("a@b.c"));
        for (query, expected) in [
            ("user_id=u&limit=5&status!=x", "user_id=u&limit=5&status!=x".to_owned()),
            ("name=ann&top=user_id&days=7", [format!("{HIDDEN}={HIDDEN}").as_str(); 3].join("&")),
            ("duration_us>=5", "duration_us>=5".to_owned()),
            ("q=a@b.c", format!("q={a}")),
            ("cursor=AgAA&order=asc", format!("cursor={HIDDEN}&order=asc")),
            ("details.email=a%40b.c&user_id=u", format!("details.email={a}&user_id=u")),
            ("details[email]=a@b.c", format!("details.email={a}")),
            ("details.email!=a@b.c", format!("details.email!=={a}")),
            ("details.card>=4111", format!("details.card>=={}", hider.mark("4111"))),
            ("details.card>4111", format!("details.card>={}", hider.mark("4111"))),
            ("filter=details.email%3D%22a@b.c%22", format!("filter=details.\"email\" = \"{a}\"")),
            ("filter=details.email:%22b%22", format!("filter=details.\"email\":\"{b}\"")),
            ("filter=b", format!("filter=\"{b}\"")),
            ("filter=message%3Ab", format!("filter=message:\"{b}\"")),
            (
                "filter=details.x%3Db%20AND%20NOT%20user_id%3D%22bob%22",
                format!("filter=details.\"x\" = \"{b}\" AND -(user_id = \"bob\")"),
            ),
            (
                "filter=details.x%3E%3D4111",
                format!("filter=details.\"x\" >= {}", hider.mark(&number)),
            ),
            (
                "filter=user_id%3D%22bob%22 -status%3Dx",
                "filter=user_id=\"bob\" -status=x".to_owned(),
            ),
            (
                "filter=details.x%3D%22a%5C%22b%22%20OR%20details.y%3D%27a%22b%27",
                format!(
                    "filter=details.\"x\" = \"{0}\" OR details.\"y\" = \"{0}\"",
                    hider.mark("a\"b")
                ),
            ),
            // What cannot be read, and what there is not.
            ("filter=details.email%3D%3D%22a@b.c%22", format!("filter={HIDDEN}")),
            ("filter!=details.email%3Da", format!("{HIDDEN}={HIDDEN}")),
            ("q<a@b.c", format!("{HIDDEN}={HIDDEN}")),
            ("details=a@b.c", format!("{HIDDEN}={HIDDEN}")),
            ("details.a@b.c", format!("{HIDDEN}={HIDDEN}")),
            ("detail.email=a@b.c", format!("{HIDDEN}={HIDDEN}")),
            ("email=a@b.c", format!("{HIDDEN}={HIDDEN}")),
        ] {
            assert_eq!(told(query), expected, "{query}");
        }
        for (place, query) in [
            ("/audit/stats", "top=details.email,user_id&interval=hour"),
            ("/audit/reports/compliance", "days=7&regulations=SOX"),
            ("audit-server report", "days=7"),
            ("/audit/keys/abcdefgh/rotate", "grace_hours=7"),
        ] {
            assert_eq!(told_at(place, query).replace("%2C", ","), query);
        }
        let unknown = format!("{HIDDEN}={HIDDEN}");
        assert_eq!(told_at("/audit/stats", "top=ann@example.com"), unknown);
        assert_eq!(told_at("/audit/exports/7", "after=ann"), unknown);
        let day = told("filter=details.x%3Db%20AND%20timestamp%3D%222026-11-21%22");
        assert!(
            day.contains("timestamp >= 2026-11-21T00:00:00.000000Z AND timestamp <= "),
            "{day}"
        );
    }
}
