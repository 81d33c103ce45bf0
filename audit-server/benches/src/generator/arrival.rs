//! From what happens to what arrives: numbers, batches, and what comes late.

use std::collections::VecDeque;

use audit_layer::record::Member;
use uuid::Uuid;

use super::{
    STREAMS, Seed, Shape, World,
    days::{Days, HOUR, MINUTE, SECOND},
    event::Event,
    expected::Expected,
    random::Chance,
};

/// How many records make a batch leave, and how long one waits: what the layer does by default.
const BATCH: usize = 100;
const FLUSH: i64 = 5 * SECOND;
/// Of a thousand records so many come late, because their stream could not be delivered.
const LATE_PERMILLE: i64 = 2;

/// The events of a seed, in the order in which they arrive.
#[derive(Debug)]
pub struct Generator {
    days: Days,
    chance: Chance,
    lanes: [Lane; STREAMS.len()],
    /// With the time at which each arrived.
    ready: VecDeque<(i64, Box<Event>)>,
    left: u64,
    expected: Expected,
}

/// A stream on its way to the trail.
#[derive(Debug, Default)]
struct Lane {
    waiting: VecDeque<Box<Event>>,
    /// When the batch was begun.
    since: i64,
    seq: u64,
    /// When nothing could be delivered, the last first.
    stalls: Vec<(i64, i64)>,
}

impl Lane {
    /// When the batch leaves, if nothing else comes: not while the stream is stalled.
    fn due(&self) -> i64 {
        let at = self.since + FLUSH;
        match self.stalls.last() {
            Some((from, to)) if *from <= at => at.max(*to),
            _ => at,
        }
    }

    fn is_stalled(&self, now: i64) -> bool {
        self.stalls.last().is_some_and(|(from, to)| (*from..*to).contains(&now))
    }
}

impl Generator {
    /// The events of that seed and shape.
    #[must_use]
    pub fn new(seed: Seed, shape: Shape) -> Self {
        let mut chance = Chance::new(seed, 3);
        let lanes = std::array::from_fn(|_| Lane {
            stalls: stalls(&mut chance, &shape),
            ..Lane::default()
        });
        Self {
            days: Days::new(seed, shape),
            chance,
            lanes,
            ready: VecDeque::new(),
            left: shape.records,
            expected: Expected::default(),
        }
    }

    /// The figures over all events that came out so far.
    #[must_use]
    pub fn expected(&self) -> &Expected {
        &self.expected
    }

    /// Takes out the figures, at the end.
    #[must_use]
    pub fn into_expected(self) -> Expected {
        self.expected
    }

    /// Who and what there is by now.
    #[must_use]
    pub fn world(&self) -> &World {
        &self.days.world
    }

    /// Makes a batch ready, or lets one more thing happen.
    fn advance(&mut self) {
        let event = self.days.next();
        let at = event.timestamp;
        while let Some(lane) = self.first_due(at) {
            let now = lane.due();
            let batch = std::mem::take(&mut lane.waiting);
            while lane.stalls.pop_if(|(_, to)| *to <= now).is_some() {}
            self.ready.extend(batch.into_iter().map(|event| (now, event)));
        }
        let Some(lane) = self.lanes.get_mut(event.stream) else { return };
        if lane.waiting.is_empty() {
            lane.since = at;
        }
        lane.waiting.push_back(event);
        if lane.waiting.len() >= BATCH && !lane.is_stalled(at) {
            self.ready.extend(lane.waiting.drain(..).map(|event| (at, event)));
        }
    }

    /// The lane whose batch leaves first, when that is before `at`.
    fn first_due(&mut self, at: i64) -> Option<&mut Lane> {
        let waiting = self.lanes.iter_mut().filter(|lane| !lane.waiting.is_empty());
        waiting.min_by_key(|lane| lane.due()).filter(|lane| lane.due() <= at)
    }
}

impl Iterator for Generator {
    type Item = Event;

    fn next(&mut self) -> Option<Event> {
        self.left = self.left.checked_sub(1)?;
        let (arrived, mut event) = loop {
            match self.ready.pop_front() {
                Some(arrival) => break arrival,
                None => self.advance(),
            }
        };
        if let Some(lane) = self.lanes.get_mut(event.stream) {
            lane.seq += 1;
            event.seq = lane.seq;
        }
        event.id = id(event.timestamp, self.chance.bits());
        self.expected.count(&event, arrived);
        debug_assert!(event.member(Member::Message).is_some());
        Some(*event)
    }
}

/// The identifier that the layer gives, with the fraction of the millisecond: UUIDv7.
fn id(timestamp: i64, random: u64) -> Uuid {
    let (millis, micros) = (timestamp.unsigned_abs() / 1000, timestamp.unsigned_abs() % 1000);
    let fraction = micros * 4096 / 1000;
    Uuid::from_u64_pair((millis << 16) | 0x7000 | fraction, (1 << 63) | (random >> 2))
}

/// When a stream stands still, for half an hour to some hours each time.
fn stalls(chance: &mut Chance, shape: &Shape) -> Vec<(i64, i64)> {
    let length = shape.end - shape.begin();
    let mut left = length * LATE_PERMILLE / 1000;
    let mut stalls = Vec::new();
    while left > 0 {
        let lasts = (10 * MINUTE + chance.about(HOUR)).min(left.max(10 * MINUTE));
        let from = shape.begin() + chance.between(0, length);
        stalls.push((from, from + lasts));
        left -= lasts;
    }
    stalls.sort_unstable_by(|one, other| other.cmp(one));
    stalls
}
