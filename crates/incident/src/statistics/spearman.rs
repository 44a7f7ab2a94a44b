//! Rank correlation (Spearman 1904), ties by their mean rank.

use super::normal::upper_tail;

/// Correlation of ranks, -1 to 1, and how likely one as far from zero is by chance (two-sided, normal
/// approximation with n - 1); `None` of fewer than five pairs, or where one side is all the same.
#[must_use]
pub fn spearman(pairs: &[(f64, f64)]) -> Option<(f64, f64)> {
    if pairs.len() < 5 || pairs.iter().any(|(a, b)| !a.is_finite() || !b.is_finite()) {
        return None;
    }
    let x = ranks(&pairs.iter().map(|p| p.0).collect::<Vec<_>>());
    let y = ranks(&pairs.iter().map(|p| p.1).collect::<Vec<_>>());
    let mean = (pairs.len() as f64 + 1.0) / 2.0;
    let (mut xy, mut xx, mut yy) = (0.0, 0.0, 0.0);
    for (x, y) in x.iter().zip(&y) {
        xy += (x - mean) * (y - mean);
        xx += (x - mean).powi(2);
        yy += (y - mean).powi(2);
    }
    if xx <= 0.0 || yy <= 0.0 {
        return None;
    }
    let rho = (xy / (xx * yy).sqrt()).clamp(-1.0, 1.0);
    Some((rho, (2.0 * upper_tail(rho.abs() * (pairs.len() as f64 - 1.0).sqrt())).min(1.0)))
}

/// Ranks from one, those of equal values their mean.
fn ranks(values: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..values.len()).collect();
    let of = |i: usize| values.get(i).copied().unwrap_or(0.0);
    order.sort_by(|a, b| of(*a).total_cmp(&of(*b)));
    let mut out = vec![0.0; values.len()];
    let mut from = 0;
    while let Some(first) = order.get(from) {
        let alike = order.iter().skip(from).take_while(|i| of(**i) == of(*first)).count().max(1);
        let rank = from as f64 + (alike as f64 + 1.0) / 2.0;
        for i in order.iter().skip(from).take(alike) {
            if let Some(slot) = out.get_mut(*i) {
                *slot = rank;
            }
        }
        from += alike;
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    /// IQ against hours of television (Wikipedia's example): rho = -29/165.
    #[test]
    fn a_printed_example() {
        let iq = [106., 86., 100., 101., 99., 103., 97., 113., 112., 110.];
        let tv = [7., 0., 27., 50., 28., 29., 20., 12., 6., 17.];
        let pairs: Vec<(f64, f64)> = iq.into_iter().zip(tv).collect();
        let (rho, p) = spearman(&pairs).unwrap();
        assert!((rho + 29.0 / 165.0).abs() < 1e-9 && (0.5..0.7).contains(&p), "{rho} {p}");
    }

    #[test]
    fn ties_and_too_few() {
        assert_eq!(ranks(&[5.0, 1.0, 5.0, 9.0]), [2.5, 1.0, 2.5, 4.0]);
        assert_eq!(spearman(&[(1.0, 1.0); 4]), None);
        assert_eq!(spearman(&[(1.0, 1.0); 9]), None);
        let line: Vec<(f64, f64)> = (0..40).map(|i| (f64::from(i), f64::from(-i))).collect();
        let (rho, p) = spearman(&line).unwrap();
        assert!(rho == -1.0 && p < 1e-8);
    }
}
