//! Ninety days of a trading house, as records.
//!
//! [`Generator`] is an iterator of events in the order in which they arrive at the trail: nearly that
//! of time. Three services write a stream each, and what they deliver comes in batches that
//! interleave; now and then one of them cannot deliver for a while, and its records come late.
//!
//! # How it works
//! Something begins, by chance, as often as the hour of the day and the day of the week let expect:
//! someone signs in, an agent sees a signal, a payment comes in. All that follows from it is made
//! at once and waits in a queue, ordered by time (`days`); what is due goes by way of the delivery
//! (`arrival`) to the caller, and on its way out into the books ([`Expected`]).
//!
//! # What a change must keep
//! - The same [`Seed`] and [`Shape`] give the same bytes: no wall clock, no map in the order of its
//!   hashes, no function of the C library (`random`).
//! - Executed trades always succeed. `status=failure` and `event_type=trade.executed` are both common
//!   and never meet: the hardest pair for an index that joins two long lists.
//!
//! Rejected: to write through `tracing` and [`audit_layer::imported_from`], as the demonstration does.
//! Such records say in `observed_at` and in their `id` when they were made, which is another time
//! each time.

mod access;
mod arrival;
mod days;
mod decimal;
mod event;
mod expected;
mod kinds;
mod operations;
mod payments;
mod random;
mod requests;
mod trading;
mod words;
mod world;

pub use arrival::Generator;
pub use decimal::{Decimal, SUM_PLACES};
pub use event::{Detail, Event};
pub use expected::{Episode, Expected, TradeKind, Traded};
pub use random::Seed;
pub use world::{Agent, STREAMS, Symbol, TENANTS, User, World, stream_names};

/// 2026-11-21T00:00:00Z in microseconds.
pub const DEFAULT_END: i64 = 1_795_219_200_000_000;

/// How much happens, and among how many.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shape {
    /// How many records. They fill the days.
    pub records: u64,
    /// How many days, up to [`Shape::end`].
    pub days: u16,
    /// People who sign in.
    pub users: u32,
    /// Programs that trade.
    pub agents: u32,
    /// What they trade.
    pub symbols: u32,
    /// About when the last record is made, in microseconds since the Unix epoch.
    pub end: i64,
}

impl Shape {
    /// So many records in 90 days, of 10 000 users and 24 agents with 200 symbols.
    #[must_use]
    pub const fn of(records: u64) -> Self {
        Self { records, days: 90, users: 10_000, agents: 24, symbols: 200, end: DEFAULT_END }
    }

    /// When the first day begins, in microseconds since the Unix epoch.
    #[must_use]
    pub const fn begin(&self) -> i64 {
        self.end - self.days as i64 * 86_400_000_000
    }
}
