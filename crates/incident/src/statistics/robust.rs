//! Middles and spreads that one wild value does not move.

/// The median; `None` of nothing. What is no number is left out.
#[must_use]
pub fn median(values: &[f64]) -> Option<f64> {
    quantile(values, 0.5)
}

/// A quantile, interpolated between neighbours (type 7 of Hyndman and Fan, as R has it).
#[must_use]
pub fn quantile(values: &[f64], q: f64) -> Option<f64> {
    let mut sorted: Vec<f64> = values.iter().copied().filter(|v| v.is_finite()).collect();
    sorted.sort_by(f64::total_cmp);
    let at = (sorted.len().checked_sub(1)?) as f64 * q.clamp(0.0, 1.0);
    let (low, high) = (sorted.get(at.floor() as usize)?, sorted.get(at.ceil() as usize)?);
    Some(low + (high - low) * at.fract())
}

/// Standard deviation as the median of absolute differences from the median has it (times 1.4826, which makes
/// it that of a normal distribution); `None` of nothing.
#[must_use]
pub fn deviation(values: &[f64]) -> Option<f64> {
    let middle = median(values)?;
    let off: Vec<f64> = values.iter().map(|v| (v - middle).abs()).collect();
    Some(median(&off)? * 1.4826)
}

/// Standard deviation of the noise of a series: of differences of neighbours, which steps and slow trends
/// leave alone, or of differences of those, which a climb in one half of the series leaves alone too,
/// whichever is less; `None` of fewer than three values.
#[must_use]
pub fn noise(values: &[f64]) -> Option<f64> {
    let steps: Vec<f64> = values.iter().zip(values.iter().skip(1)).map(|(a, b)| b - a).collect();
    if steps.len() < 2 {
        return None;
    }
    let first = deviation(&steps)? / std::f64::consts::SQRT_2;
    let turns: Vec<f64> = steps.iter().zip(steps.iter().skip(1)).map(|(a, b)| b - a).collect();
    // Of three independent values a - 2b + c has six times the variance of each.
    let second = deviation(&turns).filter(|_| turns.len() >= 8).map(|d| d / 6.0_f64.sqrt());
    Some(second.map_or(first, |s| s.min(first)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn middles() {
        assert_eq!(median(&[3.0, f64::NAN, 1.0, 1e9]), Some(3.0));
        assert_eq!(quantile(&[1.0, 2.0, 3.0, 4.0], 0.25), Some(1.75));
        assert_eq!((median(&[]), quantile(&[7.0], 0.9), noise(&[1.0, 2.0])), (None, Some(7.0), None));
        assert!((deviation(&[1.0, 2.0, 3.0, 4.0, 5.0]).unwrap() - 1.4826).abs() < 1e-9);
    }

    /// Calls in flight of a dependency that answers later (seen in lab/cluster, two seconds apart).
    #[test]
    fn a_climb_is_no_noise() {
        let values = [24, 24, 24, 24, 24, 33, 24, 24, 24, 24, 60, 108, 156, 204, 257].map(f64::from);
        assert!(noise(&values).unwrap() < 8.0, "{:?}", noise(&values));
    }

    /// A step of a hundred times the noise does not raise it.
    #[test]
    fn a_step_is_no_noise() {
        let values: Vec<f64> = (0..100).map(|i| f64::from(i % 5) + if i >= 50 { 500.0 } else { 0.0 }).collect();
        assert!(noise(&values).unwrap() < 2.0);
    }
}
