//! What the fmt layer prints, with and without an audit layer beside it.

use std::path::Path;

use audit_layer::AuditGuard;
use tracing::{Subscriber, field::Empty, level_filters::LevelFilter};
use tracing_subscriber::{
    EnvFilter, Layer, fmt, fmt::format::FmtSpan, prelude::*, registry::LookupSpan,
};

/// `how` is the audit layer (`none`, `before` or `after` the fmt layer) and the filter (`plain`,
/// `own-level`, `own-env`, `global-level` or `global-env`), with a `+` between.
pub(crate) fn run(directory: &Path, how: &str) {
    let (audit, filter) = how.split_once('+').unwrap();
    let guard = install(directory, audit, filter);
    if let Some(guard) = &guard {
        guard.flush(crate::PATIENCE).unwrap();
    }
    emit();
    if let Some(guard) = guard {
        crate::end(guard);
    }
    eprintln!("level {}", LevelFilter::current());
}

/// The layers have the types that they have in an application, no box around: which of them has a
/// filter of its own decides how the others are asked.
fn install(directory: &Path, audit: &str, filter: &str) -> Option<AuditGuard> {
    let env = || EnvFilter::new("warn,app=debug,audit::a=info,[request{tenant}]=trace");
    macro_rules! install {
        ($fmt:expr $(, $global:expr)?) => {
            match audit {
                "none" => {
                    tracing_subscriber::registry().with($fmt)$(.with($global))?.init();
                    None
                }
                "before" => {
                    let (audit, guard) = crate::builder(directory).build().unwrap();
                    tracing_subscriber::registry().with(audit).with($fmt)$(.with($global))?.init();
                    Some(guard)
                }
                "after" => {
                    let (audit, guard) = crate::builder(directory).build().unwrap();
                    tracing_subscriber::registry().with($fmt).with(audit)$(.with($global))?.init();
                    Some(guard)
                }
                other => panic!("no place {other:?}"),
            }
        };
    }
    match filter {
        "plain" => install!(fmt_layer()),
        "own-level" => install!(fmt_layer().with_filter(LevelFilter::WARN)),
        "own-env" => install!(fmt_layer().with_filter(env())),
        "global-level" => install!(fmt_layer(), LevelFilter::INFO),
        "global-env" => install!(fmt_layer(), env()),
        other => panic!("no filter {other:?}"),
    }
}

fn fmt_layer<S>() -> impl Layer<S> + Send + Sync + 'static
where
    S: Subscriber + for<'span> LookupSpan<'span>,
{
    fmt::layer().without_time().with_ansi(false).with_span_events(FmtSpan::FULL)
}

fn emit() {
    // Twice, since the first time registers the callsites and the second finds them in the cache.
    for _ in 0..2 {
        tracing::trace!("trace");
        tracing::debug!(target: "app", "debug of app");
        tracing::info!(target: "app::part", user_id = "u-1", "info of app");
        tracing::warn!("warn");
        tracing::error!(target: "auditor", "error of auditor");
        tracing::info!(target: "audit", event_type = "auth.login", user_id = "u-1", n = 1, "audit");
        tracing::debug!(target: "audit", "audit debug");
        tracing::warn!(target: "audit::a", list = audit_layer::val(&vec![1, 2]), "audit part");
        let request = tracing::info_span!("request", user_id = Empty, tenant = 7, path = "/");
        let _request = request.enter();
        request.record("user_id", "u-2");
        tracing::debug!("debug in a request");
        tracing::info!(target: "audit", debug = ?Some(1), "audit in a request");
        let plain = tracing::debug_span!(target: "app", "plain", n = 1);
        plain.in_scope(|| tracing::info!(target: "app", "in plain"));
        let audit = tracing::info_span!(target: "audit", "work", rows = Empty);
        audit.in_scope(|| {
            audit.record("rows", 2);
            tracing::trace!(target: "app", "trace in work");
            tracing::error!(target: "audit", "audit error in work");
        });
        let trace = tracing::trace_span!("fine", user_id = "u-3");
        trace.in_scope(|| tracing::warn!("in fine"));
    }
}
