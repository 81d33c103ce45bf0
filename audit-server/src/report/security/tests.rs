//! The figures of a whole report, made a second time from the lines themselves: so it is one file, however
//! long.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::{
    fact::{Legend, testing::Lines},
    report::{
        Top,
        completeness::{assert_complete, header},
    },
};

const SECOND: i64 = 1_000_000;
const DAY: i64 = 86_400 * SECOND;

fn report_of(
    lines: &Lines,
    range: TimeRange,
    size: usize,
    mut security: Security,
) -> SecurityReport {
    let mut legend = Legend::default();
    lines.fold(range, size, &mut legend, &mut security);
    let before = TimeRange { from: i64::MIN, to: range.from - 1 };
    lines.fold(before, size, &mut legend, &mut security.earlier());
    let mut texts = lines.texts(&legend);
    security.finish(&legend, &mut texts, header())
}

fn report(lines: &Lines, range: TimeRange, size: usize) -> SecurityReport {
    let told = report_of(lines, range, size, Security::new(range));
    assert_eq!(told, report_of_known(lines, range, size));
    told
}

/// The same, from what is known of all that ever was.
fn report_of_known(lines: &Lines, range: TimeRange, size: usize) -> SecurityReport {
    let (mut legend, mut first_met) = (Legend::default(), FirstMet::default());
    let ever = TimeRange { from: i64::MIN, to: i64::MAX };
    lines.fold(ever, size, &mut legend, &mut first_met);
    assert!(first_met.is_complete());
    let mut security = Security::new(range);
    lines.fold(range, size, &mut legend, &mut security);
    security.know(&first_met);
    let mut texts = lines.texts(&legend);
    security.finish(&legend, &mut texts, header())
}

fn text(at: i64) -> String {
    audit_layer::record::format_timestamp(at)
}

/// A user or an address, with the member in which it stands.
type Named = (String, SubjectMember);

/// A record as the test sees it.
#[derive(Debug, Clone)]
struct Seen {
    at: i64,
    event_type: String,
    status: String,
    severity: String,
    user_id: Option<String>,
    /// Whom it counts for: by `user_id`, else by `username`.
    user: Option<Named>,
    /// The `username`, whatever else there is.
    name: Option<Named>,
    address: Option<String>,
    class: Option<String>,
}

fn seen(lines: &Lines) -> Vec<Seen> {
    let owned = |text: Option<&str>| text.filter(|text| !text.is_empty()).map(str::to_owned);
    let as_member = |member| move |text| (text, member);
    let seen = lines.all().map(|(at, record)| Seen {
        at,
        event_type: record.event_type.to_string(),
        status: record.status.as_deref().unwrap_or_default().to_owned(),
        severity: record.severity.to_string(),
        user_id: owned(record.user_id.as_deref()),
        user: owned(record.user_id.as_deref())
            .map(as_member(SubjectMember::UserId))
            .or(owned(record.username.as_deref()).map(as_member(SubjectMember::Username))),
        name: owned(record.username.as_deref()).map(as_member(SubjectMember::Username)),
        address: owned(record.ip_address.as_deref()),
        class: owned(record.resource.as_deref()).map(|text| text.replace("/7777", "/*")),
    });
    seen.collect()
}

impl Seen {
    fn from(&self) -> Option<Named> {
        self.address.clone().map(|address| (address, SubjectMember::IpAddress))
    }

    fn has_failed(&self) -> bool {
        ["failure", "denied", "error"].contains(&self.status.as_str())
    }

    fn is_failed_login(&self) -> bool {
        self.event_type == "auth.failed" || self.event_type == "auth.login" && self.has_failed()
    }

    fn is_login(&self) -> bool {
        self.event_type == "auth.login" && ["", "success"].contains(&self.status.as_str())
    }

    fn is_privileged(&self) -> bool {
        self.event_type.starts_with("admin.")
            || ["risk.override", "security.account_unlocked", "data.export", "data.secret_access"]
                .contains(&self.event_type.as_str())
    }
}

/// Groups by a key, in the order of a report: most first, then earliest, then by key.
fn grouped<'s, K: Ord + Clone>(
    all: impl Iterator<Item = &'s Seen>,
    key: impl Fn(&Seen) -> Option<K>,
) -> Vec<(K, Vec<&'s Seen>)> {
    let mut groups = BTreeMap::<K, Vec<&Seen>>::new();
    for seen in all {
        if let Some(key) = key(seen) {
            groups.entry(key).or_default().push(seen);
        }
    }
    let mut groups: Vec<_> = groups.into_iter().collect();
    groups.sort_by_key(|(_, group)| (std::cmp::Reverse(group.len()), span(group).0));
    groups
}

fn span(group: &[&Seen]) -> (i64, i64) {
    let times = || group.iter().map(|seen| seen.at);
    (times().min().unwrap(), times().max().unwrap())
}

fn counted<'s>(
    all: impl Iterator<Item = &'s Seen>,
    key: impl Fn(&Seen) -> Option<Named>,
) -> Top<Counted> {
    let groups = grouped(all, key);
    let total = groups.len() as u64;
    let items = groups.into_iter().take(50).map(|((name, member), group)| {
        let (first, last) = span(&group);
        Counted { name, member, count: group.len() as u64, first: text(first), last: text(last) }
    });
    Top { items: items.collect(), total }
}

fn incidents(all: &[Seen], is: impl Fn(&Seen) -> bool) -> Incidents {
    let those = || all.iter().filter(|seen| is(seen));
    Incidents {
        count: those().count() as u64,
        without_user: those().filter(|seen| seen.user.is_none()).count() as u64,
        without_address: those().filter(|seen| seen.address.is_none()).count() as u64,
        by_user: counted(those(), |seen| seen.user.clone()),
        by_address: counted(those(), Seen::from),
    }
}

/// The attempts of each episode, with its fullest window and how full that is: all windows looked at one by one.
type Episodes<'s> = Vec<(Vec<&'s Seen>, Vec<&'s Seen>, usize)>;

fn episodes<'s>(
    attempts: &[&'s Seen],
    window: i64,
    least: usize,
    size: impl Fn(&[&Seen]) -> usize,
) -> Episodes<'s> {
    let within = |from: i64, to: i64| -> Vec<&'s Seen> {
        attempts.iter().filter(|seen| (from..=to).contains(&seen.at)).copied().collect()
    };
    let ends: BTreeSet<i64> = attempts.iter().map(|seen| seen.at).collect();
    let hot = ends.into_iter().map(|end| within(end - window, end));
    let mut found: Episodes<'s> = Vec::new();
    for hot in hot.filter(|inside| size(inside) >= least) {
        let (begin, end) = span(&hot);
        match found.last_mut().filter(|(all, ..)| begin <= span(all).1) {
            Some((all, peak, most)) => {
                *all = within(span(all).0, end);
                if size(&hot) > *most {
                    (*peak, *most) = (hot.clone(), size(&hot));
                }
            }
            None => found.push((hot.clone(), hot.clone(), size(&hot))),
        }
    }
    found
}

fn distinct<K: Ord>(all: &[&Seen], key: impl Fn(&Seen) -> Option<K>) -> u64 {
    all.iter().filter_map(|seen| key(seen)).collect::<BTreeSet<_>>().len() as u64
}

fn peak(window: &[&Seen]) -> AttemptWindow {
    let (begin, end) = span(window);
    AttemptWindow {
        begin: text(begin),
        end: text(end),
        attempts: window.len() as u64,
        users: distinct(window, |seen| seen.user.clone()),
    }
}

/// When the first login followed that is of the episode's subject.
fn followed(all: &[Seen], episode: &[&Seen], is: impl Fn(&Seen) -> bool) -> Option<i64> {
    let (first, last) = span(episode);
    let logins = all.iter().filter(|seen| seen.is_login() && is(seen));
    logins.map(|seen| seen.at).filter(|at| *at > first && *at <= last + 3600 * SECOND).min()
}

/// Subject, attempts, users, addresses, first, last, peak, and the time of the login.
type BruteFigures = (Named, u64, u64, u64, String, String, AttemptWindow, Option<String>);

fn brute_force(all: &[Seen]) -> Vec<BruteFigures> {
    let mut found = Vec::new();
    let subjects: [fn(&Seen) -> Option<Named>; 2] = [|seen| seen.user.clone(), Seen::from];
    for subject in subjects {
        for (of, group) in grouped(all.iter().filter(|seen| seen.is_failed_login()), subject) {
            for (attempts, window, _) in episodes(&group, 300 * SECOND, 10, |inside| inside.len()) {
                let (first, last) = span(&attempts);
                let is = |seen: &Seen| {
                    [seen.user.clone(), seen.name.clone(), seen.from()].contains(&Some(of.clone()))
                };
                let login = followed(all, &attempts, is);
                let users = distinct(&attempts, |seen| seen.user.clone());
                let addresses = distinct(&attempts, |seen| seen.address.clone());
                let count = attempts.len() as u64;
                let (login, window) = (login.map(text), peak(&window));
                found.push((
                    (std::cmp::Reverse(count), first, of.1, of.0.clone()),
                    (of.clone(), count, users, addresses, text(first), text(last), window, login),
                ));
            }
        }
    }
    found.sort_by(|a, b| a.0.cmp(&b.0));
    found.into_iter().map(|(_, figures)| figures).take(50).collect()
}

fn brute_figures(report: &SecurityReport) -> Vec<BruteFigures> {
    let figures = |it: &BruteForceEpisode| {
        let login = it.login.as_ref().map(|login| login.at.clone());
        let (first, last, peak) = (it.first.clone(), it.last.clone(), it.peak.clone());
        let subject = (it.subject.clone(), it.member);
        (subject, it.attempts, it.users, it.addresses, first, last, peak, login)
    };
    report.brute_force.episodes.items.iter().map(figures).collect()
}

/// Address, users, attempts, first, last, peak, and the time of the login.
type SprayFigures = (String, u64, u64, String, String, AttemptWindow, Option<String>);

fn spraying(all: &[Seen]) -> Vec<SprayFigures> {
    let users = |seen: &[&Seen]| distinct(seen, |seen| seen.user.clone()) as usize;
    let failed = all.iter().filter(|seen| seen.is_failed_login() && seen.user.is_some());
    let mut found = Vec::new();
    for (address, group) in grouped(failed, |seen| seen.address.clone()) {
        for (attempts, window, _) in episodes(&group, 600 * SECOND, 5, users) {
            let (first, last) = span(&attempts);
            let login = followed(all, &attempts, |seen| seen.address.as_ref() == Some(&address));
            let (count, users) = (attempts.len() as u64, users(&attempts) as u64);
            let key = (std::cmp::Reverse(users), first, address.clone());
            let (first, last) = (text(first), text(last));
            let figures =
                (address.clone(), users, count, first, last, peak(&window), login.map(text));
            found.push((key, figures));
        }
    }
    found.sort_by(|a, b| a.0.cmp(&b.0));
    found.into_iter().map(|(_, figures)| figures).take(50).collect()
}

fn spray_figures(report: &SecurityReport) -> Vec<SprayFigures> {
    let figures = |it: &SprayingEpisode| {
        let login = it.login.as_ref().map(|login| login.at.clone());
        let (first, last, peak) = (it.first.clone(), it.last.clone(), it.peak.clone());
        (it.address.clone(), it.users, it.attempts, first, last, peak, login)
    };
    report.spraying.episodes.items.iter().map(figures).collect()
}

fn denials(all: &[Seen]) -> Denials {
    let those = || all.iter().filter(|seen| seen.event_type == "auth.permission_denied");
    let groups = grouped(those(), |seen| seen.user.clone());
    let total = groups.len() as u64;
    let items = groups.into_iter().take(50).map(|((user, member), group)| {
        let (first, last) = span(&group);
        let mut classes = BTreeMap::<Option<String>, u64>::new();
        group.iter().for_each(|seen| *classes.entry(seen.class.clone()).or_default() += 1);
        let total = classes.len() as u64;
        let mut items: Vec<_> = classes
            .into_iter()
            .map(|(resource, count)| DeniedResource { resource, count })
            .collect();
        items.sort_by_key(|item| std::cmp::Reverse(item.count));
        DeniedUser {
            user,
            member,
            count: group.len() as u64,
            first: text(first),
            last: text(last),
            resources: Some(Top { items, total }),
        }
    });
    Denials {
        count: those().count() as u64,
        without_user: those().filter(|seen| seen.user.is_none()).count() as u64,
        by_user: Top { items: items.collect(), total },
    }
}

fn privileged(all: &[Seen]) -> Privileged {
    let those = || all.iter().filter(|seen| seen.is_privileged());
    let failed = |group: &[&Seen]| group.iter().filter(|seen| seen.has_failed()).count() as u64;
    let mut types = BTreeMap::<String, Vec<&Seen>>::new();
    those().for_each(|seen| types.entry(seen.event_type.clone()).or_default().push(seen));
    let mut by_event_type: Vec<PrivilegedType> = types
        .into_iter()
        .map(|(event_type, group)| PrivilegedType {
            event_type,
            count: group.len() as u64,
            failed: failed(&group),
        })
        .collect();
    by_event_type.sort_by_key(|item| std::cmp::Reverse(item.count));
    let groups = grouped(those(), |seen| Some((seen.event_type.clone(), seen.user.clone())));
    let total = groups.len() as u64;
    let items = groups.into_iter().take(50).map(|((event_type, user), group)| {
        let (first, last) = span(&group);
        let (count, failed) = (group.len() as u64, failed(&group));
        let (first, last) = (text(first), text(last));
        let (user, member) = user.unzip();
        PrivilegedAction { event_type, user, member, count, failed, first, last }
    });
    let by_user = Some(Top { items: items.collect(), total });
    let total = by_event_type.len() as u64;
    let by_event_type = Top { items: by_event_type, total };
    Privileged { count: those().count() as u64, by_event_type, by_user }
}

fn first_seen(all: &[Seen], earlier: &[Seen]) -> FirstSeen {
    let had = |user: &Option<String>| earlier.iter().any(|seen| seen.user_id == *user);
    let both = |seen: &Seen| seen.user_id.clone().zip(seen.address.clone());
    let mut groups = grouped(
        all.iter().filter(|seen| {
            let known =
                |before: &Seen| before.user_id == seen.user_id && before.address == seen.address;
            had(&seen.user_id) && !earlier.iter().any(known)
        }),
        both,
    );
    groups.sort_by(|(a, x), (b, y)| (span(y).0, a).cmp(&(span(x).0, b)));
    let total = groups.len() as u64;
    let items = groups.into_iter().take(50).map(|((user, address), group)| {
        let (first, last) = span(&group);
        let count = group.len() as u64;
        NewAddress { user, address, count, first: text(first), last: text(last) }
    });
    let new: BTreeSet<_> = all
        .iter()
        .filter(|seen| seen.address.is_some() && seen.user_id.is_some() && !had(&seen.user_id))
        .map(|seen| seen.user_id.clone())
        .collect();
    FirstSeen {
        addresses: Some(Top { items: items.collect(), total }),
        new_users: Some(new.len() as u64),
    }
}

fn hourly(all: &[Seen], range: TimeRange) -> Vec<Hour> {
    let hour = 3600 * SECOND;
    let mut hours = Vec::new();
    let mut begin = range.from - range.from.rem_euclid(hour);
    while begin <= range.to {
        let inside = || all.iter().filter(|seen| (begin..begin + hour).contains(&seen.at));
        let security = inside().filter(|seen| seen.event_type.starts_with("security."));
        hours.push(Hour {
            hour: text(begin),
            records: inside().count() as u64,
            failed_logins: inside().filter(|seen| seen.is_failed_login()).count() as u64,
            security_events: security.count() as u64,
        });
        begin += hour;
    }
    hours
}

fn sorted_counts(all: &[Seen], key: impl Fn(&Seen) -> String) -> Vec<(String, u64)> {
    let mut counts = BTreeMap::<String, u64>::new();
    all.iter().for_each(|seen| *counts.entry(key(seen)).or_default() += 1);
    let mut counts: Vec<_> = counts.into_iter().collect();
    counts.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    counts
}

fn is(event_type: &str) -> impl Fn(&Seen) -> bool {
    move |seen| seen.event_type == event_type
}

fn compare(lines: &Lines, range: TimeRange, report: &SecurityReport) {
    let (mut all, mut earlier) = (seen(lines), seen(lines));
    all.retain(|seen| range.contains(seen.at));
    earlier.retain(|seen| seen.at < range.from);

    let of_type = |it: &EventTypeCount| (it.event_type.clone(), it.count);
    let by_type: Vec<_> = report.by_event_type.items.iter().map(of_type).collect();
    assert_eq!(by_type, sorted_counts(&all, |seen| seen.event_type.clone()));
    let of_status = |it: &StatusCount| (it.status.clone().unwrap_or_default(), it.count);
    let by_status: Vec<_> = report.by_status.items.iter().map(of_status).collect();
    assert_eq!(by_status, sorted_counts(&all, |seen| seen.status.clone()));
    let mut severities = sorted_counts(&all, |seen| seen.severity.clone());
    severities.sort_by_key(|(severity, _)| {
        ["critical", "error", "warning", "info"].iter().position(|known| known == severity)
    });
    let of_severity = |it: &SeverityCount| (it.severity.clone(), it.count);
    let by_severity: Vec<_> = report.by_severity.iter().map(of_severity).collect();
    assert_eq!(by_severity, severities);

    assert_eq!(report.failed_logins, incidents(&all, |seen| seen.is_failed_login()));
    assert_eq!(report.lockouts, incidents(&all, is("security.account_locked")));
    assert_eq!(report.rate_limits, incidents(&all, is("security.rate_limited")));
    assert_eq!(report.blocked, incidents(&all, is("security.ip_blocked")));
    assert_eq!(report.whitelist_violations, incidents(&all, is("security.ip_whitelist_violation")));
    assert_eq!(brute_figures(report), brute_force(&all));
    assert_eq!(spray_figures(report), spraying(&all));
    assert_eq!(report.permission_denials, denials(&all));
    assert_eq!(report.privileged_actions, privileged(&all));
    assert_eq!(report.first_seen_addresses, first_seen(&all, &earlier));
    assert_eq!(report.hourly, hourly(&all, range));
    let follow = brute_force(&all).iter().filter(|figures| figures.7.is_some()).count();
    if report.brute_force.episodes.total <= 50 {
        assert_eq!(report.brute_force.followed_by_login, follow as u64);
    }
}

const TYPES: [&str; 14] = [
    "auth.login",
    "auth.permission_denied",
    "auth.permission_granted",
    "security.account_locked",
    "security.account_unlocked",
    "security.rate_limited",
    "security.ip_blocked",
    "security.ip_whitelist_violation",
    "admin.action",
    "data.export",
    "data.secret_access",
    "data.read",
    "risk.override",
    "trade.executed",
];

/// Gap before it in seconds, event type, status, severity, user and name, address, resource.
type Made = (i64, &'static str, &'static str, &'static str, (u8, u8), u8, u8);

fn made() -> impl Strategy<Value = Made> {
    let event_type = prop_oneof![
        3 => Just("auth.failed"),
        1 => Just("auth.login"),
        2 => prop::sample::select(TYPES.to_vec()),
    ];
    let gap = prop_oneof![6 => 0_i64..40, 1 => 0_i64..400, 1 => 0_i64..5000];
    let status = prop::sample::select(vec!["", "success", "failure", "denied", "error", "pending"]);
    let severity = prop::sample::select(vec!["info", "warning", "error", "critical"]);
    (gap, event_type, status, severity, (0..7_u8, 0..5_u8), 0..4_u8, 0..4_u8)
}

fn lines(made: &[Made]) -> (Lines, i64) {
    let (mut lines, mut at) = (Lines::default(), 100 * DAY);
    for (gap, event_type, status, severity, (user, name), address, resource) in made {
        at += gap * SECOND;
        let mut members = json!({ "severity": severity });
        let mut set = |name: &str, value: String, is: bool| {
            if is {
                members[name] = Value::from(value);
            }
        };
        set("status", (*status).to_owned(), !status.is_empty());
        set("user_id", format!("u-{user}"), *user > 0);
        // The names are those that users have as ids, too.
        set("username", format!("u-{name}"), *name > 1);
        set("ip_address", format!("192.0.2.{address}"), *address > 0);
        set("resource", format!("/accounts/{}", "x".repeat((*resource).into())), *resource > 1);
        set("resource", "/orders/7777".to_owned(), *resource == 1);
        lines.push(at, event_type, members);
    }
    (lines, at)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(192))]

    #[test]
    fn the_figures_are_those_that_the_records_give(
        made in prop::collection::vec(made(), 0..160), share in 0_i64..=4, size in 1_usize..40)
    {
        let (lines, end) = lines(&made);
        // A part of them, mostly the latter, is in the window.
        let begin = 100 * DAY + (end - 100 * DAY) * share / 8;
        let range = TimeRange { from: begin, to: end - share * SECOND };
        compare(&lines, range, &report(&lines, range, size));
    }

    #[test]
    fn the_calls_in_which_facts_come_change_nothing(
        made in prop::collection::vec(made(), 0..160), size in 1_usize..20)
    {
        let (lines, end) = lines(&made);
        let range = TimeRange { from: 100 * DAY + 600 * SECOND, to: end };
        prop_assert_eq!(report(&lines, range, size), report(&lines, range, 1000));
    }

    #[test]
    fn bounds_leave_the_same_out_whatever_the_calls(
        made in prop::collection::vec(made(), 0..160), size in 1_usize..20, most in 0_usize..12)
    {
        let (lines, end) = lines(&made);
        let range = TimeRange { from: 100 * DAY + 600 * SECOND, to: end };
        let bounded = |size| report_of(&lines, range, size, Security::with_most(range, most, most));
        prop_assert_eq!(bounded(size), bounded(1000));
    }
}

fn failed(lines: &mut Lines, at: i64, user: &str, address: &str) {
    lines.push(
        at,
        "auth.failed",
        json!({ "status": "failure", "user_id": user, "ip_address": address }),
    );
}

#[test]
fn ten_failures_within_five_minutes_are_brute_force_and_nine_are_not() {
    let range = TimeRange { from: 0, to: DAY };
    for (apart, count, expected) in [(300, 10, 1), (300, 9, 0), (301, 10, 0)] {
        let mut lines = Lines::default();
        (0..count - 1)
            .for_each(|at| failed(&mut lines, at * SECOND, "ann", &format!("10.0.0.{at}")));
        failed(&mut lines, apart * SECOND, "ann", "10.0.1.1");
        let login = json!({ "status": "success", "user_id": "ann", "ip_address": "10.9.9.9" });
        lines.push((apart + 3600) * SECOND, "auth.login", login);
        let report = report(&lines, range, 4);
        assert_eq!(report.brute_force.episodes.total, expected, "{apart} {count}");
        if let [episode] = &report.brute_force.episodes.items[..] {
            assert_eq!((episode.member, &*episode.subject), (SubjectMember::UserId, "ann"));
            assert_eq!((episode.attempts, episode.users, episode.addresses), (10, 1, 10));
            let login = episode.login.as_ref().unwrap();
            assert_eq!(login.address.as_deref(), Some("10.9.9.9"));
            assert_eq!(report.brute_force.followed_by_login, 1);
        }
    }
}

/// A failed login that names no user: with the name that was typed, if any.
fn failed_by_name(lines: &mut Lines, at: i64, name: &str, address: &str) {
    lines.push(
        at,
        "auth.failed",
        json!({ "status": "failure", "username": name, "ip_address": address }),
    );
}

#[test]
fn names_that_were_typed_are_users_when_there_is_no_other() {
    let mut lines = Lines::default();
    for guess in 0..12 {
        failed_by_name(&mut lines, guess * SECOND, &format!("guess-{guess}"), "203.0.113.9");
        failed_by_name(&mut lines, guess * SECOND, "ann", &format!("198.51.100.{guess}"));
        // Another's id is not her name.
        failed(&mut lines, (1000 + guess) * SECOND, "ann", "");
    }
    failed_by_name(&mut lines, 5000 * SECOND, "", "");
    let login = json!({ "status": "success", "user_id": "u-7", "username": "ann", "ip_address": "10.0.0.1" });
    lines.push(60 * SECOND, "auth.login", login);
    let report = report(&lines, TimeRange { from: 0, to: DAY }, 5);
    let [sprayed] = &report.spraying.episodes.items[..] else { panic!("{:?}", report.spraying) };
    assert_eq!((&*sprayed.address, sprayed.users), ("203.0.113.9", 12));
    let of_ann = report.brute_force.episodes.items.iter().filter(|it| it.subject == "ann");
    let of_ann: Vec<_> = of_ann
        .map(|it| (it.member, it.addresses, it.login.as_ref().map(|login| login.user.clone())))
        .collect();
    let by_name = (SubjectMember::Username, 12, Some(Some("u-7".to_owned())));
    let by_id = (SubjectMember::UserId, 0, None);
    assert!(
        of_ann.len() == 2 && of_ann.contains(&by_name) && of_ann.contains(&by_id),
        "{of_ann:?}"
    );
    assert_eq!(report.failed_logins.without_user, 1);
    assert_eq!(report.failed_logins.by_user.total, 14);
}

#[test]
fn a_login_an_hour_and_a_moment_later_did_not_follow() {
    let mut lines = Lines::default();
    (0..10).for_each(|at| failed(&mut lines, at * SECOND, "ann", "10.0.0.1"));
    lines.push(3609 * SECOND + 1, "auth.login", json!({ "status": "success", "user_id": "ann" }));
    let report = report(&lines, TimeRange { from: 0, to: DAY }, 100);
    assert_eq!(report.brute_force.episodes.total, 2);
    assert!(report.brute_force.episodes.items.iter().all(|episode| episode.login.is_none()));
}

#[test]
fn one_address_that_tries_five_users_sprays() {
    let mut lines = Lines::default();
    for user in 0..5 {
        failed(&mut lines, user * 150 * SECOND, &format!("u-{user}"), "10.0.0.1");
        failed(&mut lines, user * 150 * SECOND, "u-9", &format!("10.0.0.{}", user + 2));
    }
    let report = report(&lines, TimeRange { from: 0, to: DAY }, 3);
    assert_eq!(report.brute_force.episodes.total, 0);
    let [episode] = &report.spraying.episodes.items[..] else { panic!("{:?}", report.spraying) };
    assert_eq!((&*episode.address, episode.users), ("10.0.0.1", 5));
    assert_eq!((&episode.peak.begin, &episode.peak.end), (&text(0), &text(600 * SECOND)));
}

#[test]
fn of_equals_that_do_not_all_fit_those_with_the_least_texts_are_listed() {
    let mut lines = Lines::default();
    for user in (0..80).rev() {
        failed(&mut lines, 7, &format!("u-{user:02}"), "10.0.0.1");
    }
    let report = report(&lines, TimeRange { from: 0, to: DAY }, 7);
    let users = report.failed_logins.by_user;
    let expected: Vec<String> = (0..50).map(|user| format!("u-{user:02}")).collect();
    assert_eq!(users.items.iter().map(|it| it.name.clone()).collect::<Vec<_>>(), expected);
    assert_eq!(users.total, 80);
    assert_eq!(users.note(), "the first 50 of 80");
}

#[test]
fn what_was_left_out_is_told() {
    let mut lines = Lines::default();
    (0..12).for_each(|at| failed(&mut lines, at * SECOND, "ann", &format!("10.0.0.{at}")));
    let range = TimeRange { from: 0, to: DAY };
    let report = report_of(&lines, range, 5, Security::with_most(range, 5, 5));
    // The sixth latest was left out, so whatever came after it was looked at.
    assert_eq!(report.attempts_since, Some(text(6 * SECOND + 1)));
    assert_eq!(report.first_seen_addresses.addresses, None);
    assert_eq!(report.failed_logins.count, 12);
    assert_eq!(report.brute_force.episodes.total, 0);
}

#[test]
fn the_document_has_whatever_the_json_has() {
    let mut made: Vec<Made> = vec![(0, "data.read", "", "info", (1, 0), 1, 0)];
    made.extend((0..13).map(|at| (at, "auth.failed", "failure", "warning", (1, 0), 2, 0)));
    made.extend(
        (0..6).map(|at| (at * 3, "auth.failed", "failure", "error", (0, at as u8 + 2), 3, 0)),
    );
    made.push((5, "auth.login", "success", "info", (1, 0), 2, 0));
    made.push((5, "data.read", "success", "info", (1, 0), 3, 0));
    made.push((5, "auth.login", "success", "info", (5, 0), 3, 0));
    made.extend(TYPES.map(|event_type| (1, event_type, "denied", "critical", (2, 0), 1, 2)));
    let (lines, to) = lines(&made);
    let report = report(&lines, TimeRange { from: 100 * DAY + SECOND, to }, 100);
    assert!(report.brute_force.episodes.total > 0 && report.spraying.episodes.total > 0);
    assert!(report.first_seen_addresses.addresses.as_ref().unwrap().total > 0);
    assert_complete(&report, &report.document());
}
