//! Who fails too often is told so, and asked to come back later.
//!
//! An address from which so many requests (twenty, unless it is set otherwise) came without a valid credential within a minute is locked out
//! for [`LOCKED_FOR`]: every other such request from there is answered with 429. A valid credential opens
//! all the same. Keys have 256 random bits, so that it helps nobody to guess on, and many clients may share
//! an address, behind a proxy or a router: were all of it locked, one of them could lock out the others.
//!
//! Of IPv6 the first 64 bits count, which is what one host is given (RFC 6177 has sites get more). Addresses
//! are bounded: of more than [`MOST`] those that failed least recently are forgotten, and
//! those that are locked out last.
//!
//! The ids of keys are counted in the same way.

use std::{
    collections::HashMap,
    hash::Hash,
    net::{IpAddr, Ipv6Addr},
    time::{Duration, Instant},
};

/// Within what time failures are counted together.
const WINDOW: Duration = Duration::from_secs(60);
/// How long it is locked out.
pub(crate) const LOCKED_FOR: Duration = Duration::from_secs(15 * 60);
const MOST: usize = 10_000;

/// What becomes of a request without a valid credential.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Failed {
    /// It is refused.
    Refused,
    /// It is refused, and its address is locked out from now on.
    LockedOut,
    /// Its address is locked out, for so long yet.
    Locked(Duration),
}

#[derive(Debug, Clone, Copy)]
struct Failures {
    count: u32,
    /// When the first of them was, or, when it is locked out, when that was.
    since: Instant,
    locked: bool,
    last: Instant,
}

/// Whoever failed: addresses, or whatever else they are told apart by.
#[derive(Debug)]
pub(crate) struct Lockout<K> {
    /// How many failures lock one out; 0 when none do.
    most: u32,
    failed: HashMap<K, Failures>,
}

impl<K: Hash + Eq> Lockout<K> {
    /// One that locks out after so many failures within a minute; after none when that is 0.
    pub(crate) fn new(most: u32) -> Self {
        Self { most, failed: HashMap::new() }
    }

    /// A request without a valid credential came from there.
    pub(crate) fn failed(&mut self, from: K, now: Instant) -> Failed {
        if self.most == 0 {
            return Failed::Refused;
        }
        if !self.failed.contains_key(&from) && self.failed.len() >= MOST {
            self.forget(now);
        }
        let new = Failures { count: 0, since: now, locked: false, last: now };
        let known = self.failed.entry(from).or_insert(new);
        if now.duration_since(known.since) >= known.lasts() {
            *known = new;
        }
        known.last = now;
        if known.locked {
            return Failed::Locked(LOCKED_FOR.saturating_sub(now.duration_since(known.since)));
        }
        known.count += 1;
        if known.count < self.most {
            return Failed::Refused;
        }
        (known.locked, known.since) = (true, now);
        Failed::LockedOut
    }

    /// Makes room: forgets what is over, and if all are locked out or counted yet, the one that failed least
    /// recently.
    fn forget(&mut self, now: Instant) {
        self.failed.retain(|_, it| now.duration_since(it.since) < it.lasts());
        if self.failed.len() >= MOST {
            // Some at once: to look for one among all with each that comes would be what an attacker wants.
            let mut all: Vec<_> = self.failed.values().map(|it| (it.locked, it.last)).collect();
            let (_, least, _) = all.select_nth_unstable(MOST / 8);
            let least = *least;
            self.failed.retain(|_, it| (it.locked, it.last) > least);
        }
    }
}

impl Failures {
    /// How long it is remembered.
    fn lasts(&self) -> Duration {
        if self.locked { LOCKED_FOR } else { WINDOW }
    }
}

/// What counts as one address.
pub(crate) fn host(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() >> 64 << 64).into(),
        address => address,
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    fn v4(number: u32) -> IpAddr {
        Ipv4Addr::from_bits(number).into()
    }

    #[test]
    fn the_twentieth_failure_within_a_minute_locks_out_for_a_quarter_of_an_hour() {
        let (mut lockout, begin) = (Lockout::new(20), Instant::now());
        let at = |seconds| begin + Duration::from_secs(seconds);
        for second in 0..19 {
            assert_eq!(lockout.failed(v4(1), at(second)), Failed::Refused);
        }
        assert_eq!(lockout.failed(v4(2), at(59)), Failed::Refused);
        assert_eq!(lockout.failed(v4(1), at(59)), Failed::LockedOut);
        let left = LOCKED_FOR - Duration::from_secs(41);
        assert_eq!(lockout.failed(v4(1), at(100)), Failed::Locked(left));
        assert_eq!(lockout.failed(v4(1), at(59 + 900)), Failed::Refused);
    }

    #[test]
    fn failures_that_are_a_minute_apart_are_not_counted_together() {
        let (mut lockout, begin) = (Lockout::new(20), Instant::now());
        for number in 0..200 {
            let at = begin + Duration::from_secs(number * 4);
            assert_eq!(lockout.failed(v4(1), at), Failed::Refused);
        }
    }

    #[test]
    fn an_ipv6_host_has_one_lock_and_ipv4_is_the_same_in_either_form() {
        let (mut lockout, now) = (Lockout::new(20), Instant::now());
        let mut failed =
            |address: &str| address.parse().map(|from| lockout.failed(host(from), now));
        for number in 0..19 {
            assert_eq!(failed(&format!("2001:db8::{number}")), Ok(Failed::Refused));
            assert_eq!(failed("192.0.2.1"), Ok(Failed::Refused));
        }
        assert_eq!(failed("2001:db8::ffff:1"), Ok(Failed::LockedOut));
        assert_eq!(failed("2001:db8:0:1::1"), Ok(Failed::Refused));
        assert_eq!(failed("::ffff:192.0.2.1"), Ok(Failed::LockedOut));
    }

    #[test]
    fn however_many_fail_few_are_remembered_and_those_that_are_locked_out_longest() {
        let (mut lockout, now) = (Lockout::new(20), Instant::now());
        for _ in 0..20 {
            lockout.failed(v4(1), now);
        }
        for number in 2..30_000 {
            lockout.failed(v4(number), now + Duration::from_micros(number.into()));
        }
        assert!((MOST / 2..=MOST).contains(&lockout.failed.len()));
        assert!(matches!(lockout.failed(v4(1), now + WINDOW), Failed::Locked(_)));
    }
}
