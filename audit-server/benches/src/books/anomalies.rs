//! Whether those who guess passwords are found where nobody says that they are.
//!
//! No figure of an anomaly is in the books, but the attacks are: each is dozens of failed logins within
//! minutes, from an address that nobody else has. The search measures by what was usual before, so it
//! owes them to whoever is rarely attacked only: what happened on more than one day in twenty is
//! usual, and is not told. A house of ten million records is attacked twice in five days, one of
//! sixty thousand twice in ninety.

use std::error::Error;

use super::{
    Ask, Span,
    asked::{DAY, report},
    comparison::items,
};
use crate::generator::{Episode, Expected};

/// How many days are looked at, and how many before them make what is usual.
const LOOKED_AT: i64 = 7;
const BEFORE: i64 = 84;

/// The attacks of the last week, and those of them that were found.
#[derive(Debug, Default)]
pub struct Attacks {
    /// How many there were.
    pub all: usize,
    /// Those that were not found, by their addresses.
    pub missed: Vec<String>,
    /// Whether attacks were rare before, so that all must be found.
    pub rare: bool,
    /// How many anomalies there were in all.
    pub anomalies: u64,
}

/// Asks for the anomalies of the last week of the books, and looks for the attacks among them.
///
/// # Errors
/// When the server does not answer, or the books are empty.
pub fn attacks(expected: &Expected, ask: &Ask<'_>) -> Result<Attacks, Box<dyn Error>> {
    let span = Span::of(expected)?;
    let begin = span.to + 1 - LOOKED_AT * DAY;
    let said = ask(&report("/audit/anomalies", LOOKED_AT, span.to, &[]))?;
    let found = |episode: &Episode| {
        items(&said["anomalies"]).iter().any(|anomaly| {
            let kind = anomaly["kind"].as_str().unwrap_or_default();
            matches!(kind, "failure_spike" | "volume_spike")
                && anomaly["subject"]["ip_address"] == *episode.address
                && anomaly["count"].as_u64().is_some_and(|count| count >= episode.attempts)
        })
    };
    let (within, before): (Vec<&Episode>, Vec<&Episode>) =
        expected.episodes.values().partition(|episode| episode.first >= begin);
    let mut days: Vec<i64> = before
        .iter()
        .map(|episode| (begin - 1 - episode.last).div_euclid(DAY))
        .filter(|day| *day < BEFORE)
        .collect();
    days.sort_unstable();
    days.dedup();
    let missed = within.iter().filter(|episode| !found(episode));
    Ok(Attacks {
        all: within.len(),
        missed: missed.map(|episode| episode.address.clone()).collect(),
        // Fewer than one in twenty, also when the days are counted from elsewhere.
        rare: (days.len() as i64 * 2) * 20 < BEFORE,
        anomalies: said["anomalies"]["total"].as_u64().ok_or("anomalies without a total")?,
    })
}
