//! How often whom was refused, so that the trail tells it in few records.
//!
//! The first ten of a source within a minute are told one by one, and the others by their number when it
//! ends; of requests that are too many the first alone. A source is what lock-out takes for one, or a key. Sources are bounded, too, since whoever has many addresses has many sources: those beyond are
//! counted together.

use std::{
    collections::HashMap,
    net::{IpAddr, Ipv4Addr},
};

use super::Refusal;
use crate::auth::host;

/// The most of all sources together.
const TOLD_OF_ALL: u64 = 1_000;
/// The most sources that are told apart.
const MOST_SOURCES: usize = 1_000;
/// Stands for the others.
const OTHERS: Source = Source::Address(IpAddr::V4(Ipv4Addr::UNSPECIFIED));

/// Who was refused.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum Source {
    Address(IpAddr),
    /// The id of a key.
    Key(Box<str>),
}

impl Source {
    /// The address, if it is one.
    pub(super) fn address(&self) -> Option<IpAddr> {
        match self {
            Self::Address(address) if *self != OTHERS => Some(*address),
            _ => None,
        }
    }

    /// The id of the key, if it is one.
    pub(super) fn key(&self) -> Option<&str> {
        match self {
            Self::Key(id) => Some(id),
            Self::Address(_) => None,
        }
    }
}

impl From<IpAddr> for Source {
    fn from(address: IpAddr) -> Self {
        Self::Address(host(address))
    }
}

impl Refusal {
    /// The most of one source that are told one by one.
    fn told(self) -> u64 {
        if self == Self::TooMany { 1 } else { 10 }
    }
}

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
    sources: HashMap<(Source, Refusal), Seen>,
    told: u64,
}

impl Refusals {
    /// Counts one more; whether it is told by itself.
    pub(super) fn is_told(&mut self, source: Source, why: Refusal) -> bool {
        let key = self.key(source, why);
        let is_one = key.0 != OTHERS;
        let seen = self.sources.entry(key).or_default();
        let is_told = seen.told < why.told() && self.told < TOLD_OF_ALL && is_one;
        let (one, all) =
            if is_told { (&mut seen.told, &mut self.told) } else { (&mut seen.untold, &mut 0) };
        *one += 1;
        *all += 1;
        is_told
    }

    /// Counts one more that is not told by itself.
    pub(super) fn count(&mut self, source: Source, why: Refusal) {
        let key = self.key(source, why);
        self.sources.entry(key).or_default().untold += 1;
    }

    /// What it is counted as.
    fn key(&self, source: Source, why: Refusal) -> (Source, Refusal) {
        let key = (source, why);
        let is_room = self.sources.len() < MOST_SOURCES || self.sources.contains_key(&key);
        if is_room { key } else { (OTHERS, why) }
    }

    /// Whether one more may be told, of whatever comes with them; it is counted.
    pub(super) fn has_room(&mut self) -> bool {
        self.told += 1;
        self.told <= TOLD_OF_ALL
    }

    /// Begins another minute; gives the sources of which some were not told.
    pub(super) fn take(&mut self) -> Vec<(Source, Refusal, Seen)> {
        let Self { sources, .. } = std::mem::take(self);
        let many = sources.into_iter().filter(|(_, seen)| seen.untold > 0);
        many.map(|((from, why), seen)| (from, why, seen)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(refusals: &mut Refusals, from: u32, count: usize) -> usize {
        (0..count).filter(|_| refusals.is_told(source(from), Refusal::Unknown)).count()
    }

    fn source(from: u32) -> Source {
        IpAddr::from(Ipv4Addr::from_bits(from)).into()
    }

    #[test]
    fn ten_of_a_source_are_told_and_the_others_counted() {
        let mut refusals = Refusals::default();
        assert_eq!((told(&mut refusals, 1, 25), told(&mut refusals, 2, 3)), (10, 3));
        assert!(refusals.is_told(source(1), Refusal::Forbidden));
        let many = refusals.take();
        assert_eq!(many, [(source(1), Refusal::Unknown, Seen { told: 10, untold: 15 })]);
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
