//! Exact figures of small samples.

/// The value that a share of all do not exceed (nearest rank); 0 of nothing.
pub(super) fn percentile(values: &[f64], share: f64) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let rank = (share * sorted.len() as f64).ceil() as usize;
    sorted.get(rank.max(1) - 1).copied().unwrap_or(0.0)
}

/// `p50 1.2, p99 3.4, max 5.6 UNIT (n=7)`.
pub(super) fn line(values: &[f64], unit: &str) -> String {
    format!(
        "p50 {:8.2}, p99 {:8.2}, max {:8.2} {unit} (n={})",
        percentile(values, 0.5),
        percentile(values, 0.99),
        percentile(values, 1.0),
        values.len()
    )
}

/// Slope of the least-squares line through the points, and its standard error; zeros of fewer than three.
pub(super) fn trend(points: &[(f64, f64)]) -> (f64, f64) {
    let n = points.len() as f64;
    let (x, y) = points.iter().fold((0.0, 0.0), |(x, y), p| (x + p.0 / n, y + p.1 / n));
    let sum = |of: &dyn Fn(f64, f64) -> f64| points.iter().map(|p| of(p.0 - x, p.1 - y)).sum::<f64>();
    let width = sum(&|dx, _| dx * dx);
    if points.len() < 3 || width <= 0.0 {
        return (0.0, 0.0);
    }
    let slope = sum(&|dx, dy| dx * dy) / width;
    let rest = sum(&|dx, dy| (dy - slope * dx).powi(2));
    (slope, (rest / (n - 2.0) / width).sqrt())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_by_hand() {
        let values: Vec<f64> = (1..=200).rev().map(f64::from).collect();
        assert_eq!([0.5, 0.99, 1.0].map(|s| percentile(&values, s)), [100.0, 198.0, 200.0]);
        assert_eq!((percentile(&[], 0.5), percentile(&[7.0], 0.01)), (0.0, 7.0));
        assert_eq!(trend(&[(0.0, 1.0), (1.0, 3.0), (2.0, 5.0)]), (2.0, 0.0));
        // Rest 6, of one degree of freedom, over a width of 2.
        assert_eq!(trend(&[(0.0, 1.0), (1.0, 5.0), (2.0, 3.0)]), (1.0, 3.0f64.sqrt()));
        assert_eq!(trend(&[(0.0, 1.0), (1.0, 5.0)]), (0.0, 0.0));
    }
}
