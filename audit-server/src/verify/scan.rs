//! Walks canonical JSON without building anything: a third of a verification's time went into a
//! general parser, which this replaces on the lines that need no general parser.
//!
//! The walk is strict. It takes only text that `serde_json` takes too, and of that only what our
//! writer emits: no spaces, control characters as the only `\u` escapes, bounded nesting. A `None`
//! means "not for me", not "broken": the caller then asks `serde_json`. So the two can differ only
//! if this accepts what the other refuses, and a property test beside `line` holds them together.

use std::borrow::Cow;

/// How deep values may nest before the text is left to `serde_json`.
const MAX_DEPTH: u32 = 64;

/// A place in canonical JSON text.
pub(super) struct Scanner<'a> {
    text: &'a str,
    at: usize,
}

/// What stands between the quotes of a JSON string.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(super) struct RawStr<'a> {
    pub(super) raw: &'a str,
    /// Whether `raw` has escapes, so that it is not the text yet.
    pub(super) escaped: bool,
}

impl<'a> RawStr<'a> {
    /// The text. `None` when an escape stands for no character.
    pub(super) fn resolve(self) -> Option<Cow<'a, str>> {
        if self.escaped {
            serde_json::from_str(&format!("\"{}\"", self.raw)).ok().map(Cow::Owned)
        } else {
            Some(Cow::Borrowed(self.raw))
        }
    }

    /// Whether the text is this.
    pub(super) fn is(self, text: &[u8]) -> bool {
        if self.escaped {
            self.resolve().is_some_and(|own| own.as_bytes() == text)
        } else {
            self.raw.as_bytes() == text
        }
    }
}

impl<'a> Scanner<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        Self { text, at: 0 }
    }

    fn rest(&self) -> &'a [u8] {
        self.text.as_bytes().get(self.at..).unwrap_or_default()
    }

    pub(super) fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    pub(super) fn is_at_end(&self) -> bool {
        self.at == self.text.len()
    }

    pub(super) fn eat(&mut self, byte: u8) -> Option<()> {
        (self.peek()? == byte).then(|| self.at += 1)
    }

    /// A string, its escapes checked but not resolved.
    pub(super) fn string(&mut self) -> Option<RawStr<'a>> {
        self.eat(b'"')?;
        let start = self.at;
        let mut escaped = false;
        loop {
            self.at += plain_bytes(self.rest());
            match self.peek()? {
                b'"' => break,
                b'\\' => {
                    escaped = true;
                    self.at += match self.rest() {
                        [_, b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't', ..] => 2,
                        [_, b'u', b'0', b'0', b'0' | b'1', digit, ..]
                            if digit.is_ascii_hexdigit() =>
                        {
                            6
                        }
                        _ => return None,
                    };
                }
                _ => return None,
            }
        }
        let raw = self.text.get(start..self.at)?;
        self.at += 1;
        Some(RawStr { raw, escaped })
    }

    /// An integer without sign, fraction or exponent.
    pub(super) fn unsigned(&mut self) -> Option<u64> {
        let digits = self.raw_value()?;
        if digits.bytes().all(|b| b.is_ascii_digit()) { digits.parse().ok() } else { None }
    }

    /// Any value, as it stands.
    pub(super) fn raw_value(&mut self) -> Option<&'a str> {
        let start = self.at;
        self.skip(MAX_DEPTH)?;
        self.text.get(start..self.at)
    }

    fn skip(&mut self, depth: u32) -> Option<()> {
        match self.peek()? {
            b'"' => self.string().map(drop),
            b'{' => self.skip_items(b'}', depth.checked_sub(1)?, true),
            b'[' => self.skip_items(b']', depth.checked_sub(1)?, false),
            b't' => self.skip_word(b"true"),
            b'f' => self.skip_word(b"false"),
            b'n' => self.skip_word(b"null"),
            _ => self.skip_number(),
        }
    }

    fn skip_items(&mut self, close: u8, depth: u32, named: bool) -> Option<()> {
        self.at += 1;
        if self.eat(close).is_some() {
            return Some(());
        }
        loop {
            if named {
                self.string()?;
                self.eat(b':')?;
            }
            self.skip(depth)?;
            if self.eat(close).is_some() {
                return Some(());
            }
            self.eat(b',')?;
        }
    }

    fn skip_word(&mut self, word: &[u8]) -> Option<()> {
        self.rest().starts_with(word).then(|| self.at += word.len())
    }

    fn skip_number(&mut self) -> Option<()> {
        let _ = self.eat(b'-');
        if self.eat(b'0').is_none() {
            self.skip_digits()?;
        }
        if self.eat(b'.').is_some() {
            self.skip_digits()?;
        }
        if let Some(b'e' | b'E') = self.peek() {
            self.at += 1;
            if let Some(b'+' | b'-') = self.peek() {
                self.at += 1;
            }
            self.skip_digits()?;
        }
        Some(())
    }

    fn skip_digits(&mut self) -> Option<()> {
        let digits = self.rest().iter().take_while(|b| b.is_ascii_digit()).count();
        self.at += digits;
        (digits > 0).then_some(())
    }
}

/// How many bytes stand before the first quote, backslash or control character.
fn plain_bytes(bytes: &[u8]) -> usize {
    const ONES: u64 = 0x0101_0101_0101_0101;
    const HIGHS: u64 = ONES << 7;
    // The lowest bit that is set in `(x - ONES * n) & !x & HIGHS` belongs to the first byte of `x`
    // below `n`; a borrow can only set bits after it.
    let below = |word: u64, n: u64| word.wrapping_sub(ONES * n) & !word & HIGHS;
    let (words, tail) = bytes.as_chunks::<8>();
    for (at, word) in words.iter().enumerate() {
        let word = u64::from_le_bytes(*word);
        let special = below(word, 0x20)
            | below(word ^ (ONES * u64::from(b'"')), 1)
            | below(word ^ (ONES * u64::from(b'\\')), 1);
        if special != 0 {
            return at * 8 + (special.trailing_zeros() / 8) as usize;
        }
    }
    let plain = |b: &&u8| **b >= 0x20 && **b != b'"' && **b != b'\\';
    words.len() * 8 + tail.iter().take_while(plain).count()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde::de::IgnoredAny;

    use super::*;

    proptest! {
        #[test]
        fn the_first_special_byte_is_found_wherever_it_is(bytes in prop::collection::vec(any::<u8>(), 0..40)) {
            let slow = bytes.iter().take_while(|b| **b >= 0x20 && **b != b'"' && **b != b'\\').count();
            prop_assert_eq!(plain_bytes(&bytes), slow);
        }

        #[test]
        fn what_is_accepted_is_json(text in r#"[-0-9eE.+\[\]{}:,"\\/utrflasn ]{0,12}"#) {
            let mut scanner = Scanner::new(&text);
            if scanner.raw_value().is_some() && scanner.is_at_end() {
                prop_assert!(serde_json::from_str::<IgnoredAny>(&text).is_ok(), "{}", text);
            }
        }
    }

    #[test]
    fn every_kind_of_value_is_walked_over() {
        let text = r#"{"a":[1,-2.5e+7,"x\"\\\u001f",{}],"b":{"c":[true,false,null]},"d":[]}"#;
        let mut scanner = Scanner::new(text);
        assert_eq!(scanner.raw_value(), Some(text));
        assert!(scanner.is_at_end());
    }

    #[test]
    fn deep_nesting_is_left_to_the_other_parser() {
        let deep = "[".repeat(100_000) + &"]".repeat(100_000);
        assert_eq!(Scanner::new(&deep).raw_value(), None);
    }

    #[test]
    fn what_is_no_json_is_not_accepted() {
        for bad in [
            "01",
            "1.",
            "-",
            ".5",
            "1e",
            "tru",
            "\"\u{1}\"",
            "\"\\x\"",
            "\"",
            "[1,]",
            "{\"a\"}",
            "\"\\ud800\"",
        ] {
            let mut scanner = Scanner::new(bad);
            assert!(scanner.raw_value().is_none() || !scanner.is_at_end(), "{bad}");
        }
    }
}
