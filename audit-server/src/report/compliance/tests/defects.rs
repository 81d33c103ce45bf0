//! Trails that lack one thing: the controls that this concerns have a gap, and no others.

use super::*;

/// The controls that are not met, with how they stand.
fn unmet(trail: &Trail) -> Vec<(String, State)> {
    let report = trail.report();
    let unmet = controls(&report).filter(|(_, control)| control.state != State::Met);
    unmet.map(|(_, control)| (control.id.clone(), control.state)).collect()
}

#[track_caller]
fn has_gaps(trail: &Trail, ids: &[&str]) {
    let expected: Vec<_> = ids.iter().map(|id| ((*id).to_owned(), State::Gap)).collect();
    assert_eq!(unmet(trail), expected);
}

/// A trail that lacks nothing, and this record of a person besides.
fn whole_and(event_type: &str, members: Value) -> Trail {
    let mut trail = Trail::whole();
    trail.act(event_type, members);
    trail
}

#[test]
fn an_action_of_nobody_is_a_gap_and_is_counted() {
    let trail = whole_and("admin.action", json!({"user_id": null, "username": null}));
    has_gaps(&trail, &["10.2.1.2", "10.2.2", "A.8.15"]);
    let report = trail.report();
    let lack = report.lacking.iter().find(|lack| lack.control == "10.2.1.2").unwrap();
    assert_eq!((lack.lacking, lack.records, &*lack.member), (1, 7, "user_id or username"));
    let reason = &find(&report, "10.2.1.2").reason;
    assert_eq!(reason, "1 of 7 records lack user_id or username");
    // Who is known by name alone is known.
    has_gaps(&whole_and("admin.action", json!({"user_id": null})), &[]);
}

#[test]
fn a_member_that_is_required_and_missing_is_a_gap() {
    let flags = json!({"GDPR": true});
    let cases: [(&str, Value, &[&str]); 12] = [
        ("auth.login", json!({"status": null}), &["10.2.2"]),
        ("auth.login", json!({"ip_address": null}), &["10.2.2", "164.308(a)(5)(ii)(C)"]),
        ("data.update", json!({"resource": null}), &["10.2.2"]),
        // A login is of the service that its stream names.
        ("auth.login", json!({"resource": null}), &[]),
        ("admin.action", json!({"resource": null, "action": "drop"}), &["10.2.1.7", "10.2.2"]),
        ("security.intrusion", json!({"ip_address": null}), &["Art. 32", "10.2.1.4", "CC7.2"]),
        ("data.read", json!({"regulatory_flags": flags}), &["Art. 5(1)(c)", "Art. 15", "Art. 30"]),
        (
            "api.request",
            json!({"regulatory_flags": {"PCI-DSS": true}, "user_id": null, "username": null}),
            &["10.2.1.1"],
        ),
        (
            "api.request",
            json!({"regulatory_flags": {"PHI": true}, "user_id": null, "username": null}),
            &["164.312(b)"],
        ),
        (
            "financial.refund",
            json!({"correlation_id": "c", "details": {"currency": "EUR"}}),
            &["§404 financial records"],
        ),
        (
            "trade.decision",
            json!({"details": {"isin": "XX0000000000"}}),
            &["MiFIR Art. 25(1) orders"],
        ),
        ("admin.role_changed", json!({"resource": null}), &["§404 changes", "10.2.2", "CC8.1"]),
    ];
    for (event_type, members, gaps) in cases {
        has_gaps(&whole_and(event_type, members), gaps);
    }
}

#[test]
fn a_record_without_a_type_is_a_gap() {
    has_gaps(&whole_and("audit.event", json!({})), &["10.2.2"]);
}

#[test]
fn a_day_without_a_heartbeat_is_a_gap_and_is_named() {
    let day = NOW - 2 * DAY;
    let mut trail = Trail::whole();
    trail.without(|at, record| {
        at.div_euclid(DAY) == day.div_euclid(DAY) && record.event_type == "system.heartbeat"
    });
    has_gaps(&trail, &["10.2.1", "10.2.1.6", "CC7.2", "A.8.17", "RTS 25 Art. 1"]);
    let report = trail.report();
    assert_eq!(report.days.without_heartbeat, ["2026-09-19"]);
    assert_eq!((report.days.judged, report.days.without_records.len()), (3, 0));
    let reason = &find(&report, "A.8.17").reason;
    assert_eq!(reason, "1 of 3 days has no heartbeat: 2026-09-19");
}

#[test]
fn a_day_without_any_record_is_a_gap_and_is_named() {
    let mut trail = Trail::whole();
    trail.without(|at, _| at > NOW - 4 * DAY && at.div_euclid(DAY) != NOW.div_euclid(DAY));
    let heartbeats = ["10.2.1", "10.2.1.6", "164.312(b)", "CC7.2", "A.8.15", "A.8.17"];
    let gaps: Vec<_> = heartbeats.into_iter().chain(["RTS 25 Art. 1"]).collect();
    has_gaps(&trail, &gaps);
    let report = trail.report();
    let days = ["2026-09-18", "2026-09-19", "2026-09-20"];
    assert_eq!(
        (&report.days.without_records[..], report.days.judged),
        (&days.map(str::to_owned)[..], 3)
    );
    let reason = &find(&report, "A.8.15").reason;
    assert_eq!(reason, "3 of 3 days have no record, between 2026-09-18 and 2026-09-20");
}

#[test]
fn events_that_were_lost_are_a_gap_and_are_counted() {
    let gaps = [
        "§404 financial records",
        "Art. 5(1)(f)",
        "Art. 32",
        "10.2.1",
        "164.312(b)",
        "CC7.2",
        "A.8.15",
        "MiFIR Art. 25(1) orders",
    ];
    let mut trail = Trail::whole();
    let gap = |trail: &mut Trail, details: Value| {
        trail.push(
            NOW - MINUTE,
            "system.audit_gap",
            json!({"status": "failure", "details": details}),
        );
    };
    gap(&mut trail, json!({"cause": "overflow", "count": 40}));
    gap(&mut trail, json!({"cause": "damaged", "count": 2}));
    has_gaps(&trail, &gaps);
    let lost = trail.report().lost;
    assert_eq!((lost.records, lost.of_lost_events, lost.events), (2, 2, 42));
    assert!(lost.events_complete);

    gap(&mut trail, json!({"cause": "failure"}));
    let report = trail.report();
    assert!(!report.lost.events_complete && report.lost.of_lost_events == 3);
    assert!(find(&report, "10.2.1").reason.contains("at least 42 events"));
}

#[test]
fn what_a_sink_beside_the_trail_skipped_is_no_gap() {
    let mut trail = Trail::whole();
    let details = json!({"cause": "sink_behind", "sink": "redis", "count": 500});
    trail.push(NOW - MINUTE, "system.audit_gap", json!({"details": details}));
    has_gaps(&trail, &[]);
    let lost = trail.report().lost;
    assert_eq!((lost.records, lost.of_lost_events, lost.events), (1, 0, 0));
}

const OF_THE_CHAIN: [&str; 8] = [
    "§404 financial records",
    "§802",
    "Art. 5(1)(f)",
    "Art. 32",
    "10.3",
    "164.312(c)(1)",
    "A.8.15",
    "MiFIR Art. 25(1) orders",
];

#[test]
fn a_chain_with_a_fault_or_a_hole_is_a_gap() {
    let sentence = "record 7 of shop@h~aaaaaa was changed".to_owned();
    for (intact, faults, gaps) in [(Some(false), 1, 0), (Some(true), 0, 1), (None, 1, 0)] {
        let mut trail = Trail::whole();
        let sentence = sentence.clone();
        trail.chain = ChainVerdict { intact, faults, gaps, checked: 9, sentence, verdict: None };
        has_gaps(&trail, &OF_THE_CHAIN);
        assert!(find(&trail.report(), "10.3").reason.contains("record 7"));
    }
}

#[test]
fn a_chain_that_nobody_checked_is_no_pass() {
    for (intact, checked) in [(None, 9), (Some(true), 0)] {
        let mut trail = Trail::whole();
        trail.chain = ChainVerdict { intact, checked, ..ChainVerdict::default() };
        let expected = OF_THE_CHAIN.map(|id| (id.to_owned(), State::NoData));
        assert_eq!(unmet(&trail), expected);
    }
}

#[test]
fn what_is_wrong_outweighs_what_is_not_known_and_both_are_told() {
    let mut trail = Trail::whole();
    trail.chain = ChainVerdict::default();
    trail.push(NOW - MINUTE, "system.audit_trimmed", json!({"status": "failure"}));
    let report = trail.report();
    let control = find(&report, "10.3");
    let reason = "records of a sink that lost what it had: 1; \
                  whether the chain is intact is not known";
    assert_eq!((control.state, &*control.reason), (State::Gap, reason));
}

#[test]
fn a_trail_that_goes_back_less_than_demanded_is_a_gap() {
    let years = |years: i64| NOW - years * 366 * DAY;
    let mut trail = Trail::whole();
    for (first, gaps) in [
        (years(7), &[][..]),
        (years(6), &["§802"]),
        (years(4), &["§802", "MiFIR Art. 25(1) retention"]),
        (NOW - 365 * DAY + 1, &["§802", "10.5.1", "MiFIR Art. 25(1) retention"]),
        (NOW - 365 * DAY, &["§802", "MiFIR Art. 25(1) retention"]),
    ] {
        trail.goes_back_to(first);
        has_gaps(&trail, gaps);
    }
    trail.goes_back_to(NOW - 30 * DAY);
    let reason = |trail: &Trail| find(&trail.report(), "10.5.1").reason.clone();
    assert!(reason(&trail).starts_with("12 months are demanded: the trail goes back 30 days"));
    assert!(reason(&trail).contains("nothing was removed"));
    trail.header.retention.archived = 12;
    assert!(reason(&trail).contains("12 records were archived or removed"));
}

#[test]
fn a_single_record_of_long_ago_does_not_make_a_trail_go_back_so_far() {
    let reason = |trail: &Trail| find(&trail.report(), "10.5.1").reason.clone();
    let mut trail = Trail::whole();
    trail.goes_back_to(NOW - 100 * DAY);
    let alone = NOW - 9 * 366 * DAY;
    trail.push(alone, "auth.login", person());
    trail.header.retention.first_record = Some(format_timestamp(alone));
    has_gaps(&trail, &["§802", "10.5.1", "MiFIR Art. 25(1) retention"]);
    let told = format!(
        "12 months are demanded: the trail goes back 100 days, before which a month has no record, \
         though the first is of {}",
        format_timestamp(alone)
    );
    assert!(reason(&trail).starts_with(&told), "{}", reason(&trail));
    // Two months in which nothing was recorded, and all before them is there.
    trail = Trail::whole();
    trail.without(|at, _| (NOW - 200 * DAY..NOW - 140 * DAY).contains(&at));
    has_gaps(&trail, &["§802", "10.5.1", "MiFIR Art. 25(1) retention"]);
}

#[test]
fn months_without_records_within_the_window_are_no_retention() {
    let mut trail = Trail::whole();
    (trail.header.window, trail.range) = Window::before(NOW, 366);
    trail.without(|at, _| at < NOW - 10 * DAY);
    let alone = NOW - 9 * 366 * DAY;
    trail.push(alone, "auth.login", person());
    trail.header.retention.first_record = Some(format_timestamp(alone));
    let control = find(&trail.report(), "10.5.1").clone();
    assert_eq!(control.state, State::Gap);
    let told = "12 months are demanded: the trail goes back 3 days, before which a month has no";
    assert!(control.reason.starts_with(told), "{}", control.reason);
}

#[test]
fn days_that_are_yet_to_come_are_not_judged() {
    let mut trail = Trail::whole();
    let judged = trail.report().days.judged;
    trail.range.to += 5 * DAY;
    has_gaps(&trail, &[]);
    assert_eq!(trail.report().days.judged, judged);
}

#[test]
fn streams_that_were_not_looked_at_are_told_of_beside_what_was_removed() {
    let mut trail = Trail::whole();
    trail.header.retention.stream_count = 10_007;
    let reason = find(&trail.report(), "10.5.1").reason.clone();
    assert!(reason.ends_with("of the streams that were looked at; 7 more were not"), "{reason}");
}

#[test]
fn a_record_of_the_future_is_a_gap() {
    let mut trail = Trail::whole();
    trail.push(NOW + MINUTE, "system.heartbeat", json!({}));
    assert_eq!(trail.report().future_records, 0, "it may have been written since");
    trail.push(NOW + MINUTE + 1, "system.heartbeat", json!({}));
    has_gaps(&trail, &["10.2.2", "A.8.17", "RTS 25 Art. 1"]);
    assert_eq!(trail.report().future_records, 1);
}

#[test]
fn a_record_after_a_window_that_ended_long_ago_is_not_of_the_future() {
    let mut trail = Trail::whole();
    trail.header.generated_at = format_timestamp(NOW + DAY);
    trail.push(NOW + DAY, "system.heartbeat", json!({}));
    has_gaps(&trail, &[]);
    trail.push(NOW + DAY + MINUTE + 1, "system.heartbeat", json!({}));
    assert_eq!(trail.report().future_records, 1);
}

#[test]
fn a_clock_that_was_set_is_a_gap() {
    let mut trail = Trail::whole();
    trail.push(NOW - MINUTE, "system.clock_step", json!({"details": {"step_us": -3_000_000}}));
    has_gaps(&trail, &["A.8.17", "RTS 25 Art. 3"]);
}

#[test]
fn trading_that_was_imported_is_a_gap_of_the_clock() {
    let members = json!({
        "correlation_id": "c", "details": {"symbol": "ACME"},
        "observed_at": format_timestamp(NOW),
    });
    has_gaps(&whole_and("trade.executed", members), &["RTS 25 Art. 3"]);
}

#[test]
fn a_sink_that_lost_what_it_had_is_a_gap_and_rotation_is_none() {
    let mut trail = Trail::whole();
    trail.push(NOW - MINUTE, "system.audit_trimmed", json!({"status": "success"}));
    has_gaps(&trail, &[]);
    trail.push(NOW - MINUTE, "system.audit_trimmed", json!({"status": "failure"}));
    has_gaps(&trail, &["§802", "10.3"]);
}
