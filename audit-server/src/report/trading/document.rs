//! The report for people.

use super::{
    ConfidenceFigures, ConfidenceReport, LargestTrades, NamedVolumes, OrderFigures, RiskReport,
    TradeVolume, TradeVolumes, TradedVolumes, TradingReport, Uncorrelated,
};
use crate::report::{Block, Cell, Document, Table, Tone, Top};

/// What follows the names of a table of volumes.
const VOLUME: [&str; 7] = [
    "step",
    "#records",
    "#failed",
    "#quantity",
    "#without quantity",
    "notional",
    "#without notional",
];

impl TradingReport {
    /// All of it, in the order in which it is read.
    pub(crate) fn document(&self) -> Document {
        let mut document = Document::new("Trading");
        document.sections.push(self.header.section());
        document
            .section("What was traded", self.totals())
            .section("Orders", orders(self.orders.as_ref(), &self.without_correlation))
            .section("By agent", [named("agent", self.by_agent.as_ref())])
            .section("By symbol", [named("symbol", self.by_symbol.as_ref())])
            .section("By side", [named("side", self.by_side.as_ref())])
            .section("By agent, symbol and side", [traded(self.by_agent_symbol_side.as_ref())])
            .section("Confidence of agents' decisions", confidence(&self.agent_decisions))
            .section("Confidence of trade decisions", confidence(&self.trade_decisions))
            .section("Risk", risk(&self.risk))
            .section("Largest trades", largest(&self.largest_trades))
    }

    fn totals(&self) -> Vec<Block> {
        let mut blocks = Vec::new();
        let of = match &self.user_id {
            Some(user) => Cell::from(user),
            None => Cell::from("everyone"),
        };
        blocks.push(Block::Pairs(vec![("records of".to_owned(), of)]));
        if self.too_many_currencies {
            let text = "There are too many currencies: no notionals were added and no largest \
                        trades are listed.";
            blocks.push(Block::Text(text.to_owned()));
        }
        blocks.push(Block::Text(
            "Records whose status says that they failed are in no sum. Money of one currency is \
             never added to that of another. Beside each sum stands how many records do not say how \
             much."
                .to_owned(),
        ));
        let mut table = Table::new(VOLUME);
        rows(&mut table, &[], &self.totals);
        blocks.push(Block::Table(table));
        blocks
    }
}

fn or_none(text: Option<&str>) -> Cell {
    text.map_or_else(|| Cell::toned("none", Tone::Unknown), Cell::from)
}

fn too_many(of_what: &str) -> Block {
    Block::Text(format!("There are too many {of_what} to tell them apart."))
}

/// A row for each step that there is.
fn rows(table: &mut Table, names: &[Option<&str>], volumes: &TradeVolumes) {
    for (step, volume) in [
        ("decided", &volumes.decisions),
        ("executed", &volumes.executions),
        ("cancelled", &volumes.cancellations),
    ] {
        let is_there = volume.count + volume.failed > 0;
        if !is_there && !names.is_empty() {
            continue;
        }
        let mut row: Vec<Cell> = names.iter().map(|name| or_none(*name)).collect();
        row.extend([
            step.into(),
            volume.count.into(),
            volume.failed.into(),
            volume.quantity.as_str().into(),
            volume.without_quantity.into(),
            money(volume).into(),
            volume.without_notional.into(),
        ]);
        table.push(row);
    }
}

fn money(volume: &TradeVolume) -> String {
    let sums = volume.notionals.iter().map(|money| match &money.currency {
        Some(currency) => format!("{} {currency}", money.amount),
        None => format!("{} without currency", money.amount),
    });
    sums.collect::<Vec<_>>().join(", ")
}

fn named(name: &str, top: Option<&Top<NamedVolumes>>) -> Block {
    let Some(top) = top else { return too_many(&format!("{name}s")) };
    let mut table = Table::new(std::iter::once(name).chain(VOLUME));
    for item in &top.items {
        rows(&mut table, &[item.name.as_deref()], &item.volumes);
    }
    table.note = top.note();
    Block::Table(table)
}

fn traded(top: Option<&Top<TradedVolumes>>) -> Block {
    let Some(top) = top else { return too_many("of these") };
    let mut table = Table::new(["agent", "symbol", "side"].into_iter().chain(VOLUME));
    for item in &top.items {
        let names = [item.agent.as_deref(), item.symbol.as_deref(), item.side.as_deref()];
        rows(&mut table, &names, &item.volumes);
    }
    table.note = top.note();
    Block::Table(table)
}

fn orders(orders: Option<&OrderFigures>, uncorrelated: &Uncorrelated) -> Vec<Block> {
    let mut blocks = vec![Block::Text(
        "An order is all records with one correlation_id. It is open when it was decided, and \
         neither executed nor cancelled so far."
            .to_owned(),
    )];
    let pair = |name: &str, cell: Cell| (name.to_owned(), cell);
    match orders {
        None => blocks.push(too_many("orders")),
        Some(orders) => {
            let odd =
                |count: u64| Cell::toned(count, if count == 0 { Tone::Good } else { Tone::Bad });
            blocks.push(Block::Pairs(vec![
                pair("decided", orders.decided.into()),
                pair("executed", orders.executed.into()),
                pair("cancelled", orders.cancelled.into()),
                pair("open", orders.open.into()),
                pair("executed of decided", or_none(orders.execution_ratio.as_deref())),
                pair("executed without a decision", odd(orders.executed_without_decision)),
                pair("cancelled without a decision", odd(orders.cancelled_without_decision)),
                pair("executed before the decision", odd(orders.executed_before_decision)),
            ]));
            let delay = match &orders.delay {
                None => Block::Text("No order has both a decision and an execution.".to_owned()),
                Some(delay) => {
                    let mut table = Table::new(["from decision to execution", "#microseconds"]);
                    for (name, micros) in [
                        ("shortest", delay.min_us),
                        ("median", delay.median_us),
                        ("nine of ten", delay.p90_us),
                        ("99 of 100", delay.p99_us),
                        ("longest", delay.max_us),
                    ] {
                        table.push([name.into(), micros.into()]);
                    }
                    Block::Table(table)
                }
            };
            blocks.push(delay);
        }
    }
    blocks.push(Block::Pairs(vec![
        pair("decisions without correlation_id", uncorrelated.decisions.into()),
        pair("executions without correlation_id", uncorrelated.executions.into()),
        pair("cancellations without correlation_id", uncorrelated.cancellations.into()),
    ]));
    blocks
}

fn confidence(of: &ConfidenceReport) -> Vec<Block> {
    let mut blocks = vec![Block::Pairs(vec![(
        "records that do not say it".to_owned(),
        of.without_confidence.into(),
    )])];
    let mut table = Table::new(["agent", "#records", "#least", "#median", "#mean", "#greatest"]);
    let mut row = |agent: Cell, of: &ConfidenceFigures| {
        table.push([
            agent,
            of.count.into(),
            of.min.as_str().into(),
            or_none(of.median.as_deref()),
            of.mean.as_str().into(),
            of.max.as_str().into(),
        ]);
    };
    if let Some(overall) = &of.overall {
        row("all".into(), overall);
    }
    match &of.by_agent {
        None => blocks.push(too_many("agents")),
        Some(top) => {
            for item in &top.items {
                row(or_none(item.agent.as_deref()), &item.confidence);
            }
            table.note = top.note();
        }
    }
    blocks.push(Block::Table(table));
    blocks
}

fn risk(of: &RiskReport) -> Vec<Block> {
    let mut blocks = vec![Block::Pairs(vec![("records".to_owned(), of.count.into())])];
    let mut types = Table::new(["event type", "#records", "#failed"]);
    for item in &of.by_event_type {
        types.push([item.event_type.as_str().into(), item.count.into(), item.failed.into()]);
    }
    blocks.push(Block::Table(types));
    match &of.by_event_type_and_agent {
        None => blocks.push(too_many("agents")),
        Some(top) => {
            let mut table = Table::new(["event type", "agent", "#records", "#failed"]);
            for item in &top.items {
                table.push([
                    item.event_type.as_str().into(),
                    or_none(item.agent.as_deref()),
                    item.count.into(),
                    item.failed.into(),
                ]);
            }
            table.note = top.note();
            blocks.push(Block::Table(table));
        }
    }
    blocks.push(Block::Text("Overrides, the latest first.".to_owned()));
    let mut table = Table::new(["time", "user", "agent", "symbol", "id"]);
    for item in &of.overrides.items {
        table.push([
            item.timestamp.as_str().into(),
            or_none(item.user.as_deref()),
            or_none(item.agent.as_deref()),
            or_none(item.symbol.as_deref()),
            item.id.as_str().into(),
        ]);
    }
    table.note = of.overrides.note();
    blocks.push(Block::Table(table));
    blocks
}

fn largest(of: &[LargestTrades]) -> Vec<Block> {
    let mut blocks = Vec::new();
    for item in of {
        blocks.push(Block::Text(match &item.currency {
            Some(currency) => format!("In {currency}."),
            None => "Without a currency.".to_owned(),
        }));
        let mut table = Table::new([
            "time",
            "agent",
            "symbol",
            "side",
            "#quantity",
            "#price",
            "#notional",
            "id",
        ]);
        for trade in &item.trades.items {
            table.push([
                trade.timestamp.as_str().into(),
                or_none(trade.agent.as_deref()),
                or_none(trade.symbol.as_deref()),
                or_none(trade.side.as_deref()),
                or_none(trade.quantity.as_deref()),
                or_none(trade.price.as_deref()),
                trade.notional.as_str().into(),
                trade.id.as_str().into(),
            ]);
        }
        table.note = item.trades.note();
        blocks.push(Block::Table(table));
    }
    if blocks.is_empty() {
        blocks.push(Block::Text("No executed trade says a notional.".to_owned()));
    }
    blocks
}
