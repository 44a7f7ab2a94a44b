//! How fast memory grows, and when it will be used up. Pure.

use std::time::Duration;

/// Memory use at a time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Point {
    /// Milliseconds on the watch's clock.
    pub t_ms: u64,
    /// Bytes.
    pub bytes: u64,
}

/// A growth rate with its spread, in bytes per second.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Rate {
    /// 10th percentile of the pairwise slopes.
    pub low: f64,
    /// Median of the pairwise slopes (Theil-Sen): one odd sample does not move it.
    pub median: f64,
    /// 90th percentile.
    pub high: f64,
}

/// The slope of the points of the last `window`; `None` with fewer than three points or less than 20 ms of them.
#[must_use]
pub fn rate(points: &[Point], window: Duration) -> Option<Rate> {
    /// 40 points make 780 pairs: microseconds, and enough.
    const MOST: usize = 40;
    let last = points.last()?.t_ms;
    let from = last.saturating_sub(window.as_millis() as u64);
    let recent = points.get(points.partition_point(|p| p.t_ms < from)..)?;
    let step = recent.len().div_ceil(MOST).max(1);
    // Counted from the end, so that the newest point is always among them.
    let chosen: Vec<&Point> = recent.iter().rev().step_by(step).collect();
    let span = chosen.first()?.t_ms - chosen.last()?.t_ms;
    if chosen.len() < 3 || span < 20 {
        return None;
    }
    let mut slopes = Vec::with_capacity(chosen.len() * chosen.len() / 2);
    for (i, later) in chosen.iter().enumerate() {
        for earlier in chosen.iter().skip(i + 1).filter(|p| p.t_ms < later.t_ms) {
            slopes.push((later.bytes as f64 - earlier.bytes as f64) * 1000.0 / (later.t_ms - earlier.t_ms) as f64);
        }
    }
    slopes.sort_by(f64::total_cmp);
    let at = |q: f64| slopes.get(((slopes.len() - 1) as f64 * q) as usize).copied();
    Some(Rate { low: at(0.1)?, median: at(0.5)?, high: at(0.9)? })
}

/// Seconds until `headroom` bytes are used at this rate; `None` if memory does not grow.
#[must_use]
pub fn time_to_oom(headroom: u64, bytes_per_second: f64) -> Option<f64> {
    (bytes_per_second > 0.0).then(|| headroom as f64 / bytes_per_second)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn line(n: u64, step_ms: u64, slope: f64) -> Vec<Point> {
        (0..n)
            .map(|i| Point { t_ms: i * step_ms, bytes: 1_000_000_000 + (slope * (i * step_ms) as f64 / 1000.0) as u64 })
            .collect()
    }

    #[test]
    fn a_ramp_and_a_ramp_with_a_spike() {
        let mut points = line(100, 5, 4e8);
        let r = rate(&points, Duration::from_millis(500)).unwrap();
        assert!((r.median - 4e8).abs() < 1e6, "{r:?}");
        points[95].bytes *= 3;
        let r = rate(&points, Duration::from_millis(500)).unwrap();
        assert!((r.median - 4e8).abs() < 2e7, "{r:?}");
    }

    #[test]
    fn flat_or_too_short_is_no_growth() {
        assert_eq!(time_to_oom(1000, rate(&line(50, 5, 0.0), Duration::from_secs(1)).unwrap().median), None);
        assert_eq!(rate(&line(2, 5, 1e9), Duration::from_secs(1)), None);
        assert_eq!(rate(&[], Duration::from_secs(1)), None);
    }

    proptest! {
        #[test]
        fn percentiles_are_ordered(values in proptest::collection::vec(0u64..1 << 40, 3..200)) {
            let points: Vec<Point> = values.iter().enumerate().map(|(i, b)| Point { t_ms: i as u64 * 10, bytes: *b }).collect();
            if let Some(r) = rate(&points, Duration::from_secs(1)) {
                prop_assert!(r.low <= r.median && r.median <= r.high);
            }
        }
    }
}
