//! How many goroutines a `go` statement had along the watch, and how fast their number grows. Pure.
//!
//! The watch looks at calm processes where there can be news, and counts by `go` statement; the last count is
//! the capture's own. So the group that grows is named by what was counted of it, and not by what most of the
//! growth of all goroutines can be.

use std::collections::HashMap;

use crate::facts::{Facts, Frame};
use crate::units::{count, seconds};

use super::thresholds::{GREW_BY, HALF_OF_GROWTH};

/// Goroutines of one `go` statement along the watch.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct OverTime {
    /// How many there were when their number began to grow: at the last look at which there were fewest.
    pub first: u64,
    /// When that was, in milliseconds on the timeline's clock.
    pub since_ms: u64,
    /// How many there are now.
    pub now: u64,
    /// Milliseconds from then to now.
    pub ms: u64,
    /// Whether their number grew in the earlier and in the later half of that time.
    pub steady: bool,
    /// Goroutines of the whole process that were started in a second, in that time; absent where it is not
    /// known.
    pub started_per_second: Option<f64>,
    /// Of the whole process, that ended in a second.
    pub ended_per_second: Option<f64>,
}

impl OverTime {
    /// By which their number grew.
    #[must_use]
    pub fn grew(&self) -> u64 {
        self.now.saturating_sub(self.first)
    }

    /// Goroutines that are more after a second.
    #[must_use]
    pub fn per_second(&self) -> f64 {
        self.grew() as f64 * 1e3 / self.ms.max(1) as f64
    }

    /// Whether their number grows, and not by chance.
    #[must_use]
    pub fn grows(&self) -> bool {
        self.steady && self.grew() >= GREW_BY
    }

    /// In words.
    #[must_use]
    pub fn in_words(&self) -> String {
        let rate = self.per_second();
        let rate = match rate {
            r if r >= 9.95 => format!("{r:.0} more a second"),
            r if r >= 0.95 => format!("{r:.1} more a second"),
            r => format!("{} more a minute", count((r * 60.0).round() as u64)),
        };
        let mut out = format!(
            "this go statement had {} at {} of the watch and has {} now, {rate}",
            count(self.first),
            seconds(self.since_ms as f64 / 1e3),
            count(self.now),
        );
        if let Some((started, ended)) = self.started_per_second.zip(self.ended_per_second) {
            let per_second = |n: f64| if n >= 9.95 { count(n.round() as u64) } else { format!("{n:.1}") };
            out.push_str(&format!(
                " (of all goroutines {} a second were started, {} ended)",
                per_second(started),
                per_second(ended)
            ));
        }
        out
    }
}

/// What the capture itself counted: of each `go` statement its goroutines.
pub(super) type Now<'a> = HashMap<&'a Frame, u64>;

/// The goroutines of a capture by `go` statement.
pub(super) fn now(facts: &Facts) -> Now<'_> {
    let list = &facts.goroutines.list;
    let mut out = Now::new();
    for g in &list.each.0 {
        let kind = list.kinds.get(g.kind as usize);
        let place = kind.and_then(|k| list.places.get(k.created_by? as usize));
        if let Some(frame) = place.and_then(|p| facts.frames.get(p.frame as usize)) {
            *out.entry(frame).or_default() += 1;
        }
    }
    out
}

/// That of one `go` statement; `None` where there were fewer than two looks before the capture.
pub(super) fn over_time(facts: &Facts, now: &Now<'_>, created_by: &Frame) -> Option<OverTime> {
    let looks = &facts.timeline.goroutines;
    let mut points = looks.of(created_by);
    points.retain(|(t, _)| *t <= facts.capture.t_ms);
    if points.len() < 2 {
        return None;
    }
    if let Some(n) = now.get(created_by) {
        points.push((facts.capture.t_ms, *n));
    }
    let (end, last) = *points.last()?;
    // Of equal ones the last: their number rested until then.
    let (begin, first) = *points.iter().rev().min_by_key(|(_, n)| *n)?;
    let middle = begin + end.saturating_sub(begin) / 2;
    let climb: Vec<(u64, u64)> = points.iter().filter(|(t, _)| *t >= begin).copied().collect();
    // The look nearest to the middle that is neither end.
    let inner = climb.get(1..climb.len().saturating_sub(1)).unwrap_or_default();
    let half = inner.iter().min_by_key(|(t, _)| t.abs_diff(middle));
    let grew = last.saturating_sub(first);
    let part = |from: u64, to: u64| to.saturating_sub(from) as f64 >= grew as f64 * HALF_OF_GROWTH && grew > 0;
    let steady = half.is_some_and(|(_, n)| part(first, *n) && part(*n, last));
    let rates = rates(facts, begin);
    Some(OverTime {
        first,
        since_ms: begin,
        now: last,
        ms: end.saturating_sub(begin),
        steady,
        started_per_second: rates.map(|(started, _)| started),
        ended_per_second: rates.map(|(_, ended)| ended),
    })
}

/// Goroutines of all that were started and that ended in a second, from a look on to the newest. Their
/// numbers are given in lots of 16, so that few say nothing.
fn rates(facts: &Facts, since_ms: u64) -> Option<(f64, f64)> {
    /// Starts below which lots of numbers may be all there is. Chosen: of 64 processors.
    const MIN_STARTED: u64 = 1024;
    let exact = |l: &&crate::facts::GoroutineLook| l.one_in == 1;
    let looks = &facts.timeline.goroutines.looks;
    let first = looks.iter().filter(exact).find(|l| l.t_ms >= since_ms)?;
    let last = looks.iter().rfind(exact)?;
    let ms = last.t_ms.checked_sub(first.t_ms).filter(|ms| *ms > 0)?;
    let started = last.newest.checked_sub(first.newest).filter(|n| *n >= MIN_STARTED)?;
    let ended = (i128::from(started) - (i128::from(last.live) - i128::from(first.live))).max(0);
    let per_second = |n: f64| n * 1e3 / ms as f64;
    Some((per_second(started as f64), per_second(ended as f64)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::{GoroutineLook, StartedAt};

    fn frame() -> Frame {
        Frame { function: "main.serve".into(), file: "a.go".into(), line: 7 }
    }

    /// Looks every ten seconds; 100 goroutines are started in a second.
    fn facts(counts: &[Option<u64>]) -> Facts {
        let mut f = Facts::default();
        let live = |i: usize| counts[i].unwrap_or(0) + 40;
        let look = |i: usize| GoroutineLook {
            t_ms: i as u64 * 10_000,
            live: live(i),
            newest: 5_000 + i as u64 * 1_000,
            one_in: 1,
        };
        f.timeline.goroutines.looks = (0..counts.len()).map(look).collect();
        f.timeline.goroutines.sites = vec![StartedAt { created_by: frame(), counts: counts.to_vec() }];
        f.capture.t_ms = counts.len() as u64 * 10_000;
        f
    }

    fn of(counts: &[u64], last: u64) -> Option<OverTime> {
        let counts: Vec<_> = counts.iter().copied().map(Some).collect();
        let frame = frame();
        over_time(&facts(&counts), &Now::from([(&frame, last)]), &frame)
    }

    #[test]
    fn what_grows_is_told_with_its_beginning_and_its_rate() {
        let o = of(&[10, 10, 510, 1010, 1510], 2010).unwrap();
        assert_eq!((o.first, o.since_ms, o.now, o.ms, o.steady), (10, 10_000, 2010, 40_000, true));
        assert!((o.per_second() - 50.0).abs() < 0.01 && o.grows(), "{o:?}");
        // 3,000 were started in the 30 s between looks, and there are 1,500 more.
        assert_eq!((o.started_per_second, o.ended_per_second), (Some(100.0), Some(50.0)));
        assert_eq!(
            o.in_words(),
            "this go statement had 10 at 10 s of the watch and has 2,010 now, 50 more a second (of all goroutines 100 a second were started, 50 ended)"
        );
        let slow = of(&[0, 20, 40, 60], 80).unwrap();
        assert!(slow.in_words().contains("120 more a minute") || slow.in_words().contains("2.0 more a second"));
    }

    #[test]
    fn what_has_stopped_to_grow_or_jumped_once_is_not_steady() {
        assert!(!of(&[10, 2000, 2000, 2000, 2000], 2010).unwrap().grows(), "filled at its start");
        assert!(!of(&[10, 10, 10, 10, 10], 2000).unwrap().grows(), "one burst");
        assert!(!of(&[2000, 1500, 1000, 500], 400).unwrap().grows(), "it falls");
        assert!(!of(&[10, 12, 14, 16], 18).unwrap().grows(), "hardly any");
    }

    #[test]
    fn without_looks_nothing_is_known() {
        assert_eq!(of(&[10], 2000), None);
        assert_eq!(over_time(&facts(&[None, None, Some(5)]), &Now::new(), &frame()), None);
        let other = Frame::default();
        assert_eq!(over_time(&facts(&[Some(1), Some(2), Some(3)]), &Now::new(), &other), None);
    }
}
