//! Why records that belong to an answer are missing from it.

use std::ops::{BitOr, BitOrAssign};

/// Why an answer is cut. Nothing is cut without one of these.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum TruncatedBy {
    /// The query's time ran out.
    Deadline,
    /// The records would have been too large, or too many to be looked at.
    Size,
    /// A stored line is no record: `audit-server verify` tells more.
    DamagedRecord,
}

impl TruncatedBy {
    /// Every reason.
    pub const ALL: &[Self] = &[Self::Deadline, Self::Size, Self::DamagedRecord];

    /// The word for it, as in an answer of the HTTP API.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Deadline => "deadline",
            Self::Size => "size",
            Self::DamagedRecord => "damaged_record",
        }
    }
}

/// A set of reasons.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Truncation(u8);

impl Truncation {
    /// Whether there is any.
    pub(crate) fn any(self) -> bool {
        self.0 != 0
    }

    /// Each, in the order of [`TruncatedBy::ALL`].
    pub(crate) fn reasons(self) -> impl Iterator<Item = TruncatedBy> {
        TruncatedBy::ALL.iter().copied().filter(move |by| self.0 & bit(*by) != 0)
    }
}

fn bit(by: TruncatedBy) -> u8 {
    1 << by as u8
}

impl From<TruncatedBy> for Truncation {
    fn from(by: TruncatedBy) -> Self {
        Self(bit(by))
    }
}

impl BitOr for Truncation {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

impl BitOrAssign<TruncatedBy> for Truncation {
    fn bitor_assign(&mut self, by: TruncatedBy) {
        self.0 |= bit(by);
    }
}
