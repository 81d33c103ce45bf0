//! The result of a verification, as data.

use std::path::PathBuf;

use audit_layer::record::{Hash, Head, StreamName};

use super::{Break, Cause, Receipt, Unreadable, chain::Chain};

/// What a verification of one or more paths found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// The paths, in the order in which they were given.
    pub paths: Vec<PathReport>,
    /// The receipts, in the order in which they were given.
    pub receipts: Vec<ReceiptReport>,
    /// What is wrong between the paths, or with none of them: a stream that no path holds, two
    /// paths that disagree.
    pub breaks: Vec<Break>,
}

/// What was found at one path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PathReport {
    /// The path that was given.
    pub path: PathBuf,
    /// What it is.
    pub kind: PathKind,
    /// The files that were read, oldest first.
    pub files: Vec<PathBuf>,
    /// Its streams, in the order of their first records.
    pub streams: Vec<StreamReport>,
    /// How many records stand at or after the first break of their stream and were not followed.
    pub unfollowed: u64,
    /// What is wrong: the first break of each stream, the first of no known stream, and
    /// each receipt that does not hold.
    pub breaks: Vec<Break>,
    /// What is worth knowing and not wrong.
    pub notices: Vec<String>,
    /// What became of each receipt whose stream this path holds.
    pub receipts: Vec<(Receipt, ReceiptResult)>,
    /// Whether it was read to where its streams end: to the end of the live file or the database.
    pub to_end: bool,
    /// Whether the indexes of a database were held against its tables.
    pub indexes: bool,
    /// Why it, or a part of it, could not be read. The rest was read nevertheless.
    pub unreadable: Option<Unreadable>,
}

/// What a path is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PathKind {
    /// A file of JSON lines, with its rotated backups.
    File,
    /// A rotated backup that was given by itself.
    Backup,
    /// A SQLite database.
    Database,
    /// It could not be opened.
    Unknown,
}

/// One stream at one path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StreamReport {
    /// Its name.
    pub stream: StreamName,
    /// How many records are sound: all, or those before the first break.
    pub records: u64,
    /// The position of the first record here; 0 when none is sound.
    pub first: u64,
    /// Why it starts there.
    pub start: Start,
    /// The hash that the first record states of its predecessor.
    pub before: Option<Hash>,
    /// The last sound record.
    pub last: Head,
    /// Whether a break was found from which on the stream was not followed.
    pub broken: bool,
}

/// Why a stream starts at one path where it does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Start {
    /// It starts with its first record.
    Whole,
    /// The trail says that rotation removed what was before.
    RotatedAway,
    /// The trail says that what was before was removed, not by rotation.
    Removed,
    /// The trail says that this sink did not get what was before.
    BeganLater,
    /// Nothing that was read says why; a break, unless what says so may not have been read.
    Unexplained,
}

/// What became of a receipt at one path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReceiptResult {
    /// The stream holds the position with the hash.
    Confirmed,
    /// The stream begins later here.
    NotCovered {
        /// Where it begins.
        first: u64,
    },
    /// Nothing can be said: the stream is broken before it, or the path doesn't hold the stream's
    /// end, or could not be read to its end.
    NotReached,
    /// A break: the position has another hash.
    Differs,
    /// A break: the stream ends before it.
    CutOff {
        /// Where it ends.
        last: u64,
    },
}

/// A receipt, and what became of it at each path that holds its stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReceiptReport {
    /// The receipt.
    pub receipt: Receipt,
    /// The path and the result there; empty when no path holds the stream.
    pub results: Vec<(PathBuf, ReceiptResult)>,
}

impl Outcome {
    /// Everything that is wrong.
    pub fn breaks(&self) -> impl Iterator<Item = &Break> {
        self.paths.iter().flat_map(|path| &path.breaks).chain(&self.breaks)
    }

    /// Each path that could not be read, or not to its end, and why.
    pub fn unreadable(&self) -> impl Iterator<Item = (&PathReport, &Unreadable)> {
        self.paths.iter().filter_map(|path| Some((path, path.unreadable.as_ref()?)))
    }

    /// Each receipt that no path could be held against.
    pub fn unchecked(&self) -> impl Iterator<Item = &ReceiptReport> {
        let absent = |receipt: &Receipt| {
            self.breaks
                .iter()
                .any(|found| matches!(&found.cause, Cause::StreamAbsent(of) if **of == *receipt))
        };
        self.receipts.iter().filter(move |report| !report.is_checked() && !absent(&report.receipt))
    }

    /// Whether everything was read, nothing is wrong, and every receipt was checked.
    #[must_use]
    pub fn is_intact(&self) -> bool {
        self.exit_code() == 0
    }

    /// 0 intact, 1 broken, 2 something could not be read or a receipt not checked; 1 wins, because a
    /// proven break stays one.
    #[must_use]
    pub fn exit_code(&self) -> u8 {
        if self.breaks().next().is_some() {
            1
        } else if self.unreadable().next().is_some() || self.unchecked().next().is_some() {
            2
        } else {
            0
        }
    }
}

impl ReceiptReport {
    /// Whether at least one path holds the receipt's position, or should.
    #[must_use]
    pub fn is_checked(&self) -> bool {
        use ReceiptResult::{Confirmed, CutOff, Differs};
        self.results.iter().any(|(_, result)| matches!(result, Confirmed | Differs | CutOff { .. }))
    }
}

impl PathReport {
    /// Whether what is not in the report is not at the path: it was read to its end, or is something
    /// else altogether.
    pub(super) fn is_conclusive(&self) -> bool {
        let other =
            |why: &Unreadable| matches!(why, Unreadable::NotATrail | Unreadable::OtherDatabase(..));
        self.to_end || self.unreadable.as_ref().is_some_and(other)
    }

    /// How many records were found, followed or not.
    #[must_use]
    pub fn records(&self) -> u64 {
        self.streams.iter().map(|stream| stream.records).sum::<u64>() + self.unfollowed
    }
}

impl StreamReport {
    pub(super) fn of(chain: &Chain<'_>) -> Self {
        Self {
            stream: chain.name.clone(),
            records: chain.records,
            first: chain.first,
            start: chain.how_it_starts(),
            before: chain.before,
            last: chain.head(),
            broken: chain.broken,
        }
    }

    /// A receipt for the last sound record, to be kept where nobody who may write the trail can.
    #[must_use]
    pub fn receipt(&self) -> Option<Receipt> {
        (self.records > 0).then(|| Receipt {
            stream: self.stream.clone(),
            seq: self.last.seq,
            hash: self.last.hash,
        })
    }
}
