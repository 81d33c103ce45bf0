use std::path::Path;

use audit_layer::record::{Hash, Line};
use audit_server::verify::{Cause, Outcome, Receipt, ReceiptResult, Verifier};

use super::{
    cause,
    fixture::{OTHER, STREAM, chain, database, rotated, write},
};

fn receipt(line: &Line, stream: &str, seq: u64) -> Receipt {
    format!("{stream}:{seq}:{}", line.hash).parse().unwrap()
}

fn verify(paths: &[&Path], receipts: &[Receipt]) -> Outcome {
    receipts.iter().cloned().fold(Verifier::new(), Verifier::receipt).verify(paths)
}

fn results(outcome: &Outcome) -> Vec<ReceiptResult> {
    outcome.receipts.iter().flat_map(|r| r.results.iter().map(|(_, result)| *result)).collect()
}

#[test]
fn receipts_that_hold_are_confirmed() {
    let directory = tempfile::tempdir().unwrap();
    let (file, db) = (directory.path().join("audit.log"), directory.path().join("audit.db"));
    let lines = chain(STREAM, 10);
    write(&file, &lines);
    database(&db, &lines);
    let held: Vec<_> = [1, 10, 4].map(|seq| receipt(&lines[seq - 1], STREAM, seq as u64)).into();
    let outcome = verify(&[&file, &db], &held);
    assert!(outcome.is_intact(), "{outcome:#?}");
    assert_eq!(results(&outcome), [ReceiptResult::Confirmed; 6]);
}

#[test]
fn a_cut_tail_is_found_with_a_receipt() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("audit.log");
    let lines = chain(STREAM, 10);
    write(&file, &lines[..7]);
    let outcome =
        verify(&[&file], &[receipt(&lines[6], STREAM, 7), receipt(&lines[9], STREAM, 10)]);
    assert_eq!(results(&outcome), [ReceiptResult::Confirmed, ReceiptResult::CutOff { last: 7 }]);
    assert!(matches!(cause(&outcome), Cause::CutOff(_, 7)));
}

#[test]
fn a_tail_cut_with_its_cursor_is_found_with_a_receipt() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("audit.db");
    let lines = chain(STREAM, 10);
    database(&path, &lines[..7]);
    let outcome = verify(&[&path], &[receipt(&lines[9], STREAM, 10)]);
    assert!(matches!(cause(&outcome), Cause::CutOff(_, 7)));
}

#[test]
fn a_trail_that_was_written_anew_is_found_with_a_receipt() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("audit.log");
    let lines = chain(STREAM, 10);
    write(&file, &lines);
    let other = Receipt { hash: Hash::of(b"another"), ..receipt(&lines[4], STREAM, 5) };
    let outcome = verify(&[&file], std::slice::from_ref(&other));
    assert_eq!(cause(&outcome), Cause::ReceiptDiffers(Box::new(other)));
    assert_eq!(results(&outcome), [ReceiptResult::Differs]);
}

#[test]
fn a_receipt_from_before_the_start_is_not_covered_and_could_not_be_checked() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("audit.log");
    let lines = chain(STREAM, 10);
    write(&file, &rotated(&lines, 6, "file"));
    let outcome = verify(&[&file], &[receipt(&lines[2], STREAM, 3), receipt(&lines[5], STREAM, 6)]);
    assert_eq!(outcome.exit_code(), 2, "{outcome:#?}");
    assert_eq!(outcome.unchecked().map(|report| report.receipt.seq).collect::<Vec<_>>(), [3]);
    assert_eq!(
        results(&outcome),
        [ReceiptResult::NotCovered { first: 6 }, ReceiptResult::Confirmed]
    );
}

#[test]
fn a_receipt_for_a_stream_that_is_nowhere_is_a_break() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("audit.log");
    write(&file, &chain(STREAM, 3));
    let absent = receipt(&chain(OTHER, 1)[0], OTHER, 1);
    assert!(matches!(
        cause(&verify(&[&file], std::slice::from_ref(&absent))),
        Cause::StreamAbsent(_)
    ));
    // An emptied file is such a case, too.
    write(&file, &[]);
    assert!(matches!(
        cause(&verify(&[&file], std::slice::from_ref(&absent))),
        Cause::StreamAbsent(_)
    ));
    // What could not be read may hold it.
    let missing = directory.path().join("missing.log");
    assert_eq!(verify(&[&file, &missing], &[absent]).exit_code(), 2);
}

#[test]
fn a_receipt_behind_a_break_is_not_checked() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("audit.log");
    let mut lines = chain(STREAM, 10);
    let held = [receipt(&lines[1], STREAM, 2), receipt(&lines[8], STREAM, 9)];
    lines.remove(4);
    write(&file, &lines);
    let outcome = verify(&[&file], &held);
    assert_eq!(cause(&outcome), Cause::Missing(5, 5));
    assert_eq!(results(&outcome), [ReceiptResult::Confirmed, ReceiptResult::NotReached]);
}

#[test]
fn a_receipt_behind_a_single_backup_is_not_checked() {
    let directory = tempfile::tempdir().unwrap();
    let (file, backup) = (directory.path().join("audit.log"), directory.path().join("audit.log.1"));
    let lines = chain(STREAM, 10);
    write(&backup, &lines[..5]);
    write(&file, &lines[5..]);
    let outcome = verify(&[&backup], &[receipt(&lines[8], STREAM, 9)]);
    assert_eq!(outcome.exit_code(), 2);
    assert_eq!(results(&outcome), [ReceiptResult::NotReached]);
}
