//! Whether there may be a secret's name in what an event was given, at a glance: nearly always there is none.
//!
//! A name counts behind a `{` only, and has a `:` or `=` behind it. Sixteen bytes at once are looked through for these, and
//! of what is before one the last two letters, which tell for nearly all names; and for a `\`, since in a text within a
//! text what is around a name, or belongs to it, may be escaped. All else is looked at closely, away from here: the search
//! calls no other function, so that it keeps nothing of its caller's in memory. That is so on x86_64; elsewhere the blocks
//! are what the compiler makes of them, which has not been measured.
//!
//! With a struct of three members by its `Debug` this takes half the instructions (callgrind) that eight bytes at once behind
//! a search for the `{` took. Measured before that: `memchr2` for the two bytes, a table of what each byte is, the
//! letters of all names in one pass, each text of the frame by itself, each between 1.2 and 3 times as long.

use super::patterns::Ends;

const BLOCK: usize = 16;

/// What is longer is searched for a `{` by `memchr`, which is slow to begin and fast then.
const LONG: usize = 512;

/// Whether a closer look is needed; false only when no secret's name ends in here and nothing is escaped.
#[inline]
pub(super) fn may_name_secret(ends: &Ends, bytes: &[u8]) -> bool {
    if bytes.len() <= LONG {
        return may_name(ends, bytes);
    }
    let begin = memchr::memchr(b'{', bytes);
    begin.and_then(|at| bytes.get(at..)).is_some_and(|bytes| may_name(ends, bytes))
}

#[inline(never)]
fn may_name(ends: &Ends, bytes: &[u8]) -> bool {
    let (blocks, rest) = bytes.as_chunks();
    let Some(last) = bytes.last_chunk() else { return true };
    let mut begin = 0;
    let mut blocks = blocks.iter();
    loop {
        match blocks.as_slice() {
            [block, ..] if braces(block) != 0 => break,
            [_, ..] => blocks.next(),
            // Behind a brace in the last bytes few names have room, if any.
            [] => return braces(last) != 0 && ends_and_escapes(last) != 0,
        };
        begin += BLOCK;
    }
    for block in blocks {
        if may_be_any(ends, bytes, begin, ends_and_escapes(block)) {
            return true;
        }
        begin += BLOCK;
    }
    // The last sixteen bytes, without those that were looked through.
    may_be_any(ends, bytes, begin, ends_and_escapes(last) >> (BLOCK - rest.len()))
}

#[inline(always)]
fn braces(block: &[u8; BLOCK]) -> u32 {
    places::<b'{', b'{', b'{'>(block)
}

#[inline(always)]
fn ends_and_escapes(block: &[u8; BLOCK]) -> u32 {
    places::<b':', b'=', b'\\'>(block)
}

/// Whether one of these places may be the end of a secret's name, or an escape.
#[inline(always)]
fn may_be_any(ends: &Ends, bytes: &[u8], begin: usize, mut places: u32) -> bool {
    while places != 0 {
        let at = begin + places.trailing_zeros() as usize;
        let near = bytes.get(at.wrapping_sub(3)..).and_then(<[u8]>::first_chunk);
        let Some(&[first, second, third, place]) = near else { return true };
        if place == b'\\' || may_end_with(ends, [first, second, third]) {
            return true;
        }
        places &= places - 1;
    }
    false
}

/// Whether the name of a secret may end there.
pub(super) fn may_end(ends: &Ends, bytes: &[u8], at: usize) -> bool {
    let before = bytes.get(at.wrapping_sub(3)..).and_then(<[u8]>::first_chunk);
    before.is_none_or(|before| may_end_with(ends, *before))
}

#[inline(always)]
fn may_end_with(ends: &Ends, [first, second, third]: [u8; 3]) -> bool {
    if third == b'"' { ends.have(first, second) } else { ends.have(second, third) }
}

/// One bit for each byte that is one of the three.
#[cfg(target_arch = "x86_64")]
#[inline(always)]
fn places<const ONE: u8, const OTHER: u8, const THIRD: u8>(block: &[u8; BLOCK]) -> u32 {
    use std::arch::x86_64::{
        _mm_cmpeq_epi8, _mm_movemask_epi8, _mm_or_si128, _mm_set_epi64x, _mm_set1_epi8,
    };

    #[inline]
    #[target_feature(enable = "sse2")]
    fn find<const ONE: u8, const OTHER: u8, const THIRD: u8>(block: u128) -> i32 {
        let bytes = _mm_set_epi64x((block >> 64) as i64, block as i64);
        let one = _mm_cmpeq_epi8(bytes, _mm_set1_epi8(ONE.cast_signed()));
        let other = _mm_cmpeq_epi8(bytes, _mm_set1_epi8(OTHER.cast_signed()));
        let third = _mm_cmpeq_epi8(bytes, _mm_set1_epi8(THIRD.cast_signed()));
        _mm_movemask_epi8(_mm_or_si128(_mm_or_si128(one, other), third))
    }

    #[allow(unsafe_code, reason = "every x86_64 has SSE2, and the compiler wants to be told")]
    // SAFETY: SSE2 is part of the architecture.
    let places = unsafe { find::<ONE, OTHER, THIRD>(u128::from_le_bytes(*block)) };
    places.cast_unsigned()
}

#[cfg(not(target_arch = "x86_64"))]
#[inline(always)]
fn places<const ONE: u8, const OTHER: u8, const THIRD: u8>(block: &[u8; BLOCK]) -> u32 {
    places_anywhere::<ONE, OTHER, THIRD>(block)
}

/// The same where there is no instruction for it.
#[cfg(any(test, not(target_arch = "x86_64")))]
fn places_anywhere<const ONE: u8, const OTHER: u8, const THIRD: u8>(block: &[u8; BLOCK]) -> u32 {
    let places = block.iter().map(|byte| u32::from([ONE, OTHER, THIRD].contains(byte)));
    places.rev().fold(0, |places, place| places << 1 | place)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::capture::redaction::Names;

    proptest! {
        #[test]
        fn both_ways_to_look_find_the_same(block in prop::array::uniform16(prop_oneof![
            Just(b':'), Just(b'='), Just(b'\\'), any::<u8>(),
        ])) {
            prop_assert_eq!(
                ends_and_escapes(&block),
                places_anywhere::<b':', b'=', b'\\'>(&block)
            );
        }

        /// Wherever in a frame a name is, also at its end and in the block of its brace.
        #[test]
        fn no_name_of_a_secret_is_overlooked(
            before in "[a-z ,:=]{0,40}", between in "[a-z \",]{0,20}",
            behind in prop_oneof![Just(String::new()), "[a-z ,]{0,8}", "[a-z ,:=]{300,600}"],
            name in prop::sample::select(super::super::names::SECRETS), upper: bool,
            quote in prop::sample::select(&["", "\"", "\\\"", "\\u0022", "_", "2"]),
            blank in prop::sample::select(&["", " ", "\n", "\\t", "\\f", "\\u000a", "\\\\n"]), sign in "[:=]",
        ) {
            let name = if upper { name.to_uppercase() } else { name.to_owned() };
            let text = format!("{before}{{{between} {quote}{name}{quote}{blank}{sign}{behind}");
            prop_assert!(may_name_secret(Names::default().ends(), text.as_bytes()), "{}", text);
        }
    }

    #[test]
    fn ordinary_names_need_no_closer_look() {
        let names = Names::default();
        let needs_look = |text: &str| may_name_secret(names.ends(), text.as_bytes());
        for ordinary in [
            "a text without: any names, though with a brace at its end {",
            "password: of no member, for want of a brace",
            r#"Order { symbol: "ACME", quantity: 300, venue: "XETR" } and more"#,
            r#"{"symbol":"ACME","quantity":300,"venue":"XETR"}"#,
        ] {
            assert!(!needs_look(ordinary), "{ordinary}");
        }
        for long in [
            "no brace, so that its password: is of no member; ".repeat(20),
            r#"{"symbol":"ACME","quantity":300,"venue":"XETR"} "#.repeat(20),
        ] {
            assert!(long.len() > LONG && !needs_look(&long), "{long}");
        }
    }
}
