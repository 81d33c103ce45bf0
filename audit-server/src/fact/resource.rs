//! Classes of resources.

use std::borrow::Cow;

/// What kind of thing a resource is: each part of its path that has a digit becomes `*`, and what
/// follows a `?` or `#` is left out. `/accounts/42/owner` is of the class `/accounts/*/owner`.
///
/// Most resources are met once, and that a user looks at another account says nothing; that it is the
/// first account ever does.
pub(super) fn class(resource: &str) -> Cow<'_, str> {
    let path = resource.split(['?', '#']).next().unwrap_or_default();
    if !path.bytes().any(|b| b.is_ascii_digit()) {
        return Cow::Borrowed(path);
    }
    let mut class = String::with_capacity(path.len());
    let mut rest = path;
    loop {
        let end = rest.find(['/', ':']).unwrap_or(rest.len());
        let (part, more) = rest.split_at(end);
        class.push_str(if part.bytes().any(|b| b.is_ascii_digit()) { "*" } else { part });
        let Some(separator) = more.chars().next() else { return Cow::Owned(class) };
        class.push(separator);
        rest = &more[1..];
    }
}

#[cfg(test)]
mod tests {
    use super::class;

    #[test]
    fn what_has_a_number_is_one_of_many() {
        for (resource, expected) in [
            ("/accounts/42", "/accounts/*"),
            ("/accounts/42/owner?x=1", "/accounts/*/owner"),
            ("vault", "vault"),
            ("urn:order:7a", "urn:order:*"),
            ("/v2/", "/*/"),
            ("42", "*"),
            ("/über/ä1", "/über/*"),
            ("", ""),
        ] {
            assert_eq!(class(resource), expected, "{resource}");
        }
    }
}
