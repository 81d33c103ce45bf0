//! The verdict once more, computed from the whole list of records with nothing kept; and the claim
//! that it is the same.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;

use audit_layer::record::{Hash, Line, Record, checked_hash, format_timestamp};
use proptest::{prelude::*, sample::Index};
use serde_json::Value;

use super::{
    ChainState, CheckedStream, Fault, FaultKind, Gap, LateStart, Proof, Verdict,
    tests::{database, of_later_version, sealed, take},
    verdict,
};
use crate::filter::TimeRange;

const STREAMS: [&str; 3] = ["payments@web-1~k3x9q2", "payments@web-2~aaaaaa", "audit@h~zzzzzz"];

/// A row of the trail.
#[derive(Debug, Clone)]
struct Row {
    arrival: i64,
    at: i64,
    line: String,
}

struct Placed {
    before: String,
    hash: String,
    at: i64,
    arrival: i64,
}

/// What a record says of its place, when it is one.
fn place(line: &str) -> Option<(String, u64, String, String)> {
    let value: Value = serde_json::from_str(line).ok()?;
    let is_record = Record::parse(line).is_ok();
    let later = value["v"].as_u64()? > 1 && checked_hash(line.as_bytes()).is_some();
    if !is_record && !later || !line.ends_with(&format!("\"{}\"}}", value["hash"].as_str()?)) {
        return None;
    }
    let text = |name: &str| value[name].as_str().map(str::to_owned);
    Some((text("stream")?, value["seq"].as_u64()?, text("prev_hash")?, text("hash")?))
}

type Sorted = (FaultKind, Option<String>, Option<u64>, i64, i64, Option<i64>);

fn naive(rows: &[Row], range: TimeRange) -> Verdict {
    let zero = "0".repeat(64);
    let mut placed: BTreeMap<(String, u64), Placed> = BTreeMap::new();
    let mut all: Vec<Sorted> = Vec::new();
    let mut sound_at = None;
    for Row { arrival, at, line } in rows {
        let (arrival, at) = (*arrival, *at);
        let Some((stream, seq, before, hash)) = place(line) else {
            all.push((FaultKind::NotARecord, None, None, arrival, at, sound_at));
            continue;
        };
        let sound = checked_hash(line.as_bytes()).is_some();
        let key = (stream.clone(), seq);
        for (kind, is) in [
            (FaultKind::Changed, !sound),
            (FaultKind::FalseStart, seq == 1 && before != zero),
            (FaultKind::Unlinked, seq > 1 && before == zero),
            (FaultKind::Repeated, placed.contains_key(&key)),
        ] {
            if is {
                all.push((kind, Some(stream.clone()), Some(seq), arrival, at, sound_at));
            }
        }
        sound_at = if sound { Some(at) } else { sound_at };
        placed.entry(key).or_insert(Placed { before, hash, at, arrival });
    }
    let mut gaps = Vec::new();
    let mut late_starts = Vec::new();
    let mut streams: Vec<(CheckedStream, i64, i64)> = Vec::new();
    let mut last: Option<(&String, u64, &Placed)> = None;
    for ((stream, seq), here) in &placed {
        let before = last.filter(|(name, ..)| *name == stream);
        last = Some((stream, *seq, here));
        let Some((_, last_seq, there)) = before else {
            if *seq > 1 && range.from <= here.at {
                let at = format_timestamp(here.at);
                late_starts.push(LateStart { stream: stream.clone(), starts_at: *seq, at });
            }
            let told = CheckedStream {
                stream: stream.clone(),
                first_seq: *seq,
                last_seq: *seq,
                records: 1,
                gaps: 0,
                faults: 0,
            };
            streams.push((told, here.at, here.at));
            continue;
        };
        let (told, earliest, latest) = streams.last_mut().unwrap();
        (told.last_seq, told.records) = (*seq, told.records + 1);
        (*earliest, *latest) = (here.at.min(*earliest), here.at.max(*latest));
        if last_seq + 1 < *seq {
            let (from, to) = (there.at.min(here.at), there.at.max(here.at));
            if from <= range.to && to >= range.from {
                told.gaps += 1;
                gaps.push(Gap {
                    stream: stream.clone(),
                    first_seq: last_seq + 1,
                    last_seq: seq - 1,
                    from: format_timestamp(there.at),
                    to: format_timestamp(here.at),
                    arrival: here.arrival,
                });
            }
        } else if here.before != there.hash && here.before != zero {
            let (stream, seq) = (Some(stream.clone()), Some(*seq));
            all.push((FaultKind::Unlinked, stream, seq, here.arrival, here.at, Some(there.at)));
        }
    }
    let belongs = |fault: &Sorted| {
        range.contains(fault.4) || fault.5.is_some_and(|after| range.contains(after))
    };
    let faults: Vec<_> = all.iter().filter(|fault| belongs(fault)).cloned().collect();
    for (told, ..) in &mut streams {
        let of_it = faults.iter().filter(|fault| fault.1.as_ref() == Some(&told.stream));
        told.faults = of_it.count() as u64;
    }
    streams.retain(|(told, from, to)| told.faults > 0 || *from <= range.to && *to >= range.from);
    let mut streams: Vec<_> = streams.into_iter().map(|(told, ..)| told).collect();
    streams.sort_by_key(|told| std::cmp::Reverse(told.faults + told.gaps));
    let whole = faults.is_empty() && gaps.is_empty();
    sorted(Verdict {
        chain: if whole { ChainState::Intact } else { ChainState::Broken },
        checked_to: rows.last().map_or(0, |row| row.arrival),
        checked: rows.len() as u64,
        stream_count: streams.len() as u64,
        streams,
        gap_count: gaps.len() as u64,
        gaps,
        late_start_count: late_starts.len() as u64,
        late_starts,
        fault_count: faults.len() as u64,
        faults_elsewhere: (all.len() - faults.len()) as u64,
        faults: faults
            .into_iter()
            .map(|(kind, stream, seq, arrival, at, after)| Fault {
                kind,
                stream,
                seq,
                arrival,
                timestamp: format_timestamp(at),
                after: after.map(format_timestamp),
            })
            .collect(),
        faults_beyond: 0,
        unfollowed: 0,
    })
}

/// Faults of one record are in no order.
fn sorted(mut verdict: Verdict) -> Verdict {
    verdict.faults.sort_by_key(|fault| (fault.arrival, fault.kind));
    verdict
}

/// What befalls a trail.
#[derive(Debug, Clone, Copy)]
enum Harm {
    Change,
    Mangle,
    Drop,
    Swap,
    Repeat,
    Late,
    SealAnew,
    NoPredecessor,
    Renumber,
    CutHash,
    ClaimZero,
    LaterVersion,
    MoveTime,
}

const HARMS: [Harm; 13] = [
    Harm::Change,
    Harm::Mangle,
    Harm::Drop,
    Harm::Swap,
    Harm::Repeat,
    Harm::Late,
    Harm::SealAnew,
    Harm::NoPredecessor,
    Harm::Renumber,
    Harm::CutHash,
    Harm::ClaimZero,
    Harm::LaterVersion,
    Harm::MoveTime,
];

impl Harm {
    fn befall(self, trail: &mut Vec<(i64, String)>, at: Index, other: Index) {
        if trail.is_empty() {
            return;
        }
        let (at, other) = (at.index(trail.len()), other.index(trail.len()));
        let (time, line) = trail[at].clone();
        let place = place(&line);
        let number = place.as_ref().map_or(0, |place| place.1);
        let mut set = |line: String| trail[at].1 = line;
        match self {
            Self::Change => set(line.replace("\"audit\"", "\"audits\"")),
            Self::Mangle => set(line.replacen('{', "", 1)),
            Self::Drop => drop(trail.remove(at)),
            Self::Swap => trail.swap(at, other),
            Self::Repeat => trail.insert(other, (time, line)),
            Self::Late => {
                let row = trail.remove(at);
                trail.push(row);
            }
            Self::SealAnew | Self::NoPredecessor | Self::LaterVersion => {
                let Some((stream, seq, before, _)) = place else { return };
                let before = before.parse().unwrap();
                set(match self {
                    Self::SealAnew => sealed(&stream, seq, before, -1),
                    Self::NoPredecessor => sealed(&stream, seq, Hash::ZERO, -1),
                    _ => of_later_version(&stream, seq, before),
                }
                .text
                .into());
            }
            Self::Renumber => {
                let to = format!("\"seq\":{}", 1 + other % 20);
                set(line.replace(&format!("\"seq\":{number}"), &to));
            }
            Self::CutHash => set(line.replace(",\"hash\":", ",\"mash\":")),
            Self::ClaimZero => {
                let kept = line.len().saturating_sub(66);
                let cut = line.get(..kept).unwrap_or_default();
                set(format!("{cut}{}\"}}", "0".repeat(64)));
            }
            Self::MoveTime => trail[at].0 = trail[other].0 + 3,
        }
    }
}

/// A whole trail of several streams, some of whose records are of a later version; times mostly grow.
fn whole(order: &[u8]) -> Vec<(i64, String)> {
    let mut heads = [(0, Hash::ZERO); STREAMS.len()];
    let mut trail = Vec::new();
    for (place, byte) in order.iter().enumerate() {
        let which = usize::from(*byte) % STREAMS.len();
        let (seq, before) = heads[which];
        let at = place as i64 * 10 - i64::from(byte / 16);
        let Line { text, hash } = if byte % 11 == 0 {
            of_later_version(STREAMS[which], seq + 1, before)
        } else {
            sealed(STREAMS[which], seq + 1, before, at)
        };
        heads[which] = (seq + 1, hash);
        trail.push((at, text.into()));
    }
    trail
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]
    #[test]
    fn what_is_kept_says_the_same_as_the_whole_trail(
        order in prop::collection::vec(any::<u8>(), 0..40),
        harms in prop::collection::vec(
            (prop::sample::select(HARMS.to_vec()), any::<Index>(), any::<Index>()), 0..8,
        ),
        batches in prop::collection::vec((1_usize..12, any::<bool>(), 1_i64..3), 40),
        times in prop::collection::vec((-20_i64..420, 0_i64..300), 3),
    ) {
        let mut trail = whole(&order);
        for (harm, at, other) in harms {
            harm.befall(&mut trail, at, other);
        }
        let connection = database();
        let mut proof = Proof::default();
        let (mut rows, mut arrival) = (Vec::new(), 0);
        let mut coming = trail.into_iter();
        for (size, load, step) in batches {
            let mut batch = Vec::new();
            for (at, line) in coming.by_ref().take(size) {
                arrival += step;
                batch.push(Row { arrival, at, line });
            }
            rows.extend_from_slice(&batch);
            // As the writer does.
            batch.sort_by_key(|row| row.at);
            for Row { arrival, at, line } in &batch {
                take(&mut proof, *arrival, *at, line);
            }
            proof.save(&connection).unwrap();
            if load {
                proof = Proof::load(&connection).unwrap();
            }
            if batch.is_empty() {
                break;
            }
            let ranges = times.iter().map(|(from, long)| TimeRange { from: *from, to: from + long });
            for range in ranges.chain([TimeRange::ALL]) {
                let told = sorted(verdict(&connection, range).unwrap());
                prop_assert_eq!(told, naive(&rows, range));
            }
        }
        prop_assert_eq!(coming.next(), None);
    }
}
