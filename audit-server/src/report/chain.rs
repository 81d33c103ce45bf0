//! The verdict on the chain, as compliance tells it.

use super::compliance::ChainVerdict;
use crate::read_model::{ChainState, Followed};

/// How many records may have arrived since the read model was written last, for what it says to be
/// taken for the whole. Beside a writer there always are some.
const MOST_OPEN: i64 = 1_000;

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
    pub(crate) fn of(followed: Followed, newest: i64) -> Self {
        let Followed { verdict, alarms } = followed;
        let open = newest.saturating_sub(verdict.checked_to);
        let intact = match verdict.chain {
            // What was there and is not any more breaks no chain, and is remembered.
            _ if !alarms.is_empty() => Some(false),
            ChainState::Broken => Some(false),
            ChainState::Intact if open <= MOST_OPEN => Some(true),
            ChainState::Intact | ChainState::Unknown => None,
        };
        let (faults, gaps, checked) = (verdict.fault_count, verdict.gap_count, verdict.checked);
        let mut sentence = match verdict.chain {
            ChainState::Intact => format!(
                "{checked} records were held against their hashes and predecessors when they were \
                 taken in, and none of this time was found wrong"
            ),
            ChainState::Broken => {
                format!("{faults} faults and {gaps} gaps in the time of the report")
            }
            ChainState::Unknown => "too much was wrong for all of it to be kept".to_owned(),
        };
        if let [latest, ..] = &*alarms {
            let (stream, finding) = (&latest.stream, &latest.finding);
            let all = alarms.len();
            sentence = format!(
                "alarms that were raised: {all}, the latest that of {stream}, {finding}; {sentence}"
            );
        }
        if verdict.faults_elsewhere > 0 {
            let elsewhere = verdict.faults_elsewhere;
            sentence.push_str(&format!("; {elsewhere} faults belong to other times"));
        }
        if open > 0 {
            sentence.push_str(&format!("; {open} that arrived last were not looked at yet"));
        }
        Self { intact, faults, gaps, checked, sentence, verdict: Some(verdict) }
    }
}
