//! The read model: what the server derives from the trail, to find records in it.
//!
//! The trail has indexes for time and type alone, because more cost its writer six times its speed.
//! Every other question would read the trail from one end to the other. So the server keeps an
//! index of its own, in a database of its own, by reading what has arrived: the application pays
//! nothing for it, it can be thrown away and made anew at any time, and what it has not reached yet
//! is read from the trail, so that no answer lags.
//!
//! # Positions
//! Pages are in the order of time, and records arrive in almost that order. Were rows numbered by
//! arrival, a page would need all that could be newer before its first record; were they numbered by
//! microseconds, each entry of the index would take five bytes instead of one (measured: 100 bytes a
//! record instead of 40). So rows are numbered by *position* in a *run*: what arrives is sorted by
//! time in small batches, and each record appended to the run whose last is the latest that is not
//! after it. Within a run, positions are in the order of time. One writer whose records come in
//! order makes one run; several, whose batches interleave, about as many runs as they are; an
//! import, one more. A page merges the runs that have anything in its time.
//!
//! # Bitmaps and terms
//! What has few values, such as type, status, severity or a side of a trade, is dense: a list of
//! half of all records is no index, and two of them that have nothing in common are read to the end
//! to find nothing. What has many values, such as users and requests, is sparse: a bitmap each
//! would be millions. So there are both: *facets*, with a bitmap for each chunk of 32,768 positions
//! (see [`dictionary`] for what becomes one), and one FTS5 table of terms, of hashed keys and plain
//! words, contentless and without positions. A question is answered from bitmaps where they decide
//! it, else by the terms, tested against the bitmaps. Words that many records of a chunk say have a
//! bitmap there as well: two of them that never meet would be read to the end by the term index.
//! Numbers have a column a chunk besides, for comparisons, with the least and the greatest.
//!
//! What chunks have that are full is kept in memory, see [`sealed`]: it never changes.
//!
//! # Facts
//! Reports and charts look at millions of records and at a few members of each. Of these there is a
//! sheet of [`crate::fact`] beside each chunk, in columns. What would be a rollup elsewhere, sums by the
//! hour, is so computed when it is asked for, for any window and under any filter, exactly.
//!
//! # The chain
//! Each record is held against its hash and its neighbours when it is taken in: see [`proof`].
//!
//! Rejected: FTS5 alone (two common values that never meet take it 40 ns a record, and it cannot
//! count), B-tree indexes (8,000 rows/s, measured for the design), a search engine (a second language
//! for every filter, and a hundred crates).
//!
//! # Invariants
//! - The index may offer too many records and never too few: every record is read from the trail
//!   and held against the filter before it is given out.
//! - State, facets, blocks, chunks, facts, terms and the verdict on the chain are written in one transaction, with the arrival
//!   number up to which they reach and a hash of that record. When the trail has another record
//!   there, it is another trail, and the model begins anew.
//! - Only the holder of the lock beside the database writes it.

mod arrivals;
mod bits;
mod blind;
mod block;
mod candidates;
mod chunk;
mod columns;
mod content;
mod count;
mod dictionary;
mod facts;
mod follower;
mod heads;
mod indexer;
mod number;
mod part;
mod plan;
mod proof;
mod reading;
mod resolver;
mod rows;
mod run;
mod schema;
mod sealed;
mod search;
mod tail;
#[cfg(test)]
mod tests;
mod tokens;
mod top;
mod varint;
mod vocabulary;
mod writer;

pub(crate) use blind::forget_erased;
pub(crate) use columns::Column;
pub use count::{Count, Counted, Counting};
pub(crate) use facts::{CountingFold, Met, RecordTexts, Taken, Wanted};
pub(crate) use follower::{Follower, OnAlarm, reindex};
pub(crate) use heads::Alarm;
pub(crate) use proof::{ChainState, Verdict};
pub(crate) use reading::{Followed, ReadModel, Reading};
pub(crate) use sealed::Identity;
pub(crate) use top::ValueCounts;
