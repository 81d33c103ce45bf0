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
    /// By the beginning of the bucket: records by category.
    buckets: BTreeMap<i64, Vec<u64>>,
    /// Numbers of categories, by their names, and by kind.
    categories: Vec<Box<str>>,
    by_name: HashMap<Box<str>, usize>,
    by_kind: Vec<usize>,
    kinds: Vec<u64>,
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
    }

    pub(super) fn finish(self) -> (Vec<CategoryCount>, Vec<Bucket>) {
        let mut totals = vec![0_u64; self.categories.len()];
        for counts in self.buckets.values() {
            totals.iter_mut().zip(counts).for_each(|(total, count)| *total += count);
        }
        let mut order: Vec<usize> = (0..totals.len()).filter(|at| totals[*at] > 0).collect();
        order.sort_by(|a, b| {
            totals[*b].cmp(&totals[*a]).then_with(|| self.categories[*a].cmp(&self.categories[*b]))
        });
        let others = order.split_off(order.len().min(MAX_CATEGORIES));
        let of = |counts: &[u64]| {
            let at = |at: &usize| counts.get(*at).copied().unwrap_or_default();
            let mut row: Vec<u64> = order.iter().map(at).collect();
            if !others.is_empty() {
                row.push(others.iter().map(at).sum());
            }
            row
        };
        let names = order.iter().map(|at| self.categories[*at].to_string());
        let names = names.chain((!others.is_empty()).then(String::new));
        let categories = names
            .zip(of(&totals))
            .map(|(category, records)| CategoryCount { category, records })
            .collect();
        let mut buckets = Vec::new();
        let mut start = self.interval.start(self.range.from);
        while start <= self.range.to {
            let by_category = of(self.buckets.get(&start).map_or(&[], |counts| counts));
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
            let counts = self.buckets.entry(start).or_default();
            counts.resize(self.categories.len(), 0);
            for fact in bucket {
                let kind = fact.kind.index();
                counts[self.by_kind[kind]] += 1;
                self.kinds[kind] += 1;
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
