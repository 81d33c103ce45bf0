//! The task that feeds a body.

use std::{
    io,
    sync::Arc,
    time::{Duration, Instant},
};

use tokio::sync::mpsc;

use super::registry::Permit;
use crate::{
    Error,
    api::State,
    export::{Assembly, Ledger, Part, Request, Status, Walk},
    store::Lines,
};

/// Parts that wait to be sent, beside the one that is sent, the one that is made and the page that
/// is read.
const QUEUE: usize = 1;

/// How long an export waits for a page that cannot be had, because all readers are busy or nothing
/// is found in time.
const PATIENCE: Duration = Duration::from_secs(60);

/// What comes through the queue. One that closes without an end was broken off.
#[derive(Debug)]
pub(super) enum Fed {
    Part(Box<Part>),
    End,
}

/// Starts to read; the queue fills as far as it goes.
pub(super) fn start(
    state: Arc<State>,
    request: Request,
    walk: Walk,
    ledger: Arc<Ledger>,
    permit: Permit,
) -> mpsc::Receiver<Fed> {
    let (queue, fed) = mpsc::channel(QUEUE);
    tokio::spawn(async move {
        if let Err(error) = feed(&state, &request, walk, &queue).await {
            tracing::error!(export = %ledger.id(), %error, "an export broke off");
            ledger.end(Status::Failed);
        }
        drop(permit);
    });
    fed
}

/// Reads the next page while one is put together. Ends early when nobody reads any more.
async fn feed(
    state: &Arc<State>,
    request: &Request,
    mut walk: Walk,
    queue: &mpsc::Sender<Fed>,
) -> Result<(), Error> {
    let (place, _) = walk.bounds();
    let mut assembly = Assembly::new(request, place).map_err(Error::internal)?;
    let mut page = next(state, &walk).await?;
    while let Some(lines) = page {
        walk.advance(&lines);
        let add = tokio::task::spawn_blocking(move || {
            let part = assembly.add(lines);
            (assembly, part)
        });
        let (added, following) = tokio::join!(add, next(state, &walk));
        let part;
        (assembly, part) = added.map_err(Error::internal)?;
        if queue.send(Fed::Part(Box::new(part.map_err(Error::internal)?))).await.is_err() {
            return Ok(());
        }
        page = following?;
    }
    let end: io::Result<Part> = assembly.end();
    let end = end.map_err(Error::internal)?;
    if queue.send(Fed::Part(Box::new(end))).await.is_ok() {
        let _ = queue.send(Fed::End).await;
    }
    Ok(())
}

/// The next page; none when the walk is done.
async fn next(state: &Arc<State>, walk: &Walk) -> Result<Option<Lines>, Error> {
    if walk.is_done() {
        return Ok(None);
    }
    let since = Instant::now();
    loop {
        let (of_trail, walk) = (state.clone(), walk.clone());
        let read = move |deadline| walk.page(&of_trail.trail, deadline);
        match state.database_readers.run(read).await {
            Err(Error::Overloaded(_) | Error::QueryTimeout(_)) if since.elapsed() < PATIENCE => {}
            page => return page.map(Some),
        }
    }
}
