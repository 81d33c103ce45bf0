//! A key whose secret somebody guesses at, from however many addresses.
//!
//! Lock-out by address does not see who fails a few times from each of many. So failures are counted by the id of
//! the key that was presented, too. From so many on, within a minute, whoever presents this id without its
//! secret is told to come back later, wherever they are, and the trail has a `security.account_locked`.
//!
//! The holder of the key is not kept out: a guess of 256 random bits succeeds as little as ever, and ids are no
//! secret, so that anyone who knows one could lock out whose it is. Nor does any answer tell whether a key
//! has that id: all ids are counted alike, and only those that exist are recorded.

use std::{
    net::IpAddr,
    sync::{Arc, PoisonError},
    time::{Duration, Instant},
};

use poem::http::HeaderMap;

use super::State;
use crate::auth::{self, Failed};

/// Counts a request that has opened nothing for the key that it named; how long that is locked yet, if it is.
pub(super) async fn failed(
    state: &Arc<State>,
    headers: &HeaderMap,
    from: IpAddr,
) -> Option<Duration> {
    let id = auth::claimed(headers)?;
    let failed = {
        let mut locked = state.locked_keys.lock().unwrap_or_else(PoisonError::into_inner);
        locked.failed(id.as_str().into(), Instant::now())
    };
    match failed {
        Failed::Refused => None,
        Failed::Locked(left) => Some(left),
        Failed::LockedOut => {
            let keys = state.clone();
            let known = state.key_readers.run(move |_| keys.keys.known(&id)).await;
            match (known, &state.own) {
                (Ok(Some(key)), Some(own)) => own.key_locked(&key, from),
                (Err(error), _) => {
                    tracing::error!(%error, "a key that is locked cannot be looked up");
                }
                _ => {}
            }
            None
        }
    }
}
