//! Statistics that a few wild values do not move, and how far is too far.

/// Turns the median absolute deviation of normal noise into its standard deviation.
const MAD_TO_SIGMA: f64 = 1.4826;

/// Counts on a scale on which the noise of chance is 1, whatever their level (Anscombe, 1948).
///
/// A count that is 4 on average varies by 2, one that is 400 by 20; so a spread that was measured at
/// noon says nothing of midnight. Their square roots vary alike.
pub(super) fn stretch(count: f64) -> f64 {
    2.0 * (count.max(0.0) + 0.375).sqrt()
}

/// The middle value; 0 of none. Reorders.
pub(super) fn median(values: &mut [f64]) -> f64 {
    let middle = values.len() / 2;
    if values.is_empty() {
        return 0.0;
    }
    let odd = values.len() % 2 == 1;
    let (below, upper, _) = values.select_nth_unstable_by(middle, f64::total_cmp);
    if odd {
        return *upper;
    }
    let lower = below.iter().copied().fold(f64::MIN, f64::max);
    (lower + *upper) / 2.0
}

/// The value below which that part of them lies; 0 of none. Reorders.
pub(super) fn quantile(values: &mut [f64], part: f64) -> f64 {
    let Some(last) = values.len().checked_sub(1) else { return 0.0 };
    let at = ((values.len() as f64 * part).ceil() as usize).saturating_sub(1).min(last);
    *values.select_nth_unstable_by(at, f64::total_cmp).1
}

/// A spread, from both the middle and the tail of what was left over.
///
/// `tail` is a part and the number of standard deviations above which so much of normal noise lies. A
/// series that is mostly calm and comes in bursts now and then has a small median deviation, and a tail
/// that tells of it. Never below 1, the noise of chance on the scale of [`stretch`].
pub(super) fn spread(residuals: &mut [f64], (part, sigmas): (f64, f64)) -> f64 {
    let upper = quantile(residuals, part) / sigmas;
    let centre = median(residuals);
    residuals.iter_mut().for_each(|residual| *residual = (*residual - centre).abs());
    (MAD_TO_SIGMA * median(residuals)).max(upper).max(1.0)
}

/// How unlikely it is that normal noise exceeds `z` standard deviations: minus the natural logarithm of
/// the probability, which is a few hundredths too large at most; 0 for less than 0.
pub(super) fn surprise(z: f64) -> f64 {
    const LN_SQRT_TAU: f64 = 0.918_938_533_204_672_8;
    const EIGHT_OVER_PI: f64 = 2.546_479_089_470_325;
    if z <= 0.0 {
        return 0.0;
    }
    z * z / 2.0 + LN_SQRT_TAU + ((z + (z * z + EIGHT_OVER_PI).sqrt()) / 2.0).ln()
}

/// The number of standard deviations that is as unlikely.
pub(super) fn sigmas(surprise_of: f64) -> f64 {
    let (mut low, mut high) = (0.0, (2.0 * surprise_of.max(0.0)).sqrt() + 1.0);
    for _ in 0..50 {
        let middle = (low + high) / 2.0;
        if surprise(middle) < surprise_of {
            low = middle;
        } else {
            high = middle;
        }
    }
    low
}

/// The part of the days before the window that is taken for usual: nineteen in twenty.
pub(super) const USUAL: f64 = 0.95;

/// The highest values of each day before the window, over all series of a family: scores, or anything that
/// rises with them.
#[derive(Debug, Clone)]
pub(super) struct Extremes {
    by_day: Vec<f64>,
}

impl Extremes {
    pub(super) fn new(days: usize) -> Self {
        Self { by_day: vec![0.0; days] }
    }

    pub(super) fn offer(&mut self, day: usize, value: f64) {
        if let Some(highest) = self.by_day.get_mut(day) {
            *highest = highest.max(value);
        }
    }

    /// What that part of the days from that one on did not exceed.
    pub(super) fn usual_from(mut self, day: usize, part: f64) -> f64 {
        quantile(self.by_day.get_mut(day..).unwrap_or_default(), part)
    }
}

/// From which number of standard deviations something is a finding, in a family of so many tests.
///
/// The threshold is that of one test. With as many as there are users and hours, some exceed it by chance
/// every day; so the probability that it stands for is divided among them (Bonferroni, 1936), after
/// multiplying by `indulgence`. And noise is rarely as normal as that: what the days before the window
/// brought, over the whole family, must be exceeded by `margin` as well.
pub(super) fn gate(
    threshold: f64,
    (tests, indulgence): (usize, f64),
    (usual, margin): (f64, f64),
) -> f64 {
    let shared = (tests as f64 / indulgence).max(1.0).ln();
    sigmas(surprise(threshold) + shared).max(threshold).max(usual * margin)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn one_wild_value_in_five_does_not_move_the_median_out_of_the_others(
            calm in prop::collection::vec(10.0_f64..20.0, 9), wild in prop::collection::vec(-1e9_f64..1e9, 2))
        {
            let mut all: Vec<f64> = calm.iter().copied().chain(wild).collect();
            let found = median(&mut all);
            prop_assert!((10.0..20.0).contains(&found), "{found}");
        }

        #[test]
        fn surprise_and_sigmas_are_inverse(z in 0.5_f64..100.0) {
            prop_assert!((sigmas(surprise(z)) - z).abs() < 1e-6);
        }
    }

    #[test]
    fn the_tails_are_those_of_the_normal_distribution() {
        for (z, tail) in [(1.0, 0.158_655), (3.0, 1.349_898e-3), (6.0, 9.865_9e-10)] {
            let found = (-surprise(z)).exp();
            assert!((1.0..1.06).contains(&(found / tail)), "{z}: {found}");
        }
    }

    #[test]
    fn a_calm_series_with_bursts_has_a_spread_that_tells_of_them() {
        let mut calm = vec![0.0; 1000];
        assert!((spread(&mut calm.clone(), (0.99, 2.33)) - 1.0).abs() < 1e-9);
        calm.iter_mut().step_by(50).for_each(|residual| *residual = 23.3);
        assert!((spread(&mut calm, (0.99, 2.33)) - 10.0).abs() < 1e-9);
    }

    #[test]
    fn medians_and_quantiles_of_few_and_of_none() {
        assert_eq!(median(&mut []).to_bits(), 0.0_f64.to_bits());
        assert!((median(&mut [3.0, 1.0]) - 2.0).abs() < 1e-12);
        assert!((quantile(&mut [3.0, 1.0, 2.0], 0.95) - 3.0).abs() < 1e-12);
        assert!((quantile(&mut [3.0, 1.0, 2.0], 0.3) - 1.0).abs() < 1e-12);
    }

    #[test]
    fn the_more_is_tested_the_more_unusual_a_finding_must_be() {
        let gate = |tests, usual| gate(3.0, (tests, 1.0), (usual, 1.3));
        assert!((gate(1, 0.0) - 3.0).abs() < 1e-6);
        assert!(gate(1000, 0.0) > 4.5 && gate(100_000, 0.0) > gate(1000, 0.0));
        assert!((gate(1000, 10.0) - 13.0).abs() < 1e-9);
    }
}
