//! What is known of the chain, kept up record by record.
//!
//! A report over a quarter must say whether what it counts is whole, and to hash ten million records
//! again for each report takes longer than the report. So each record is held against its hash and
//! its neighbours once, when the read model takes it in, and what was found is kept in tables beside
//! the index, in the same transaction. To ask for the verdict of a period reads these tables, which
//! are small, and no record.
//!
//! # What it shows, and what it does not
//! That each record had the hash it states, and was linked to those before and after it, *when the
//! model took it in*. A record that was changed or removed afterwards is found by `audit-server verify`, and by
//! the alarm on the heads of streams when it was the last of one; not here. Neither are the columns
//! of the trail held against the lines, as a verification does: the time by which a fault belongs to
//! a period is that of the row. Whoever may write the trail may also have chained a whole new one
//! before the model saw it; only a receipt that is kept elsewhere finds that. A model that is made
//! anew checks everything anew.
//!
//! # Pieces
//! Of each stream the *pieces* are kept: the longest stretches of consecutive sequence numbers in
//! which each record states the hash of the one before. A whole stream is one piece, and taking in
//! its next record compares a number and a hash. A record that comes after its successors, because it
//! was recovered or imported, extends a piece or joins two. Between pieces numbers are missing: a
//! *gap*; or none are, and the two don't fit: a *fault*.
//!
//! So what is missing is never stored. It follows from the pieces, and is gone when the records come
//! after all, while a fault is a fact about bytes that were seen and stays.
//!
//! # A record that was changed keeps its place
//! It is taken to stand where it says, with the hash that it states. One changed byte is then one fault
//! instead of three: the neighbours that were not touched fit the hash that is stated. Nothing hides
//! behind that, for the fault is kept whatever else fits.
//!
//! But its time may be the byte that was changed. So a fault belongs to a period when its own time
//! does, or the one beside it: of the record before, in the stream for a link that does not hold, else
//! the last sound one in the order of arrival. How many faults belong to no such period is said as
//! well.
//!
//! # Order
//! Records that are saved together may be handed over in any order, since the writer parses them in
//! the order of time; they are placed in the order of arrival. That decides which of two records with
//! one number is the repetition.
//!
//! Rejected: to remember a verdict a day, or the first break of each stream, as a verification does
//! (a record that comes late would need it all again, and a break a year ago would hide one of today);
//! to store the hash of each record (32 bytes a record, to find what pieces find).
//!
//! # Bounds
//! [`MAX_PIECES`] pieces in all and [`MAX_FAULTS`] faults. Faults beyond that, and records that cannot be
//! followed because they would begin one piece more, are counted, with the first and the last time
//! of them. A verdict on a period that may have any of them is never `intact`.
//!
//! # Invariants
//! - Two pieces of a stream never overlap, and never touch where they fit.
//! - Of a link that does not hold between two records that have places there is one fault, whichever
//!   of them comes first.

mod fault;
mod judge;
mod line;
#[cfg(test)]
mod naive;
mod pieces;
mod tables;
#[cfg(test)]
mod tests;
mod verdict;

use std::collections::BTreeSet;

use audit_layer::record::{Hash, Record};

pub(crate) use self::{
    fault::FaultKind,
    judge::verdict,
    verdict::{ChainState, CheckedStream, Fault, Gap, LateStart, Verdict},
};
use self::{
    fault::{Found, Seen, Tally},
    line::{Checked, Link, Named},
    pieces::{Is, Piece, Pieces},
};
use crate::keyed::KeyedMap;
pub(super) use tables::{Changes, DROP, TABLES};

/// The most pieces, of all streams together: as many as there are streams whose heads are watched.
const MAX_PIECES: usize = super::heads::MAX_STREAMS as usize;

/// The most faults that are kept.
const MAX_FAULTS: usize = 10_000;

/// The chains as far as records were taken in, in the memory of the one who writes the model.
#[derive(Debug, Default)]
pub(super) struct Proof {
    names: KeyedMap<Box<str>, usize>,
    /// By the number that [`Proof::names`] gives.
    streams: Vec<Stream>,
    /// How many streams the database has.
    saved_streams: usize,
    reached: Reached,
    /// What was taken and is not placed yet.
    taken: Vec<Taken>,
    /// Pieces that are not in the database as they are here, or are there and no more here: the
    /// stream and the first number.
    touched: BTreeSet<(usize, u64)>,
    /// Faults that the database does not have yet.
    fresh: Vec<Found>,
}

#[derive(Debug)]
struct Stream {
    name: Box<str>,
    pieces: Pieces,
}

/// How far it has got, and what was only counted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Reached {
    /// The last arrival that was placed.
    arrival: i64,
    /// How many records were checked.
    records: u64,
    /// The time of the last sound record.
    sound_at: Option<i64>,
    /// How many pieces there are.
    pieces: usize,
    /// How many faults are kept.
    faults: usize,
    /// Faults beyond those that are kept.
    beyond: Tally,
    /// Records that would have begun a piece when there were too many.
    unfollowed: Tally,
}

/// A record before it is placed.
#[derive(Debug)]
struct Taken {
    arrival: i64,
    at: i64,
    checked: Checked,
}

impl Proof {
    /// Takes a record: its arrival number and time, both of its row, and what was read from the line,
    /// when it is a record. Hashes the line; places nothing before [`Proof::take_changes`].
    pub(super) fn take(&mut self, arrival: i64, at: i64, record: Option<&Record<'_>>, line: &str) {
        let checked = line::check(record, line, |name| self.names.get(name).copied());
        self.taken.push(Taken { arrival, at, checked });
    }

    /// Places what was taken, in the order of arrival.
    fn place(&mut self) {
        let mut taken = std::mem::take(&mut self.taken);
        taken.sort_unstable_by_key(|taken| taken.arrival);
        for Taken { arrival, at, checked } in taken.drain(..) {
            let seen = Seen { arrival, at, after: self.reached.sound_at };
            self.reached.arrival = arrival;
            self.reached.records += 1;
            match checked {
                Checked::Unplaceable { kind, stream, seq } => {
                    let name = stream.and_then(|stream| self.name(&stream));
                    self.note(kind, seen, name, seq);
                }
                Checked::Record { stream, link, changed } => {
                    if !changed {
                        self.reached.sound_at = Some(at);
                    }
                    self.note_alone(&stream, link, changed, seen);
                    self.link(stream, link, seen);
                }
            }
        }
        // Keeps the allocation.
        self.taken = taken;
    }

    /// Notes what is wrong with a record whatever is beside it.
    fn note_alone(&mut self, stream: &Named, link: Link, changed: bool, seen: Seen) {
        let faults = [
            (FaultKind::Changed, changed),
            (FaultKind::FalseStart, link.seq == 1 && link.before != Hash::ZERO),
            (FaultKind::Unlinked, link.seq > 1 && link.before == Hash::ZERO),
        ];
        for (kind, _) in faults.into_iter().filter(|(_, is)| *is) {
            self.note(kind, seen, self.name(stream), Some(link.seq));
        }
    }

    /// Puts a record beside its neighbours.
    fn link(&mut self, stream: Named, link: Link, seen: Seen) {
        let room = self.reached.pieces < MAX_PIECES;
        let Some(number) = self.number(stream, room) else {
            return self.reached.unfollowed.add(seen.at);
        };
        let Some(Stream { pieces, .. }) = self.streams.get_mut(number) else { return };
        let before = pieces.len();
        let added = pieces.add(Piece::of_one(link, seen), room);
        self.reached.pieces = self.reached.pieces + pieces.len() - before;
        if added.is == Is::Unfollowed {
            self.reached.unfollowed.add(seen.at);
        }
        self.touched.extend(added.touched.into_iter().flatten().map(|first| (number, first)));
        if added.is == Is::Repeated {
            self.note(FaultKind::Repeated, seen, self.name(&Named::Known(number)), Some(link.seq));
        }
        for (seq, seen) in added.unlinked.into_iter().flatten() {
            self.note(FaultKind::Unlinked, seen, self.name(&Named::Known(number)), Some(seq));
        }
    }

    /// The number of a stream, which is given one when there is room for a piece.
    fn number(&mut self, stream: Named, room: bool) -> Option<usize> {
        let name = match stream {
            Named::Known(number) => return Some(number),
            Named::New(name) => name,
        };
        let known = self.names.get(&name).copied();
        if known.is_some() || !room {
            return known;
        }
        let number = self.streams.len();
        self.names.insert(name.clone(), number);
        self.streams.push(Stream { name, pieces: Pieces::default() });
        Some(number)
    }

    fn name(&self, stream: &Named) -> Option<Box<str>> {
        match stream {
            Named::Known(number) => self.streams.get(*number).map(|stream| stream.name.clone()),
            Named::New(name) => Some(name.clone()),
        }
    }

    /// Keeps a fault, or counts it when there are too many.
    fn note(&mut self, kind: FaultKind, seen: Seen, stream: Option<Box<str>>, seq: Option<u64>) {
        if self.reached.faults < MAX_FAULTS {
            self.reached.faults += 1;
            self.fresh.push(Found { kind, seen, stream, seq });
        } else {
            self.reached.beyond.add_all([Some(seen.at), seen.after]);
        }
    }
}
