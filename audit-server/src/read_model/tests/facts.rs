//! Facts against the records themselves.

use audit_layer::record::{Member, Record};
use proptest::prelude::*;

use super::{
    super::{Column, RecordTexts, Taken, Wanted},
    Asked, asked, deadline, fixture,
};
use crate::{
    fact::{Amount, Facts, Legend, Texts, ValueId, ValueKey, ValueKind},
    filter::Filter,
};

/// What a fact says, in words: of values their hashes.
type Said = (i64, [String; 4], u64, u64, Option<(String, String)>);

fn said_by(record: &Record<'_>, at: i64, key: ValueKey) -> Said {
    let text = |text: &Option<std::borrow::Cow<'_, str>>| text.as_deref().unwrap_or("").to_owned();
    let hash = |member, text: &Option<std::borrow::Cow<'_, str>>| match text.as_deref() {
        Some("") | None => 0,
        Some(text) => key.hash(member, text),
    };
    let details: Option<serde_json::Value> =
        record.details.map(|details| serde_json::from_str(details.get()).unwrap());
    let entry = (record.category == "trade").then(|| {
        let details = details.unwrap();
        let amount = details["amount"].as_str().unwrap();
        (details["side"].as_str().unwrap().to_owned(), Amount::read(amount).unwrap().to_string())
    });
    (
        at,
        [
            record.event_type.to_string(),
            text(&record.status),
            record.severity.to_string(),
            text(&record.resource),
        ],
        hash(Member::UserId, &record.user_id),
        hash(Member::IpAddress, &record.ip_address),
        entry,
    )
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn facts_are_those_of_the_records_that_match(asked in asked(), some: bool) {
        let fixture = fixture();
        let reading = fixture.model.reading(deadline()).unwrap();
        let snapshot = fixture.database.snapshot(deadline()).unwrap();
        let key = reading.value_key();
        let Asked { range, ref filter, .. } = asked;
        let filter = if some { crate::filter::expression(filter).unwrap() } else { Filter::ANY };
        let mut legend = Legend::default();
        let mut found = Vec::new();
        let mut origins = Vec::new();
        let mut fold = |facts: &Facts<'_>| {
            assert!(facts.rows.is_sorted_by_key(|fact| fact.at));
            for fact in facts.rows {
                let kind = &facts.legend.kinds()[fact.kind.index()];
                let of = |kind, value| facts.legend.values(kind).known(value).map_or(0, |(hash, _)| hash);
                let entry = facts.entry(fact).map(|entry| {
                    (facts.legend.word(entry.side).to_owned(), entry.amount.unwrap().to_string())
                });
                let words = [&kind.event_type, &kind.status, &kind.severity].map(|text| text.to_string());
                let [a, b, c] = words;
                let resource = facts.legend.word(fact.resource).to_owned();
                found.push((
                    fact.at,
                    [a, b, c, resource],
                    of(ValueKind::User, fact.user),
                    of(ValueKind::Address, fact.address),
                    entry,
                ));
                origins.push((facts.origin(fact), fact.at));
            }
        };
        let wanted = Wanted { range, filter: &filter, columns: &Column::ALL };
        let met = reading
            .facts(&snapshot, &wanted, &Taken::default(), &mut legend, &mut fold, deadline())
            .unwrap().unwrap();
        let mut expected: Vec<Said> = Vec::new();
        let mut damaged = 0;
        for (arrived, read) in fixture.records.iter().zip(&fixture.read) {
            if !range.contains(arrived.timestamp) {
                continue;
            }
            match read {
                Some(record) if filter.matches(record) => {
                    expected.push(said_by(record, arrived.timestamp, key));
                }
                Some(_) => {}
                None => damaged += 1,
            }
        }
        found.sort();
        expected.sort();
        prop_assert_eq!(met.records, expected.len() as u64);
        prop_assert!(found == expected);
        prop_assert_eq!(met.damaged, damaged);
        // Each says which record it is.
        let mut texts = RecordTexts::new(reading.connection(), &snapshot, &legend, key);
        for (origin, at) in origins.iter().step_by(997) {
            let id = texts.id(*origin);
            let number: usize = id.strip_prefix("id-").unwrap().parse().unwrap();
            prop_assert_eq!(fixture.records[number].timestamp, *at);
        }
        for value in (1..=legend.value_count(ValueKind::User)).step_by(50) {
            let value = ValueId(value as u32);
            let (hash, _) = legend.values(ValueKind::User).known(value).unwrap();
            prop_assert_eq!(key.hash(Member::UserId, &texts.value(ValueKind::User, value)), hash);
        }
    }
}
