//! From what was added to the report.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, HashMap},
};

use audit_layer::record::format_timestamp;

use super::{
    AgentRisk, LargeTrade, Largest, LargestTrades, MOST_GROUPS, MOST_OVERRIDES, MOST_TRADES, Money,
    NamedVolumes, Overrides, RiskOverride, RiskReport, RiskType, TradeVolume, TradeVolumes,
    TradedVolumes, Trading, TradingReport,
    greatest::Kept,
    steps::{Groups, Volume, Volumes},
};
use crate::{
    fact::{KindId, Legend, Texts, ValueKind, WordId},
    report::{Header, Top, by_number::Bounded, shortlist::shortlist},
};

/// The text of a word, when it is one.
fn named(legend: &Legend, word: WordId) -> Option<String> {
    word.is_some().then(|| legend.word(word).to_owned())
}

impl Trading {
    /// The report, when all facts were taken.
    pub(crate) fn finish(
        mut self,
        legend: &Legend,
        texts: &mut dyn Texts,
        header: Header,
    ) -> TradingReport {
        self.join_all();
        let too_many_currencies = self.currencies.exceeded();
        let volumes = |volumes| volumes_of(volumes, too_many_currencies, legend);
        let by_word = |groups: Groups<WordId>| {
            let key = |word: &WordId| legend.word(*word);
            top(groups, key, |word, of| NamedVolumes {
                name: named(legend, word),
                volumes: volumes(of),
            })
        };
        let by_all = top(
            self.by_all,
            |(agent, symbol, side)| [*agent, *symbol, *side].map(|word| legend.word(word)),
            |(agent, symbol, side), of| TradedVolumes {
                agent: named(legend, agent),
                symbol: named(legend, symbol),
                side: named(legend, side),
                volumes: volumes(of),
            },
        );
        let (orders, without_correlation) = self.orders.finish();
        let largest = if too_many_currencies { Bounded::new(0) } else { self.largest };
        TradingReport {
            header,
            user_id: self.user,
            totals: volumes(self.totals),
            by_agent: by_word(self.by_agent),
            by_symbol: by_word(self.by_symbol),
            by_side: by_word(self.by_side),
            by_agent_symbol_side: by_all,
            too_many_currencies,
            orders,
            without_correlation,
            agent_decisions: self.agent_decisions.finish(legend),
            trade_decisions: self.trade_decisions.finish(legend),
            risk: risk(&self.risk_kinds, self.risk, self.overrides, legend, texts),
            largest_trades: largest_trades(largest, legend, texts),
        }
    }
}

fn volumes_of(of: Volumes, too_many_currencies: bool, legend: &Legend) -> TradeVolumes {
    let volume = |of: Volume| {
        let sums = if too_many_currencies { Vec::new() } else { of.notionals };
        let money = |(currency, sum): (WordId, crate::fact::Sum)| Money {
            currency: named(legend, currency),
            amount: sum.to_string(),
        };
        let mut notionals: Vec<Money> = sums.into_iter().map(money).collect();
        notionals.sort_by(|a, b| a.currency.cmp(&b.currency));
        TradeVolume {
            count: of.count,
            failed: of.failed,
            quantity: of.quantity.to_string(),
            without_quantity: of.without_quantity,
            notionals,
            without_notional: of.without_notional,
        }
    };
    TradeVolumes {
        decisions: volume(of.decisions),
        executions: volume(of.executions),
        cancellations: volume(of.cancellations),
    }
}

/// The groups with most records; of equals those with the least names.
fn top<K, N: Ord, T>(
    groups: Groups<K>,
    name: impl Fn(&K) -> N,
    mut make: impl FnMut(K, Volumes) -> T,
) -> Option<Top<T>>
where
    K: std::hash::Hash + Eq,
    T: poem_openapi::types::ParseFromJSON + poem_openapi::types::ToJSON + Send + Sync,
{
    let all: Vec<(K, Volumes)> = groups.into_map()?.into_iter().collect();
    let (shown, total) = shortlist(
        all,
        MOST_GROUPS,
        |(key, volumes)| (Reverse(volumes.records()), name(key)),
        |_| (),
        |_| (),
    );
    let items = shown.into_iter().map(|((key, volumes), ())| make(key, volumes)).collect();
    Some(Top { items, total })
}

fn risk(
    counts: &[u64],
    by_agent: Bounded<(KindId, WordId), u64>,
    overrides: Overrides,
    legend: &Legend,
    texts: &mut dyn Texts,
) -> RiskReport {
    let mut types = BTreeMap::<&str, (u64, u64)>::new();
    for (kind, count) in legend.kinds().iter().zip(counts).filter(|(_, count)| **count > 0) {
        let (all, failed) = types.entry(&kind.event_type).or_default();
        *all += count;
        *failed += if kind.failed() { *count } else { 0 };
    }
    let typed = types.into_iter().map(|(event_type, (count, failed))| RiskType {
        event_type: event_type.to_owned(),
        count,
        failed,
    });
    let mut by_event_type: Vec<RiskType> = typed.collect();
    by_event_type.sort_by_key(|item| Reverse(item.count));
    let by_event_type_and_agent = by_agent.into_map().map(|by_agent| {
        // Kinds that differ in status or severity are one type.
        let mut groups = HashMap::<(&str, WordId), (u64, u64)>::new();
        for ((kind, agent), count) in by_agent {
            let Some(kind) = legend.kinds().get(kind.index()) else { continue };
            let (all, failed) = groups.entry((&kind.event_type, agent)).or_default();
            *all += count;
            *failed += if kind.failed() { count } else { 0 };
        }
        Top::by(
            groups.into_iter().collect(),
            MOST_GROUPS,
            |((event_type, agent), (count, _))| {
                (*count, Reverse((*event_type, legend.word(*agent))))
            },
            |((event_type, agent), (count, failed))| AgentRisk {
                event_type: event_type.to_owned(),
                agent: named(legend, agent),
                count,
                failed,
            },
        )
    });
    let count = by_event_type.iter().map(|item| item.count).sum();
    let overrides = latest_overrides(overrides, legend, texts);
    RiskReport { count, by_event_type, by_event_type_and_agent, overrides }
}

fn latest_overrides(
    overrides: Overrides,
    legend: &Legend,
    texts: &mut dyn Texts,
) -> Top<RiskOverride> {
    let (kept, total) = overrides.finish();
    let (shown, _) = shortlist(
        kept,
        MOST_OVERRIDES,
        |kept| Reverse(kept.key),
        |kept| kept.origin,
        |kept| texts.id(kept.origin),
    );
    let items = shown.into_iter().map(|(Kept { key, value, .. }, id)| RiskOverride {
        id: id.into(),
        timestamp: format_timestamp(key),
        user: value.user.is_some().then(|| texts.value(ValueKind::User, value.user).into()),
        agent: named(legend, value.agent),
        symbol: named(legend, value.symbol),
    });
    Top { items: items.collect(), total }
}

fn largest_trades(
    largest: Bounded<WordId, Largest>,
    legend: &Legend,
    texts: &mut dyn Texts,
) -> Vec<LargestTrades> {
    let mut found = Vec::new();
    for (currency, largest) in largest.into_map().unwrap_or_default() {
        let (kept, total) = largest.finish();
        let (shown, _) = shortlist(
            kept,
            MOST_TRADES,
            |kept| Reverse(kept.key),
            |kept| kept.origin,
            |kept| texts.id(kept.origin),
        );
        let items = shown.into_iter().map(|(Kept { key, value, .. }, id)| LargeTrade {
            id: id.into(),
            timestamp: format_timestamp(value.at),
            agent: named(legend, value.agent),
            symbol: named(legend, value.symbol),
            side: named(legend, value.side),
            quantity: value.quantity.map(|quantity| quantity.to_string()),
            price: value.price.map(|price| price.to_string()),
            notional: key.to_string(),
        });
        let trades = Top { items: items.collect(), total };
        found.push(LargestTrades { currency: named(legend, currency), trades });
    }
    found.sort_by(|a, b| a.currency.cmp(&b.currency));
    found
}
