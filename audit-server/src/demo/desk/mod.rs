//! A trading desk that does not exist: what happens there, as audit events.
//!
//! [`Desk::step`] lets one thing happen and emits exactly one event for it, by the ordinary
//! `tracing` macros and inside the spans that a service would have open. What belongs together, a
//! decision and its execution, a request and its answer, is a chain of steps: each leaves the next
//! behind with the time that it is due. So the caller alone decides how time passes: `history`
//! walks through thirty days, `live` follows the clock.
//!
//! A desk is a function of its seed and of the times it is given; it asks neither the clock nor the
//! system's random numbers. Amounts are whole cents and print as decimal strings.
//!
//! Rejected: a table of ready-made lines, which would not go through the layer; a thread for each
//! actor, which could be repeated by no test.

mod access;
mod market;
mod money;
mod operations;
mod people;
mod trading;
mod treasury;

use std::{cmp::Reverse, collections::BinaryHeap};

use time::{Duration, OffsetDateTime};

use self::{
    market::Market,
    people::{Account, Request},
};

/// How many steps may be due later. Beyond that the next of them happens before its time.
const MAX_PENDING: usize = 4096;

/// What the desk is doing at that time of the week.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shift {
    /// The market is open and everybody is there.
    Open,
    /// Programs go on, people go home.
    Evening,
    /// No market.
    Weekend,
}

type Step = Box<dyn FnOnce(&mut Desk, OffsetDateTime) + Send>;
/// A beginning of something, and how often it is chosen among those of its shift.
type Beginning = (u32, fn(&mut Desk, OffsetDateTime));

const OPEN: &[Beginning] = &[
    (270, trading::agent_trades),
    (130, trading::trader_trades),
    (190, operations::api_call),
    (150, operations::data_is_used),
    (70, treasury::money_moves),
    (60, access::someone_comes_or_goes),
    (30, access::password_mistyped),
    (25, access::permission_denied),
    (25, access::rate_limited),
    (20, trading::exposure_watched),
    (12, operations::agent_calls_a_tool),
    (10, access::token_refreshed),
    (8, operations::administration),
    (6, operations::exception),
    (4, access::password_guessing),
];

const EVENING: &[Beginning] = &[
    (250, trading::agent_trades),
    (350, operations::api_call),
    (150, access::someone_goes),
    (70, operations::agent_calls_a_tool),
    (60, operations::data_is_used),
    (40, access::rate_limited),
    (10, operations::exception),
];

const WEEKEND: &[Beginning] = &[
    (700, operations::api_call),
    (150, access::someone_goes),
    (60, operations::administration),
    (50, access::rate_limited),
    (40, operations::data_is_used),
    (20, operations::exception),
];

/// The state of the desk.
pub(crate) struct Desk {
    random: fastrand::Rng,
    market: Market,
    /// Who is logged in, with the session.
    sessions: Vec<(&'static str, String)>,
    pending: BinaryHeap<Reverse<Pending>>,
    scheduled: u64,
}

struct Pending {
    due: OffsetDateTime,
    /// Of two that are due at once, the first to be left comes first.
    number: u64,
    step: Step,
}

impl Ord for Pending {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (self.due, self.number).cmp(&(other.due, other.number))
    }
}

impl PartialOrd for Pending {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Pending {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Pending {}

impl Desk {
    /// A desk before its first day. Equal seeds make equal desks.
    pub(crate) fn new(seed: u64) -> Self {
        Self {
            random: fastrand::Rng::with_seed(seed),
            market: Market::new(),
            sessions: Vec::new(),
            pending: BinaryHeap::new(),
            scheduled: 0,
        }
    }

    /// Lets one thing happen at `now` and emits one event for it: what is due, else something new.
    pub(crate) fn step(&mut self, now: OffsetDateTime, shift: Shift) {
        let due = self.due().is_some_and(|due| due <= now) || self.pending.len() >= MAX_PENDING;
        if due && let Some(Reverse(pending)) = self.pending.pop() {
            return (pending.step)(self, now);
        }
        let beginnings = match shift {
            Shift::Open => OPEN,
            Shift::Evening => EVENING,
            Shift::Weekend => WEEKEND,
        };
        let weights: u32 = beginnings.iter().map(|(weight, _)| weight).sum();
        let mut ticket = self.random.u32(..weights);
        for (weight, begin) in beginnings {
            match ticket.checked_sub(*weight) {
                Some(rest) => ticket = rest,
                None => return begin(self, now),
            }
        }
    }

    /// When the next step of something that has begun is due.
    pub(crate) fn due(&self) -> Option<OffsetDateTime> {
        self.pending.peek().map(|Reverse(pending)| pending.due)
    }

    /// Someone guesses passwords, a hundred times from one address.
    pub(crate) fn attack(&mut self, now: OffsetDateTime) {
        access::brute_force(self, now, 100);
    }

    /// A number that is `mean` on average, from a third of it to five thirds.
    pub(crate) fn about(&mut self, mean: i64) -> i64 {
        self.random.i64(mean / 3..=mean / 3 * 5)
    }

    /// Leaves a step to be done `after` from `now`.
    fn later(
        &mut self,
        now: OffsetDateTime,
        after: Duration,
        step: impl FnOnce(&mut Self, OffsetDateTime) + Send + 'static,
    ) {
        self.scheduled += 1;
        let due = now.saturating_add(after);
        self.pending.push(Reverse(Pending { due, number: self.scheduled, step: Box::new(step) }));
    }

    /// As [`Desk::later`], for a time between two numbers of milliseconds.
    fn soon(
        &mut self,
        now: OffsetDateTime,
        millis: std::ops::Range<i64>,
        step: impl FnOnce(&mut Self, OffsetDateTime) + Send + 'static,
    ) {
        let micros = self.random.i64(millis.start * 1000..millis.end * 1000);
        self.later(now, Duration::microseconds(micros), step);
    }

    /// Whether something happens that happens `percent` times in a hundred.
    fn chance(&mut self, percent: u32) -> bool {
        self.random.u32(..100) < percent
    }

    /// One of several.
    fn one_of<T: Copy, const N: usize>(&mut self, several: [T; N]) -> T {
        const { assert!(N > 0) };
        // In bounds: the random number is below N.
        several[self.random.usize(..N)]
    }

    /// A new name of something.
    fn name(&mut self, kind: &str) -> String {
        format!("{kind}-{:016x}", self.random.u64(..))
    }

    /// How long something took, in microseconds.
    fn took(&mut self) -> u64 {
        // The square makes short times frequent and long ones rare.
        let root = self.random.u64(20..420);
        root * root
    }

    /// A request of a program, which has no session.
    fn request_of(&mut self, account: Account) -> Request {
        Request {
            user_id: Some(account.user_id),
            username: account.username,
            ip_address: account.ip_address,
            session_id: None,
            request_id: self.name("req"),
        }
    }

    /// Lets a person do something, who logs in before and logs out at some time.
    fn as_person(
        &mut self,
        account: Account,
        now: OffsetDateTime,
        act: impl FnOnce(&mut Self, Request),
    ) {
        let session = self.sessions.iter().find(|(user, _)| *user == account.user_id);
        match session.map(|(_, session)| session.clone()) {
            None => access::login(self, account, now),
            Some(_) if self.random.u32(..16) == 0 => access::logout(self, account),
            Some(session) => {
                let request = self.request_of(account);
                act(self, Request { session_id: Some(session), ..request });
            }
        }
    }
}

#[cfg(test)]
mod tests;
