//! Single rules.

use proptest::prelude::*;

use super::{
    quality::look,
    world::{
        DAY, DAYS, HOUR, NOW, Numbers, Record, SMALL, Size, WINDOW_FROM, World, header, of_machine,
        window,
    },
};
use crate::fact::{Legend, MAX_CLASSES};
use crate::report::{
    Block,
    anomalies::{
        Anomalies, DEFAULT_THRESHOLD, Detector, MAX_ANOMALIES, MAX_THRESHOLD, MIN_THRESHOLD,
        Settings, anomaly::AnomalyKind,
    },
};

/// A house in which nobody ever comes from a new address.
const AT_HOME: Size = Size { users: 60, busiest: 4000, new_address: 0 };
const SOMEONE: usize = 20;

fn kinds(found: &Anomalies) -> Vec<AnomalyKind> {
    found.anomalies.items.iter().map(|anomaly| anomaly.kind).collect()
}

/// Signs someone in, two hours before the end.
fn sign_in(world: &mut World, user: u32, address: u32, at: i64) {
    world.push(Record { user, address, ..of_machine(at, "auth.login") });
}

#[test]
fn facts_in_whatever_order_and_pieces_give_the_same() {
    let mut world = World::quiet(1, SMALL);
    world.incidents();
    let trail = world.trail();
    let baseline_from = NOW - DAYS * DAY + 1;
    let look = |size: usize, backwards: bool| {
        let settings = Settings { window: window(), baseline_from, threshold: DEFAULT_THRESHOLD };
        let mut detector = Detector::new(settings);
        trail.fold(size, backwards, &mut detector);
        detector.finish(&trail.legend, &mut Numbers(&trail.legend), header())
    };
    let expected = look(1_000_000, false);
    assert!(expected.anomalies.total > 10);
    for (size, backwards) in [(1000, false), (777, true), (40, true)] {
        assert_eq!(look(size, backwards), expected, "{size} {backwards}");
    }
}

#[test]
fn classes_that_could_not_be_told_apart_are_not_new_and_that_is_told() {
    let look_with = |legend: Legend| {
        let mut world = World::quiet(1, SMALL);
        world.incidents();
        look(&world.trail_with(legend), DEFAULT_THRESHOLD)
    };
    let is_new = |found: &Anomalies| kinds(found).contains(&AnomalyKind::NewResource);
    assert!(is_new(&look_with(Legend::default())));
    // What someone uses first comes when there are too many.
    let mut before = World::quiet(1, SMALL);
    before.records.retain(|record| record.resource != "/vault/*");
    let mut full = before.trail().legend;
    for number in 0..MAX_CLASSES {
        full.class_number(&format!("/{number}"));
    }
    let found = look_with(full);
    assert!(!is_new(&found));
    assert!(found.left_out.iter().any(|told| told.contains("200000 classes")), "{found:#?}");
}

#[test]
fn a_first_address_is_told_where_nobody_changes_theirs() {
    let mut world = World::quiet(2, AT_HOME);
    let (person, address) = (world.people[SOMEONE].number, world.new_address());
    sign_in(&mut world, person, address, NOW - 2 * HOUR);
    let found = look(&world.trail(), DEFAULT_THRESHOLD);
    let [only] = &found.anomalies.items[..] else { panic!("{found:#?}") };
    assert_eq!((only.kind, only.count), (AnomalyKind::NewAddress, 1));
    assert_eq!(only.subject.ip_address, Some(format!("a{address}")));
    assert_eq!(only.subject.user_id, Some(format!("u{person}")));
}

#[test]
fn a_first_address_of_someone_who_has_one_each_week_is_none_but_of_others_there_it_is_one() {
    let mut world = World::quiet(2, AT_HOME);
    let person = world.people[SOMEONE].number;
    for week in 0..13 {
        let address = world.new_address();
        sign_in(&mut world, person, address, NOW - 2 * HOUR - week * 7 * DAY);
    }
    let (other, address) = (world.people[SOMEONE + 1].number, world.new_address());
    sign_in(&mut world, other, address, NOW - 3 * HOUR);
    let found = look(&world.trail(), DEFAULT_THRESHOLD);
    let [only] = &found.anomalies.items[..] else { panic!("{found:#?}") };
    assert_eq!(only.subject.user_id, Some(format!("u{other}")));
}

#[test]
fn a_spike_of_a_user_is_told_of_the_event_type_that_it_is_of_or_of_the_user_alone() {
    let spike = |types: &[&'static str]| {
        let mut world = World::quiet(9, SMALL);
        let user = world.people[100].number;
        for number in 0..150 {
            let event_type = types[number as usize % types.len()];
            let at = NOW - 20 * HOUR + number * 60_000_000;
            world.push(Record { user, ..of_machine(at, event_type) });
        }
        let found = look(&world.trail(), DEFAULT_THRESHOLD).anomalies.items;
        let of_user = found.into_iter().filter(|anomaly| {
            anomaly.subject.user_id.is_some() && anomaly.kind == AnomalyKind::VolumeSpike
        });
        of_user.map(|anomaly| anomaly.subject.event_type).collect::<Vec<_>>()
    };
    assert_eq!(spike(&["data.export"]), [Some("data.export".to_owned())]);
    let all = ["data.read", "data.access", "data.update", "data.create", "data.delete"];
    assert_eq!(spike(&all), [None]);
}

#[test]
fn someone_without_a_history_is_not_told_of_for_being_new() {
    let mut world = World::quiet(2, AT_HOME);
    for hours in 2..40 {
        let address = world.new_address();
        sign_in(&mut world, 5000, address, NOW - hours * HOUR);
    }
    let found = look(&world.trail(), DEFAULT_THRESHOLD);
    assert!(!kinds(&found).contains(&AnomalyKind::NewAddress), "{found:#?}");
}

#[test]
fn a_trail_that_falls_silent_is_told_once_and_not_for_each_event_type() {
    let mut world = World::quiet(3, SMALL);
    let silent = WINDOW_FROM + 30 * HOUR..WINDOW_FROM + 36 * HOUR;
    world.records.retain(|record| !silent.contains(&record.at));
    let found = look(&world.trail(), DEFAULT_THRESHOLD);
    let [only] = &found.anomalies.items[..] else { panic!("{found:#?}") };
    assert_eq!((only.kind, only.count), (AnomalyKind::Silence, 0));
    assert_eq!(only.subject, Default::default());
    assert_eq!(only.observed, "0");
}

#[test]
fn without_days_to_compare_with_nothing_is_found_and_that_is_said() {
    let mut world = World::quiet(4, AT_HOME);
    world.incidents_of_few();
    world.records.retain(|record| record.at > WINDOW_FROM - 13 * DAY + 5 * HOUR);
    let found = look(&world.trail(), DEFAULT_THRESHOLD);
    assert_eq!((found.anomalies.total, found.baseline_days), (0, 12));
    assert!(found.left_out[0].contains("12 whole days; 14 are needed"), "{found:#?}");
    let document = found.document();
    let said = |section: usize, text: &str| {
        document.sections[section].blocks.iter().any(|block| match block {
            Block::Text(said) => said.contains(text),
            Block::Pairs(pairs) => pairs.iter().any(|(_, cell)| cell.text.contains(text)),
            _ => false,
        })
    };
    assert!(said(1, "nothing could be looked for") && said(2, "14 are needed"), "{document:#?}");
}

#[test]
fn a_higher_threshold_finds_a_part_of_what_a_lower_one_finds() {
    let mut world = World::quiet(5, SMALL);
    world.incidents();
    let trail = world.trail();
    let mut before = usize::MAX;
    for threshold in [MIN_THRESHOLD, DEFAULT_THRESHOLD, 6.0, 12.0, MAX_THRESHOLD] {
        let found = look(&trail, threshold);
        let items = &found.anomalies.items;
        assert!(items.len() < before, "{threshold}: {} {before}", items.len());
        assert!(items.iter().all(|anomaly| anomaly.score >= threshold - 0.1));
        assert!(items.is_sorted_by(|one, next| one.score >= next.score));
        before = items.len();
    }
    assert_eq!(before, 0);
}

#[test]
fn more_than_can_be_listed_are_counted() {
    let mut world = World::quiet(6, SMALL);
    for number in 0..250 {
        for at in 0..30 {
            let failed = of_machine(NOW - 3 * HOUR + at * 1000, "auth.failed");
            let user = 10_000 + number;
            world.push(Record { status: "failure", user, ..failed });
        }
    }
    let found = look(&world.trail(), DEFAULT_THRESHOLD);
    assert_eq!(found.anomalies.items.len(), MAX_ANOMALIES);
    assert!(found.anomalies.total >= 250, "{}", found.anomalies.total);
}

#[test]
fn the_question_of_each_finding_shows_its_records() {
    use crate::query::{Query, View};
    let mut world = World::quiet(7, SMALL);
    world.incidents();
    let records = world.records.clone();
    let found = look(&world.trail(), DEFAULT_THRESHOLD);
    assert!(found.anomalies.items.len() > 10);
    for anomaly in &found.anomalies.items {
        Query::read(View::Combined, &anomaly.query).unwrap();
        let pairs: Vec<_> = form_urlencoded::parse(anomaly.query.as_bytes()).collect();
        let time = |text: &str| audit_layer::record::parse_timestamp(text).unwrap();
        let fulfils = |record: &&Record| {
            pairs.iter().all(|(name, value)| match &**name {
                "start_date" => record.at >= time(value),
                "end_date" => record.at <= time(value),
                "event_type" => record.event_type == value,
                "category" => record.event_type.starts_with(&format!("{value}.")),
                "user_id" => format!("u{}", record.user) == *value,
                "ip_address" => format!("a{}", record.address) == *value,
                "status" => record.status == value,
                "filter" if value.starts_with("resource = ") => {
                    let begins = value.trim_start_matches("resource = \"");
                    record.resource.starts_with(begins.trim_end_matches("*\""))
                }
                "filter" => value.contains(&format!("status = {:?}", record.status)),
                other => panic!("{other}"),
            })
        };
        let shown = records.iter().filter(fulfils).count();
        assert_eq!(shown as u64, anomaly.count, "{anomaly:#?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn no_window_and_no_threshold_makes_it_fail(
        from in prop_oneof![Just(i64::MIN), WINDOW_FROM - 40 * DAY..NOW, Just(NOW)],
        to in prop_oneof![Just(i64::MAX), WINDOW_FROM..NOW + DAY, Just(i64::MIN)],
        baseline_from in prop_oneof![Just(i64::MIN), NOW - 200 * DAY..NOW, Just(i64::MAX)],
        threshold in prop_oneof![Just(f64::NAN), Just(f64::INFINITY), -5.0..200.0])
    {
        let trail = World::quiet(8, Size { users: 6, busiest: 3000, new_address: 5 }).trail();
        let window = crate::filter::TimeRange { from, to };
        let mut detector = Detector::new(Settings { window, baseline_from, threshold });
        trail.fold(4096, false, &mut detector);
        let found = detector.finish(&trail.legend, &mut Numbers(&trail.legend), header());
        prop_assert!((MIN_THRESHOLD..=MAX_THRESHOLD).contains(&found.threshold));
        prop_assert_eq!(found.document().sections.len(), 3);
    }
}
