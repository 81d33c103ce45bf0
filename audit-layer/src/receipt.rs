//! Proof that something was recorded, for whoever wants to keep it elsewhere.

use std::{
    fmt,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::{Duration, Instant},
};

use crate::{
    AuditGuard, Error,
    pipeline::Awaited,
    record::{Hash, StreamName},
};

/// How long [`Receipt::hash`] waits for the chain.
pub const HASH_TIMEOUT: Duration = Duration::from_secs(10);

/// What a commit returns: the place in the stream up to which everything is durable.
///
/// Kept where nobody who can change the trail can change it, `STREAM:SEQ:HASH` proves later that the
/// trail up to there is what it was: `audit-server verify PATH --receipt STREAM:SEQ:HASH`.
#[derive(Clone)]
pub struct Receipt {
    /// The stream.
    pub stream: StreamName,
    /// The number of a record at which, and before which, everything is durable that was accepted
    /// before the commit.
    pub seq: u64,
    awaited: Arc<Awaited>,
}

impl Receipt {
    pub(crate) fn new(stream: StreamName, seq: u64, awaited: Arc<Awaited>) -> Self {
        Self { stream, seq, awaited }
    }

    /// The hash of the record [`Receipt::seq`]. Waits until the pipeline has made the record: some
    /// milliseconds, at most [`HASH_TIMEOUT`].
    ///
    /// # Errors
    /// [`Error::Timeout`] when the pipeline is behind by more than that, or dead.
    pub fn hash(&self) -> Result<Hash, Error> {
        let hash = self.awaited.wait(Instant::now() + HASH_TIMEOUT);
        hash.ok_or_else(|| Error::Timeout { missing: vec!["pipeline".to_owned()] })
    }

    /// `STREAM:SEQ:HASH`, as `audit-server verify --receipt` takes it.
    ///
    /// # Errors
    /// As [`Receipt::hash`].
    pub fn line(&self) -> Result<String, Error> {
        Ok(format!("{}:{}:{}", self.stream, self.seq, self.hash()?))
    }
}

impl fmt::Debug for Receipt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Receipt")
            .field("stream", &self.stream)
            .field("seq", &self.seq)
            .finish_non_exhaustive()
    }
}

/// A commit that is waited for without a thread; made by [`AuditGuard::commit_async`].
#[derive(Debug)]
#[must_use = "a commit is waited for with .await"]
pub struct Commit<'g> {
    guard: &'g AuditGuard,
    /// What was wrong from the beginning, or the receipt that becomes valid.
    receipt: Option<Result<Receipt, Error>>,
}

impl<'g> Commit<'g> {
    pub(crate) fn new(guard: &'g AuditGuard, receipt: Result<Receipt, Error>) -> Self {
        Self { guard, receipt: Some(receipt) }
    }
}

impl Future for Commit<'_> {
    type Output = Result<Receipt, Error>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let receipt = match self.receipt.take() {
            Some(Ok(receipt)) => receipt,
            Some(Err(error)) => return Poll::Ready(Err(error)),
            // Whoever polls again after the end gets no second receipt.
            None => return Poll::Pending,
        };
        match self.guard.poll_commit(receipt.seq, context.waker()) {
            Poll::Ready(result) => Poll::Ready(result.map(|()| receipt)),
            Poll::Pending => {
                self.receipt = Some(Ok(receipt));
                Poll::Pending
            }
        }
    }
}
