//! From what is kept to the verdict on a period.

use std::collections::HashMap;

use audit_layer::record::format_timestamp;
use rusqlite::{Connection, params};

use super::{
    ChainState, CheckedStream, Fault, Gap, LateStart, Verdict,
    fault::{Found, Seen, meets},
    pieces::Piece,
    tables,
};
use crate::filter::TimeRange;

/// The most items of each list.
pub(super) const MAX_LISTED: usize = 100;

/// What is known of the chain in that time. Reads several tables, so the connection must be in a
/// transaction for them to agree. Takes time by the number of pieces and faults, not of records.
///
/// # Errors
/// When SQLite fails, or the tables hold what was never written.
pub(crate) fn verdict(connection: &Connection, range: TimeRange) -> rusqlite::Result<Verdict> {
    let reached = tables::reached(connection)?;
    let mut verdict = Verdict {
        chain: ChainState::Intact,
        checked_to: reached.arrival,
        checked: reached.records,
        streams: Vec::new(),
        stream_count: 0,
        gaps: Vec::new(),
        gap_count: 0,
        late_starts: Vec::new(),
        late_start_count: 0,
        faults: Vec::new(),
        fault_count: 0,
        faults_elsewhere: 0,
        faults_beyond: reached.beyond.count,
        unfollowed: reached.unfollowed.count,
    };
    let by_stream = faults(connection, range, &mut verdict)?;
    verdict.faults_elsewhere = (reached.faults as u64).saturating_sub(verdict.fault_count);
    streams(connection, range, &by_stream, &mut verdict)?;
    let known = verdict.fault_count > 0 || verdict.gap_count > 0;
    if known || reached.beyond.is_in(range) {
        verdict.chain = ChainState::Broken;
    } else if reached.beyond.may_be_in(range) || reached.unfollowed.may_be_in(range) {
        verdict.chain = ChainState::Unknown;
    }
    Ok(verdict)
}

/// Lists the faults of that time, and counts them by stream.
fn faults(
    connection: &Connection,
    range: TimeRange,
    verdict: &mut Verdict,
) -> rusqlite::Result<HashMap<Box<str>, u64>> {
    let mut by_stream = HashMap::new();
    let mut statement = connection.prepare_cached(
        "SELECT kind, arrival, at, after, stream, seq FROM proof_faults
         WHERE at BETWEEN ?1 AND ?2 OR after BETWEEN ?1 AND ?2 ORDER BY arrival, number",
    )?;
    let mut rows = statement.query(params![range.from, range.to])?;
    while let Some(row) = rows.next()? {
        let Found { kind, seen: Seen { arrival, at, after }, stream, seq } = tables::found(row)?;
        if verdict.faults.len() < MAX_LISTED {
            verdict.faults.push(Fault {
                kind,
                stream: stream.as_deref().map(str::to_owned),
                seq,
                arrival,
                timestamp: format_timestamp(at),
                after: after.map(format_timestamp),
            });
        }
        verdict.fault_count += 1;
        if let Some(stream) = stream {
            *by_stream.entry(stream).or_default() += 1;
        }
    }
    Ok(by_stream)
}

/// Lists the streams that reach into that time, and what is missing of them.
fn streams(
    connection: &Connection,
    range: TimeRange,
    faults: &HashMap<Box<str>, u64>,
    verdict: &mut Verdict,
) -> rusqlite::Result<()> {
    let mut statement = connection.prepare_cached(
        "SELECT first, last, before, hash, first_at, first_arrival, last_at, earliest, latest, name
         FROM proof_pieces JOIN proof_streams ON id = stream ORDER BY name, first",
    )?;
    let mut rows = statement.query([])?;
    let mut all = Vec::new();
    let mut walked: Option<Walked> = None;
    while let Some(row) = rows.next()? {
        let (piece, name) = (tables::piece(row)?, row.get_ref(9)?.as_str()?);
        match &mut walked {
            Some(walked) if walked.told.stream == name => walked.go_on(&piece, range, verdict),
            _ => {
                let begun = Walked::begin(name, piece, range, verdict);
                all.extend(walked.replace(begun));
            }
        }
    }
    all.extend(walked);
    let mut reaching: Vec<CheckedStream> = all
        .into_iter()
        .filter_map(|Walked { mut told, whole }| {
            told.faults = faults.get(told.stream.as_str()).copied().unwrap_or_default();
            let reaches = meets(range, whole.earliest, whole.latest) || told.faults > 0;
            reaches.then_some(told)
        })
        .collect();
    verdict.stream_count = reaching.len() as u64;
    // Stable: by name where the same is wrong.
    reaching.sort_by_key(|told| std::cmp::Reverse(told.faults + told.gaps));
    reaching.truncate(MAX_LISTED);
    verdict.streams = reaching;
    Ok(())
}

/// A stream whose pieces are walked.
struct Walked {
    told: CheckedStream,
    /// From its first piece to the last that was met, as if nothing were missing.
    whole: Piece,
}

impl Walked {
    fn begin(name: &str, piece: Piece, range: TimeRange, verdict: &mut Verdict) -> Self {
        if piece.first > 1 && range.from <= piece.first_at {
            verdict.late_start_count += 1;
            if verdict.late_starts.len() < MAX_LISTED {
                verdict.late_starts.push(LateStart {
                    stream: name.to_owned(),
                    starts_at: piece.first,
                    at: format_timestamp(piece.first_at),
                });
            }
        }
        let told = CheckedStream {
            stream: name.to_owned(),
            first_seq: piece.first,
            last_seq: piece.last,
            records: piece.len(),
            gaps: 0,
            faults: 0,
        };
        Self { told, whole: piece }
    }

    fn go_on(&mut self, piece: &Piece, range: TimeRange, verdict: &mut Verdict) {
        let (from, to) = (self.whole.last_at, piece.first_at);
        if self.whole.next() < piece.first && meets(range, from.min(to), from.max(to)) {
            self.told.gaps += 1;
            verdict.gap_count += 1;
            if verdict.gaps.len() < MAX_LISTED {
                verdict.gaps.push(Gap {
                    stream: self.told.stream.clone(),
                    first_seq: self.whole.next(),
                    last_seq: piece.first - 1,
                    from: format_timestamp(from),
                    to: format_timestamp(to),
                    arrival: piece.first_arrival,
                });
            }
        }
        self.told.last_seq = piece.last;
        self.told.records += piece.len();
        self.whole.extend(piece);
    }
}
