//! How the thread of the desk is told to stop.

use std::{
    convert::Infallible,
    sync::mpsc::{Receiver, RecvTimeoutError, Sender, TryRecvError, channel},
    time::Instant,
};

/// Held by whoever decides; the desk stops when it is dropped.
#[derive(Debug)]
pub(crate) struct Stopper {
    _sender: Sender<Infallible>,
}

/// Held by the desk. It carries nothing: that the other end is gone is the message, so that a
/// desk cannot outlive whoever started it.
#[derive(Debug)]
pub(crate) struct Stop(Receiver<Infallible>);

pub(crate) fn pair() -> (Stopper, Stop) {
    let (sender, receiver) = channel();
    (Stopper { _sender: sender }, Stop(receiver))
}

impl Stop {
    /// Whether it was told to stop.
    pub(crate) fn is_told(&self) -> bool {
        self.0.try_recv() == Err(TryRecvError::Disconnected)
    }

    /// Waits until that time; returns early, and true, when told to stop.
    pub(crate) fn wait_until(&self, until: Instant) -> bool {
        let left = until.saturating_duration_since(Instant::now());
        self.0.recv_timeout(left) == Err(RecvTimeoutError::Disconnected)
    }
}
