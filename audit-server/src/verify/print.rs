//! A verification for people, and for programs.

use std::io::{self, Write};

use serde_json::{Value, json};

use super::{
    Break, Outcome, PathKind, PathReport, Place, Receipt, ReceiptReport, ReceiptResult, Start,
    StreamReport, finding::Shown,
};

/// A short table a path, what became of the receipts, and the verdict.
pub(super) fn table(outcome: &Outcome, out: &mut dyn Write) -> io::Result<()> {
    for report in &outcome.paths {
        path(report, out)?;
    }
    for report in &outcome.receipts {
        receipt(report, out)?;
    }
    for found in outcome.breaks() {
        writeln!(out, "BROKEN: {found}")?;
    }
    for (report, why) in outcome.unreadable() {
        writeln!(out, "COULD NOT READ: {}: {why}", Shown(&report.path))?;
    }
    for report in outcome.unchecked() {
        let Receipt { stream, seq, .. } = &report.receipt;
        writeln!(
            out,
            "COULD NOT CHECK: receipt {stream}:{seq}: it needs a path that holds seq {seq}"
        )?;
    }
    if outcome.is_intact() { writeln!(out, "intact") } else { Ok(()) }
}

fn path(report: &PathReport, out: &mut dyn Write) -> io::Result<()> {
    let kind = match report.kind {
        PathKind::Unknown => return Ok(()),
        PathKind::Database => "database".to_owned(),
        PathKind::Backup => "one backup".to_owned(),
        PathKind::File if report.files.len() == 1 => "file".to_owned(),
        PathKind::File => format!("{} files", report.files.len()),
    };
    let (records, streams) = (report.records(), report.streams.len());
    let indexes = if report.kind == PathKind::Database && !report.indexes {
        "; indexes not checked, --indexes does"
    } else {
        ""
    };
    let path = Shown(&report.path);
    writeln!(out, "{path}: {kind}, {records} records, {streams} streams{indexes}")?;
    let width = report.streams.iter().map(|s| s.stream.as_str().len()).max().unwrap_or(0).max(6);
    if streams > 0 {
        writeln!(out, "  {:width$}  {:>12}  {:>12}  {:>12}", "stream", "records", "first", "last")?;
    }
    for stream in &report.streams {
        let StreamReport { records, first, last, start, .. } = stream;
        let name = stream.stream.as_str();
        writeln!(out, "  {name:width$}  {records:>12}  {first:>12}  {:>12}", last.seq)?;
        if stream.broken {
            writeln!(out, "    broken; only what is before the first break is counted")?;
        }
        let why = match start {
            Start::Whole => None,
            Start::RotatedAway => Some("earlier rotated away"),
            Start::Removed => Some("earlier removed"),
            Start::BeganLater => Some("this sink began later"),
            Start::Unexplained if report.kind == PathKind::Backup => {
                Some("unexplained: one backup can't tell why")
            }
            Start::Unexplained => Some("unexplained: nothing that was read tells why"),
        };
        if let Some(why) = why {
            writeln!(out, "    starts at seq {first}, {why}")?;
        }
        if let Some(receipt) = stream.receipt() {
            writeln!(out, "    receipt to keep: {receipt}")?;
        }
    }
    for notice in &report.notices {
        writeln!(out, "  note: {notice}")?;
    }
    writeln!(out)
}

fn receipt(report: &ReceiptReport, out: &mut dyn Write) -> io::Result<()> {
    let stated = &report.receipt;
    if report.results.is_empty() {
        writeln!(
            out,
            "receipt {}:{}: no path that was read holds the stream",
            stated.stream, stated.seq
        )?;
    }
    for (path, result) in &report.results {
        write!(out, "receipt {}:{}: {}: ", stated.stream, stated.seq, Shown(path))?;
        match result {
            ReceiptResult::Confirmed => writeln!(out, "confirmed"),
            ReceiptResult::NotCovered { first } => {
                writeln!(out, "not covered, the stream starts at seq {first} here")
            }
            ReceiptResult::NotReached => {
                writeln!(out, "not checked, the stream could not be followed so far here")
            }
            ReceiptResult::Differs => writeln!(out, "BROKEN, another hash"),
            ReceiptResult::CutOff { last } => {
                writeln!(out, "BROKEN, the stream ends at seq {last}")
            }
        }?;
    }
    Ok(())
}

/// One JSON object on one line.
pub(super) fn json(outcome: &Outcome, out: &mut dyn Write) -> io::Result<()> {
    let verdict = match outcome.exit_code() {
        0 => "intact",
        1 => "broken",
        _ => "unreadable",
    };
    let value = json!({
        "outcome": verdict,
        "exit_code": outcome.exit_code(),
        "breaks": outcome.breaks().map(break_value).collect::<Vec<_>>(),
        "paths": outcome.paths.iter().map(path_value).collect::<Vec<_>>(),
        "receipts": outcome.receipts.iter().map(receipt_value).collect::<Vec<_>>(),
    });
    serde_json::to_writer(&mut *out, &value)?;
    writeln!(out)
}

fn break_value(found: &Break) -> Value {
    let (file, line, arrival) = match &found.place {
        Some(Place::Line { file, line }) => (Some(file.to_string_lossy()), Some(line), None),
        Some(Place::Row { arrival }) => (None, None, Some(arrival)),
        None => (None, None, None),
    };
    json!({
        "path": found.path.to_string_lossy(),
        "stream": found.stream.as_ref().map(|stream| stream.as_str()),
        "seq": found.seq,
        "file": file,
        "line": line,
        "arrival": arrival,
        "cause": found.cause.to_string(),
    })
}

fn path_value(report: &PathReport) -> Value {
    let kind = match report.kind {
        PathKind::File => Some("file"),
        PathKind::Backup => Some("backup"),
        PathKind::Database => Some("database"),
        PathKind::Unknown => None,
    };
    let streams = report.streams.iter().map(|stream| {
        let receipt = stream.receipt();
        json!({
            "stream": stream.stream.as_str(),
            "records": stream.records,
            "first_seq": receipt.as_ref().map(|_| stream.first),
            "last_seq": receipt.as_ref().map(|_| stream.last.seq),
            "head_hash": receipt.as_ref().map(|_| stream.last.hash.to_string()),
            "receipt": receipt.as_ref().map(ToString::to_string),
            "starts_late": stream.first > 1,
            "start": start_word(stream.start),
            "broken": stream.broken,
        })
    });
    json!({
        "path": report.path.to_string_lossy(),
        "kind": kind,
        "files": report.files.iter().map(|file| file.to_string_lossy()).collect::<Vec<_>>(),
        "records": report.records(),
        "streams": streams.collect::<Vec<_>>(),
        "indexes_checked": report.indexes,
        "notices": report.notices,
        "unreadable": report.unreadable.as_ref().map(ToString::to_string),
    })
}

fn start_word(start: Start) -> &'static str {
    match start {
        Start::Whole => "whole",
        Start::RotatedAway => "rotated_away",
        Start::Removed => "removed",
        Start::BeganLater => "began_later",
        Start::Unexplained => "unexplained",
    }
}

fn receipt_value(report: &ReceiptReport) -> Value {
    let results = report.results.iter().map(|(path, result)| {
        let word = match result {
            ReceiptResult::Confirmed => "confirmed",
            ReceiptResult::NotCovered { .. } => "not_covered",
            ReceiptResult::NotReached => "not_reached",
            ReceiptResult::Differs => "differs",
            ReceiptResult::CutOff { .. } => "cut_off",
        };
        json!({ "path": path.to_string_lossy(), "result": word })
    });
    json!({
        "receipt": report.receipt.to_string(),
        "checked": report.is_checked(),
        "results": results.collect::<Vec<_>>(),
    })
}
