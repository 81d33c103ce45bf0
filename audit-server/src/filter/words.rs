//! Full text: words, phrases and beginnings of words.
//!
//! A word is a run of letters and digits of any script, in lower case; everything else separates.
//! Searched are the message and those leaves of `details` that are strings and no numbers: a number
//! is asked for by the name of its member, and as words the amounts of a million trades would be a
//! third of the index.

use std::{fmt, str::FromStr};

use audit_layer::record::Record;

use super::{Decimal, leaves};

/// The longest text of a question in bytes.
pub(crate) const MAX_BYTES: usize = 1024;

/// The most words of a question.
const MAX_WORDS: usize = 32;

/// Words that a record must say, all of them.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Words(Vec<Wanted>);

/// A part of a question.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Wanted {
    /// These words, one after the other, in one text.
    Phrase(Vec<Box<str>>),
    /// A word that begins so.
    Prefix(Box<str>),
}

/// The words of a text, in order.
pub(crate) fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty())
}

/// Writes the word in lower case to the end of `out`.
pub(crate) fn push_folded(out: &mut String, word: &str) {
    if word.is_ascii() {
        let start = out.len();
        out.push_str(word);
        out[start..].make_ascii_lowercase();
    } else {
        // Not `str::to_lowercase`, which looks at what stands around a sigma.
        out.extend(word.chars().flat_map(char::to_lowercase));
    }
}

fn folded(word: &str) -> Box<str> {
    let mut out = String::with_capacity(word.len());
    push_folded(&mut out, word);
    out.into()
}

impl Words {
    /// What is wanted, all of it.
    pub(crate) fn wanted(&self) -> &[Wanted] {
        &self.0
    }

    /// A part of a word, in lower case and ASCII, that every line which says this has in it, in
    /// either case: JSON escapes neither letters nor digits.
    pub(crate) fn needle(&self) -> Option<&str> {
        let words = self.0.iter().flat_map(|wanted| match wanted {
            Wanted::Phrase(phrase) => &phrase[..],
            Wanted::Prefix(prefix) => std::slice::from_ref(prefix),
        });
        // Two letters beyond ASCII begin with one of ASCII in lower case: the sign for Kelvin is a k,
        // and a capital I with a dot an i.
        let pieces = words.filter(|word| word.is_ascii()).flat_map(|word| word.split(['k', 'i']));
        pieces.max_by_key(|piece| piece.len()).filter(|piece| !piece.is_empty())
    }

    /// Whether the record says it.
    pub(crate) fn said_in(&self, record: &Record<'_>) -> bool {
        let mut missing: Vec<&Wanted> = self.0.iter().collect();
        let mut read = |text: &str| {
            if !missing.is_empty() {
                let words: Vec<Box<str>> = words(text).map(folded).collect();
                missing.retain(|wanted| !wanted.stands_in(&words));
            }
        };
        if let Some(message) = &record.message {
            read(message);
        }
        if let Some(details) = record.details {
            searched(details, read);
        }
        missing.is_empty()
    }

    /// Whether the text says it.
    pub(crate) fn said_by(&self, text: &str) -> bool {
        let words: Vec<Box<str>> = words(text).map(folded).collect();
        self.0.iter().all(|wanted| wanted.stands_in(&words))
    }
}

/// Gives each text of `details` that full text looks at.
pub(crate) fn searched(details: &serde_json::value::RawValue, mut read: impl FnMut(&str)) {
    leaves(details, |_, leaf| {
        if leaf.quoted && !Decimal::is_one(leaf.text) {
            read(leaf.text);
        }
    });
}

impl Wanted {
    fn stands_in(&self, words: &[Box<str>]) -> bool {
        match self {
            Self::Phrase(phrase) => words.windows(phrase.len()).any(|window| window == phrase),
            Self::Prefix(prefix) => words.iter().any(|word| word.starts_with(&**prefix)),
        }
    }
}

impl FromStr for Words {
    type Err = String;

    /// Words, `"phrases"` and `beginnings*`, with blanks between them.
    fn from_str(text: &str) -> Result<Self, String> {
        if text.len() > MAX_BYTES {
            return Err(format!("it is longer than {MAX_BYTES} bytes"));
        }
        let mut wanted = Vec::new();
        for (at, part) in text.split('"').enumerate() {
            if at % 2 == 1 {
                wanted.push(phrase(part)?);
            } else {
                for piece in part.split_whitespace() {
                    match piece.strip_suffix('*') {
                        Some(beginning) => wanted.push(prefix(beginning)?),
                        None => wanted.push(phrase(piece)?),
                    }
                }
            }
        }
        if text.matches('"').count() % 2 == 1 {
            return Err("a quotation mark is not closed".to_owned());
        }
        let count = wanted.iter().map(Wanted::len).sum::<usize>();
        match count {
            0 => Err("it has no words".to_owned()),
            1..=MAX_WORDS => Ok(Self(wanted)),
            _ => Err(format!("it has more than {MAX_WORDS} words")),
        }
    }
}

/// What is written without a blank is a phrase: `user-42` are two words that follow each other.
fn phrase(text: &str) -> Result<Wanted, String> {
    let words: Vec<Box<str>> = words(text).map(folded).collect();
    if words.is_empty() {
        return Err(format!("{text:?} has no letters or digits"));
    }
    Ok(Wanted::Phrase(words))
}

fn prefix(text: &str) -> Result<Wanted, String> {
    let mut words = words(text).map(folded);
    match (words.next(), words.next()) {
        (Some(word), None) => Ok(Wanted::Prefix(word)),
        _ => Err(format!("{text:?}* is not the beginning of one word")),
    }
}

impl Wanted {
    fn len(&self) -> usize {
        match self {
            Self::Phrase(words) => words.len(),
            Self::Prefix(_) => 1,
        }
    }
}

impl fmt::Debug for Words {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(&self.0).finish()
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn says(text: &str, question: &str) -> bool {
        question.parse::<Words>().unwrap().said_by(text)
    }

    #[test]
    fn words_phrases_and_beginnings_are_found_whatever_their_case() {
        let text = "Login of user-42 failed: ÜBERZOGEN, ΣΟΦΟΣ";
        for question in [
            "failed login",
            "\"user 42\"",
            "user-42",
            "überz*",
            "FAIL*",
            "42",
            "σοφοσ",
            "\"of user 42 failed\"",
        ] {
            assert!(says(text, question), "{question}");
        }
        for question in ["fail", "\"42 user\"", "\"login user\"", "login succeeded", "ogin*"] {
            assert!(!says(text, question), "{question}");
        }
    }

    #[test]
    fn whatever_says_the_words_has_the_needle_in_it() {
        for (question, text) in [("\u{212a}elvin", "300 KELVIN"), ("kelvin", "300 \u{212a}elvin")] {
            assert!(says(text, question), "{question}");
            let question: Words = question.parse().unwrap();
            assert_eq!(question.needle(), Some("elv"));
        }
        assert!(says("FENER\u{130}", "feneri*"));
        assert_eq!("feneri*".parse::<Words>().unwrap().needle(), Some("fener"));
        for question in ["k", "kik*", "ü"] {
            assert_eq!(question.parse::<Words>().unwrap().needle(), None);
        }
    }

    #[test]
    fn a_question_without_words_or_with_an_open_quotation_is_refused() {
        for question in ["", " ", "\"\"", "\"a", "*", "-", "a \"-\"", "a-b*", "\"a\"*"] {
            assert!(question.parse::<Words>().is_err(), "{question}");
        }
        let many = "a ".repeat(33);
        assert!(many.parse::<Words>().is_err() && many[2..].parse::<Words>().is_ok());
        assert!("a".repeat(1025).parse::<Words>().is_err());
    }
}
