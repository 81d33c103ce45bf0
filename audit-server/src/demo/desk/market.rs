//! What is traded, and at which price.

use valuable::Valuable;

use super::{Desk, money::Cents};

/// The smallest price there is.
const FLOOR: Cents = Cents::units(1);

/// The symbols and their prices.
pub(crate) struct Market([Symbol; 6]);

struct Symbol {
    name: &'static str,
    /// Where the price is drawn to, so that a desk that runs for days does not drift away.
    home: Cents,
    last: Cents,
}

impl Market {
    pub(crate) fn new() -> Self {
        let symbol = |name, cents| Symbol { name, home: Cents(cents), last: Cents(cents) };
        Self([
            symbol("ACME", 10_240),
            symbol("GLOBX", 3_715),
            symbol("FOOBR", 25_190),
            symbol("QUUX", 872),
            symbol("XYZZY", 6_405),
            symbol("PLUGH", 1_999),
        ])
    }
}

impl Symbol {
    /// Moves the price by so many hundredths of a percent of where it is drawn to.
    fn tick(&mut self, hundredths: i64) {
        let (home, last) = (self.home.0, self.last.0);
        let moved = last + home * hundredths / 10_000 + (home - last) / 50;
        self.last = Cents(moved).max(FLOOR);
    }
}

/// The buying or selling side.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Side {
    Buy,
    Sell,
}

impl Side {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Buy => "buy",
            Self::Sell => "sell",
        }
    }
}

/// An order, from the decision until it is settled.
#[derive(Debug, Clone)]
pub(crate) struct Order {
    pub(crate) correlation_id: String,
    pub(crate) symbol: &'static str,
    pub(crate) side: Side,
    pub(crate) quantity: u32,
    pub(crate) limit_price: Cents,
}

/// An order as it stands in the record of the decision, nested in `details.order`.
#[derive(Debug, Valuable)]
pub(crate) struct OrderTicket {
    symbol: &'static str,
    side: &'static str,
    quantity: u32,
    price: String,
    amount: String,
    currency: &'static str,
    time_in_force: &'static str,
}

/// What every price and amount is in.
pub(crate) const CURRENCY: &str = "USD";

impl Order {
    /// What the order comes to at its limit.
    pub(crate) fn amount(&self) -> Cents {
        self.limit_price.times(self.quantity)
    }

    /// What the order acts upon.
    pub(crate) fn resource(&self) -> String {
        format!("orders/{}", self.correlation_id)
    }

    pub(crate) fn ticket(&self) -> OrderTicket {
        OrderTicket {
            symbol: self.symbol,
            side: self.side.as_str(),
            quantity: self.quantity,
            price: self.limit_price.to_string(),
            amount: self.amount().to_string(),
            currency: CURRENCY,
            time_in_force: "day",
        }
    }
}

impl Desk {
    /// The market moves, and an order is made of it.
    pub(crate) fn order(&mut self) -> Order {
        let correlation_id = self.name("ord");
        let hundredths = self.random.i64(-40..=40);
        let at = self.random.usize(..self.market.0.len());
        // In bounds: the random number is below the length.
        let symbol = &mut self.market.0[at];
        symbol.tick(hundredths);
        let (symbol, limit_price) = (symbol.name, symbol.last);
        let side = self.one_of([Side::Buy, Side::Sell]);
        let quantity = 10 * self.random.u32(1..=90);
        Order { correlation_id, symbol, side, quantity, limit_price }
    }

    /// A price a little better than the limit.
    pub(crate) fn fill_price(&mut self, order: &Order) -> Cents {
        let better = self.random.i64(0..=4);
        let price = match order.side {
            Side::Buy => Cents(order.limit_price.0 - better),
            Side::Sell => Cents(order.limit_price.0 + better),
        };
        price.max(FLOOR)
    }
}
