//! The verdict on the chain, as compliance tells it.

use super::compliance::ChainVerdict;
use crate::read_model::{ChainState, Verdict};

impl ChainVerdict {
    /// Of a trail whose chain nobody follows.
    pub(crate) fn unknown() -> Self {
        let sentence =
            "the chain was not followed: it is by the read model, and there is none, or \
                        it has not caught up; audit-server verify recomputes it"
                .to_owned();
        Self { sentence, ..Self::default() }
    }

    /// What the read model found when it took records in, of which the last arrived as `newest`.
    pub(crate) fn of(verdict: Verdict, newest: i64) -> Self {
        let intact = match verdict.chain {
            ChainState::Intact => Some(true),
            ChainState::Broken => Some(false),
            ChainState::Unknown => None,
        };
        let (faults, gaps, checked) = (verdict.fault_count, verdict.gap_count, verdict.checked);
        let mut sentence = match verdict.chain {
            ChainState::Intact => format!(
                "each of {checked} records had its hash and its predecessor when it was taken in"
            ),
            ChainState::Broken => {
                format!("{faults} faults and {gaps} gaps in the time of the report")
            }
            ChainState::Unknown => "too much was wrong for all of it to be kept".to_owned(),
        };
        let open = newest.saturating_sub(verdict.checked_to);
        if open > 0 {
            sentence.push_str(&format!("; {open} that arrived last were not looked at yet"));
        }
        Self { intact, faults, gaps, checked, sentence, verdict: Some(verdict) }
    }
}
