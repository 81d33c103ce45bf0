//! Texts of questions that are not told in clear.
//!
//! What somebody looked for is recorded. Where applications seal what concerns people, that would be in clear here what is
//! sealed elsewhere, and for ever. So the text that a detail is to equal is told by its keyed hash, which is the same each
//! time; so it is where nothing of that name is sealed, since nobody can know that of all records.

use std::{borrow::Cow, cmp::Reverse, collections::BTreeSet};

use audit_layer::keyring::Keyring;

use crate::{
    filter::{self, Field},
    query::condition_of,
};

/// What stands for a text that cannot be hashed.
const HIDDEN: &str = "[hidden]";

/// The query string as it is recorded: the texts that details are to equal are told by their keyed hashes.
pub(super) fn hidden<'q>(query: &'q str, keyring: Option<&Keyring>) -> Cow<'q, str> {
    let pairs = || form_urlencoded::parse(query.as_bytes());
    let may_tell = |name: &str| name == "filter" || is_of_details(name);
    if !pairs().any(|(name, _)| may_tell(&name)) {
        return query.into();
    }
    let mut out = form_urlencoded::Serializer::new(String::new());
    for (name, value) in pairs() {
        if name == "filter" {
            out.append_pair(&name, &hidden_expression(&value, keyring));
        } else if is_of_details(&name) {
            let (name, value) = hidden_condition(&name, &value, keyring);
            out.append_pair(&name, &value);
        } else {
            out.append_pair(&name, &value);
        }
    }
    out.finish().into()
}

/// Whether a parameter asks for a leaf.
fn is_of_details(name: &str) -> bool {
    name.starts_with("details") || name.starts_with("regulatory_flags")
}

/// A condition in a query string. Operators stand in the name or in the value, wherever the first `=` was.
fn hidden_condition(name: &str, value: &str, keyring: Option<&Keyring>) -> (String, String) {
    let told = |value: &str| (name.to_owned(), value.to_owned());
    let Some(condition) = condition_of(name, value) else { return (HIDDEN.into(), HIDDEN.into()) };
    let mut text = None;
    condition.each_text(&mut |_, equals| text = Some(equals.to_owned()));
    match text {
        Some(text) if text == value => told(&hash(&text, keyring)),
        Some(_) => told(HIDDEN),
        // A number that is compared names nobody, and neither does the question whether there is any.
        None => told(value),
    }
}

/// An expression with the hashes of what details are to equal. Where one of the texts does not stand there as it is
/// meant, with escapes say, nothing of the expression is told.
fn hidden_expression(expression: &str, keyring: Option<&Keyring>) -> String {
    let Ok(read) = filter::expression(expression) else { return HIDDEN.to_owned() };
    let mut texts = BTreeSet::new();
    read.each_text(&mut |field, text| {
        if matches!(field, Field::Detail(_) | Field::Flag(_)) {
            texts.insert(text.to_owned());
        }
    });
    let mut told = expression.to_owned();
    // The longest first: one may be a part of another.
    let mut texts: Vec<_> = texts.into_iter().collect();
    texts.sort_unstable_by_key(|text| Reverse(text.len()));
    for text in texts {
        match whole(&told, &text) {
            places if places.is_empty() => return HIDDEN.to_owned(),
            places => {
                let hash = hash(&text, keyring);
                for at in places.into_iter().rev() {
                    told.replace_range(at..at + text.len(), &hash);
                }
            }
        }
    }
    told
}

/// Where the text stands, and is not a part of a longer word.
fn whole(expression: &str, text: &str) -> Vec<usize> {
    let is_part = |c: Option<char>| c.is_some_and(|c| c.is_alphanumeric() || c == '_' || c == ':');
    let stands_alone = |at: &usize| {
        let before = expression[..*at].chars().next_back();
        let behind = expression[at + text.len()..].chars().next();
        !is_part(before) && !is_part(behind)
    };
    expression.match_indices(text).map(|(at, _)| at).filter(stands_alone).collect()
}

fn hash(text: &str, keyring: Option<&Keyring>) -> String {
    let marks = keyring.and_then(|keyring| keyring.hash_marks(text).ok());
    marks.into_iter().flatten().next().unwrap_or_else(|| HIDDEN.to_owned())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn what_details_are_to_equal_is_told_by_its_hash() {
        let directory = tempfile::tempdir().unwrap();
        let keyring = Keyring::init(directory.path().join("keyring.db")).unwrap();
        let told = |query: &str| {
            let hidden = hidden(query, Some(&keyring)).into_owned();
            form_urlencoded::parse(hidden.as_bytes())
                .map(|(name, value)| format!("{name}={value}"))
                .collect::<Vec<_>>()
                .join("&")
        };
        let hash = |text: &str| keyring.hash_marks(text).unwrap().remove(0);
        let (a, b) = (hash("a@b.c"), hash("b"));
        for (query, expected) in [
            ("user_id=u&limit=5", "user_id=u&limit=5".to_owned()),
            ("q=a@b.c", "q=a@b.c".to_owned()),
            ("details.email=a%40b.c&user_id=u", format!("details.email={a}&user_id=u")),
            ("details[email]=a@b.c", format!("details[email]={a}")),
            ("details.email!=a@b.c", format!("details.email!={a}")),
            ("details.amount>=1000", "details.amount>=1000".to_owned()),
            ("filter=details.email%3D%22a@b.c%22", format!("filter=details.email=\"{a}\"")),
            (
                "filter=details.x%3Db%20AND%20NOT%20user_id%3D%22bob%22",
                format!("filter=details.x={b} AND NOT user_id=\"bob\""),
            ),
            (
                "filter=details.email%3D%22a@*%22",
                format!("filter=details.email=\"{}*\"", hash("a@")),
            ),
            // What cannot be read, or does not stand there as it is meant.
            ("filter=details.email%3D%3D%22a@b.c%22", format!("filter={HIDDEN}")),
            ("filter=details.x%3D%22a%5C%22b%22", format!("filter={HIDDEN}")),
            ("details=a@b.c", format!("{HIDDEN}={HIDDEN}")),
            ("details.a@b.c", format!("{HIDDEN}={HIDDEN}")),
        ] {
            assert_eq!(told(query), expected, "{query}");
        }
        assert_eq!(hidden("details.email=a", None), "details.email=%5Bhidden%5D");
    }
}
