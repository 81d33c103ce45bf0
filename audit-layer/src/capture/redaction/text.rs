//! Names within a text, and the values that belong to them.
//!
//! One reader for JSON, for what `Debug` writes of structs and maps, and for either within a message: within
//! braces, a name is a word or a quoted text with a `:` or `=` behind it, and its value goes up to the
//! comma or the bracket that ends it. A quoted text with braces in it is read in the same way, once it is
//! unescaped: JSON within JSON.
//!
//! The text need not be well-formed: it may have been cut. A value without an end ends with the text, so that
//! in doubt too much is taken out.

use std::borrow::Cow;

use super::{
    glance,
    patterns::{Fate, Names, Path},
};
use crate::record;

/// What stands in the place of a secret.
pub(crate) const REDACTED: &str = "[redacted]";

/// How often a text may be quoted within another. What is quoted more often is taken out whole.
const MAX_QUOTED: u8 = 4;

/// How many bytes at the end of a name are looked at.
const NEAR: usize = 64;

/// How many quotes and backslashes may be behind a name.
const QUOTES: usize = 32;

/// Whether a secret may have a name in here; it may be more than one text. False only when [`read`] leaves all as it is.
#[inline]
pub(super) fn may_name_secret(names: &Names, bytes: &[u8]) -> bool {
    glance::may_name_secret(names.ends(), bytes) && is_name_of_secret_in(names, bytes)
}

#[cold]
fn is_name_of_secret_in(names: &Names, bytes: &[u8]) -> bool {
    let begin = memchr::memchr(b'{', bytes).unwrap_or(bytes.len());
    let bytes = bytes.get(begin..).unwrap_or_default();
    if ends_name_of_secret(names, bytes) || is_deep(bytes) {
        return true;
    }
    // Of texts within texts, what is escaped is to be seen as who reads them does.
    let mut text = Cow::Borrowed(bytes);
    for _ in 0..=MAX_QUOTED {
        if !has_escapes(&text) {
            return false;
        }
        text = unescape(&String::from_utf8_lossy(&text)).into_bytes().into();
        if ends_name_of_secret(names, &text) {
            return true;
        }
    }
    true
}

/// Whether there are as many backslashes as before a quote that begins a text which is quoted too often to be read.
fn is_deep(bytes: &[u8]) -> bool {
    const DEEP: [u8; (1 << MAX_QUOTED) - 1] = [b'\\'; _];
    memchr::memchr_iter(b'\\', bytes)
        .any(|at| bytes.get(at..).is_some_and(|it| it.starts_with(&DEEP)))
}

/// Whether something is escaped that may be around a name or belong to one, other than a quote.
fn has_escapes(bytes: &[u8]) -> bool {
    let is_plain = |at| matches!(bytes.get(at + 1), Some(b'"' | b'\\' | b'/' | b'\''));
    memchr::memchr_iter(b'\\', bytes).any(|at| !is_plain(at))
}

/// Whether the name of a secret stands before any `:` or `=`.
fn ends_name_of_secret(names: &Names, bytes: &[u8]) -> bool {
    memchr::memchr2_iter(b':', b'=', bytes).any(|at| {
        let before = bytes.get(..at).unwrap_or_default().trim_ascii_end();
        let near = before.get(before.len().saturating_sub(NEAR + QUOTES)..).unwrap_or_default();
        glance::may_end(names.ends(), bytes, at) && names.may_concern(near)
    })
}

/// What is written in the place of values that are hashed.
pub(super) type Hasher<'h> = &'h mut dyn FnMut(&str) -> String;

/// What becomes of values that are not taken out.
pub(super) enum Others<'h> {
    /// They stay, and it is told that they are there.
    Stay,
    /// They are taken out too.
    Redact,
    /// Those that are hashed become what this makes of their text.
    Hash(Hasher<'h>),
}

/// What was read.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Read {
    /// The text with other values in it; none when it stays as it was.
    pub(super) text: Option<String>,
    /// There was something to be sealed.
    pub(super) seals: bool,
    /// There was something to be hashed.
    pub(super) hashes: bool,
}

/// Reads the text of a value and takes its secrets out. The path leads to the value.
pub(super) fn read(names: &Names, path: &Path, text: &str, mut others: Others<'_>) -> Read {
    within(names, path, text, &mut others, MAX_QUOTED)
}

fn within(names: &Names, path: &Path, text: &str, others: &mut Others<'_>, quoted: u8) -> Read {
    // Without a brace nothing has a name.
    let Some(at) = memchr::memchr(b'{', text.as_bytes()) else { return Read::default() };
    let mut reader = Reader {
        names,
        others,
        path: path.clone(),
        has_paths: names.have_paths(),
        open: Vec::new(),
        name: None,
        text,
        bytes: text.as_bytes(),
        at,
        braces: 0,
        quoted,
        copied: 0,
        out: String::new(),
        seals: false,
        hashes: false,
    };
    reader.read();
    let Reader { mut out, copied, seals, hashes, .. } = reader;
    let text = (copied > 0).then(|| {
        out.push_str(text.get(copied..).unwrap_or_default());
        out
    });
    Read { text, seals, hashes }
}

struct Reader<'t, 'o, 'h> {
    names: &'t Names,
    others: &'o mut Others<'h>,
    /// The names that lead here, when they matter.
    path: Path,
    has_paths: bool,
    /// How many of them each open bracket has added.
    open: Vec<usize>,
    /// The name of the value that is read now.
    name: Option<(usize, usize)>,
    text: &'t str,
    bytes: &'t [u8],
    at: usize,
    /// How many are open.
    braces: u32,
    quoted: u8,
    /// How much of the text is in `out` already, or was left out.
    copied: usize,
    out: String,
    seals: bool,
    hashes: bool,
}

impl Reader<'_, '_, '_> {
    fn read(&mut self) {
        while let Some(byte) = self.peek(0) {
            match byte {
                b'{' => {
                    self.braces += 1;
                    self.enter();
                }
                b'}' => {
                    self.braces = self.braces.saturating_sub(1);
                    self.leave();
                }
                b'[' | b'(' if self.has_paths => self.enter(),
                b']' | b')' if self.has_paths => self.leave(),
                b',' => {
                    self.name = None;
                    self.at += 1;
                }
                b'"' => {
                    let content = self.quoted();
                    if !self.named(content) {
                        self.inside(content);
                    }
                }
                b'\'' => self.character(),
                _ if is_of_name(byte) => {
                    let from = self.at;
                    while self.peek(0).is_some_and(is_of_name) {
                        self.at += 1;
                    }
                    self.named((from, self.at));
                }
                _ => self.at += 1,
            }
        }
    }

    fn peek(&self, ahead: usize) -> Option<u8> {
        self.bytes.get(self.at + ahead).copied()
    }

    /// Passes a bracket, into what has the name before it; the items of a list share that of the list.
    fn enter(&mut self) {
        self.at += 1;
        if self.has_paths {
            let name = self.name.take().and_then(|(from, to)| self.bytes.get(from..to));
            let entered = name.map_or(0, |name| self.path.enter(name));
            self.open.push(entered);
        }
    }

    fn leave(&mut self) {
        self.at += 1;
        self.name = None;
        if let Some(entered) = self.open.pop() {
            self.path.leave(entered);
        }
    }

    /// Passes a quoted text; what is between the quotes.
    fn quoted(&mut self) -> (usize, usize) {
        self.at += 1;
        let from = self.at;
        while let Some(byte) = self.peek(0) {
            match byte {
                b'"' => {
                    self.at += 1;
                    return (from, self.at - 1);
                }
                b'\\' => self.at += 2,
                _ => self.at += 1,
            }
        }
        self.at = self.bytes.len();
        (from, self.at)
    }

    /// Passes an apostrophe, and the character behind it when it is quoted.
    fn character(&mut self) {
        let rest = self.bytes.get(self.at + 1..).unwrap_or_default();
        let length = match rest {
            [b'\\', _, b'\'', ..] => 4,
            [first, ..] if *first != b'\\' => {
                let length = self.text.get(self.at + 1..).and_then(|rest| rest.chars().next());
                let length = length.map_or(0, char::len_utf8);
                if rest.get(length) == Some(&b'\'') { length + 2 } else { 1 }
            }
            _ => 1,
        };
        self.at += length;
    }

    /// Looks for a value behind what may be a name, and takes it out if it is a secret's; whether it is a
    /// name.
    fn named(&mut self, (from, to): (usize, usize)) -> bool {
        let mut ahead = 0;
        while self.peek(ahead).is_some_and(|byte| byte.is_ascii_whitespace()) {
            ahead += 1;
        }
        let is_name = self.braces > 0
            && match (self.peek(ahead), self.peek(ahead + 1)) {
                (Some(b':'), behind) => behind != Some(b':'),
                (Some(b'='), behind) => !matches!(behind, Some(b'=' | b'>')),
                _ => false,
            };
        if !is_name {
            return false;
        }
        self.at += ahead + 1;
        self.name = Some((from, to));
        let name = self.text.get(from..to).unwrap_or_default();
        let unescaped = name.contains('\\').then(|| unescape(name));
        let name = unescaped.as_deref().unwrap_or(name).as_bytes();
        let near = name.get(name.len().saturating_sub(NEAR)..).unwrap_or_default();
        let fate = self.names.fate(&self.path, near);
        match (fate, &self.others) {
            (None, _) => {}
            (Some(Fate::Redact), _) | (Some(_), Others::Redact) => {
                let value = self.whole_value();
                self.replace(value, is_telling, || format!("\"{REDACTED}\""));
            }
            (Some(Fate::Seal), _) => self.seals = true,
            (Some(Fate::Hash), Others::Stay) => self.hashes = true,
            (Some(Fate::Hash), Others::Hash(_)) => self.hash(),
        }
        true
    }

    /// Passes a value, and says where it was.
    fn whole_value(&mut self) -> (usize, usize) {
        while self.peek(0).is_some_and(|byte| byte.is_ascii_whitespace()) {
            self.at += 1;
        }
        let begin = self.at;
        self.pass_value();
        (begin, self.at)
    }

    #[cold]
    fn hash(&mut self) {
        let (from, to) = self.whole_value();
        let is_said = |value: &&str| !is_redacted(value) && !matches!(*value, "null" | "None");
        let Some(value) = self.text.get(from..to).filter(is_said) else { return };
        let said = said(value);
        if let Others::Hash(hash) = &mut *self.others {
            let mark = hash(&said);
            self.replace((from, to), |_| true, || format!("\"{mark}\""));
        }
    }

    /// Passes all up to the comma or bracket that ends a value.
    fn pass_value(&mut self) {
        let mut open = 0_u32;
        while let Some(byte) = self.peek(0) {
            match byte {
                b'"' => drop(self.quoted()),
                b'\'' => self.character(),
                b'{' | b'[' | b'(' => {
                    open += 1;
                    self.at += 1;
                }
                b'}' | b']' | b')' | b',' if open == 0 => break,
                b'}' | b']' | b')' => {
                    open -= 1;
                    self.at += 1;
                }
                _ => self.at += 1,
            }
        }
        self.at = self.at.min(self.bytes.len());
        while self
            .at
            .checked_sub(1)
            .and_then(|at| self.bytes.get(at))
            .is_some_and(u8::is_ascii_whitespace)
        {
            self.at -= 1;
        }
    }

    /// Looks into a quoted text.
    fn inside(&mut self, (from, to): (usize, usize)) {
        let Some(content) = self.text.get(from..to).filter(|content| content.contains('{')) else {
            return;
        };
        let Some(left) = self.quoted.checked_sub(1) else {
            return self.replace((from, to), |_| true, || REDACTED.to_owned());
        };
        let mut path = Path::default();
        if self.has_paths {
            path = self.path.clone();
            if let Some((from, to)) = self.name {
                path.enter(self.bytes.get(from..to).unwrap_or_default());
            }
        }
        let read = within(self.names, &path, &unescape(content), self.others, left);
        self.seals |= read.seals;
        self.hashes |= read.hashes;
        if let Some(redacted) = read.text {
            let mut escaped = Vec::with_capacity(redacted.len() + 2);
            record::push_str(&mut escaped, &redacted);
            let escaped = String::from_utf8_lossy(&escaped);
            let inner = escaped.strip_prefix('"').and_then(|text| text.strip_suffix('"'));
            self.replace((from, to), |_| true, || inner.unwrap_or(REDACTED).to_owned());
        }
    }

    fn replace(
        &mut self,
        (from, to): (usize, usize),
        is_secret: impl FnOnce(&str) -> bool,
        by: impl FnOnce() -> String,
    ) {
        let (Some(before), Some(value)) =
            (self.text.get(self.copied..from), self.text.get(from..to))
        else {
            return;
        };
        if is_secret(value) {
            self.out.push_str(before);
            self.out.push_str(&by());
            self.copied = to;
        }
    }
}

fn is_of_name(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.') || !byte.is_ascii()
}

/// Whether a value tells anything that could be secret.
fn is_telling(value: &str) -> bool {
    !is_redacted(value) && !matches!(value, "" | "true" | "false" | "null" | "None" | "\"\"")
}

/// Whether that is all that is left of a value.
pub(super) fn is_redacted(value: &str) -> bool {
    unquoted(value) == Some(REDACTED)
}

fn unquoted(value: &str) -> Option<&str> {
    value.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'))
}

/// The text that a value says, which a field of the same value would be: what is quoted without quotes and escapes, what
/// `Debug` writes of an option without that it is one.
fn said(mut value: &str) -> String {
    while let Some(inner) = value.strip_prefix("Some(").and_then(|rest| rest.strip_suffix(')')) {
        value = inner.trim();
    }
    unquoted(value).map_or_else(|| value.to_owned(), unescape)
}

/// What an escaped text stands for, in JSON or in what `Debug` writes; an escape that is none stays.
fn unescape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('\\') {
        out.push_str(&rest[..at]);
        let escape = &rest[at..];
        let (character, length) = match escape.as_bytes().get(1) {
            Some(b'n') => (Some('\n'), 2),
            Some(b't') => (Some('\t'), 2),
            Some(b'r') => (Some('\r'), 2),
            Some(b'b') => (Some('\u{8}'), 2),
            Some(b'f') => (Some('\u{c}'), 2),
            Some(b'0') => (Some('\0'), 2),
            Some(known @ (b'"' | b'\\' | b'/' | b'\'')) => (Some(char::from(*known)), 2),
            Some(b'u') => code(escape),
            _ => (None, 1),
        };
        match character {
            Some(character) => out.push(character),
            None => out.push_str(&escape[..length]),
        }
        rest = &escape[length..];
    }
    out.push_str(rest);
    out
}

/// The character of `\u00e9` or `\u{e9}`, and how long the escape is. Half a pair stays as it is: no name
/// and no bracket is written so.
fn code(escape: &str) -> (Option<char>, usize) {
    let hex = match escape.get(2..).and_then(|rest| rest.strip_prefix('{')) {
        Some(rest) => rest.split_once('}').map(|(hex, _)| (hex, hex.len() + 4)),
        None => escape.get(2..6).map(|hex| (hex, 6)),
    };
    let read = hex.and_then(|(hex, length)| {
        Some((char::from_u32(u32::from_str_radix(hex, 16).ok()?)?, length))
    });
    read.map_or((None, 2), |(character, length)| (Some(character), length))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn redact(text: &str) -> Option<String> {
        super::read(&Names::default(), &Path::default(), text, Others::Stay).text
    }

    fn redacted(text: &str) -> String {
        redact(text).unwrap_or_else(|| text.to_owned())
    }

    #[test]
    fn values_of_secrets_are_taken_out_and_nothing_else() {
        for (text, expected) in [
            (r#"{"password":"x, y}"}"#, r#"{"password":"[redacted]"}"#),
            (
                r#"{"a":1,"card":{"pin":1234,"n":"7"}}"#,
                r#"{"a":1,"card":{"pin":"[redacted]","n":"7"}}"#,
            ),
            (r#"{"token":["a",{"b":"c"}],"d":2}"#, r#"{"token":"[redacted]","d":2}"#),
            (r#"{"password" : "a\"b" , "e":1}"#, r#"{"password" : "[redacted]" , "e":1}"#),
            (
                "User { name: \"n\", password: \"p\", age: 3 }",
                "User { name: \"n\", password: \"[redacted]\", age: 3 }",
            ),
            ("User { password: Some(\"a, b\") }", "User { password: \"[redacted]\" }"),
            ("U { quote: '\"', apiKey: \"k\" }", "U { quote: '\"', apiKey: \"[redacted]\" }"),
            ("U { quote: '\\'', apiKey: \"k\" }", "U { quote: '\\'', apiKey: \"[redacted]\" }"),
            ("U {\n    pin: 12,\n    n: 1,\n}", "U {\n    pin: \"[redacted]\",\n    n: 1,\n}"),
            ("got {\"x-api-key\": \"k\"} from it", "got {\"x-api-key\": \"[redacted]\"} from it"),
            (
                "{\"Object\": Object {\"pwd\": String(\"k\")}}",
                "{\"Object\": Object {\"pwd\": \"[redacted]\"}}",
            ),
            ("login{password=abc user=u}", "login{password=\"[redacted]\"}"),
            // Cut.
            (r#"{"password":"abc"#, r#"{"password":"[redacted]""#),
            (r#"{"a":[{"password":{"b"#, r#"{"a":[{"password":"[redacted]""#),
        ] {
            assert_eq!(redacted(text), expected);
        }
        for ordinary in [
            "password: x",
            "{}",
            "{",
            r#"{"password":null,"token":true,"pin":"","x":"password"}"#,
            r#"{"password":"[redacted]"}"#,
            r#"{"password_changed_at":"2026-01-01","token_count":7}"#,
            "User { has: None, password: None, it's: 1 }",
            "std::{token::Stream}",
            "{a == password}",
        ] {
            assert_eq!(redact(ordinary), None, "{ordinary}");
        }
    }

    #[test]
    fn json_within_json_is_read_too_and_stays_json() {
        for name in ["ü\n", "ü"] {
            let mut text = serde_json::json!({"name": name, "password": "hunter2"}).to_string();
            for level in 0..8 {
                assert!(may_name_secret(&Names::default(), text.as_bytes()), "{level}: {text}");
                let redacted = redacted(&text);
                assert!(!redacted.contains("hunter2"), "{level}: {redacted}");
                let _: serde_json::Value = serde_json::from_str(&redacted).unwrap();
                if level <= MAX_QUOTED {
                    assert!(redacted.contains("name"), "{level}: {redacted}");
                }
                text = serde_json::json!({"body": text, "n": level}).to_string();
            }
        }
    }

    #[test]
    fn what_is_escaped_hides_a_name_from_nobody() {
        let names = Names::parse(&["größe".to_owned()], &[]).unwrap();
        for text in [
            r#"{"body":"{\u0022password\u0022:\u0022hunter2\u0022}"}"#,
            r#"{"body":"{\"password\"\t:\"hunter2\"}"}"#,
            r#"{"body":"{\"password\"\r\n\f:\"hunter2\"}"}"#,
            r#"{"body":"{\"password\"\u000a:\"hunter2\"}"}"#,
            r#"{"body":"{\"pa\u0073sword\":\"hunter2\"}"}"#,
            r#"{"body":"{\npassword = hunter2}"}"#,
            r#"{"body":"Login{user\u003dbob, password\u003dhunter2}"}"#,
            r#"{"body":"{\u0022password\u0022\u003a\u0022hunter2\u0022}"}"#,
            r#"{"b":"User {a\\token\t:\"hunter2\"}"}"#,
            r#"{"b":"{\"c\":\"{\\\"password\\\"\u005cn:\\\"hunter2\\\"}\"}"}"#,
            r#"Request { body: "{\n\tpin: \"hunter2\"}" }"#,
            r#"{"body":"{\"body\":\"{\\n\\tpin\\t:\\\"hunter2\\\"}\"}"}"#,
            r#"{"pass\u0077ord":"hunter2"}"#,
            r#"{"gr\u00f6\u00dfe":"hunter2"}"#,
            &format!(r#"{{"body":"{{\"password\"{}:\"hunter2\"}}"}}"#, r"\n".repeat(100)),
        ] {
            assert!(may_name_secret(&names, text.as_bytes()), "{text}");
            let read = read(&names, &Path::default(), text, Others::Stay).text;
            assert!(read.is_some_and(|read| !read.contains("hunter2")), "{text}");
        }
        // Where nothing before the escape, and nothing of it, is as a secret ends.
        let bank = Names::parse(&["bank".to_owned()], &[]).unwrap();
        assert!(may_name_secret(&bank, br#"{"ban\u006b":"hunter2"}"#));
        let names = Names::default();
        for ordinary in [
            r#"Note { text: "a\nb\t: c", at: 3 }"#,
            r#"{"body":"{\n\t\"symbol\": \"ACME\",\n\t\"n\": 3\n}"}"#,
            r#"{"body":"{\"symbol\":\"ACME\",\"url\":\"a:\/\/b\"}"}"#,
        ] {
            assert!(!may_name_secret(&names, ordinary.as_bytes()), "{ordinary}");
        }
    }

    #[test]
    fn patterns_are_matched_on_the_names_that_lead_to_a_member() {
        let patterns = ["iban", "user.email", "customer.*", "details.order.note", "cards.holder"];
        let names =
            Names::parse(&patterns.map(str::to_owned), &["pin".to_owned(), "a.token".to_owned()])
                .unwrap();
        let mut path = Path::default();
        path.enter(b"details");
        path.enter(b"order");
        for (text, expected) in [
            (
                r#"{"myIban":"1","email":"2","user":{"email":"3","x":{"email":"4"}},"email":"5"}"#,
                r#"{"myIban":"[redacted]","email":"2","user":{"email":"[redacted]","x":{"email":"4"}},"email":"5"}"#,
            ),
            (
                r#"{"customer":{"a":1,"b":[2],"c":{"d":3}},"d":4}"#,
                r#"{"customer":{"a":"[redacted]","b":"[redacted]","c":"[redacted]"},"d":4}"#,
            ),
            (r#"{"note":"1","x":{"note":"2"}}"#, r#"{"note":"[redacted]","x":{"note":"2"}}"#),
            (
                r#"{"cards":[{"holder":"1"},{"n":[],"holder":"2"}],"holder":"3"}"#,
                r#"{"cards":[{"holder":"[redacted]"},{"n":[],"holder":"[redacted]"}],"holder":"3"}"#,
            ),
            (
                "Order { user: Some(User { email: \"1\" }), email: \"2\", pin: 3 }",
                "Order { user: Some(User { email: \"[redacted]\" }), email: \"2\", pin: 3 }",
            ),
            (
                r#"{"user":"{\"email\":\"1\",\"x\":2}","user.email":3}"#,
                r#"{"user":"{\"email\":\"[redacted]\",\"x\":2}","user.email":"[redacted]"}"#,
            ),
            (r#"{"cards":["{\"holder\":\"1\"}"]}"#, r#"{"cards":["{\"holder\":\"[redacted]\"}"]}"#),
            (
                r#"{"a":{"token":"1","b":{"token":"2"}},"pin":3,"token":"4"}"#,
                r#"{"a":{"token":"1","b":{"token":"[redacted]"}},"pin":3,"token":"[redacted]"}"#,
            ),
        ] {
            assert!(may_name_secret(&names, text.as_bytes()), "{text}");
            let read = super::read(&names, &path, text, Others::Stay);
            assert_eq!(read.text.as_deref(), Some(expected));
            assert!(!read.seals && !read.hashes);
        }
        let other = r#"{"note":"1"}"#;
        assert_eq!(super::read(&names, &Path::default(), other, Others::Stay), Read::default());
    }

    #[test]
    fn what_is_to_be_hashed_or_sealed_is_told_or_hashed_and_what_is_taken_out_is_neither() {
        let patterns =
            |patterns: &[&str]| patterns.iter().map(ToString::to_string).collect::<Vec<_>>();
        let names = Names::parse(&patterns(&["tax_id"]), &[])
            .and_then(|names| names.hashing(&patterns(&["email", "tax_id", "iban"])))
            .and_then(|names| names.sealing(&patterns(&["user.iban", "password"])))
            .unwrap();
        fn read_by(names: &Names, text: &str, others: Others<'_>) -> Read {
            super::read(names, &Path::default(), text, others)
        }
        for (text, seals, hashes) in [
            (r#"{"email":"a@b.c","taxId":"1"}"#, false, true),
            (r#"{"user":{"iban":1},"iban":"2"}"#, true, true),
            ("User { iban: Some(\"1\") }", false, true),
            (r#"{"user":{"iban":true}}"#, true, false),
            (r#"{"n":"{\"user\":{\"iban\":1}}"}"#, true, false),
            (r#"{"password":"1","taxId":"2"}"#, false, false),
            ("email: a@b.c", false, false),
        ] {
            assert!(!text.contains('{') || may_name_secret(&names, text.as_bytes()), "{text}");
            let found = read_by(&names, text, Others::Stay);
            assert_eq!((found.seals, found.hashes), (seals, hashes), "{text}");
            let hidden = read_by(&names, text, Others::Redact);
            assert!(!hidden.seals && !hidden.hashes, "{text}");
            let hidden = hidden.text.unwrap_or_else(|| text.to_owned());
            assert!(
                !["a@b.c\"", ":1}", "\"1\"", "\"2\""].iter().any(|plain| hidden.contains(plain)),
                "{hidden}"
            );
        }
        let mut said = Vec::new();
        let text = r#"{"email":"ü\n\"","iban":7,"n":"{\"email\":\"x\"}","taxId":"1","z":1}"#;
        let mut hash = |text: &str| {
            said.push(text.to_owned());
            "#".to_owned()
        };
        let hashed = read_by(&names, text, Others::Hash(&mut hash));
        let expected =
            r##"{"email":"#","iban":"#","n":"{\"email\":\"#\"}","taxId":"[redacted]","z":1}"##;
        assert_eq!(hashed.text.as_deref(), Some(expected));
        assert_eq!(said, ["ü\n\"", "7", "x"]);
        let text = "U { email: Some(\"x\"), iban: None }";
        let hashed = read_by(&names, text, Others::Hash(&mut |text| text.to_uppercase()));
        assert_eq!(hashed.text.as_deref(), Some("U { email: \"X\", iban: None }"));
    }

    proptest! {
        #[test]
        fn a_secret_in_json_is_gone_and_all_else_is_as_it_was(
            // A brace in an ordinary text may be followed by anything.
            before in proptest::collection::btree_map(any::<String>(), "[^{]*", 0..8),
            secret in "[^\\[]{1,20}",
            name in "(db_)?(password|apiKey|PIN|X-Auth-Token)[0-9]?",
            nested: bool,
        ) {
            let ordinary = |value: &serde_json::Value| {
                let mut object = serde_json::to_value(&before).unwrap();
                object[&name] = value.clone();
                if nested { serde_json::json!({"list": [1, object], "z": null}) } else { object }
            };
            prop_assume!(!before.keys().any(|name| Names::default().may_concern(name.as_bytes())));
            let text = ordinary(&secret.clone().into()).to_string();
            let read: serde_json::Value = serde_json::from_str(&redacted(&text)).unwrap();
            prop_assert_eq!(read, ordinary(&REDACTED.into()));
        }

        #[test]
        fn a_secret_in_debug_is_gone(
            name in "[^{@]*", secret in "[a-z\"'{},\\\\]{1,20}", more in prop::option::of(prop::char::range('\0', '?')),
        ) {
            #[derive(Debug)]
            #[allow(dead_code)]
            struct User { name: String, more: Option<char>, password: Option<String>, last: Vec<u8> }
            let user = |secret: &str| User { name: name.clone(), more, password: Some(secret.into()), last: vec![7] };
            let hidden = |text: String| text.replace("Some(\"@\")", "\"[redacted]\"");
            prop_assert_eq!(redacted(&format!("{:?}", user(&secret))), hidden(format!("{:?}", user("@"))));
        }

        #[test]
        fn any_text_is_read(pieces in pieces(&[])) {
            let text = pieces.concat();
            // What was escaped in a text within a text is so no longer, and may end what it did not.
            let once = redact(&text).unwrap_or(text);
            let twice = redact(&once).unwrap_or(once);
            prop_assert_eq!(redact(&twice), None, "{}", twice);
        }

        #[test]
        fn what_is_taken_out_is_seen_before(pieces in pieces(&[
            "\\u0022", "\\t", "\\n", "\\u000a", "pi\\u006e", "\\u003d", "\\u005c", "\\'", "\\\\", "\\\\\\\"", "\\u",
        ])) {
            let text = pieces.concat();
            prop_assert!(redact(&text).is_none() || may_name_secret(&Names::default(), text.as_bytes()));
        }
    }

    fn pieces(more: &'static [&'static str]) -> impl Strategy<Value = Vec<&'static str>> {
        let some = &[
            "{",
            "{",
            "}",
            "[",
            "]",
            "(",
            ")",
            ":",
            ":",
            "=",
            ",",
            "\"",
            "\"",
            "'",
            "\\",
            "\\\"",
            " ",
            "\n",
            "a",
            "ü",
            "_",
            "7",
            "pin",
            "Password",
            "x-api-key",
            "null",
            " ".repeat(80).leak(),
        ];
        proptest::collection::vec(prop::sample::select([some, more].concat()), 0..40)
    }
}
