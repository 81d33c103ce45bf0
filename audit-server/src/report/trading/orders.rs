//! Orders: steps that have a `correlation_id` in common.

use super::{Delay, OrderFigures, Uncorrelated, steps::Step};
use crate::report::by_number::Bounded;

/// When the steps of an order were first taken. None was at [`i64::MAX`].
#[derive(Debug, Clone, Copy)]
struct Order {
    decided: i64,
    executed: i64,
    cancelled: bool,
}

impl Default for Order {
    fn default() -> Self {
        Self { decided: i64::MAX, executed: i64::MAX, cancelled: false }
    }
}

/// All orders.
#[derive(Debug)]
pub(super) struct Orders {
    orders: Bounded<u64, Order>,
    uncorrelated: Uncorrelated,
}

impl Orders {
    pub(super) fn new(most: usize) -> Self {
        Self { orders: Bounded::new(most), uncorrelated: Uncorrelated::default() }
    }

    /// Takes a step of the order with that hash of its `correlation_id`, which is 0 when there is none.
    pub(super) fn see(&mut self, step: Step, correlation: u64, at: i64) {
        if correlation == 0 {
            let uncorrelated = &mut self.uncorrelated;
            *match step {
                Step::Decision => &mut uncorrelated.decisions,
                Step::Execution => &mut uncorrelated.executions,
                Step::Cancellation => &mut uncorrelated.cancellations,
            } += 1;
            return;
        }
        let Some(order) = self.orders.entry(correlation) else { return };
        match step {
            Step::Decision => order.decided = order.decided.min(at),
            Step::Execution => order.executed = order.executed.min(at),
            Step::Cancellation => order.cancelled = true,
        }
    }

    pub(super) fn finish(self) -> (Option<OrderFigures>, Uncorrelated) {
        let figures = self.orders.into_map().map(|orders| figures(orders.into_values()));
        (figures, self.uncorrelated)
    }
}

fn figures(orders: impl Iterator<Item = Order>) -> OrderFigures {
    let mut figures = OrderFigures::default();
    let mut delays: Vec<i64> = Vec::new();
    for order in orders {
        let (decided, executed) = (order.decided < i64::MAX, order.executed < i64::MAX);
        figures.decided += u64::from(decided);
        match (decided, executed) {
            (true, true) => {
                figures.executed += 1;
                figures.executed_before_decision += u64::from(order.executed < order.decided);
                delays.push(order.executed.saturating_sub(order.decided));
            }
            (true, false) if order.cancelled => figures.cancelled += 1,
            (true, false) => figures.open += 1,
            (false, true) => figures.executed_without_decision += 1,
            (false, false) => figures.cancelled_without_decision += 1,
        }
    }
    delays.sort_unstable();
    figures.execution_ratio = ratio(figures.executed, figures.decided);
    figures.delay = delay(&delays);
    figures
}

/// A share as a decimal with four digits, rounded to the nearest; of nothing there is none.
fn ratio(part: u64, whole: u64) -> Option<String> {
    let scaled = u128::from(part) * 10_000 + u128::from(whole) / 2;
    let units = scaled.checked_div(whole.into())?;
    Some(format!("{}.{:04}", units / 10_000, units % 10_000))
}

fn delay(sorted: &[i64]) -> Option<Delay> {
    let at = |percent| sorted.get(rank(sorted.len(), percent)).copied();
    Some(Delay {
        min_us: *sorted.first()?,
        median_us: at(50)?,
        p90_us: at(90)?,
        p99_us: at(99)?,
        max_us: *sorted.last()?,
    })
}

/// The place of a percentile among so many sorted values: the first that at least so many percent of
/// them are not above.
pub(super) fn rank(count: usize, percent: usize) -> usize {
    count.saturating_mul(percent).div_ceil(100).saturating_sub(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_percentile_is_a_value_that_occurs() {
        let places = |count| [50, 90, 99].map(|percent| rank(count, percent));
        assert_eq!(places(1), [0, 0, 0]);
        assert_eq!(places(2), [0, 1, 1]);
        assert_eq!(places(10), [4, 8, 9]);
        assert_eq!(places(100), [49, 89, 98]);
        assert_eq!(places(101), [50, 90, 99]);
        assert_eq!(rank(0, 50), 0);
    }

    #[test]
    fn a_share_is_rounded_to_the_nearest() {
        let cases = [(0, 3, "0.0000"), (1, 3, "0.3333"), (2, 3, "0.6667"), (3, 3, "1.0000")];
        for (part, whole, expected) in cases {
            assert_eq!(ratio(part, whole).as_deref(), Some(expected));
        }
        assert_eq!(ratio(0, 0), None);
    }
}
