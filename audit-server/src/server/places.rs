//! Room for connections.
//!
//! Whoever may ask waits in the system's queue until there is room. Whoever may not gets an answer all the same,
//! so that it is seen what is wrong, but from a few places of their own: else any number of them,
//! who send a byte a minute, would keep out the others.

use std::{net::SocketAddr, sync::Arc};

use tokio::{
    net::{TcpListener, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore},
};

use super::ACCEPT_PAUSE;
use crate::api::State;

/// The most connections from where nobody may ask.
const MAX_OUTSIDE: usize = 16;

pub(super) struct Places {
    inside: Arc<Semaphore>,
    outside: Arc<Semaphore>,
}

/// A connection with its place, which is given back when this is dropped.
pub(super) struct Accepted {
    pub(super) stream: TcpStream,
    pub(super) remote: SocketAddr,
    pub(super) place: OwnedSemaphorePermit,
}

impl Places {
    pub(super) fn new(most: usize) -> Self {
        Self {
            inside: Arc::new(Semaphore::new(most)),
            outside: Arc::new(Semaphore::new(MAX_OUTSIDE)),
        }
    }

    /// The next connection, once there is room for it; none when it could not be accepted or was closed.
    pub(super) async fn accept(&self, listener: &TcpListener, state: &State) -> Option<Accepted> {
        let place = self.inside.clone().acquire_owned().await.ok()?;
        match listener.accept().await {
            Ok((stream, remote)) if !state.is_outside(remote.ip()) => {
                Some(Accepted { stream, remote, place })
            }
            Ok((stream, remote)) => match self.outside.clone().try_acquire_owned() {
                Ok(place) => Some(Accepted { stream, remote, place }),
                Err(_) => {
                    if let Some(own) = &state.own {
                        own.turned_away(remote.ip());
                    }
                    None
                }
            },
            Err(error) => {
                tracing::warn!(%error, "cannot accept a connection");
                tokio::time::sleep(ACCEPT_PAUSE).await;
                None
            }
        }
    }
}
