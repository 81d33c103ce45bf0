//! Follows one stream from record to record, up to its first break.

use audit_layer::record::{Hash, Head, StreamName};

use super::{
    Cause, Place, Receipt, ReceiptResult, Start,
    line::{Digits, Line, hash_of},
    start::{Explained, Told},
};

/// What is known of one stream at one path.
#[derive(Debug)]
pub(super) struct Chain<'r> {
    pub(super) name: StreamName,
    /// The position of the first record here.
    pub(super) first: u64,
    /// Where the first record stands.
    pub(super) begins: Place,
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
    /// What the stream itself says of its start.
    explained: Explained,
    /// The same with what other streams said since its last record.
    explained_beside: Option<Explained>,
}

impl<'r> Chain<'r> {
    pub(super) fn new(name: StreamName, begins: Place, receipts: &'r [Receipt]) -> Self {
        let mut receipts: Vec<_> =
            receipts.iter().filter(|r| r.stream == name).map(|r| (r, None)).collect();
        receipts.sort_by_key(|(receipt, _)| receipt.seq);
        Self {
            name,
            first: 0,
            begins,
            before: None,
            last: 0,
            records: 0,
            unfollowed: 0,
            broken: false,
            digits: [b'0'; 64],
            receipts,
            passed: 0,
            explained: Explained::NOTHING,
            explained_beside: None,
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
        self.explained_beside = None;
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

    /// Takes what a sound record of this stream, or of one `beside` it, says of its start.
    pub(super) fn explain(&mut self, told: &Told<'_>, beside: bool) {
        if beside {
            self.explained_beside.get_or_insert(self.explained).extend(told);
        } else {
            self.explained.extend(told);
        }
    }

    pub(super) fn how_it_starts(&self) -> Start {
        self.explained_beside.unwrap_or(self.explained).start_at(self.first)
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

    /// What became of each receipt for this stream. `to_end` says that the path holds the end of
    /// its streams and was read that far.
    pub(super) fn receipts(
        &self,
        to_end: bool,
    ) -> impl Iterator<Item = (&'r Receipt, ReceiptResult)> {
        let unreached = if self.broken || !to_end {
            ReceiptResult::NotReached
        } else {
            ReceiptResult::CutOff { last: self.last }
        };
        self.receipts.iter().map(move |(receipt, result)| (*receipt, result.unwrap_or(unreached)))
    }
}
