//! Facts against the records themselves.

use audit_layer::record::{Member, Record};
use proptest::prelude::*;

use super::{
    super::{Column, RecordTexts, Taken, Wanted},
    Asked, asked, deadline, fixture,
};
use crate::{
    fact::{Amount, Facts, Fold, Legend, Origin, Sheet, Texts, ValueId, ValueKey, ValueKind},
    filter::{Filter, TimeRange},
    report::{
        completeness::header,
        security::{Security, SubjectMember},
        trading::Trading,
    },
};

/// What a fact says, in words: of values their hashes.
type Said = (i64, [String; 4], [u64; 3], Option<(String, String)>);

fn said_by(record: &Record<'_>, at: i64, key: ValueKey) -> Said {
    let text = |text: &Option<std::borrow::Cow<'_, str>>| text.as_deref().unwrap_or("").to_owned();
    let hash = |member, text: &Option<std::borrow::Cow<'_, str>>| match text.as_deref() {
        Some("") | None => 0,
        Some(text) => key.hash(member, text),
    };
    // Names stand for users that are not known, and logins are found by them.
    let has_name = record.user_id.is_none() || record.event_type == "auth.login";
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
        [
            hash(Member::UserId, &record.user_id),
            if has_name { hash(Member::Username, &record.username) } else { 0 },
            hash(Member::IpAddress, &record.ip_address),
        ],
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
                    [
                        of(ValueKind::User, fact.user),
                        of(ValueKind::Name, facts.name(fact)),
                        of(ValueKind::Address, fact.address),
                    ],
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
        for kind in [ValueKind::User, ValueKind::Name] {
            for value in (1..=legend.value_count(kind)).step_by(50) {
                let value = ValueId(value as u32);
                let (hash, _) = legend.values(kind).known(value).unwrap();
                prop_assert_eq!(key.hash(kind.member(), &texts.value(kind, value)), hash);
            }
        }
    }
}

/// What two folds make of all records: of those in the index, and of the lines.
fn of_all<F: Fold, T>(
    columns: &[Column],
    make: impl Fn() -> F,
    finish: impl Fn(F, &Legend, &mut dyn Texts) -> T,
) -> (T, T) {
    let fixture = fixture();
    let reading = fixture.model.reading(deadline()).unwrap();
    let snapshot = fixture.database.snapshot(deadline()).unwrap();
    let key = reading.value_key();
    let (mut legend, mut fold) = (Legend::default(), make());
    let wanted = Wanted { range: TimeRange::ALL, filter: &Filter::ANY, columns };
    reading
        .facts(&snapshot, &wanted, &Taken::default(), &mut legend, &mut fold, deadline())
        .unwrap()
        .unwrap();
    let mut texts = RecordTexts::new(reading.connection(), &snapshot, &legend, key);
    let led = finish(fold, &legend, &mut texts);

    let (mut sheet, mut legend, mut fold) = (Sheet::default(), Legend::default(), make());
    let mut lines: Vec<_> = fixture.records.iter().zip(&fixture.read).collect();
    lines.sort_by_key(|(arrived, _)| (arrived.timestamp, arrived.arrival));
    lines.iter().for_each(|(arrived, read)| sheet.push(arrived.timestamp, read.as_ref(), key));
    let origins: Vec<i64> = lines.iter().map(|(arrived, _)| arrived.arrival).collect();
    let base = (Origin::Arrival(0), &origins[..]);
    sheet.fold((0, sheet.len()), |_| true, base, &mut legend, &mut Vec::new(), &mut fold);
    let mut texts = RecordTexts::new(None, &snapshot, &legend, key);
    (led, finish(fold, &legend, &mut texts))
}

/// Of full chunks those columns are read alone that a report says that it looks at.
#[test]
fn reports_of_full_chunks_are_those_of_the_lines() {
    let security = || Security::new(TimeRange::ALL);
    let finish = |fold: Security, legend: &Legend, texts: &mut dyn Texts| {
        fold.finish(legend, texts, header())
    };
    let (led, walked) = of_all(Security::COLUMNS, security, finish);
    assert!(led.failed_logins.by_user.items.iter().any(|it| it.member == SubjectMember::Username));
    assert!(led == walked);
    let trading = || Trading::new(TimeRange::ALL, None);
    let finish = |fold: Trading, legend: &Legend, texts: &mut dyn Texts| {
        fold.finish(legend, texts, header())
    };
    let (led, walked) = of_all(Trading::COLUMNS, trading, finish);
    assert!(led == walked);
}
