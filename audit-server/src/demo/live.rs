//! The present of the desk: so many records a second, by the clock.

use std::time::{Duration, Instant};

use time::OffsetDateTime;

use super::{
    desk::{Desk, Shift},
    stop::Stop,
};

/// A desk that is further behind than this, after the machine slept or the disk stood still, does
/// not make up for what it missed.
const FORGIVE: Duration = Duration::from_secs(1);

/// Lets the desk live for `seconds`, or until it is told to stop, and says how many records that
/// made. The market is always open: whoever starts a demonstration at night wants to see something.
pub(crate) fn run(desk: &mut Desk, rate: u32, seconds: Option<u64>, stop: &Stop) -> u64 {
    let every = Duration::from_secs(1) / rate.max(1);
    let end = seconds.and_then(|seconds| Instant::now().checked_add(Duration::from_secs(seconds)));
    let mut next = Instant::now();
    let mut records = 0;
    loop {
        next += every;
        let now = Instant::now();
        if now.saturating_duration_since(next) > FORGIVE {
            next = now;
        }
        let wake = end.map_or(next, |end| end.min(next));
        if stop.wait_until(wake) || end.is_some_and(|end| Instant::now() >= end) {
            return records;
        }
        desk.step(OffsetDateTime::now_utc(), Shift::Open);
        records += 1;
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::demo::{stop, testing::Trail};

    #[test]
    fn a_live_desk_ends_by_itself_and_keeps_about_its_rate() {
        let (_stopper, stop) = stop::pair();
        let trail = Trail::open();
        let records = trail.record(|| run(&mut Desk::new(1), 200, Some(1), &stop));
        assert!((20..=201).contains(&records), "{records} records in a second");
        let lines = trail.close();
        assert_eq!(lines.iter().filter(|line| line.category() != "system").count() as u64, records);
        assert!(lines.iter().all(|line| line.get("observed_at").is_none()));
    }

    #[test]
    fn a_live_desk_without_an_end_stops_when_it_is_told() {
        let (stopper, stop) = stop::pair();
        let desk = std::thread::spawn(move || run(&mut Desk::new(1), 1, None, &stop));
        drop(stopper);
        assert_eq!(desk.join().unwrap(), 0);
    }
}
