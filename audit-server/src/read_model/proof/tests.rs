#![allow(clippy::unwrap_used)]

use audit_layer::record::{Draft, Hash, Line, Record};
use rusqlite::Connection;

use super::{
    super::writer::{Arrived, Writer},
    ChainState, FaultKind, MAX_FAULTS, MAX_PIECES, Proof, TABLES, Verdict,
    judge::MAX_LISTED,
    verdict,
};
use crate::filter::TimeRange;

pub(super) const STREAM: &str = "payments@web-1~k3x9q2";

/// A record that says nothing but its place.
pub(super) fn sealed(stream: &str, seq: u64, before: Hash, at: i64) -> Line {
    let mut draft = Draft::new(stream, seq, before, "auth.login", "INFO");
    draft.timestamp = at;
    draft.seal()
}

/// The first records of a stream; that of number n is of time 10 n.
fn chain(length: u64) -> Vec<Line> {
    let mut before = Hash::ZERO;
    (1..=length)
        .map(|seq| {
            let line = sealed(STREAM, seq, before, seq.cast_signed() * 10);
            before = line.hash;
            line
        })
        .collect()
}

pub(super) fn database() -> Connection {
    let connection = Connection::open_in_memory().unwrap();
    connection.execute_batch(TABLES).unwrap();
    connection
}

pub(super) fn take(proof: &mut Proof, arrival: i64, at: i64, line: &str) {
    proof.take(arrival, at, Record::parse(line).ok().as_ref(), line);
}

/// Takes lines with their times as they arrive, one at a time.
fn arrive<'l>(lines: impl IntoIterator<Item = (i64, &'l str)>) -> Connection {
    let connection = database();
    for (arrival, (at, line)) in (1..).zip(lines) {
        let mut proof = Proof::load(&connection).unwrap();
        take(&mut proof, arrival, at, line);
        proof.save(&connection).unwrap();
    }
    connection
}

/// The same for records of [`chain`], by their numbers.
fn arrive_by_number(chain: &[Line], numbers: &[usize]) -> Connection {
    arrive(numbers.iter().map(|n| (*n as i64 * 10, &*chain[n - 1].text)))
}

fn pieces(connection: &Connection) -> Vec<(u64, u64)> {
    let mut statement =
        connection.prepare("SELECT first, last FROM proof_pieces ORDER BY stream, first").unwrap();
    let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).unwrap();
    rows.collect::<Result<_, _>>().unwrap()
}

fn in_time(connection: &Connection, from: i64, to: i64) -> Verdict {
    verdict(connection, TimeRange { from, to }).unwrap()
}

fn ever(connection: &Connection) -> Verdict {
    verdict(connection, TimeRange::ALL).unwrap()
}

fn faults(verdict: &Verdict) -> Vec<(FaultKind, Option<u64>)> {
    verdict.faults.iter().map(|fault| (fault.kind, fault.seq)).collect()
}

#[test]
fn a_healthy_stream_is_one_piece_without_a_fault() {
    let connection = arrive_by_number(&chain(5), &[1, 2, 3, 4, 5]);
    assert_eq!(pieces(&connection), [(1, 5)]);
    let verdict = ever(&connection);
    assert_eq!(verdict.chain, ChainState::Intact);
    assert_eq!((verdict.checked, verdict.checked_to), (5, 5));
    let stream = &verdict.streams[0];
    assert_eq!((stream.first_seq, stream.last_seq, stream.records), (1, 5, 5));
}

#[test]
fn nothing_is_checked_of_an_empty_trail() {
    let verdict = ever(&database());
    assert_eq!((verdict.checked, verdict.checked_to, verdict.stream_count), (0, 0, 0));
}

#[test]
fn a_record_that_comes_late_closes_the_gap_that_it_left() {
    let chain = chain(5);
    let open = arrive_by_number(&chain, &[1, 2, 4, 5]);
    let verdict = ever(&open);
    assert_eq!((verdict.chain, verdict.gap_count), (ChainState::Broken, 1));
    assert_eq!((verdict.gaps[0].first_seq, verdict.gaps[0].last_seq), (3, 3));
    assert_eq!(verdict.gaps[0].arrival, 3);
    let closed = arrive_by_number(&chain, &[1, 2, 4, 5, 3]);
    assert_eq!(pieces(&closed), [(1, 5)]);
    assert_eq!(ever(&closed).chain, ChainState::Intact);
}

#[test]
fn records_in_any_order_make_one_piece() {
    let chain = chain(6);
    for numbers in [[6, 5, 4, 3, 2, 1], [2, 4, 6, 1, 3, 5], [3, 1, 2, 6, 5, 4]] {
        let connection = arrive_by_number(&chain, &numbers);
        assert_eq!(pieces(&connection), [(1, 6)], "{numbers:?}");
        assert_eq!(ever(&connection).chain, ChainState::Intact);
    }
}

#[test]
fn a_gap_counts_only_for_periods_that_it_reaches_into() {
    let connection = arrive_by_number(&chain(6), &[1, 2, 5, 6]);
    for (from, to, state) in [
        (0, 19, ChainState::Intact),
        (0, 20, ChainState::Broken),
        (30, 40, ChainState::Broken),
        (50, 90, ChainState::Broken),
        (51, 90, ChainState::Intact),
    ] {
        assert_eq!(in_time(&connection, from, to).chain, state, "{from} to {to}");
    }
}

#[test]
fn a_changed_byte_is_one_fault_and_the_chain_goes_on() {
    let mut chain = chain(4);
    chain[1].text = chain[1].text.replace("auth.login", "auth.logon").into();
    let connection = arrive_by_number(&chain, &[1, 2, 3, 4]);
    let verdict = ever(&connection);
    assert_eq!(faults(&verdict), [(FaultKind::Changed, Some(2))]);
    assert_eq!((verdict.chain, verdict.gap_count), (ChainState::Broken, 0));
    assert_eq!(pieces(&connection), [(1, 4)]);
}

#[test]
fn a_record_that_was_sealed_anew_does_not_fit_the_next_whichever_comes_first() {
    let mut chain = chain(4);
    chain[1] = sealed(STREAM, 2, chain[0].hash, 21);
    for numbers in [[1, 2, 3, 4], [4, 3, 2, 1], [1, 3, 4, 2]] {
        let connection = arrive_by_number(&chain, &numbers);
        assert_eq!(faults(&ever(&connection)), [(FaultKind::Unlinked, Some(3))], "{numbers:?}");
        assert_eq!(pieces(&connection), [(1, 2), (3, 4)]);
        assert_eq!(ever(&connection).gap_count, 0);
    }
}

#[test]
fn a_number_that_is_there_twice_is_told_of_the_one_that_arrives_later() {
    let chain = chain(3);
    let connection = arrive_by_number(&chain, &[1, 2, 3, 2]);
    let verdict = ever(&connection);
    assert_eq!(faults(&verdict), [(FaultKind::Repeated, Some(2))]);
    assert_eq!(verdict.faults[0].arrival, 4);
    // Handed over together, in no order.
    let connection = database();
    let mut proof = Proof::default();
    for (arrival, number) in [(4, 2), (2, 2), (3, 3), (1, 1)] {
        take(&mut proof, arrival, 0, &chain[number - 1].text);
    }
    proof.save(&connection).unwrap();
    assert_eq!(ever(&connection).faults[0].arrival, 4);
}

#[test]
fn a_first_record_with_a_predecessor_and_a_later_one_without_are_faults() {
    let forged = sealed(STREAM, 1, Hash::of(b"x"), 10);
    let connection = arrive([(10, &*forged.text)]);
    assert_eq!(faults(&ever(&connection)), [(FaultKind::FalseStart, Some(1))]);
    let forged = sealed(STREAM, 7, Hash::ZERO, 70);
    let before = sealed(STREAM, 6, Hash::of(b"x"), 60);
    let connection = arrive([(70, &*forged.text), (60, &*before.text)]);
    assert_eq!(faults(&ever(&connection)), [(FaultKind::Unlinked, Some(7))]);
}

#[test]
fn what_is_no_record_is_a_fault_without_a_stream() {
    let chain = chain(2);
    let unsealed = chain[1].text.split(",\"hash\"").next().unwrap().to_owned() + "}";
    let connection = arrive([(10, &*chain[0].text), (15, "no record"), (16, ""), (20, &unsealed)]);
    let verdict = ever(&connection);
    assert_eq!(faults(&verdict), [(FaultKind::NotARecord, None); 3]);
    assert_eq!(verdict.faults[0].stream, None);
    assert_eq!(verdict.checked, 4);
}

#[test]
fn a_sealed_line_that_has_no_place_in_a_stream_is_no_record() {
    let of_none = sealed(&"x".repeat(100_000), 1, Hash::ZERO, 10);
    let of_zero = sealed(STREAM, 0, Hash::ZERO, 10);
    let too_far = sealed(STREAM, 1, Hash::ZERO, 10).text.replace(":1,", ":9223372036854775808,");
    let too_far = resealed(&too_far);
    let no_hash = sealed(STREAM, 1, Hash::ZERO, 10).text.replace(&"0".repeat(64), "none");
    let no_hash = resealed(&no_hash);
    let connection =
        arrive([(1, &*of_none.text), (2, &of_zero.text), (3, &too_far), (4, &no_hash)]);
    let verdict = ever(&connection);
    let expected = [Some(1), None, None, Some(1)].map(|seq| (FaultKind::NotARecord, seq));
    assert_eq!(faults(&verdict), expected);
    assert_eq!(verdict.faults[0].stream, None);
    assert_eq!(verdict.faults[3].stream.as_deref(), Some(STREAM));
    assert!(pieces(&connection).is_empty());
}

#[test]
fn a_version_that_never_was_is_no_record() {
    let line = sealed(STREAM, 1, Hash::ZERO, 10).text.replace("\"v\":1", "\"v\":0");
    let connection = arrive([(10, &*resealed(&line))]);
    assert_eq!(faults(&ever(&connection)), [(FaultKind::NotARecord, Some(1))]);
}

#[test]
fn a_changed_record_without_a_place_is_a_changed_record_all_the_same() {
    let line = sealed(STREAM, 1, Hash::ZERO, 10).text.replace(STREAM, "nobody");
    let connection = arrive([(10, &*line)]);
    assert_eq!(faults(&ever(&connection)), [(FaultKind::Changed, Some(1))]);
    assert!(pieces(&connection).is_empty());
}

/// Gives a line the hash that its bytes have.
fn resealed(line: &str) -> String {
    let (object, _) = line.rsplit_once(",\"hash\"").unwrap();
    format!("{object},\"hash\":\"{}\"}}", Hash::of(format!("{object}}}").as_bytes()))
}

/// A record of a later version, which has nothing but what links it.
pub(super) fn of_later_version(stream: &str, seq: u64, before: Hash) -> Line {
    let object = format!(
        "{{\"prev_hash\":\"{before}\",\"seq\":{seq},\"stream\":\"{stream}\",\"v\":2,\"when\":0}}"
    );
    let hash = Hash::of(object.as_bytes());
    let open = object.strip_suffix('}').unwrap();
    Line { text: format!("{open},\"hash\":\"{hash}\"}}").into(), hash }
}

#[test]
fn a_record_of_a_later_version_is_followed_by_its_links() {
    let first = sealed(STREAM, 1, Hash::ZERO, 10);
    let second = of_later_version(STREAM, 2, first.hash);
    let third = sealed(STREAM, 3, second.hash, 30);
    let lines = [(10, &*first.text), (20, &second.text), (30, &third.text)];
    let connection = arrive(lines);
    assert_eq!(pieces(&connection), [(1, 3)]);
    assert_eq!(ever(&connection).chain, ChainState::Intact);
    // Not when it may have been made of one of this version.
    let changed = second.text.replace("\"when\":0", "\"when\":1");
    let connection = arrive([(10, &*first.text), (20, &changed)]);
    assert_eq!(faults(&ever(&connection)), [(FaultKind::NotARecord, None)]);
}

#[test]
fn a_stream_that_begins_late_is_told_of_where_the_period_reaches_back_before_it() {
    let connection = arrive_by_number(&chain(5), &[3, 4, 5]);
    let verdict = in_time(&connection, 30, 100);
    assert_eq!((verdict.chain, verdict.late_start_count), (ChainState::Intact, 1));
    assert_eq!(verdict.late_starts[0].starts_at, 3);
    assert_eq!(in_time(&connection, 31, 100).late_start_count, 0);
}

#[test]
fn a_changed_record_cannot_leave_a_period_by_another_time() {
    let mut chain = chain(3);
    chain[1].text = chain[1].text.replace("auth.login", "auth.logon").into();
    let connection =
        arrive([(10, &*chain[0].text), (-5_000, &chain[1].text), (30, &chain[2].text)]);
    assert_eq!(in_time(&connection, 5, 35).chain, ChainState::Broken);
    let later = in_time(&connection, 25, 35);
    assert_eq!((later.chain, later.faults_elsewhere), (ChainState::Intact, 1));
}

#[test]
fn faults_beyond_those_that_are_kept_are_counted_and_make_no_period_intact() {
    let connection = database();
    let mut proof = Proof::default();
    let all = MAX_FAULTS as i64 + 3;
    for arrival in 1..=all {
        proof.take(arrival, arrival * 10, None, "no record");
    }
    proof.save(&connection).unwrap();
    let verdict = ever(&connection);
    assert_eq!((verdict.fault_count, verdict.faults_beyond), (MAX_FAULTS as u64, 3));
    assert_eq!(verdict.faults.len(), MAX_LISTED);
    let first_beyond = (all - 2) * 10;
    assert_eq!(in_time(&connection, first_beyond, first_beyond).chain, ChainState::Broken);
    assert_eq!(in_time(&connection, first_beyond + 1, all * 10 - 1).chain, ChainState::Unknown);
    assert_eq!(in_time(&connection, all * 10 + 1, i64::MAX).chain, ChainState::Intact);
    // Also after it was loaded.
    let mut proof = Proof::load(&connection).unwrap();
    proof.take(all + 1, 0, None, "no record");
    proof.save(&connection).unwrap();
    assert_eq!(ever(&connection).faults_beyond, 4);
}

#[test]
fn records_that_would_begin_a_piece_too_many_are_counted_and_those_that_join_one_are_not() {
    let connection = database();
    let mut proof = Proof::default();
    let streams: Vec<String> = (0..=MAX_PIECES).map(|n| format!("s@h~{n:06}")).collect();
    for (arrival, stream) in (1..).zip(&streams) {
        take(&mut proof, arrival, arrival * 10, &sealed(stream, 1, Hash::ZERO, 0).text);
    }
    proof.save(&connection).unwrap();
    let verdict = ever(&connection);
    assert_eq!((verdict.stream_count, verdict.unfollowed), (MAX_PIECES as u64, 1));
    assert_eq!((verdict.streams.len(), verdict.chain), (MAX_LISTED, ChainState::Unknown));
    let at = (MAX_PIECES as i64 + 1) * 10;
    assert_eq!(in_time(&connection, 0, at - 1).chain, ChainState::Intact);
    assert_eq!(in_time(&connection, at, at).chain, ChainState::Unknown);
    let mut proof = Proof::load(&connection).unwrap();
    let first = sealed(&streams[0], 1, Hash::ZERO, 0);
    let second = sealed(&streams[0], 2, first.hash, 0);
    take(&mut proof, at, 0, &second.text);
    take(&mut proof, at + 1, 0, &sealed(&streams[0], 9, second.hash, 0).text);
    proof.save(&connection).unwrap();
    let verdict = ever(&connection);
    assert_eq!((verdict.unfollowed, verdict.streams[0].last_seq), (2, 2));
}

#[test]
fn the_writer_checks_each_record_once_and_begins_anew_with_the_model() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("model.db");
    let chain = chain(6);
    let arrived = |arrival: usize, at: i64| Arrived {
        blind: Vec::new(),
        arrival: arrival as i64,
        timestamp: at,
        line: chain[arrival - 1].text.clone(),
    };
    let told = || ever(&Connection::open(&path).unwrap());
    let mut writer = Writer::open(&path).unwrap();
    // A clock that runs backwards, so that the order of time is another.
    writer.take_in(vec![arrived(1, 30), arrived(2, 20), arrived(3, 10)]).unwrap();
    assert_eq!((told().checked, told().checked_to, told().chain), (3, 3, ChainState::Intact));
    drop(writer);
    let mut writer = Writer::open(&path).unwrap();
    writer.take_in(vec![arrived(4, 40), arrived(6, 60)]).unwrap();
    assert_eq!((told().checked, told().gap_count), (5, 1));
    let mut writer = writer.clear().unwrap();
    assert_eq!((told().checked, told().stream_count, told().gap_count), (0, 0, 0));
    writer.take_in(vec![arrived(1, 10), arrived(2, 20)]).unwrap();
    assert_eq!((told().checked, told().chain), (2, ChainState::Intact));
}
