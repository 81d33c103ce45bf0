//! Blocking reads off the async threads: so many at a time, each with a deadline.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use tokio::sync::Semaphore;

use super::{Overloaded, QueryTimeout};
use crate::Error;

/// How far beyond its deadline a read may be before nobody waits for it any more. It ends by itself
/// when SQLite steps rows; what the system holds, such as a file on a server that is gone, does not.
const GRACE: Duration = Duration::from_secs(2);

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
/// goes away, or is told that its time is up, does not make room for another read before its own
/// has ended.
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
    /// [`Overloaded`] when none becomes free in time, [`QueryTimeout`] when the read hangs, and what
    /// the read itself fails with.
    pub(crate) async fn run<T: Send + 'static>(
        &self,
        read: impl FnOnce(Deadline) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        let permit = self.permits.clone().acquire_owned();
        let permit = tokio::time::timeout(self.timeout, permit).await.map_err(|_| Overloaded)?;
        let permit = permit.map_err(Error::internal)?;
        let timeout = self.timeout;
        let read = tokio::task::spawn_blocking(move || {
            let result = read(Deadline::after(timeout));
            drop(permit);
            result
        });
        match tokio::time::timeout(timeout.saturating_add(GRACE), read).await {
            Ok(ended) => ended.map_err(Error::internal)?,
            Err(_) => Err(QueryTimeout.into()),
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    #[tokio::test]
    async fn a_read_that_hangs_is_given_up_and_keeps_its_place_until_it_ends() {
        let readers = Readers::new(1, Duration::from_millis(20));
        let (end, hangs) = mpsc::channel::<()>();
        let hung = readers.run(move |_| Ok(hangs.recv().is_err())).await;
        assert!(matches!(hung, Err(Error::QueryTimeout(_))), "{hung:?}");
        let next = readers.run(|_| Ok(())).await;
        assert!(matches!(next, Err(Error::Overloaded(_))), "{next:?}");
        drop(end);
        let patient = Readers { timeout: Duration::from_secs(60), ..readers };
        patient.run(|_| Ok(())).await.unwrap();
    }
}
