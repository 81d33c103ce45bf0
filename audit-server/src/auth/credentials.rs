//! The credential that a request presents.

use std::fmt;

use poem::http::{HeaderMap, header::AUTHORIZATION};

use super::{KeyId, SecretKeyText, WrongKey};

const API_KEY: &str = "x-api-key";

/// What a request presents.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Presented {
    /// A key of this server's.
    Key(SecretKeyText),
    /// What may be a token that somebody else issued.
    Token(TokenText),
}

/// The text of a token, which is printed nowhere.
#[derive(PartialEq, Eq)]
pub(crate) struct TokenText(Box<str>);

impl TokenText {
    pub(crate) fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for TokenText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TokenText")
    }
}

/// Takes the credential from `Authorization: Bearer KEY`, from `X-API-Key: KEY`, or from both when they carry the same
/// key. A header that is there twice, and two that say two things, are refused rather than guessed at, since a
/// proxy in front may have looked at the other one. A token is a bearer's alone (RFC 6750).
///
/// # Errors
/// [`WrongKey`] when there is none, when one is malformed, and when they differ.
pub(crate) fn presented(headers: &HeaderMap) -> Result<Presented, WrongKey> {
    let bearer = one(headers, AUTHORIZATION.as_str())?;
    let api_key = one(headers, API_KEY)?;
    let key = |text: &str| text.parse::<SecretKeyText>().map_err(|()| WrongKey);
    let bearer = bearer.map(|text| {
        let (scheme, text) = text.split_once(' ').ok_or(WrongKey)?;
        if !scheme.eq_ignore_ascii_case("bearer") {
            return Err(WrongKey);
        }
        let text = text.trim();
        // No part of a key has a dot, and every token has two.
        if text.contains('.') {
            Ok(Presented::Token(TokenText(text.into())))
        } else {
            key(text).map(Presented::Key)
        }
    });
    match (bearer.transpose()?, api_key.map(key).transpose()?) {
        (Some(Presented::Key(one)), Some(other)) if one != other => Err(WrongKey),
        (Some(Presented::Token(_)), Some(_)) | (None, None) => Err(WrongKey),
        (Some(presented), _) => Ok(presented),
        (None, Some(key)) => Ok(Presented::Key(key)),
    }
}

/// The value of a header that is there once.
fn one<'h>(headers: &'h HeaderMap, name: &str) -> Result<Option<&'h str>, WrongKey> {
    let mut values = headers.get_all(name).iter();
    let Some(value) = values.next() else { return Ok(None) };
    if values.next().is_some() {
        return Err(WrongKey);
    }
    value.to_str().map(Some).map_err(|_| WrongKey)
}

/// The id of the key that is presented, whether or not it is one.
pub(crate) fn claimed(headers: &HeaderMap) -> Option<KeyId> {
    match presented(headers) {
        Ok(Presented::Key(key)) => Some(key.id()),
        _ => None,
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use poem::http::HeaderValue;

    use super::*;

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        let value = |text: &str| HeaderValue::from_str(text).unwrap();
        let mut headers = HeaderMap::new();
        for (name, text) in pairs {
            headers.append(*name, value(text));
        }
        headers
    }

    #[test]
    fn either_header_will_do_and_two_must_agree() {
        let [a, b] = [(), ()].map(|()| SecretKeyText::generate().unwrap());
        let bearer = |key: &SecretKeyText| format!("bEARER {}", key.expose());
        let ok = |pairs: &[(&'static str, &str)]| match presented(&headers(pairs)) {
            Ok(Presented::Key(key)) => Some(key),
            _ => None,
        };
        assert_eq!(ok(&[("authorization", &bearer(&a))]), Some(a.clone()));
        assert_eq!(ok(&[("x-api-key", a.expose())]), Some(a.clone()));
        let both = [("authorization", &*bearer(&a)), ("x-api-key", a.expose())];
        assert_eq!(ok(&both), Some(a.clone()));
        let other = [("authorization", &*bearer(&b)), ("x-api-key", a.expose())];
        assert_eq!(ok(&other), None);
        assert_eq!(ok(&[("authorization", "Basic YTpi"), ("x-api-key", a.expose())]), None);
        assert_eq!(ok(&[("authorization", a.expose())]), None);
        assert_eq!(ok(&[]), None);
        let twice = [("x-api-key", a.expose()), ("x-api-key", a.expose())];
        assert_eq!(ok(&twice), None);
        let bearer = bearer(&a);
        assert_eq!(ok(&[("authorization", &bearer), ("authorization", &bearer)]), None);
    }

    #[test]
    fn a_token_is_a_bearers_and_comes_alone() {
        let key = SecretKeyText::generate().unwrap();
        let of = |pairs: &[(&'static str, &str)]| presented(&headers(pairs));
        let token = Presented::Token(TokenText("a.b.c".into()));
        assert_eq!(of(&[("authorization", "Bearer a.b.c")]), Ok(token));
        assert_eq!(of(&[("x-api-key", "a.b.c")]), Err(WrongKey));
        let both = [("authorization", "Bearer a.b.c"), ("x-api-key", key.expose())];
        assert_eq!(of(&both), Err(WrongKey));
        let twice = [("authorization", "Bearer a.b.c"), ("authorization", "Bearer a.b.c")];
        assert_eq!(of(&twice), Err(WrongKey));
        assert!(!format!("{:?}", of(&[("authorization", "Bearer a.b.c")])).contains("a.b"));
    }
}
