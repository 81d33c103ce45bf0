//! The key that a request presents.

use poem::http::{HeaderMap, header::AUTHORIZATION};

use super::{KeyId, SecretKeyText, WrongKey};

const API_KEY: &str = "x-api-key";

/// Takes the key from `Authorization: Bearer KEY` or `X-API-Key: KEY`. Several headers must all
/// carry the same key: a request that says two things is refused rather than guessed at, since a
/// proxy in front may have looked at the other one.
///
/// # Errors
/// [`WrongKey`] when there is none, when one is malformed, and when they differ.
pub(crate) fn presented(headers: &HeaderMap) -> Result<SecretKeyText, WrongKey> {
    let bearers = headers.get_all(AUTHORIZATION).iter().map(|value| {
        let (scheme, key) = value.to_str().ok()?.split_once(' ')?;
        scheme.eq_ignore_ascii_case("bearer").then(|| key.trim())
    });
    let api_keys = headers.get_all(API_KEY).iter().map(|value| value.to_str().ok());
    let mut presented: Option<SecretKeyText> = None;
    for text in bearers.chain(api_keys) {
        let key = text.and_then(|text| text.parse().ok()).ok_or(WrongKey)?;
        if presented.as_ref().is_some_and(|before| *before != key) {
            return Err(WrongKey);
        }
        presented = Some(key);
    }
    presented.ok_or(WrongKey)
}

/// The id of the key that is presented, whether or not it is one.
pub(crate) fn claimed(headers: &HeaderMap) -> Option<KeyId> {
    presented(headers).ok().map(|key| key.id())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use poem::http::HeaderValue;

    use super::*;

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        let value = |text: &str| HeaderValue::from_str(text).unwrap();
        pairs.iter().map(|(name, text)| (name.parse().unwrap(), value(text))).collect()
    }

    #[test]
    fn either_header_will_do_and_two_must_agree() {
        let [a, b] = [(), ()].map(|()| SecretKeyText::generate().unwrap());
        let bearer = |key: &SecretKeyText| format!("bEARER {}", key.expose());
        let ok = |pairs: &[(&'static str, &str)]| presented(&headers(pairs)).ok();
        assert_eq!(ok(&[("authorization", &bearer(&a))]), Some(a.clone()));
        assert_eq!(ok(&[("x-api-key", a.expose())]), Some(a.clone()));
        let both = [("authorization", &*bearer(&a)), ("x-api-key", a.expose())];
        assert_eq!(ok(&both), Some(a.clone()));
        let other = [("authorization", &*bearer(&b)), ("x-api-key", a.expose())];
        assert_eq!(ok(&other), None);
        assert_eq!(ok(&[("authorization", "Basic YTpi"), ("x-api-key", a.expose())]), None);
        assert_eq!(ok(&[("authorization", a.expose())]), None);
        assert_eq!(ok(&[]), None);
    }
}
