#![allow(clippy::unwrap_used)]

use std::collections::{BTreeMap, BTreeSet};

use super::*;
use crate::demo::{
    stop,
    testing::{Line, Trail, assert_chained},
};

const DAY: i64 = 86_400_000_000;
const DAYS: u16 = 30;

fn missing(trail: &Trail) -> Option<Period> {
    trail.flush();
    Period::missing(&trail.database(), &trail.stream(), DAYS).unwrap()
}

/// Writes what is missing and gives the number of its records.
fn write_missing(trail: &Trail, stop: &Stop) -> u64 {
    let period = missing(trail).unwrap();
    trail.record(|| write(&mut Desk::new(8600), period, DAYS, stop, || trail.flush()))
}

fn imported(lines: &[Line]) -> Vec<&Line> {
    lines.iter().filter(|line| line.get("observed_at").is_some()).collect()
}

#[test]
fn a_history_spans_thirty_days_and_is_chained() {
    let (_stopper, stop) = stop::pair();
    let trail = Trail::open();
    let records = write_missing(&trail, &stop);
    let lines = trail.close();
    assert_chained(&lines);

    let history = imported(&lines);
    assert_eq!(history.len() as u64, records);
    assert!((400 * 30..=600 * 30).contains(&records), "{records} records");
    let end = lines[0].micros("timestamp");
    let times: Vec<_> = history.iter().map(|line| line.micros("timestamp")).collect();
    assert!(times.is_sorted());
    assert!(times.first().is_some_and(|first| (end - 30 * DAY..end - 29 * DAY).contains(first)));
    assert_eq!(times.last(), Some(&end));
    let days: BTreeSet<_> = times.iter().map(|time| time / DAY).collect();
    assert!(days.len() >= 30, "{} days", days.len());
    for line in &history {
        assert!(line.micros("observed_at") >= end, "taken in now, whatever its time");
    }
    let newest = history.last().unwrap();
    assert_eq!(
        (newest.event_type(), newest.detail("records").unwrap()),
        (WRITTEN, &(records - 1).into())
    );
}

#[test]
fn a_history_knows_day_and_night_the_weekend_and_one_attack() {
    let (_stopper, stop) = stop::pair();
    let trail = Trail::open();
    write_missing(&trail, &stop);
    let lines = trail.close();
    let (mut open, mut night, mut weekend) = (0, 0, 0);
    let (mut decisions, mut off_market) = (0, 0);
    let mut failures: BTreeMap<(i64, &str), u32> = BTreeMap::new();
    for line in imported(&lines) {
        let at = from_micros(line.micros("timestamp")).unwrap();
        match shift(at) {
            Shift::Weekend => weekend += 1,
            Shift::Open => open += 1,
            Shift::Evening => night += 1,
        }
        if line.event_type() == "auth.failed" {
            let day = line.micros("timestamp") / DAY;
            *failures.entry((day, line.get("ip_address").unwrap())).or_default() += 1;
        }
        if line.event_type() == "trade.decision" {
            decisions += 1;
            off_market += u32::from(matches!(shift(at), Shift::Weekend));
        }
    }
    // What an agent saw at the last moment of Friday it decides on at the first of Saturday: two
    // agents, five weekends at the most.
    assert!(decisions > 100 && off_market <= 10, "{off_market} of {decisions} without a market");
    assert!(open > 3 * night, "{open} by day, {night} by night");
    assert!(night > 0 && weekend > 0 && open > 5 * weekend, "{weekend} at weekends");
    assert_eq!(failures.values().filter(|failures| **failures >= 100).count(), 1);
}

#[test]
fn a_second_start_finds_nothing_missing() {
    let (_stopper, stop) = stop::pair();
    let trail = Trail::open();
    assert!(missing(&trail).is_some());
    write_missing(&trail, &stop);
    assert_eq!(missing(&trail), None);
    let trail = Trail::open_in(trail.leave());
    assert_eq!(missing(&trail), None);
}

#[test]
fn an_interrupted_history_goes_on_where_it_ended() {
    let (stopper, stop) = stop::pair();
    let trail = Trail::open();
    let whole = missing(&trail).unwrap();
    // Ten days are written, and the process is gone before the rest.
    let part = Period { to: whole.from + Duration::days(10), ..whole };
    trail.record(|| {
        audit_layer::imported_from(part.from.into(), || tracing::info!(target: "audit", "first"));
        let at = part.to;
        audit_layer::imported_from(at.into(), || tracing::info!(target: "audit", "last"));
    });
    let trail = Trail::open_in(trail.leave());
    let rest = missing(&trail).unwrap();
    assert_eq!((rest.from, rest.to), (part.to + Duration::MICROSECOND, whole.to));

    drop(stopper);
    let told_to_stop =
        trail.record(|| write(&mut Desk::new(1), rest, DAYS, &stop, || trail.flush()));
    assert_eq!(told_to_stop, 0);
    assert!(missing(&trail).is_some(), "stopped is not complete");

    let (_stopper, stop) = stop::pair();
    assert!(trail.record(|| write(&mut Desk::new(1), rest, DAYS, &stop, || trail.flush())) > 5000);
    assert_eq!(missing(&trail), None);
    let lines = trail.close();
    let beginnings = lines.iter().filter(|line| line.event_type() == WRITTEN).count();
    assert_eq!(beginnings, 1);
}

#[test]
fn a_trail_that_another_stream_began_gets_no_history() {
    let trail = Trail::open();
    trail.flush();
    let other = Period::missing(&trail.database(), "trading-desk@elsewhere~abcdef", DAYS);
    assert_eq!(other.unwrap(), None);
    assert_eq!(Period::missing(&trail.database(), &trail.stream(), 0).unwrap(), None);
}
