//! Chance, the same for the same seed on every machine.
//!
//! Only integers and the four operations on floats: `ln` and `powf` come from the C library, whose
//! last bit is not the same everywhere, and one bit moves everything that follows.

/// Where chance begins. Two generators of one seed and one shape give the same bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Seed(pub u64);

/// A source of chance.
#[derive(Debug, Clone)]
pub(crate) struct Chance(fastrand::Rng);

impl Chance {
    /// A source of its own for each purpose, so that a change of one leaves the others alone.
    pub(crate) fn new(seed: Seed, purpose: u64) -> Self {
        Self(fastrand::Rng::with_seed(seed.0 ^ purpose.wrapping_mul(0x9e37_79b9_7f4a_7c15)))
    }

    /// A number from 0 to below `end`; 0 when there is none.
    pub(crate) fn below(&mut self, end: u64) -> u64 {
        self.0.u64(0..end.max(1))
    }

    /// A number from `from` to below `to`.
    pub(crate) fn between(&mut self, from: i64, to: i64) -> i64 {
        if from < to { self.0.i64(from..to) } else { from }
    }

    pub(crate) fn bits(&mut self) -> u64 {
        self.0.u64(..)
    }

    /// True once in `n`.
    pub(crate) fn once_in(&mut self, n: u64) -> bool {
        self.below(n) == 0
    }

    /// True in so many of a thousand cases.
    pub(crate) fn permille(&mut self, of_thousand: u64) -> bool {
        self.below(1000) < of_thousand
    }

    /// One of them. The slice is never empty: all of them are written down in this package.
    pub(crate) fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.0.usize(0..from.len())]
    }

    /// A duration around `mean`: exponential, as the time between two callers is. By comparison of
    /// uniform numbers (von Neumann, 1951), which needs no logarithm.
    pub(crate) fn about(&mut self, mean: i64) -> i64 {
        let mut whole = 0.0;
        loop {
            let first = self.0.f64();
            let (mut last, mut falls) = (first, 1_u32);
            loop {
                let next = self.0.f64();
                if next >= last {
                    break;
                }
                (last, falls) = (next, falls + 1);
            }
            if falls % 2 == 1 {
                return ((whole + first) * mean as f64) as i64 + 1;
            }
            whole += 1.0;
        }
    }
}

/// Ranks of which the first are met far more often than the last, as `1 / (rank + flatness)`.
#[derive(Debug, Clone)]
pub(crate) struct Skewed {
    /// Up to and with each rank.
    cumulative: Vec<u64>,
}

impl Skewed {
    pub(crate) fn new(ranks: u32, flatness: u64) -> Self {
        let weights = (0..u64::from(ranks.max(1))).map(|rank| 1_000_000_000 / (rank + flatness));
        let sum = |sum: &mut u64, weight: u64| {
            *sum += weight;
            Some(*sum)
        };
        Self { cumulative: weights.scan(0, sum).collect() }
    }

    /// A rank, from 0.
    pub(crate) fn draw(&self, chance: &mut Chance) -> usize {
        let at = chance.below(self.cumulative.last().copied().unwrap_or(1));
        self.cumulative.partition_point(|up_to| *up_to <= at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_have_the_mean_that_was_asked_for() {
        let mut chance = Chance::new(Seed(7), 0);
        let sum: i64 = (0..100_000).map(|_| chance.about(1_000)).sum();
        assert!((98_000_000..102_000_000).contains(&sum), "{sum}");
    }

    #[test]
    fn the_first_rank_is_drawn_most_and_the_last_one_too() {
        let (mut chance, skewed) = (Chance::new(Seed(7), 0), Skewed::new(10, 1));
        let mut drawn = [0; 10];
        (0..10_000).for_each(|_| drawn[skewed.draw(&mut chance)] += 1);
        assert!(drawn.is_sorted_by(|more, less| more > less) && drawn[9] > 200, "{drawn:?}");
    }
}
