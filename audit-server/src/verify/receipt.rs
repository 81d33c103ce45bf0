//! Proof, kept elsewhere, that a stream held a record.

use std::{fmt, str::FromStr};

use audit_layer::record::{Hash, StreamName};

/// A position in a stream and the hash of the record there, as `STREAM:SEQ:HASH`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Receipt {
    /// The stream.
    pub stream: StreamName,
    /// The position, from 1.
    pub seq: u64,
    /// The hash of the record there.
    pub hash: Hash,
}

/// Text that is not a receipt.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "a receipt is STREAM:SEQ:HASH, such as payments@web-1~k3x9q2:42:<64 lower-case hex digits>, with SEQ from 1"
)]
pub struct InvalidReceipt;

impl FromStr for Receipt {
    type Err = InvalidReceipt;

    fn from_str(text: &str) -> Result<Self, InvalidReceipt> {
        let mut parts = text.splitn(3, ':');
        let mut part = || parts.next().ok_or(InvalidReceipt);
        let stream = part()?.parse().map_err(|_| InvalidReceipt)?;
        let seq = part()?;
        if !seq.bytes().all(|b| b.is_ascii_digit()) {
            return Err(InvalidReceipt);
        }
        let seq = seq.parse().map_err(|_| InvalidReceipt)?;
        let hash = part()?.parse().map_err(|_| InvalidReceipt)?;
        if seq == 0 { Err(InvalidReceipt) } else { Ok(Self { stream, seq, hash }) }
    }
}

impl fmt::Display for Receipt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", self.stream, self.seq, self.hash)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "in tests")]
mod tests {
    use super::*;

    #[test]
    fn a_receipt_is_read_back_as_it_is_printed() {
        let text = format!("payments@web-1~k3x9q2:42:{}", Hash::of(b"x"));
        assert_eq!(text.parse::<Receipt>().unwrap().to_string(), text);
    }

    #[test]
    fn half_a_receipt_is_refused() {
        let hash = Hash::of(b"x");
        for bad in [
            String::new(),
            "payments@web-1~k3x9q2".to_owned(),
            "payments@web-1~k3x9q2:42".to_owned(),
            format!("payments@web-1~k3x9q2:0:{hash}"),
            format!("payments@web-1~k3x9q2:+1:{hash}"),
            format!("payments@web-1~k3x9q2::{hash}"),
            format!("payments@web-1~k3x9q2:1:{hash}:"),
            format!("payments:1:{hash}"),
            format!("payments@web-1~k3x9q2:99999999999999999999:{hash}"),
        ] {
            assert_eq!(bad.parse::<Receipt>(), Err(InvalidReceipt), "{bad}");
        }
    }
}
