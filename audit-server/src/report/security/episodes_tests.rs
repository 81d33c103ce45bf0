use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;
use crate::fact::{ValueId, ValueKind};

/// First, last and number of attempts; begin, end and number of attempts of the fullest window, and how
/// much is in it.
type Figures = (i64, i64, usize, i64, i64, usize, u64);

fn size(logins: &[&Login], is_spraying: bool) -> u64 {
    let users: BTreeSet<Subject> = logins.iter().map(|login| login.user).collect();
    if is_spraying { users.len() as u64 } else { logins.len() as u64 }
}

/// Looks at each window by itself, and joins those that have an attempt in common.
fn naive(logins: &[Login], window: i64, least: u64, is_spraying: bool) -> Vec<Figures> {
    let within = |from: i64, to: i64| -> Vec<&Login> {
        logins.iter().filter(|login| (from..=to).contains(&login.at)).collect()
    };
    let mut joined: Vec<Vec<(i64, i64, u64)>> = Vec::new();
    let ends: BTreeSet<i64> = logins.iter().map(|login| login.at).collect();
    for end in ends {
        let inside = within(end - window, end);
        let size = size(&inside, is_spraying);
        if size < least {
            continue;
        }
        let begin = inside.iter().map(|login| login.at).min().unwrap();
        match joined.last_mut() {
            Some(last) if last.iter().any(|(_, end, _)| begin <= *end) => {
                last.push((begin, end, size));
            }
            _ => joined.push(vec![(begin, end, size)]),
        }
    }
    let figures = |windows: Vec<(i64, i64, u64)>| {
        let (first, last) = (windows[0].0, windows[windows.len() - 1].1);
        let most = windows.iter().map(|window| window.2).max().unwrap();
        let peak = windows.iter().find(|window| window.2 == most).unwrap();
        let inside = within(peak.0, peak.1).len();
        (first, last, within(first, last).len(), peak.0, peak.1, inside, peak.2)
    };
    joined.into_iter().map(figures).collect()
}

fn quick(logins: &[Login], window: i64, least: u64, is_spraying: bool) -> Vec<Figures> {
    let found = if is_spraying {
        episodes(logins, window, least, Users::default())
    } else {
        episodes(logins, window, least, Attempts::default())
    };
    let at = |place: &usize| logins[*place].at;
    let figures = |episode: Episode| {
        let Episode { attempts, peak, size } = episode;
        let count = attempts.end() - attempts.start() + 1;
        let inside = peak.end() - peak.start() + 1;
        let (begin, end) = (at(peak.start()), at(peak.end()));
        (at(attempts.start()), at(attempts.end()), count, begin, end, inside, size)
    };
    found.into_iter().map(figures).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn episodes_are_those_that_a_look_at_each_window_finds(
        gaps in prop::collection::vec((0_i64..6, 1_u32..6), 0..60),
        window in 0_i64..12, least in 1_u64..6, is_spraying: bool)
    {
        let mut at = 0;
        let logins: Vec<Login> = gaps
            .into_iter()
            .map(|(gap, user)| {
                at += gap;
                Login { at, user: user_of(user), ..login() }
            })
            .collect();
        prop_assert_eq!(
            quick(&logins, window, least, is_spraying),
            naive(&logins, window, least, is_spraying)
        );
    }
}

#[test]
fn a_window_reaches_as_far_as_it_is_long_and_not_further() {
    let logins = |last: i64| [0, 1, last].map(|at| Login { at, ..login() });
    assert_eq!(quick(&logins(10), 10, 3, false).len(), 1);
    assert_eq!(quick(&logins(11), 10, 3, false).len(), 0);
}

#[test]
fn attempts_of_one_moment_are_in_the_same_windows() {
    let users = [1, 2, 2].map(|user| Login { user: user_of(user), ..login() });
    assert_eq!(quick(&users, 10, 2, true), [(0, 0, 3, 0, 0, 3, 2)]);
}

#[test]
fn the_earliest_and_the_latest_times_are_no_trouble() {
    let logins = [i64::MIN, i64::MIN, i64::MAX].map(|at| Login { at, ..login() });
    assert_eq!(quick(&logins, 300, 2, false).len(), 1);
}

fn user_of(number: u32) -> Subject {
    Subject::new(ValueKind::User, ValueId(number))
}

fn login() -> Login {
    let address = Subject::new(ValueKind::Address, ValueId(1));
    Login { at: 0, user: user_of(1), name: Subject::NONE, address }
}
