//! A request that the sinks answer, and who waits for the answers.

use std::{
    sync::{Condvar, Mutex},
    time::Instant,
};

use crate::locked;

/// Someone waits for the sinks. Each sink that is done counts down.
#[derive(Debug, Default)]
pub(crate) struct FlushRequest {
    state: Mutex<Waiting>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct Waiting {
    /// `None` until the request has come out of the queue.
    waiting_for: Option<Vec<String>>,
    failed: Vec<String>,
}

/// Why a wait for the sinks ended without them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Unflushed {
    /// These may still be done.
    Late(Vec<String>),
    /// These said that they cannot, and all others are done.
    Failed(Vec<String>),
}

impl FlushRequest {
    /// Names the sinks that must be done before the wait ends.
    pub(crate) fn expect(&self, sinks: Vec<String>) {
        locked(&self.state).waiting_for = Some(sinks);
        self.changed.notify_all();
    }

    /// Says that `sink` has everything.
    pub(crate) fn done(&self, sink: &str) {
        self.settle(sink, true);
    }

    /// Says that `sink` cannot make sure that it has everything.
    pub(crate) fn failed(&self, sink: &str) {
        self.settle(sink, false);
    }

    fn settle(&self, sink: &str, done: bool) {
        let mut state = locked(&self.state);
        if let Some(waiting_for) = state.waiting_for.as_mut() {
            waiting_for.retain(|name| name != sink);
        }
        if !done {
            state.failed.push(sink.to_owned());
        }
        self.changed.notify_all();
    }

    /// Waits for every sink until `until`. Names `pipeline` when the request did not even come out of
    /// the queue.
    pub(crate) fn wait(&self, until: Instant) -> Result<(), Unflushed> {
        let mut state = locked(&self.state);
        loop {
            match &state.waiting_for {
                Some(waiting_for) if waiting_for.is_empty() && state.failed.is_empty() => {
                    return Ok(());
                }
                Some(waiting_for) if waiting_for.is_empty() => {
                    return Err(Unflushed::Failed(state.failed.clone()));
                }
                _ => {}
            }
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                let late = state.waiting_for.clone();
                return Err(Unflushed::Late(late.unwrap_or_else(|| vec!["pipeline".to_owned()])));
            }
            state = match self.changed.wait_timeout(state, left) {
                Ok((guard, _)) => guard,
                Err(poisoned) => poisoned.into_inner().0,
            };
        }
    }
}
