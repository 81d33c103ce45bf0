//! Counting facts by time, category, kind and value.

use std::collections::{BTreeMap, HashMap};

use audit_layer::record::format_timestamp;

use super::{Bucket, CategoryCount, Interval, distinct, top::Source};
use crate::{
    fact::{Facts, Fold, Legend, ValueKind},
    filter::TimeRange,
    read_model::Column,
};

/// The most categories that are told apart.
const MAX_CATEGORIES: usize = 100;

/// Counts of facts.
#[derive(Debug)]
pub(super) struct Histogram {
    interval: Interval,
    range: TimeRange,
    /// By the beginning of the bucket: the categories that it has, in the order of their numbers, and
    /// how many records of each. A place for every category in every bucket would be gigabytes where
    /// someone makes names up.
    buckets: BTreeMap<i64, Vec<(usize, u64)>>,
    /// Numbers of categories, by their names, and by kind.
    categories: Vec<Box<str>>,
    by_name: HashMap<Box<str>, usize>,
    by_kind: Vec<usize>,
    kinds: Vec<u64>,
    /// What is counted of one bucket at a time, by category, and which categories were met.
    counted: Vec<u64>,
    met: Vec<usize>,
    counts_users: bool,
    users: Vec<u64>,
    counts_addresses: bool,
    addresses: Vec<u64>,
}

impl Histogram {
    pub(super) fn new(
        interval: Interval,
        range: TimeRange,
        sources: impl Iterator<Item = Source>,
    ) -> Self {
        let sources: Vec<Source> = sources.collect();
        Self {
            interval,
            range,
            buckets: BTreeMap::new(),
            categories: Vec::new(),
            by_name: HashMap::new(),
            by_kind: Vec::new(),
            kinds: Vec::new(),
            counted: Vec::new(),
            met: Vec::new(),
            counts_users: sources.contains(&Source::Value(ValueKind::User)),
            users: Vec::new(),
            counts_addresses: sources.contains(&Source::Value(ValueKind::Address)),
            addresses: Vec::new(),
        }
    }

    /// Which columns it needs.
    pub(super) fn columns(&self) -> Vec<Column> {
        let users = self.counts_users.then_some(Column::Users);
        let addresses = self.counts_addresses.then_some(Column::Addresses);
        distinct(users.into_iter().chain(addresses).collect())
    }

    /// Records by kind, in the order of the legend.
    pub(super) fn kinds(&self) -> &[u64] {
        &self.kinds
    }

    /// Records by value; the first is of those that have none.
    pub(super) fn values(&self, kind: ValueKind) -> &[u64] {
        match kind {
            ValueKind::User => &self.users,
            ValueKind::Address => &self.addresses,
            // Not every record's name is kept.
            ValueKind::Name => &[],
        }
    }

    /// Learns the categories of kinds that are new.
    fn learn(&mut self, legend: &Legend) {
        for kind in legend.kinds().iter().skip(self.by_kind.len()) {
            let category = kind.category();
            let known = self.by_name.get(category).copied();
            self.by_kind.push(known.unwrap_or_else(|| {
                self.categories.push(category.into());
                self.by_name.insert(category.into(), self.categories.len() - 1);
                self.categories.len() - 1
            }));
        }
        self.kinds.resize(self.by_kind.len(), 0);
        self.counted.resize(self.categories.len(), 0);
    }

    pub(super) fn finish(self) -> (Vec<CategoryCount>, Vec<Bucket>) {
        let mut totals = vec![0_u64; self.categories.len()];
        for (category, count) in self.buckets.values().flatten() {
            totals[*category] += count;
        }
        let mut order: Vec<usize> = (0..totals.len()).filter(|at| totals[*at] > 0).collect();
        order.sort_by(|a, b| {
            totals[*b].cmp(&totals[*a]).then_with(|| self.categories[*a].cmp(&self.categories[*b]))
        });
        let others = order.split_off(order.len().min(MAX_CATEGORIES));
        // The place of a category in each row; of all others it is the last.
        let mut places = vec![order.len(); totals.len()];
        order.iter().enumerate().for_each(|(place, category)| places[*category] = place);
        let length = order.len() + usize::from(!others.is_empty());
        let row = |counts: &mut dyn Iterator<Item = (usize, u64)>| {
            let mut row = vec![0; length];
            counts.for_each(|(category, count)| row[places[category]] += count);
            row
        };
        let all = row(&mut totals.iter().copied().enumerate().filter(|(_, count)| *count > 0));
        let names = order.iter().map(|at| self.categories[*at].to_string());
        let categories = names
            .chain((!others.is_empty()).then(String::new))
            .zip(all)
            .map(|(category, records)| CategoryCount { category, records })
            .collect();
        let mut buckets = Vec::new();
        let mut start = self.interval.start(self.range.from);
        while start <= self.range.to {
            let counts = self.buckets.get(&start).map_or(&[][..], |counts| counts);
            let by_category = row(&mut counts.iter().copied());
            let records = by_category.iter().sum();
            buckets.push(Bucket { start: format_timestamp(start), records, by_category });
            let next = self.interval.next(start);
            if next <= start {
                break;
            }
            start = next;
        }
        (categories, buckets)
    }
}

fn count(counts: &mut Vec<u64>, at: usize) {
    if counts.len() <= at {
        counts.resize((at + 1).max(counts.len() * 2), 0);
    }
    counts[at] += 1;
}

impl Fold for Histogram {
    fn take(&mut self, facts: &Facts<'_>) {
        self.learn(facts.legend);
        let mut rest = facts.rows;
        while let Some(first) = rest.first() {
            let start = self.interval.start(first.at);
            let end = self.interval.next(start);
            let length = rest.partition_point(|fact| fact.at < end).max(1);
            let (bucket, later) = rest.split_at(length);
            for fact in bucket {
                let kind = fact.kind.index();
                let count = &mut self.counted[self.by_kind[kind]];
                if *count == 0 {
                    self.met.push(self.by_kind[kind]);
                }
                *count += 1;
                self.kinds[kind] += 1;
            }
            let counts = self.buckets.entry(start).or_default();
            for category in self.met.drain(..) {
                let count = std::mem::take(&mut self.counted[category]);
                match counts.binary_search_by_key(&category, |(category, _)| *category) {
                    Ok(at) => counts[at].1 += count,
                    Err(at) => counts.insert(at, (category, count)),
                }
            }
            rest = later;
        }
        if self.counts_users {
            facts.rows.iter().for_each(|fact| count(&mut self.users, fact.user.index()));
        }
        if self.counts_addresses {
            facts.rows.iter().for_each(|fact| count(&mut self.addresses, fact.address.index()));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fact::testing::Lines;

    #[test]
    fn a_bucket_has_room_for_what_is_in_it_alone() {
        const MINUTE: i64 = 60_000_000;
        let mut lines = Lines::default();
        for number in 0..500 {
            lines.push(number * MINUTE, &format!("c{number}.done"), serde_json::json!({}));
            lines.push(number * MINUTE + 1, "auth.login", serde_json::json!({}));
        }
        let range = TimeRange { from: 0, to: 500 * MINUTE - 1 };
        let mut histogram = Histogram::new(Interval::Minute, range, std::iter::empty());
        lines.fold(range, 7, &mut Legend::default(), &mut histogram);
        assert!(histogram.buckets.values().all(|counts| counts.len() == 2));
        let (categories, buckets) = histogram.finish();
        assert_eq!((categories.len(), buckets.len()), (MAX_CATEGORIES + 1, 500));
        assert_eq!((&*categories[0].category, categories[0].records), ("auth", 500));
        assert_eq!(
            (&*categories[MAX_CATEGORIES].category, categories[MAX_CATEGORIES].records),
            ("", 401)
        );
        assert!(buckets.iter().all(|bucket| bucket.records == 2 && bucket.by_category[0] == 1));
    }
}
