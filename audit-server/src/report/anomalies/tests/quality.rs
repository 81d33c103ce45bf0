//! Of what happened, how much is found; of what is found, how much happened.
//!
//! An anomaly is true when it is about a user, an address or an event type that had a part in an incident, at
//! the time of it; an incident is found when an anomaly of its own kind is. The rules were made with
//! seeds from 1; these tests have others.

use std::collections::BTreeMap;

use super::{
    incidents::Incident,
    world::{DAY, DAYS, NOW, Numbers, SMALL, Size, Trail, World, header, window},
};
use crate::report::anomalies::{Anomalies, DEFAULT_THRESHOLD, Detector, Settings};

pub(super) fn look(trail: &Trail, threshold: f64) -> Anomalies {
    let baseline_from = NOW - DAYS * DAY + 1;
    let mut detector = Detector::new(Settings { window: window(), baseline_from, threshold });
    trail.fold(4096, false, &mut detector);
    detector.finish(&trail.legend, &mut Numbers(&trail.legend), header())
}

/// Found and planted of each kind of incident, and true and all anomalies.
#[derive(Debug, Default)]
struct Score {
    incidents: BTreeMap<&'static str, (u32, u32)>,
    anomalies: BTreeMap<String, (u32, u32)>,
    unexplained: Vec<String>,
    missed: Vec<String>,
}

impl Score {
    fn add(&mut self, seed: u64, incidents: &[Incident], found: &Anomalies) {
        for incident in incidents {
            let (hits, all) = self.incidents.entry(incident.name).or_default();
            let told = found.anomalies.items.iter().any(|found| incident.is_told_by(found));
            (*hits, *all) = (*hits + u32::from(told), *all + 1);
            if !told {
                self.missed.push(format!("{seed}: {incident:?}"));
            }
        }
        for anomaly in &found.anomalies.items {
            let (hits, all) = self.anomalies.entry(format!("{:?}", anomaly.kind)).or_default();
            let explained = incidents.iter().any(|incident| incident.explains(anomaly));
            (*hits, *all) = (*hits + u32::from(explained), *all + 1);
            if !explained {
                self.unexplained.push(format!(
                    "{seed}: {:?} {} {} {}",
                    anomaly.kind, anomaly.score, anomaly.from, anomaly.explanation
                ));
            }
        }
    }

    fn part<'s>(parts: impl Iterator<Item = &'s (u32, u32)>) -> f64 {
        let (hits, all) = parts.fold((0, 0), |(hits, all), (h, a)| (hits + h, all + a));
        f64::from(hits) / f64::from(all.max(1))
    }
}

fn score(seeds: impl Iterator<Item = u64>) -> Score {
    let mut score = Score::default();
    for seed in seeds {
        let mut world = World::quiet(seed, SMALL);
        let incidents = world.incidents();
        score.add(seed, &incidents, &look(&world.trail(), DEFAULT_THRESHOLD));
    }
    score
}

#[test]
fn what_happened_is_found_and_little_else() {
    let score = score(401..=410);
    let recall = Score::part(score.incidents.values());
    let precision = Score::part(score.anomalies.values());
    assert!(recall >= 0.9 && precision >= 0.9, "{recall:.3} {precision:.3} {score:#?}");
}

#[test]
fn when_nothing_happens_nothing_is_found() {
    for seed in 401..=410 {
        let found = look(&World::quiet(seed, SMALL).trail(), DEFAULT_THRESHOLD);
        assert_eq!(found.baseline_days, 84);
        assert!(found.anomalies.items.is_empty(), "{seed}: {:#?}", found.anomalies);
    }
}

#[test]
fn of_ten_thousand_users_who_do_as_always_none_is_found() {
    let size = Size { users: 10_000, busiest: 3000, new_address: 150 };
    let found = look(&World::quiet(411, size).trail(), DEFAULT_THRESHOLD);
    assert!(found.anomalies.items.is_empty(), "{:#?}", found.anomalies);
}
