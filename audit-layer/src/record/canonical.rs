//! RFC 8785 primitives: how a string and a number are written.
//!
//! Strings are escaped as in section 3.2.2.2 of the RFC: the two-character escapes that JSON has,
//! `\u00xx` in lower case for the other control characters, everything else as it is. Floats are
//! written as ECMAScript writes them (section 3.2.2.3), by `ryu-js`. Two rules are ours, so that
//! no reader that holds numbers in doubles can be misled: an integer beyond ±2^53 is a string, and
//! so is a float that is not finite.

/// The largest integer that is written as a number: 2^53.
const MAX_EXACT: u128 = 1 << 53;

const fn is_special(byte: u8) -> bool {
    (byte < 0x20) | (byte == b'"') | (byte == b'\\')
}

/// Whether a byte of eight is special. Each subtraction sets the top bit of a byte that is below what is
/// subtracted; a borrow can set it in the next one too, but only then.
fn any_special(word: u64) -> bool {
    const EACH: u64 = u64::from_ne_bytes([1; 8]);
    const TOP: u64 = EACH << 7;
    let below = |word: u64, bound: u64| word.wrapping_sub(EACH * bound) & !word;
    let quote = word ^ (EACH * u64::from(b'"'));
    let backslash = word ^ (EACH * u64::from(b'\\'));
    (below(word, 0x20) | below(quote, 1) | below(backslash, 1)) & TOP != 0
}

/// Most texts need no escape, and to see that of eight bytes at once is quick.
fn needs_escapes(bytes: &[u8]) -> bool {
    // The last word covers what is left of the whole ones: some bytes are looked at twice.
    let special = |[a, b]: [u32; 2]| any_special(u64::from(a) << 32 | u64::from(b));
    if let Some(last) = bytes.last_chunk() {
        let (words, _) = bytes.as_chunks();
        let last = any_special(u64::from_ne_bytes(*last));
        words.iter().fold(last, |any, word| any | any_special(u64::from_ne_bytes(*word)))
    } else if let (Some(first), Some(last)) = (bytes.first_chunk(), bytes.last_chunk()) {
        special([first, last].map(|half| u32::from_ne_bytes(*half)))
    } else {
        bytes.iter().any(|byte| is_special(*byte))
    }
}

/// Appends a JSON string.
pub fn push_str(out: &mut Vec<u8>, text: &str) {
    out.reserve(text.len() + 2);
    out.push(b'"');
    if needs_escapes(text.as_bytes()) {
        push_escaped(out, text.as_bytes());
    } else {
        out.extend_from_slice(text.as_bytes());
    }
    out.push(b'"');
}

#[cold]
fn push_escaped(out: &mut Vec<u8>, bytes: &[u8]) {
    let mut copied = 0;
    for (at, &byte) in bytes.iter().enumerate() {
        if !is_special(byte) {
            continue;
        }
        out.extend_from_slice(&bytes[copied..at]);
        copied = at + 1;
        let short = match byte {
            b'"' => b'"',
            b'\\' => b'\\',
            0x08 => b'b',
            b'\t' => b't',
            b'\n' => b'n',
            0x0c => b'f',
            b'\r' => b'r',
            _ => {
                const HEX: &[u8; 16] = b"0123456789abcdef";
                out.extend_from_slice(b"\\u00");
                out.push(HEX[usize::from(byte >> 4)]);
                out.push(HEX[usize::from(byte & 15)]);
                continue;
            }
        };
        out.extend_from_slice(&[b'\\', short]);
    }
    out.extend_from_slice(&bytes[copied..]);
}

/// Appends an unsigned integer: a number up to 2^53, a string beyond.
pub fn push_u64(out: &mut Vec<u8>, value: u64) {
    push_exact(out, u128::from(value), itoa::Buffer::new().format(value));
}

/// Appends a signed integer: a number within ±2^53, a string beyond.
pub fn push_i64(out: &mut Vec<u8>, value: i64) {
    push_exact(out, u128::from(value.unsigned_abs()), itoa::Buffer::new().format(value));
}

/// Appends an unsigned 128-bit integer: a number up to 2^53, a string beyond.
pub fn push_u128(out: &mut Vec<u8>, value: u128) {
    push_exact(out, value, itoa::Buffer::new().format(value));
}

/// Appends a signed 128-bit integer: a number within ±2^53, a string beyond.
pub fn push_i128(out: &mut Vec<u8>, value: i128) {
    push_exact(out, value.unsigned_abs(), itoa::Buffer::new().format(value));
}

fn push_exact(out: &mut Vec<u8>, magnitude: u128, digits: &str) {
    if magnitude <= MAX_EXACT {
        out.extend_from_slice(digits.as_bytes());
    } else {
        push_str(out, digits);
    }
}

/// Appends a float as ECMAScript prints it; `NaN` and the infinities as strings.
pub fn push_f64(out: &mut Vec<u8>, value: f64) {
    if value.is_nan() {
        out.extend_from_slice(b"\"NaN\"");
    } else if value.is_infinite() {
        out.extend_from_slice(if value > 0.0 { b"\"Infinity\"" } else { b"\"-Infinity\"" });
    } else {
        out.extend_from_slice(ryu_js::Buffer::new().format_finite(value).as_bytes());
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn written(write: impl FnOnce(&mut Vec<u8>)) -> String {
        let mut out = Vec::new();
        write(&mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn integers_beyond_two_to_the_53_are_strings() {
        assert_eq!(written(|o| push_u64(o, 1 << 53)), "9007199254740992");
        assert_eq!(written(|o| push_u64(o, (1 << 53) + 1)), "\"9007199254740993\"");
        assert_eq!(written(|o| push_i64(o, -(1 << 53))), "-9007199254740992");
        assert_eq!(written(|o| push_i64(o, i64::MIN)), "\"-9223372036854775808\"");
        assert_eq!(
            written(|o| push_u128(o, u128::MAX)),
            "\"340282366920938463463374607431768211455\""
        );
        assert_eq!(written(|o| push_i128(o, -7)), "-7");
    }

    #[test]
    fn floats_are_written_as_ecmascript_does() {
        // RFC 8785, appendix B.
        for (bits, expected) in [
            (0x0000_0000_0000_0000_u64, "0"),
            (0x8000_0000_0000_0000, "0"),
            (0x0000_0000_0000_0001, "5e-324"),
            (0x7fef_ffff_ffff_ffff, "1.7976931348623157e+308"),
            (0x4340_0000_0000_0000, "9007199254740992"),
            (0x4430_0000_0000_0000, "295147905179352830000"),
            (0x44b5_2d02_c7e1_4af5, "9.999999999999997e+22"),
            (0x44b5_2d02_c7e1_4af6, "1e+23"),
            (0x444b_1ae4_d6e2_ef50, "1e+21"),
            (0x3eb0_c6f7_a0b5_ed8d, "0.000001"),
            (0x41b3_de43_5555_5556, "333333333.3333334"),
            (0x7ff8_0000_0000_0000, "\"NaN\""),
            (0x7ff0_0000_0000_0000, "\"Infinity\""),
            (0xfff0_0000_0000_0000, "\"-Infinity\""),
        ] {
            assert_eq!(written(|o| push_f64(o, f64::from_bits(bits))), expected);
        }
    }

    #[test]
    fn every_byte_is_seen_wherever_it_stands() {
        for length in 1..40 {
            for at in 0..length {
                for byte in 0..=255 {
                    let mut bytes = vec![b'x'; length];
                    bytes[at] = byte;
                    assert_eq!(
                        needs_escapes(&bytes),
                        is_special(byte),
                        "{byte} at {at} of {length}"
                    );
                }
            }
        }
        assert!(!needs_escapes(b""));
    }

    proptest! {
        #[test]
        fn strings_agree_with_a_jcs_library(text in any::<String>()) {
            let library = serde_json_canonicalizer::to_string(&text).unwrap();
            prop_assert_eq!(written(|o| push_str(o, &text)), library);
        }

        #[test]
        fn floats_agree_with_a_jcs_library(value in any::<f64>().prop_filter("finite", |v| v.is_finite())) {
            let library = serde_json_canonicalizer::to_string(&value).unwrap();
            prop_assert_eq!(written(|o| push_f64(o, value)), library);
        }
    }
}
