//! How often somebody may ask.
//!
//! A rate with a burst, by the generic cell rate algorithm of `governor`: who was quiet may ask for so much at once,
//! and then so often. What it keeps of each is one number.
//!
//! # Bounded
//! Whoever has many addresses has many of these numbers, and the stores of `governor` grow with them. [`Bounded`] keeps
//! [`MOST`], and forgets those first that have asked least lately: they are the nearest to having their whole burst
//! again, which is all that being forgotten gives them.

use std::{
    collections::HashMap,
    fmt,
    hash::Hash,
    num::NonZeroU32,
    str::FromStr,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use governor::{
    Quota, RateLimiter,
    clock::{Clock, DefaultClock},
    nanos::Nanos,
    state::StateStore,
};

/// The most of whom it is known how often they asked.
const MOST: usize = 10_000;
/// The highest rate, and the largest burst.
const HIGHEST: u32 = 1_000_000;

/// How often somebody may ask when nothing says otherwise: 5,000 times a second, and 10,000 times at once.
///
/// A page takes 0.3 ms at least, so that who asks for one after the other never gets there, however fast the
/// machine; it is reached by who asks for many at once, again and again.
pub const DEFAULT_RATE_LIMIT: RateLimit = RateLimit {
    per_second: NonZeroU32::MIN.saturating_add(4_999),
    burst: NonZeroU32::MIN.saturating_add(9_999),
};

/// Requests a second, and how many at once: `100:500`, or `100` for as many at once as a second has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RateLimit {
    per_second: NonZeroU32,
    burst: NonZeroU32,
}

impl FromStr for RateLimit {
    type Err = RateLimitInvalid;

    fn from_str(text: &str) -> Result<Self, RateLimitInvalid> {
        let number = |text: &str| {
            let number = text.parse().ok().filter(|it: &NonZeroU32| it.get() <= HIGHEST);
            number.ok_or(RateLimitInvalid)
        };
        let (per_second, burst) = text.split_once(':').unwrap_or((text, text));
        Ok(Self { per_second: number(per_second)?, burst: number(burst)? })
    }
}

/// As [`FromStr`] reads it.
impl fmt::Display for RateLimit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.per_second, self.burst)
    }
}

/// What should be a rate is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "it is requests a second and how many at once, such as 100:500, each from 1 to 1000000; 0 for no limit"
)]
pub struct RateLimitInvalid;

/// Holds each of many to one rate.
pub(crate) struct Limiter<K: Hash + Eq + Clone> {
    limit: RateLimit,
    limiter: RateLimiter<K, Bounded<K>, DefaultClock>,
    clock: DefaultClock,
}

impl<K: Hash + Eq + Clone> Limiter<K> {
    pub(crate) fn new(limit: RateLimit) -> Self {
        let quota = Quota::per_second(limit.per_second).allow_burst(limit.burst);
        let clock = DefaultClock::default();
        let limiter = RateLimiter::new(quota, Bounded::default(), clock.clone());
        Self { limit, limiter, clock }
    }

    /// Counts one more request.
    ///
    /// # Errors
    /// How long to wait, when it is one too many; it is not counted then.
    pub(crate) fn check(&self, who: &K) -> Result<(), Duration> {
        let checked = self.limiter.check_key(who);
        checked.map_err(|until| until.wait_time_from(self.clock.now()))
    }
}

impl<K: Hash + Eq + Clone> fmt::Debug for Limiter<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Limiter").field(&self.limit).finish()
    }
}

/// When each has its whole burst again.
struct Bounded<K>(Mutex<HashMap<K, Nanos>>);

impl<K> Default for Bounded<K> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<K: Hash + Eq + Clone> StateStore for Bounded<K> {
    type Key = K;

    fn measure_and_replace<T, F, E>(&self, who: &K, measure: F) -> Result<T, E>
    where
        F: Fn(Option<Nanos>) -> Result<(T, Nanos), E>,
    {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = all.get_mut(who) {
            let (outcome, next) = measure(Some(*known))?;
            *known = next;
            return Ok(outcome);
        }
        let (outcome, next) = measure(None)?;
        if all.len() >= MOST {
            // Some at once: to look for one with each that comes would be what an attacker wants.
            let mut times: Vec<_> = all.values().copied().collect();
            let (_, least, _) = times.select_nth_unstable(MOST / 8);
            let least = *least;
            all.retain(|_, time| *time > least);
        }
        all.insert(who.clone(), next);
        Ok(outcome)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_is_read_with_its_burst() {
        let read = |text: &str| text.parse::<RateLimit>().map(|it| it.to_string());
        assert_eq!(read("100:500").unwrap(), "100:500");
        assert_eq!(read("7").unwrap(), "7:7");
        assert_eq!(DEFAULT_RATE_LIMIT.to_string(), "5000:10000");
        for bad in ["", "0", "0:5", "5:0", "5:", ":5", "5/s", "-1", "1.5", "1000001", "1:2:3"] {
            assert_eq!(read(bad), Err(RateLimitInvalid), "{bad}");
        }
    }

    #[test]
    fn each_has_a_burst_and_then_a_rate_of_its_own() {
        let limiter = Limiter::new("1:5".parse().unwrap());
        let let_in = |who: u32| (0..10).filter(|_| limiter.check(&who).is_ok()).count();
        assert_eq!((let_in(1), let_in(2)), (5, 5));
        let wait = limiter.check(&1).unwrap_err();
        assert!(wait > Duration::ZERO && wait <= Duration::from_secs(1), "{wait:?}");
    }

    #[test]
    fn however_many_ask_those_who_ask_most_are_remembered() {
        let limiter = Limiter::new("1:5".parse().unwrap());
        while limiter.check(&u32::MAX).is_ok() {}
        for who in 0..50_000 {
            limiter.check(&who).unwrap();
        }
        assert!(limiter.check(&u32::MAX).is_err());
        assert!(limiter.limiter.into_state_store().0.into_inner().unwrap().len() <= MOST);
    }
}
