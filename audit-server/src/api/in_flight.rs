//! A bound on the bytes of answers that are on their way.
//!
//! Readers are bounded, but what they have read stays in memory for as long as a client takes to
//! read it in turn. So whoever wants to read a page reserves the most that it may take, gives back
//! what it did not need, and the rest travels with the body until that is sent or dropped. Reserving
//! comes before reading: a page that waited for its turn would itself be what is to be bounded.

use std::{sync::Arc, time::Duration};

use hyper::body::Bytes;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::{Error, store::Overloaded};

/// The most bytes of answers in memory, those on their way and those being read.
const MAX_BYTES: usize = 256 * 1024 * 1024;

#[derive(Debug)]
pub(crate) struct InFlight {
    bytes: Arc<Semaphore>,
    timeout: Duration,
}

impl InFlight {
    /// How long an answer may wait until there is room for it.
    pub(super) fn new(timeout: Duration) -> Self {
        Self { bytes: Arc::new(Semaphore::new(MAX_BYTES)), timeout }
    }

    /// Room for that many bytes, of which there are fewer than [`MAX_BYTES`].
    ///
    /// # Errors
    /// [`Overloaded`] when there is none in time.
    pub(super) async fn reserve(&self, bytes: usize) -> Result<Reserved, Error> {
        let count = u32::try_from(bytes.min(MAX_BYTES)).map_err(Error::internal)?;
        let permit = self.bytes.clone().acquire_many_owned(count);
        let permit = tokio::time::timeout(self.timeout, permit).await.map_err(|_| Overloaded)?;
        Ok(Reserved(permit.map_err(Error::internal)?))
    }
}

/// Room for an answer.
#[derive(Debug)]
pub(super) struct Reserved(OwnedSemaphorePermit);

impl Reserved {
    /// The answer, which keeps as much of the room as it takes.
    pub(super) fn hold(mut self, bytes: Vec<u8>) -> Bytes {
        let excess = self.0.num_permits().saturating_sub(bytes.len());
        drop(self.0.split(excess));
        Bytes::from_owner(Held { bytes, _room: self })
    }
}

struct Held {
    bytes: Vec<u8>,
    _room: Reserved,
}

impl AsRef<[u8]> for Held {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}
