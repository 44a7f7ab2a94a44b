//! How fast memory grows, and when it will be used up. Pure.

use std::time::Duration;

/// Memory use at a time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Point {
    /// Milliseconds on the watch's clock.
    pub(crate) t_ms: u64,
    /// Bytes.
    pub(crate) bytes: u64,
}

/// A growth rate with its spread, in bytes per second.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Rate {
    /// 10th percentile of the pairwise slopes.
    pub(crate) low: f64,
    /// Median of the pairwise slopes (Theil-Sen): one odd sample does not move it.
    pub(crate) median: f64,
    /// 90th percentile.
    pub(crate) high: f64,
}

/// What the kernel's counter may be behind by: 64 pages for each of a few processors. Less is no growth.
const COUNTER_NOISE: u64 = 512 << 10;

/// The slope of the points of the last `window`; `None` with fewer than three points or less than 20 ms of
/// them.
#[must_use]
pub(crate) fn rate(points: &[Point], window: Duration) -> Option<Rate> {
    /// 40 points make 780 pairs: microseconds, and enough.
    const MAX_POINTS: usize = 40;
    let last = points.last()?.t_ms;
    let from = last.saturating_sub(window.as_millis() as u64);
    let recent = points.get(points.partition_point(|p| p.t_ms < from)..)?;
    let step = recent.len().div_ceil(MAX_POINTS).max(1);
    // Counted from the end, so that the newest point is always among them.
    let chosen: Vec<&Point> = recent.iter().rev().step_by(step).collect();
    let span = last.saturating_sub(chosen.last()?.t_ms);
    if chosen.len() < 3 || span < 20 {
        return None;
    }
    // Nearly all looks are at processes that do not grow: no pairs for what the kernel's counter is behind
    // by.
    let (least, most) = chosen.iter().fold((u64::MAX, 0), |(least, most), p| (least.min(p.bytes), most.max(p.bytes)));
    if most - least < COUNTER_NOISE {
        return Some(Rate::default());
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

/// When memory will be used up.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Seconds {
    /// At the fastest growth seen.
    pub(crate) low: f64,
    /// Likely.
    pub(crate) likely: f64,
    /// At the slowest; infinite if that was none.
    pub(crate) high: f64,
}

/// How memory grows, and when it will be used up at that.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Forecast {
    /// Growth.
    pub(crate) rate: Rate,
    /// Seconds to the end; `None` if memory does not grow.
    pub(crate) seconds: Option<Seconds>,
}

/// What is looked at.
const WINDOW: Duration = Duration::from_millis(500);
/// The newest part of it: where growth itself grows, that tells of the future.
const NEWEST: Duration = Duration::from_millis(120);
/// A sprint is believed in when the end is nearer than this, in seconds.
const SPRINT: f64 = 0.05;

/// When `headroom` bytes will be used up, by the points of the last half second (in calm times, with a look
/// or two a second, of the last ten). Of an exponential growth the newest points count, if even the slower
/// ones of them are faster than the whole. Of a sprint out of the calm that would be too late (64 MB are
/// filled in 20 ms, and the median of half a second is still that of the calm): there the last two steps
/// count.
#[must_use]
pub(crate) fn forecast(points: &[Point], headroom: u64) -> Option<Forecast> {
    let rate = sprint(points).filter(|s| headroom as f64 / s.median < SPRINT).or_else(|| {
        let whole = rate(points, WINDOW).or_else(|| rate(points, Duration::from_secs(10)))?;
        Some(rate(points, NEWEST).filter(|n| n.low > whole.median).unwrap_or(whole))
    })?;
    let at = |rate: f64| time_to_oom(headroom, rate);
    let seconds = at(rate.median).map(|likely| Seconds {
        low: at(rate.high).unwrap_or(likely),
        likely,
        high: at(rate.low).unwrap_or(f64::INFINITY),
    });
    Some(Forecast { rate, seconds })
}

/// The slower of the last two steps, if both are quick. A step is what is more than the kernel's counter is
/// behind by (64 pages for each processor), over as many looks as it took: looks may be three milliseconds
/// apart, and then each shows less than that of 0.3 GB/s.
fn sprint(points: &[Point]) -> Option<Rate> {
    const STEP: u64 = 1 << 20;
    const LONGEST_MS: u64 = 100;
    let before = |p: &Point| {
        let near = points.iter().rev().take_while(|q| p.t_ms.saturating_sub(q.t_ms) <= LONGEST_MS);
        // Two looks of one millisecond, the supervisor's and a worker's first, are no step.
        near.filter(|q| q.t_ms < p.t_ms).find(|q| p.bytes.saturating_sub(q.bytes) >= STEP).copied()
    };
    let slope = |from: Point, to: Point| (to.bytes - from.bytes) as f64 * 1000.0 / (to.t_ms - from.t_ms) as f64;
    let c = *points.last()?;
    let b = before(&c)?;
    let a = before(&b)?;
    let (first, second) = (slope(a, b), slope(b, c));
    // It goes on: the newest look shows some of it too.
    let newest = *points.iter().rev().find(|p| p.t_ms < c.t_ms)?;
    if c.bytes <= newest.bytes || slope(newest, c) < second / 4.0 {
        return None;
    }
    Some(Rate { low: first.min(second), median: first.min(second), high: first.max(second) })
}

/// What the newest step says by itself, where it is a leap out of the calm after which the end is nearer than
/// [`SPRINT`]: 128 MB are filled in 30 ms, and who waits for a second step looks at a dead process (seen: seven
/// of 600). One step may be a buffer and no growth, so that it is for those of whom nothing can be read after
/// the end; a copy for nothing costs them a millisecond.
#[must_use]
pub(crate) fn leap(points: &[Point], headroom: u64) -> Option<Forecast> {
    /// Less of what is left is no leap.
    const PART: u64 = 8;
    /// A look that is older says nothing of how fast it was.
    const LONGEST_MS: u64 = 40;
    let now = *points.last()?;
    let before = *points.iter().rev().find(|p| p.t_ms < now.t_ms)?;
    let (ms, grown) = (now.t_ms - before.t_ms, now.bytes.checked_sub(before.bytes)?);
    if ms > LONGEST_MS || grown < (headroom / PART).max(COUNTER_NOISE * 4) {
        return None;
    }
    let rate = grown as f64 * 1000.0 / ms as f64;
    let likely = time_to_oom(headroom, rate).filter(|s| *s < SPRINT)?;
    let seconds = Some(Seconds { low: likely, likely, high: f64::INFINITY });
    Some(Forecast { rate: Rate { low: 0.0, median: rate, high: rate }, seconds })
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

    /// Points as they were seen of a program with a limit of 64 MB: calm, then dead within 20 ms.
    #[test]
    fn a_sprint_out_of_the_calm_is_seen_at_its_second_step() {
        let kib = [
            (300, 8000),
            (309, 8000),
            (318, 8000),
            (327, 8000),
            (336, 8064),
            (345, 8064),
            (355, 25_000),
            (364, 39_424),
        ];
        let mut points: Vec<Point> = kib.iter().map(|(t_ms, kib)| Point { t_ms: *t_ms, bytes: kib << 10 }).collect();
        let ahead = |points: &[Point]| {
            let headroom = (65_536u64 << 10) - points.last().unwrap().bytes;
            forecast(points, headroom).and_then(|f| f.seconds).map_or(f64::INFINITY, |s| s.likely)
        };
        assert!(ahead(&points[..7]) > 0.25, "one step may be an odd one");
        assert!(ahead(&points) < 0.05);
        let mut twice = points.clone();
        twice.insert(7, Point { t_ms: 364, bytes: 39_000 << 10 });
        assert!(ahead(&twice) < 0.05, "looked at twice in one millisecond");
        // The counter moves by what it was behind: no sprint, however little is left.
        points.extend(
            [(370, 64_000u64), (375, 64_256), (380, 64_512)].map(|(t_ms, kib)| Point { t_ms, bytes: kib << 10 }),
        );
        assert_eq!(sprint(&points), None);
    }

    /// Out of the calm half of what was left is gone at one look; a step that is small beside what is left, or
    /// that may have taken long, says nothing by itself.
    #[test]
    fn a_leap_is_one_step() {
        let at = |t_ms, mib: u64| Point { t_ms, bytes: mib << 20 };
        let seconds = |points: &[Point], left: u64| leap(points, left << 20).and_then(|f| f.seconds).map(|s| s.likely);
        let calm = [at(0, 8), at(20, 8)];
        let likely = seconds(&[calm[0], calm[1], at(36, 70)], 58).unwrap();
        assert!((likely - 0.015).abs() < 0.001, "{likely}");
        for (newest, left) in
            [(at(36, 12), 116), (at(36, 70), 1000), (at(61, 70), 58), (at(36, 8), 120), (at(36, 2), 120)]
        {
            assert_eq!(seconds(&[calm[0], calm[1], newest], left), None, "{newest:?}");
        }
        assert_eq!((seconds(&calm[..1], 120), seconds(&[], 120)), (None, None));
    }

    /// As it was missed once: 64 MB, filled at 0.34 GB/s, looked at every three milliseconds, with half a
    /// second at rest before.
    #[test]
    fn small_steps_make_a_sprint_too() {
        let at = |t_ms: u64| Point { t_ms, bytes: 43_000_000 + t_ms.saturating_sub(600) * 340_000 };
        let points: Vec<Point> = (0..=640).step_by(3).map(at).collect();
        let headroom = (64 << 20) - points.last().unwrap().bytes;
        let likely = forecast(&points, headroom).and_then(|f| f.seconds).map_or(f64::INFINITY, |s| s.likely);
        let truth = headroom as f64 / 3.4e8;
        assert!((likely - truth).abs() < truth * 0.2, "{likely} of {truth}");
        let flat: Vec<Point> =
            (0..=640).step_by(3).map(|t_ms| Point { t_ms, bytes: 60_000_000 + t_ms % 7 * 70_000 }).collect();
        assert_eq!(sprint(&flat), None);
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

    #[test]
    fn an_exponential_growth_is_forecast_by_its_newest_points() {
        // Doubles every 200 ms.
        let points: Vec<Point> =
            (0..200).map(|i| Point { t_ms: i * 5, bytes: (1e8 * 2f64.powf(i as f64 / 40.0)) as u64 }).collect();
        let last = points.last().unwrap().bytes;
        let f = forecast(&points, last).unwrap();
        let truth = 0.2;
        let by_whole = last as f64 / rate(&points, WINDOW).unwrap().median;
        let likely = f.seconds.unwrap().likely;
        assert!((likely - truth).abs() < (by_whole - truth).abs() / 1.5, "{likely} by the newest, {by_whole} by all");
        assert!(likely < 0.4, "{likely}");
    }

    #[test]
    fn a_single_step_is_no_rate() {
        let points: Vec<Point> =
            (0..100).map(|i| Point { t_ms: i * 5, bytes: if i < 60 { 1_000_000 } else { 500_000_000 } }).collect();
        let f = forecast(&points, 1 << 30).unwrap();
        assert!(f.seconds.is_none_or(|s| s.likely > 10.0), "{f:?}");
    }

    #[test]
    fn half_way_through_a_ramp_the_end_is_known_within_a_fifth() {
        for rate in [5e7, 4e8, 2e9, 4e9] {
            let limit = 2e9;
            let half_ms = (limit / rate / 2.0 * 1000.0) as u64;
            // A hundredth of noise.
            let at = |t: u64| Point {
                t_ms: t,
                bytes: (rate * t as f64 / 1000.0 * (1.0 + 0.01 * ((t * 7919) % 13) as f64 / 13.0)) as u64,
            };
            let points: Vec<Point> = (0..=half_ms).step_by(5).map(at).collect();
            let f = forecast(&points, limit as u64 - points.last().unwrap().bytes).unwrap();
            let truth = limit / rate / 2.0;
            let s = f.seconds.unwrap();
            assert!((s.likely - truth).abs() < truth * 0.2, "{rate:e}: {} for {truth}", s.likely);
            assert!(s.low <= s.likely && s.likely <= s.high);
        }
    }

    proptest! {
        #[test]
        fn no_series_however_odd_is_a_panic_or_a_time_that_is_none(
            points in proptest::collection::vec((any::<u64>(), any::<u64>()), 0..100), headroom: u64
        ) {
            let points: Vec<Point> = points.into_iter().map(|(t_ms, bytes)| Point { t_ms, bytes }).collect();
            if let Some(s) = forecast(&points, headroom).and_then(|f| f.seconds) {
                prop_assert!(s.low <= s.likely && s.likely <= s.high && s.low >= 0.0, "{s:?}");
            }
        }

        #[test]
        fn percentiles_are_ordered(values in proptest::collection::vec(0u64..1 << 40, 3..200)) {
            let points: Vec<Point> = values.iter().enumerate().map(|(i, b)| Point { t_ms: i as u64 * 10, bytes: *b }).collect();
            if let Some(r) = rate(&points, Duration::from_secs(1)) {
                prop_assert!(r.low <= r.median && r.median <= r.high);
            }
        }
    }
}
