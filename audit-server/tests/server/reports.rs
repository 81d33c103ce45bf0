//! Reports over HTTP: the same from the index and from the lines, in both forms, and well refused.
//!
//! What the figures must be is held against the records in the tests of each report, and against the
//! books of a generator in `query-bench`.

use std::{
    thread,
    time::{Duration, Instant},
};

use audit_layer::record::{Member, Severity, Value as Scalar};
use serde_json::Value;

use super::support::{Event, Fixture, Running, config_in, event};

const MINUTE: i64 = 60_000_000;

/// The day of the records, with which the windows end.
const END: &str = "end_date=2026-11-21";

fn kept(text: String) -> &'static str {
    text.leak()
}

/// A day with something of everything that reports tell of.
fn events() -> Vec<Event> {
    let mut events = Vec::new();
    for n in 0..600_i64 {
        let at = n * 2 * MINUTE;
        let user = kept(format!("u-{}", n % 13));
        let address = kept(format!("10.0.0.{}", n % 17));
        let by = |event: Event| event.set(Member::UserId, user).set(Member::IpAddress, address);
        events.push(by(event("auth.login", at).set(Member::Status, "success")));
        events
            .push(by(event("data.read", at + MINUTE)
                .set(Member::Resource, kept(format!("/accounts/{n}")))));
        let trade = |kind, at, n: i64| {
            event(kind, at)
                .set(Member::UserId, "agent-1")
                .set(Member::CorrelationId, kept(format!("t-{n}")))
                .with(|draft| {
                    for (name, text) in [
                        ("agent", "momentum"),
                        ("symbol", "ACME"),
                        ("side", "buy"),
                        ("quantity", "2.5"),
                        ("price", "100.10"),
                        ("currency", "EUR"),
                        ("confidence", "0.75"),
                    ] {
                        draft.details.push((name.into(), Scalar::Str(text)));
                    }
                })
        };
        events.push(trade("trade.decision", at, n));
        if n % 3 > 0 {
            events.push(trade("trade.executed", at + 1_500 + n, n));
        }
        if n % 50 == 0 {
            events.push(event("system.heartbeat", at));
            events.push(by(event("admin.role_changed", at).set(Member::Status, "success")));
            events.push(by(event("auth.permission_denied", at).set(Member::Status, "denied")));
            events
                .push(trade("risk.override", at, n).with(|draft| draft.severity = Severity::Error));
        }
    }
    for n in 0..40_i64 {
        let failed =
            event("auth.failed", 300 * MINUTE + n * 2_000_000).set(Member::Status, "failure");
        let user = kept(format!("u-{}", n % 8));
        events.push(failed.set(Member::UserId, user).set(Member::IpAddress, "203.0.113.9"));
    }
    events
}

const REPORTS: &[&str] = &[
    "/audit/reports/security?days=2",
    "/audit/reports/trading?days=2",
    "/audit/reports/trading?days=2&user_id=agent-1",
    "/audit/reports/compliance?days=2",
    "/audit/reports/compliance?days=2&regulations=SOX,PCI-DSS",
    "/audit/anomalies?lookback_days=1",
    "/audit/anomalies?lookback_days=1&threshold=2",
];

fn indexed(fixture: &Fixture, count: usize) {
    let start = Instant::now();
    loop {
        let detail = fixture.get("/health/detail").json();
        if detail["read_model"]["arrival"] == count {
            return;
        }
        assert!(start.elapsed() < Duration::from_secs(120), "{detail}");
        thread::sleep(Duration::from_millis(20));
    }
}

/// The report, without what differs from one making to the next.
fn report(fixture: &Fixture, path: &str) -> Value {
    let mut report = fixture.get(&format!("{path}&{END}")).ok();
    assert!(report["header"]["generated_at"].take().is_string(), "{path}");
    report
}

#[test]
fn reports_are_the_same_from_the_index_its_tail_and_the_lines_alone() {
    let (fixture, mut trail) = Fixture::with_trail(|_| {});
    let mut events = events();
    let late = events.split_off(events.len() - 100);
    let first = trail.write_all(events).len();
    indexed(&fixture, first);
    let all = first + trail.write_all(late).len();
    let behind: Vec<Value> = REPORTS.iter().map(|path| report(&fixture, path)).collect();
    indexed(&fixture, all);
    let led: Vec<Value> = REPORTS.iter().map(|path| report(&fixture, path)).collect();
    let mut config = config_in(fixture.directory.path());
    config.read_model = None;
    let without = Fixture { server: Running::start(config), ..fixture };
    for ((path, mut led), mut behind) in REPORTS.iter().zip(led).zip(behind) {
        let mut walked = report(&without, path);
        if path.contains("compliance") {
            // Only the read model follows the chain: what rests on it is not known without.
            assert_eq!(led["chain"]["intact"], true, "{path}");
            assert_eq!(walked["chain"]["intact"], Value::Null, "{path}");
            for report in [&mut led, &mut behind, &mut walked] {
                report["chain"].take();
                for regulation in report["regulations"].as_array_mut().unwrap() {
                    for count in ["met", "no_data"] {
                        regulation[count].take();
                    }
                    for control in regulation["controls"].as_array_mut().unwrap() {
                        control["state"].take();
                        control["reason"].take();
                    }
                }
            }
        }
        assert_eq!(led, walked, "{path}");
        assert_eq!(behind, walked, "{path}");
    }
}

#[test]
fn reports_say_what_the_records_say() {
    let (fixture, mut trail) = Fixture::with_trail(|_| {});
    trail.write_all(events());
    let security = report(&fixture, "/audit/reports/security?days=2");
    let text = security.to_string();
    assert_eq!(security["header"]["records"], 600 + 600 + 600 + 400 + 12 * 4 + 40);
    assert!(text.contains("203.0.113.9") && text.contains("\"u-7\""), "{text}");
    let trading = report(&fixture, "/audit/reports/trading?days=2");
    // 400 executions of 2.5 at 100.10.
    assert!(trading.to_string().contains("\"100100\""), "{trading}");
    assert_eq!(trading["header"]["window"]["days"], 2);
    let compliance = report(&fixture, "/audit/reports/compliance?days=2&regulations=pci-dss");
    assert_eq!(compliance["regulations"].as_array().unwrap().len(), 1);
}

#[test]
fn a_browser_gets_a_page_and_a_program_json() {
    let (fixture, mut trail) = Fixture::with_trail(|_| {});
    trail.write_all(events());
    for path in REPORTS {
        let path = format!("{path}&{END}");
        let page = fixture.get(&format!("{path}&format=html"));
        assert_eq!(page.status, 200, "{path}: {}", page.body);
        assert_eq!(page.header("content-type"), Some("text/html; charset=utf-8"));
        let policy = page.header("content-security-policy").unwrap();
        assert!(
            policy.contains("default-src 'none'") && policy.contains("style-src 'sha256-"),
            "{policy}"
        );
        assert!(
            page.body.starts_with("<!DOCTYPE html>") && !page.body.contains("<script"),
            "{path}"
        );
        let accept = |accept| {
            let headers = [("x-api-key", &*fixture.key), ("accept", accept)];
            fixture.server.send("GET", &path, &headers)
        };
        let of = |accepted| {
            let answer = accept(accepted);
            assert_eq!(answer.header("vary"), Some("accept"), "{path}");
            answer.header("content-type").unwrap().to_owned()
        };
        let browser = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8";
        assert_eq!(of(browser), "text/html; charset=utf-8");
        for other in
            ["application/json", "*/*", "text/html;q=0, */*", "application/json, text/html"]
        {
            assert_eq!(of(other), "application/json", "{other}");
        }
    }
}

#[test]
fn what_no_report_can_be_about_is_refused_by_name() {
    let (fixture, mut trail) = Fixture::with_trail(|_| {});
    trail.write_all([event("auth.login", 0)]);
    for (path, parameter) in [
        ("reports/security?days=0", "days"),
        ("reports/security?days=367", "days"),
        ("reports/security?days=x", "days"),
        ("reports/security?user_id=u", "user_id"),
        ("reports/security?days=1&days=1", "days"),
        ("reports/trading?user_id=", "user_id"),
        ("reports/trading?end_date=yesterday", "end_date"),
        ("reports/compliance?regulations=SOX,BASEL", "regulations"),
        ("reports/compliance?format=pdf", "format"),
        ("anomalies?threshold=0.5", "threshold"),
        ("anomalies?threshold=NaN", "threshold"),
        ("anomalies?days=7", "days"),
    ] {
        let problem = fixture.get(&format!("/audit/{path}")).problem(400);
        assert_eq!(problem["parameter"], parameter, "{path}");
    }
}

#[test]
fn an_empty_trail_has_reports_in_which_nothing_is_met() {
    let (fixture, _trail) = Fixture::with_trail(|_| {});
    for path in REPORTS {
        assert_eq!(report(&fixture, path)["header"]["records"], 0, "{path}");
    }
    let compliance = report(&fixture, "/audit/reports/compliance?days=2");
    for regulation in compliance["regulations"].as_array().unwrap() {
        assert_eq!(regulation["met"], 0, "{regulation}");
    }
}

#[test]
fn a_record_that_was_changed_before_it_arrived_breaks_the_verdict() {
    let (fixture, mut trail) = Fixture::with_trail(|_| {});
    trail.write(event("auth.login", 0));
    let sealed = trail.seal(event("auth.failed", MINUTE).set(Member::UserId, "u-1"));
    trail.store(&sealed.text.replace("u-1", "u-2"));
    trail.write(event("auth.login", 2 * MINUTE));
    indexed(&fixture, 3);
    let compliance = report(&fixture, "/audit/reports/compliance?days=1");
    let chain = &compliance["chain"];
    assert_eq!((&chain["intact"], &chain["faults"]), (&false.into(), &1.into()), "{chain}");
    assert_eq!(chain["verdict"]["faults"][0]["kind"], "changed");
}

#[test]
fn a_trail_that_was_cut_off_is_not_intact_although_its_chain_is() {
    let (fixture, mut trail) = Fixture::with_trail(|_| {});
    trail.write_all((0..20).map(|n| event("data.read", n * MINUTE)));
    indexed(&fixture, 20);
    trail.execute(
        "DROP TRIGGER audit_logs_keep_delete; DELETE FROM audit_logs WHERE arrival > 15;
         UPDATE audit_cursors SET seq = 15, hash = (SELECT substr(record, -66, 64) FROM audit_logs WHERE arrival = 15);",
    );
    let start = Instant::now();
    let chain = loop {
        let compliance = report(&fixture, "/audit/reports/compliance?days=1");
        let chain = compliance["chain"].clone();
        if chain["intact"] == false {
            break chain;
        }
        assert!(start.elapsed() < Duration::from_secs(120), "{chain}");
        thread::sleep(Duration::from_millis(50));
    };
    let told = chain["sentence"].as_str().unwrap();
    assert!(told.contains("had 20 records and ends at 15"), "{chain}");
    assert_eq!((&chain["faults"], &chain["gaps"]), (&0.into(), &0.into()), "{chain}");
}
