//! From a decision to the money that it moves. One `correlation_id` ties the steps together.

use audit_layer::{event_type, val};
use time::OffsetDateTime;
use tracing::{error, info, warn};

use super::{
    Desk,
    market::{CURRENCY, Order},
    money::Cents,
    people::{AGENTS, Account, RISK_ENGINE, RISK_OFFICER, Request, TRADERS},
};

/// What an order may come to before someone must look at it.
const SOFT_LIMIT: Cents = Cents::units(150_000);
/// What no order may come to.
const HARD_LIMIT: Cents = Cents::units(210_000);

/// An agent sees something, and then decides; or decides at once.
pub(super) fn agent_trades(desk: &mut Desk, now: OffsetDateTime) {
    let agent = desk.one_of(AGENTS);
    let (order, request) = (desk.order(), desk.request_of(agent));
    if !desk.chance(30) {
        return decide(desk, now, agent, request, order);
    }
    {
        let _spans = request.enter_with(&order.correlation_id);
        info!(
            target: "audit",
            event_type = event_type::AGENT_SIGNAL,
            action = "observe",
            status = "success",
            resource = format!("symbols/{}", order.symbol),
            data_classification = "internal",
            symbol = order.symbol,
            signal = desk.one_of(["breakout", "reversal", "spread", "volume"]),
            strength_percent = desk.random.u32(50..100),
            price = %order.limit_price,
            "Agent saw a signal"
        );
    }
    desk.soon(now, 20..300, move |desk, now| decide(desk, now, agent, request, order));
}

/// A trader decides by hand.
pub(super) fn trader_trades(desk: &mut Desk, now: OffsetDateTime) {
    let trader = desk.one_of(TRADERS);
    desk.as_person(trader, now, |desk, request| {
        let order = desk.order();
        decide(desk, now, trader, request, order);
    });
}

fn decide(desk: &mut Desk, now: OffsetDateTime, who: Account, request: Request, order: Order) {
    let trades = !desk.chance(8);
    let _spans = request.enter_with(&order.correlation_id);
    info!(
        target: "audit",
        event_type = event_type::TRADE_DECISION,
        action = if trades { order.side.as_str() } else { "hold" },
        status = "success",
        resource = order.resource(),
        duration_us = desk.took(),
        data_classification = "confidential",
        regulatory_flags.SOX = true,
        regulatory_flags.MIFID2 = true,
        order = val(&order.ticket()),
        symbol = order.symbol,
        side = order.side.as_str(),
        quantity = order.quantity,
        price = %order.limit_price,
        amount = %order.amount(),
        currency = CURRENCY,
        confidence = %format!("0.{}", desk.random.u32(51..100)),
        strategy = strategy(who),
        "Decided on an order"
    );
    if !trades {
        return;
    }
    if order.amount() > SOFT_LIMIT {
        return desk.soon(now, 2..20, move |desk, now| stop(desk, now, request, order));
    }
    if desk.chance(8) {
        return desk.soon(now, 500..4000, move |desk, _| cancel(desk, &request, &order));
    }
    desk.soon(now, 20..400, move |desk, now| execute(desk, now, request, order));
}

fn strategy(who: Account) -> &'static str {
    match who.username {
        "momentum-agent" => "momentum",
        "arbitrage-agent" => "arbitrage",
        _ => "discretionary",
    }
}

/// The order is too large: the risk engine stops it, for good if it breaches the hard limit.
fn stop(desk: &mut Desk, now: OffsetDateTime, request: Request, order: Order) {
    let amount = order.amount();
    let _spans = request.enter_with(&order.correlation_id);
    if amount > HARD_LIMIT {
        error!(
            target: "audit",
            event_type = event_type::RISK_LIMIT_TRIGGERED,
            severity = "critical",
            action = "reject",
            status = "denied",
            resource = order.resource(),
            data_classification = "confidential",
            regulatory_flags.SOX = true,
            regulatory_flags.MIFID2 = true,
            limit_name = "order_hard_limit",
            limit = %HARD_LIMIT,
            amount = %amount,
            currency = CURRENCY,
            symbol = order.symbol,
            side = order.side.as_str(),
            quantity = order.quantity,
            "Order breaches the hard limit"
        );
        return;
    }
    warn!(
        target: "audit",
        event_type = event_type::RISK_LIMIT_TRIGGERED,
        action = "hold",
        status = "denied",
        resource = order.resource(),
        data_classification = "confidential",
        regulatory_flags.SOX = true,
        regulatory_flags.MIFID2 = true,
        limit_name = "order_soft_limit",
        limit = %SOFT_LIMIT,
        amount = %amount,
        currency = CURRENCY,
        symbol = order.symbol,
        side = order.side.as_str(),
        quantity = order.quantity,
        "Order is over the soft limit"
    );
    if desk.chance(35) {
        desk.soon(now, 3000..20_000, move |desk, now| override_limit(desk, now, request, order));
    }
}

fn override_limit(desk: &mut Desk, now: OffsetDateTime, request: Request, order: Order) {
    let officer = desk.request_of(RISK_OFFICER);
    {
        let _spans = officer.enter_with(&order.correlation_id);
        warn!(
            target: "audit",
            event_type = event_type::RISK_OVERRIDE,
            action = "approve",
            status = "success",
            resource = order.resource(),
            data_classification = "confidential",
            regulatory_flags.SOX = true,
            regulatory_flags.MIFID2 = true,
            limit_name = "order_soft_limit",
            limit = %SOFT_LIMIT,
            amount = %order.amount(),
            currency = CURRENCY,
            requested_by = request.username,
            reason = "hedges an open position",
            "Risk limit overridden"
        );
    }
    desk.soon(now, 20..400, move |desk, now| execute(desk, now, request, order));
}

fn cancel(desk: &mut Desk, request: &Request, order: &Order) {
    let _spans = request.enter_with(&order.correlation_id);
    info!(
        target: "audit",
        event_type = event_type::TRADE_CANCELLED,
        action = "cancel",
        status = "success",
        resource = order.resource(),
        data_classification = "confidential",
        regulatory_flags.SOX = true,
        regulatory_flags.MIFID2 = true,
        symbol = order.symbol,
        side = order.side.as_str(),
        quantity = order.quantity,
        reason = desk.one_of(["price moved away", "replaced", "end of auction"]),
        "Order cancelled"
    );
}

fn execute(desk: &mut Desk, now: OffsetDateTime, request: Request, order: Order) {
    let price = desk.fill_price(&order);
    let amount = price.times(order.quantity);
    let _spans = request.enter_with(&order.correlation_id);
    info!(
        target: "audit",
        event_type = event_type::TRADE_EXECUTED,
        action = order.side.as_str(),
        status = "success",
        resource = order.resource(),
        duration_us = desk.took(),
        data_classification = "confidential",
        regulatory_flags.SOX = true,
        regulatory_flags.MIFID2 = true,
        symbol = order.symbol,
        side = order.side.as_str(),
        quantity = order.quantity,
        price = %price,
        amount = %amount,
        currency = CURRENCY,
        venue = desk.one_of(["SIM-A", "SIM-B"]),
        "Order executed"
    );
    desk.soon(now, 1000..15_000, move |desk, _| settle(desk, &request, &order, amount));
}

fn settle(desk: &mut Desk, request: &Request, order: &Order, amount: Cents) {
    // Half a cent a piece, at least a unit.
    let fee = Cents(i64::from(order.quantity.div_ceil(2)).max(100));
    let _spans = request.enter_with(&order.correlation_id);
    info!(
        target: "audit",
        event_type = event_type::FINANCIAL_TRANSACTION,
        action = "settle",
        status = "success",
        resource = "accounts/desk-cash",
        duration_us = desk.took(),
        data_classification = "confidential",
        regulatory_flags.SOX = true,
        symbol = order.symbol,
        side = order.side.as_str(),
        quantity = order.quantity,
        amount = %amount,
        fee = %fee,
        currency = CURRENCY,
        "Trade settled"
    );
}

/// The risk engine states what the desk has at stake.
pub(super) fn exposure_watched(desk: &mut Desk, _: OffsetDateTime) {
    let limit = Cents::units(1_000_000);
    let exposure = Cents::units(900_000).plus(Cents(desk.random.i64(0..40_000_000)));
    let _span = desk.request_of(RISK_ENGINE).enter();
    warn!(
        target: "audit",
        event_type = event_type::RISK_ALERT,
        action = "evaluate",
        status = if exposure > limit { "failure" } else { "success" },
        severity = if exposure > limit { "error" } else { "warning" },
        resource = "books/desk",
        duration_us = desk.took(),
        data_classification = "confidential",
        exposure = %exposure,
        limit = %limit,
        currency = CURRENCY,
        "Exposure is near or over its limit"
    );
}
