//! The body of an export.

use std::{
    io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Instant,
};

use hyper::body::{Body, Bytes, Frame};
use poem::http::{HeaderMap, HeaderName, HeaderValue};
use tokio::sync::mpsc;

use super::{registry::Permit, task::Fed};
use crate::{
    api::{State, caller::Caller},
    export::{Ledger, Manifest, Status},
    self_audit::Exported,
};

/// What comes behind the body, for those who ask for it.
pub(super) const TRAILERS: [&str; 5] = [
    "audit-export-records",
    "audit-export-sha256",
    "audit-export-sent-sha256",
    "audit-export-complete",
    "audit-export-cursor",
];

/// Hands over what it is fed, and keeps the ledger of it.
pub(super) struct ExportBody {
    fed: mpsc::Receiver<Fed>,
    ledger: Arc<Ledger>,
    wants_trailers: bool,
    ended: bool,
    taker: Taker,
    _permit: Permit,
}

/// Who takes the body, so that it is recorded what was taken.
pub(super) struct Taker {
    state: Arc<State>,
    caller: Caller,
    begun: Instant,
}

impl Taker {
    pub(super) fn new(state: &Arc<State>, caller: Caller) -> Self {
        Self { state: state.clone(), caller, begun: Instant::now() }
    }

    fn record(&self, ledger: &Ledger) {
        let Some(own) = &self.state.own else { return };
        let Manifest { records, bytes, complete, status, .. } = ledger.manifest();
        let complete = complete && status == Status::Complete;
        let took = self.begun.elapsed();
        let exported = Exported { records, bytes, complete, took };
        own.export(self.caller.asked.clone(), &self.caller.credential, ledger.id(), exported);
    }
}

impl ExportBody {
    pub(super) fn new(
        fed: mpsc::Receiver<Fed>,
        ledger: Arc<Ledger>,
        wants_trailers: bool,
        permit: Permit,
        taker: Taker,
    ) -> Self {
        Self { fed, ledger, wants_trailers, ended: false, taker, _permit: permit }
    }
}

impl Body for ExportBody {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        while !self.ended {
            match ready!(self.fed.poll_recv(cx)) {
                Some(Fed::Part(part)) => {
                    self.ledger.hand_over(&part);
                    if !part.bytes.is_empty() {
                        return Poll::Ready(Some(Ok(Frame::data(part.bytes.into()))));
                    }
                }
                Some(Fed::End) => {
                    self.ended = true;
                    self.ledger.end(Status::Complete);
                    if self.wants_trailers {
                        return Poll::Ready(Some(Ok(Frame::trailers(trailers(&self.ledger)))));
                    }
                }
                None => {
                    self.ended = true;
                    self.ledger.end(Status::Failed);
                    let reason = "the export broke off";
                    return Poll::Ready(Some(Err(io::Error::other(reason))));
                }
            }
        }
        Poll::Ready(None)
    }
}

impl Drop for ExportBody {
    fn drop(&mut self) {
        self.ledger.end(Status::Cancelled);
        self.taker.record(&self.ledger);
    }
}

fn trailers(ledger: &Ledger) -> HeaderMap {
    let manifest = ledger.manifest();
    let values = [
        manifest.records.to_string(),
        manifest.sha256,
        manifest.sent_sha256,
        manifest.complete.to_string(),
        manifest.cursor,
    ];
    let fields = TRAILERS.into_iter().zip(values).filter_map(|(name, value)| {
        Some((HeaderName::from_static(name), HeaderValue::try_from(value).ok()?))
    });
    fields.collect()
}
