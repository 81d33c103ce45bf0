//! Money that comes, goes and moves between accounts.

use audit_layer::event_type;
use time::OffsetDateTime;
use tracing::{info, warn};

use super::{
    Desk,
    market::CURRENCY,
    money::Cents,
    people::{Request, TREASURER},
};

/// The treasurer moves money in one of four ways.
pub(super) fn money_moves(desk: &mut Desk, now: OffsetDateTime) {
    desk.as_person(TREASURER, now, |desk, request| {
        let payment = desk.name("pay");
        let amount = Cents(desk.random.i64(50_000..25_000_000));
        match desk.random.u32(..10) {
            0..=5 => transfer(desk, now, request, payment, amount),
            6..=7 => deposit(desk, &request, &payment, amount),
            8 => withdraw(desk, &request, &payment, amount),
            _ => refund(desk, &request, &payment, amount),
        }
    });
}

/// A transfer is asked for, and a moment later made or refused.
fn transfer(
    desk: &mut Desk,
    now: OffsetDateTime,
    request: Request,
    payment: String,
    amount: Cents,
) {
    let from = desk.one_of(["desk-cash", "settlement", "margin"]);
    let to = desk.one_of(["custody", "collateral", "clearing"]);
    {
        let _spans = request.enter_with(&payment);
        info!(
            target: "audit",
            event_type = event_type::FINANCIAL_TRANSFER,
            action = "transfer",
            status = "pending",
            resource = format!("accounts/{from}"),
            data_classification = "confidential",
            regulatory_flags.SOX = true,
            amount = %amount,
            currency = CURRENCY,
            from_account = from,
            to_account = to,
            "Transfer asked for"
        );
    }
    desk.soon(now, 200..5000, move |desk, _| {
        let _spans = request.enter_with(&payment);
        if desk.chance(7) {
            warn!(
                target: "audit",
                event_type = event_type::FINANCIAL_TRANSFER,
                action = "transfer",
                status = "failure",
                resource = format!("accounts/{from}"),
                duration_us = desk.took(),
                data_classification = "confidential",
                regulatory_flags.SOX = true,
                amount = %amount,
                currency = CURRENCY,
                from_account = from,
                to_account = to,
                reason = "insufficient funds",
                "Transfer refused"
            );
        } else {
            info!(
                target: "audit",
                event_type = event_type::FINANCIAL_TRANSFER,
                action = "transfer",
                status = "success",
                resource = format!("accounts/{from}"),
                duration_us = desk.took(),
                data_classification = "confidential",
                regulatory_flags.SOX = true,
                amount = %amount,
                currency = CURRENCY,
                from_account = from,
                to_account = to,
                "Transfer made"
            );
        }
    });
}

fn deposit(desk: &mut Desk, request: &Request, payment: &str, amount: Cents) {
    let _spans = request.enter_with(payment);
    info!(
        target: "audit",
        event_type = event_type::FINANCIAL_DEPOSIT,
        action = "deposit",
        status = "success",
        resource = "accounts/desk-cash",
        duration_us = desk.took(),
        data_classification = "confidential",
        regulatory_flags.SOX = true,
        amount = %amount,
        currency = CURRENCY,
        "Deposit booked"
    );
}

fn withdraw(desk: &mut Desk, request: &Request, payment: &str, amount: Cents) {
    let _spans = request.enter_with(payment);
    info!(
        target: "audit",
        event_type = event_type::FINANCIAL_WITHDRAWAL,
        action = "withdraw",
        status = "success",
        resource = "accounts/desk-cash",
        duration_us = desk.took(),
        data_classification = "confidential",
        regulatory_flags.SOX = true,
        amount = %amount,
        currency = CURRENCY,
        "Withdrawal booked"
    );
}

fn refund(desk: &mut Desk, request: &Request, payment: &str, amount: Cents) {
    let _spans = request.enter_with(payment);
    info!(
        target: "audit",
        event_type = event_type::FINANCIAL_REFUND,
        action = "refund",
        status = "success",
        resource = "accounts/clearing",
        duration_us = desk.took(),
        data_classification = "confidential",
        regulatory_flags.SOX = true,
        amount = %amount,
        currency = CURRENCY,
        reason = "fee charged twice",
        "Fee refunded"
    );
}
