//! Amounts far above what the agent or user usually moves.
//!
//! Amounts are compared by their logarithms: a payer's middle and spread are of sizes, not of sums, and
//! those of one payer in one currency only with each other. Only large ones are looked for; that someone
//! moves little is not what a trail is asked about. Values and not sums are compared, so the number
//! of payments is left to the volume.

use std::collections::HashMap;

use super::{
    anomaly::AnomalyKind,
    finding::{About, Finding, Terms, plain},
    robust::gate,
    tally::{Moved, Payer, SIZE_BITS, Tally, log2, size},
};
use crate::{
    fact::{Legend, WordId},
    filter::TimeRange,
};

/// Amounts before the window that there must be.
const MIN_AMOUNTS: u32 = 20;
/// The least spread, in doublings; who always pays the same may pay a bit more.
const MIN_SPREAD: f64 = 0.4;
/// A finding is at least so many doublings above the middle.
const MIN_DOUBLINGS: f64 = 2.0;
/// The amount before the window that may have been exceeded by so many others, of all payers.
const EXTREMES: u64 = 4;
/// How far that must be exceeded, in standard deviations.
const MARGIN: f64 = 1.15;

/// What sizes a payer's amounts have, in doublings.
#[derive(Debug, Clone, Copy)]
struct Sizes {
    middle: f64,
    spread: f64,
    count: u32,
}

/// Amounts of the window that are far above.
pub(super) fn amounts(tally: &Tally, terms: &Terms, legend: &Legend) -> Vec<Finding> {
    let mut sizes: Vec<(u64, u16, u32)> = tally
        .sizes
        .iter()
        .map(|(key, count)| (key >> SIZE_BITS, (key & ((1 << SIZE_BITS) - 1)) as u16, count))
        .collect();
    sizes.sort_unstable();
    let mut payers: HashMap<u64, Sizes> = HashMap::new();
    // How far above the amounts before the window were.
    let mut above: Vec<(f64, u64)> = Vec::new();
    for of_payer in sizes.chunk_by(|one, other| one.0 == other.0) {
        let histogram: Vec<(f64, u32)> =
            of_payer.iter().map(|(_, size, count)| (log2(*size), *count)).collect();
        let (Some(of), Some((payer, ..))) = (Sizes::new(&histogram), of_payer.first()) else {
            continue;
        };
        payers.insert(*payer, of);
        above.extend(
            histogram
                .iter()
                .map(|(size, count)| ((size - of.middle) / of.spread, u64::from(*count)))
                .filter(|(score, _)| *score > 3.0),
        );
    }
    above.sort_by(|one, other| other.0.total_cmp(&one.0));
    let mut exceeded = 0;
    let extreme = above.iter().find(|(_, count)| {
        exceeded += count;
        exceeded > EXTREMES
    });
    let usual = extreme.map_or(0.0, |(score, _)| *score);
    let of = |moved: &Moved| payers.get(&moved.payer).copied();
    let tests = tally.moved.iter().filter(|moved| of(moved).is_some()).count();
    let gate = gate(terms.threshold, (tests, 1.0), (usual, MARGIN));
    let found = tally.moved.iter().filter_map(|moved| {
        let of = of(moved)?;
        let size = log2(size(moved.amount)?);
        let score = (size - of.middle) / of.spread;
        (score >= gate && size >= of.middle + MIN_DOUBLINGS).then_some((*moved, of, score))
    });
    let mut found: Vec<(Moved, Sizes, f64)> = found.collect();
    found.sort_by_key(|(moved, ..)| (moved.payer, moved.at));
    found
        .into_iter()
        .map(|(moved, of, score)| {
            let currency = legend.word(tally.currency_of(moved.payer));
            tell(moved, of, (score, gate), currency)
        })
        .collect()
}

impl Sizes {
    /// None when there are too few.
    fn new(histogram: &[(f64, u32)]) -> Option<Self> {
        let count: u32 = histogram.iter().map(|(_, count)| count).sum();
        if count < MIN_AMOUNTS {
            return None;
        }
        let middle = weighted(histogram.to_vec(), 0.5);
        let away = |(size, count): &(f64, u32)| ((size - middle).abs(), *count);
        let deviation = 1.4826 * weighted(histogram.iter().map(away).collect(), 0.5);
        let tail = (weighted(histogram.to_vec(), 0.975) - middle) / 1.96;
        Some(Self { middle, spread: deviation.max(tail).max(MIN_SPREAD), count })
    }
}

/// The value below which that part of them lies.
fn weighted(mut histogram: Vec<(f64, u32)>, part: f64) -> f64 {
    histogram.sort_by(|one, other| one.0.total_cmp(&other.0));
    let all: u32 = histogram.iter().map(|(_, count)| count).sum();
    let wanted = f64::from(all) * part;
    let mut below = 0;
    for (value, count) in &histogram {
        below += count;
        if f64::from(below) >= wanted {
            return *value;
        }
    }
    0.0
}

fn tell(moved: Moved, of: Sizes, (score, gate): (f64, f64), currency: &str) -> Finding {
    let (who, is_agent) = Payer(moved.payer).who();
    let middle = of.middle.exp2();
    let times = plain(moved.amount.to_f64().abs() / middle);
    let currency = if currency.is_empty() { String::new() } else { format!(" {currency}") };
    Finding {
        kind: AnomalyKind::UnusualAmount,
        about: About {
            user: moved.user,
            agent: if is_agent { WordId(who) } else { WordId::NONE },
            ..About::default()
        },
        score,
        gate,
        range: TimeRange { from: moved.at, to: moved.at },
        count: 1,
        observed: moved.amount.to_string(),
        expected: plain(middle),
        unit: "money",
        observations: of.count.into(),
        sentence: format!(
            "an amount of {}{currency}, {times} times the usual of about {}{currency} (from {} amounts before, of which two in three lie within a factor of {}).",
            moved.amount,
            plain(middle),
            of.count,
            plain(of.spread.exp2()),
        ),
        statuses: Vec::new(),
    }
}
