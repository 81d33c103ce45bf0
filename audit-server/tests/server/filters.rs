//! Each filter, on records that differ in that member.

use audit_layer::record::{Member, Severity, Value};

use super::support::{Event, Fixture, Trail, event};

const HOUR: i64 = 3_600_000_000;

/// The query with those characters escaped that may not stand in an address.
fn escaped(query: &str) -> String {
    query.replace('<', "%3C").replace('>', "%3E").replace('"', "%22").replace('ü', "%C3%BC")
}

fn named(event: Event, message: &'static str) -> Event {
    event.set(Member::Message, message)
}

fn write(trail: &mut Trail) {
    let login = event("auth.login", HOUR)
        .set(Member::Status, "success")
        .set(Member::Action, "login")
        .set(Member::UserId, "u-1")
        .set(Member::Username, "john.doe")
        .set(Member::IpAddress, "192.168.1.1")
        .set(Member::RequestId, "req 1&2")
        .set(Member::CorrelationId, "c-1")
        .set(Member::SessionId, "s-1")
        .set(Member::Resource, "/accounts/42")
        .set(Member::Tenant, "acme")
        .set(Member::DataClassification, "restricted");
    trail.write(named(login, "login"));
    let failed = event("auth.failed", 2 * HOUR).with(|draft| {
        draft.level = "WARN";
        draft.severity = Severity::Warning;
        draft.regulatory_flags = vec![("SOX".into(), Value::Bool(true))];
    });
    trail.write(named(failed.set(Member::Status, "failure"), "failed"));
    let transfer = event("financial.transfer", 23 * HOUR + HOUR / 2).with(|draft| {
        draft.severity = Severity::Critical;
        draft.regulatory_flags = vec![("SOX".into(), Value::Bool(false))];
    });
    trail.write(named(transfer.set(Member::Status, "denied"), "transfer"));
    trail.write(named(event("authx.other", 25 * HOUR), "other"));
}

#[test]
fn each_filter_finds_what_it_names_and_nothing_else() {
    let (fixture, mut trail) = Fixture::with_trail(|_| {});
    write(&mut trail);
    let all = ["other", "transfer", "failed", "login"];
    let cases: &[(&str, &[&str])] = &[
        ("", &all),
        ("event_type=auth.login", &["login"]),
        ("event_type=auth.*", &["failed", "login"]),
        ("event_type=financial.*&event_type=auth.failed", &["transfer", "failed"]),
        ("event_type=auth.nothing", &[]),
        ("category=auth", &["failed", "login"]),
        ("severity=debug", &all),
        ("severity=warning", &["transfer", "failed"]),
        ("severity=critical", &["transfer"]),
        ("level=warn", &["failed"]),
        ("level=INFO", &["other", "transfer", "login"]),
        ("status=denied", &["transfer"]),
        ("action=login", &["login"]),
        ("user_id=u-1", &["login"]),
        ("user_id=u", &[]),
        ("username=john.doe", &["login"]),
        ("ip_address=192.168.1.1", &["login"]),
        ("request_id=req+1%262", &["login"]),
        ("correlation_id=c-1", &["login"]),
        ("session_id=s-1", &["login"]),
        ("resource=/accounts/42", &["login"]),
        ("tenant=acme", &["login"]),
        ("data_classification=restricted", &["login"]),
        ("data_classification=public", &[]),
        ("data_classification>=confidential", &["login"]),
        ("severity<warning", &["other", "login"]),
        ("severity!=warning", &["other", "transfer", "login"]),
        ("regulation=SOX", &["failed"]),
        ("regulation=GDPR", &[]),
        ("start_date=2026-11-22", &["other"]),
        ("end_date=2026-11-21", &["transfer", "failed", "login"]),
        ("end_date=2026-11-20", &[]),
        ("start_date=2026-11-21&end_date=2026-11-21", &["transfer", "failed", "login"]),
        ("start_date=2026-11-21T02:00:00Z&end_date=2026-11-21T02:00:00Z", &["failed"]),
        ("start_date=2026-11-21T03:00:00%2B01:00&end_date=2026-11-21T03:00:00+01:00", &["failed"]),
        ("start_date=2026-11-21T02:00:00.000001Z&end_date=2026-11-21", &["transfer"]),
        ("category=auth&status=failure&severity=warning", &["failed"]),
        ("category=auth&status=denied", &[]),
        ("order=asc&category=auth", &["login", "failed"]),
        ("order=arrival&end_date=2026-11-21", &["login", "failed", "transfer"]),
        ("limit=2", &["other", "transfer"]),
    ];
    for (query, expected) in cases {
        let query = escaped(query);
        assert_eq!(fixture.messages(&format!("/audit/logs?{query}")), *expected, "{query}");
        assert_eq!(fixture.messages(&format!("/api/audit/logs?{query}")), *expected, "{query}");
    }
}

/// Trades that differ in their amounts, and one record without a status or an amount.
fn write_trades(trail: &mut Trail) {
    let amounts = [
        ("tiny", Value::Str("0.10000000000000000000000001"), 5),
        ("ten", Value::Str("10.00"), 900),
        ("number", Value::U64(11), 1_000),
        ("huge", Value::Str("9007199254740993"), 1_001),
        ("text", Value::Str("ten"), 60_000),
    ];
    for (at, (message, amount, took)) in amounts.into_iter().enumerate() {
        let trade = event("trade.executed", at as i64).with(|draft| {
            draft.details =
                vec![("amount".into(), amount), ("http.method".into(), Value::Str("GET"))];
            draft.duration_us = Some(took);
        });
        let status = if at == 1 { "failure" } else { "success" };
        trail.write(named(trade.set(Member::Status, status), message));
    }
    trail.write(named(event("auth.logout", 5), "logout of user-42"));
}

#[test]
fn conditions_compare_negate_and_search() {
    let (fixture, mut trail) = Fixture::with_trail(|_| {});
    write_trades(&mut trail);
    let logout = "logout of user-42";
    let cases: &[(&str, &[&str])] = &[
        ("details.amount=10.00", &["ten"]),
        ("details[amount]=10.00", &["ten"]),
        ("details.amount=10", &[]),
        ("details.http.method=GET&details.amount=11", &["number"]),
        ("details.amount>=10", &["huge", "number", "ten"]),
        ("details.amount>10", &["huge", "number"]),
        ("details[amount]>10", &["huge", "number"]),
        ("details.amount<=10.000", &["ten", "tiny"]),
        ("details.amount<0.1", &[]),
        ("details.amount>0.1&details.amount<1", &["tiny"]),
        ("details.amount>9007199254740992", &["huge"]),
        ("details.amount!=11", &[logout, "text", "huge", "ten", "tiny"]),
        ("status!=success", &[logout, "ten"]),
        ("status!=success&status!=failure", &[logout]),
        ("status!=success&status=failure", &["ten"]),
        ("event_type!=trade.*", &[logout]),
        ("event_type!=auth.logout&event_type!=auth.*", &["text", "huge", "number", "ten", "tiny"]),
        ("duration_us=1000", &["number"]),
        ("duration_us>=1000", &["text", "huge", "number"]),
        ("duration_us>1000&duration_us<=1001", &["huge"]),
        ("duration_us<900", &["tiny"]),
        ("q=user-42", &[logout]),
        ("q=LOGOUT+us*", &[logout]),
        ("q=\"user+logout\"", &[]),
        ("q=get", &["text", "huge", "number", "ten", "tiny"]),
        ("filter=details.amount>10", &["huge", "number"]),
        ("filter=status!=success", &[logout, "ten"]),
        ("filter=status=failure+OR+event_type=\"auth.*\"", &[logout, "ten"]),
        ("filter=details.amount>10+details.\"http.method\"=GET+NOT+seq=4", &["number"]),
        ("filter=details.amount:*&status=failure", &["ten"]),
        ("filter=timestamp>=2026-11-21T00:00:00.000003Z+AND+-logout", &["text", "huge"]),
        ("filter=timestamp<2026-11-21", &[]),
        ("filter=timestamp=2026-11-21&limit=1", &[logout]),
        ("filter=timestamp!=2026-11-21", &[]),
        ("filter=severity=info&severity=warning", &[]),
    ];
    for (query, expected) in cases {
        let query = escaped(query);
        assert_eq!(fixture.messages(&format!("/audit/logs?{query}")), *expected, "{query}");
    }
}

#[test]
fn a_mistake_in_an_expression_is_told_of_by_its_column() {
    let (fixture, _trail) = Fixture::with_trail(|_| {});
    for (query, column, expected) in [
        ("filter=", 1, "a condition is expected"),
        ("filter=status=failure+OR", 18, "a condition is expected"),
        ("filter=severity=high", 10, "debug, info, warning, error, critical"),
        ("filter=ü+usr_id=1", 3, "details.usr_id"),
    ] {
        let problem = fixture.get(&format!("/audit/logs?{}", escaped(query))).problem(400);
        assert_eq!(problem["parameter"], "filter", "{problem}");
        let detail = problem["detail"].as_str().unwrap();
        assert!(detail.contains(&format!("at column {column}: ")), "{detail}");
        assert!(detail.contains(expected), "{detail}");
    }
}

#[test]
fn a_page_of_an_expression_goes_on_with_its_cursor() {
    let (fixture, mut trail) = Fixture::with_trail(|_| {});
    write_trades(&mut trail);
    for filter in ["timestamp>=2026-11-21", "status=success+OR+NOT+status=success"] {
        let records =
            fixture.walk(&format!("/audit/logs?filter={}&limit=1", escaped(filter)), || {});
        assert_eq!(records.len(), 6, "{filter}");
    }
}

#[test]
fn security_and_financial_events_have_views_of_their_own() {
    let (fixture, mut trail) = Fixture::with_trail(|_| {});
    write(&mut trail);
    let security = fixture.messages("/audit/security-events");
    assert_eq!(security, ["transfer", "failed", "login"]);
    assert_eq!(fixture.messages("/audit/security-events?order=asc&user_id=u-1"), ["login"]);
    assert_eq!(fixture.messages("/audit/financial"), ["transfer"]);
    assert!(fixture.messages("/audit/financial?status=success").is_empty());
}

#[test]
fn a_parameter_that_is_unknown_repeated_or_malformed_is_refused_by_name() {
    let (fixture, _trail) = Fixture::with_trail(|_| {});
    let long = format!("user_id={}", "x".repeat(1025));
    let cases = [
        ("usr_id=1", "usr_id"),
        ("user_id=a&user_id=a", "user_id"),
        ("user_id=", "user_id"),
        ("user_id=a%0Ab", "user_id"),
        (&*long, "user_id"),
        ("event_type=login", "event_type"),
        ("event_type=auth.%25", "event_type"),
        ("event_type=*", "event_type"),
        ("event_type=auth.login&event_type=", "event_type"),
        ("category=auth.*", "category"),
        ("category=AUTH", "category"),
        ("severity=high", "severity"),
        ("level=loud", "level"),
        ("data_classification=secret", "data_classification"),
        ("start_date=yesterday", "start_date"),
        ("end_date=2026-02-30", "end_date"),
        ("start_date=9999-12-31T23:59:59-01:00", "start_date"),
        ("end_date=9999-12-31T23:59:59-01:00", "end_date"),
        ("start_date=0000-01-01T00:00:00%2B01:00", "start_date"),
        ("start_date=2026-11-22&end_date=2026-11-21", "start_date"),
        ("order=up", "order"),
        ("limit=0", "limit"),
        ("limit=1001", "limit"),
        ("limit=5000", "limit"),
        ("limit=-1", "limit"),
        ("limit=ten", "limit"),
        ("limit=", "limit"),
        ("limit!=3", "limit"),
        ("limit>=3", "limit"),
        ("q!=x", "q"),
        ("q=", "q"),
        ("q=\"a", "q"),
        ("details=3", "details"),
        ("details!=3", "details"),
        ("detailsx=3", "detailsx"),
        ("details[=3", "details["),
        ("details.=3", "details."),
        ("details.a=1&details[a]=2", "details.a"),
        ("details[a][b]=1", "details[a][b]"),
        ("duration_us=9007199254740993", "duration_us"),
        ("details.amount>=x", "details.amount>="),
        ("details.amount<x", "details.amount<"),
        ("details.amount>=1e999", "details.amount>="),
        ("user_id>=3", "user_id>="),
        ("user_id!=", "user_id!="),
        ("event_type>=auth.login", "event_type"),
        ("event_type!=auth", "event_type!="),
        ("duration_us=1.5", "duration_us"),
        ("duration_us>=long", "duration_us>="),
        ("duration_us>=1&duration_us>=2", "duration_us>="),
        ("usr!=1", "usr"),
        ("filter=a&filter=a", "filter"),
        ("filter!=a", "filter"),
        ("cursor=", "cursor"),
        ("cursor=AAAA", "cursor"),
        ("cursor=%00", "cursor"),
    ];
    let views = ["logs", "security-events", "financial", "redis", "combined"];
    for (query, parameter) in cases {
        for view in views {
            let problem = fixture.get(&format!("/audit/{view}?{}", escaped(query))).problem(400);
            assert_eq!(problem["parameter"], parameter, "{view}?{query}: {problem}");
        }
    }
    for view in ["redis", "combined"] {
        for order in ["asc", "arrival"] {
            let problem = fixture.get(&format!("/audit/{view}?order={order}")).problem(400);
            assert_eq!(problem["parameter"], "order");
        }
    }
}
