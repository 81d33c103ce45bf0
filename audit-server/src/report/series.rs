//! What the renderings of a series have in common: the sentence above it, and how high its bars are.

/// What a series comes to, in a sentence.
pub(crate) fn summary(points: &[(String, u64)]) -> String {
    let total: u128 = points.iter().map(|(_, value)| u128::from(*value)).sum();
    // The first of several that are equal.
    match points.iter().rev().max_by_key(|(_, value)| *value) {
        Some((name, most)) if *most > 0 => {
            format!("{total} in all, at most {most} ({name})")
        }
        _ => format!("{total} in all"),
    }
}

/// How high the bar of a value is, when that of the greatest is as high as there are levels: 0 for
/// none, and for anything at least 1, since what is there must be seen.
pub(crate) fn height(value: u64, greatest: u64, levels: u32) -> u32 {
    if value == 0 || greatest == 0 {
        return 0;
    }
    let (greatest, all) = (u128::from(greatest), u128::from(levels));
    let nearest = (u128::from(value) * all + greatest / 2) / greatest;
    u32::try_from(nearest).unwrap_or(levels).clamp(1, levels.max(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn points(values: &[u64]) -> Vec<(String, u64)> {
        values.iter().enumerate().map(|(at, value)| (format!("d{at}"), *value)).collect()
    }

    #[test]
    fn a_series_is_summed_up_whatever_is_in_it() {
        assert_eq!(summary(&[]), "0 in all");
        assert_eq!(summary(&points(&[0, 0])), "0 in all");
        assert_eq!(summary(&points(&[1, 7, 7])), "15 in all, at most 7 (d1)");
        let huge = summary(&points(&[u64::MAX, u64::MAX]));
        assert_eq!(huge, "36893488147419103230 in all, at most 18446744073709551615 (d0)");
    }

    #[test]
    fn what_is_there_has_a_height_and_the_greatest_the_whole() {
        assert_eq!([0, 1, 4, 8].map(|value| height(value, 8, 8)), [0, 1, 4, 8]);
        assert_eq!(height(1, u64::MAX, 8), 1);
        assert_eq!(height(u64::MAX, u64::MAX, 1000), 1000);
        assert_eq!(height(u64::MAX / 2, u64::MAX, 1000), 500);
        assert_eq!(height(0, 0, 8), 0);
    }
}
