//! Fisher's exact test of a table of two by two, where there are too few for anything else. (Fisher 1935.)

use super::normal::ln_choose;

/// Probability of a table as unlikely as this one or more, its margins given (two-sided, by the sum of the
/// probabilities that are not larger, as R's `fisher.test` has it). Rows are groups: died, survived.
#[must_use]
pub fn two_sided(a: u64, b: u64, c: u64, d: u64) -> f64 {
    // Counts of instances: beyond a million each the sums below take too long, and the answer is known.
    let (a, b, c, d) = (a.min(1_000_000), b.min(1_000_000), c.min(1_000_000), d.min(1_000_000));
    let (row, column, all) = (a + b, a + c, a + b + c + d);
    let ln_of = |k: u64| ln_choose(row, k) + ln_choose(all - row, column - k) - ln_choose(all, column);
    let here = ln_of(a);
    let (least, most) = (column.saturating_sub(all - row), row.min(column));
    (least..=most).map(ln_of).filter(|l| *l <= here + 1e-7).map(f64::exp).sum::<f64>().min(1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The lady tasting tea, and the table of Agresti's convictions of twins (R's help page: p = 0.0005367).
    #[test]
    fn known_tables() {
        assert!((two_sided(3, 1, 1, 3) - 0.485_714).abs() < 1e-6);
        assert!((two_sided(2, 10, 15, 3) - 0.000_536_7).abs() < 1e-7);
        assert_eq!(two_sided(8, 0, 304, 0), 1.0, "all of both died: nothing tells them apart");
        assert_eq!(two_sided(0, 0, 0, 0), 1.0);
        assert!(two_sided(0, 8, 304, 0) < 1e-12);
    }

    proptest::proptest! {
        #[test]
        fn a_probability_whatever_the_order(a in 0_u64..60, b in 0_u64..60, c in 0_u64..60, d in 0_u64..60) {
            let p = two_sided(a, b, c, d);
            proptest::prop_assert!((0.0..=1.0).contains(&p));
            proptest::prop_assert!((p - two_sided(c, d, a, b)).abs() < 1e-6);
            proptest::prop_assert!((p - two_sided(b, a, d, c)).abs() < 1e-6);
        }
    }
}
