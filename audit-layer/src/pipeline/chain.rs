//! What the chain's head is, for those who wait for a place in it.

use std::{
    sync::{Arc, Condvar, Mutex, Weak},
    time::Instant,
};

use crate::{
    locked,
    record::{Hash, Head},
};

/// The hash of one record, once it is made.
#[derive(Debug, Default)]
pub(crate) struct Awaited {
    hash: Mutex<Option<Hash>>,
    made: Condvar,
}

impl Awaited {
    fn set(&self, hash: Hash) {
        *locked(&self.hash) = Some(hash);
        self.made.notify_all();
    }

    /// Waits until `until`; `None` when the record was not made by then.
    pub(crate) fn wait(&self, until: Instant) -> Option<Hash> {
        let mut hash = locked(&self.hash);
        while hash.is_none() {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return None;
            }
            hash = match self.made.wait_timeout(hash, left) {
                Ok((guard, _)) => guard,
                Err(poisoned) => poisoned.into_inner().0,
            };
        }
        *hash
    }
}

#[derive(Debug)]
struct State {
    head: Head,
    awaited: Vec<(u64, Weak<Awaited>)>,
}

/// The head of the chain, as far as the pipeline has got.
#[derive(Debug)]
pub(crate) struct Chain(Mutex<State>);

impl Chain {
    pub(crate) fn new(head: Head) -> Self {
        Self(Mutex::new(State { head, awaited: Vec::new() }))
    }

    /// The pipeline made this record.
    pub(crate) fn advance(&self, head: Head) {
        let mut state = locked(&self.0);
        state.head = head;
        if !state.awaited.is_empty() {
            state.awaited.retain(|(seq, awaited)| match awaited.upgrade() {
                Some(awaited) if *seq == head.seq => {
                    awaited.set(head.hash);
                    false
                }
                Some(_) => true,
                None => false,
            });
        }
    }

    /// Awaits the record `seq`, or the last one that was made, if that is behind it.
    pub(crate) fn await_at(&self, seq: u64) -> (u64, Arc<Awaited>) {
        let awaited = Arc::new(Awaited::default());
        let mut state = locked(&self.0);
        if state.head.seq >= seq {
            awaited.set(state.head.hash);
            return (state.head.seq, awaited);
        }
        state.awaited.push((seq, Arc::downgrade(&awaited)));
        (seq, awaited)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn head(seq: u64) -> Head {
        Head { seq, hash: Hash::of(&seq.to_le_bytes()) }
    }

    #[test]
    fn whoever_waits_gets_the_hash_of_its_record_or_of_a_later_one() {
        let chain = Chain::new(head(3));
        let now = Instant::now();
        let (seq, awaited) = chain.await_at(2);
        assert_eq!((seq, awaited.wait(now)), (3, Some(head(3).hash)));
        let (seq, awaited) = chain.await_at(5);
        assert_eq!((seq, awaited.wait(now)), (5, None));
        for seq in 4..=6 {
            chain.advance(head(seq));
        }
        assert_eq!(awaited.wait(now), Some(head(5).hash));
        std::thread::scope(|scope| {
            let (_, awaited) = chain.await_at(7);
            let waiter =
                scope.spawn(move || awaited.wait(Instant::now() + Duration::from_secs(60)));
            chain.advance(head(7));
            assert_eq!(waiter.join().unwrap(), Some(head(7).hash));
        });
    }
}
