//! Blocking reads off the async threads: so many at a time, each with a deadline.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use tokio::sync::Semaphore;

use super::Overloaded;
use crate::Error;

/// When a query must be done.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Deadline(Instant);

impl Deadline {
    /// A deadline that long from now.
    #[must_use]
    pub(crate) fn after(time: Duration) -> Self {
        // An addition that overflows the clock is as good as a year.
        let now = Instant::now();
        Self(now.checked_add(time).unwrap_or(now + Duration::from_secs(31_536_000)))
    }

    /// Whether it has passed.
    #[must_use]
    pub(crate) fn passed(self) -> bool {
        Instant::now() >= self.0
    }

    /// How long it is until then.
    #[must_use]
    pub(crate) fn remaining(self) -> Duration {
        self.0.saturating_duration_since(Instant::now())
    }
}

/// A bound on how many reads run at once. The permit travels with the blocking task: a client that
/// goes away does not make room for another read before its own has ended.
#[derive(Debug, Clone)]
pub(crate) struct Readers {
    permits: Arc<Semaphore>,
    timeout: Duration,
}

impl Readers {
    /// That many readers, and how long a read may take, and wait for its turn.
    #[must_use]
    pub(crate) fn new(count: usize, timeout: Duration) -> Self {
        Self { permits: Arc::new(Semaphore::new(count)), timeout }
    }

    /// Runs a blocking read when a reader is free.
    ///
    /// # Errors
    /// [`Overloaded`] when none becomes free in time, and what the read itself fails with.
    pub(crate) async fn run<T: Send + 'static>(
        &self,
        read: impl FnOnce(Deadline) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        let permit = self.permits.clone().acquire_owned();
        let permit = tokio::time::timeout(self.timeout, permit).await.map_err(|_| Overloaded)?;
        let permit = permit.map_err(Error::internal)?;
        let timeout = self.timeout;
        tokio::task::spawn_blocking(move || {
            let result = read(Deadline::after(timeout));
            drop(permit);
            result
        })
        .await
        .map_err(Error::internal)?
    }
}
