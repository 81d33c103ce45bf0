//! How often whom was refused, so that the trail tells it in few records.
//!
//! The first ten of a source within a minute are told one by one, and the others by their number when it
//! ends. A source is what lock-out takes for one. Sources are bounded, too, since whoever has many addresses has many sources: those beyond are
//! counted together.

use std::{
    collections::HashMap,
    net::{IpAddr, Ipv4Addr},
};

use super::Refusal;
use crate::auth::host;

/// The most of one source that are told one by one.
const TOLD: u64 = 10;
/// The most of all sources together.
const TOLD_OF_ALL: u64 = 1_000;
/// The most sources that are told apart.
const MOST_SOURCES: usize = 1_000;
/// Stands for the others.
const OTHERS: IpAddr = IpAddr::V4(Ipv4Addr::UNSPECIFIED);

/// What there was of a source within a minute.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Seen {
    told: u64,
    /// How many were not told one by one.
    pub(super) untold: u64,
}

/// The refusals of a minute.
#[derive(Debug, Default)]
pub(super) struct Refusals {
    sources: HashMap<(IpAddr, Refusal), Seen>,
    told: u64,
}

impl Refusals {
    /// Counts one more; whether it is told by itself.
    pub(super) fn is_told(&mut self, from: IpAddr, why: Refusal) -> bool {
        let from = self.source(from, why);
        let seen = self.sources.entry((from, why)).or_default();
        let is_told = seen.told < TOLD && self.told < TOLD_OF_ALL && from != OTHERS;
        let (one, all) =
            if is_told { (&mut seen.told, &mut self.told) } else { (&mut seen.untold, &mut 0) };
        *one += 1;
        *all += 1;
        is_told
    }

    /// Counts one more that is not told by itself.
    pub(super) fn count(&mut self, from: IpAddr, why: Refusal) {
        let from = self.source(from, why);
        self.sources.entry((from, why)).or_default().untold += 1;
    }

    fn source(&self, from: IpAddr, why: Refusal) -> IpAddr {
        let from = host(from);
        let is_known = self.sources.contains_key(&(from, why));
        if is_known || self.sources.len() < MOST_SOURCES { from } else { OTHERS }
    }

    /// Whether one more may be told, of whatever comes with them; it is counted.
    pub(super) fn has_room(&mut self) -> bool {
        self.told += 1;
        self.told <= TOLD_OF_ALL
    }

    /// Begins another minute; gives the sources of which some were not told.
    pub(super) fn take(&mut self) -> Vec<(IpAddr, Refusal, Seen)> {
        let Self { sources, .. } = std::mem::take(self);
        let many = sources.into_iter().filter(|(_, seen)| seen.untold > 0);
        many.map(|((from, why), seen)| (from, why, seen)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(refusals: &mut Refusals, from: u32, count: usize) -> usize {
        let from = Ipv4Addr::from_bits(from).into();
        (0..count).filter(|_| refusals.is_told(from, Refusal::Unknown)).count()
    }

    #[test]
    fn ten_of_a_source_are_told_and_the_others_counted() {
        let mut refusals = Refusals::default();
        assert_eq!((told(&mut refusals, 1, 25), told(&mut refusals, 2, 3)), (10, 3));
        assert!(refusals.is_told(Ipv4Addr::from_bits(1).into(), Refusal::Forbidden));
        let many = refusals.take();
        assert_eq!(
            many,
            [(Ipv4Addr::from_bits(1).into(), Refusal::Unknown, Seen { told: 10, untold: 15 })]
        );
        assert_eq!((told(&mut refusals, 1, 2), refusals.take()), (2, vec![]));
    }

    #[test]
    fn however_many_sources_there_are_the_records_are_bounded() {
        let mut refusals = Refusals::default();
        let all: usize = (1..=20_000).map(|from| told(&mut refusals, from, 11)).sum();
        let many = refusals.take();
        assert_eq!(all, 1_000);
        assert_eq!(many.len(), MOST_SOURCES + 1);
        let untold: u64 = many.iter().map(|(_, _, seen)| seen.untold).sum();
        assert_eq!(untold, 20_000 * 11 - 1_000);
    }
}
