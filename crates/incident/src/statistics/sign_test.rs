//! The sign test: of so many pairs so many have one order. (Arbuthnot 1710; exact binomial tail.)

use super::normal::ln_choose;

/// Probability of at least `before` of `of` by chance, were both orders alike; 1 of no pairs.
#[must_use]
pub fn at_least(before: u64, of: u64) -> f64 {
    if before == 0 || of == 0 {
        return 1.0;
    }
    // Beyond a million pairs the first terms decide.
    let terms = (before.min(of)..=of).take(1_000_000);
    terms.map(|k| (ln_choose(of, k) - of as f64 * std::f64::consts::LN_2).exp()).sum::<f64>().min(1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tails_of_coins() {
        assert!((at_least(9, 10) - 11.0 / 1024.0).abs() < 1e-12);
        assert!((at_least(5, 5) - 1.0 / 32.0).abs() < 1e-12);
        assert_eq!((at_least(0, 10), at_least(0, 0)), (1.0, 1.0));
        // Arbuthnot: 82 years with more boys of 82.
        assert!((at_least(82, 82).log2() + 82.0).abs() < 1e-6);
        assert!((at_least(312, 312).log2() + 312.0).abs() < 1e-6, "{}", at_least(312, 312));
    }

    proptest::proptest! {
        #[test]
        fn more_pairs_of_one_order_are_less_likely(of in 1_u64..400, k in 0_u64..400) {
            let k = k.min(of);
            proptest::prop_assert!(at_least(k, of) + 1e-9 >= at_least(k + 1, of + 1) * 0.5);
            proptest::prop_assert!(at_least(k.saturating_sub(1), of) >= at_least(k, of));
        }
    }
}
