//! The exports that run and that ran.
//!
//! What is known of them is kept in memory alone: it is about connections, which do not outlive the
//! server either. The oldest is forgotten first, and sooner when manifests name very many streams.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use uuid::Uuid;

use crate::{
    Error,
    auth::{Credential, Tenant},
    export::{ExportNotFound, ExportsBusy, Ledger, Request, Walk},
};

/// The most exports that are remembered.
const MAX_KEPT: usize = 1_000;

/// The most streams that the manifests of ended exports name together: some 10 MB.
const MAX_STREAMS_KEPT: usize = 100_000;

/// The right to be one of the exports that run.
pub(super) type Permit = Arc<OwnedSemaphorePermit>;

/// An export, and whose records it has when not all.
#[derive(Debug)]
struct Kept {
    ledger: Arc<Ledger>,
    tenant: Option<Tenant>,
}

#[derive(Debug)]
pub(crate) struct Exports {
    permits: Arc<Semaphore>,
    /// The latest last.
    kept: Mutex<VecDeque<Kept>>,
}

impl Exports {
    /// That many at once.
    pub(in crate::api) fn new(most: usize) -> Self {
        Self { permits: Arc::new(Semaphore::new(most)), kept: Mutex::default() }
    }

    /// Room for one more.
    ///
    /// # Errors
    /// [`ExportsBusy`] when there is none: an export takes too long for others to wait.
    pub(super) fn admit(&self) -> Result<Permit, Error> {
        let permit = self.permits.clone().try_acquire_owned().map_err(|_| ExportsBusy)?;
        Ok(Arc::new(permit))
    }

    /// Opens the ledger of an export, and remembers it.
    ///
    /// # Errors
    /// Those of [`Ledger::open`].
    pub(super) fn register(
        &self,
        request: Request,
        walk: &Walk,
        by: &Credential,
    ) -> Result<Arc<Ledger>, Error> {
        let ledger = Arc::new(Ledger::open(request, walk)?);
        let mut kept = self.lock();
        kept.push_back(Kept { ledger: ledger.clone(), tenant: by.tenant.clone() });
        let (mut count, mut streams) = (0, 0);
        for of_ended in kept.iter().filter_map(|kept| kept.ledger.streams_kept()) {
            count += 1;
            streams += of_ended;
        }
        // The oldest first, and none that runs.
        kept.retain(|kept| match kept.ledger.streams_kept() {
            Some(of_this) if count >= MAX_KEPT || streams > MAX_STREAMS_KEPT => {
                count -= 1;
                streams -= of_this;
                false
            }
            _ => true,
        });
        Ok(ledger)
    }

    /// The export with that id, when it is of records that the credential sees.
    ///
    /// # Errors
    /// [`ExportNotFound`].
    pub(in crate::api) fn find(&self, id: Uuid, by: &Credential) -> Result<Arc<Ledger>, Error> {
        let kept = self.lock();
        let found = kept.iter().find(|kept| kept.ledger.id() == id);
        let seen = found.filter(|kept| by.tenant.is_none() || by.tenant == kept.tenant);
        Ok(seen.map(|kept| kept.ledger.clone()).ok_or(ExportNotFound)?)
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<Kept>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
