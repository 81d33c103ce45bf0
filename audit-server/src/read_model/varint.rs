//! LEB128: seven bits a byte, least first.

/// Writes a number.
pub(super) fn push(out: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        out.push(number as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

/// Takes a number from the front; none when it is cut or longer than ten bytes.
pub(super) fn read(bytes: &mut &[u8]) -> Option<u64> {
    let mut number = 0_u64;
    for shift in (0..64).step_by(7) {
        let byte = *bytes.split_off_first()?;
        number |= u64::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            return Some(number);
        }
    }
    None
}

/// Writes a number that may be negative: small ones of either sign are short.
pub(super) fn push_signed(out: &mut Vec<u8>, number: i64) {
    push(out, ((number << 1) ^ (number >> 63)) as u64);
}

/// Takes a number that may be negative from the front.
pub(super) fn read_signed(bytes: &mut &[u8]) -> Option<i64> {
    let number = read(bytes)?;
    Some((number >> 1) as i64 ^ -((number & 1) as i64))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn numbers_are_read_back(number: u64, signed: i64) {
            let mut out = Vec::new();
            push(&mut out, number);
            push_signed(&mut out, signed);
            let mut bytes = &out[..];
            prop_assert_eq!(read(&mut bytes), Some(number));
            prop_assert_eq!(read_signed(&mut bytes), Some(signed));
            prop_assert!(bytes.is_empty() && read(&mut bytes).is_none());
        }
    }
}
