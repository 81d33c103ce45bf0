//! From what was counted to the report.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, HashMap},
};

use audit_layer::record::format_timestamp;

use super::{
    BRUTE_FORCE_ATTEMPTS, BRUTE_FORCE_WINDOW, BruteForce, BruteForceEpisode, Denials,
    DeniedResource, DeniedUser, EventTypeCount, MOST_RESOURCES, MOST_SUBJECTS, MOST_TYPES,
    Privileged, PrivilegedAction, PrivilegedType, SPRAYING_USERS, SPRAYING_WINDOW, SUCCESS_WITHIN,
    Security, SecurityReport, SecurityThresholds, SeverityCount, Spraying, SprayingEpisode,
    StatusCount,
    found::{self, Found},
    kinds::{Kinds, Meaning},
    subject::Subject,
    tally::{Seen, Values},
};
use crate::{
    fact::{KindId, Legend, Texts, WordId},
    report::{
        Header, Top,
        by_number::{Bounded, ByNumber},
        shortlist::shortlist,
    },
};

impl Security {
    /// The report, when all facts were taken.
    pub(crate) fn finish(
        self,
        legend: &Legend,
        texts: &mut dyn Texts,
        header: Header,
    ) -> SecurityReport {
        let (by_event_type, by_severity, by_status) = counts(&self.kinds, legend);
        let (mut attempts, attempts_since) = self.attempts.finish();
        let (logins, logins_since) = self.logins.finish();
        let mut brute = found::brute_force(&mut attempts);
        let mut spraying = found::spraying(&mut attempts);
        drop(attempts);
        found::follow(&mut brute, &logins, legend);
        found::follow(&mut spraying, &logins, legend);
        drop(logins);
        let brute_force = BruteForce {
            followed_by_login: followed(&brute),
            episodes: brute_force(brute, legend, texts),
        };
        let spraying = Spraying {
            followed_by_login: followed(&spraying),
            episodes: spraying_episodes(spraying, legend, texts),
        };
        let (hourly, hours_left_out) = self.hours.finish();
        SecurityReport {
            header,
            thresholds: thresholds(),
            by_event_type,
            by_severity,
            by_status,
            failed_logins: self.failed.finish(legend, texts),
            attempts_since: attempts_since.map(format_timestamp),
            logins_since: logins_since.map(format_timestamp),
            brute_force,
            spraying,
            lockouts: self.locked.finish(legend, texts),
            rate_limits: self.rate_limited.finish(legend, texts),
            blocked: self.blocked.finish(legend, texts),
            whitelist_violations: self.whitelist.finish(legend, texts),
            permission_denials: denials(self.denied, self.denied_resources, legend, texts),
            privileged_actions: privileged(&self.kinds, self.privileged, legend, texts),
            first_seen_addresses: self.pairs.finish(legend, texts),
            hourly,
            hours_left_out,
        }
    }
}

fn thresholds() -> SecurityThresholds {
    SecurityThresholds {
        brute_force_attempts: BRUTE_FORCE_ATTEMPTS,
        brute_force_window_seconds: BRUTE_FORCE_WINDOW.as_secs(),
        spraying_users: SPRAYING_USERS,
        spraying_window_seconds: SPRAYING_WINDOW.as_secs(),
        success_within_seconds: SUCCESS_WITHIN.as_secs(),
    }
}

/// By event type, severity and status.
fn counts(
    kinds: &Kinds,
    legend: &Legend,
) -> (Top<EventTypeCount>, Vec<SeverityCount>, Top<StatusCount>) {
    let (mut types, mut severities, mut statuses) =
        (BTreeMap::<&str, u64>::new(), BTreeMap::<&str, u64>::new(), BTreeMap::<&str, u64>::new());
    for (kind, count) in legend.kinds().iter().zip(kinds.counts()).filter(|(_, count)| *count > 0) {
        *types.entry(&kind.event_type).or_default() += count;
        *severities.entry(&kind.severity).or_default() += count;
        *statuses.entry(&kind.status).or_default() += count;
    }
    // Those that are equal stay in the order of their texts.
    let by_event_type = most(
        types,
        |(_, count)| *count,
        |(text, count)| EventTypeCount { event_type: text.to_owned(), count },
    );
    let mut by_severity: Vec<SeverityCount> = severities
        .into_iter()
        .map(|(text, count)| SeverityCount { severity: text.to_owned(), count })
        .collect();
    by_severity.sort_by_key(|item| gravity(&item.severity));
    let by_status = most(
        statuses,
        |(_, count)| *count,
        |(text, count)| StatusCount { status: (!text.is_empty()).then(|| text.to_owned()), count },
    );
    (by_event_type, by_severity, by_status)
}

/// The gravest first; a word that is no severity last.
/// The most frequent of them; of equals, in the order of their texts.
fn most<C, T>(
    counts: BTreeMap<&str, C>,
    count: impl Fn(&(&str, C)) -> u64,
    make: impl FnMut((&str, C)) -> T,
) -> Top<T>
where
    T: poem_openapi::types::ParseFromJSON + poem_openapi::types::ToJSON + Send + Sync,
{
    Top::by(counts.into_iter().collect(), MOST_TYPES, count, make)
}

fn gravity(severity: &str) -> usize {
    let order = ["critical", "error", "warning", "info", "debug"];
    order.iter().position(|known| *known == severity).unwrap_or(order.len())
}

fn followed(found: &[Found]) -> u64 {
    found.iter().filter(|episode| episode.login.is_some()).count() as u64
}

fn brute_force(
    found: Vec<Found>,
    legend: &Legend,
    texts: &mut dyn Texts,
) -> Top<BruteForceEpisode> {
    let (shown, total) = shortlist(
        found,
        MOST_SUBJECTS,
        |found| (Reverse(found.attempts), found.first, found.subject.member()),
        |found| found.subject.hash(legend),
        |found| found.subject.text(texts),
    );
    let items = shown.into_iter().map(|(found, subject)| BruteForceEpisode {
        subject: subject.into(),
        member: found.subject.member(),
        attempts: found.attempts,
        users: found.users,
        addresses: found.addresses,
        first: format_timestamp(found.first),
        last: format_timestamp(found.last),
        peak: found.peak.clone(),
        login: found.following(texts),
    });
    Top { items: items.collect(), total }
}

fn spraying_episodes(
    found: Vec<Found>,
    legend: &Legend,
    texts: &mut dyn Texts,
) -> Top<SprayingEpisode> {
    let (shown, total) = shortlist(
        found,
        MOST_SUBJECTS,
        |found| (Reverse(found.users), found.first),
        |found| found.subject.hash(legend),
        |found| found.subject.text(texts),
    );
    let items = shown.into_iter().map(|(found, address)| SprayingEpisode {
        address: address.into(),
        users: found.users,
        attempts: found.attempts,
        first: format_timestamp(found.first),
        last: format_timestamp(found.last),
        peak: found.peak.clone(),
        login: found.following(texts),
    });
    Top { items: items.collect(), total }
}

fn denials(
    denied: Values,
    resources: Bounded<(Subject, WordId), u64>,
    legend: &Legend,
    texts: &mut dyn Texts,
) -> Denials {
    let without_user = denied.without;
    let count = denied.seen.values().map(|seen| seen.count).sum::<u64>() + without_user;
    let (shown, total) = shortlist(
        denied.seen.into_iter().collect(),
        MOST_SUBJECTS,
        |(_, seen)| (Reverse(seen.count), seen.first),
        |(user, _)| user.hash(legend),
        |(user, _)| (user.text(texts), user.member()),
    );
    let named: ByNumber<Subject, ()> = shown.iter().map(|((user, _), _)| (*user, ())).collect();
    let mut by_user = resources.into_map().map(|resources| {
        let mut by_user = ByNumber::<Subject, Vec<(WordId, u64)>>::default();
        for ((user, resource), count) in resources {
            if named.contains_key(&user) {
                by_user.entry(user).or_default().push((resource, count));
            }
        }
        by_user
    });
    let items = shown.into_iter().map(|((user, seen), (name, member))| DeniedUser {
        user: name.into(),
        member,
        count: seen.count,
        first: format_timestamp(seen.first),
        last: format_timestamp(seen.last),
        resources: by_user.as_mut().map(|by_user| {
            Top::by(
                by_user.remove(&user).unwrap_or_default(),
                MOST_RESOURCES,
                |(resource, count)| (*count, Reverse(legend.word(*resource))),
                |(resource, count)| DeniedResource {
                    resource: resource.is_some().then(|| legend.word(resource).to_owned()),
                    count,
                },
            )
        }),
    });
    Denials { count, without_user, by_user: Top { items: items.collect(), total } }
}

fn privileged(
    kinds: &Kinds,
    by_user: Bounded<(KindId, Subject), Seen>,
    legend: &Legend,
    texts: &mut dyn Texts,
) -> Privileged {
    let mut types = BTreeMap::<&str, (u64, u64)>::new();
    for (kind, count) in legend.kinds().iter().zip(kinds.counts()) {
        if count > 0 && Meaning::of(kind).has(Meaning::PRIVILEGED) {
            let (all, failed) = types.entry(&kind.event_type).or_default();
            *all += count;
            *failed += if kind.failed() { count } else { 0 };
        }
    }
    let count = types.values().map(|(all, _)| all).sum();
    let by_event_type = most(
        types,
        |(_, (all, _))| *all,
        |(text, (count, failed))| PrivilegedType { event_type: text.to_owned(), count, failed },
    );
    let by_user = by_user.into_map().map(|by_user| {
        // Kinds that differ in status or severity are one type.
        let mut actions = HashMap::<(&str, Subject), (Seen, u64)>::new();
        for ((kind, user), seen) in by_user {
            let Some(kind) = legend.kinds().get(kind.index()) else { continue };
            let (all, failed) = actions.entry((&kind.event_type, user)).or_default();
            *failed += if kind.failed() { seen.count } else { 0 };
            all.join(seen);
        }
        let (shown, total) = shortlist(
            actions.into_iter().collect(),
            MOST_SUBJECTS,
            |(_, (seen, _))| (Reverse(seen.count), seen.first),
            |((event_type, user), _)| (*event_type, user.hash(legend)),
            |((event_type, user), _)| (*event_type, user.named(texts), user.member()),
        );
        let items = shown.into_iter().map(|((_, (seen, failed)), (event_type, user, member))| {
            PrivilegedAction {
                event_type: event_type.to_owned(),
                member: user.is_some().then_some(member),
                user,
                count: seen.count,
                failed,
                first: format_timestamp(seen.first),
                last: format_timestamp(seen.last),
            }
        });
        Top { items: items.collect(), total }
    });
    Privileged { count, by_event_type, by_user }
}
