//! The builder.

use std::time::{Duration, SystemTime};

use audit_layer::record::{Classification, Member, Severity, Value};
use audit_server::{
    AuditQuery, AuditStore, Error,
    OrderByTime::{Ascending, Descending},
};
use tempfile::TempDir;

use super::support::{DAY, Event, Trail, event};

fn trail() -> (TempDir, AuditStore, Trail) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("audit.db");
    let trail = Trail::create(&path);
    (directory, AuditStore::open(path), trail)
}

/// A record in which every member is set that a method asks for.
fn whole() -> Event {
    let mut event = event("auth.login", 0).with(|draft| {
        draft.level = "WARN";
        draft.severity = Severity::Warning;
        draft.logger = "audit::auth";
        draft.source = Some("src/auth.rs:42");
        draft.duration_us = Some(1500);
        draft.regulatory_flags = vec![("SOX".into(), Value::Bool(true))];
        draft.details =
            vec![("amount".into(), Value::Str("12.50")), ("odd<name>!".into(), Value::Str("x"))];
    });
    for (member, text) in [
        (Member::Message, "whole"),
        (Member::Status, "failure"),
        (Member::Action, "login"),
        (Member::UserId, "u-1"),
        (Member::Username, "john.doe"),
        (Member::IpAddress, "192.0.2.7"),
        (Member::RequestId, "req-1"),
        (Member::CorrelationId, "order-77"),
        (Member::SessionId, "s-1"),
        (Member::TraceId, "4bf92f3577b34da6a3ce929d0e0e4736"),
        (Member::SpanId, "00f067aa0ba902b7"),
        (Member::Resource, "/accounts/42"),
        (Member::Tenant, "acme"),
        (Member::DataClassification, "restricted"),
    ] {
        event = event.set(member, text);
    }
    event
}

fn messages(query: AuditQuery<'_>) -> Vec<String> {
    let page = query.execute().unwrap();
    let message = |line: &audit_server::StoredLine| line.parse().unwrap().message.map(Into::into);
    page.records.iter().filter_map(message).collect()
}

#[test]
fn each_method_finds_the_record_that_it_describes_and_not_the_other() {
    let (_directory, store, mut trail) = trail();
    trail.write(whole());
    trail.write(event("trade.executed", 1).set(Member::Message, "bare"));
    let new = || AuditQuery::new(&store);
    let ask = [
        ("event_types", new().event_types(["auth.*", "risk.breach"])),
        ("category", new().category("auth")),
        ("severity", new().severity(Severity::Warning)),
        ("level", new().level("warn")),
        ("status", new().status("failure")),
        ("action", new().action("login")),
        ("user", new().user("u-1")),
        ("username", new().username("john.doe")),
        ("ip_address", new().ip_address("192.0.2.7")),
        ("request_id", new().request_id("req-1")),
        ("correlation_id", new().correlation_id("order-77")),
        ("session_id", new().session_id("s-1")),
        ("trace_id", new().trace_id("4bf92f3577b34da6a3ce929d0e0e4736")),
        ("span_id", new().span_id("00f067aa0ba902b7")),
        ("logger", new().logger("audit::auth")),
        ("source", new().source("src/auth.rs:42")),
        ("resource", new().resource("/accounts/42")),
        ("tenant", new().tenant("acme")),
        ("data_classification", new().data_classification(Classification::Restricted)),
        ("regulation", new().regulation("SOX")),
        ("duration_at_least", new().duration_at_least(Duration::from_micros(1500))),
        ("duration_at_most", new().duration_at_most(Duration::from_micros(1500))),
        ("details", new().details("amount", "12.50")),
        ("an odd name", new().details("odd<name>!", "x")),
        ("details_at_least", new().details_at_least("amount", "12.5")),
        ("details_at_most", new().details_at_most("amount", 13)),
        ("matching_text", new().matching_text("WHO*")),
        ("filter", new().filter("details.amount > 12 AND status:*")),
        ("not", new().not("event_type", "trade.*").not("details.side", "buy")),
    ];
    for (method, query) in ask {
        assert_eq!(messages(query), ["whole"], "{method}");
    }
    let stream = super::support::STREAM;
    assert_eq!(messages(new().stream(stream)), ["bare", "whole"]);
    assert!(messages(new().stream("other@web-1~k3x9q2")).is_empty());
    assert_eq!(messages(new().not("status", "failure")), ["bare"]);
    assert!(messages(new().duration_at_least(Duration::from_micros(1501))).is_empty());
    assert!(messages(new().details_at_least("amount", "12.5000001")).is_empty());
}

#[test]
fn a_time_range_takes_in_both_of_its_ends_and_nothing_beyond() {
    let (_directory, store, mut trail) = trail();
    for (at, message) in [(0, "a"), (1, "b"), (2, "c"), (3, "d")] {
        trail.write(event("auth.login", at).set(Member::Message, message));
    }
    let at = |micros: i64, nanos| {
        let since = Duration::from_micros((DAY + micros).unsigned_abs());
        SystemTime::UNIX_EPOCH + since + Duration::from_nanos(nanos)
    };
    let between = |from, to| messages(AuditQuery::new(&store).time_range(from, to));
    assert_eq!(between(at(1, 0), at(2, 0)), ["c", "b"]);
    assert_eq!(between(at(1, 1), at(2, 999)), ["c"]);
    let of_time = |micros: i64| {
        time::OffsetDateTime::from_unix_timestamp_nanos(i128::from(DAY + micros) * 1000).unwrap()
    };
    let query = AuditQuery::new(&store).time_range(of_time(2), of_time(9)).order_by_time(Ascending);
    assert_eq!(messages(query), ["c", "d"]);
    let error = AuditQuery::new(&store).time_range(at(2, 0), at(1, 0)).execute().unwrap_err();
    assert!(matches!(&error, Error::InvalidValue(why) if why.name == "start_date"), "{error}");
}

#[test]
fn pages_follow_each_other_in_any_order_and_hold_the_lines_byte_for_byte() {
    let (_directory, store, mut trail) = trail();
    let written = trail.write_all([3, 1, 2, 5, 4].map(|at| event("auth.login", at)));
    let new = || AuditQuery::new(&store).limit(2);
    for (query, expected) in [
        (new(), [3, 4, 0, 2, 1]),
        (new().order_by_time(Descending), [3, 4, 0, 2, 1]),
        (new().order_by_time(Ascending), [1, 2, 0, 4, 3]),
        (new().order_by_arrival(), [0, 1, 2, 3, 4]),
    ] {
        let mut lines = Vec::new();
        let mut page = query.clone().execute().unwrap();
        while !page.records.is_empty() {
            assert!(page.records.len() <= 2 && !page.truncated);
            lines.extend(page.records.into_iter().map(|line| String::from(line.into_string())));
            let Some(cursor) = page.next_cursor else { break };
            page = query.clone().cursor(cursor).execute().unwrap();
        }
        assert_eq!(lines, expected.map(|at: usize| written[at].clone()));
    }
}

#[test]
fn a_mistake_is_the_same_error_as_over_http_and_names_its_parameter() {
    let (_directory, store, _trail) = trail();
    let new = || AuditQuery::new(&store);
    let named = |query: AuditQuery<'_>| match query.execute().unwrap_err() {
        Error::InvalidValue(why) => why.name,
        Error::RepeatedParameter(why) => format!("{} twice", why.name),
        other => panic!("{other}"),
    };
    assert_eq!(named(new().user("")), "user_id");
    assert_eq!(named(new().user("a").user("a")), "user_id twice");
    assert_eq!(named(new().event_types(["auth"])), "event_type");
    assert_eq!(named(new().level("loud")), "level");
    assert_eq!(named(new().limit(0)), "limit");
    assert_eq!(named(new().limit(1001)), "limit");
    assert_eq!(named(new().filter("a OR")), "filter");
    assert_eq!(named(new().matching_text("\"a")), "q");
    assert_eq!(named(new().details("", "x")), "details.");
    assert_eq!(named(new().details_at_least("amount", "ten")), "details.amount>=");
    assert_eq!(named(new().not("usr_id", "x")), "usr_id");
    assert_eq!(named(new().not("status", "")), "status!=");
    assert_eq!(named(new().order_by_arrival().order_by_time(Ascending)), "order twice");
    assert_eq!(named(new().cursor("AAAA")), "cursor");
}

#[test]
fn a_trail_is_opened_when_it_is_asked_and_a_deadline_is_kept() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("audit.db");
    let store = AuditStore::open(&path);
    let missing = AuditQuery::new(&store).execute().unwrap_err();
    assert!(matches!(missing, Error::DatabaseMissing(_)), "{missing}");
    let mut trail = Trail::create(&path);
    trail.write_all((0..20_000).map(|at| event("auth.login", at)));
    assert_eq!(AuditQuery::new(&store).execute().unwrap().records.len(), 100);
    let hurried = AuditQuery::new(&store).user("nobody").deadline(Duration::ZERO).execute();
    match hurried {
        Err(Error::QueryTimeout(_)) => {}
        Ok(page) => assert!(page.truncated && page.next_cursor.is_some()),
        Err(other) => panic!("{other}"),
    }
}
