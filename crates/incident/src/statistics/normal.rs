//! Tails of the normal and the chi-squared distribution, and logarithms of factorials.

/// Part of a standard normal distribution above `z`. By the complementary error function of Numerical Recipes
/// (Chebyshev fit, error below 1.2e-7 of the value, so that small tails keep their digits).
#[must_use]
pub fn upper_tail(z: f64) -> f64 {
    0.5 * erfc(z / std::f64::consts::SQRT_2)
}

fn erfc(x: f64) -> f64 {
    let t = 1.0 / (1.0 + 0.5 * x.abs());
    let poly = [
        0.170_872_77,
        -0.822_152_23,
        1.488_515_87,
        -1.135_203_98,
        0.278_868_07,
        -0.186_288_06,
        0.096_784_18,
        0.374_091_96,
        1.000_023_68,
    ]
    .into_iter()
    .fold(0.0, |sum, c| sum * t + c);
    let value = t * (-x * x - 1.265_512_23 + t * poly).exp();
    if x >= 0.0 { value } else { 2.0 - value }
}

/// Part of a chi-squared distribution with so many degrees of freedom above `x`: the upper regularised gamma
/// function, by its series or its continued fraction (Lentz), whichever converges.
#[must_use]
pub fn chi_squared_tail(x: f64, degrees: u32) -> f64 {
    if degrees == 0 || !x.is_finite() {
        return if x > 0.0 && degrees > 0 { 0.0 } else { 1.0 };
    }
    if x <= 0.0 {
        return 1.0;
    }
    let (a, x) = (f64::from(degrees) / 2.0, x / 2.0);
    let scale = (a * x.ln() - x - ln_gamma(a)).exp();
    if x < a + 1.0 {
        let (mut term, mut sum) = (1.0 / a, 1.0 / a);
        for n in 1..1000 {
            term *= x / (a + f64::from(n));
            sum += term;
            if term < sum * 1e-15 {
                break;
            }
        }
        return (1.0 - scale * sum).clamp(0.0, 1.0);
    }
    const TINY: f64 = 1e-300;
    let mut b = x + 1.0 - a;
    let (mut c, mut d) = (1.0 / TINY, 1.0 / b);
    let mut h = d;
    for n in 1..1000 {
        let n = f64::from(n);
        let an = -n * (n - a);
        b += 2.0;
        d = 1.0 / nonzero(an * d + b, TINY);
        c = nonzero(b + an / c, TINY);
        let step = d * c;
        h *= step;
        if (step - 1.0).abs() < 1e-15 {
            break;
        }
    }
    (scale * h).clamp(0.0, 1.0)
}

fn nonzero(x: f64, tiny: f64) -> f64 {
    if x.abs() < tiny { tiny } else { x }
}

/// Logarithm of the gamma function of a positive number (Lanczos, g = 7, nine terms).
#[must_use]
pub fn ln_gamma(x: f64) -> f64 {
    const C: [f64; 8] = [
        676.520_368_121_885_1,
        -1_259.139_216_722_402_8,
        771.323_428_777_653_1,
        -176.615_029_162_140_6,
        12.507_343_278_686_905,
        -0.138_571_095_265_720_12,
        9.984_369_578_019_572e-6,
        1.505_632_735_149_311_6e-7,
    ];
    let x = x - 1.0;
    let sum = C.iter().zip(1..).fold(0.999_999_999_999_809_9, |sum, (c, i)| sum + c / (x + f64::from(i)));
    let t = x + 7.5;
    0.5 * (2.0 * std::f64::consts::PI).ln() + (x + 0.5) * t.ln() - t + sum.ln()
}

/// Logarithm of `n` over `k`; minus infinity where `k` is more.
#[must_use]
pub fn ln_choose(n: u64, k: u64) -> f64 {
    if k > n {
        return f64::NEG_INFINITY;
    }
    ln_gamma(n as f64 + 1.0) - ln_gamma(k as f64 + 1.0) - ln_gamma((n - k) as f64 + 1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn near(got: f64, want: f64, part: f64) {
        assert!((got - want).abs() <= want.abs() * part, "{got} for {want}");
    }

    /// Values of printed tables.
    #[test]
    fn tails_are_those_of_the_tables() {
        for (z, p) in [(0.0, 0.5), (1.0, 0.158_655_3), (1.959_964, 0.025), (-1.644_854, 0.95), (5.0, 2.866_5e-7)] {
            near(upper_tail(z), p, 1e-5);
        }
        for (x, df, p) in
            [(3.841_459, 1, 0.05), (5.991_465, 2, 0.05), (16.79, 1, 4.17e-5), (0.103, 2, 0.9498), (23.209, 10, 0.01)]
        {
            near(chi_squared_tail(x, df), p, 2e-3);
        }
        assert_eq!((chi_squared_tail(0.0, 3), chi_squared_tail(5.0, 0)), (1.0, 1.0));
        assert_eq!(chi_squared_tail(f64::INFINITY, 1), 0.0);
    }

    #[test]
    fn factorials() {
        near(ln_gamma(11.0), 3_628_800_f64.ln(), 1e-12);
        near(ln_gamma(0.5), std::f64::consts::PI.sqrt().ln(), 1e-12);
        near(ln_choose(52, 5), 2_598_960_f64.ln(), 1e-12);
        assert_eq!(ln_choose(3, 4), f64::NEG_INFINITY);
        assert!(ln_choose(7, 0).abs() < 1e-12);
    }
}
