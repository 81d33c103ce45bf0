//! Stretches of a stream without a break.

use std::collections::BTreeMap;

use audit_layer::record::Hash;

use super::{fault::Seen, line::Link};

/// Consecutive records, of which each states the hash of the one before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Piece {
    pub(super) first: u64,
    pub(super) last: u64,
    /// The hash that the first states of the record before it.
    pub(super) before: Hash,
    /// The hash of the last.
    pub(super) hash: Hash,
    /// The time of the first, in microseconds since the Unix epoch.
    pub(super) first_at: i64,
    pub(super) first_arrival: i64,
    /// The time of the last.
    pub(super) last_at: i64,
    /// The earliest time of all: clocks are set back.
    pub(super) earliest: i64,
    /// The latest.
    pub(super) latest: i64,
}

impl Piece {
    /// A piece of one record.
    pub(super) fn of_one(link: Link, seen: Seen) -> Self {
        let Link { seq, before, hash } = link;
        let Seen { arrival, at, .. } = seen;
        Self {
            first: seq,
            last: seq,
            before,
            hash,
            first_at: at,
            first_arrival: arrival,
            last_at: at,
            earliest: at,
            latest: at,
        }
    }

    /// How many records it has.
    pub(super) fn len(&self) -> u64 {
        self.last.saturating_sub(self.first).saturating_add(1)
    }

    /// The first number behind it.
    pub(super) fn next(&self) -> u64 {
        self.last.saturating_add(1)
    }

    /// Appends the piece that follows.
    pub(super) fn extend(&mut self, next: &Self) {
        let earliest = self.earliest.min(next.earliest);
        let latest = self.latest.max(next.latest);
        let Self { last, hash, last_at, .. } = *next;
        *self = Self { last, hash, last_at, earliest, latest, ..*self };
    }
}

/// All pieces of a stream, by their first number.
#[derive(Debug, Default)]
pub(super) struct Pieces(BTreeMap<u64, Piece>);

/// What became of a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Is {
    /// It has a place.
    Followed,
    /// Its number was there.
    Repeated,
    /// It would have begun a piece, and there was no room.
    Unfollowed,
}

/// What came of adding a record.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Added {
    pub(super) is: Is,
    /// The first numbers of pieces that were changed, made or removed.
    pub(super) touched: [Option<u64>; 2],
    /// Records that do not state the hash of the one before them: this one and the next.
    pub(super) unlinked: [Option<(u64, Seen)>; 2],
}

impl Pieces {
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    pub(super) fn get(&self, first: u64) -> Option<&Piece> {
        self.0.get(&first)
    }

    /// Puts back a piece that was saved.
    pub(super) fn restore(&mut self, piece: Piece) {
        self.0.insert(piece.first, piece);
    }

    /// Adds a record. A piece is begun only when there is `room`.
    pub(super) fn add(&mut self, mut one: Piece, room: bool) -> Added {
        let mut added = Added { is: Is::Followed, touched: [None; 2], unlinked: [None; 2] };
        let seq = one.first;
        let before = self.0.range(..=seq).next_back().map(|(_, piece)| *piece);
        if before.is_some_and(|piece| piece.last >= seq) {
            return Added { is: Is::Repeated, ..added };
        }
        let before = before.filter(|piece| piece.next() == seq);
        let after = self.0.get(&one.next()).copied();
        added.unlinked = [
            before.and_then(|before| unlinked(&before, &one)),
            after.and_then(|after| unlinked(&one, &after)),
        ];
        let before = before.filter(|before| before.hash == one.before);
        let after = after.filter(|after| after.before == one.hash);
        if before.is_none() && after.is_none() && !room {
            return Added { is: Is::Unfollowed, ..added };
        }
        if let Some(after) = after {
            self.0.remove(&after.first);
            one.extend(&after);
        }
        let joined = match before {
            Some(mut before) => {
                before.extend(&one);
                before
            }
            None => one,
        };
        added.touched = [Some(joined.first), after.map(|after| after.first)];
        self.0.insert(joined.first, joined);
        added
    }
}

/// The fault of the first record of `next`, when it does not state the hash of the one before. That a
/// later record states no predecessor at all is known without the one before it.
fn unlinked(piece: &Piece, next: &Piece) -> Option<(u64, Seen)> {
    let Piece { first, first_at: at, first_arrival: arrival, .. } = *next;
    let seen = Seen { arrival, at, after: Some(piece.last_at) };
    (next.before != piece.hash && next.before != Hash::ZERO).then_some((first, seen))
}
