//! What a detector found, in numbers, and how it becomes something to read.

use audit_layer::record::format_timestamp;

use super::{
    anomaly::{Anomaly, AnomalyKind, Grade, Subject},
    grid::Grid,
};
use crate::{
    fact::{Texts, ValueId, ValueKind, WordId},
    filter::TimeRange,
};

/// What something is about, in numbers.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct About {
    pub(super) category: Option<Box<str>>,
    pub(super) event_type: Option<Box<str>>,
    pub(super) user: ValueId,
    pub(super) address: ValueId,
    pub(super) resource: WordId,
    pub(super) agent: WordId,
}

/// Something that was found.
#[derive(Debug, Clone)]
pub(super) struct Finding {
    pub(super) kind: AnomalyKind,
    pub(super) about: About,
    /// Standard deviations, or what is as unlikely.
    pub(super) score: f64,
    /// From which on it is a finding.
    pub(super) gate: f64,
    pub(super) range: TimeRange,
    pub(super) count: u64,
    pub(super) observed: String,
    pub(super) expected: String,
    pub(super) unit: &'static str,
    pub(super) observations: u64,
    /// What follows the name of what it is about.
    pub(super) sentence: String,
    /// The words of `status` that its records have, when only those are meant.
    pub(super) statuses: Vec<Box<str>>,
}

impl Finding {
    /// The most unusual first; what is equal in that in an order of its own.
    pub(super) fn rank(&self) -> impl Ord + use<> {
        // Of numbers that are not negative, the bits are in their order.
        let later = std::cmp::Reverse((self.range.from, self.range.to));
        (self.score.max(0.0).to_bits(), later, self.count, self.kind as u8)
    }

    /// Finds the texts, and says it.
    pub(super) fn tell(self, texts: &mut dyn Texts) -> Anomaly {
        let about = &self.about;
        let mut value = |kind, value: ValueId| value.is_some().then(|| texts.value(kind, value));
        let user_id = value(ValueKind::User, about.user).map(String::from);
        let ip_address = value(ValueKind::Address, about.address).map(String::from);
        let mut word = |word: WordId| word.is_some().then(|| String::from(texts.word(word)));
        let subject = Subject {
            category: about.category.clone().map(String::from),
            event_type: about.event_type.clone().map(String::from),
            user_id,
            ip_address,
            resource: word(about.resource),
            agent: word(about.agent),
        };
        Anomaly {
            kind: self.kind,
            severity: Grade::of(self.score / self.gate.max(0.1)),
            score: (self.score * 10.0).round() / 10.0,
            bar: (self.gate * 10.0).round() / 10.0,
            explanation: format!("{}: {}", subject.name(), self.sentence),
            query: query(&subject, self.range, &self.statuses),
            subject,
            from: format_timestamp(self.range.from),
            to: format_timestamp(self.range.to),
            count: self.count,
            observed: self.observed,
            expected: self.expected,
            unit: self.unit.to_owned(),
            baseline_observations: self.observations,
        }
    }
}

/// A question that has the records of a finding as its answer.
fn query(subject: &Subject, range: TimeRange, statuses: &[Box<str>]) -> String {
    let mut query = form_urlencoded::Serializer::new(String::new());
    query.append_pair("start_date", &format_timestamp(range.from));
    query.append_pair("end_date", &format_timestamp(range.to));
    for (name, value) in [
        ("category", &subject.category),
        ("event_type", &subject.event_type),
        ("user_id", &subject.user_id),
        ("ip_address", &subject.ip_address),
    ] {
        if let Some(value) = value {
            query.append_pair(name, value);
        }
    }
    let mut conditions: Vec<String> = Vec::new();
    if let [status] = statuses {
        query.append_pair("status", status);
    } else if !statuses.is_empty() {
        let each: Vec<_> =
            statuses.iter().map(|status| format!("status = {}", quoted(status))).collect();
        conditions.push(format!("({})", each.join(" OR ")));
    }
    // Of a class the fixed beginning is what a condition can ask for.
    if let Some(class) = &subject.resource {
        let begins = class.split('*').next().unwrap_or_default();
        if !begins.is_empty() {
            let text = quoted(begins);
            conditions.push(format!("resource = {}*\"", text.trim_end_matches('"')));
        }
    }
    if !conditions.is_empty() {
        query.append_pair("filter", &conditions.join(" AND "));
    }
    query.finish()
}

/// A text as the language of filters quotes it.
fn quoted(text: &str) -> String {
    let mut out = String::from('"');
    for c in text.chars() {
        if matches!(c, '"' | '\\' | '*') {
            out.push('\\');
        }
        out.push(c);
    }
    out.push('"');
    out
}

/// Periods that follow each other, or with one between them that is not as unusual, as one.
pub(super) fn joined(mut periods: Vec<usize>) -> Vec<(usize, usize)> {
    periods.sort_unstable();
    let mut out: Vec<(usize, usize)> = Vec::new();
    for period in periods {
        match out.last_mut() {
            Some((_, to)) if period <= *to + 1 => *to = period + 1,
            _ => out.push((period, period + 1)),
        }
    }
    out
}

/// How long that is, in words.
pub(super) fn length(count: usize, one: &str) -> String {
    if count == 1 { format!("one {one}") } else { format!("{count} {one}s") }
}

/// A number as people write it: whole when large, else with what matters.
pub(super) fn plain(number: f64) -> String {
    if number >= 100.0 || (number - number.round()).abs() < 0.005 {
        format!("{number:.0}")
    } else if number >= 10.0 {
        format!("{number:.1}")
    } else {
        format!("{number:.2}")
    }
}

/// What detectors need to know of how they were called.
#[derive(Debug, Clone, Copy)]
pub(super) struct Terms {
    pub(super) grid: Grid,
    pub(super) threshold: f64,
    /// The first day that is wholly after the first record of all.
    pub(super) first_day: usize,
}

impl Terms {
    pub(super) fn base_days(&self) -> usize {
        self.grid.base_days - self.first_day
    }

    pub(super) fn window_days(&self) -> usize {
        self.grid.days - self.grid.base_days
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neighbours_are_one() {
        assert_eq!(joined(vec![9, 3, 4, 6, 12]), [(3, 7), (9, 10), (12, 13)]);
        assert_eq!(joined(Vec::new()), []);
    }

    #[test]
    fn a_question_asks_for_exactly_what_is_meant() {
        let subject = Subject {
            user_id: Some("a&b \"c\"".to_owned()),
            resource: Some("/q\"x/*/owner".to_owned()),
            ..Subject::default()
        };
        let range = TimeRange { from: 0, to: 1_500_000 };
        let asked = query(&subject, range, &["failure".into(), "error".into()]);
        let pairs: Vec<_> = form_urlencoded::parse(asked.as_bytes()).into_owned().collect();
        let expected = [
            ("start_date", "1970-01-01T00:00:00.000000Z"),
            ("end_date", "1970-01-01T00:00:01.500000Z"),
            ("user_id", "a&b \"c\""),
            ("filter", r#"(status = "failure" OR status = "error") AND resource = "/q\"x/*""#),
        ];
        assert_eq!(pairs, expected.map(|(name, value)| (name.to_owned(), value.to_owned())));
        assert!(crate::filter::expression(&pairs[3].1).is_ok());
    }
}
