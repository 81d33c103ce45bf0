//! Where a claim is.
//!
//! Names have dots in them (`https://example.com/roles`), and so have paths (`realm_access.roles`). The text
//! is read both ways: what bears the longest part of it as its name is looked into first. Rejected: JSON
//! Pointer (RFC 6901), which is unambiguous, and in no manual of an identity provider.

use serde_json::{Map, Value};

const MOST_PARTS: usize = 8;

/// The name of a claim, or a path to one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ClaimPath(Vec<String>);

impl ClaimPath {
    /// None when a part is empty or there are too many: the ways to read a path double with each.
    pub(super) fn new(text: &str) -> Option<Self> {
        let parts: Vec<String> = text.split('.').map(str::to_owned).collect();
        let sound = parts.len() <= MOST_PARTS && parts.iter().all(|part| !part.is_empty());
        sound.then_some(Self(parts))
    }

    /// What is there.
    pub(super) fn find<'a>(&self, claims: &'a Map<String, Value>) -> Option<&'a Value> {
        find(&self.0, claims)
    }
}

fn find<'a>(parts: &[String], claims: &'a Map<String, Value>) -> Option<&'a Value> {
    (1..=parts.len()).rev().find_map(|taken| {
        let (name, rest) = parts.split_at_checked(taken)?;
        let found = claims.get(&name.join("."))?;
        if rest.is_empty() { Some(found) } else { find(rest, found.as_object()?) }
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_claim_is_found_by_a_name_with_dots_and_by_a_path() {
        let claims = json!({
            "role": 1,
            "realm_access": {"roles": 2},
            "https://example.com/roles": 3,
            "resource_access": {"audit.example.com": {"roles": 4}},
            "a.b": 5, "a": {"b": 6, "c": 7},
        });
        let find = |path: &str| ClaimPath::new(path).unwrap().find(claims.as_object().unwrap());
        let found = |path: &str| find(path).and_then(Value::as_u64);
        assert_eq!(found("role"), Some(1));
        assert_eq!(found("realm_access.roles"), Some(2));
        assert_eq!(found("https://example.com/roles"), Some(3));
        assert_eq!(found("resource_access.audit.example.com.roles"), Some(4));
        assert_eq!(found("a.b"), Some(5));
        assert_eq!(found("a.c"), Some(7));
        assert_eq!(found("role.roles"), None);
        assert_eq!(found("realm_access.role"), None);
    }

    #[test]
    fn a_path_has_no_empty_parts_and_not_too_many() {
        for bad in ["", ".", "a.", ".a", "a..b", "a.a.a.a.a.a.a.a.a"] {
            assert_eq!(ClaimPath::new(bad), None, "{bad}");
        }
    }
}
