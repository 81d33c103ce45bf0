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

/// How many bytes are looked at together.
const BLOCK: usize = 64;

/// A place in canonical JSON text.
///
/// Only a quote, a backslash or a control character can end or change a run of plain text. They
/// are found a block at a time, without a branch a byte, and then visited one after the other.
pub(super) struct Scanner<'a> {
    text: &'a str,
    at: usize,
    /// Where the block after the current one begins.
    next_block: usize,
    /// The special bytes of the current block that were not passed yet: bit 0 is its first byte.
    special: u64,
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
        Self { text, at: 0, next_block: 0, special: 0 }
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
    #[inline]
    pub(super) fn string(&mut self) -> Option<RawStr<'a>> {
        // Every special byte before this place was passed, so the next one must be here.
        let open = self.pass_special()?;
        if open != self.at || self.peek() != Some(b'"') {
            return None;
        }
        let end = self.pass_special()?;
        if self.text.as_bytes().get(end) != Some(&b'"') {
            return self.escaped_string(end);
        }
        self.at = end + 1;
        Some(RawStr { raw: self.text.get(open + 1..end)?, escaped: false })
    }

    /// Goes on with a string from its first special byte, which is not a quote.
    #[cold]
    fn escaped_string(&mut self, mut special: usize) -> Option<RawStr<'a>> {
        let start = self.at + 1;
        loop {
            let rest = self.text.as_bytes().get(special..)?;
            match rest {
                [b'"', ..] => break,
                [b'\\', b'"' | b'\\', ..] => drop(self.pass_special()?),
                [b'\\', b'/' | b'b' | b'f' | b'n' | b'r' | b't', ..] => {}
                [b'\\', b'u', b'0', b'0', b'0' | b'1', digit, ..] if digit.is_ascii_hexdigit() => {}
                _ => return None,
            }
            special = self.pass_special()?;
        }
        self.at = special + 1;
        Some(RawStr { raw: self.text.get(start..special)?, escaped: true })
    }

    /// The next quote, backslash or control character that was not passed, and passes it.
    #[inline]
    fn pass_special(&mut self) -> Option<usize> {
        while self.special == 0 {
            self.next_block()?;
        }
        let at = self.next_block - BLOCK + self.special.trailing_zeros() as usize;
        self.special &= self.special - 1;
        Some(at)
    }

    fn next_block(&mut self) -> Option<()> {
        let rest = self.text.as_bytes().get(self.next_block..)?;
        self.special = match rest.first_chunk::<BLOCK>() {
            Some(block) => special_bytes(block),
            None if rest.is_empty() => return None,
            None => {
                let mut block = [b' '; BLOCK];
                block.iter_mut().zip(rest).for_each(|(to, from)| *to = *from);
                special_bytes(&block)
            }
        };
        self.next_block += BLOCK;
        Some(())
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

/// Which bytes are a quote, a backslash or a control character: bit 0 is the first byte.
fn special_bytes(block: &[u8; BLOCK]) -> u64 {
    // The compiler makes a few vector instructions of this loop.
    let mut flags = [0; BLOCK];
    for (flag, byte) in flags.iter_mut().zip(block) {
        let special = (*byte < 0x20) | (*byte == b'"') | (*byte == b'\\');
        *flag = u8::from(special) << 7;
    }
    // Moves bit 7 of byte n to bit 64 + n; no two of the partial products meet. A product of 128
    // bits, because of one of 64 the compiler would make slow vector instructions (measured).
    const GATHER: u128 = 0x0204_0810_2040_8100;
    let mut bits = 0;
    for (at, bytes) in flags.as_chunks::<8>().0.iter().enumerate() {
        let gathered = (u128::from(u64::from_le_bytes(*bytes)) * GATHER) >> 64;
        bits |= (gathered as u64 & 0xff) << (8 * at);
    }
    bits
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "in tests")]
mod tests {
    use proptest::prelude::*;
    use serde::de::IgnoredAny;

    use super::*;

    proptest! {
        #[test]
        fn special_bytes_are_found_and_no_others(
            block in prop::collection::vec(prop_oneof![any::<u8>(), Just(b'"'), Just(b'\\'), 0x1e_u8..0x24, 0x5b_u8..0x5e], BLOCK),
        ) {
            let found = special_bytes(block.as_slice().try_into().unwrap());
            for (at, byte) in block.iter().enumerate() {
                let special = *byte < 0x20 || *byte == b'"' || *byte == b'\\';
                prop_assert_eq!(found >> at & 1 == 1, special, "{:#x} at {}", byte, at);
            }
        }

        #[test]
        fn a_string_ends_at_its_quote_wherever_that_is(text in "[a-z]{0,200}", before in "[0-9]{1,80}") {
            let json = format!("{before}\"{text}\"{text}");
            let mut scanner = Scanner::new(&json);
            prop_assert!(scanner.skip_digits().is_some());
            prop_assert_eq!(scanner.string().map(|found| found.raw), Some(&*text));
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
