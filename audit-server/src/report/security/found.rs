//! The episodes that were found, before they have names.

use std::ops::Range;

use audit_layer::record::format_timestamp;

use super::{
    AttemptWindow, BRUTE_FORCE_ATTEMPTS, BRUTE_FORCE_WINDOW, FollowingLogin, SPRAYING_USERS,
    SPRAYING_WINDOW, SUCCESS_WITHIN,
    episodes::{Attempts, Episode, Users, by_subject, episodes},
    logins::Login,
    subject::Subject,
};
use crate::{
    fact::{Legend, Texts},
    report::by_number::ByNumber,
};

/// An episode of one subject.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) subject: Subject,
    pub(super) attempts: u64,
    pub(super) users: u64,
    pub(super) addresses: u64,
    pub(super) first: i64,
    pub(super) last: i64,
    pub(super) peak: AttemptWindow,
    pub(super) login: Option<Login>,
}

impl Found {
    fn new(subject: Subject, logins: &[Login], episode: &Episode) -> Option<Self> {
        let attempts = logins.get(episode.attempts.clone())?;
        let peak = logins.get(episode.peak.clone())?;
        Some(Self {
            subject,
            attempts: attempts.len() as u64,
            users: distinct(attempts, |login| login.user),
            addresses: distinct(attempts, |login| login.address),
            first: attempts.first()?.at,
            last: attempts.last()?.at,
            peak: AttemptWindow {
                begin: format_timestamp(peak.first()?.at),
                end: format_timestamp(peak.last()?.at),
                attempts: peak.len() as u64,
                users: distinct(peak, |login| login.user),
            },
            login: None,
        })
    }

    /// The login that followed.
    pub(super) fn following(&self, texts: &mut dyn Texts) -> Option<FollowingLogin> {
        self.login.map(|login| FollowingLogin {
            at: format_timestamp(login.at),
            user: login.user.named(texts),
            member: login.user.is_some().then(|| login.user.member()),
            address: login.address.named(texts),
        })
    }
}

fn distinct(logins: &[Login], value: impl Fn(&Login) -> Subject) -> u64 {
    let values: ByNumber<Subject, ()> = logins
        .iter()
        .map(|login| (value(login), ()))
        .filter(|(value, ())| value.is_some())
        .collect();
    values.len() as u64
}

/// Brute force, of users and of addresses.
pub(super) fn brute_force(attempts: &mut [Login]) -> Vec<Found> {
    let window = micros(BRUTE_FORCE_WINDOW);
    let mut found = Vec::new();
    let mut look = |subject, logins: &[Login]| {
        if (logins.len() as u64) < BRUTE_FORCE_ATTEMPTS {
            return;
        }
        let episodes = episodes(logins, window, BRUTE_FORCE_ATTEMPTS, Attempts::default());
        found.extend(episodes.iter().filter_map(|episode| Found::new(subject, logins, episode)));
    };
    by_subject(attempts, |login| login.user, &mut look);
    by_subject(attempts, |login| login.address, &mut look);
    found
}

/// Spraying, of addresses.
pub(super) fn spraying(attempts: &mut [Login]) -> Vec<Found> {
    let window = micros(SPRAYING_WINDOW);
    let mut found = Vec::new();
    by_subject(
        attempts,
        |login| login.address,
        |address, logins| {
            let named: Vec<Login> =
                logins.iter().filter(|login| login.user.is_some()).copied().collect();
            if (named.len() as u64) < SPRAYING_USERS {
                return;
            }
            let episodes = episodes(&named, window, SPRAYING_USERS, Users::default());
            found.extend(episodes.iter().filter_map(|it| Found::new(address, &named, it)));
        },
    );
    found
}

/// Finds for each episode the first login that followed. Those of one subject must follow each other, in
/// the order of time.
pub(super) fn follow(found: &mut [Found], logins: &[Login], legend: &Legend) {
    let mut places = ByNumber::<Subject, Range<usize>>::default();
    for (place, episode) in found.iter().enumerate() {
        places.entry(episode.subject).or_insert(place..place).end = place + 1;
    }
    if places.is_empty() {
        return;
    }
    let within = micros(SUCCESS_WITHIN);
    // Numbers depend on what was met first, hashes do not.
    let order = |login: &Login| (login.at, login.user.hash(legend), login.address.hash(legend));
    for login in logins {
        for of in [login.user, login.name, login.address] {
            let Some(episodes) = places.get(&of).and_then(|range| found.get_mut(range.clone()))
            else {
                continue;
            };
            // Both the first and the last attempts of these are in order.
            let end = episodes.partition_point(|episode| episode.first < login.at);
            let begin = episodes.partition_point(|it| it.last.saturating_add(within) < login.at);
            for episode in episodes.get_mut(begin..end).unwrap_or_default() {
                if episode.login.is_none_or(|found| order(login) < order(&found)) {
                    episode.login = Some(*login);
                }
            }
        }
    }
}

fn micros(duration: std::time::Duration) -> i64 {
    i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)
}
