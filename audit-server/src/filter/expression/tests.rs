#![allow(clippy::unwrap_used)]

use audit_layer::record::Member;

use super::*;
use crate::{
    filter::TimeRange,
    filter::{Comparison, Test, Text},
};

fn text(text: &str) -> Text {
    text.parse().unwrap()
}

fn is(name: &str, test: Test) -> Filter {
    Filter::Is(name.parse().unwrap(), test)
}

fn eq(name: &str, value: &str) -> Filter {
    is(name, Test::Equals(text(value)))
}

fn begins(name: &str, value: &str) -> Filter {
    is(name, Test::StartsWith(text(value)))
}

fn number(name: &str, comparison: Comparison, value: &str) -> Filter {
    is(name, Test::Number(comparison, value.parse().unwrap()))
}

fn says(words: &str) -> Filter {
    Filter::Says(words.parse().unwrap())
}

fn not(filter: Filter) -> Filter {
    Filter::Not(Box::new(filter))
}

fn during(from: i64, to: i64) -> Filter {
    Filter::During(TimeRange { from, to })
}

/// 2026-11-21T00:00:00Z.
const START: i64 = 1_795_219_200_000_000;
const END: i64 = START + 86_400_000_000 - 1;

#[test]
fn a_condition_asks_for_what_it_says() {
    use Comparison::{AtLeast, AtMost, Greater, Less};
    let any = |name, values: &[&str]| {
        Filter::member_is_any(Member::from_name(name).unwrap(), values.iter().copied())
    };
    let is_said = |name, words: &str| is(name, Test::Says(words.parse().unwrap()));
    let cases = [
        ("status = failure", eq("status", "failure")),
        ("status=\"failure\"", eq("status", "failure")),
        ("  status\t= 'it\\'s \"so\"' ", eq("status", "it's \"so\"")),
        ("status != success", not(eq("status", "success"))),
        ("user_id = \"a\\\\b\\*\"", eq("user_id", "a\\b*")),
        ("user_id = \"a\\**\"", begins("user_id", "a*")),
        ("user_id = u-*", begins("user_id", "u-")),
        ("user_id = *", is("user_id", Test::Present)),
        ("user_id:*", is("user_id", Test::Present)),
        ("user_id != '*'", not(is("user_id", Test::Present))),
        ("user_id = and", eq("user_id", "and")),
        ("event_type = auth.login", eq("event_type", "auth.login")),
        ("event_type = \"auth.*\"", begins("event_type", "auth.")),
        ("category = au*", begins("category", "au")),
        ("severity = warning", eq("severity", "warning")),
        ("severity >= error", any("severity", &["error", "critical"])),
        ("severity < debug", Filter::Any(vec![])),
        ("data_classification<confidential", any("data_classification", &["public", "internal"])),
        ("level = warn", eq("level", "WARN")),
        ("duration_us > 1e3", number("duration_us", Greater, "1000")),
        ("duration_us = 007", eq("duration_us", "7")),
        ("seq <= 7", number("seq", AtMost, "7")),
        ("details.amount >= -12.50", number("details.amount", AtLeast, "-12.5")),
        ("details.amount = 12.50", eq("details.amount", "12.50")),
        ("regulatory_flags.SOX < 3", number("regulatory_flags.SOX", Less, "3")),
        ("details.\"http.method\"=GET", eq("details.http.method", "GET")),
        ("details.a.'b c'.d:*", is("details.a.b c.d", Test::Present)),
        ("timestamp = 2026-11-21", during(START, END)),
        ("timestamp != 2026-11-21", not(during(START, END))),
        ("timestamp < 2026-11-21", during(i64::MIN, START - 1)),
        ("timestamp <= 2026-11-21", during(i64::MIN, END)),
        ("timestamp > 2026-11-21", during(END + 1, i64::MAX)),
        ("timestamp >= 2026-11-21T01:00:00+01:00", during(START, i64::MAX)),
        ("message:\"Login failed\"", is_said("message", "\"login failed\"")),
        ("message:pass*", is_said("message", "pass*")),
        ("failed", says("failed")),
        ("user-42", says("\"user 42\"")),
        ("'\"login failed\"'", says("\"login failed\"")),
        ("passw*", says("passw*")),
        ("\"and\"", says("and")),
    ];
    for (written, meant) in cases {
        assert_eq!(expression(written), Ok(meant), "{written}");
    }
}

#[test]
fn or_binds_tighter_than_and_which_is_what_standing_side_by_side_means() {
    let [a, b, c, d] = ["a", "b", "c", "d"].map(says);
    let all = Filter::All;
    let any = Filter::Any;
    let of = |filters: &[&Filter]| filters.iter().map(|&filter| filter.clone()).collect::<Vec<_>>();
    let cases = [
        ("a b", all(of(&[&a, &b]))),
        ("a AND b", all(of(&[&a, &b]))),
        ("a b AND c d", all(of(&[&a, &b, &c, &d]))),
        ("(a (b AND c)) d", all(of(&[&a, &b, &c, &d]))),
        ("a OR (b OR c)", any(of(&[&a, &b, &c]))),
        ("a AND b OR c AND d", all(vec![a.clone(), any(of(&[&b, &c])), d.clone()])),
        ("a OR b c OR d", all(vec![any(of(&[&a, &b])), any(of(&[&c, &d]))])),
        ("(a AND b) OR c", any(vec![all(of(&[&a, &b])), c.clone()])),
        ("NOT a OR b", any(vec![not(a.clone()), b.clone()])),
        ("-a -b", all(vec![not(a.clone()), not(b.clone())])),
        ("NOT(a b)", not(all(of(&[&a, &b])))),
        ("NOT NOT a", a.clone()),
        ("- NOT -a", not(a.clone())),
        ("-(NOT (a))", a.clone()),
        ("NOTa ANDb", all(vec![says("nota"), says("andb")])),
    ];
    for (written, meant) in cases {
        assert_eq!(expression(written), Ok(meant), "{written}");
    }
}

#[test]
fn a_mistake_is_told_of_by_its_column_and_what_was_expected() {
    let deep = |open: &str, count| format!("{}a", open.repeat(count));
    let long = format!("{}a", "ü ".repeat(1400));
    let many = "a ".repeat(65);
    let cases = [
        ("", 1, "a condition is expected"),
        ("  ", 3, "a condition is expected"),
        ("status =", 9, "a value is expected"),
        ("status == x", 9, "a value is expected"),
        ("status = NOT x", 10, "a value is expected"),
        ("status < failure", 10, "it has no order"),
        ("status = failure OR", 20, "a condition is expected"),
        ("OR a", 1, "a condition is expected"),
        ("a AND AND b", 7, "a condition is expected"),
        ("a and b", 3, "in capitals"),
        ("a (b", 5, "a closing parenthesis is expected"),
        ("()", 2, "a condition is expected"),
        ("a)", 2, "closes none"),
        ("üser = 1", 1, "there is no member"),
        ("'ü' OR usr_id = 1", 8, "details.usr_id"),
        ("'ü' details = 1", 5, "name a member of it"),
        ("details. = 1", 1, "empty"),
        ("details.\"a\" b", 1, "an operator is expected"),
        ("details.\"a\"b = 1", 12, "a dot or an operator is expected"),
        ("\"status\" = a", 1, "without quotation marks"),
        ("status = \"fail", 10, "not closed"),
        ("status = \"a\\n\"", 12, "a backslash is expected"),
        ("status = \"\"", 10, "status:*"),
        ("status = a\"b\"", 11, "a blank"),
        ("status = a,b", 11, "a blank"),
        ("lower(status) = a", 6, "a blank"),
        ("status = a*b", 11, "only at the end"),
        ("status = \"**\"", 11, "only at the end"),
        ("a*b", 2, "only at the end"),
        ("seq > 1*", 7, "leave the * out"),
        ("event_type = auth", 14, "auth.*"),
        ("event_type = auth*", 14, "auth.*"),
        ("event_type = \"auth.\\*\"", 14, "auth.*"),
        ("category = auth.*", 12, "wildcards are for event_type"),
        ("severity = high", 12, "debug, info, warning, error, critical"),
        ("severity > warn*", 12, "leave the * out"),
        ("severity = warn*", 12, "debug, info, warning, error, critical"),
        ("level = loud", 9, "TRACE, DEBUG, INFO, WARN, ERROR"),
        ("data_classification >= secret", 24, "public, internal, confidential, restricted"),
        ("duration_us = 1.5", 15, "a whole number of microseconds"),
        ("details.amount > ten", 18, "it is a number"),
        ("timestamp > yesterday", 13, "it is a date"),
        ("timestamp = 2026*", 13, "it is a date"),
        ("observed_at > 2026-11-21", 15, "it has no order"),
        ("user_id = \"a\tb\"", 11, "control characters"),
        ("'-'", 1, "no letters or digits"),
        ("'a b*'", 1, "a single word"),
        (&long, 2731, "longer than 4096 bytes"),
        (&deep("(", 25), 25, "more than 24 deep"),
        (&deep("(", 4000), 25, "more than 24 deep"),
        (&deep("NOT ", 1000), 97, "more than 24 deep"),
        (&deep("- ", 2000), 49, "more than 24 deep"),
        (&deep("-(", 2000), 25, "more than 24 deep"),
        (&many, 129, "more than 64 conditions"),
    ];
    for (written, column, expected) in cases {
        let error = expression(written).unwrap_err();
        assert_eq!(error.column, column, "{written:.50}: {error}");
        assert!(error.reason.contains(expected), "{written:.50}: {error}");
    }
    for fits in [deep("(", 24) + &")".repeat(24), deep("- ", 24), "a ".repeat(64)] {
        assert!(expression(&fits).is_ok(), "{fits}");
    }
    let many = "severity >= debug ".repeat(13);
    assert_eq!(expression(&many).unwrap_err().column, 12 * 18 + 1);
}
