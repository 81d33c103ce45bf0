//! Who and what there is: users with their addresses, agents, symbols, streams.

use audit_layer::record::StreamName;

use super::{
    Shape,
    event::Text,
    random::{Chance, Seed, Skewed},
    words,
};

/// The writers. Each has a gapless sequence of its own.
pub const STREAMS: [&str; 3] =
    ["portal@web-1~q4b7zk", "trader@desk-1~m2x9ra", "ledger@core-1~w8c3hd"];

pub(crate) const PORTAL: usize = 0;
pub(crate) const TRADER: usize = 1;
pub(crate) const LEDGER: usize = 2;

/// The customers of the house that have a tenant of their own.
pub const TENANTS: [&str; 3] = ["northwind", "initech", "umbrella"];

const HOUR: i64 = 3_600_000_000;

/// Someone who signs in.
#[derive(Debug, Clone)]
pub struct User {
    /// `u-00042`.
    pub id: String,
    /// `ada.berg7`.
    pub name: String,
    /// The tenant, for two in five.
    pub tenant: Option<&'static str>,
    pub(crate) addresses: Vec<String>,
    /// Hours ahead of UTC.
    zone: i64,
}

impl User {
    /// Whether it is between eight and seven where the user lives, and no weekend.
    fn works_at(&self, at: i64) -> bool {
        let hours = at.div_euclid(HOUR) + self.zone;
        // The epoch was a Thursday.
        let weekday = (hours.div_euclid(24) + 3).rem_euclid(7);
        weekday < 5 && (8..19).contains(&hours.rem_euclid(24))
    }
}

/// A program that trades.
#[derive(Debug, Clone)]
pub struct Agent {
    /// `agent-03`.
    pub id: String,
    /// `momentum-3`.
    pub name: String,
}

/// Something that is traded.
#[derive(Debug, Clone)]
pub struct Symbol {
    /// Three or four capital letters.
    pub name: String,
    /// What it costs about, in ten-thousandths.
    pub(crate) price: i64,
}

/// Everyone and everything, and how often each is met.
#[derive(Debug)]
pub struct World {
    /// The busiest first.
    pub users: Vec<User>,
    /// The busiest first.
    pub agents: Vec<Agent>,
    /// The most traded first.
    pub symbols: Vec<Symbol>,
    by_user: Skewed,
    by_agent: Skewed,
    by_symbol: Skewed,
    by_item: Skewed,
}

impl World {
    /// The world of a seed. It does not depend on how many records are wanted of it.
    #[must_use]
    pub fn new(seed: Seed, shape: &Shape) -> Self {
        let mut chance = Chance::new(seed, 1);
        let users = (0..shape.users.max(1)).map(|number| user(number, &mut chance)).collect();
        let agent = |number: u32| {
            let style = words::AGENT_STYLES[number as usize % words::AGENT_STYLES.len()];
            Agent { id: format!("agent-{number:02}"), name: format!("{style}-{number}") }
        };
        let agents = (0..shape.agents.max(1)).map(agent).collect();
        let mut symbols: Vec<Symbol> = Vec::new();
        while symbols.len() < shape.symbols.max(1) as usize {
            let length = 3 + chance.below(2);
            let letter = |_| char::from(b'A' + u8::try_from(chance.below(26)).unwrap_or(0));
            let name: String = (0..length).map(letter).collect();
            if symbols.iter().all(|known| known.name != name) {
                symbols.push(Symbol { name, price: 10_000 + chance.about(900_000) });
            }
        }
        Self {
            users,
            agents,
            symbols,
            by_user: Skewed::new(shape.users, 20),
            by_agent: Skewed::new(shape.agents, 4),
            by_symbol: Skewed::new(shape.symbols, 3),
            by_item: Skewed::new(50_000, 100),
        }
    }

    /// Someone who is likely to be at work: the place in [`World::users`].
    pub(crate) fn someone(&self, chance: &mut Chance, at: i64) -> usize {
        let mut drawn = self.by_user.draw(chance);
        // Some work at night.
        for _ in 0..6 {
            if self.users[drawn].works_at(at) || chance.once_in(20) {
                break;
            }
            drawn = self.by_user.draw(chance);
        }
        drawn
    }

    pub(crate) fn agent(&self, chance: &mut Chance) -> &Agent {
        &self.agents[self.by_agent.draw(chance)]
    }

    pub(crate) fn symbol(&self, chance: &mut Chance) -> &Symbol {
        &self.symbols[self.by_symbol.draw(chance)]
    }

    /// The number of an account, an order, a customer.
    pub(crate) fn item(&self, chance: &mut Chance) -> usize {
        self.by_item.draw(chance) + 1
    }

    /// Where the user is now: at home mostly, and rarely somewhere new, which is a home from then on.
    pub(crate) fn address(&mut self, chance: &mut Chance, user: usize) -> Text {
        let addresses = &mut self.users[user].addresses;
        if chance.once_in(150) {
            addresses.push(address(chance));
        }
        let newest = addresses.len() as u64 - 1;
        // The first is where the user mostly is.
        let at = if chance.permille(700) { 0 } else { chance.below(newest + 1) };
        Text::from(addresses[usize::try_from(at).unwrap_or(0)].clone())
    }
}

fn user(number: u32, chance: &mut Chance) -> User {
    let (first, last) = (chance.pick(words::FIRST_NAMES), chance.pick(words::LAST_NAMES));
    let homes = 1 + chance.below(3);
    User {
        id: format!("u-{number:05}"),
        name: format!("{first}.{last}{number}"),
        tenant: chance.permille(400).then(|| {
            TENANTS[usize::from(!chance.permille(600)) + usize::from(chance.permille(250))]
        }),
        addresses: (0..homes).map(|_| address(chance)).collect(),
        zone: chance.pick(&[-8, -5, -5, 0, 0, 1, 1, 1, 2, 8, 9]),
    }
}

/// A private address, so that it is nobody's.
pub(crate) fn address(chance: &mut Chance) -> String {
    let bits = chance.bits();
    format!("10.{}.{}.{}", bits & 127, (bits >> 8) & 255, (bits >> 16) % 254 + 1)
}

/// The stream with that place in [`STREAMS`], by its name.
#[must_use]
pub fn stream_names() -> Vec<StreamName> {
    STREAMS.iter().filter_map(|name| name.parse().ok()).collect()
}
