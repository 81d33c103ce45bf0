//! What holds of every filter and of every text.
#![allow(clippy::unwrap_used)]

use audit_layer::record::Member;
use proptest::prelude::*;

use super::*;
use crate::{
    filter::TimeRange,
    filter::{Comparison, Decimal, Field, Test, Text, Words},
};

fn text(text: &str) -> Text {
    text.parse().unwrap()
}

fn during(from: i64, to: i64) -> Filter {
    Filter::During(TimeRange { from, to })
}

fn printed(filter: &Filter) -> String {
    super::print::printed(filter, &|_, text| text.to_owned())
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
