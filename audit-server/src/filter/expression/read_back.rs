//! What holds of every filter and of every text.
#![allow(clippy::unwrap_used)]

use audit_layer::record::{Member, format_timestamp};
use proptest::prelude::*;

use super::*;
use crate::{
    filter::TimeRange,
    filter::{Comparison, Decimal, Field, Test, Text, Words, words::Wanted},
};

fn text(text: &str) -> Text {
    text.parse().unwrap()
}

fn during(from: i64, to: i64) -> Filter {
    Filter::During(TimeRange { from, to })
}

fn quoted(text: &str) -> String {
    let mut out = String::from("\"");
    for c in text.chars() {
        if matches!(c, '"' | '\\' | '*') {
            out.push('\\');
        }
        out.push(c);
    }
    out + "\""
}

fn name(field: &Field) -> String {
    match field {
        Field::Member(member) => member.name().to_owned(),
        Field::Detail(path) => format!("details.{}", quoted(path.as_str())),
        Field::Flag(path) => format!("regulatory_flags.{}", quoted(path.as_str())),
    }
}

fn words(words: &Words) -> String {
    match words.wanted() {
        [Wanted::Phrase(words)] => quoted(&words.join(" ")),
        [Wanted::Prefix(word)] => format!("\"{word}*\""),
        several => panic!("one condition asks for one thing: {several:?}"),
    }
}

/// The filter as an expression that means it.
fn printed(filter: &Filter) -> String {
    let joined =
        |filters: &[Filter], by: &str| filters.iter().map(printed).collect::<Vec<_>>().join(by);
    match filter {
        Filter::All(all) => joined(all, " AND "),
        // An OR that holds an AND, and a NOT, need parentheses; an AND that holds an OR does not.
        Filter::Any(any) => any
            .iter()
            .map(|one| match one {
                Filter::All(_) => format!("({})", printed(one)),
                _ => printed(one),
            })
            .collect::<Vec<_>>()
            .join(" OR "),
        Filter::Seals(_) => panic!("no expression says whether it may open what is sealed"),
        Filter::Not(inner) => format!("-({})", printed(inner)),
        Filter::Is(field, test) => match test {
            Test::Equals(text) => format!("{} = {}", name(field), quoted(text.as_str())),
            Test::StartsWith(text) => {
                let text = quoted(text.as_str());
                format!("{} = {}*\"", name(field), &text[..text.len() - 1])
            }
            Test::Present => format!("{}:*", name(field)),
            Test::Number(comparison, number) => {
                let operator = match comparison {
                    Comparison::Less => "<",
                    Comparison::AtMost => "<=",
                    Comparison::Greater => ">",
                    Comparison::AtLeast => ">=",
                };
                format!("{} {operator} {}", name(field), number)
            }
            Test::Says(said) => format!("{}:{}", name(field), words(said)),
        },
        Filter::Says(said) => words(said),
        Filter::During(TimeRange { from, to: i64::MAX }) => {
            format!("timestamp >= {}", format_timestamp(*from))
        }
        Filter::During(TimeRange { to, .. }) => format!("timestamp <= {}", format_timestamp(*to)),
        Filter::Raises(_) => unreachable!("an expression asks for regulatory_flags.<name>"),
    }
}

fn any_text() -> impl Strategy<Value = Text> {
    "[a-z\"'*\\\\ .()=ü:-]{1,12}".prop_map(|written| text(&written))
}

fn any_words() -> impl Strategy<Value = Words> {
    let phrase = proptest::collection::vec("[a-z0-9ü]{1,6}", 1..4)
        .prop_map(|words| format!("\"{}\"", words.join(" ")));
    prop_oneof![phrase, "[a-z0-9ü]{1,6}\\*"].prop_map(|question| question.parse().unwrap())
}

fn any_condition() -> impl Strategy<Value = Filter> {
    let leaf = || prop_oneof![any_text().prop_map(Field::Detail), any_text().prop_map(Field::Flag)];
    let of_text = [Member::UserId, Member::Message, Member::Resource, Member::Status];
    let of_text = prop::sample::select(of_text.to_vec()).prop_map(Field::Member);
    let of_number = [Member::DurationUs, Member::Seq];
    let of_number = prop::sample::select(of_number.to_vec()).prop_map(Field::Member);
    let test = prop_oneof![
        any_text().prop_map(Test::Equals),
        any_text().prop_map(Test::StartsWith),
        Just(Test::Present),
        any_words().prop_map(Test::Says),
    ];
    let comparison = prop::sample::select(vec![
        Comparison::Less,
        Comparison::AtMost,
        Comparison::Greater,
        Comparison::AtLeast,
    ]);
    let decimal = "-?[0-9]{1,20}(\\.[0-9]{1,20})?"
        .prop_map(|number: String| number.parse::<Decimal>().unwrap());
    let number = (comparison, decimal).prop_map(|(how, number)| Test::Number(how, number));
    let time = 0..=i64::from(u32::MAX) * 1_000_000;
    prop_oneof![
        (prop_oneof![leaf(), of_text], test).prop_map(|(field, test)| Filter::Is(field, test)),
        (prop_oneof![leaf(), of_number], number).prop_map(|(field, test)| Filter::Is(field, test)),
        any_words().prop_map(Filter::Says),
        "[a-z]{1,5}\\.[a-z]{1,5}".prop_map(|name| Filter::Is(
            Field::Member(Member::EventType),
            Test::Equals(text(&name))
        )),
        (time, any::<bool>()).prop_map(|(at, from)| if from {
            during(at, i64::MAX)
        } else {
            during(i64::MIN, at)
        }),
    ]
}

/// In the form that reading gives: no AND right within an AND, no OR within an OR, no NOT in a NOT.
fn any_filter() -> impl Strategy<Value = Filter> {
    any_condition().prop_recursive(4, 24, 3, |inner| {
        let several = || proptest::collection::vec(inner.clone(), 2..4);
        let spread = |filters: Vec<Filter>, all: bool| {
            filters
                .into_iter()
                .flat_map(|filter| match filter {
                    Filter::All(inner) if all => inner,
                    Filter::Any(inner) if !all => inner,
                    other => vec![other],
                })
                .collect()
        };
        prop_oneof![
            several().prop_map(move |filters| Filter::All(spread(filters, true))),
            several().prop_map(move |filters| Filter::Any(spread(filters, false))),
            inner.clone().prop_map(Filter::negated),
        ]
    })
}

proptest! {
    #[test]
    fn a_filter_written_as_an_expression_is_read_back(filter in any_filter()) {
        let written = printed(&filter);
        prop_assume!(written.len() <= MAX_BYTES);
        prop_assert_eq!(expression(&written), Ok(filter), "{}", written);
    }

    #[test]
    fn no_text_makes_it_panic_and_every_column_is_one_of_the_text(written in any::<String>()) {
        if let Err(error) = expression(&written) {
            prop_assert!(!error.reason.is_empty());
            prop_assert!((1..=written.chars().count() + 1).contains(&error.column));
        }
    }

    #[test]
    fn no_text_of_its_own_words_makes_it_panic(
        parts in proptest::collection::vec(
            prop::sample::select(vec![
                "AND", "OR", "NOT", "-", "(", ")", "=", "!=", "<", "<=", ":", "*", " ", "  ", "\"",
                "'", "\\", ".", "details.", "severity", "timestamp", "event_type", "a", "ü", "1",
                "2026-11-21", "and", "!", ",", "\u{0}", "\n",
            ]),
            0..60,
        )
    ) {
        let written = parts.concat();
        if let Err(error) = expression(&written) {
            prop_assert!(!error.reason.is_empty(), "{}", written);
            prop_assert!((1..=written.chars().count() + 1).contains(&error.column));
        }
    }
}
