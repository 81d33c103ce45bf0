//! Agents: from a signal to an order that is executed, or is not.

use audit_layer::record::{Member, Severity};

use super::{
    days::{Days, MINUTE, SECOND},
    decimal::Decimal,
    event::{Detail, Event, Text},
    expected::{Fact, Trade, correlation},
    words,
    world::TRADER,
};

/// What all records of a trade have in common.
struct Order {
    correlation: Text,
    user: Text,
    trade: Trade,
}

impl Order {
    fn event(&self, at: i64, event_type: &'static str) -> Event {
        Event::new(TRADER, at, event_type)
            .text(Member::CorrelationId, self.correlation.clone())
            .text(Member::UserId, self.user.clone())
            .detail("agent", self.trade.agent.clone())
            .detail("symbol", self.trade.symbol.clone())
            .detail("side", self.trade.side)
    }

    /// With how much, for how much.
    fn priced(&self, at: i64, event_type: &'static str) -> Event {
        let Trade { quantity, price, .. } = self.trade;
        self.event(at, event_type)
            .detail("quantity", quantity.to_string())
            .detail("price", price.to_string())
            .detail("amount", quantity.times(price).to_string())
            .detail("currency", "EUR")
    }
}

impl Days {
    /// A signal, a proposal, a decision, and what becomes of it.
    pub(crate) fn trade(&mut self, at: i64) {
        let order = self.order();
        if self.chance.permille(250) {
            self.happens(order.event(at, "agent.signal"));
        }
        let at = at + SECOND + self.chance.about(SECOND);
        let confidence = self.chance.between(350, 1000);
        let ratio = Detail::Ratio(f64::from(i32::try_from(confidence).unwrap_or(0)) / 1000.0);
        let thought = self.chance.about(700_000);
        let proposal = order.event(at, "agent.decision").took(thought).detail("confidence", ratio);
        if confidence < 480 {
            return self.happens(proposal.status("rejected"));
        }
        self.happens(proposal.status("success"));
        let decided = at + 20_000 + self.chance.about(400_000);
        if self.chance.permille(25) && !self.is_within_limits(&order, decided - 5_000) {
            return;
        }
        let decision = order.priced(decided, "trade.decision").status("success");
        self.happens(decision.fact(Fact::Decided { trade: order.trade.number }));
        let done = decided + 50_000 + self.chance.about(3 * SECOND);
        let took = done - decided;
        if self.chance.permille(70) {
            let reason = self.chance.pick(words::CANCELLATIONS);
            let event = order.priced(done, "trade.cancelled").status("cancelled").took(took);
            return self.happens(event.detail("reason", reason).fact(Fact::Cancelled));
        }
        let venue = self.chance.pick(words::VENUES);
        let event = order.priced(done, "trade.executed").status("success").took(took);
        let event = event.flag("SOX", Detail::Flag(true));
        self.happens(event.detail("venue", venue).fact(Fact::Executed(Box::new(order.trade))));
    }

    fn order(&mut self) -> Order {
        let number = self.number();
        let agent = self.world.agent(&mut self.chance);
        let (user, agent) = (agent.id.clone().into(), agent.name.clone().into());
        let symbol = self.world.symbol(&mut self.chance);
        let (symbol, about) = (symbol.name.clone().into(), symbol.price);
        // Ten percent around what it usually costs, and in cents unless it costs next to nothing.
        let price = i128::from(about * 9 / 10 + self.chance.between(0, about / 5));
        let price = if about < 100_000 {
            Decimal::new(price.max(1), 4)
        } else {
            Decimal::new((price / 100).max(1), 2)
        };
        let size = i128::from(self.chance.about(300)) + 1;
        let quantity = if self.chance.permille(200) {
            Decimal::new(size * 100 + i128::from(self.chance.below(100)), 3)
        } else {
            Decimal::new(size, 0)
        };
        let side = self.chance.pick(&["buy", "buy", "sell"]);
        let trade = Trade { number, agent, symbol, side, quantity, price };
        Order { correlation: correlation(number).into(), user, trade }
    }

    /// What happens at a limit: the order is stopped, let pass by a person, or only noticed.
    fn is_within_limits(&mut self, order: &Order, at: i64) -> bool {
        let limit = self.chance.pick(words::LIMITS);
        match self.chance.below(10) {
            0..3 => {
                let event = order.event(at, "risk.alert").graver(Severity::Warning);
                self.happens(event.detail("limit", limit).fact(Fact::Risk));
                true
            }
            3..5 => {
                let used = i128::from(self.chance.between(101, 180));
                let event = order.priced(at - 2_000, "risk.limit_triggered").status("pending");
                let event = event.detail("used_percent", Decimal::new(used, 0).to_string());
                let event = event.detail("limit", limit).graver(Severity::Warning);
                self.happens(event.fact(Fact::Risk));
                let person = self.chance.pick(&["u-00001", "u-00004", "u-00007"]);
                let mut event = order.event(at, "risk.override").status("success");
                event.set(Member::Username, person.into());
                self.happens(event.detail("limit", limit).graver(Severity::Error).fact(Fact::Risk));
                true
            }
            _ => {
                let event = order.priced(at, "risk.limit_triggered").status("denied");
                let event = event.detail("limit", limit).graver(Severity::Error);
                self.happens(event.fact(Fact::Risk));
                self.may_be_reviewed(order, at);
                false
            }
        }
    }

    /// Of some stopped orders a person is told later.
    fn may_be_reviewed(&mut self, order: &Order, at: i64) {
        if self.chance.once_in(4) {
            let at = at + MINUTE + self.chance.about(20 * MINUTE);
            let event = order.event(at, "risk.alert").graver(Severity::Critical);
            self.happens(event.detail("limit", "review").fact(Fact::Risk));
        }
    }
}
