//! Secrets that show by themselves what they are, whatever they are called and wherever in a text they stand.
//!
//! - *Credentials of HTTP*: what is behind `Bearer` or `Basic` (RFC 6750, RFC 7617), of 16 characters or more,
//!   with a digit or a capital behind the first: the bearer of bad news has none, nor is a basic
//!   misunderstanding one.
//! - *JSON Web Tokens*: base64url that begins as `{"` does, with a dot behind it, and what follows (RFC 7519).
//! - *Private keys* in PEM (RFC 7468): from the line that begins one to the one that ends it, else to the end.
//! - *Payment cards*: [`cards`].
//!
//! Only the secret is taken out; what stands around it stays. Escapes within it, which JSON and `Debug` write,
//! are part of it.
//!
//! Two steps: [`are_in`] passes over every text of every event, and looks at few bytes closely; [`redact`]
//! reads what is found there.
//!
//! Rejected: regular expressions (ten times the time of this scan, for patterns that are four words);
//! entropy, which takes every identifier for a secret.
//!
//! Invariant: each is linear in the text, whatever is in it; and what [`redact`] takes out, [`are_in`] sees.

use super::{cards, text::REDACTED};

/// A credential is at least as long.
const TOKEN: usize = 16;
/// The first part of a JSON Web Token is: `{"alg":"none"}` in base64url, without what is padding.
const JWT_HEADER: usize = 16;
/// The words between `BEGIN` and `PRIVATE KEY`, with those.
const PEM_LABEL: usize = 48;
/// How many blanks may be behind `Bearer`.
const BLANKS: usize = 8;

const BEGIN: &[u8] = b"-----BEGIN ";
const END: &[u8] = b"-----END ";

/// No secret but a card is in a shorter text: `Basic` and its token.
const SHORTEST: usize = "basic ".len() + TOKEN;

/// How many bytes are looked at in one step, and how many behind each.
const LANES: usize = 16;
const AHEAD: usize = 4;
const WINDOW: usize = LANES + AHEAD;

/// Whether a secret is in the text; it may be wrong when it says so, but for cards alone.
pub(super) fn are_in(bytes: &[u8]) -> bool {
    bytes.len() >= cards::SHORTEST
        && (cards::is_in(bytes)
            || bytes.len() >= SHORTEST && has_mark(bytes) && next(bytes, 0).is_some())
}

/// Whether something is in the text that is in all secrets but cards.
///
/// What is left over in the end is shorter than a window, and too short for the mark of a secret and what is behind
/// it: a mark is the first or second byte of 22 at least.
fn has_mark(bytes: &[u8]) -> bool {
    let mut rest = bytes;
    while let Some(window) = rest.first_chunk() {
        if is_marked(window) {
            return true;
        }
        rest = rest.get(LANES..).unwrap_or_default();
    }
    false
}

/// Sixteen bytes at once, since nothing in the loop depends on what was before: `a??r` and a blank, `a??c` and
/// a blank, `-???-`, `yJ`.
fn is_marked(window: &[u8; WINDOW]) -> bool {
    let mut marks = 0;
    for at in 0..LANES {
        let (byte, second) = (window[at], window[at + 1]);
        let (fourth, fifth) = (window[at + 3] | 32, window[at + 4]);
        let is_scheme =
            (byte | 32 == b'a') & ((fourth == b'r') | (fourth == b'c')) & (fifth == b' ');
        let is_rule = (byte == b'-') & (fifth == b'-');
        let is_jwt = (byte == b'y') & (second == b'J');
        marks |= u8::from(is_scheme | is_rule | is_jwt);
    }
    marks != 0
}

/// The text without its secrets; none when it has none.
///
/// In JSON, what is in one string stays in it, and what is in none is put into quotes.
pub(super) fn redact(text: &str, is_json: bool) -> Option<String> {
    let bytes = text.as_bytes();
    if !are_in(bytes) {
        return None;
    }
    let is_json = is_json || matches!(bytes.trim_ascii_start(), [b'{' | b'[', ..]);
    let (mut out, mut copied) = (String::new(), 0);
    let mut quotes = Quotes::default();
    while let Some((from, mut to)) = next(bytes, copied) {
        if is_json {
            quotes.pass(bytes, from);
        }
        if quotes.are_open {
            to = to.min(quotes.close(bytes));
        }
        out.push_str(text.get(copied..from).unwrap_or_default());
        if is_json && !quotes.are_open {
            out.push_str(&format!("\"{REDACTED}\""));
        } else {
            out.push_str(REDACTED);
        }
        quotes.at = to;
        copied = to;
    }
    out.push_str(text.get(copied..).unwrap_or_default());
    Some(out)
}

/// Whether a place in a JSON text is within quotes.
#[derive(Default)]
struct Quotes {
    at: usize,
    are_open: bool,
}

impl Quotes {
    fn pass(&mut self, bytes: &[u8], to: usize) {
        while self.at < to {
            match bytes.get(self.at) {
                Some(b'"') => self.are_open = !self.are_open,
                Some(b'\\') if self.are_open => self.at += 1,
                _ => {}
            }
            self.at += 1;
        }
    }

    /// Where those close that are open here.
    fn close(&self, bytes: &[u8]) -> usize {
        let mut at = self.at;
        while let Some(byte) = bytes.get(at) {
            match byte {
                b'"' => return at,
                b'\\' => at += 2,
                _ => at += 1,
            }
        }
        bytes.len()
    }
}

/// The next secret from there on.
fn next(bytes: &[u8], mut at: usize) -> Option<(usize, usize)> {
    // What looked like the first part of a JSON Web Token and is none is not looked at again.
    let mut no_jwt_before = at;
    while let Some(byte) = bytes.get(at) {
        let rest = bytes.get(at..).unwrap_or_default();
        match byte {
            b'0'..=b'9' => {
                if let Some(end) = cards::end_at(bytes, at) {
                    return Some((at, end));
                }
                at += cards::digits(rest);
                continue;
            }
            b'b' | b'B' => {
                if let Some((from, to)) = credential(rest) {
                    return Some((at + from, at + to));
                }
            }
            b'e' if at >= no_jwt_before && rest.starts_with(b"eyJ") => match jwt(rest) {
                Ok(length) => return Some((at, at + length)),
                Err(length) => no_jwt_before = at + length,
            },
            b'-' => {
                if let Some(length) = private_key(rest) {
                    return Some((at, at + length));
                }
            }
            _ => {}
        }
        at += 1;
    }
    None
}

/// Where the token is of a credential that begins here.
fn credential(bytes: &[u8]) -> Option<(usize, usize)> {
    let scheme = [&b"bearer"[..], b"basic"].into_iter().find(|scheme| {
        bytes.get(..scheme.len()).is_some_and(|word| word.eq_ignore_ascii_case(scheme))
    })?;
    let behind = bytes.get(scheme.len()..)?;
    let blanks = behind.iter().take(BLANKS).take_while(|byte| **byte == b' ').count();
    let token = behind.get(blanks..)?;
    let length = token_length(token);
    let from = scheme.len() + blanks;
    (blanks > 0 && length >= TOKEN && is_no_word(token.get(1..length)?))
        .then_some((from, from + length))
}

/// Whether what is behind its first letter is not that of a word: a token has capitals or digits there, of which 16
/// characters of base64 at random lack both one time in two hundred thousand.
fn is_no_word(rest: &[u8]) -> bool {
    rest.iter().any(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit())
}

/// How long a token is, with characters of it that JSON may escape.
fn token_length(bytes: &[u8]) -> usize {
    let mut at = 0;
    while let Some(rest) = bytes.get(at..) {
        at += match rest {
            [byte, ..] if byte.is_ascii_alphanumeric() || b"-._~+/=".contains(byte) => 1,
            [b'\\', b'/', ..] => 2,
            [b'\\', b'u', a, b, c, d, ..] if [a, b, c, d].iter().all(|h| h.is_ascii_hexdigit()) => {
                6
            }
            _ => break,
        };
    }
    at
}

/// How long a JSON Web Token is that begins here; or else how far none does.
///
/// A text that ends within it may have been cut.
fn jwt(bytes: &[u8]) -> Result<usize, usize> {
    let part = |from: usize| {
        let rest = bytes.get(from..).unwrap_or_default();
        let is_of_part = |byte: &&u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
        from + rest.iter().take_while(is_of_part).count()
    };
    let header = part(0);
    if header < JWT_HEADER || bytes.get(header) != Some(&b'.') {
        return Err(header);
    }
    let mut end = part(header + 1);
    let mut parts = 2;
    // One that is encrypted has five.
    while parts < 5 && bytes.get(end) == Some(&b'.') {
        end = part(end + 1);
        parts += 1;
    }
    let is_jwt = (parts >= 3 || end == bytes.len()) && end >= SHORTEST;
    if is_jwt { Ok(end) } else { Err(header) }
}

/// How long a private key is that begins here.
fn private_key(bytes: &[u8]) -> Option<usize> {
    let label = bytes.strip_prefix(BEGIN)?;
    let label = label.get(..PEM_LABEL.min(label.len()))?;
    let label = label.get(..memchr::memchr(b'-', label).unwrap_or(label.len()))?;
    let name = b"PRIVATE KEY";
    let is_label =
        label.iter().all(|byte| byte.is_ascii_uppercase() || b" 0123456789".contains(byte))
            && label.windows(name.len()).any(|words| words == name);
    is_label.then_some(())?;
    let Some(end) = memchr::memmem::find(bytes, END) else { return Some(bytes.len()) };
    let behind = bytes.get(end + END.len()..).unwrap_or_default();
    let length = memchr::memmem::find(behind, b"-----").map_or(behind.len(), |at| at + 5);
    Some(end + END.len() + length)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const JWT: &str = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJ1LTEifQ.c2lnbmF0dXJlLW9mLWl0";
    const KEY: &str =
        "-----BEGIN RSA PRIVATE KEY-----\nMIIBOgIBAAJBAK\n-----END RSA PRIVATE KEY-----";

    fn redacted(text: &str) -> String {
        redact(text, false).unwrap_or_else(|| text.to_owned())
    }

    #[test]
    fn the_secret_is_taken_out_and_what_stands_around_it_stays() {
        for (text, expected) in [
            ("got Bearer abcdefghijklmno7 from it", "got Bearer [redacted] from it"),
            ("BEARER  abc.def/ghi+jkl-mno_P~q==, x", "BEARER  [redacted], x"),
            ("Authorization: basic dXNlcjpwYXNzd29yZA==", "Authorization: basic [redacted]"),
            (r"\nBearer abc\/defghijklm\u002Bnopqr\u003d x", r"\nBearer [redacted] x"),
            ("{h: \"Bearer abcdefghijklmno7\"}", "{h: \"Bearer [redacted]\"}"),
            ("pay 4111 1111 1111 1111 12/27", "pay [redacted] 12/27"),
            ("cards 4111111111111111,5555555555554444.", "cards [redacted],[redacted]."),
            // In JSON what was JSON is JSON.
            (
                r#"{"a":4111111111111111,"b":[4111111111111111]}"#,
                r#"{"a":"[redacted]","b":["[redacted]"]}"#,
            ),
            (r#"{"a":"\"4111111111111111","b":1}"#, r#"{"a":"\"[redacted]","b":1}"#),
            (
                r#"{"a":"-----BEGIN PRIVATE KEY-----\nMII","b":"x"}"#,
                r#"{"a":"[redacted]","b":"x"}"#,
            ),
            (
                r#" ["-----BEGIN PRIVATE KEY-----","-----END PRIVATE KEY-----"]"#,
                r#" ["[redacted]","-----END PRIVATE KEY-----"]"#,
            ),
        ] {
            assert_eq!(redacted(text), expected);
        }
        for (text, expected) in [
            (JWT.to_owned(), "[redacted]"),
            (format!("?t={JWT}&x=1"), "?t=[redacted]&x=1"),
            (format!("\\n{JWT}\\n"), "\\n[redacted]\\n"),
            (format!("{JWT}.iv.tag x"), "[redacted] x"),
            // Cut.
            ("x eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJ1".to_owned(), "x [redacted]"),
            (format!("key {KEY} end"), "key [redacted] end"),
            (format!("key {} end", KEY.replace('\n', "\\n")), "key [redacted] end"),
            (format!("key {}", &KEY[..50]), "key [redacted]"),
            (format!("{KEY}\n{JWT}"), "[redacted]\n[redacted]"),
            ("-----BEGIN OPENSSH PRIVATE KEY-----\nb3Bl".to_owned(), "[redacted]"),
            ("-----BEGIN PGP PRIVATE KEY BLOCK-----\nlQ".to_owned(), "[redacted]"),
            ("-----BEGIN ENCRYPTED PRIVATE KEY-----\nlQ".to_owned(), "[redacted]"),
        ] {
            assert_eq!(redacted(&text), expected);
        }
    }

    #[test]
    fn a_secret_is_seen_wherever_it_stands() {
        for secret in ["Basic abcdefghijklmno7", "eyJhbGciOiJub25l.abcde", "-----BEGIN PRIVATE KEY"]
        {
            for before in 0..70 {
                let text = format!("{}{secret}", ";".repeat(before));
                assert!(are_in(text.as_bytes()), "{text}");
            }
        }
    }

    #[test]
    fn ordinary_words_stay() {
        for ordinary in [
            "the bearer of bad news, and a basic mistake, or Basic English for all",
            "Bearer short-token",
            "a basic misunderstanding, Basic Authentication-credentials and basic configuration/setup",
            "Bearer: abcdefghijklmnopqrstuvwxyz7",
            "eyJhbGciOiJIUzI1NiJ9 is the header alone",
            "eyJ.eyJ.eyJ is too short",
            "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----",
            "-----BEGIN PUBLIC KEY-----\nMIIB\n-----END PUBLIC KEY-----",
            "------------------------------------------------------------",
            "Bearer [redacted], [redacted]",
        ] {
            assert_eq!(redact(ordinary, false), None, "{ordinary}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_read(pieces in proptest::collection::vec(prop::sample::select(vec![
            "Bearer ", "basic ", "abcdefghijklmnopq", "abcdefghijklmnop7", "eyJhbGciOiJIUzI1NiJ9", "eyJ", ".", "-", "-----", "-----BEGIN ", "RSA",
            "PRIVATE KEY", "-----END ", "4111", "4111111111111111", " ", "\"", "\\", "\n", "\\u0041", "{", "[", ":", "ü", "7",
        ]), 0..30), is_json: bool) {
            let text = pieces.concat();
            let redacted = redact(&text, is_json);
            // What is found is seen before.
            prop_assert_eq!(redacted.is_some(), are_in(text.as_bytes()));
            prop_assert_eq!(next(text.as_bytes(), 0).is_some(), are_in(text.as_bytes()));
            // A card that nothing parts from a token is seen once that is out.
            let once = redacted.unwrap_or(text);
            let twice = redact(&once, is_json).unwrap_or(once);
            prop_assert_eq!(redact(&twice, is_json), None, "{}", twice);
        }
    }
}
