//! Payment card numbers, whatever they are called.
//!
//! A number of 13 to 19 digits is taken for one when all of this holds:
//! - it begins with a range that an issuer has (ISO/IEC 7812-1 calls it the issuer identification number),
//!   and is as long as that issuer's numbers are;
//! - its last digit is right: the Luhn formula of ISO/IEC 7812-1, annex B;
//! - it stands by itself: beside no letter or further digit, in no decimal number, not behind a `+`, and not
//!   within a longer number in groups, such as a UUID or an IBAN;
//! - its groups, if it has some, are those that are printed on cards.
//!
//! Numbers that count or tell a time begin with a 1 or a 2 and so with no issuer: seconds to nanoseconds
//! since 1970, dates, identifiers that begin with a time. Of numbers of 16 digits *at random* 2.3 in a
//! hundred are taken for cards, of integers of 64 bits at random 6 in ten thousand, and nothing in the number
//! could tell: whoever has such identifiers keeps their name, or turns the rules for values off.
//!
//! Rejected: to ask for a word such as `card` before it, which is what is missing where numbers leak; to leave
//! what is called an identifier, for the same reason; the wide ranges of Maestro (50, 56 to 69), which are an
//! eighth of all numbers, where the ones in use are a thousandth.

/// The fewest digits, and the most.
pub(super) const SHORTEST: usize = 13;
const LONGEST: usize = 19;

/// Longer texts are looked through for any digit before.
const LONG: usize = 64;

/// How long the groups of a card in groups are; longer cards first, since one may begin with another.
const GROUPINGS: &[&[usize]] = &[
    &[4, 4, 4, 4, 3],
    &[6, 13],
    &[4, 4, 4, 4, 2],
    &[4, 4, 4, 4],
    &[4, 6, 5],
    &[4, 4, 4, 3],
    &[4, 6, 4],
    &[4, 4, 4, 2],
    &[4, 4, 4, 1],
];

/// How many groups of four an IBAN has behind its first, at the most.
const IBAN_GROUPS: usize = 8;

/// The end of the card number that begins here, if one does. Here is the first of some digits.
pub(super) fn end_at(bytes: &[u8], at: usize) -> Option<usize> {
    let (before, rest) = bytes.split_at_checked(at)?;
    let first = digits(rest);
    if first < 4 || !may_begin_behind(before) {
        return None;
    }
    if (SHORTEST..=LONGEST).contains(&first) {
        return (is_card(rest.get(..first)?, false) && may_end_before(rest.get(first..)?, b'-'))
            .then_some(at + first);
    }
    let separator = *rest.get(first).filter(|byte| is_separator(**byte))?;
    let end = GROUPINGS.iter().find_map(|lengths| {
        let mut number = [0; LONGEST];
        let (mut filled, mut from) = (0, 0);
        for length in *lengths {
            if from > 0 {
                (*rest.get(from)? == separator).then_some(())?;
                from += 1;
            }
            let group = rest.get(from..from + length)?;
            (digits(group) == *length).then_some(())?;
            number.get_mut(filled..filled + length)?.copy_from_slice(group);
            (filled, from) = (filled + length, from + length);
        }
        (is_card(number.get(..filled)?, true) && may_end_before(rest.get(from..)?, separator))
            .then_some(at + from)
    });
    end.filter(|end| separator != b' ' || !is_in_iban(bytes, at, *end))
}

/// Whether some card number is in here.
///
/// A long text mostly has no digit at all, which is found out sixteen bytes at once. Of 13 bytes in a row one
/// is looked at: a card has that many digits, with nothing but blanks and hyphens between them.
pub(super) fn is_in(bytes: &[u8]) -> bool {
    if bytes.len() > LONG && !has_digit(bytes) {
        return false;
    }
    let is_of_card = |at: usize| bytes.get(at).is_some_and(|byte| is_of_card(*byte));
    let mut at = SHORTEST - 1;
    while at < bytes.len() {
        if is_of_card(at) {
            let mut begin = at;
            while begin > 0 && is_of_card(begin - 1) {
                begin -= 1;
            }
            while is_of_card(at) {
                at += 1;
            }
            if at - begin >= SHORTEST && is_between(bytes, begin, at) {
                return true;
            }
        }
        at += SHORTEST;
    }
    false
}

fn has_digit(bytes: &[u8]) -> bool {
    // Without a way out in the middle, which would cost more than it saves.
    bytes.iter().fold(false, |has, byte| has | byte.is_ascii_digit())
}

/// Whether a card begins between the two.
fn is_between(bytes: &[u8], mut at: usize, end: usize) -> bool {
    while at < end {
        let length = digits(bytes.get(at..end).unwrap_or_default());
        if length > 0 && end_at(bytes, at).is_some() {
            return true;
        }
        at += length + 1;
    }
    false
}

/// Whether a whole number is that of a card.
pub(super) fn is_number(value: u128) -> bool {
    // As many digits as cards have.
    (1_000_000_000_000..10_000_000_000_000_000_000).contains(&value) && {
        let mut buffer = itoa::Buffer::new();
        is_card(buffer.format(value).as_bytes(), false)
    }
}

fn is_card(number: &[u8], in_groups: bool) -> bool {
    has_issuer(number, in_groups) && is_luhn(number)
}

/// Whether an issuer has numbers that begin so and are so long.
fn has_issuer(number: &[u8], in_groups: bool) -> bool {
    let Some(head) = number.first_chunk::<4>() else { return false };
    let head = head.iter().fold(0, |head, digit| head * 10 + u32::from(digit - b'0'));
    match (number.len(), head) {
        // Visa. Of 13 digits none are issued any more; most such numbers are articles and telephones.
        (13, 4000..=4999) => !is_article(number) && !matches!(head, 4915..=4917),
        (16, 4000..=4999) => true,
        // Mastercard.
        (16, 5100..=5599 | 2221..=2720) => true,
        // American Express.
        (15, 3400..=3499 | 3700..=3799) => true,
        // Diners Club.
        (14, 3000..=3059 | 3095 | 3600..=3699 | 3800..=3999) => true,
        // UnionPay.
        (16 | 19, 6200..=6299) => true,
        // Discover and JCB.
        (16, 6011 | 6440..=6599 | 3528..=3589) => true,
        // Maestro.
        (13..=16, 5018 | 5020 | 5038 | 5893 | 6304 | 6759 | 6761..=6763) => true,
        // Others than UnionPay may have 17 to 19 digits, and hardly have: but identifiers that begin with a time or
        // are random numbers of 64 bits do.
        (19, 4000..=4999 | 6011 | 6440..=6599 | 3528..=3589 | 5000..=5099 | 6304 | 6759..=6763) => {
            in_groups
        }
        _ => false,
    }
}

fn is_luhn(number: &[u8]) -> bool {
    let mut doubled = true;
    let sum: u32 = number
        .iter()
        .rev()
        .map(|digit| {
            doubled = !doubled;
            let digit = u32::from(digit - b'0');
            match digit * 2 {
                _ if !doubled => digit,
                twice @ 0..=9 => twice,
                twice => twice - 9,
            }
        })
        .sum();
    sum.is_multiple_of(10)
}

/// Whether the last digit is that of an article number (EAN-13).
fn is_article(number: &[u8]) -> bool {
    let mut weight = 3;
    let sum: u32 = number
        .iter()
        .rev()
        .map(|digit| {
            weight = 4 - weight;
            u32::from(digit - b'0') * weight
        })
        .sum();
    sum.is_multiple_of(10)
}

/// Whether a number may begin behind this.
fn may_begin_behind(before: &[u8]) -> bool {
    match before {
        [.., b'\\', escaped] if escaped.is_ascii_alphabetic() => true,
        [.., byte] if byte.is_ascii_alphanumeric() => false,
        // A telephone number.
        [.., b'+'] => false,
        // A fraction.
        [.., digit, b'.'] => !digit.is_ascii_digit(),
        // A group behind others, or the sign of a number.
        [.., byte, b'-'] => byte.is_ascii_alphabetic(),
        [b'.' | b'-'] => false,
        _ => true,
    }
}

/// Whether a number may end before this.
fn may_end_before(rest: &[u8], separator: u8) -> bool {
    match rest {
        [byte, ..] if byte.is_ascii_alphanumeric() => false,
        [b'.', digit, ..] => !digit.is_ascii_digit(),
        [b'-', byte, ..] if separator == b'-' => !byte.is_ascii_alphanumeric(),
        _ => true,
    }
}

/// Whether groups are of an IBAN in groups of four (ISO 13616): two letters and two digits are before them, and
/// the check digits are right for an end that is not before theirs.
fn is_in_iban(bytes: &[u8], at: usize, end: usize) -> bool {
    let group = |at: usize| {
        let group = bytes.get(at..).unwrap_or_default();
        let length = group.iter().take(4).take_while(|byte| byte.is_ascii_alphanumeric()).count();
        group.get(..length).unwrap_or_default()
    };
    let is_head = |group: &[u8]| {
        matches!(group, [a, b, c, d] if a.is_ascii_uppercase() && b.is_ascii_uppercase()
            && c.is_ascii_digit() && d.is_ascii_digit())
    };
    let mut begin = at;
    for _ in 0..IBAN_GROUPS {
        let Some(before) = begin.checked_sub(5) else { return false };
        if group(before).len() < 4 || bytes.get(before + 4) != Some(&b' ') {
            return false;
        }
        begin = before;
        if is_head(group(begin)) {
            break;
        }
    }
    let head = group(begin);
    let (mut rest, mut next) = (0, begin + 5);
    for _ in 0..IBAN_GROUPS {
        rest = remainder(rest, group(next));
        next += group(next).len();
        if next >= end && is_head(head) && remainder(rest, head) == 1 {
            return true;
        }
        if bytes.get(next) != Some(&b' ') {
            return false;
        }
        next += 1;
    }
    false
}

/// The remainder by 97 of what these digits, and letters as two of them, are behind others.
fn remainder(before: u32, group: &[u8]) -> u32 {
    group.iter().fold(before, |rest, byte| match byte {
        b'0'..=b'9' => (rest * 10 + u32::from(byte - b'0')) % 97,
        _ => (rest * 100 + 10 + u32::from(byte.to_ascii_uppercase().wrapping_sub(b'A'))) % 97,
    })
}

/// How many digits are at the beginning.
pub(super) fn digits(bytes: &[u8]) -> usize {
    bytes.iter().take_while(|byte| byte.is_ascii_digit()).count()
}

fn is_separator(byte: u8) -> bool {
    matches!(byte, b' ' | b'-')
}

fn is_of_card(byte: u8) -> bool {
    byte.is_ascii_digit() || is_separator(byte)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cards_of_every_issuer_are_known_in_groups_and_without() {
        for card in [
            "4111111111111111",
            "4111 1111 1111 1111",
            "4111-1111-1111-1111",
            "4222222222222",
            "4222 2222 2222 2",
            "4000 0000 0000 0000 006",
            "5555555555554444",
            "5105 1051 0510 5100",
            "2223003122003222",
            "2720 9926 1034 2217",
            "378282246310005",
            "3782 822463 10005",
            "341111111111111",
            "30569309025904",
            "3056 930902 5904",
            "38520000023237",
            "3852-000002-3237",
            "6011111111111117",
            "6440000000000005",
            "6500000000000002",
            "3530111333300000",
            "3566 0020 2036 0505",
            "6200000000000005",
            "6200000000000000000",
            "620000 0000000000000",
            "6304000000000000",
            "6759649826438453",
            "5018000000000009",
        ] {
            assert_eq!(end_at(card.as_bytes(), 0), Some(card.len()), "{card}");
            for (before, behind) in [
                ("", ""),
                ("card ", " 12/27 123"),
                ("card ", " 123"),
                ("2026-11-28 ", ", "),
                ("\"", "\""),
                ("n=", ";"),
                ("pan_", "."),
                ("card-", "\n"),
                ("\\n", "\\n"),
                ("(", ")"),
                ("7,", ",7"),
                ("AB12 ", ""),
                ("number: ", ". Then"),
            ] {
                let text = format!("{before}{card}{behind}");
                assert!(is_in(text.as_bytes()), "{text}");
                assert_eq!(
                    end_at(text.as_bytes(), before.len()),
                    Some(before.len() + card.len()),
                    "{text}"
                );
            }
        }
    }

    #[test]
    fn a_card_is_seen_wherever_it_stands() {
        for card in ["4222222222222", "30569309025904", "4111-1111-1111-1111"] {
            for (before, behind) in
                (0..90).flat_map(|before| [(before, 0), (before, 1), (before, 14)])
            {
                let text = format!("{}{card}{}", ";".repeat(before), ";".repeat(behind));
                assert!(is_in(text.as_bytes()), "{text}");
            }
        }
    }

    #[test]
    fn other_numbers_are_none() {
        for ordinary in [
            // Wrong check digits, issuers and lengths.
            "4111111111111112",
            "1111111111111117",
            "411111111111116",
            "41111111111111111117",
            "",
            "4000000000000000006",
            // Part of something longer.
            "a4111111111111111",
            "4111111111111111a",
            "4111111111111111.25",
            "0.4111111111111111",
            "-4111111111111111",
            "+4111111111111111",
            "7-4111111111111111",
            "4111-1111-1111-1111-1",
            "00004111-1111-1111-1111-000000000000",
            "4111 1111-1111 1111",
            "4111  1111  1111  1111",
            "41 1111 1111 1111 11",
            "AT70 4111 1111 1111 1111",
            "ES65 4111 1111 1111 1111 0000",
            // A telephone and an article.
            "4915112345678",
            "4006381333931",
        ] {
            assert!(!is_in(ordinary.as_bytes()), "{ordinary}");
        }
    }

    #[test]
    fn whole_numbers_are_cards_when_their_digits_are() {
        assert!(is_number(4_111_111_111_111_111));
        assert!(is_number(378_282_246_310_005));
        assert!(is_number(6_200_000_000_000_000_000));
        for ordinary in [0, 7, 4_111_111_111_111_112, 1_795_000_000_000_000, u128::MAX] {
            assert!(!is_number(ordinary), "{ordinary}");
        }
    }
}
