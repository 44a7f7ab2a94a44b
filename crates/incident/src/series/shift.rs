//! The change of a series around an incident: found offline by PELT, its beginning by the detector that would
//! have found it online.

use crate::evidence::{MetricPoint, UnixMs};
use crate::statistics::cusum::{Cusum, Way};
use crate::statistics::pelt::{MOST, changes, usual_penalty};
use crate::statistics::robust::{deviation, median, noise};

/// Part of the level before by which a series must have changed to be told. Chosen: less explains no death.
pub const LEAST_PART: f64 = 0.2;
/// The same in units of its noise.
const LEAST_NOISE: f64 = 4.0;
/// Points before the change that must be there.
const LEAST_POINTS: usize = 4;
/// Points with which a series begins, in which nothing has changed but that there is one.
const FIRST_POINTS: usize = 6;

/// A change of level.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Shift {
    /// When it began: the first point of the new level.
    pub at: UnixMs,
    /// The last point of the old level: it began no earlier.
    pub earliest: UnixMs,
    /// Level before.
    pub before: f64,
    /// Level after, until the next change.
    pub after: f64,
}

impl Shift {
    /// Whether it went up.
    #[must_use]
    pub fn is_up(&self) -> bool {
        self.after > self.before
    }

    /// Level after, as a factor of the one before.
    #[must_use]
    pub fn factor(&self) -> f64 {
        if self.before.abs() < f64::EPSILON { f64::INFINITY } else { self.after / self.before }
    }
}

/// What is known of a series in a time.
#[derive(Clone, Debug, PartialEq)]
pub enum Course {
    /// Too few points to say anything.
    Unknown,
    /// It stayed as it was.
    Steady {
        /// Its level.
        level: f64,
    },
    /// It changed; every change that matters, oldest first.
    Changed(Vec<Shift>),
}

impl Course {
    /// The first change upwards.
    #[must_use]
    pub fn first_rise(&self) -> Option<Shift> {
        match self {
            Self::Changed(shifts) => shifts.iter().copied().find(Shift::is_up),
            _ => None,
        }
    }
}

/// The course of a series from a moment to another.
#[must_use]
pub fn course(points: &[MetricPoint], from: UnixMs, to: UnixMs) -> Course {
    let begins = points.first().map(|p| p.unix_ms);
    let mut points: Vec<MetricPoint> =
        points.iter().copied().filter(|p| p.unix_ms >= from && p.unix_ms <= to).collect();
    // The middle of each so many: thinner, and no less steep.
    let each = points.len().div_ceil(MOST).max(1);
    if each > 1 {
        points = points
            .chunks(each)
            .filter_map(|c| {
                let value = median(&c.iter().map(|p| p.value).collect::<Vec<_>>())?;
                Some(MetricPoint { unix_ms: c.first()?.unix_ms, value })
            })
            .collect();
    }
    let begins_here = points.first().is_some_and(|first| Some(first.unix_ms) == begins);
    let values: Vec<f64> = points.iter().map(|p| p.value).collect();
    let (Some(level), Some(noise)) = (median(&values), noise(&values)) else { return Course::Unknown };
    if values.len() < LEAST_POINTS * 2 {
        return Course::Unknown;
    }
    // Counters of a quiet time have no noise: one in fifty of the level, or of the largest value.
    let largest = values.iter().fold(0.0_f64, |m, v| m.max(v.abs()));
    let noise = noise.max(level.abs() / 50.0).max(largest / 1000.0).max(1e-9);
    let mut bounds = vec![0];
    bounds.extend(changes(&values, noise, usual_penalty(values.len())));
    bounds.push(values.len());
    let segments: Vec<(usize, usize, f64)> = bounds
        .windows(2)
        .filter_map(|w| match w {
            [a, b] => Some((*a, *b, median(values.get(*a..*b)?)?)),
            _ => None,
        })
        .collect();
    let out = shifts(&points, &values, &segments, noise, begins_here);
    if out.is_empty() { Course::Steady { level } } else { Course::Changed(out) }
}

/// Changes of level between segments (begin, end, level). A climb of many points is many short segments and
/// one change: each is held against the last level that stood for some points. (Seen in lab/cluster: calls in
/// flight of 24, 28, 76, 124, 172, 220 of which no two were a level.)
fn shifts(
    points: &[MetricPoint],
    values: &[f64],
    segments: &[(usize, usize, f64)],
    noise: f64,
    begins_here: bool,
) -> Vec<Shift> {
    let mut out: Vec<Shift> = Vec::new();
    let Some((mut begin, _, mut level)) = segments.first().copied() else { return out };
    // Whether the last change goes on: no level has stood since.
    let mut goes_on = false;
    for (at, end, now) in segments.iter().skip(1).copied() {
        let stands = end - at >= LEAST_POINTS || end == values.len();
        let before = out.last().filter(|_| goes_on).map_or(level, |s| s.after);
        let least = (before.abs() * LEAST_PART).max(noise * LEAST_NOISE);
        let up = now > before;
        match out.last_mut().filter(|s| goes_on && s.is_up() == up) {
            Some(last) => last.after = now,
            None if (now - before).abs() >= least && !(begins_here && at < FIRST_POINTS) => {
                let from = if goes_on { at } else { onset(values, begin, at, up) };
                if let (Some(first), Some(last)) = (points.get(from), points.get(from.saturating_sub(1))) {
                    out.push(Shift { at: first.unix_ms, earliest: last.unix_ms, before, after: now });
                    goes_on = true;
                }
            }
            None => {}
        }
        if stands {
            (begin, level, goes_on) = (at, now, false);
        }
    }
    out
}

/// Where the rise to a new level began: cumulative sums against the level before, which see the ramp that
/// leads to it; never later than where the segments meet.
fn onset(values: &[f64], begin: usize, at: usize, up: bool) -> usize {
    let Some(usual) = values.get(begin..at) else { return at };
    let (Some(mean), Some(deviation)) = (median(usual), deviation(usual)) else { return at };
    let mut cusum = Cusum::new(mean, deviation.max(mean.abs() / 50.0));
    let way = if up { Way::Up } else { Way::Down };
    let seen = values.get(begin..(at + 2).min(values.len())).unwrap_or_default();
    let alarm = seen.iter().filter_map(|v| cusum.push(*v)).filter(|a| a.way == way).last();
    // An alarm long before was noise.
    alarm.map_or(at, |a| (begin + a.onset).min(at)).max(at.saturating_sub(3)).max(1)
}

/// The middle of a series in a time; `None` without points.
#[must_use]
pub fn level(points: &[MetricPoint], from: UnixMs, to: UnixMs) -> Option<f64> {
    let values: Vec<f64> = points.iter().filter(|p| p.unix_ms >= from && p.unix_ms <= to).map(|p| p.value).collect();
    median(&values)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn points(values: impl IntoIterator<Item = f64>) -> Vec<MetricPoint> {
        values.into_iter().enumerate().map(|(i, value)| MetricPoint { unix_ms: i as i64 * 1000, value }).collect()
    }

    /// Values around a level with a noise that repeats.
    fn noisy(level: f64, n: usize) -> impl Iterator<Item = f64> {
        (0..n).map(move |i| level + [0.0, 3.0, -2.0, 1.0, -4.0, 2.0, -1.0][i % 7] * level / 100.0)
    }

    #[test]
    fn a_surge_is_found_where_it_began() {
        let series = points(noisy(12.0, 60).chain(noisy(1020.0, 30)));
        let got = course(&series, 0, i64::MAX).first_rise().unwrap();
        assert_eq!((got.at, got.earliest), (60_000, 59_000));
        assert!(got.factor() > 70.0);
    }

    #[test]
    fn a_climb_without_a_level_is_one_rise() {
        let calls = [10, 24, 24, 24, 24, 24, 24, 24, 24, 28, 76, 124, 172, 220, 280, 0].map(f64::from);
        let Course::Changed(got) = course(&points(calls), 0, i64::MAX) else { panic!("it changed") };
        let told: Vec<_> = got.iter().map(|s| (s.at / 1000, s.before, s.after)).collect();
        assert_eq!(told.len(), 2, "{told:?}");
        assert!((9..=10).contains(&told[0].0) && (told[0].1, told[0].2) == (24.0, 280.0), "{told:?}");
        assert!(!got[1].is_up(), "{told:?}");
    }

    #[test]
    fn steady_is_steady_and_little_is_unknown() {
        assert!(
            matches!(course(&points(noisy(6200.0, 300)), 0, i64::MAX), Course::Steady { level } if (level - 6200.0).abs() < 100.0)
        );
        assert!(matches!(course(&points([0.0; 50]), 0, i64::MAX), Course::Steady { .. }));
        assert_eq!(course(&points(noisy(5.0, 5)), 0, i64::MAX), Course::Unknown);
        assert_eq!(course(&[], 0, 9), Course::Unknown);
        // A tenth more explains nothing.
        assert!(matches!(
            course(&points(noisy(100.0, 60).chain(noisy(110.0, 60))), 0, i64::MAX),
            Course::Steady { .. }
        ));
    }

    #[test]
    fn doubled_and_halved() {
        let series = points(noisy(50.0, 40).chain(noisy(100.0, 40)).chain(noisy(20.0, 40)));
        let Course::Changed(shifts) = course(&series, 0, i64::MAX) else { panic!("steady") };
        assert_eq!(shifts.iter().map(|s| (s.at, s.is_up())).collect::<Vec<_>>(), [(40_000, true), (80_000, false)]);
        assert_eq!(level(&series, 50_000, 70_000).map(f64::round), Some(100.0));
    }

    /// A million points are thinned and still told.
    #[test]
    fn long_series() {
        let series = points(noisy(100.0, 60_000).chain(noisy(300.0, 60_000)));
        let got = course(&series, 0, i64::MAX).first_rise().unwrap();
        assert!(got.at.abs_diff(60_000_000) <= 60_000, "{got:?}");
    }
}
