//! Telling of damaged records in the server's own log, once each.
//!
//! The trail keeps a damaged record for ever, and each question that meets it would tell of it again:
//! whoever may ask could fill the disk with one line, asked for again and again.

use std::{
    collections::BTreeSet,
    sync::{Mutex, PoisonError},
};

/// How many records are told of one by one.
const MOST: usize = 1_000;

static TOLD: Mutex<Told> = Mutex::new(Told(BTreeSet::new()));

/// The arrival numbers of those that were told of.
#[derive(Debug)]
struct Told(BTreeSet<i64>);

/// What is to be told.
#[derive(Debug, PartialEq, Eq)]
enum Tell {
    OfThis,
    /// That there are others, which are not told of.
    OfOthers,
    Nothing,
}

impl Told {
    fn meet(&mut self, arrival: i64) -> Tell {
        // One more than are told of stands for all others.
        if self.0.len() > MOST || !self.0.insert(arrival) {
            Tell::Nothing
        } else if self.0.len() > MOST {
            Tell::OfOthers
        } else {
            Tell::OfThis
        }
    }
}

/// Says that a stored line is no record, unless that was said before.
pub(crate) fn tell_of_damage(arrival: i64) {
    let tell = TOLD.lock().unwrap_or_else(PoisonError::into_inner).meet(arrival);
    match tell {
        Tell::OfThis => {
            tracing::error!(arrival, "a stored line is no record; run audit-server verify");
        }
        Tell::OfOthers => {
            tracing::error!("more stored lines are no records; run audit-server verify");
        }
        Tell::Nothing => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_is_told_of_once_and_so_many_at_most() {
        let mut told = Told(BTreeSet::new());
        assert_eq!([told.meet(7), told.meet(7)], [Tell::OfThis, Tell::Nothing]);
        let mut told = Told(BTreeSet::new());
        let mut lines = 0;
        for _ in 0..2 {
            for arrival in 0..2_000 {
                let expected = match arrival {
                    _ if lines > MOST => Tell::Nothing,
                    1_000 => Tell::OfOthers,
                    _ => Tell::OfThis,
                };
                assert_eq!(told.meet(arrival), expected, "{arrival}");
                lines += usize::from(expected != Tell::Nothing);
            }
        }
        assert_eq!(lines, MOST + 1);
    }
}
