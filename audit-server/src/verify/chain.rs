//! Follows one stream from record to record, up to its first break.

use audit_layer::record::{Hash, Head, StreamName};

use super::{
    Cause, Receipt, ReceiptResult,
    line::{Digits, Line, hash_of},
};

/// What is known of one stream at one path.
#[derive(Debug)]
pub(super) struct Chain<'r> {
    pub(super) name: StreamName,
    /// The position of the first record here.
    pub(super) first: u64,
    /// The hash that the first record states of its predecessor.
    pub(super) before: Option<Hash>,
    /// The position of the last record that is sound.
    pub(super) last: u64,
    /// How many records are sound.
    pub(super) records: u64,
    /// How many there are from the first break on.
    pub(super) unfollowed: u64,
    pub(super) broken: bool,
    /// The hash of the last record that is sound, as the next one has to state it.
    digits: Digits,
    /// The receipts for this stream by position, with what became of each.
    receipts: Vec<(&'r Receipt, Option<ReceiptResult>)>,
    /// How many of them have been passed.
    passed: usize,
}

impl<'r> Chain<'r> {
    pub(super) fn new(name: StreamName, receipts: &'r [Receipt]) -> Self {
        let mut receipts: Vec<_> =
            receipts.iter().filter(|r| r.stream == name).map(|r| (r, None)).collect();
        receipts.sort_by_key(|(receipt, _)| receipt.seq);
        Self {
            name,
            first: 0,
            before: None,
            last: 0,
            records: 0,
            unfollowed: 0,
            broken: false,
            digits: [b'0'; 64],
            receipts,
            passed: 0,
        }
    }

    /// Takes the next record of the stream, whose bytes are known to have the hash they state.
    pub(super) fn follow(&mut self, line: &Line<'_>) -> Result<(), Cause> {
        let seq = line.members.seq;
        let prev_hash = line.members.prev_hash.as_bytes();
        if self.records == 0 {
            self.start(line)?;
        } else if seq == self.last {
            return Err(Cause::Repeated);
        } else if seq < self.last {
            return Err(Cause::Backwards(self.last));
        } else if seq - self.last > 1 {
            return Err(Cause::Missing(self.last + 1, seq - 1));
        } else if prev_hash != self.digits {
            return Err(Cause::Unlinked);
        }
        self.last = seq;
        self.digits = line.digits;
        self.records += 1;
        self.hold_against_receipts();
        Ok(())
    }

    fn start(&mut self, line: &Line<'_>) -> Result<(), Cause> {
        let before: Hash = line.members.prev_hash.parse().map_err(|_| {
            Cause::NotARecord("its prev_hash is not 64 lower-case hex digits".to_owned())
        })?;
        match line.members.seq {
            1 if before != Hash::ZERO => return Err(Cause::FalseStart),
            2.. if before == Hash::ZERO => return Err(Cause::NoPredecessor),
            seq => self.first = seq,
        }
        self.before = Some(before);
        Ok(())
    }

    /// The last record that is sound.
    pub(super) fn head(&self) -> Head {
        Head { seq: self.last, hash: hash_of(&self.digits).unwrap_or(Hash::ZERO) }
    }

    fn hold_against_receipts(&mut self) {
        while let Some((receipt, result)) = self.receipts.get_mut(self.passed) {
            if receipt.seq > self.last {
                break;
            }
            *result = Some(if receipt.seq < self.last {
                ReceiptResult::NotCovered { first: self.first }
            } else if hash_of(&self.digits) == Some(receipt.hash) {
                ReceiptResult::Confirmed
            } else {
                ReceiptResult::Differs
            });
            self.passed += 1;
        }
    }

    /// What became of each receipt for this stream. `whole` says that the path holds the end of
    /// its streams and was read to the end.
    pub(super) fn receipts(
        &self,
        whole: bool,
    ) -> impl Iterator<Item = (&'r Receipt, ReceiptResult)> {
        let unreached = if self.broken || !whole {
            ReceiptResult::NotReached
        } else {
            ReceiptResult::CutOff { last: self.last }
        };
        self.receipts.iter().map(move |(receipt, result)| (*receipt, result.unwrap_or(unreached)))
    }
}
