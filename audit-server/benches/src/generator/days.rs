//! What begins when, and the queue of all that follows from it.

use std::collections::BTreeMap;

use audit_layer::record::Member;

use super::{Seed, Shape, event::Event, kinds::Speaker, random::Chance, world::World};

pub(crate) const SECOND: i64 = 1_000_000;
pub(crate) const MINUTE: i64 = 60 * SECOND;
pub(crate) const HOUR: i64 = 60 * MINUTE;

/// How much begins in each hour of a working day, in UTC; the house is busiest in Europe.
const WORKING_DAY: [u32; 24] =
    [3, 3, 3, 3, 4, 6, 10, 18, 26, 30, 29, 26, 24, 27, 31, 31, 28, 22, 14, 10, 8, 6, 5, 4];
/// The same for every hour of a Saturday or Sunday.
const DAY_OFF: u32 = 4;
/// How many records something that begins makes, until that is known better.
const USUAL: u64 = 7;

/// The days as they go by.
#[derive(Debug)]
pub(crate) struct Days {
    pub(crate) chance: Chance,
    pub(crate) world: World,
    speaker: Speaker,
    shape: Shape,
    queue: BTreeMap<(i64, u64), Box<Event>>,
    /// How many events were made, how many things began, and how many were taken out again.
    made: u64,
    begun: u64,
    taken: u64,
    /// When something begins next.
    next: i64,
    /// When the next heartbeats are due, and how far they are apart.
    beat: i64,
    beats: i64,
    /// When passwords are guessed, the last first.
    pub(crate) attacks: Vec<i64>,
    /// How many things got a number of their own.
    numbers: u64,
    /// The weights of all hours from each on.
    ahead: Vec<u64>,
}

impl Days {
    pub(crate) fn new(seed: Seed, shape: Shape) -> Self {
        let mut chance = Chance::new(seed, 2);
        let begin = shape.begin();
        let hours = usize::from(shape.days.max(1)) * 24;
        let mut ahead = vec![0; hours + 1];
        for hour in (0..hours).rev() {
            let at = begin + HOUR * i64::try_from(hour).unwrap_or(0);
            ahead[hour] = ahead[hour + 1] + u64::from(weight(at));
        }
        // At most one record in thirty is a heartbeat.
        let length = shape.end - begin;
        let room = i64::try_from(shape.records / 90).unwrap_or(i64::MAX).max(1);
        let guesses = (shape.records / 50_000).clamp(2, 40);
        let mut attacks: Vec<i64> =
            (0..guesses).map(|_| begin + chance.between(0, length)).collect();
        attacks.sort_unstable_by(|one, other| other.cmp(one));
        Self {
            chance,
            world: World::new(seed, &shape),
            speaker: Speaker::new(),
            shape,
            queue: BTreeMap::new(),
            made: 0,
            begun: 0,
            taken: 0,
            next: begin,
            beat: begin,
            beats: (length / room).max(MINUTE),
            attacks,
            numbers: 0,
            ahead,
        }
    }

    /// The next event in time. They never end.
    pub(crate) fn next(&mut self) -> Box<Event> {
        loop {
            let due =
                self.next.min(self.beat).min(self.attacks.last().copied().unwrap_or(i64::MAX));
            if let Some(entry) = self.queue.first_entry()
                && entry.key().0 <= due
            {
                self.taken += 1;
                return entry.remove();
            }
            self.begin(due);
        }
    }

    fn begin(&mut self, at: i64) {
        if at == self.beat {
            self.heartbeats(at);
            // Not to the microsecond, as a timer wakes.
            self.beat += self.beats + self.chance.between(0, 900);
        } else if self.attacks.pop_if(|attack| *attack == at).is_some() {
            self.guess_passwords(at);
        } else {
            self.begun += 1;
            match self.chance.below(120) {
                0..22 => self.session(at),
                22..72 => self.trade(at),
                72..92 => self.payment(at),
                92..112 => self.machine_call(at),
                112..115 => self.exception(at),
                115..118 => self.incident(at),
                _ => self.administration(at),
            }
            self.next = self.after(at);
        }
    }

    /// When something begins after `at`, so that what is still to be made fills what is left.
    fn after(&mut self, at: i64) -> i64 {
        let each = if self.begun < 100 { USUAL } else { (self.made / self.begun).max(1) };
        let left = self.shape.records.saturating_sub(self.taken) / each + 1;
        let mut at = at;
        loop {
            let into = at - self.shape.begin();
            let hour = usize::try_from(into / HOUR).unwrap_or(0);
            let rest = HOUR - into.rem_euclid(HOUR);
            let weight = u64::from(weight(at));
            // Behind the end it goes on as in its last hours.
            let ahead = self.ahead.get(hour).copied().unwrap_or(0).max(weight * 2);
            let mean = i128::from(HOUR) * i128::from(ahead) / i128::from(weight * left);
            let pause = self.chance.about(i64::try_from(mean).unwrap_or(i64::MAX / 64).max(1));
            if pause < rest {
                return at + pause;
            }
            // What has no memory may be drawn again at the next hour.
            at += rest;
        }
    }

    /// Puts an event in the queue, with a message that suits it.
    pub(crate) fn happens(&mut self, mut event: Event) {
        let message = self.speaker.say(&mut self.chance, &event);
        event.set(Member::Message, message.into());
        self.made += 1;
        self.queue.insert((event.timestamp, self.made), Box::new(event));
    }

    /// A number that nothing else has.
    pub(crate) fn number(&mut self) -> u64 {
        self.numbers += 1;
        self.numbers
    }

    /// Text that names something once: it says nothing, and is not to be guessed.
    pub(crate) fn token(&mut self, prefix: &str) -> String {
        format!("{prefix}{:010x}", self.chance.bits() >> 24)
    }
}

fn weight(at: i64) -> u32 {
    let hours = at.div_euclid(HOUR);
    // The epoch was a Thursday.
    if (hours.div_euclid(24) + 3).rem_euclid(7) > 4 {
        return DAY_OFF;
    }
    let hour = usize::try_from(hours.rem_euclid(24)).unwrap_or(0);
    WORKING_DAY.get(hour).copied().unwrap_or(DAY_OFF)
}
