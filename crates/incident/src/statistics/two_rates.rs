//! Whether two groups die at two rates or at one: the Bayes factor, which says little of few and much of
//! many, where a test would only say "not yet".

use super::normal::ln_choose;

/// Natural logarithm of the Bayes factor of two rates against one, each rate as likely as any other before
/// (uniform priors; Jeffreys 1961, section 5.1). Of each group: how many died, and of how many.
#[must_use]
pub fn ln_bayes_factor(a: (u64, u64), b: (u64, u64)) -> f64 {
    // Of k in n under a uniform prior: the integral of p^k (1 - p)^(n - k) is 1 / ((n + 1) C(n, k)).
    let ln_marginal = |(k, n): (u64, u64)| -((n as f64 + 1.0).ln() + ln_choose(n, k.min(n)));
    // Counts of instances: beyond a million each the answer is known.
    let bounded = |(k, n): (u64, u64)| (k.min(1_000_000), n.min(1_000_000));
    let (a, b) = (bounded(a), bounded(b));
    ln_marginal(a) + ln_marginal(b) - ln_marginal((a.0 + b.0, a.1 + b.1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn by_hand() {
        // B(2,1) B(1,4) / B(2,4) = 1/2 x 1/4 x 20.
        assert!((ln_bayes_factor((1, 1), (0, 3)) - 2.5_f64.ln()).abs() < 1e-9);
        // B(5,1) B(1,3) / B(5,3) = 1/5 x 1/3 x 105.
        assert!((ln_bayes_factor((4, 4), (0, 2)) - 7.0_f64.ln()).abs() < 1e-9);
        assert!(ln_bayes_factor((2, 4), (2, 6)) < 0.0, "as many of both: one rate is likelier");
        assert!(ln_bayes_factor((0, 0), (0, 0)).abs() < 1e-9);
    }

    proptest::proptest! {
        #[test]
        fn finite_and_symmetric(a in 0_u64..50, b in 0_u64..50, c in 0_u64..50, d in 0_u64..50) {
            let (x, y) = ((a, a + b), (c, c + d));
            let f = ln_bayes_factor(x, y);
            proptest::prop_assert!(f.is_finite() && (f - ln_bayes_factor(y, x)).abs() < 1e-9);
        }
    }
}
