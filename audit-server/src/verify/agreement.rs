//! Whether paths that hold the same stream hold the same records.
//!
//! Each chain is sound up to its head by now, and a head's hash covers all that is before it. So
//! for two paths it is enough to compare one hash: that of the shorter's head, where both reach.

use std::{collections::BTreeMap, path::Path};

use audit_layer::record::StreamName;

use super::{
    Break, Cause, PathKind, PathReport, Receipt, ReceiptResult, StreamReport, database, file,
};

/// A head of one path that another has to hold as well.
struct Question {
    head: Receipt,
    /// Which path asks.
    asker: usize,
}

/// Compares the paths and returns where they disagree. What can't be compared any more is noticed
/// in the report of the path that was to be asked.
pub(super) fn compare(reports: &mut [PathReport]) -> Vec<Break> {
    let mut holders: BTreeMap<&StreamName, Vec<(usize, &StreamReport)>> = BTreeMap::new();
    for (at, report) in reports.iter().enumerate() {
        for stream in report.streams.iter().filter(|stream| stream.records > 0) {
            holders.entry(&stream.stream).or_default().push((at, stream));
        }
    }
    let mut breaks = Vec::new();
    let mut questions: BTreeMap<usize, Vec<Question>> = BTreeMap::new();
    for held in holders.values() {
        for (at, one) in held.iter().enumerate() {
            for other in held.iter().skip(at + 1) {
                let (short, long) =
                    if one.1.last.seq <= other.1.last.seq { (one, other) } else { (other, one) };
                let Some(head) = short.1.receipt() else { continue };
                let seq = head.seq;
                let known = if seq == long.1.last.seq {
                    Some(long.1.last.hash)
                } else if seq + 1 == long.1.first {
                    long.1.before
                } else {
                    None
                };
                match known {
                    Some(hash) if hash == head.hash => {}
                    Some(_) => breaks.extend(disagreement(reports, &head, short.0, long.0)),
                    None if seq < long.1.first => {}
                    None => {
                        questions
                            .entry(long.0)
                            .or_default()
                            .push(Question { head, asker: short.0 });
                    }
                }
            }
        }
    }
    for (asked, questions) in questions {
        let Some(report) = reports.get(asked) else { continue };
        match answer(&report.path, report.kind, &questions) {
            Ok(agree) => {
                for (question, _) in questions.iter().zip(agree).filter(|(_, agrees)| !agrees) {
                    let (head, asker) = (&question.head, question.asker);
                    breaks.extend(disagreement(reports, head, asker, asked));
                }
            }
            Err(why) => {
                if let Some(report) = reports.get_mut(asked) {
                    report.notices.push(format!("could not be compared with the others: {why}"));
                }
            }
        }
    }
    breaks
}

fn disagreement(
    reports: &[PathReport],
    head: &Receipt,
    short: usize,
    long: usize,
) -> Option<Break> {
    Some(Break {
        path: reports.get(short)?.path.clone(),
        stream: Some(head.stream.clone()),
        seq: Some(head.seq),
        place: None,
        cause: Cause::Disagrees(reports.get(long)?.path.clone()),
    })
}

/// Whether the path holds each of the heads. An error says why that can't be told.
///
/// A database is asked by its index first. Where that leads nowhere, the path is read once more: an
/// index is derived, and may be made to hide what the table holds.
fn answer(path: &Path, kind: PathKind, questions: &[Question]) -> Result<Vec<bool>, String> {
    const GONE: &str = "records that were there are gone";
    let mut answers = vec![None; questions.len()];
    if kind == PathKind::Database {
        let wanted: Vec<_> =
            questions.iter().map(|q| (q.head.stream.to_string(), q.head.seq)).collect();
        let hashes = database::hashes_at(path, &wanted).map_err(|error| error.to_string())?;
        answers = hashes
            .iter()
            .zip(questions)
            .map(|(hash, question)| hash.map(|hash| hash == question.head.hash))
            .collect();
    }
    if let Some(answers) = answers.iter().copied().collect() {
        return Ok(answers);
    }
    let heads: Vec<_> = questions.iter().map(|question| question.head.clone()).collect();
    let again = match kind {
        PathKind::Database => database::verify(path, &heads, false),
        _ => file::verify(path, &heads),
    };
    questions
        .iter()
        .map(|question| match again.receipts.iter().find(|(head, _)| *head == question.head) {
            Some((_, ReceiptResult::Confirmed)) => Ok(true),
            Some((_, ReceiptResult::Differs)) => Ok(false),
            _ => Err(GONE.to_owned()),
        })
        .collect()
}
