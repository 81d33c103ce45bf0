//! Commits and the receipts that they give.

use std::time::Duration;

use audit_layer::{
    AuditGuard, AuditLayer, Builder, Durable, Error, Overflow, record::checked_hash,
};
use tests::{
    programs::audit_server,
    trail_files::{lines, parse},
};
use tracing_subscriber::prelude::*;

const LONG: Duration = Duration::from_secs(60);

/// Runs `work` with a layer whose sinks are in a directory of their own.
fn with_layer(
    change: impl FnOnce(Builder) -> Builder,
    work: impl FnOnce(&AuditGuard),
) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    let builder = AuditLayer::builder()
        .service("payments")
        .file(dir.path().join("audit.log"))
        .sqlite(dir.path().join("audit.db"));
    let (layer, audit) = change(builder).build().unwrap();
    tracing::subscriber::with_default(tracing_subscriber::registry().with(layer), || work(&audit));
    audit.shutdown(LONG).unwrap();
    dir
}

fn durable(audit: &AuditGuard) -> u64 {
    audit.stats().journal.unwrap().durable_seq
}

#[test]
fn a_receipt_finds_a_tail_that_was_cut() {
    let mut receipts = Vec::new();
    let dir = with_layer(
        |builder| builder,
        |audit| {
            for number in 0..20 {
                tracing::info!(target: "audit", event_type = "data.read", number, "read");
                if number % 5 == 0 {
                    let receipt = audit.commit(LONG).unwrap();
                    assert!(durable(audit) >= receipt.seq);
                    receipts.push((receipt.seq, receipt.line().unwrap(), receipt.hash().unwrap()));
                }
            }
        },
    );
    let log = dir.path().join("audit.log");
    let all = lines(&log);
    for (seq, _, hash) in &receipts {
        // The first record has the number 1.
        assert_eq!(checked_hash(all[*seq as usize - 1].as_bytes()).unwrap(), *hash);
    }
    let verify = |receipt: &str| {
        let command = audit_server().arg("verify").arg(&log).args(["--receipt", receipt]).output();
        command.unwrap().status.code()
    };
    let (seq, receipt, _) = receipts.last().unwrap();
    assert_eq!(verify(receipt), Some(0));
    let cut: String = all[..*seq as usize - 1].iter().map(|line| format!("{line}\n")).collect();
    std::fs::write(&log, cut).unwrap();
    assert_eq!(verify(receipt), Some(1));
}

#[test]
fn a_commit_covers_what_every_thread_had_accepted_before_it() {
    with_layer(
        |builder| builder,
        |audit| {
            let dispatch = tracing::dispatcher::get_default(Clone::clone);
            std::thread::scope(|scope| {
                for _ in 0..8 {
                    let dispatch = dispatch.clone();
                    scope.spawn(move || {
                        tracing::dispatcher::with_default(&dispatch, || {
                            for number in 0..30 {
                                tracing::info!(target: "audit", event_type = "data.read", number);
                                let before = audit.stats().accepted;
                                let receipt = audit.commit(LONG).unwrap();
                                assert!(receipt.seq >= before, "{receipt:?} {before}");
                                assert!(durable(audit) >= receipt.seq);
                            }
                        });
                    });
                }
            });
        },
    );
}

#[test]
fn a_commit_can_be_awaited() {
    with_layer(
        |builder| builder,
        |audit| {
            let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
            runtime.block_on(async {
                for number in 0..10 {
                    tracing::info!(target: "audit", event_type = "data.read", number, "read");
                    let receipt = audit.commit_async().await.unwrap();
                    assert!(durable(audit) >= receipt.seq);
                    receipt.hash().unwrap();
                }
            });
        },
    );
}

#[test]
fn a_commit_says_once_that_events_were_dropped() {
    with_layer(
        |builder| builder.journal_max_mb(2).overflow(Overflow::Drop),
        |audit| {
            audit.commit(LONG).unwrap();
            let document = "x".repeat(16_000);
            for number in 0..2000 {
                tracing::info!(target: "audit", event_type = "data.read", number, document);
            }
            let dropped: u64 = audit.stats().dropped.values().sum();
            assert!(dropped > 0, "2 MiB held 32 MB");
            match audit.commit(LONG) {
                Err(Error::Dropped { count }) => assert_eq!(count, dropped),
                other => panic!("{other:?}"),
            }
            audit.commit(LONG).unwrap();
        },
    );
}

#[test]
fn without_a_journal_there_is_nothing_to_commit_to() {
    with_layer(Builder::without_journal, |audit| {
        assert!(matches!(audit.commit(LONG), Err(Error::NoJournal)));
        assert!(audit.stats().journal.is_none());
    });
}

#[test]
fn durable_categories_and_severities_are_durable_when_the_macro_returns() {
    let emit_others = || {
        tracing::info!(target: "audit", event_type = "data.read", "read");
        tracing::error!(target: "audit", event_type = "api.request", "failed");
    };
    let dir = with_layer(
        |builder| builder,
        |audit| {
            emit_others();
            let before = durable(audit);
            tracing::info!(target: "audit", event_type = "financial.transfer", amount = "1.00");
            assert!(durable(audit) >= before + 2, "and so is what came before");
            emit_others();
            let before = durable(audit);
            tracing::warn!(target: "audit", event_type = "transaction", "a plain name");
            assert!(durable(audit) > before);
            let before = durable(audit);
            tracing::info!(target: "audit", event_type = "data.read", severity = "Critical");
            assert!(durable(audit) > before);
            let before = durable(audit);
            emit_others();
            assert_eq!(durable(audit), before);
            drop(tracing::info_span!(target: "audit", "a transfer", event_type = "financial.x"));
            assert!(durable(audit) > before);
        },
    );
    assert_eq!(parse(&lines(dir.path().join("audit.log"))).len(), 12);
    with_layer(
        |builder| builder.durable(Durable::parse("error,api").unwrap()),
        |audit| {
            let before = durable(audit);
            tracing::info!(target: "audit", event_type = "financial.transfer", amount = "1.00");
            assert_eq!(durable(audit), before);
            tracing::error!(target: "audit", event_type = "data.read", "an error by its level");
            assert!(durable(audit) > before);
        },
    );
    assert!(Durable::parse("fin ancial").is_err());
    assert!(Durable::parse("mifid2,own_1").is_ok());
    let error = Durable::parse("trade.executed").unwrap_err().to_string();
    assert!(error.contains("before the first dot"), "{error}");
}
