//! Money that comes, goes and moves.

use audit_layer::record::{Member, Severity};

use super::{
    days::{Days, SECOND},
    decimal::Decimal,
    event::Detail,
    world::LEDGER,
};

impl Days {
    /// A movement of money, and its booking.
    pub(crate) fn payment(&mut self, at: i64) {
        let caller = self.caller(at);
        let event_type = match self.chance.below(100) {
            0..40 => "financial.transfer",
            40..65 => "financial.deposit",
            65..92 => "financial.withdrawal",
            _ => "financial.refund",
        };
        let number = self.number();
        let cents = i128::from(50 + self.chance.about(40_000));
        // Few are large, and those are what people look for.
        let cents = if self.chance.once_in(50) { cents * 100 } else { cents };
        let amount = Decimal::new(cents, 2).to_string();
        let currency = self.chance.pick(&["EUR", "EUR", "EUR", "USD", "USD", "GBP", "CHF", "JPY"]);
        let account = format!("/accounts/{}", self.world.item(&mut self.chance));
        let card = self.chance.permille(300);
        let took = self.chance.about(150_000);
        let event = |at: i64, event_type: &'static str| {
            let mut event = caller.event(at, event_type).text(Member::Resource, account.clone());
            event.stream = LEDGER;
            event
                .text(Member::CorrelationId, format!("pay-{number:08}"))
                .detail("amount", amount.clone())
                .detail("currency", currency)
                .flag(if card { "PCI-DSS" } else { "SOX" }, Detail::Flag(true))
        };
        let mut moved = event(at, event_type).took(took);
        if event_type == "financial.transfer" {
            let digits = self.chance.below(1_000_000_000_000);
            moved = moved.detail("iban", format!("XX00{digits:012}"));
        }
        if self.chance.permille(20) {
            return self.happens(moved.status("failure").graver(Severity::Error));
        }
        self.happens(moved.status("success"));
        let booked = at + SECOND / 4 + self.chance.about(5 * SECOND);
        self.happens(event(booked, "financial.transaction").status("success"));
    }
}
